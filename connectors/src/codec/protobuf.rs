//! Protocol buffers: one message a payload, plain or with the number that a schema registry gave
//! its schema.
//!
//! Descriptors come from `protox` and `prost-reflect`; the wire format is read and written by our
//! own code, straight from and into columns, which the tests compare with `prost-reflect`'s.

mod columns;
mod compile;
mod decode;
mod encode;
mod kind;
mod read;
#[cfg(test)]
mod tests;
mod value;
mod wire;
mod write;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use prost_reflect::MessageDescriptor;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::ByteSize;
use swiftwater_engine::{Error, Result};

use self::decode::{ProtobufDecoder, Source};
use self::encode::{ProtobufEncoder, Target};
use self::read::Layout;
use self::write::Writer;
use super::plan::{CodecContext, PlannedDecoder, make_decoder, make_encoder};
use super::registry::{Registry, RegistryOptions, subject};
use super::{MakeEncoder, cell, codes};

/// One protocol buffer message a message.
///
/// The message's type is given by `schema`, `proto_file` or `descriptor_file`, or, for reading,
/// named by each message itself where there is a `registry`.
///
/// Reading. Columns are filled by the names of the fields; fields that are no columns are skipped.
/// Without declared columns they are those of the message: enums as `utf8`, `Timestamp` as
/// `timestamp_us`, wrappers such as `Int64Value` as nullable numbers. An absent field is null where
/// the message can tell that it is absent (`optional`, messages, members of a `oneof`) and its
/// default otherwise.
///
/// Writing. Each column needs a field. Null is an absent field and cannot be written where the
/// message cannot tell it from the default.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProtobufOptions {
    /// The schema as the text of a `.proto` file that imports nothing but Google's own files.
    pub schema: Option<String>,
    /// A `.proto` file.
    pub proto_file: Option<String>,
    /// Directories in which imports of `proto_file` are looked for, besides its own.
    pub include: Vec<String>,
    /// A compiled descriptor set, as `protoc --include_imports --descriptor_set_out` writes it.
    pub descriptor_file: Option<String>,
    /// Name of the message, such as `shop.v1.Order`; needed where there are several.
    pub message: Option<String>,
    /// Schema registry; each payload then begins with a zero byte, the schema's id and the place of
    /// the message in its file.
    pub registry: Option<RegistryOptions>,
    /// Subject in the registry; the default is the topic's name with `-value`.
    pub subject: Option<String>,
    /// Writing: register the schema. With `false` the newest schema of the subject is used.
    pub auto_register: bool,
    /// Reading: a larger payload is a bad record.
    pub max_bytes: ByteSize,
}

impl Default for ProtobufOptions {
    fn default() -> Self {
        Self {
            schema: None,
            proto_file: None,
            include: Vec::new(),
            descriptor_file: None,
            message: None,
            registry: None,
            subject: None,
            auto_register: true,
            max_bytes: ByteSize(8 << 20),
        }
    }
}

/// A message given in the options, with the text of its file where that is known.
struct Given {
    message: MessageDescriptor,
    text: Option<String>,
}

fn unusable(reason: &str) -> Error {
    Error::config(codes::BAD_SCHEMA_FILE, format!("use the protobuf schema: {reason}"))
}

fn options(message: &str) -> Error {
    Error::config(codes::BAD_OPTIONS, message)
}

impl ProtobufOptions {
    fn given(&self) -> Result<Option<Given>> {
        let name = self.message.as_deref();
        let read = |path: &str| {
            std::fs::read(path).map_err(|e| {
                let message = format!("read the protobuf schema `{path}`");
                Error::config(codes::BAD_SCHEMA_FILE, message).with_source(e)
            })
        };
        let (message, text) = match (&self.schema, &self.proto_file, &self.descriptor_file) {
            (None, None, None) => return Ok(None),
            (Some(text), None, None) => {
                let message = compile::text(text, &[]).and_then(|f| compile::message(&f, name));
                (message, Some(text.clone()))
            }
            (None, Some(path), None) => {
                let text = String::from_utf8_lossy(&read(path)?).into_owned();
                let file = compile::file(path, &self.include);
                (file.and_then(|f| compile::message(&f, name)), Some(text))
            }
            (None, None, Some(path)) => (compile::described(&read(path)?, name), None),
            _ => {
                let message = "use more than one of `schema`, `proto_file` and `descriptor_file` of `protobuf`";
                return Err(options(message));
            }
        };
        Ok(Some(Given { message: message.map_err(|e| unusable(&e))?, text }))
    }

    fn registry(&self) -> Result<Option<Arc<Registry>>> {
        let registry = self.registry.as_ref().map(Registry::new).transpose()?;
        Ok(registry.map(Arc::new))
    }
}

