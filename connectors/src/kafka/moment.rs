//! A point in time as an option.

use std::borrow::Cow;
use std::fmt;

use chrono::DateTime;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A point in time: `2026-01-31T12:00:00Z`, or milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time like 2026-01-31T12:00:00Z, or milliseconds since 1970")
            }

            fn visit_i64<E: serde::de::Error>(self, ms: i64) -> Result<Moment, E> {
                Ok(Moment(ms))
            }

            fn visit_u64<E: serde::de::Error>(self, ms: u64) -> Result<Moment, E> {
                i64::try_from(ms).map(Moment).map_err(E::custom)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Moment, E> {
                if let Ok(ms) = text.parse() {
                    return Ok(Moment(ms));
                }
                let time = DateTime::parse_from_rfc3339(text);
                time.map(|t| Moment(t.timestamp_millis())).map_err(|_| {
                    E::custom(format!("`{text}` is no time like 2026-01-31T12:00:00Z"))
                })
            }
        }
        let moment = deserializer.deserialize_any(Read)?;
        if moment.0 < 0 {
            return Err(D::Error::custom("Kafka knows no time before 1970"));
        }
        Ok(moment)
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "A time like 2026-01-31T12:00:00Z, or milliseconds since 1970.",
        })
    }
}
