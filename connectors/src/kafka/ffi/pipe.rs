//! A producing client with the queue on which its events come back; topics are written through it.

use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::ClientContext as _;
use rdkafka::bindings as c;
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::{RDKafkaEvent, RDKafkaMessage, RDKafkaQueue, RDKafkaType};

use super::super::context::Context;
use super::{Message, NO_ERROR, set_token, text};

/// What became of a record.
pub(in crate::kafka) struct Delivered<'a> {
    pub(in crate::kafka) opaque: usize,
    /// Why it was not written; `None` once it is durable.
    pub(in crate::kafka) error: Option<RDKafkaErrorCode>,
    /// The record as it was taken.
    pub(in crate::kafka) record: Message<'a>,
}

/// A producing client.
pub(in crate::kafka) struct Pipe {
    events: NonNull<RDKafkaQueue>,
    client: Client<Context>,
}

// SAFETY: librdkafka's clients and queues may be used from any thread.
unsafe impl Send for Pipe {}
// SAFETY: as above.
unsafe impl Sync for Pipe {}

impl Pipe {
    pub(in crate::kafka) fn new(config: &ClientConfig, context: Context) -> KafkaResult<Self> {
        let events = c::RD_KAFKA_EVENT_DR
            | c::RD_KAFKA_EVENT_STATS
            | c::RD_KAFKA_EVENT_ERROR
            | c::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH;
        let native = config.create_native_config()?;
        // SAFETY: the configuration is alive until the client takes it.
        unsafe { c::rd_kafka_conf_set_events(native.ptr(), events) };
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)?;
        // SAFETY: the client outlives the queue, see `Drop`.
        let events = unsafe { c::rd_kafka_queue_get_main(client.native_ptr()) };
        match NonNull::new(events) {
            Some(events) => Ok(Self { events, client }),
            None => Err(KafkaError::ClientCreation("no queue of events".into())),
        }
    }

    pub(in crate::kafka) const fn client(&self) -> &Client<Context> {
        &self.client
    }

    /// Ends the wait of whoever serves events.
    pub(in crate::kafka) fn wake(&self) {
        // SAFETY: the queue is alive.
        unsafe { c::rd_kafka_queue_yield(self.events.as_ptr()) };
    }

    /// Serves one event, waiting at most `wait` for it; returns whether there was one. Deliveries go
    /// to `each`, everything else to the context.
    pub(in crate::kafka) fn serve(&self, wait: Duration, each: impl FnMut(Delivered<'_>)) -> bool {
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is ours until it is destroyed once.
        unsafe {
            let event = c::rd_kafka_queue_poll(self.events.as_ptr(), wait);
            if event.is_null() {
                return false;
            }
            if c::rd_kafka_event_type(event) == c::RD_KAFKA_EVENT_DR {
                deliveries(event, each);
            } else {
                tell(event, &self.client);
            }
            c::rd_kafka_event_destroy(event);
        }
        true
    }

    /// Records that are not delivered, and events that were not served.
    pub(in crate::kafka) fn outstanding(&self) -> usize {
        // SAFETY: the client is alive.
        let count = unsafe { c::rd_kafka_outq_len(self.client.native_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }
}

impl Drop for Pipe {
    /// Forgets what was not delivered: whoever wants it delivered has waited for it before.
    fn drop(&mut self) {
        // SAFETY: the queue is destroyed once, before the client, which is the last field.
        unsafe {
            let rk = self.client.native_ptr();
            c::rd_kafka_purge(rk, c::RD_KAFKA_PURGE_F_QUEUE | c::RD_KAFKA_PURGE_F_INFLIGHT);
            while self.serve(Duration::ZERO, |_| {}) {}
            c::rd_kafka_queue_destroy(self.events.as_ptr());
        }
    }
}

/// # Safety
/// `event` is a delivery report that is alive.
unsafe fn deliveries(event: *mut RDKafkaEvent, mut each: impl FnMut(Delivered<'_>)) {
    let mut messages = [ptr::null::<RDKafkaMessage>(); 256];
    loop {
        // SAFETY: the call writes at most as many pointers as there is room for, to messages that
        // live as long as the event.
        unsafe {
            let room = messages.len();
            let count = c::rd_kafka_event_message_array(event, messages.as_mut_ptr(), room);
            if count == 0 {
                return;
            }
            for message in messages.iter().take(count) {
                let message = &**message;
                each(Delivered {
                    opaque: message._private as usize,
                    error: (message.err != NO_ERROR).then(|| message.err.into()),
                    record: Message(message),
                });
            }
        }
    }
}

/// Passes logs, errors, statistics and requests for a token on to the context.
///
/// # Safety
/// `event` is alive.
unsafe fn tell(event: *mut RDKafkaEvent, client: &Client<Context>) {
    let context = client.context();
    // SAFETY: the strings belong to the event and end with a null byte.
    unsafe {
        match c::rd_kafka_event_type(event) {
            c::RD_KAFKA_EVENT_LOG => {
                let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                if c::rd_kafka_event_log(event, &mut facility, &mut line, &mut level) == 0 {
                    let level =
                        if level <= 4 { RDKafkaLogLevel::Warning } else { RDKafkaLogLevel::Debug };
                    context.log(level, &text(facility), &text(line));
                }
            }
            c::RD_KAFKA_EVENT_ERROR => {
                let error = KafkaError::Global(c::rd_kafka_event_error(event).into());
                context.error(error, &text(c::rd_kafka_event_error_string(event)));
            }
            c::RD_KAFKA_EVENT_STATS => {
                context.stats_raw(text(c::rd_kafka_event_stats(event)).as_bytes());
            }
            c::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH => set_token(client, &context.token()),
            _ => {}
        }
    }
}
