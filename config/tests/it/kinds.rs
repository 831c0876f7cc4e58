//! Kinds and an environment for tests of the grammar: option structs as the real kinds write them.

#![allow(dead_code, reason = "only the schemas of the option structs are used")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use swiftwater_config::{ByteSize, Duration, Environment, Kinds, Secret};

/// Reads a topic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KafkaOptions {
    /// Addresses of the brokers.
    pub(crate) brokers: String,
    /// Name of the topic. Or several.
    pub(crate) topic: OneOrMany,
    /// Where a new group starts.
    #[serde(default)]
    pub(crate) start: Start,
    /// How to log in.
    #[serde(default)]
    pub(crate) sasl: Option<Sasl>,
    /// Further properties of the client.
    #[serde(default)]
    pub(crate) properties: BTreeMap<String, String>,
    /// Port of the metrics.
    #[serde(default)]
    pub(crate) port: Option<u16>,
    /// Longest wait.
    #[serde(default)]
    pub(crate) timeout: Option<Duration>,
    /// Largest message.
    #[serde(default)]
    pub(crate) max_bytes: Option<ByteSize>,
    /// Partition → offset.
    #[serde(default)]
    pub(crate) offsets: BTreeMap<u32, i64>,
    /// Whether to verify.
    #[serde(default)]
    pub(crate) verify: bool,
}

/// A topic or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

/// Where to start.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    /// At the oldest record.
    #[default]
    Earliest,
    /// At the next record.
    Latest,
    /// At a time.
    Timestamp(String),
}

/// How to log in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sasl {
    /// The mechanism.
    pub(crate) mechanism: Mechanism,
    /// The user.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: Secret,
}

/// A mechanism.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) enum Mechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    Scram,
}

/// Makes rows up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct GenerateOptions {
    /// Rows in a second.
    #[schemars(range(min = 0.5))]
    pub(crate) rate: Option<f64>,
    /// Number of rows.
    pub(crate) count: Option<u64>,
    /// Column → how it is made.
    pub(crate) columns: BTreeMap<String, Made>,
}

/// How a column is made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Made {
    /// Counts up.
    Sequence(Sequence),
    /// Takes one of these.
    Choice {
        /// The values.
        values: Vec<Value>,
    },
    /// Nothing.
    Null,
}

/// Counts up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sequence {
    /// The first value.
    pub(crate) start: i64,
}

/// Keeps rows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum FilterOptions {
    /// An expression.
    Short(String),
    /// All options.
    Long(FilterLong),
}

/// All options of a filter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterLong {
    /// The expression.
    pub(crate) predicate: String,
}

/// Checks rows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssertOptions {
    /// The rules.
    #[schemars(length(min = 1))]
    pub(crate) rules: Vec<RuleOption>,
}

/// A rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "check", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum RuleOption {
    /// Values lie in a range.
    Range {
        /// The column.
        column: String,
        /// The lowest value.
        min: f64,
    },
    /// Values are not null.
    NotNull {
        /// The column.
        column: String,
    },
}

/// Writes files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilesOptions {
    /// Folder or URL.
    pub(crate) path: String,
    /// Options of the store.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
}

/// Prints rows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StdoutOptions {
    /// Number of rows.
    pub(crate) rows: Option<i32>,
}

/// JSON.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JsonOptions {
    /// Whether unknown fields are errors.
    pub(crate) strict: bool,
}

/// CSV.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CsvOptions {
    /// Separates columns.
    pub(crate) delimiter: char,
}

fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// The kinds of the tests.
pub(crate) fn kinds() -> Kinds {
    let map = |pairs: Vec<(&str, Value)>| {
        pairs.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
    };
    Kinds {
        sources: map(vec![
            ("kafka", schema::<KafkaOptions>()),
            ("generate", schema::<GenerateOptions>()),
        ]),
        operators: map(vec![
            ("filter", schema::<FilterOptions>()),
            ("assert", schema::<AssertOptions>()),
        ]),
        sinks: map(vec![
            ("kafka", schema::<KafkaOptions>()),
            ("files", schema::<FilesOptions>()),
            ("stdout", schema::<StdoutOptions>()),
        ]),
        formats: map(vec![("json", schema::<JsonOptions>()), ("csv", schema::<CsvOptions>())]),
    }
}

/// Reads options as the engine does.
pub(crate) fn read<T: DeserializeOwned>(options: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(options.clone())
}

/// Variables and secret files of the tests.
pub(crate) struct Fixed;

/// The value of the variable `SECRET` and of the file `/run/secrets/pw`.
pub(crate) const SECRET: &str = "hunter2-s3cr3t";

/// The value of the variable `OTHER`, which no field of the tests declares a secret.
pub(crate) const OTHER: &str = "0ther-v4lue";

impl Environment for Fixed {
    fn var(&self, name: &str) -> Option<String> {
        let value = match name {
            "BROKERS" => "b1:9092,b2:9092",
            "PORT" => "9092",
            "BIG" => "70000",
            "WORD" => "word",
            "YES" => "true",
            "TEN" => "10s",
            "EMPTY" => "",
            "SECRET" => SECRET,
            "OTHER" => OTHER,
            _ => return None,
        };
        Some(value.into())
    }

    fn secret_file(&self, path: &str) -> Result<String, String> {
        match path {
            "/run/secrets/pw" | "/tmp/pw" => Ok(SECRET.into()),
            _ => Err("there is no such file".into()),
        }
    }

    fn secret_file_warning(&self, path: &str) -> Option<String> {
        (path == "/tmp/pw").then(|| "every user of this machine may read `/tmp/pw`".into())
    }
}
