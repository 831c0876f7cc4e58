//! Records out: runs of one partition in one call, single records with headers and a timestamp, and
//! the events that come back.

use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::ClientContext as _;
use rdkafka::bindings::{self as c, rd_kafka_vtype_t as v};
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::{RDKafkaEvent, RDKafkaMessage, RDKafkaQueue, RDKafkaTopic, RDKafkaType};

use super::super::context::Context;
use super::{Message, NO_ERROR, bytes, set_token, text};

/// Lets librdkafka's partitioner choose.
const UNASSIGNED: i32 = -1;

fn raw(field: Option<&[u8]>) -> (*mut c_void, usize) {
    field.map_or((ptr::null_mut(), 0), |b| (b.as_ptr().cast_mut().cast(), b.len()))
}

/// Records of one partition on their way to the producer, which copies their bytes.
pub(in crate::kafka) struct Outbox<'a> {
    messages: Vec<RDKafkaMessage>,
    bytes: PhantomData<&'a [u8]>,
}

// SAFETY: it points to slices that are shared for `'a`, and slices of bytes may go to any thread.
unsafe impl Send for Outbox<'_> {}

impl<'a> Outbox<'a> {
    pub(in crate::kafka) const fn new() -> Self {
        Self { messages: Vec::new(), bytes: PhantomData }
    }

    /// Adds a record; `opaque` comes back with its delivery.
    pub(in crate::kafka) fn push(
        &mut self,
        payload: Option<&'a [u8]>,
        key: Option<&'a [u8]>,
        opaque: usize,
    ) {
        let ((payload, len), (key, key_len)) = (raw(payload), raw(key));
        self.messages.push(RDKafkaMessage {
            err: NO_ERROR,
            rkt: ptr::null_mut(),
            partition: UNASSIGNED,
            payload,
            len,
            key,
            key_len,
            offset: 0,
            _private: opaque as *mut c_void,
        });
    }

    pub(in crate::kafka) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The memory of an outbox whose records were all taken, for records of another life.
    pub(in crate::kafka) fn recycle<'b>(mut self) -> Outbox<'b> {
        self.messages.clear();
        Outbox { messages: self.messages, bytes: PhantomData }
    }
}

/// A record that the producer will never take.
#[derive(Debug)]
pub(in crate::kafka) struct Refused<'a> {
    pub(in crate::kafka) code: RDKafkaErrorCode,
    pub(in crate::kafka) payload: Option<&'a [u8]>,
    pub(in crate::kafka) key: Option<&'a [u8]>,
}

/// A record with everything that a record can have.
#[derive(Debug, Clone, Copy)]
pub(in crate::kafka) struct Single<'a> {
    pub(in crate::kafka) partition: Option<i32>,
    pub(in crate::kafka) payload: Option<&'a [u8]>,
    pub(in crate::kafka) key: Option<&'a [u8]>,
    /// Milliseconds since 1970; `None` is now.
    pub(in crate::kafka) timestamp: Option<i64>,
    pub(in crate::kafka) headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// What became of a record.
pub(in crate::kafka) struct Delivered<'a> {
    pub(in crate::kafka) opaque: usize,
    /// Why it was not written; `None` once it is durable.
    pub(in crate::kafka) error: Option<RDKafkaErrorCode>,
    /// The record as it was taken.
    pub(in crate::kafka) record: Message<'a>,
}

/// A producer for one topic.
pub(in crate::kafka) struct Producer {
    topic: NonNull<RDKafkaTopic>,
    events: NonNull<RDKafkaQueue>,
    client: Client<Context>,
}

// SAFETY: librdkafka's clients, topics and queues may be used from any thread.
unsafe impl Send for Producer {}

