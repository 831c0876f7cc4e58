//! What the fields of a message are, for reading and writing alike.

use std::collections::HashMap;

use arrow::datatypes::{DataType, TimeUnit};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

/// A type of field that has one value on the wire.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    /// `int32`, `int64`: negative numbers take ten bytes.
    Signed {
        bits: u32,
    },
    /// `uint32`, `uint64`.
    Unsigned {
        bits: u32,
    },
    /// `sint32`, `sint64`.
    Zigzag {
        bits: u32,
    },
    /// `fixed32`, `fixed64`.
    Fixed {
        bits: u32,
    },
    /// `sfixed32`, `sfixed64`.
    SignedFixed {
        bits: u32,
    },
    Float,
    Double,
    Bool,
    String,
    Bytes,
    Enum(Symbols),
}

/// The names and numbers of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Symbols {
    pub(super) names: HashMap<i32, String>,
    pub(super) numbers: HashMap<String, i32>,
    /// The value of a field that is absent and has no presence.
    pub(super) default: i32,
}

/// A field's type.
#[derive(Debug, Clone)]
pub(super) enum Type {
    Plain(Plain),
    /// `google.protobuf.Timestamp`.
    Time,
    /// `google.protobuf.Int64Value` and its like: a value that may be absent.
    Wrapper(Plain),
    Message(MessageDescriptor),
}

fn symbols(descriptor: &EnumDescriptor) -> Symbols {
    // Of several names for one number the first is shown.
    let mut names = HashMap::new();
    for value in descriptor.values() {
        names.entry(value.number()).or_insert_with(|| value.name().to_owned());
    }
    let numbers = descriptor.values().map(|value| (value.name().to_owned(), value.number()));
    Symbols { names, numbers: numbers.collect(), default: descriptor.default_value().number() }
}

impl Type {
    /// The type of one value of a field.
    pub(super) fn of(field: &FieldDescriptor) -> Self {
        Self::of_kind(&field.kind())
    }

    fn of_kind(kind: &Kind) -> Self {
        Self::Plain(match kind {
            Kind::Int32 => Plain::Signed { bits: 32 },
            Kind::Int64 => Plain::Signed { bits: 64 },
            Kind::Uint32 => Plain::Unsigned { bits: 32 },
            Kind::Uint64 => Plain::Unsigned { bits: 64 },
            Kind::Sint32 => Plain::Zigzag { bits: 32 },
            Kind::Sint64 => Plain::Zigzag { bits: 64 },
            Kind::Fixed32 => Plain::Fixed { bits: 32 },
            Kind::Fixed64 => Plain::Fixed { bits: 64 },
            Kind::Sfixed32 => Plain::SignedFixed { bits: 32 },
            Kind::Sfixed64 => Plain::SignedFixed { bits: 64 },
            Kind::Float => Plain::Float,
            Kind::Double => Plain::Double,
            Kind::Bool => Plain::Bool,
            Kind::String => Plain::String,
            Kind::Bytes => Plain::Bytes,
            Kind::Enum(descriptor) => Plain::Enum(symbols(descriptor)),
            Kind::Message(message) => return Self::of_message(message),
        })
    }

    fn of_message(message: &MessageDescriptor) -> Self {
        match message.full_name() {
            "google.protobuf.Timestamp" => Self::Time,
            "google.protobuf.DoubleValue"
            | "google.protobuf.FloatValue"
            | "google.protobuf.Int64Value"
            | "google.protobuf.UInt64Value"
            | "google.protobuf.Int32Value"
            | "google.protobuf.UInt32Value"
            | "google.protobuf.BoolValue"
            | "google.protobuf.StringValue"
            | "google.protobuf.BytesValue" => {
                match message.get_field(1).map(|value| Self::of(&value)) {
                    Some(Self::Plain(plain)) => Self::Wrapper(plain),
                    _ => Self::Message(message.clone()),
                }
            }
            _ => Self::Message(message.clone()),
        }
    }
}

impl Plain {
    /// The column type that holds all values.
    pub(super) const fn data_type(&self) -> DataType {
        match self {
            Self::Signed { bits: 32 }
            | Self::Zigzag { bits: 32 }
            | Self::SignedFixed { bits: 32 } => DataType::Int32,
            Self::Signed { .. } | Self::Zigzag { .. } | Self::SignedFixed { .. } => DataType::Int64,
            Self::Unsigned { bits: 32 } | Self::Fixed { bits: 32 } => DataType::UInt32,
            Self::Unsigned { .. } | Self::Fixed { .. } => DataType::UInt64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::String | Self::Enum(_) => DataType::Utf8,
            Self::Bytes => DataType::Binary,
        }
    }

    /// Whether values can go into, or come from, a column of a type; a single value may still be
    /// out of range.
    pub(super) fn suits(&self, column: &DataType) -> bool {
        match self {
            Self::Float | Self::Double => {
                matches!(column, DataType::Float32 | DataType::Float64)
            }
            Self::Bool => *column == DataType::Boolean,
            Self::String => matches!(column, DataType::Utf8 | DataType::Utf8View),
            Self::Enum(_) => {
                matches!(column, DataType::Utf8 | DataType::Utf8View) || column.is_integer()
            }
            Self::Bytes => *column == DataType::Binary,
            _ => {
                column.is_integer() || matches!(column, DataType::Timestamp(..) | DataType::Date32)
            }
        }
    }

    /// In words, for messages.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Signed { bits: 32 } => "int32",
            Self::Signed { .. } => "int64",
            Self::Unsigned { bits: 32 } => "uint32",
            Self::Unsigned { .. } => "uint64",
            Self::Zigzag { bits: 32 } => "sint32",
            Self::Zigzag { .. } => "sint64",
            Self::Fixed { bits: 32 } => "fixed32",
            Self::Fixed { .. } => "fixed64",
            Self::SignedFixed { bits: 32 } => "sfixed32",
            Self::SignedFixed { .. } => "sfixed64",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Enum(_) => "an enum",
        }
    }
}

impl Type {
    /// In words, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Plain(plain) => plain.name().to_owned(),
            Self::Time => "a timestamp".to_owned(),
            Self::Wrapper(plain) => format!("a wrapped {}", plain.name()),
            Self::Message(message) => format!("message {}", message.full_name()),
        }
    }
}

/// The column type of a `google.protobuf.Timestamp`, which reaches further than nanoseconds do.
pub(super) const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
