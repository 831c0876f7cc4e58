//! Which columns of Arrow become which types of PostgreSQL.

use arrow::datatypes::{DataType, TimeUnit};
use tokio_postgres::types::{Kind, Type};

/// How the values of a column are written, as PostgreSQL's binary formats have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    /// `boolean`.
    Boolean,
    /// `smallint`, within its range.
    Int2,
    /// `integer`, within its range.
    Int4,
    /// `bigint`, within its range.
    Int8,
    /// `real`.
    Float4,
    /// `double precision`.
    Float8,
    /// `numeric`, with this many digits after the point.
    Numeric(i8),
    /// Text of any kind, and labels of an enumeration.
    Text,
    /// `jsonb` from text that is JSON.
    JsonbText,
    /// `json` from a nested value.
    Json,
    /// `jsonb` from a nested value.
    Jsonb,
    /// `uuid` from text.
    Uuid,
    /// `bytea`.
    Bytes,
    /// `date`.
    Date,
    /// `timestamp` and `timestamptz`, in microseconds.
    Timestamp,
}

fn is_integer(data_type: &DataType) -> bool {
    data_type.is_integer()
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_bytes(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(data_type, Binary | LargeBinary | BinaryView | FixedSizeBinary(_))
}

impl Conversion {
    /// How `from` is written into a column of type `to`; `None` where it cannot be.
    pub(super) fn of(from: &DataType, to: &Type) -> Option<Self> {
        if let DataType::Dictionary(_, values) = from {
            return Self::of(values, to);
        }
        let is_enum = matches!(to.kind(), Kind::Enum(_));
        Some(match *to {
            Type::BOOL if *from == DataType::Boolean => Self::Boolean,
            Type::INT2 if is_integer(from) => Self::Int2,
            Type::INT4 if is_integer(from) => Self::Int4,
            Type::INT8 if is_integer(from) => Self::Int8,
            Type::FLOAT4 if from.is_floating() => Self::Float4,
            Type::FLOAT8 if from.is_floating() => Self::Float8,
            Type::NUMERIC if is_integer(from) => Self::Numeric(0),
            Type::NUMERIC => match from {
                DataType::Decimal32(_, scale)
                | DataType::Decimal64(_, scale)
                | DataType::Decimal128(_, scale)
                | DataType::Decimal256(_, scale) => Self::Numeric(*scale),
                _ => return None,
            },
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME if is_text(from) => Self::Text,
            Type::JSON if is_text(from) => Self::Text,
            Type::JSONB if is_text(from) => Self::JsonbText,
            Type::JSON if from.is_nested() => Self::Json,
            Type::JSONB if from.is_nested() => Self::Jsonb,
            Type::UUID if is_text(from) => Self::Uuid,
            Type::BYTEA if is_bytes(from) => Self::Bytes,
            Type::DATE if matches!(from, DataType::Date32 | DataType::Date64) => Self::Date,
            Type::TIMESTAMP | Type::TIMESTAMPTZ if matches!(from, DataType::Timestamp(..)) => {
                Self::Timestamp
            }
            _ if is_enum && is_text(from) => Self::Text,
            _ => return None,
        })
    }

    /// The Arrow type that the values are brought to before they are written.
    pub(super) fn wanted(self, from: &DataType) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int2 | Self::Int4 | Self::Int8 => DataType::Int64,
            Self::Float4 | Self::Float8 => DataType::Float64,
            Self::Numeric(scale) => DataType::Decimal128(38, scale),
            Self::Text | Self::JsonbText | Self::Uuid => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Json | Self::Jsonb => from.clone(),
        }
    }
}

/// The type of a column that is made for `from`; `None` where there is none.
pub(super) fn made_for(from: &DataType) -> Option<String> {
    Some(match from {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => "smallint".into(),
        DataType::UInt16 | DataType::Int32 => "integer".into(),
        DataType::UInt32 | DataType::Int64 => "bigint".into(),
        DataType::UInt64 => "numeric(20,0)".into(),
        DataType::Float16 | DataType::Float32 => "real".into(),
        DataType::Float64 => "double precision".into(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => format!("numeric({precision},{scale})"),
        DataType::Date32 | DataType::Date64 => "date".into(),
        DataType::Timestamp(..) => "timestamptz".into(),
        DataType::Dictionary(_, values) => return made_for(values),
        text if is_text(text) => "text".into(),
        bytes if is_bytes(bytes) => "bytea".into(),
        nested if nested.is_nested() => "jsonb".into(),
        _ => return None,
    })
}
