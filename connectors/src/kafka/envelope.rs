//! What a Kafka record has beside its payload and key, from the columns of a batch: partition,
//! timestamp and headers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Schema, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::{Error, Result};

use super::keys::{KeyPlan, as_bytes, byte_value};

/// Where a header's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = crate::variant_docs::describe_variants)]
pub enum HeaderValue {
    /// The same text for every record.
    Value(String),
    /// The text of a column; a null is a header without a value.
    Column(String),
}

/// Planned headers: name and value.
#[derive(Clone)]
pub(crate) enum HeaderPlan {
    Constant(String, String),
    Column(String, usize),
    /// All entries of a map column.
    All(usize),
}

/// Everything a record has beside its payload.
#[derive(Clone)]
pub(crate) struct EnvelopePlan {
    pub(crate) key: KeyPlan,
    pub(crate) partition: Option<usize>,
    pub(crate) timestamp: Option<usize>,
    pub(crate) headers: Vec<HeaderPlan>,
}

/// Finds a column.
///
/// # Errors
/// `Config` (`SW2130`) where there is none of this name.
pub(crate) fn column(schema: &Schema, name: &str, role: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        Error::config("SW2130", format!("take the {role} from the column `{name}`"))
            .with_hint(format!("the input has {}", names.join(", ")))
    })
}

pub(super) fn wrong_type(schema: &Schema, index: usize, role: &str, wanted: &str) -> Error {
    let field = schema.field(index);
    let found = swiftwater_engine::schema::name(field.data_type());
    Error::config(
        "SW2130",
        format!("take the {role} from the column `{}`, which is {found}", field.name()),
    )
    .with_hint(format!("it takes {wanted}; convert it in a `select` before"))
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    !data_type.is_nested() && *data_type != DataType::Null
}

impl EnvelopePlan {
    pub(crate) fn partition(name: Option<&String>, schema: &Schema) -> Result<Option<usize>> {
        let Some(name) = name else { return Ok(None) };
        let index = column(schema, name, "partition")?;
        if !schema.field(index).data_type().is_integer() {
            return Err(wrong_type(schema, index, "partition", "a whole number"));
        }
        Ok(Some(index))
    }

    pub(crate) fn timestamp(name: Option<&String>, schema: &Schema) -> Result<Option<usize>> {
        let Some(name) = name else { return Ok(None) };
        let index = column(schema, name, "timestamp")?;
        if !matches!(schema.field(index).data_type(), DataType::Timestamp(..)) {
            return Err(wrong_type(schema, index, "timestamp", "a timestamp"));
        }
        Ok(Some(index))
    }

    /// Plans a header of a name of its own.
    pub(crate) fn header(name: &str, value: &HeaderValue, schema: &Schema) -> Result<HeaderPlan> {
        match value {
            HeaderValue::Value(text) => Ok(HeaderPlan::Constant(name.to_owned(), text.clone())),
            HeaderValue::Column(from) => {
                let index = column(schema, from, "header")?;
                if !is_text(schema.field(index).data_type()) {
                    return Err(wrong_type(schema, index, "header", "one value"));
                }
                Ok(HeaderPlan::Column(name.to_owned(), index))
            }
        }
    }

    /// Plans the headers that a map column holds.
    pub(crate) fn all_headers(name: &str, schema: &Schema) -> Result<HeaderPlan> {
        let index = column(schema, name, "headers")?;
        if !matches!(schema.field(index).data_type(), DataType::Map(..)) {
            return Err(wrong_type(
                schema,
                index,
                "headers",
                "the `metadata: {headers: …}` of a source",
            ));
        }
        Ok(HeaderPlan::All(index))
    }

    /// Whether records have nothing but a payload.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.key, KeyPlan::None) && self.partition.is_none() && !self.is_rich()
    }

    /// Whether records have more than key, partition and payload.
    pub(super) fn is_rich(&self) -> bool {
        self.timestamp.is_some() || !self.headers.is_empty()
    }
}

/// Partition, timestamp and headers of the rows of a batch.
pub(super) struct Envelopes<'p> {
    partitions: Option<Int32Array>,
    timestamps: Option<ArrayRef>,
    headers: Vec<(&'p HeaderPlan, Option<ArrayRef>)>,
}

impl<'p> Envelopes<'p> {
    pub(super) fn of(plan: &'p EnvelopePlan, records: &RecordBatch) -> Result<Self> {
        let partitions = plan.partition.map(|i| {
            let column = records.column(i);
            // The cast makes null what fits no partition: that becomes one that no topic has.
            let numbers = cast(column, &DataType::Int32)?;
            let numbers = numbers.as_primitive::<Int32Type>();
            let asked = (0..numbers.len()).map(|row| {
                let lost = numbers.is_null(row) && column.is_valid(row);
                if lost { Some(-1) } else { numbers.is_valid(row).then(|| numbers.value(row)) }
            });
            Ok::<_, ArrowError>(asked.collect::<Int32Array>())
        });
        let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
        let timestamps = plan.timestamp.map(|i| cast(records.column(i), &millis));
        let headers = plan.headers.iter().map(|header| {
            let array = match header {
                HeaderPlan::Constant(..) => None,
                HeaderPlan::Column(_, index) => Some(as_bytes(records.column(*index))?),
                HeaderPlan::All(index) => Some(Arc::clone(records.column(*index))),
            };
            Ok::<_, ArrowError>((header, array))
        });
        Ok(Self {
            partitions: partitions.transpose()?,
            timestamps: timestamps.transpose()?,
            headers: headers.collect::<Result<_, _>>()?,
        })
    }

    /// The partition that the row asks for; `None` leaves it to the partitioner.
    pub(super) fn partition(&self, row: usize) -> Option<i32> {
        let numbers = self.partitions.as_ref()?;
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    /// Milliseconds since 1970.
    pub(super) fn timestamp(&self, row: usize) -> Option<i64> {
        let times = self.timestamps.as_ref()?.as_primitive_opt::<TimestampMillisecondType>()?;
        times.is_valid(row).then(|| times.value(row))
    }

    /// Adds the row's headers to `out`.
    pub(super) fn headers<'a>(&'a self, row: usize, out: &mut Vec<(&'a [u8], Option<&'a [u8]>)>) {
        for (plan, array) in &self.headers {
            match (plan, array) {
                (HeaderPlan::Constant(name, value), _) => {
                    out.push((name.as_bytes(), Some(value.as_bytes())));
                }
                (HeaderPlan::Column(name, _), Some(array)) => {
                    out.push((name.as_bytes(), byte_value(array, row)));
                }
                (HeaderPlan::All(_), Some(array)) => {
                    let Some(map) = array.as_map_opt().filter(|map| map.is_valid(row)) else {
                        continue;
                    };
                    let offsets = map.value_offsets();
                    let (Some(from), Some(to)) = (offsets.get(row), offsets.get(row + 1)) else {
                        continue;
                    };
                    for entry in
                        usize::try_from(*from).unwrap_or(0)..usize::try_from(*to).unwrap_or(0)
                    {
                        if let Some(name) = byte_value(map.keys(), entry) {
                            out.push((name, byte_value(map.values(), entry)));
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