/// Plans a decoder.
pub(super) fn decoder(
    with: &ProtobufOptions,
    columns: Option<SchemaRef>,
    cx: &CodecContext<'_>,
) -> Result<PlannedDecoder> {
    let max_bytes = usize::try_from(with.max_bytes.0).unwrap_or(usize::MAX);
    let given = with.given()?;
    if let Some(registry) = with.registry()? {
        if given.is_some() {
            return Err(options(
                "use a schema of `protobuf` together with a `registry` for reading",
            )
            .with_hint("each message names its schema in the registry"));
        }
        let columns = match columns {
            Some(columns) => columns,
            None => {
                let subject = subject(with.subject.as_deref(), cx.topic)?;
                newest(&registry, &subject, with.message.as_deref())?
            }
        };
        let make = {
            let columns = Arc::clone(&columns);
            make_decoder(move || {
                let source = Source::Registry(Arc::clone(&registry));
                ProtobufDecoder::new(Arc::clone(&columns), source, max_bytes)
            })
        };
        return Ok(PlannedDecoder { schema: columns, make });
    }
    let Some(Given { message, .. }) = given else {
        return Err(no_schema("decode"));
    };
    let columns = match columns {
        Some(columns) => columns,
        None => {
            let columns = columns::columns(&message).map_err(|e| unusable(&e))?;
            Arc::new(Schema::new(columns))
        }
    };
    let layout = Layout::new(&message, columns.fields()).map_err(|e| unusable(&e))?;
    let layout = Arc::new(layout);
    let make = {
        let columns = Arc::clone(&columns);
        make_decoder(move || {
            let source = Source::Plain(Arc::clone(&layout));
            ProtobufDecoder::new(Arc::clone(&columns), source, max_bytes)
        })
    };
    Ok(PlannedDecoder { schema: columns, make })
}

fn no_schema(verb: &str) -> Error {
    Error::config(codes::NO_SCHEMA, format!("{verb} `protobuf` without the message's schema"))
        .with_hint("give it with `schema`, `proto_file` or `descriptor_file`, or a `registry`")
}

/// The columns of a subject's newest schema.
fn newest(registry: &Registry, subject: &str, name: Option<&str>) -> Result<SchemaRef> {
    let Some((_, found)) = registry.latest(subject)? else {
        let message = format!("find subject `{subject}` in the schema registry");
        return Err(Error::config(codes::NO_SCHEMA, message)
            .with_hint("declare the columns with `schema`, or name another `subject`"));
    };
    let file = compile::text(&found.text, &found.references);
    let columns = file
        .and_then(|file| compile::message(&file, name))
        .and_then(|message| columns::columns(&message));
    columns.map(|columns| Arc::new(Schema::new(columns))).map_err(|e| {
        let message = format!("take the columns from the schema of subject `{subject}`: {e}");
        Error::config(codes::NO_SCHEMA, message).with_hint("declare the columns with `schema`")
    })
}

/// Plans an encoder.
pub(super) fn encoder(
    with: &ProtobufOptions,
    columns: &SchemaRef,
    cx: &CodecContext<'_>,
) -> Result<MakeEncoder> {
    cell::check(columns, "protobuf")?;
    let registry = with.registry()?;
    let target = match (registry, with.given()?) {
        (None, None) => return Err(no_schema("encode")),
        (Some(registry), None) if !with.auto_register => {
            let subject = subject(with.subject.as_deref(), cx.topic)?;
            Target::Newest { registry, subject, message: with.message.clone() }
        }
        (Some(_), None) => return Err(no_schema("encode")),
        (Some(_), Some(_)) if !with.auto_register => {
            return Err(options("use a schema of `protobuf` with `auto_register: false`")
                .with_hint("the schema is then the newest of the subject"));
        }
        (registry, Some(Given { message, text })) => {
            let writer = Writer::new(&message, columns.fields()).map_err(|e| unusable(&e))?;
            match (registry, text) {
                (None, _) => Target::Known { prefix: Vec::new(), writer },
                (Some(_), None) => {
                    return Err(options("register a `descriptor_file` of `protobuf`")
                        .with_hint("a registry holds text: use `proto_file` or `schema`"));
                }
                (Some(registry), Some(text)) => {
                    refuse_imports(&message)?;
                    let subject = subject(with.subject.as_deref(), cx.topic)?;
                    let indexes = compile::indexes(&message);
                    Target::Register { registry, subject, text, indexes, writer }
                }
            }
        }
    };
    let columns = Arc::clone(columns);
    Ok(make_encoder(move || Ok(ProtobufEncoder::new(target.clone(), Arc::clone(&columns)))))
}

/// A registry holds each imported file under a subject of its own, which only its owner can name.
fn refuse_imports(message: &MessageDescriptor) -> Result<()> {
    let file = message.parent_file();
    let mut imports = file.dependencies();
    match imports.find(|import| !import.name().starts_with("google/protobuf/")) {
        None => Ok(()),
        Some(import) => {
            let message = format!("register a schema that imports `{}`", import.name());
            Err(options(&message).with_hint("register it by hand and use `auto_register: false`"))
        }
    }
}
