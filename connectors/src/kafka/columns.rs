//! Columns made of what a Kafka record has beside its payload.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Array, Int64Array, MapBuilder, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::{Error, Result};

use super::rows::Picked;

/// Columns made of what a record has beside its payload: each names the column to add.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetadataColumns {
    /// Column for the record's key.
    pub key: Option<String>,
    /// Column for the name of its topic.
    pub topic: Option<String>,
    /// Column for the number of its partition (`int32`).
    pub partition: Option<String>,
    /// Column for its offset (`int64`).
    pub offset: Option<String>,
    /// Column for its timestamp (`timestamp_ms`): the producer's or the broker's, as the topic says.
    pub timestamp: Option<String>,
    /// Column for its headers, a map from name to value.
    pub headers: Option<String>,
    /// Whether keys and values of headers are text (`utf8`, the default) or `binary`. Of `utf8` a
    /// record with other bytes is a bad record.
    pub bytes_as: BytesAs,
}

/// How bytes become a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BytesAs {
    /// Text.
    #[default]
    Utf8,
    /// Bytes.
    Binary,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Key,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
}

impl BytesAs {
    const fn data_type(self) -> DataType {
        match self {
            Self::Utf8 => DataType::Utf8,
            Self::Binary => DataType::Binary,
        }
    }
}

/// The columns to add, in order.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    contents: Vec<Content>,
    bytes_as: BytesAs,
}

fn map_type(values: DataType) -> DataType {
    let fields =
        vec![Field::new("keys", DataType::Utf8, false), Field::new("values", values, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields.into()), false)), false)
}

impl MetadataColumns {
    /// The columns, and the schema of rows that have `payload`'s columns and these.
    ///
    /// # Errors
    /// `Config` (`SW2104`) where a name is taken.
    pub(crate) fn plan(&self, payload: &Schema) -> Result<(Columns, SchemaRef)> {
        let time = DataType::Timestamp(TimeUnit::Millisecond, None);
        let bytes = self.bytes_as.data_type();
        let all = [
            (&self.key, Content::Key, bytes.clone(), true),
            (&self.topic, Content::Topic, DataType::Utf8, false),
            (&self.partition, Content::Partition, DataType::Int32, false),
            (&self.offset, Content::Offset, DataType::Int64, false),
            (&self.timestamp, Content::Timestamp, time, true),
            (&self.headers, Content::Headers, map_type(bytes), false),
        ];
        let mut fields: Vec<Field> = payload.fields().iter().map(|f| f.as_ref().clone()).collect();
        let mut contents = Vec::new();
        for (name, content, data_type, nullable) in all {
            let Some(name) = name else { continue };
            if fields.iter().any(|f| f.name() == name) {
                return Err(Error::config(
                    "SW2104",
                    format!("add the metadata column `{name}` twice"),
                )
                .with_hint("give it a name that no column of `schema` has"));
            }
            fields.push(Field::new(name, data_type, nullable));
            contents.push(content);
        }
        Ok((Columns { contents, bytes_as: self.bytes_as }, Arc::new(Schema::new(fields))))
    }
}

impl Columns {
    /// Why a record's key or headers cannot become a column; `None` where they can.
    pub(super) fn refusal(&self, record: &Picked<'_>) -> Option<String> {
        if self.bytes_as == BytesAs::Binary {
            return None;
        }
        let not_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_err();
        if self.contents.contains(&Content::Key) && record.message.key().is_some_and(not_text) {
            return Some("read a key that is not UTF-8".into());
        }
        let mut refusal = None;
        if self.contents.contains(&Content::Headers) {
            record.message.headers(|name, value| {
                if not_text(name) || value.is_some_and(not_text) {
                    let name = String::from_utf8_lossy(name);
                    refusal.get_or_insert(format!("read the header `{name}`, which is not UTF-8"));
                }
            });
        }
        refusal
    }

    /// The arrays for these records, one row each.
    pub(super) fn build<'a>(
        &self,
        records: impl Iterator<Item = &'a Picked<'a>> + Clone,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        let build = |content: &Content| -> Result<ArrayRef, ArrowError> {
            let records = records.clone();
            Ok(match content {
                Content::Key => self.keys(records),
                Content::Topic => {
                    let mut topics = StringBuilder::new();
                    records.for_each(|r| topics.append_value(&r.partition.topic));
                    Arc::new(topics.finish())
                }
                Content::Partition => {
                    Arc::new(records.map(|r| r.partition.number).collect::<Int32Array>())
                }
                Content::Offset => {
                    Arc::new(records.map(|r| r.message.offset()).collect::<Int64Array>())
                }
                Content::Timestamp => {
                    let times = records.map(|r| r.message.timestamp());
                    Arc::new(times.collect::<TimestampMillisecondArray>())
                }
                Content::Headers => self.headers(records)?,
            })
        };
        self.contents.iter().map(build).collect()
    }

    fn keys<'a>(&self, records: impl Iterator<Item = &'a Picked<'a>>) -> ArrayRef {
        match self.bytes_as {
            BytesAs::Utf8 => {
                let mut keys = StringBuilder::new();
                let text = |key| std::str::from_utf8(key).unwrap_or_default();
                records.for_each(|r| keys.append_option(r.message.key().map(text)));
                Arc::new(keys.finish())
            }
            BytesAs::Binary => {
                let mut keys = BinaryBuilder::new();
                records.for_each(|r| keys.append_option(r.message.key()));
                Arc::new(keys.finish())
            }
        }
    }

    fn headers<'a>(
        &self,
        records: impl Iterator<Item = &'a Picked<'a>>,
    ) -> Result<ArrayRef, ArrowError> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        match self.bytes_as {
            BytesAs::Utf8 => {
                let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
                for record in records {
                    record.message.headers(|name, value| {
                        maps.keys().append_value(text(name));
                        maps.values().append_option(value.map(text));
                    });
                    maps.append(true)?;
                }
                Ok(Arc::new(maps.finish()))
            }
            BytesAs::Binary => {
                let mut maps = MapBuilder::new(None, StringBuilder::new(), BinaryBuilder::new());
                for record in records {
                    record.message.headers(|name, value| {
                        maps.keys().append_value(String::from_utf8_lossy(name));
                        maps.values().append_option(value);
                    });
                    maps.append(true)?;
                }
                Ok(Arc::new(maps.finish()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_refused() {
        let payload = Schema::new(vec![Field::new("offset", DataType::Int64, true)]);
        let options = serde_json::json!({"offset": "offset"});
        let columns: MetadataColumns = serde_json::from_value(options).unwrap();
        assert_eq!(columns.plan(&payload).unwrap_err().code, "SW2104");
        let options = serde_json::json!({"offset": "at", "key": "k", "headers": "h"});
        let columns: MetadataColumns = serde_json::from_value(options).unwrap();
        let (_, schema) = columns.plan(&payload).unwrap();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["offset", "k", "at", "h"]);
    }
}
