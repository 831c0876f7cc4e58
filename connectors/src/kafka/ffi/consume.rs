//! Messages in batches, from a queue of our own.

use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafka, RDKafkaMessage, RDKafkaQueue};

use super::super::context::Consumer;
use super::{NO_ERROR, bytes, text};

/// Rings when a message arrives in an empty queue.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn hush(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    fn wait(&self, time: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(rung, time, |rung| !*rung));
    }
}

unsafe extern "C" fn arrived(_: *mut RDKafka, bell: *mut c_void) {
    // SAFETY: `DataQueue` registers a pointer to its bell and unregisters it before it drops it.
    unsafe { &*bell.cast::<Bell>() }.ring();
}

/// The queue that takes the messages of all partitions of a consumer. One thread reads it.
pub(in crate::kafka) struct DataQueue {
    queue: NonNull<RDKafkaQueue>,
    bell: Arc<Bell>,
    consumer: Arc<Consumer>,
}

// SAFETY: librdkafka's queues may be used from any thread; the batch call, which may not run twice
// at once, takes `&mut` messages that only one caller has, and is called under the assignment's lock.
unsafe impl Send for DataQueue {}
// SAFETY: as above.
unsafe impl Sync for DataQueue {}

impl DataQueue {
    /// A new queue of `consumer`'s client.
    pub(in crate::kafka) fn new(consumer: Arc<Consumer>) -> Self {
        let bell = Arc::new(Bell::default());
        // SAFETY: the client is alive; the bell outlives the registration (see `Drop`).
        let queue = unsafe {
            let queue = c::rd_kafka_queue_new(consumer.client().native_ptr());
            c::rd_kafka_queue_cb_event_enable(queue, Some(arrived), Arc::as_ptr(&bell) as *mut _);
            NonNull::new(queue).expect("invariant: rd_kafka_queue_new aborts rather than fail")
        };
        Self { queue, bell, consumer }
    }

    /// Sends the messages of a partition here. To be called before the partition is assigned.
    pub(in crate::kafka) fn forward(&self, topic: &str, partition: i32) {
        let Ok(topic) = CString::new(topic) else {
            return;
        };
        // SAFETY: client and queue are alive; the handle of the partition's queue is ours to destroy.
        unsafe {
            let rk = self.consumer.client().native_ptr();
            let source = c::rd_kafka_queue_get_partition(rk, topic.as_ptr(), partition);
            if !source.is_null() {
                c::rd_kafka_queue_forward(source, self.queue.as_ptr());
                c::rd_kafka_queue_destroy(source);
            }
        }
    }

    /// Takes what is there, at most `most` messages, without waiting: the batch call with a timeout
    /// would wait for the batch to fill up.
    pub(in crate::kafka) fn take(&self, messages: &mut Messages, most: usize) {
        messages.clear();
        messages.0.reserve(most);
        self.bell.hush();
        // SAFETY: there is room for `most` pointers, and the call says how many it wrote.
        unsafe {
            let start = messages.0.as_mut_ptr();
            let taken = c::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, start, most);
            messages.0.set_len(usize::try_from(taken).unwrap_or(0));
        }
    }

    /// Waits until something came since the last `take`, someone called `wake`, or `time` is over.
    pub(in crate::kafka) fn wait(&self, time: Duration) {
        self.bell.wait(time);
    }

    /// Ends the wait of the reader.
    pub(in crate::kafka) fn wake(&self) {
        self.bell.ring();
    }
}

impl Drop for DataQueue {
    fn drop(&mut self) {
        // SAFETY: the client is alive until `consumer` is dropped after this; once the callback is
        // unregistered (under the queue's lock) nobody holds the bell's pointer.
        unsafe {
            c::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            c::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Messages taken from a [`DataQueue`]. Their bytes live until they are cleared or dropped, and keep
/// the fetch buffer they came in alive: decode or copy them soon.
#[derive(Default)]
pub(in crate::kafka) struct Messages(Vec<*mut RDKafkaMessage>);

// SAFETY: messages belong to no thread.
unsafe impl Send for Messages {}

impl Messages {
    pub(in crate::kafka) fn clear(&mut self) {
        for message in self.0.drain(..) {
            // SAFETY: each pointer was handed to us by the batch call and is destroyed once.
            unsafe { c::rd_kafka_message_destroy(message) };
        }
    }

    pub(in crate::kafka) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::kafka) fn get(&self, index: usize) -> Option<Message<'_>> {
        // SAFETY: the message lives until `clear`, which needs `&mut self`.
        self.0.get(index).map(|message| Message(unsafe { &**message }))
    }

    pub(in crate::kafka) fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        // SAFETY: the messages live until `clear`, which needs `&mut self`.
        self.0.iter().map(|message| Message(unsafe { &**message }))
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One message, or an error of one partition.
#[derive(Clone, Copy)]
pub(in crate::kafka) struct Message<'a>(pub(super) &'a RDKafkaMessage);

impl<'a> Message<'a> {
    pub(in crate::kafka) fn payload(self) -> Option<&'a [u8]> {
        // SAFETY: the message owns its payload and lives for `'a`.
        unsafe { bytes(self.0.payload, self.0.len) }
    }

    pub(in crate::kafka) fn key(self) -> Option<&'a [u8]> {
        // SAFETY: the message owns its key and lives for `'a`.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    pub(in crate::kafka) fn partition(self) -> i32 {
        self.0.partition
    }

    pub(in crate::kafka) fn offset(self) -> i64 {
        self.0.offset
    }

    /// Milliseconds since 1970, where the message has a timestamp.
    pub(in crate::kafka) fn timestamp(self) -> Option<i64> {
        let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: both pointers are valid for the call.
        let time = unsafe { c::rd_kafka_message_timestamp(self.0, &mut kind) };
        (time >= 0).then_some(time)
    }

    /// The code and text of a partition's error that came instead of a message.
    pub(in crate::kafka) fn error(self) -> Option<(RDKafkaErrorCode, String)> {
        if self.0.err == NO_ERROR {
            return None;
        }
        // SAFETY: the message is alive; of an error it is the payload or a static string.
        let reason = unsafe { text(c::rd_kafka_message_errstr(self.0)) };
        Some((self.0.err.into(), reason))
    }

    /// Equal for messages of the same topic, as long as one of its partitions is assigned.
    pub(in crate::kafka) fn topic_handle(self) -> usize {
        self.0.rkt as usize
    }

    pub(in crate::kafka) fn topic(self) -> String {
        if self.0.rkt.is_null() {
            return String::new();
        }
        // SAFETY: a message keeps its topic alive.
        unsafe { text(c::rd_kafka_topic_name(self.0.rkt)) }
    }

    /// Calls `each` with name and value of every header in order.
    pub(in crate::kafka) fn headers(self, mut each: impl FnMut(&'a [u8], Option<&'a [u8]>)) {
        let mut headers = ptr::null_mut();
        let message = ptr::from_ref(self.0);
        // SAFETY: the parsed headers, their names and values belong to the message and live for `'a`.
        unsafe {
            if c::rd_kafka_message_headers(message, &mut headers) != NO_ERROR {
                return;
            }
            for index in 0..c::rd_kafka_header_cnt(headers) {
                let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
                let got =
                    c::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                if got == NO_ERROR && !name.is_null() {
                    each(CStr::from_ptr(name).to_bytes(), bytes(value, size));
                }
            }
        }
    }
}
