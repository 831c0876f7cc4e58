//! The librdkafka calls that rust-rdkafka does not offer: the only unsafe code of the project.
//!
//! Consuming in batches from a queue of our own costs a third less CPU a message than
//! `BaseConsumer::poll`, and keeps rows apart from the group's events. Producing runs of records of
//! one partition with `rd_kafka_produce_batch` costs half of a call for each record. Everything in
//! here is wrapped so that safe code cannot hold a message longer than its batch, nor a queue
//! longer than its client.
#![expect(unsafe_code, reason = "librdkafka is a C library; this module is the wall around it")]

mod consume;
mod pipe;
mod produce;
mod transaction;

pub(super) use consume::{DataQueue, Message, Messages};
pub(super) use pipe::{Delivered, Pipe};
pub(super) use produce::{Outbox, Producer, Single};
pub(super) use transaction::{Marked, Trouble, committed};

use std::ffi::{CStr, CString, c_char, c_void};

use rdkafka::bindings as c;
use rdkafka::client::Client;
use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaRespErr;

use super::context::{Consumer, Context};
use super::oauth::Token;

const NO_ERROR: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;

/// The bytes of a field of a C structure. A null pointer is a null field; bytes of length 0 are not.
///
/// # Safety
/// A pointer that is not null points to `length` bytes that live and do not change for `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(start.cast(), length) })
}

/// A copy of a C string; empty for a null pointer.
///
/// # Safety
/// A pointer that is not null points to a string that ends with a null byte.
unsafe fn text(start: *const c_char) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned()
}

/// Who a consumer is in its group: what fences a transaction's offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Membership {
    /// Generation of the group; -1 while the consumer is not a member.
    pub(super) generation: i32,
    /// The member's id; empty while the consumer is not a member.
    pub(super) member: String,
}

/// The consumer's membership at this moment; `None` without a group.
pub(super) fn membership(consumer: &Consumer) -> Option<Membership> {
    // SAFETY: the client is alive, the metadata is ours until it is destroyed once.
    unsafe {
        let metadata = c::rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return None;
        }
        let generation = c::rd_kafka_consumer_group_metadata_generation_id(metadata);
        let member = text(c::rd_kafka_consumer_group_metadata_member_id(metadata));
        c::rd_kafka_consumer_group_metadata_destroy(metadata);
        Some(Membership { generation, member })
    }
}

/// How far a consumer has come in a partition, and where the partition's log ended when the broker
/// last answered a fetch: what the client knows by itself, without asking a broker. -1 is not known.
pub(super) fn standing(consumer: &Consumer, topic: &str, partition: i32) -> (i64, i64) {
    let Ok(topic) = CString::new(topic) else {
        return (-1, -1);
    };
    let (mut low, mut high) = (-1, -1);
    // SAFETY: client and name are alive; the list is ours until it is destroyed once, and its
    // element lives as long as it.
    unsafe {
        let rk = consumer.client().native_ptr();
        c::rd_kafka_get_watermark_offsets(rk, topic.as_ptr(), partition, &mut low, &mut high);
        let list = c::rd_kafka_topic_partition_list_new(1);
        let element = c::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition);
        c::rd_kafka_position(rk, list);
        let position = (*element).offset;
        c::rd_kafka_topic_partition_list_destroy(list);
        (position.max(-1), high.max(-1))
    }
}

/// Hands a client the token of its OAUTHBEARER login, or the reason why there is none.
pub(super) fn set_token(client: &Client<Context>, token: &Result<Token, String>) {
    const REASON: usize = 512;
    let mut reason: [c_char; REASON] = [0; REASON];
    let strings = |a: &str, b: &str| CString::new(a).and_then(|a| Ok((a, CString::new(b)?)));
    // SAFETY: client and strings live through the calls, which copy them.
    unsafe {
        let rk = client.native_ptr();
        let refused = match token {
            Ok(token) => match strings(&token.value, &token.principal) {
                Ok((value, principal)) => {
                    c::rd_kafka_oauthbearer_set_token(
                        rk,
                        value.as_ptr(),
                        token.expires_ms,
                        principal.as_ptr(),
                        std::ptr::null_mut(),
                        0,
                        reason.as_mut_ptr(),
                        REASON,
                    ) != NO_ERROR
                }
                Err(_) => true,
            },
            Err(error) => {
                let bytes = error.bytes().filter(|b| *b != 0).take(REASON - 1);
                reason.iter_mut().zip(bytes).for_each(|(to, from)| *to = from.cast_signed());
                true
            }
        };
        if refused {
            c::rd_kafka_oauthbearer_set_token_failure(rk, reason.as_ptr());
        }
    }
}
