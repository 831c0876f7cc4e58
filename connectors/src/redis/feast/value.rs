//! Serialized `feast.types.Value`, the value of one feature.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit};
use swiftwater_engine::{Error, Result};

/// A type of Feast's; its number is that of `feast.types.ValueType` and of the field in `Value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redis) enum FeastType {
    Bytes,
    String,
    Int32,
    Int64,
    Double,
    Float,
    Bool,
    /// Seconds since 1970.
    UnixTimestamp,
}

/// One value before it is serialized.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::redis) enum Scalar {
    Bytes(Vec<u8>),
    Integer(i64),
    Double(f64),
    Float(f32),
}

impl FeastType {
    /// The type in which values of a column are kept; `None` where Feast has none.
    pub(in crate::redis) fn of(column: &DataType) -> Option<Self> {
        Some(match column {
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Bytes,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::String,
            DataType::Int8 | DataType::Int16 | DataType::Int32 => Self::Int32,
            DataType::UInt8 | DataType::UInt16 => Self::Int32,
            DataType::Int64 | DataType::UInt32 => Self::Int64,
            DataType::Float64 => Self::Double,
            DataType::Float16 | DataType::Float32 => Self::Float,
            DataType::Boolean => Self::Bool,
            DataType::Timestamp(..) | DataType::Date32 => Self::UnixTimestamp,
            DataType::Dictionary(_, values) => Self::of(values)?,
            _ => return None,
        })
    }

    /// The same for the elements of a list.
    pub(in crate::redis) fn of_elements(column: &DataType) -> Option<Self> {
        match column {
            DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) => {
                Self::of(of.data_type())
            }
            _ => None,
        }
    }

    pub(in crate::redis) const fn number(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::String => 2,
            Self::Int32 => 3,
            Self::Int64 => 4,
            Self::Double => 5,
            Self::Float => 6,
            Self::Bool => 7,
            Self::UnixTimestamp => 8,
        }
    }

    /// The wire type of a single value.
    const fn wire(self) -> usize {
        match self {
            Self::Bytes | Self::String => 2,
            Self::Double => 1,
            Self::Float => 5,
            Self::Int32 | Self::Int64 | Self::Bool | Self::UnixTimestamp => 0,
        }
    }
}

/// Whether Feast's keys hold values of a column's type.
pub(crate) fn holds_key(column: &DataType) -> bool {
    let kind = FeastType::of(column);
    matches!(
        kind,
        Some(
            FeastType::Bytes
                | FeastType::String
                | FeastType::Int32
                | FeastType::Int64
                | FeastType::UnixTimestamp
        )
    )
}

/// Whether Feast's features hold values of a column's type.
pub(crate) fn holds_value(column: &DataType) -> bool {
    FeastType::of(column).or_else(|| FeastType::of_elements(column)).is_some()
}

/// A number as a varint; negative ones are given as the two's complement in 64 bits.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes().first().map_or(0, |low| low | 0x80));
        value >>= 7;
    }
    out.extend(value.to_le_bytes().first());
}

fn length(bytes: usize, out: &mut Vec<u8>) {
    varint(bytes as u64, out);
}

fn tag(field: usize, wire: usize, out: &mut Vec<u8>) {
    length((field << 3) | wire, out);
}

