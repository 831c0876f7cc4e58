//! Records out: runs of one partition in one call, and single records with headers and a timestamp.

use std::ffi::{CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::bindings::{self as c, rd_kafka_vtype_t as v};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::{RDKafkaMessage, RDKafkaTopic};

use super::{NO_ERROR, Pipe, bytes, text};

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

/// A producer for one topic.
pub(in crate::kafka) struct Producer {
    topic: NonNull<RDKafkaTopic>,
    pipe: Arc<Pipe>,
}

// SAFETY: librdkafka's topics may be used from any thread.
unsafe impl Send for Producer {}

impl Producer {
    /// A producer of `topic` through `pipe`; `settings` are those of this topic alone, and count
    /// for the first producer of a topic.
    pub(in crate::kafka) fn new(
        pipe: Arc<Pipe>,
        topic: &str,
        settings: &[(&str, String)],
    ) -> KafkaResult<Self> {
        const REASON: usize = 512;
        let name = CString::new(topic)?;
        let rk = pipe.client().native_ptr();
        let mut reason: [c_char; REASON] = [0; REASON];
        // SAFETY: client and strings are alive; the configuration is ours until the topic takes it.
        let topic = unsafe {
            let conf = c::rd_kafka_default_topic_conf_dup(rk);
            for (name, value) in settings {
                let (key, text_of) = (CString::new(*name)?, CString::new(value.as_str())?);
                let (key, told) = (key.as_ptr(), reason.as_mut_ptr());
                let set = c::rd_kafka_topic_conf_set(conf, key, text_of.as_ptr(), told, REASON);
                if set != c::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                    c::rd_kafka_topic_conf_destroy(conf);
                    let (name, value) = ((*name).to_owned(), value.clone());
                    return Err(KafkaError::ClientConfig(set, text(told), name, value));
                }
            }
            NonNull::new(c::rd_kafka_topic_new(rk, name.as_ptr(), conf))
        };
        match topic {
            Some(topic) => Ok(Self { topic, pipe }),
            None => Err(KafkaError::ClientCreation("no topic handle".into())),
        }
    }

    pub(in crate::kafka) fn pipe(&self) -> &Pipe {
        &self.pipe
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
                self.pipe.client().native_ptr(),
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
}

impl Drop for Producer {
    fn drop(&mut self) {
        // SAFETY: the topic is destroyed once, before its client.
        unsafe { c::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}
