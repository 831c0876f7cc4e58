//! One connection with what is prepared on it.

use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use swiftwater_engine::{Error, ErrorKind, Result};
use tokio_postgres::{Client, Statement};

use super::copy::Column;
use super::faults::told;
use super::server::Server;
use super::statements::{BATCH, Merge, OP, ROW, copy_into};
use super::table::{Table, Wanted, quoted};

/// The table that a batch goes through on its way into a table with a key; it is the connection's own.
const PASSING: &str = "pg_temp.swiftwater_rows";
/// How long a session of ours that lost its client may take to end.
const ENDED_WITHIN: u32 = 200;

/// A connection to the server, and the table as it is.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) table: Table,
    /// The columns of a copy: what a row does, then those of the table.
    pub(super) copied: Vec<Column>,
    direct: Option<Direct>,
}

/// What writing at once needs.
struct Direct {
    copy: Statement,
    /// Brings what was copied into the target, where that has a key.
    merge: Option<Statement>,
}

/// Declares the columns beside those of the table.
pub(super) fn beside(numbers: &[&str], ops: bool) -> Vec<String> {
    let numbers = numbers.iter().map(|name| format!("{} bigint NOT NULL", quoted(name)));
    numbers.chain(ops.then(|| format!("{} text", quoted(OP)))).collect()
}

impl Session {
    /// Connects and looks at the table.
    ///
    /// # Errors
    /// As [`Server::connect`] and [`Table::find`].
    pub(super) async fn open(
        server: &Server,
        wanted: &Wanted,
        op: Option<&Column>,
        application: &str,
    ) -> Result<Self> {
        let client = server.connect(application).await?;
        let table = Table::find(&client, wanted).await?;
        let copied = op.into_iter().chain(&table.columns).cloned().collect();
        Ok(Self { client, table, copied, direct: None })
    }

    /// Names of the copied columns.
    pub(super) fn copied_names(&self) -> Vec<String> {
        self.copied.iter().map(|column| column.name.clone()).collect()
    }

    /// Prepares to write at once.
    pub(super) async fn prepare_direct(&mut self, ops: bool) -> Result<()> {
        let told = |e| told("prepare to write", e);
        let (client, table) = (&self.client, &self.table);
        let names: Vec<String> = table.names().map(str::to_owned).collect();
        let direct = if table.key.is_empty() {
            let copy = client.prepare(&copy_into(&table.sql, &[], &names)).await.map_err(told)?;
            Direct { copy, merge: None }
        } else {
            let mut declared = beside(&[BATCH, ROW], ops);
            declared.extend(table.declared.iter().cloned());
            let make = format!(
                "CREATE TEMPORARY TABLE swiftwater_rows ({}) ON COMMIT DELETE ROWS",
                declared.join(", ")
            );
            client.batch_execute(&make).await.map_err(told)?;
            let copy = copy_into(PASSING, &[BATCH, ROW], &self.copied_names());
            let merge = Merge {
                target: &table.sql,
                staging: PASSING,
                columns: &names,
                key: &table.key,
                newest: table.newest.as_deref(),
                ops,
                which: "true",
            };
            Direct {
                copy: client.prepare(&copy).await.map_err(told)?,
                merge: Some(client.prepare(&merge.sql()).await.map_err(told)?),
            }
        };
        self.direct = Some(direct);
        Ok(())
    }

    /// Writes rows, all or none.
    ///
    /// # Errors
    /// `Data` where a row is at fault; `Unavailable` where it may or may not have happened.
    pub(super) async fn write_direct(&self, rows: Bytes, what: &str) -> Result<()> {
        let Some(direct) = &self.direct else {
            return Err(Error::bug("write to a table before it was prepared"));
        };
        let written = async {
            self.copy(&direct.copy, rows, what).await?;
            if let Some(merge) = &direct.merge {
                self.client.execute(merge, &[]).await.map_err(|e| told(what, e))?;
            }
            Ok(())
        };
        self.transact(what, written).await
    }

    /// Does work in a transaction, and returns when it is committed. A statement by itself would not
    /// do: the server reports a prepared statement as complete before it commits.
    ///
    /// # Errors
    /// Those of the work, which is then undone; `Unavailable` where it may or may not have happened.
    pub(super) async fn transact(
        &self,
        what: &str,
        work: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        self.run("BEGIN", what).await?;
        let done = match work.await {
            Ok(()) => self.run("COMMIT", what).await,
            failed => failed,
        };
        if matches!(&done, Err(e) if e.kind == ErrorKind::Data) {
            self.run("ROLLBACK", what).await?;
        }
        done
    }

    /// Copies rows in.
    ///
    /// # Errors
    /// As [`told`].
    pub(super) async fn copy(&self, into: &Statement, rows: Bytes, what: &str) -> Result<()> {
        let copied = async {
            let sink = self.client.copy_in(into).await?;
            futures::pin_mut!(sink);
            sink.send(rows).await?;
            sink.finish().await
        };
        copied.await.map_err(|e| told(what, e)).map(|_| ())
    }

    /// Runs a statement without parameters.
    ///
    /// # Errors
    /// As [`told`].
    pub(super) async fn run(&self, sql: &str, what: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(|e| told(what, e))
    }

    /// Ends other sessions whose application's name is `like` this pattern, and waits until they
    /// have ended: what they were doing has happened by then, or never will.
    ///
    /// # Errors
    /// `Unavailable` where one does not end.
    pub(super) async fn end_others(&self, like: &str) -> Result<()> {
        const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE application_name LIKE $1 AND pid <> pg_backend_pid() AND usename = current_user";
        let what = "end sessions of an earlier process";
        for _ in 0..ENDED_WITHIN {
            let left = self.client.query(END, &[&like]).await.map_err(|e| told(what, e))?;
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Error::unavailable("SW2205", what)
            .with_hint("look after pg_stat_activity on the server"))
    }
}
