//! Bounds on what a stream may make the reader allocate, found by walking its messages before any
//! of them is decoded.

use arrow_ipc::{MessageHeader, RecordBatch, root_as_message};

use crate::codec::codes;
use crate::codec::rows::Bad;

/// Most rows in one payload: columns without bytes of their own must not make millions of rows out
/// of nothing.
const MAX_ROWS: i64 = 1 << 24;

/// Bounds on one payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes as received.
    pub(super) payload: usize,
    /// Bytes once decompressed.
    pub(super) decoded: u64,
}

fn malformed(message: impl Into<String>) -> Bad {
    let message = format!("malformed Arrow IPC stream: {}", message.into());
    Bad::new(codes::MALFORMED, message)
}

fn word(bytes: &[u8]) -> Result<(u32, &[u8]), Bad> {
    match bytes.split_first_chunk::<4>() {
        Some((word, rest)) => Ok((u32::from_le_bytes(*word), rest)),
        None => Err(malformed("it ends within a message's length")),
    }
}

fn split(bytes: &[u8], len: i64) -> Result<(&[u8], &[u8]), Bad> {
    usize::try_from(len)
        .ok()
        .and_then(|len| bytes.split_at_checked(len))
        .ok_or_else(|| malformed(format!("{len} bytes of {} are left", bytes.len())))
}

impl Limits {
    /// Checks the lengths that a payload states about itself.
    pub(super) fn check(self, payload: &[u8]) -> Result<(), Bad> {
        if payload.len() > self.payload {
            let (size, limit) = (payload.len(), self.payload);
            let message = format!("payload of {size} bytes is larger than `max_bytes`, {limit}");
            return Err(Bad::new(codes::TOO_LARGE, message));
        }
        let mut rest = payload;
        let (mut bytes, mut rows) = (0_u64, 0_i64);
        while !rest.is_empty() {
            let (mut size, mut after) = word(rest)?;
            if size == u32::MAX {
                (size, after) = word(after)?;
            }
            if size == 0 {
                break;
            }
            let (metadata, after) = split(after, i64::from(size))?;
            let message = root_as_message(metadata).map_err(|e| malformed(e.to_string()))?;
            let (body, after) = split(after, message.bodyLength())?;
            rest = after;
            let batch = match message.header_type() {
                MessageHeader::RecordBatch => message.header_as_record_batch(),
                MessageHeader::DictionaryBatch => {
                    message.header_as_dictionary_batch().and_then(|d| d.data())
                }
                _ => None,
            };
            if let Some(batch) = batch {
                bytes = bytes.saturating_add(decoded_bytes(&batch, body)?);
                rows = rows.saturating_add(batch.length());
                if !(0..=MAX_ROWS).contains(&rows) {
                    let message = format!("payload of {rows} rows is larger than {MAX_ROWS}");
                    return Err(Bad::new(codes::TOO_LARGE, message));
                }
            }
        }
        if bytes > self.decoded {
            let limit = self.decoded;
            let message = format!("{bytes} bytes of columns exceed `max_decoded_bytes`, {limit}");
            return Err(Bad::new(codes::TOO_LARGE, message));
        }
        Ok(())
    }
}

/// Bytes of a batch's buffers once decompressed; all of them lie within the body.
fn decoded_bytes(batch: &RecordBatch<'_>, body: &[u8]) -> Result<u64, Bad> {
    let compressed = batch.compression().is_some();
    let mut total = 0_u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let (_, from) = split(body, buffer.offset())?;
        let (data, _) = split(from, buffer.length())?;
        let stated = match data.split_first_chunk::<8>() {
            Some((prefix, _)) if compressed => match i64::from_le_bytes(*prefix) {
                // The buffer is stored as it is.
                -1 => data.len() as u64,
                stated => u64::try_from(stated).map_err(|_| malformed("a negative length"))?,
            },
            _ => data.len() as u64,
        };
        total = total.saturating_add(stated);
    }
    Ok(total)
}
