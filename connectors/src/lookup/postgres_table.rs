//! Rows from a query of PostgreSQL, for many keys at once.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use swiftwater_engine::{Error, ErrorKind, Result, Timestamp};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Statement};

use super::backend::{Backend, Columns, Found, Objects};
use super::table::matched;
use crate::io_call;
use crate::postgres::{Server, told, within};

/// A query with an array of keys for each of its parameters.
pub(crate) struct PostgresTable {
    server: Server,
    query: String,
    columns: Columns,
    objects: Objects,
    session: Option<(Client, Statement)>,
}

type Parameter = Box<dyn ToSql + Sync + Send>;

impl PostgresTable {
    /// # Errors
    /// `Config` for columns that JSON cannot hold.
    pub(crate) fn new(server: Server, query: &str, columns: Columns) -> Result<Self> {
        let query = query.trim().trim_end_matches(';');
        // The server writes rows as JSON: their types are then declared in one place, `add`.
        let query = format!("SELECT row_to_json(found)::text FROM ({query}) AS found");
        let objects = Objects::new(columns.all(), "PostgreSQL".to_owned())?;
        Ok(Self { server, query, columns, objects, session: None })
    }

    async fn connect(&self) -> Result<(Client, Statement)> {
        let client = self.server.connect("swiftwater lookup").await?;
        let prepared = client.prepare(&self.query).await;
        let statement = prepared.map_err(|e| told("prepare the query of a lookup", e))?;
        if statement.params().len() != self.columns.key.fields().len() {
            return Err(Error::config(
                "SW2232",
                format!(
                    "look up {} columns with a query of {} parameters",
                    self.columns.key.fields().len(),
                    statement.params().len()
                ),
            )
            .with_hint(
                "compare each column of `key` with an array of its own: `WHERE id = ANY($1)`",
            ));
        }
        Ok((client, statement))
    }
}

/// A column of keys as an array that the parameter takes.
fn parameter(name: &str, keys: &ArrayRef, of: &Type) -> Result<Parameter> {
    let numbers = || -> Result<Vec<i64>> {
        let numbers = cast(keys, &DataType::Int64)?;
        Ok(numbers.as_primitive::<Int64Type>().values().to_vec())
    };
    let whole = keys.data_type().is_integer();
    Ok(match *of {
        Type::INT8_ARRAY if whole => Box::new(numbers()?),
        // A number that the column cannot hold is not in the table.
        Type::INT4_ARRAY if whole => {
            Box::new(numbers()?.into_iter().map(|n| i32::try_from(n).ok()).collect::<Vec<_>>())
        }
        Type::INT2_ARRAY if whole => {
            Box::new(numbers()?.into_iter().map(|n| i16::try_from(n).ok()).collect::<Vec<_>>())
        }
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => {
            let text = cast(keys, &DataType::Utf8)?;
            let text = text.as_string::<i32>();
            Box::new((0..text.len()).map(|row| text.value(row).to_owned()).collect::<Vec<_>>())
        }
        _ => {
            return Err(Error::config("SW2232", format!("compare the column `{name}` with a parameter of type {of}"))
                .with_hint("the parameter is an array of the column's type; write others as text: `ANY($1::text[]::uuid[])`"));
        }
    })
}

impl Backend for PostgresTable {
    fn fetch(&mut self, keys: &RecordBatch, _now: Timestamp) -> Result<Found> {
        let what = "look rows up in PostgreSQL";
        let session = self.session.take().filter(|(client, _)| !client.is_closed());
        let asked = io_call::block_on(Box::pin(async {
            let session = match session {
                Some(session) => session,
                None => self.connect().await?,
            };
            let (client, statement) = &session;
            let mut parameters = Vec::new();
            let fields = self.columns.key.fields().iter().zip(keys.columns());
            for ((field, column), of) in fields.zip(statement.params()) {
                parameters.push(parameter(field.name(), column, of)?);
            }
            let parameters: Vec<&(dyn ToSql + Sync)> =
                parameters.iter().map(|p| p.as_ref() as &(dyn ToSql + Sync)).collect();
            let asked =
                async { client.query(statement, &parameters).await.map_err(|e| told(what, e)) };
            let rows = within(self.server.timeout, what, asked).await?;
            Ok::<_, Error>((session, rows))
        }))?;
        let (session, rows) = asked.map_err(|mut error| {
            if error.kind == ErrorKind::Data {
                error.kind = ErrorKind::Config;
            }
            error
        })?;
        self.session = Some(session);
        let texts: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let rows = self.objects.decode(&texts)?;
        matched(&self.columns, &rows, keys)
    }
}
