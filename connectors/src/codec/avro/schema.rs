//! Avro schemas: from JSON to a table of types that refer to each other by number, so that a record
//! may hold itself.

use std::collections::HashMap;

use arrow::datatypes::TimeUnit;
use serde_json::{Map, Value};

/// Number of a type in its [`Schema`].
pub(super) type Id = usize;

/// A schema with all its types.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    types: Vec<Type>,
    root: Id,
}

/// One type.
#[derive(Debug, Clone)]
pub(super) struct Type {
    pub(super) kind: Kind,
    pub(super) logical: Option<Logical>,
}

/// What a type is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<String>),
    Array(Id),
    Map(Id),
    Record(Vec<Field>),
    Union(Vec<Id>),
}

/// What a type means, for the logical types that columns have a type for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    Date,
    Timestamp(TimeUnit),
    Decimal { precision: u8, scale: i8 },
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) id: Id,
}

impl Schema {
    /// Reads a schema and those that it refers to by name, each after what it needs itself.
    ///
    /// # Errors
    /// A fragment that says what is wrong with it.
    pub(super) fn parse(text: &str, references: &[(String, String)]) -> Result<Self, String> {
        let mut parser = Parser::default();
        let read = |text: &str| {
            // A name alone is a schema too, with or without quotes around it.
            serde_json::from_str(text).or_else(|e| {
                let bare = text.trim();
                let is_name = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_alphanumeric());
                if is_name { Ok(Value::from(bare)) } else { Err(format!("it is no JSON: {e}")) }
            })
        };
        for (_, text) in references {
            parser.read(&read(text)?, "")?;
        }
        let root = parser.read(&read(text)?, "")?;
        let types = parser.types.into_iter().collect::<Option<Vec<_>>>();
        let types = types.ok_or_else(|| "a type is named but not defined".to_owned())?;
        Ok(Self { types, root })
    }

    /// The type of a number.
    pub(super) fn get(&self, id: Id) -> &Type {
        const NULL: &Type = &Type { kind: Kind::Null, logical: None };
        self.types.get(id).unwrap_or(NULL)
    }

    /// The type of the whole.
    pub(super) const fn root(&self) -> Id {
        self.root
    }

    /// The fields of the record that a message is.
    ///
    /// # Errors
    /// Where the schema is no record.
    pub(super) fn fields(&self) -> Result<&[Field], String> {
        match &self.get(self.root).kind {
            Kind::Record(fields) => Ok(fields),
            _ => Err("it is no record".to_owned()),
        }
    }
}

#[derive(Default)]
struct Parser {
    /// `None` while a record is being read that may refer to itself.
    types: Vec<Option<Type>>,
    names: HashMap<String, Id>,
}

fn primitive(name: &str) -> Option<Kind> {
    Some(match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => return None,
    })
}

/// The full name of a type that is called `name` where `namespace` applies.
pub(super) fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.trim_start_matches('.').to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

/// The full name of a definition and the namespace that applies inside it.
pub(super) fn defined_name(object: &Map<String, Value>, outer: &str) -> Option<(String, String)> {
    let name = object.get("name")?.as_str().filter(|name| !name.is_empty())?;
    let namespace = object.get("namespace").and_then(Value::as_str).unwrap_or(outer);
    let full = full_name(name, namespace);
    let inner = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
    Some((full, inner))
}

impl Parser {
    fn add(&mut self, kind: Kind, logical: Option<Logical>) -> Id {
        self.types.push(Some(Type { kind, logical }));
        self.types.len() - 1
    }