impl Producer {
    pub(in crate::kafka) fn new(
        config: &ClientConfig,
        context: Context,
        topic: &str,
    ) -> KafkaResult<Self> {
        let events = c::RD_KAFKA_EVENT_DR
            | c::RD_KAFKA_EVENT_STATS
            | c::RD_KAFKA_EVENT_ERROR
            | c::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH;
        let native = config.create_native_config()?;
        // SAFETY: the configuration is alive until the client takes it.
        unsafe { c::rd_kafka_conf_set_events(native.ptr(), events) };
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)?;
        let name = CString::new(topic)?;
        // SAFETY: the client outlives topic and queue, see `Drop`.
        let (topic, events) = unsafe {
            let rk = client.native_ptr();
            let topic = c::rd_kafka_topic_new(rk, name.as_ptr(), ptr::null_mut());
            (NonNull::new(topic), NonNull::new(c::rd_kafka_queue_get_main(rk)))
        };
        match (topic, events) {
            (Some(topic), Some(events)) => Ok(Self { topic, events, client }),
            _ => Err(KafkaError::ClientCreation("no topic handle".into())),
        }
    }

    pub(in crate::kafka) const fn client(&self) -> &Client<Context> {
        &self.client
    }

    /// Hands over records of one partition; `None` lets the partitioner choose for each. What finds
    /// no room stays in `outbox`; what will never be taken goes to `refused`.
    pub(in crate::kafka) fn produce<'a>(
        &self,
        partition: Option<i32>,
        outbox: &mut Outbox<'a>,
        mut refused: impl FnMut(Refused<'a>),
    ) {
        let count = i32::try_from(outbox.messages.len()).unwrap_or(i32::MAX);
        // SAFETY: topic and messages are alive, and the bytes they point to live for `'a`; with
        // F_COPY librdkafka copies them before it returns.
        let taken = unsafe {
            c::rd_kafka_produce_batch(
                self.topic.as_ptr(),
                partition.unwrap_or(UNASSIGNED),
                c::RD_KAFKA_MSG_F_COPY,
                outbox.messages.as_mut_ptr(),
                count,
            )
        };
        if taken == count {
            outbox.messages.clear();
            return;
        }
        outbox.messages.retain(|message| match RDKafkaErrorCode::from(message.err) {
            RDKafkaErrorCode::NoError => false,
            RDKafkaErrorCode::QueueFull => true,
            code => {
                // SAFETY: the pointers came from slices that live for `'a`.
                let (payload, key) = unsafe {
                    (bytes(message.payload, message.len), bytes(message.key, message.key_len))
                };
                refused(Refused { code, payload, key });
                false
            }
        });
    }

    /// Hands over one record with headers and timestamp.
    pub(in crate::kafka) fn produce_single(
        &self,
        record: &Single<'_>,
        opaque: usize,
    ) -> Result<(), RDKafkaErrorCode> {
        let ((payload, len), (key, key_len)) = (raw(record.payload), raw(record.key));
        // SAFETY: the arguments are what each tag asks for; bytes are copied before the call
        // returns; the headers become librdkafka's when it takes the record and stay ours otherwise.
        unsafe {
            let headers = c::rd_kafka_headers_new(record.headers.len());
            for (name, value) in record.headers {
                let (value, size) = raw(*value);
                let (name, name_size) = (name.as_ptr().cast(), name.len().cast_signed());
                c::rd_kafka_header_add(headers, name, name_size, value, size.cast_signed());
            }
            let code = c::rd_kafka_producev(
                self.client.native_ptr(),
                v::RD_KAFKA_VTYPE_RKT,
                self.topic.as_ptr(),
                v::RD_KAFKA_VTYPE_PARTITION,
                record.partition.unwrap_or(UNASSIGNED),
                v::RD_KAFKA_VTYPE_MSGFLAGS,
                c::RD_KAFKA_MSG_F_COPY,
                v::RD_KAFKA_VTYPE_VALUE,
                payload,
                len,
                v::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                v::RD_KAFKA_VTYPE_OPAQUE,
                opaque as *mut c_void,
                v::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp.unwrap_or(0),
                v::RD_KAFKA_VTYPE_HEADERS,
                headers,
                v::RD_KAFKA_VTYPE_END,
            );
            if code == NO_ERROR {
                return Ok(());
            }
            c::rd_kafka_headers_destroy(headers);
            Err(code.into())
        }
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

impl Drop for Producer {
    /// Forgets what was not delivered: whoever wants it delivered has waited for it before.
    fn drop(&mut self) {
        // SAFETY: topic and queue are destroyed once, before the client, which is the last field.
        unsafe {
            let rk = self.client.native_ptr();
            c::rd_kafka_purge(rk, c::RD_KAFKA_PURGE_F_QUEUE | c::RD_KAFKA_PURGE_F_INFLIGHT);
            while self.serve(Duration::ZERO, |_| {}) {}
            c::rd_kafka_topic_destroy(self.topic.as_ptr());
            c::rd_kafka_queue_destroy(self.events.as_ptr());
        }
    }
}
