//! Avro: one record a payload, plain, as a single object, or with the number that a schema registry
//! gave its schema.
//!
//! Reader and writer are our own: a payload from outside is checked as it is read, costs nothing but
//! itself when it is bad, and fields that are no columns are passed over. The tests compare them
//! with `arrow-avro`.

mod cursor;
mod decode;
mod encode;
mod fingerprint;
mod from_columns;
mod item;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use swiftwater_config::ByteSize;
use swiftwater_engine::{Error, Result};

use self::decode::{AvroDecoder, Source};
use self::encode::{AvroEncoder, Target};
use self::fingerprint::fingerprint;
use self::read::Reader;
use self::schema::Schema;
use self::write::Writer;
use super::plan::{CodecContext, PlannedDecoder, make_decoder, make_encoder};
use super::registry::{Registry, RegistryOptions, subject};
use super::{MakeEncoder, cell, codes};

/// Avro's binary encoding, one record a message.
///
/// Reading. Without `registry` the schema that the messages were written with is given by `schema`
/// or `schema_file`; with it, each message names its schema, which is fetched once. The columns are
/// those that the node declares, filled by name: fields that are no columns are skipped, columns
/// without a field are null, and numbers are widened as Avro's schema resolution allows. Without
/// declared columns they are those of the schema, which for a registry is the newest of the subject.
///
/// Writing. Without a schema one is made from the columns. With `registry` it is registered under
/// the subject, or looked up there with `auto_register: false`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AvroOptions {
    /// The schema, as JSON text or written out.
    #[schemars(with = "Option<Value>")]
    pub schema: Option<Value>,
    /// File that holds the schema.
    pub schema_file: Option<String>,
    /// What stands before the record. `plain`: nothing. `single_object`: Avro's marker and the
    /// schema's fingerprint. `confluent`: a zero byte and the schema's id in the registry. The
    /// default is `confluent` with a `registry` and `plain` without.
    pub framing: Option<Framing>,
    /// Schema registry.
    pub registry: Option<RegistryOptions>,
    /// Subject in the registry; the default is the topic's name with `-value`.
    pub subject: Option<String>,
    /// Writing: register the schema. With `false` the newest schema of the subject is used.
    pub auto_register: bool,
    /// Writing: name of the record in a schema that is made from the columns; the default is the
    /// topic's name.
    pub name: Option<String>,
    /// Reading: a larger payload is a bad record.
    pub max_bytes: ByteSize,
}

/// What stands before the record in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Nothing.
    Plain,
    /// `C3 01` and the fingerprint of the schema.
    SingleObject,
    /// A zero byte and the schema's id in the registry.
    Confluent,
}

impl Default for AvroOptions {
    fn default() -> Self {
        Self {
            schema: None,
            schema_file: None,
            framing: None,
            registry: None,
            subject: None,
            auto_register: true,
            name: None,
            max_bytes: ByteSize(8 << 20),
        }
    }
}

/// A schema given in the options.
struct Given {
    text: String,
    schema: Schema,
    fingerprint: u64,
}

impl AvroOptions {
    fn framing(&self) -> Result<Framing> {
        let framing = self.framing.unwrap_or(match self.registry {
            Some(_) => Framing::Confluent,
            None => Framing::Plain,
        });
        let refuse = |message: &str, hint: &str| {
            Err(Error::config(codes::BAD_OPTIONS, message).with_hint(hint))
        };
        match (framing, &self.registry) {
            (Framing::Confluent, None) => {
                refuse("use the framing `confluent` of `avro`", "say where the `registry` is")
            }
            (Framing::Plain | Framing::SingleObject, Some(_)) => refuse(
                "use a `registry` of `avro` with another framing than `confluent`",
                "give the schema with `schema` or `schema_file`, without `registry`",
            ),
            _ => Ok(framing),
        }
    }

    fn given(&self) -> Result<Option<Given>> {
        let text = match (&self.schema, &self.schema_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let message = "use both `schema` and `schema_file` of `avro`";
                return Err(Error::config(codes::BAD_OPTIONS, message));
            }
            (Some(Value::String(text)), None) => text.clone(),
            (Some(value), None) => value.to_string(),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|e| {
                let message = format!("read the `schema_file` `{path}`");
                Error::config(codes::BAD_SCHEMA_FILE, message).with_source(e)
            })?,
        };
        let schema = Schema::parse(&text, &[]).map_err(|e| unusable(&e))?;
        schema.fields().map_err(|e| unusable(&e))?;
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Some(Given { fingerprint: fingerprint(&value), text, schema }))
    }

    fn registry(&self) -> Result<Option<Arc<Registry>>> {
        let registry = self.registry.as_ref().map(Registry::new).transpose()?;
        Ok(registry.map(Arc::new))
    }
}

fn unusable(reason: &str) -> Error {
    Error::config(codes::BAD_SCHEMA_FILE, format!("use the Avro schema: {reason}"))
}