    fn read(&mut self, value: &Value, namespace: &str) -> Result<Id, String> {
        match value {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.read(branch, namespace));
                let branches = branches.collect::<Result<Vec<_>, _>>()?;
                Ok(self.add(Kind::Union(branches), None))
            }
            Value::Object(object) => self.object(object, namespace),
            other => Err(format!("{other} is no type")),
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Result<Id, String> {
        // Each mention of a primitive is a type of its own: a logical type belongs to one place.
        if let Some(kind) = primitive(name) {
            return Ok(self.add(kind, None));
        }
        self.names
            .get(&full_name(name, namespace))
            .or_else(|| self.names.get(name))
            .copied()
            .ok_or_else(|| format!("type `{name}` is unknown"))
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<Id, String> {
        let name = match object.get("type") {
            Some(Value::String(name)) => name.as_str(),
            // `{"type": {"type": …}}` and `{"type": [..]}` only wrap.
            Some(other) => return self.read(other, namespace),
            None => return Err(format!("{} has no `type`", Value::from(object.clone()))),
        };
        let child =
            |key: &str| object.get(key).ok_or_else(|| format!("a type `{name}` has no `{key}`"));
        match name {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let symbols = child("symbols")?.as_array().into_iter().flatten();
                let symbols = symbols.map(|symbol| symbol.as_str().map(str::to_owned));
                let symbols =
                    symbols.collect::<Option<_>>().ok_or("an enum's symbol is no text")?;
                self.define(object, namespace, Kind::Enum(symbols), None)
            }
            "fixed" => {
                let size = child("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                let kind = Kind::Fixed(size.ok_or("the `size` of a fixed is no number")?);
                let logical = logical(object, &kind);
                self.define(object, namespace, kind, logical)
            }
            "array" => {
                let items = self.read(child("items")?, namespace)?;
                Ok(self.add(Kind::Array(items), None))
            }
            "map" => {
                let values = self.read(child("values")?, namespace)?;
                Ok(self.add(Kind::Map(values), None))
            }
            name => match primitive(name) {
                Some(kind) => {
                    let logical = logical(object, &kind);
                    Ok(self.add(kind, logical))
                }
                None => self.named(name, namespace),
            },
        }
    }

    fn name(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        id: Id,
    ) -> Result<String, String> {
        let (full, inner) = defined_name(object, namespace).ok_or("a type has no `name`")?;
        if self.names.insert(full.clone(), id).is_some_and(|earlier| earlier != id) {
            return Err(format!("type `{full}` is defined twice"));
        }
        Ok(inner)
    }

    fn define(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        kind: Kind,
        logical: Option<Logical>,
    ) -> Result<Id, String> {
        let id = self.add(kind, logical);
        self.name(object, namespace, id)?;
        Ok(id)
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<Id, String> {
        let id = self.types.len();
        self.types.push(None);
        let inner = self.name(object, namespace, id)?;
        let fields = object.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or("a record has no `fields`")?.iter().map(|field| {
            let name = field.get("name").and_then(Value::as_str).ok_or("a field has no `name`")?;
            let data_type =
                field.get("type").ok_or_else(|| format!("field `{name}` has no `type`"))?;
            let id = self.read(data_type, &inner);
            Ok(Field { name: name.to_owned(), id: id.map_err(|e| format!("field `{name}`: {e}"))? })
        });
        let fields = fields.collect::<Result<Vec<_>, String>>()?;
        if let Some(place) = self.types.get_mut(id) {
            *place = Some(Type { kind: Kind::Record(fields), logical: None });
        }
        Ok(id)
    }
}

/// The logical type of a definition. An unknown one, or one that does not suit the type, is ignored
/// as the specification demands.
fn logical(object: &Map<String, Value>, kind: &Kind) -> Option<Logical> {
    let number = |key: &str| object.get(key).and_then(Value::as_u64);
    match (object.get("logicalType")?.as_str()?, kind) {
        ("date", Kind::Int) => Some(Logical::Date),
        ("timestamp-millis" | "local-timestamp-millis", Kind::Long) => {
            Some(Logical::Timestamp(TimeUnit::Millisecond))
        }
        ("timestamp-micros" | "local-timestamp-micros", Kind::Long) => {
            Some(Logical::Timestamp(TimeUnit::Microsecond))
        }
        ("timestamp-nanos" | "local-timestamp-nanos", Kind::Long) => {
            Some(Logical::Timestamp(TimeUnit::Nanosecond))
        }
        ("decimal", Kind::Bytes | Kind::Fixed(_)) => {
            let precision =
                number("precision")?.try_into().ok().filter(|p| (1..=38).contains(p))?;
            let scale = number("scale").unwrap_or(0).try_into().ok()?;
            Some(Logical::Decimal { precision, scale })
        }
        _ => None,
    }
}
