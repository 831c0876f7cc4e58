//! Types of columns as a topology file writes them.
//!
//! A type is a word such as `int64`, `utf8` or `timestamp_ms`, `decimal(10,2)`, `list<utf8>`; a
//! nested map of columns is a struct, and a list that holds one type is a list of that type (the way
//! to write a list of structs). A trailing `!` forbids nulls: a record without the field is then a
//! bad record. The engine turns these types into Arrow's.

use serde_json::{Map, Value};

/// Unit of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampUnit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

/// Type of a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the words of the grammar")]
pub enum ColumnType {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float32,
    Float64,
    Utf8,
    Binary,
    Date,
    Timestamp(TimestampUnit),
    Decimal { precision: u8, scale: i8 },
    List(Box<Self>),
    Struct(Vec<Column>),
}

/// A column of a `schema:` field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether a record may lack it.
    pub nullable: bool,
}

/// A type that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnTypeError {
    /// JSON pointer from the `schema:` field to the type, such as `/customer/name`.
    pub pointer: String,
    /// Name of the column.
    pub column: String,
    /// The type as written.
    pub text: String,
    /// What to write instead.
    pub hint: String,
}

/// The plain types by their names.
pub const NAMES: [(&str, ColumnType); 18] = [
    ("bool", ColumnType::Bool),
    ("int8", ColumnType::Int8),
    ("int16", ColumnType::Int16),
    ("int32", ColumnType::Int32),
    ("int64", ColumnType::Int64),
    ("uint8", ColumnType::Uint8),
    ("uint16", ColumnType::Uint16),
    ("uint32", ColumnType::Uint32),
    ("uint64", ColumnType::Uint64),
    ("float32", ColumnType::Float32),
    ("float64", ColumnType::Float64),
    ("utf8", ColumnType::Utf8),
    ("binary", ColumnType::Binary),
    ("date", ColumnType::Date),
    ("timestamp_s", ColumnType::Timestamp(TimestampUnit::Second)),
    ("timestamp_ms", ColumnType::Timestamp(TimestampUnit::Millisecond)),
    ("timestamp_us", ColumnType::Timestamp(TimestampUnit::Microsecond)),
    ("timestamp_ns", ColumnType::Timestamp(TimestampUnit::Nanosecond)),
];

/// Words of other systems and what they are called here.
const ELSEWHERE: [(&str, &str); 24] = [
    ("string", "utf8"),
    ("str", "utf8"),
    ("text", "utf8"),
    ("varchar", "utf8"),
    ("char", "utf8"),
    ("uuid", "utf8"),
    ("int", "int64"),
    ("integer", "int32"),
    ("long", "int64"),
    ("bigint", "int64"),
    ("smallint", "int16"),
    ("tinyint", "int8"),
    ("double", "float64"),
    ("float", "float64"),
    ("number", "float64"),
    ("real", "float32"),
    ("boolean", "bool"),
    ("bytes", "binary"),
    ("timestamp", "timestamp_ms"),
    ("datetime", "timestamp_ms"),
    ("date32", "date"),
    ("numeric", "decimal(18,2)"),
    ("decimal", "decimal(18,2)"),
    ("array", "list<utf8>"),
];

/// Names of the plain types.
#[must_use]
pub fn type_names() -> Vec<&'static str> {
    NAMES.iter().map(|(name, _)| *name).collect()
}

impl ColumnType {
    /// Reads one type, such as `list<int64>`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(inner) = enclosed(text, "list<", '>') {
            return Some(Self::List(Box::new(Self::parse(inner)?)));
        }
        if let Some(inner) = enclosed(text, "decimal(", ')') {
            let (precision, scale) = inner.split_once(',')?;
            let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
            let fits = (1..=38).contains(&precision) && i16::from(scale) <= i16::from(precision);
            return fits.then_some(Self::Decimal { precision, scale });
        }
        NAMES.iter().find(|(name, _)| *name == text).map(|(_, column_type)| column_type.clone())
    }
}

fn enclosed<'t>(text: &'t str, open: &str, close: char) -> Option<&'t str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

