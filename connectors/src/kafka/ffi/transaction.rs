//! Transactions of a producing client, and the offsets that are committed with them.
//!
//! Offsets go in as a group without members would commit them: no generation guards them. What
//! fences them is the epoch of the transactional id.

use std::ffi::{CString, c_int};
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::bindings as c;
use rdkafka::error::RDKafkaErrorCode as Code;

use rdkafka::consumer::Consumer as _;

use super::super::context::Consumer;
use super::{NO_ERROR, Pipe, text};

/// An offset of a group with the text that was committed beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka) struct Marked {
    pub(in crate::kafka) topic: String,
    pub(in crate::kafka) partition: i32,
    pub(in crate::kafka) offset: i64,
    pub(in crate::kafka) metadata: String,
}

/// What a call about a transaction failed with.
#[derive(Debug, Clone)]
pub(in crate::kafka) struct Trouble {
    pub(in crate::kafka) code: Code,
    pub(in crate::kafka) reason: String,
    /// The client cannot be used any more.
    pub(in crate::kafka) fatal: bool,
    /// The same call may be made again.
    pub(in crate::kafka) retriable: bool,
    /// The transaction must be aborted.
    pub(in crate::kafka) abort: bool,
}

impl Trouble {
    /// A transaction is older than it may be.
    pub(in crate::kafka) fn late(age: Duration) -> Self {
        let reason = format!("it was begun {} s ago", age.as_secs_f32());
        Self { abort: true, ..Self::of(Code::OperationTimedOut, reason) }
    }

    fn of(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), fatal: false, retriable: false, abort: false }
    }
}

/// # Safety
/// `error` is null or an error that nobody else destroys.
unsafe fn told(error: *mut c::rd_kafka_error_t) -> Result<(), Trouble> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is alive until it is destroyed once, here.
    unsafe {
        let trouble = Trouble {
            code: c::rd_kafka_error_code(error).into(),
            reason: text(c::rd_kafka_error_string(error)),
            fatal: c::rd_kafka_error_is_fatal(error) != 0,
            retriable: c::rd_kafka_error_is_retriable(error) != 0,
            abort: c::rd_kafka_error_txn_requires_abort(error) != 0,
        };
        c::rd_kafka_error_destroy(error);
        Err(trouble)
    }
}

fn millis(time: Duration) -> c_int {
    c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX)
}

impl Pipe {
    /// Fences every earlier client of the transactional id and ends what it left open.
    pub(in crate::kafka) fn init_transactions(&self, wait: Duration) -> Result<(), Trouble> {
        // SAFETY: the client is alive.
        unsafe { told(c::rd_kafka_init_transactions(self.client().native_ptr(), millis(wait))) }
    }

    pub(in crate::kafka) fn begin_transaction(&self) -> Result<(), Trouble> {
        // SAFETY: the client is alive.
        unsafe { told(c::rd_kafka_begin_transaction(self.client().native_ptr())) }
    }

    /// Waits for what is not delivered yet, while somebody else serves the events, and commits.
    pub(in crate::kafka) fn commit_transaction(&self, wait: Duration) -> Result<(), Trouble> {
        // SAFETY: the client is alive.
        unsafe { told(c::rd_kafka_commit_transaction(self.client().native_ptr(), millis(wait))) }
    }

    pub(in crate::kafka) fn abort_transaction(&self, wait: Duration) -> Result<(), Trouble> {
        // SAFETY: the client is alive.
        unsafe { told(c::rd_kafka_abort_transaction(self.client().native_ptr(), millis(wait))) }
    }

    /// Makes offsets of `group` part of the open transaction.
    pub(in crate::kafka) fn send_offsets(
        &self,
        group: &str,
        offsets: &[Marked],
        wait: Duration,
    ) -> Result<(), Trouble> {
        let invalid = |_| Trouble::of(Code::InvalidArgument, "a name with a null byte");
        let group = CString::new(group).map_err(invalid)?;
        let names = offsets.iter().map(|o| CString::new(o.topic.as_str()));
        let names = names.collect::<Result<Vec<_>, _>>().map_err(invalid)?;
        // SAFETY: names and texts are copied; list and group are ours until each is destroyed once.
        // The memory of the texts, from librdkafka's allocator, goes with the list.
        unsafe {
            let rk = self.client().native_ptr();
            let list = c::rd_kafka_topic_partition_list_new(millis_of(offsets.len()));
            for (offset, name) in offsets.iter().zip(&names) {
                let element =
                    c::rd_kafka_topic_partition_list_add(list, name.as_ptr(), offset.partition);
                (*element).offset = offset.offset;
                let size = offset.metadata.len();
                if size > 0 {
                    let memory = c::rd_kafka_mem_malloc(rk, size);
                    ptr::copy_nonoverlapping(offset.metadata.as_ptr(), memory.cast(), size);
                    (*element).metadata = memory;
                    (*element).metadata_size = size;
                }
            }
            let member = c::rd_kafka_consumer_group_metadata_new(group.as_ptr());
            let sent =
                told(c::rd_kafka_send_offsets_to_transaction(rk, list, member, millis(wait)));
            c::rd_kafka_consumer_group_metadata_destroy(member);
            c::rd_kafka_topic_partition_list_destroy(list);
            sent
        }
    }
}

