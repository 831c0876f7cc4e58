//! The table that rows go to: its columns and keys, held against the input's.

use arrow::datatypes::{Schema, SchemaRef};
use swiftwater_engine::{Error, Result};
use tokio_postgres::Client;
use tokio_postgres::types::{Kind, Type};

use super::conversion::{Conversion, made_for};
use super::copy::Column;
use super::faults::told;

/// An identifier in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Identifiers in quotes, with commas.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// A table's name, with its schema where one was given.
#[derive(Debug, Clone)]
pub(crate) struct TableName {
    pub(super) schema: Option<String>,
    pub(super) table: String,
}

impl TableName {
    /// Reads `table` or `schema.table`.
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, table)) => Self { schema: Some(schema.into()), table: table.into() },
            None => Self { schema: None, table: text.into() },
        }
    }

    /// As it stands in a statement.
    pub(super) fn sql(&self) -> String {
        self.beside(&self.table)
    }

    /// Another table of the same schema, as it stands in a statement.
    pub(super) fn beside(&self, table: &str) -> String {
        let schema = self.schema.iter().map(|schema| format!("{}.", quoted(schema)));
        schema.chain([quoted(table)]).collect()
    }
}

/// What the options and the input say of the table.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The table.
    pub(crate) name: TableName,
    /// Columns of the input that go into it.
    pub(crate) schema: SchemaRef,
    /// Their places in the input.
    pub(crate) places: Vec<usize>,
    /// Columns that identify a row; empty where each row is one of its own.
    pub(crate) key: Vec<String>,
    /// Column of times: a row with an older one replaces nothing.
    pub(crate) newest: Option<String>,
    /// Whether the table is made where it is not there.
    pub(crate) create: bool,
}

/// A column of the table as it is.
struct Found {
    name: String,
    oid: u32,
    kind: i8,
    base: u32,
    text: String,
    required: bool,
    generated: bool,
}

/// The table as it is, fit for the input.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its name in statements.
    pub(super) sql: String,
    /// The columns that are written.
    pub(super) columns: Vec<Column>,
    /// What each of them is declared as, for a table of the same columns.
    pub(super) declared: Vec<String>,
    /// Columns that identify a row.
    pub(super) key: Vec<String>,
    /// Column of times: a row with an older one replaces nothing.
    pub(super) newest: Option<String>,
}

fn misfit(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2204", message).with_hint(hint)
}

const COLUMNS: &str = "SELECT a.attname::text, a.atttypid, t.typtype, t.typbasetype, \
    format_type(a.atttypid, a.atttypmod), \
    a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', \
    a.attgenerated <> '' OR a.attidentity = 'a', a.attnotnull \
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
    WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const KEYS: &str = "SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(n, o) \
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE k.o <= i.indnkeyatts) \
    FROM pg_index i WHERE i.indrelid = to_regclass($1::text) AND i.indisunique AND i.indisvalid \
    AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL";

const CHECKS: &str = "SELECT pg_get_constraintdef(c.oid), \
    ARRAY(SELECT a.attname::text FROM unnest(c.conkey) n JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = n) \
    FROM pg_constraint c WHERE c.conrelid = to_regclass($1::text) AND c.contype = 'c'";

/// `CREATE TABLE` for the input's columns.
///
/// # Errors
/// `Config` (`SW2204`) for a column that PostgreSQL has no type for.
pub(crate) fn ddl(wanted: &Wanted) -> Result<String> {
    let mut columns = Vec::new();
    for field in wanted.schema.fields() {
        let name = field.name();
        let of_type = made_for(field.data_type()).ok_or_else(|| {
            let kind = swiftwater_engine::schema::name(field.data_type());
            misfit(
                format!("make a column `{name}` of {kind}"),
                "cast it with a `select` before the sink",
            )
        })?;
        let keyed = wanted.key.contains(name) || wanted.newest.as_ref() == Some(name);
        let required = !field.is_nullable() || keyed;
        columns.push(format!(
            "{} {of_type}{}",
            quoted(name),
            if required { " NOT NULL" } else { "" }
        ));
    }
    if !wanted.key.is_empty() {
        columns.push(format!("PRIMARY KEY ({})", list(wanted.key.iter().map(String::as_str))));
    }
    Ok(format!("CREATE TABLE IF NOT EXISTS {} ({})", wanted.name.sql(), columns.join(", ")))
}