/// The columns of a `schema:` field.
///
/// # Errors
/// Every type that is not understood, with its place and what to write instead.
pub fn columns(fields: &Map<String, Value>) -> Result<Vec<Column>, Vec<ColumnTypeError>> {
    let mut errors = Vec::new();
    let columns = read_columns(fields, "", &mut errors);
    if errors.is_empty() { Ok(columns) } else { Err(errors) }
}

fn read_columns(
    fields: &Map<String, Value>,
    pointer: &str,
    errors: &mut Vec<ColumnTypeError>,
) -> Vec<Column> {
    let read = fields.iter().filter_map(|(name, value)| {
        let pointer = crate::document::join(pointer, name);
        let (column_type, nullable) = read(name, value, &pointer, errors)?;
        Some(Column { name: name.clone(), column_type, nullable })
    });
    read.collect()
}

fn read(
    column: &str,
    value: &Value,
    pointer: &str,
    errors: &mut Vec<ColumnTypeError>,
) -> Option<(ColumnType, bool)> {
    match value {
        Value::Object(nested) => {
            Some((ColumnType::Struct(read_columns(nested, pointer, errors)), true))
        }
        Value::Array(items) if items.len() == 1 => {
            let item = items.first()?;
            let (item, _) = read(column, item, &format!("{pointer}/0"), errors)?;
            Some((ColumnType::List(Box::new(item)), true))
        }
        Value::String(text) => {
            let required = text.strip_suffix('!');
            let bare = required.unwrap_or(text);
            let column_type = ColumnType::parse(bare);
            if column_type.is_none() {
                errors.push(unknown(column, bare, pointer));
            }
            Some((column_type?, required.is_none()))
        }
        other => {
            // What stands in a list may have come from a variable, which is not quoted.
            let text = if other.is_array() { "[…]".into() } else { other.to_string() };
            errors.push(unknown(column, &text, pointer));
            None
        }
    }
}

fn unknown(column: &str, text: &str, pointer: &str) -> ColumnTypeError {
    let word = text.trim().to_ascii_lowercase();
    let word = word.split(['(', '<']).next().unwrap_or_default();
    let known = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == word);
    let known = known.map(|(_, here)| *here);
    let close = || crate::suggest::closest(text, type_names());
    let hint = match known.or_else(close) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!(
            "use {}, decimal(p,s), list<type>, a nested map of columns, or a list that holds one type",
            type_names().join(", ")
        ),
    };
    ColumnTypeError { pointer: pointer.into(), column: column.into(), text: text.into(), hint }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(schema: &Value) -> Result<Vec<Column>, Vec<ColumnTypeError>> {
        columns(schema.as_object().unwrap())
    }

    #[test]
    fn types_nest_and_say_whether_nulls_are_allowed() {
        let schema = json!({
            "id": "int64!", "price": "decimal(10, 2)", "tags": "list<list<utf8>>",
            "who": {"name": "utf8!"}, "lines": [{"sku": "utf8"}],
        });
        let columns = read(&schema).unwrap();
        let nullable: Vec<_> = columns.iter().map(|c| c.nullable).collect();
        assert_eq!(nullable, [false, true, true, true, true]);
        assert_eq!(columns[1].column_type, ColumnType::Decimal { precision: 10, scale: 2 });
        let ColumnType::Struct(who) = &columns[3].column_type else { panic!("a struct") };
        assert!(!who[0].nullable);
        let ColumnType::List(line) = &columns[4].column_type else { panic!("a list") };
        assert!(matches!(**line, ColumnType::Struct(_)));
    }

    #[test]
    fn every_unknown_type_is_told_with_its_place_and_cure() {
        let schema = json!({
            "a": "strnig", "b": {"c/d": "int65"}, "e": "decimal(40,2)", "f": 5, "g": ["x", "y"],
            "h": "list<string>", "i": "quark",
        });
        let errors = read(&schema).unwrap_err();
        let told: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), e.text.as_str())).collect();
        assert_eq!(
            told,
            [
                ("/a", "strnig"),
                ("/b/c~1d", "int65"),
                ("/e", "decimal(40,2)"),
                ("/f", "5"),
                ("/g", "[…]"),
                ("/h", "list<string>"),
                ("/i", "quark"),
            ]
        );
        assert!(errors[1].hint.contains("`int64`"), "{:?}", errors[1]);
        assert!(errors[6].hint.contains("list<type>"), "{:?}", errors[6]);
    }
}