/// Plans a decoder.
pub(super) fn decoder(
    options: &AvroOptions,
    columns: Option<SchemaRef>,
    cx: &CodecContext<'_>,
) -> Result<PlannedDecoder> {
    let framing = options.framing()?;
    let max_bytes = usize::try_from(options.max_bytes.0).unwrap_or(usize::MAX);
    let given = options.given()?;
    if let Some(registry) = options.registry()? {
        if given.is_some() {
            let message = "use a `schema` of `avro` together with a `registry` for reading";
            return Err(Error::config(codes::BAD_OPTIONS, message)
                .with_hint("each message names its schema in the registry"));
        }
        let columns = match columns {
            Some(columns) => columns,
            None => newest(&registry, &subject(options.subject.as_deref(), cx.topic)?)?,
        };
        let make = {
            let columns = Arc::clone(&columns);
            make_decoder(move || {
                let source = Source::Registry(Arc::clone(&registry));
                AvroDecoder::new(Arc::clone(&columns), source, max_bytes)
            })
        };
        return Ok(PlannedDecoder { schema: columns, make });
    }
    let Some(Given { schema, fingerprint, .. }) = given else {
        return Err(Error::config(codes::NO_SCHEMA, "decode `avro` without the writer's schema")
            .with_hint("give it with `schema` or `schema_file`, or say where the `registry` is"));
    };
    let columns = match columns {
        Some(columns) => columns,
        None => read::columns(&schema).map(arrow_schema).map_err(|e| unusable(&e))?,
    };
    let reader = Reader::new(schema, columns.fields()).map_err(|e| unusable(&e))?;
    let reader = Arc::new(reader);
    let make = {
        let columns = Arc::clone(&columns);
        make_decoder(move || {
            let reader = Arc::clone(&reader);
            let source = match framing {
                Framing::SingleObject => Source::SingleObject(fingerprint, reader),
                _ => Source::Plain(reader),
            };
            AvroDecoder::new(Arc::clone(&columns), source, max_bytes)
        })
    };
    Ok(PlannedDecoder { schema: columns, make })
}

fn arrow_schema(fields: arrow::datatypes::Fields) -> SchemaRef {
    Arc::new(arrow::datatypes::Schema::new(fields))
}

/// The columns of a subject's newest schema.
fn newest(registry: &Registry, subject: &str) -> Result<SchemaRef> {
    let Some((_, found)) = registry.latest(subject)? else {
        let message = format!("find subject `{subject}` in the schema registry");
        return Err(Error::config(codes::NO_SCHEMA, message)
            .with_hint("declare the columns with `schema`, or name another `subject`"));
    };
    let columns = Schema::parse(&found.text, &found.references);
    columns.and_then(|schema| read::columns(&schema)).map(arrow_schema).map_err(|e| {
        let message = format!("take the columns from the schema of subject `{subject}`: {e}");
        Error::config(codes::NO_SCHEMA, message).with_hint("declare the columns with `schema`")
    })
}

/// Plans an encoder.
pub(super) fn encoder(
    options: &AvroOptions,
    columns: &SchemaRef,
    cx: &CodecContext<'_>,
) -> Result<MakeEncoder> {
    let framing = options.framing()?;
    cell::check(columns, "avro")?;
    let registry = options.registry()?;
    if let (Some(registry), false) = (&registry, options.auto_register) {
        if options.schema.is_some() || options.schema_file.is_some() {
            let message = "use a `schema` of `avro` with `auto_register: false`";
            return Err(Error::config(codes::BAD_OPTIONS, message)
                .with_hint("the schema is then the newest of the subject"));
        }
        let (registry, columns) = (Arc::clone(registry), Arc::clone(columns));
        let subject = subject(options.subject.as_deref(), cx.topic)?;
        return Ok(make_encoder(move || {
            let registry = Arc::clone(&registry);
            let target = Target::Newest { registry, subject: subject.clone() };
            Ok(AvroEncoder::new(target, Arc::clone(&columns)))
        }));
    }
    let Given { text, schema, fingerprint } = match options.given()? {
        Some(given) => given,
        None => made(options, columns, cx)?,
    };
    let writer = Writer::new(schema, columns.fields()).map_err(|e| unusable(&e))?;
    let target = match (registry, framing) {
        (Some(registry), _) => {
            let subject = subject(options.subject.as_deref(), cx.topic)?;
            Target::Register { registry, subject, text, writer }
        }
        (None, Framing::SingleObject) => {
            Target::Known { prefix: encode::single_object(fingerprint), writer }
        }
        (None, _) => Target::Known { prefix: Vec::new(), writer },
    };
    let columns = Arc::clone(columns);
    Ok(make_encoder(move || Ok(AvroEncoder::new(target.clone(), Arc::clone(&columns)))))
}

/// The schema that the columns make.
fn made(options: &AvroOptions, columns: &SchemaRef, cx: &CodecContext<'_>) -> Result<Given> {
    let name = options.name.as_deref().or(cx.topic).unwrap_or("Record");
    let refuse = |e: String| {
        Error::config(codes::UNSUPPORTED_TYPE, format!("make an Avro schema of the columns: {e}"))
            .with_hint("rename or convert the column in a `select`")
    };
    let value = from_columns::schema(name, columns.fields()).map_err(refuse)?;
    let text = value.to_string();
    let schema = Schema::parse(&text, &[]).map_err(refuse)?;
    Ok(Given { fingerprint: fingerprint(&value), text, schema })
}