impl Table {
    /// Looks at the table, making it where that was asked for.
    ///
    /// # Errors
    /// `Config` (`SW2204`) where it does not fit the input, with all that does not.
    pub(super) async fn find(client: &Client, wanted: &Wanted) -> Result<Self> {
        let sql = wanted.name.sql();
        let what = format!("look at the table {sql}");
        if wanted.create {
            client.batch_execute(&ddl(wanted)?).await.map_err(|e| told("create the table", e))?;
        }
        let rows = client.query(COLUMNS, &[&sql]).await.map_err(|e| told(&what, e))?;
        let mut found = Vec::new();
        let mut not_null = Vec::new();
        for row in &rows {
            let column = Found {
                name: row.get(0),
                oid: row.get(1),
                kind: row.get(2),
                base: row.get(3),
                text: row.get(4),
                required: row.get(5),
                generated: row.get(6),
            };
            not_null.push(row.get::<_, bool>(7));
            found.push(column);
        }
        if found.is_empty() {
            return Err(misfit(
                format!("find the table {sql}"),
                "create it, correct `table`, or set `create: true`",
            ));
        }
        let columns = fit(&found, wanted)?;
        check_key(client, &sql, wanted).await?;
        let mut declared: Vec<String> = Vec::new();
        for column in &columns {
            let there = found.iter().zip(&not_null).find(|(f, _)| f.name == column.name);
            let (there, required) = there.ok_or_else(|| Error::bug("declare an unknown column"))?;
            let required = if *required { " NOT NULL" } else { "" };
            declared.push(format!("{} {}{required}", quoted(&column.name), there.text));
        }
        declared.extend(checks(client, &sql, &columns).await.map_err(|e| told(&what, e))?);
        Ok(Self { sql, columns, declared, key: wanted.key.clone(), newest: wanted.newest.clone() })
    }

    /// Names of the columns that are written.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

/// The type that values are sent as; a domain's values are those of the type below it.
fn sent_as(found: &Found) -> Option<Type> {
    match u8::try_from(found.kind).ok()? {
        b'e' => {
            Some(Type::new(found.text.clone(), found.oid, Kind::Enum(Vec::new()), String::new()))
        }
        b'd' => Type::from_oid(found.base),
        _ => Type::from_oid(found.oid),
    }
}

fn fit(found: &[Found], wanted: &Wanted) -> Result<Vec<Column>> {
    let (mut columns, mut problems) = (Vec::new(), Vec::new());
    for (field, place) in wanted.schema.fields().iter().zip(&wanted.places) {
        let name = field.name();
        let kind = swiftwater_engine::schema::name(field.data_type());
        let Some(column) = found.iter().find(|f| f.name == *name) else {
            problems.push(format!("it has no column `{name}`"));
            continue;
        };
        if column.generated {
            problems.push(format!("its column `{name}` is generated"));
            continue;
        }
        match sent_as(column).and_then(|to| Conversion::of(field.data_type(), &to)) {
            Some(conversion) => {
                columns.push(Column { place: *place, name: name.clone(), conversion })
            }
            None => problems.push(format!(
                "its column `{name}` is {}, which does not take {kind}",
                column.text
            )),
        }
    }
    let lacks = |f: &&Found| f.required && !is_there(&wanted.schema, &f.name);
    for column in found.iter().filter(lacks) {
        problems.push(format!("its column `{}` is required and the input lacks it", column.name));
    }
    if problems.is_empty() {
        return Ok(columns);
    }
    Err(misfit(
        format!("write to the table {}: {}", wanted.name.sql(), problems.join("; ")),
        "rename, cast or drop columns with a `select` before the sink, or alter the table",
    ))
}

fn is_there(schema: &Schema, name: &str) -> bool {
    schema.field_with_name(name).is_ok()
}

/// Rows are found by the key only with the help of a unique index.
async fn check_key(client: &Client, sql: &str, wanted: &Wanted) -> Result<()> {
    if wanted.key.is_empty() {
        return Ok(());
    }
    let mut key = wanted.key.clone();
    key.sort();
    let indexes =
        client.query(KEYS, &[&sql]).await.map_err(|e| told("look at the table's keys", e))?;
    let fits = indexes.iter().any(|row| {
        let mut columns: Vec<String> = row.get(0);
        columns.sort();
        columns == key
    });
    if fits {
        return Ok(());
    }
    let columns = list(wanted.key.iter().map(String::as_str));
    Err(misfit(
        format!("find rows of {sql} by `key: [{}]`", wanted.key.join(", ")),
        format!("the table needs an index for that: CREATE UNIQUE INDEX ON {sql} ({columns})"),
    ))
}

/// Check constraints that speak of written columns only.
async fn checks(
    client: &Client,
    sql: &str,
    columns: &[Column],
) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = client.query(CHECKS, &[&sql]).await?;
    let known = |names: &Vec<String>| names.iter().all(|n| columns.iter().any(|c| c.name == *n));
    let checks = rows.iter().filter(|row| known(&row.get(1)));
    Ok(checks.map(|row| row.get(0)).collect())
}
