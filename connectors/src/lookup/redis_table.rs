//! Rows from Redis: hashes, JSON or strings by key, in one pipeline for many.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline};
use swiftwater_engine::{Error, Result, Timestamp};

use super::backend::{Backend, Columns, Found, Objects, unreadable};
use crate::io_call;
use crate::redis::{Layout, Server, Template, told};
use crate::value_text::as_text;

/// Keys of Redis made of the key's columns.
pub(crate) struct RedisTable {
    server: Server,
    key: Template,
    layout: Layout,
    columns: Columns,
    objects: Objects,
    connection: Option<MultiplexedConnection>,
}

type Texts = Vec<Option<String>>;

impl RedisTable {
    /// # Errors
    /// `Config` for columns that JSON cannot hold.
    pub(crate) fn new(
        server: Server,
        key: Template,
        layout: Layout,
        columns: Columns,
    ) -> Result<Self> {
        let objects = Objects::new(Arc::clone(&columns.added), "Redis".to_owned())?;
        Ok(Self { server, key, layout, columns, objects, connection: None })
    }

    /// One command for each key.
    fn pipeline(&self, keys: &RecordBatch) -> Result<Pipeline> {
        let texts: Vec<_> = self
            .key
            .places(&self.columns.key)?
            .into_iter()
            .map(|place| keys.columns().get(place).map_or_else(|| Ok(Vec::new()), as_text))
            .collect::<Result<_>>()?;
        let mut pipeline = Pipeline::with_capacity(keys.num_rows());
        for row in 0..keys.num_rows() {
            let key = self.key.key(|i| texts.get(i)?.get(row)?.as_deref());
            let key = key.ok_or_else(|| Error::bug("look up a key with a null"))?;
            let mut command = Cmd::new();
            if self.layout == Layout::Hash {
                command.arg("HMGET").arg(key);
                for field in self.columns.added.fields() {
                    command.arg(field.name());
                }
            } else {
                command.arg("GET").arg(key);
            }
            pipeline.add_command(command);
        }
        Ok(pipeline)
    }

    fn ask<T: redis::FromRedisValue>(&mut self, pipeline: &Pipeline) -> Result<Vec<T>> {
        let place = self.server.place.clone();
        let what = format!("look rows up in Redis at `{place}`");
        let connection = self.connection.take();
        let server = &self.server;
        let (connection, replies) = io_call::block_on(Box::pin(async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => server.connect().await?,
            };
            let replies = pipeline.query_async(&mut connection).await;
            Ok::<_, Error>((connection, replies.map_err(|e| told(&what, e))?))
        }))??;
        self.connection = Some(connection);
        Ok(replies)
    }

    /// Texts by column as the declared types. A hash is found where any field is.
    fn typed(&self, columns: &[Texts], keys: usize) -> Result<Found> {
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (field, texts) in self.columns.added.fields().iter().zip(columns) {
            let texts: ArrayRef = Arc::new(texts.iter().collect::<StringArray>());
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let array = cast_with_options(&texts, field.data_type(), &options)
                .map_err(|e| unreadable("Redis", &format!("`{}`: {e}", field.name())))?;
            arrays.push(array);
        }
        let rows = RecordBatch::try_new(Arc::clone(&self.columns.added), arrays)?;
        let is_there = |row: usize| columns.iter().any(|c| c.get(row).is_some_and(Option::is_some));
        Ok(Found { rows, of: (0..keys).map(|row| is_there(row).then_some(row)).collect() })
    }
}

impl Backend for RedisTable {
    fn fetch(&mut self, keys: &RecordBatch, _now: Timestamp) -> Result<Found> {
        let pipeline = self.pipeline(keys)?;
        let count = keys.num_rows();
        match self.layout {
            Layout::Hash => {
                let rows: Vec<Texts> = self.ask(&pipeline)?;
                let column = |i: usize| -> Texts {
                    rows.iter().map(|row| row.get(i).cloned().flatten()).collect()
                };
                let columns: Vec<Texts> =
                    (0..self.columns.added.fields().len()).map(column).collect();
                self.typed(&columns, count)
            }
            Layout::String => {
                let texts: Texts = self.ask(&pipeline)?;
                self.typed(&[texts], count)
            }
            Layout::Json => {
                let texts: Texts = self.ask(&pipeline)?;
                let there: Vec<&[u8]> = texts.iter().flatten().map(String::as_bytes).collect();
                let rows = self.objects.decode(&there)?;
                let mut next = 0..;
                let of = texts.iter().map(|text| text.as_ref().and_then(|_| next.next())).collect();
                Ok(Found { rows, of })
            }
        }
    }
}
