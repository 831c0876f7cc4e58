//! The bytes that Feast (0.66, entity keys of version 3) keeps in Redis: keys, fields, times and
//! values as its Python SDK reads them.

mod value;

pub(super) use value::{FeastType, scalars, values};
pub(crate) use value::{holds_key, holds_value};

use value::{Scalar, varint};

/// Key of an entity: how many join keys there are, their names and then their values, both by name,
/// and the project. `keys` are sorted by name; `None` where a value is null.
pub(super) fn entity_key(
    keys: &[(&str, FeastType, Option<&Scalar>)],
    project: &str,
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    number(keys.len(), &mut out);
    for (name, _, _) in keys {
        number(FeastType::String.number(), &mut out);
        sized(name.as_bytes(), &mut out);
    }
    for (_, kind, value) in keys {
        number(kind.number(), &mut out);
        match (value.as_ref()?, kind) {
            (Scalar::Bytes(bytes), _) => sized(bytes, &mut out),
            (Scalar::Integer(value), FeastType::Int32) => {
                // The low half of a sign-extended number is the number in 32 bits.
                let bytes = value.to_le_bytes();
                sized(bytes.first_chunk::<4>().map_or(&[][..], |low| low), &mut out);
            }
            (Scalar::Integer(value), _) => sized(&value.to_le_bytes(), &mut out),
            _ => return None,
        }
    }
    out.extend_from_slice(project.as_bytes());
    Some(out)
}

fn number(value: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    number(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Field of a feature: the murmur3 of its full name.
pub(super) fn field(view: &str, feature: &str) -> Vec<u8> {
    murmur3(format!("{view}:{feature}").as_bytes()).to_le_bytes().to_vec()
}

/// Field of a view's event time.
pub(super) fn time_field(view: &str) -> Vec<u8> {
    format!("_ts:{view}").into_bytes()
}

/// A serialized `google.protobuf.Timestamp`; zeros are left out, as protocol buffers do.
pub(super) fn timestamp(seconds: i64, nanos: u32) -> Vec<u8> {
    let mut out = Vec::new();
    if seconds != 0 {
        out.push(0x08);
        varint(seconds.cast_unsigned(), &mut out);
    }
    if nanos != 0 {
        out.push(0x10);
        varint(nanos.into(), &mut out);
    }
    out
}

/// MurmurHash3 x86 32 with seed 0 (Austin Appleby, public domain).
fn murmur3(bytes: &[u8]) -> u32 {
    let mix = |k: u32| k.wrapping_mul(0xCC9E_2D51).rotate_left(15).wrapping_mul(0x1B87_3593);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let hash = blocks.iter().fold(0_u32, |hash, block| {
        let mixed = hash ^ mix(u32::from_le_bytes(*block));
        mixed.rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64)
    });
    let rest = tail.iter().rev().fold(0, |rest, byte| (rest << 8) | u32::from(*byte));
    let mut hash = hash ^ mix(rest);
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests;