/// All offsets that `group` has committed, in whatever topics; an offset that an open
/// transaction is about to change is an error. It is asked through a consumer of that group: the client
/// of a producer crashes where the group's coordinator has moved (librdkafka 2.12.1).
pub(in crate::kafka) fn committed(
    consumer: &Consumer,
    group: &str,
    wait: Duration,
) -> Result<Vec<Marked>, Trouble> {
    let deadline = Instant::now() + wait;
    let invalid = |_| Trouble::of(Code::InvalidArgument, "a name with a null byte");
    let group = CString::new(group).map_err(invalid)?;
    // SAFETY: everything made here is destroyed once, results before the event they belong to.
    unsafe {
        let rk = consumer.client().native_ptr();
        let queue = c::rd_kafka_queue_new(rk);
        let options = c::rd_kafka_AdminOptions_new(
            rk,
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
        );
        c::rd_kafka_AdminOptions_set_request_timeout(options, millis(wait), ptr::null_mut(), 0);
        let stable = told(c::rd_kafka_AdminOptions_set_require_stable_offsets(options, 1));
        let mut ask = c::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), ptr::null());
        c::rd_kafka_ListConsumerGroupOffsets(rk, &mut ask, 1, options, queue);
        let left = deadline.saturating_duration_since(Instant::now());
        // The request times out by itself; a moment more lets its answer come.
        let event = c::rd_kafka_queue_poll(queue, millis(left + Duration::from_secs(1)));
        let found = stable.and_then(|()| offsets_in(event));
        if !event.is_null() {
            c::rd_kafka_event_destroy(event);
        }
        c::rd_kafka_ListConsumerGroupOffsets_destroy(ask);
        c::rd_kafka_AdminOptions_destroy(options);
        c::rd_kafka_queue_destroy(queue);
        found
    }
}

fn millis_of(count: usize) -> c_int {
    c_int::try_from(count).unwrap_or(c_int::MAX)
}

/// # Safety
/// `event` is null, or alive and the answer to a question for the offsets of one group.
unsafe fn offsets_in(event: *mut c::rd_kafka_event_t) -> Result<Vec<Marked>, Trouble> {
    if event.is_null() {
        return Err(Trouble::of(Code::OperationTimedOut, "no answer"));
    }
    // SAFETY: groups, lists and strings belong to the event.
    unsafe {
        let code = c::rd_kafka_event_error(event);
        if code != NO_ERROR {
            let reason = text(c::rd_kafka_event_error_string(event));
            return Err(Trouble::of(code.into(), reason));
        }
        let result = c::rd_kafka_event_ListConsumerGroupOffsets_result(event);
        let mut count = 0;
        let groups = c::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
        if groups.is_null() || count == 0 {
            return Err(Trouble::of(Code::BadMessage, "an answer without the group"));
        }
        let group = *groups;
        let error = c::rd_kafka_group_result_error(group);
        if !error.is_null() {
            let code = c::rd_kafka_error_code(error).into();
            return Err(Trouble::of(code, text(c::rd_kafka_error_string(error))));
        }
        let list = c::rd_kafka_group_result_partitions(group);
        if list.is_null() {
            return Ok(Vec::new());
        }
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        let elements = if count == 0 {
            &[]
        } else {
            std::slice::from_raw_parts((*list).elems.cast_const(), count)
        };
        elements.iter().filter(|e| e.offset >= 0 || e.err != NO_ERROR).map(|e| marked(e)).collect()
    }
}

/// # Safety
/// The strings of `element` are alive.
unsafe fn marked(element: &c::rd_kafka_topic_partition_t) -> Result<Marked, Trouble> {
    // SAFETY: the caller's promise.
    let (topic, metadata) = unsafe {
        let metadata = super::bytes(element.metadata, element.metadata_size).unwrap_or_default();
        (text(element.topic), String::from_utf8_lossy(metadata).into_owned())
    };
    if element.err != NO_ERROR {
        let reason = format!("the offset of {topic}/{}", element.partition);
        return Err(Trouble::of(element.err.into(), reason));
    }
    Ok(Marked { topic, partition: element.partition, offset: element.offset, metadata })
}
