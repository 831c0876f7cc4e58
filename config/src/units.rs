//! Quantities with their unit in the text: `250ms`, `64MiB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time written as number and unit: `250ms`, `4s`, `1.5h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(pub std::time::Duration);

/// A number of bytes written as number and unit: `512KiB`, `64MiB`, `1GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

impl Duration {
    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(std::time::Duration::from_millis(ms))
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(s: u64) -> Self {
        Self(std::time::Duration::from_secs(s))
    }
}

fn split_unit(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let at =
        text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number = number.replace('_', "");
    let value =
        number.parse::<f64>().map_err(|_| format!("`{text}` does not start with a number"))?;
    Ok((value, unit.trim()))
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (value, unit) = split_unit(text)?;
        let seconds = match unit {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "" => {
                return Err(format!("`{text}` has no unit; write `{text}s` or `{text}ms`"));
            }
            other => return Err(format!("unknown unit `{other}`; use us, ms, s, m, h or d")),
        };
        std::time::Duration::try_from_secs_f64(value * seconds)
            .map(Self)
            .map_err(|_| format!("`{text}` is out of range"))
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (value, unit) = split_unit(text)?;
        let factor = match unit {
            "" | "B" => 1.0,
            "KB" | "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            "TiB" => 1_099_511_627_776.0,
            other => {
                return Err(format!("unknown unit `{other}`; use B, KB, MB, GB, KiB, MiB or GiB"));
            }
        };
        let bytes = value * factor;
        if !(0.0..9.0e18).contains(&bytes) {
            return Err(format!("`{text}` is out of range"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "range checked"
        )]
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0 => write!(f, "0s"),
            m if m % 86_400_000_000 == 0 => write!(f, "{}d", m / 86_400_000_000),
            m if m % 3_600_000_000 == 0 => write!(f, "{}h", m / 3_600_000_000),
            m if m % 60_000_000 == 0 => write!(f, "{}m", m / 60_000_000),
            m if m % 1_000_000 == 0 => write!(f, "{}s", m / 1_000_000),
            m if m % 1_000 == 0 => write!(f, "{}ms", m / 1_000),
            m => write!(f, "{m}us"),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 4] =
            [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        for (unit, size) in UNITS {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// The schema keyword that names the kind of quantity, for the checker's messages.
pub(crate) const UNIT_KEYWORD: &str = "x-unit";

macro_rules! text_unit {
    ($type:ident, $unit:literal, $pattern:literal, $example:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "x-unit": $unit,
                    "pattern": $pattern,
                    "examples": [$example]
                })
            }
        }
    };
}

text_unit!(Duration, "duration", r"^\s*[0-9][0-9._]*\s*(us|µs|ms|s|m|min|h|d)\s*$", "250ms");
text_unit!(
    ByteSize,
    "bytes",
    r"^\s*[0-9][0-9._]*\s*(B|KB|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?\s*$",
    "64MiB"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_and_print() {
        assert_eq!("250ms".parse::<Duration>().unwrap(), Duration::from_millis(250));
        assert_eq!("1.5h".parse::<Duration>().unwrap(), Duration::from_secs(5400));
        assert_eq!("64MiB".parse::<ByteSize>().unwrap(), ByteSize(64 << 20));
        assert_eq!(ByteSize(64 << 20).to_string(), "64MiB");
        assert_eq!(Duration::from_millis(1500).to_string(), "1500ms");
        assert!("10".parse::<Duration>().unwrap_err().contains("`10s`"));
        assert!("10 parsecs".parse::<Duration>().unwrap_err().contains("parsecs"));
    }
}