fn payload(value: &Scalar, out: &mut Vec<u8>) {
    match value {
        Scalar::Bytes(bytes) => {
            length(bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        Scalar::Integer(value) => varint(value.cast_unsigned(), out),
        Scalar::Double(value) => out.extend_from_slice(&value.to_le_bytes()),
        Scalar::Float(value) => out.extend_from_slice(&value.to_le_bytes()),
    }
}

/// Rounds down to whole seconds, also before 1970.
fn seconds(array: &ArrayRef) -> Result<Vec<Option<Scalar>>> {
    let each = |per: i64, times: i64| -> Result<Vec<Option<Scalar>>> {
        let raw = cast(array, &DataType::Int64)?;
        let raw = raw.as_primitive::<Int64Type>();
        let whole = |raw: i64| Scalar::Integer(raw.div_euclid(per).saturating_mul(times));
        Ok(raw.iter().map(|value| value.map(whole)).collect())
    };
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => each(1, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) => each(1_000, 1),
        DataType::Timestamp(TimeUnit::Microsecond, _) => each(1_000_000, 1),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => each(1_000_000_000, 1),
        // Days.
        _ => {
            let days = cast(array, &DataType::Int32)?;
            let days = days.as_primitive::<Int32Type>();
            let whole = |day: i32| Scalar::Integer(i64::from(day) * 86_400);
            Ok(days.iter().map(|value| value.map(whole)).collect())
        }
    }
}

/// Values of a column of the type `kind`; `None` for null.
///
/// # Errors
/// `Bug` for a column of another type.
pub(in crate::redis) fn scalars(array: &ArrayRef, kind: FeastType) -> Result<Vec<Option<Scalar>>> {
    if let DataType::Dictionary(_, values) = array.data_type() {
        return scalars(&cast(array, values)?, kind);
    }
    Ok(match kind {
        FeastType::UnixTimestamp => return seconds(array),
        FeastType::Bytes => {
            let array = cast(array, &DataType::Binary)?;
            let bytes = array.as_binary::<i32>().iter();
            bytes.map(|value| value.map(|v| Scalar::Bytes(v.to_vec()))).collect()
        }
        FeastType::String => {
            let array = cast(array, &DataType::Utf8)?;
            let text = array.as_string::<i32>().iter();
            text.map(|value| value.map(|v| Scalar::Bytes(v.as_bytes().to_vec()))).collect()
        }
        FeastType::Int32 | FeastType::Int64 | FeastType::Bool => {
            let array = cast(array, &DataType::Int64)?;
            array.as_primitive::<Int64Type>().iter().map(|v| v.map(Scalar::Integer)).collect()
        }
        FeastType::Double => {
            let array = cast(array, &DataType::Float64)?;
            array.as_primitive::<Float64Type>().iter().map(|v| v.map(Scalar::Double)).collect()
        }
        FeastType::Float => {
            let array = cast(array, &DataType::Float32)?;
            array.as_primitive::<Float32Type>().iter().map(|v| v.map(Scalar::Float)).collect()
        }
    })
}

/// Serialized values of a column. A null is a `Value` with nothing in it, which has no bytes.
///
/// # Errors
/// `Data` (`SW2216`) for a null inside a list, which Feast cannot hold.
pub(in crate::redis) fn values(name: &str, array: &ArrayRef) -> Result<Vec<Vec<u8>>> {
    if let Some(kind) = FeastType::of(array.data_type()) {
        let one = |value: Option<Scalar>| {
            let mut out = Vec::new();
            if let Some(value) = value {
                tag(kind.number(), kind.wire(), &mut out);
                payload(&value, &mut out);
            }
            out
        };
        return Ok(scalars(array, kind)?.into_iter().map(one).collect());
    }
    let Some(kind) = FeastType::of_elements(array.data_type()) else {
        return Err(Error::bug(format!("give Feast a column `{name}` of a type it has not")));
    };
    let (DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _)) =
        array.data_type()
    else {
        return Err(Error::bug("take elements of what is no list"));
    };
    let lists = cast(array, &DataType::List(std::sync::Arc::clone(of)))?;
    let row = |elements: Option<ArrayRef>| match elements {
        None => Ok(Vec::new()),
        Some(elements) => list(name, kind, scalars(&elements, kind)?),
    };
    lists.as_list::<i32>().iter().map(row).collect()
}

/// A message of its own inside the value: numbers are packed, texts follow each other.
fn list(name: &str, kind: FeastType, elements: Vec<Option<Scalar>>) -> Result<Vec<u8>> {
    let (mut body, mut packed) = (Vec::new(), Vec::new());
    for element in elements {
        let element = element.ok_or_else(|| {
            Error::data("SW2216", format!("write `{name}`: a list with a null in it")).with_hint(
                "Feast's lists hold no nulls: fill them, or set such rows aside with `on_error`",
            )
        })?;
        if kind.wire() == 2 {
            tag(1, 2, &mut body);
            payload(&element, &mut body);
        } else {
            payload(&element, &mut packed);
        }
    }
    if !packed.is_empty() {
        tag(1, 2, &mut body);
        length(packed.len(), &mut body);
        body.append(&mut packed);
    }
    let mut out = Vec::new();
    tag(10 + kind.number(), 2, &mut out);
    length(body.len(), &mut out);
    out.append(&mut body);
    Ok(out)
}
