//! Partial aggregates without a fixed size as bytes of a snapshot.

use super::categories::{Categories, Share};
use super::heavy::{Heavy, Value};
use super::partial::{Floats, Integers};
use super::wire::{Reader, Writer};
use crate::sketch::{DdSketch, Hll};

impl Heavy {
    /// Adds it to a snapshot.
    pub(super) fn write(&self, to: &mut Writer) {
        match self {
            Self::Items(items) => {
                to.word(items.len() as u64);
                items.iter().for_each(|value| write_value(to, value));
            }
            Self::At(held) => {
                to.word(u64::from(held.is_some()));
                if let Some((rank, value)) = held {
                    to.word(rank.cast_unsigned());
                    to.word(u64::from(value.is_some()));
                    value.iter().for_each(|value| write_value(to, value));
                }
            }
            Self::Counts(counts) => {
                to.word(counts.len() as u64);
                for (value, times) in counts {
                    write_value(to, value);
                    to.word(*times);
                }
            }
            Self::Distinct(hll) => match hll.parts() {
                Ok(coupons) => {
                    to.word(coupons.len() as u64);
                    coupons.iter().for_each(|coupon| to.0.extend(coupon.to_le_bytes()));
                }
                Err(registers) => {
                    to.word(u64::MAX);
                    to.bytes(registers);
                }
            },
            Self::Quantiles(sketch) => {
                to.word(sketch.counts.len() as u64);
                for (bucket, count) in &sketch.counts {
                    to.word(bucket.cast_unsigned());
                    to.word(*count);
                }
            }
            Self::Histogram(counts) => counts.iter().for_each(|count| to.word(*count)),
            Self::Categories(all) => {
                to.word(all.named.len() as u64);
                for (name, share) in &all.named {
                    to.bytes(name.as_bytes());
                    write_share(to, share);
                }
                to.word(u64::from(all.other.is_some()));
                all.other.iter().for_each(|share| write_share(to, share));
            }
        }
    }

    /// Reads it back into one of the same kind without rows. `None` where the bytes are others.
    pub(super) fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        match self {
            Self::Items(items) => {
                *items = (0..from.count()?).map(|_| read_value(from)).collect::<Option<_>>()?;
            }
            Self::At(held) => {
                if from.word()? == 1 {
                    let rank = from.word()?.cast_signed();
                    let value = if from.word()? == 1 { Some(read_value(from)?) } else { None };
                    *held = Some((rank, value));
                }
            }
            Self::Counts(counts) => {
                for _ in 0..from.count()? {
                    counts.insert(read_value(from)?, from.word()?);
                }
            }
            Self::Distinct(hll) => *hll = read_hll(from)?,
            Self::Quantiles(DdSketch { counts }) => {
                let length = from.count()?;
                let one = |_| Some((from.word()?.cast_signed(), from.word()?));
                *counts = (0..length).map(one).collect::<Option<_>>()?;
            }
            Self::Histogram(counts) => {
                for count in counts {
                    *count = from.word()?;
                }
            }
            Self::Categories(all) => *all = read_categories(from)?,
        }
        Some(())
    }
}

fn read_hll(from: &mut Reader<'_>) -> Option<Hll> {
    let count = from.word()?;
    if count == u64::MAX {
        return Hll::from_registers(from.bytes()?);
    }
    let length = usize::try_from(count).ok()?.checked_mul(4)?;
    let (coupons, rest) = from.0.split_at_checked(length)?;
    from.0 = rest;
    let coupons = coupons.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
    Some(Hll::Few(coupons.collect()))
}

fn read_categories(from: &mut Reader<'_>) -> Option<Categories> {
    let mut all = Categories::default();
    for _ in 0..from.count()? {
        all.named.push((from.text()?, read_share(from)?));
    }
    if from.word()? == 1 {
        all.other = Some(read_share(from)?);
    }
    Some(all)
}

fn write_value(to: &mut Writer, value: &Value) {
    match value {
        Value::Rank(rank) => {
            to.word(0);
            to.word(rank.cast_unsigned());
        }
        Value::Text(text) => {
            to.word(1);
            to.bytes(text.as_bytes());
        }
    }
}

fn read_value(from: &mut Reader<'_>) -> Option<Value> {
    match from.word()? {
        0 => Some(Value::Rank(from.word()?.cast_signed())),
        _ => from.text().map(Value::Text),
    }
}

fn write_share(to: &mut Writer, share: &Share) {
    share.integers.words().into_iter().for_each(|word| to.word(word));
    share.floats.words().into_iter().for_each(|word| to.word(word));
}

fn read_share(from: &mut Reader<'_>) -> Option<Share> {
    let integers = Integers::from_words([from.word()?, from.word()?, from.word()?]);
    let floats = Floats::from_words([from.word()?, from.word()?, from.word()?]);
    Some(Share { integers, floats })
}
