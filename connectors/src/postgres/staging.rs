//! Exactly once: rows wait in a table beside the target until their epoch is committed, and go into
//! the target in one transaction with the epoch's number.

use std::hash::{BuildHasher, RandomState};

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use swiftwater_engine::{Epoch, Error, ExactlyOnce, Result, Sequence, Staged};
use tokio_postgres::Statement;

use super::copy::{Extra, encode};
use super::faults::{told, told_without_row};
use super::session::{Session, beside};
use super::statements::{BATCH, Merge, PART, ROW, RUN, copy_into};
use super::table::TableName;

/// What an epoch staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StagedRows {
    /// Which process staged them.
    run: i64,
    /// Which of its epochs.
    part: i64,
    rows: i64,
    target: String,
    columns: Vec<String>,
    key: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<String>,
    ops: bool,
}

/// The tables of our own, and what is staged in them.
pub(super) struct Staging {
    topology: String,
    sink: String,
    /// The table of rows that wait.
    rows_table: String,
    /// The table of epochs.
    epochs_table: String,
    /// The beginning of the application's name of this sink's sessions, of this run and of others.
    sessions: String,
    run: i64,
    part: i64,
    /// Rows of the epoch under way.
    rows: i64,
    /// Whether the connection was lost in this epoch: then rows are counted before they are relied on.
    doubtful: bool,
    /// The batch whose copy may or may not have happened.
    uncertain: Option<Sequence>,
    copy: Option<Statement>,
    last: Option<(Epoch, StagedRows)>,
}

/// FNV-1a: the same in every version.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

fn number(epoch: Epoch) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

const WHAT: &str = "prepare the tables of staged rows";

impl Staging {
    pub(super) fn new(topology: &str, sink: &str, target: &TableName) -> Self {
        let id = format!("{:016x}", hash(&[topology, sink]));
        // Every hasher of the standard library is seeded at random.
        let run = RandomState::new().hash_one(&id).cast_signed();
        Self {
            topology: topology.to_owned(),
            sink: sink.to_owned(),
            rows_table: target.beside(&format!("swiftwater_staging_{id}")),
            epochs_table: target.beside("swiftwater_epochs"),
            sessions: format!("swiftwater:{id}:"),
            run,
            part: 1,
            rows: 0,
            doubtful: false,
            uncertain: None,
            copy: None,
            last: None,
        }
    }

    /// The application's name that this run's sessions have.
    pub(super) fn application(&self) -> String {
        format!("{}{:016x}", self.sessions, self.run)
    }

    /// Finishes the last committed epoch where that is still to be done, and clears away what was
    /// never committed.
    ///
    /// # Errors
    /// `State` (`SW2207`, `SW2208`) where the tables and the snapshots do not agree.
    pub(super) async fn recover(
        &mut self,
        session: &Session,
        exactly_once: &ExactlyOnce,
        ops: bool,
    ) -> Result<()> {
        // An earlier process that was only frozen must not get in between.
        session.end_others(&format!("{}%", self.sessions)).await?;
        let Self { epochs_table, rows_table, .. } = &*self;
        let make = format!(
            "CREATE TABLE IF NOT EXISTS {epochs_table} (topology text, sink text, epoch bigint NOT NULL, \
             staged bigint, changed timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topology, sink))"
        );
        session.run(&make, WHAT).await?;
        let committed = exactly_once.committed.as_ref();
        let epoch = committed.map_or(0, |(epoch, _)| *epoch);
        let rows = committed.and_then(|(_, staged)| staged.as_ref()).map(read).transpose()?;
        session.run("BEGIN", WHAT).await?;
        let insert = format!(
            "INSERT INTO {epochs_table} (topology, sink, epoch) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING"
        );
        let id: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&self.topology, &self.sink];
        session.client.execute(&insert, &id).await.map_err(|e| told(WHAT, e))?;
        let applied = self.applied(session).await?;
        if applied > number(epoch) {
            return Err(self.ahead(applied, epoch));
        }
        if applied < number(epoch) {
            if let Some(rows) = rows.filter(|staged| staged.rows > 0) {
                self.apply(session, &rows, true).await?;
            }
            self.set_applied(session, epoch).await?;
        }
        let mut declared = beside(&[RUN, PART, BATCH, ROW], ops);
        declared.extend(session.table.declared.iter().cloned());
        let anew = format!(
            "DROP TABLE IF EXISTS {rows_table}; CREATE TABLE {rows_table} ({}); COMMIT",
            declared.join(", ")
        );
        session.run(&anew, WHAT).await?;
        self.prepare(session).await
    }

    /// After a lost connection: what it was doing has happened or never will.
    ///
    /// # Errors
    /// `Unavailable` where that is not certain.
    pub(super) async fn go_on(&mut self, session: &Session) -> Result<()> {
        session.end_others(&self.application()).await?;
        self.doubtful = true;
        self.prepare(session).await
    }

    /// Rows become durable when their epoch is staged: waiting for each batch would cost a turn of the
    /// disk.
    async fn prepare(&mut self, session: &Session) -> Result<()> {
        session.run("SET synchronous_commit = off", WHAT).await?;
        let copy = copy_into(&self.rows_table, &[RUN, PART, BATCH, ROW], &session.copied_names());
        self.copy = Some(session.client.prepare(&copy).await.map_err(|e| told(WHAT, e))?);
        Ok(())
    }

    fn ahead(&self, applied: i64, epoch: Epoch) -> Error {
        let Self { topology, sink, epochs_table, .. } = self;
        Error::state(
            "SW2208",
            format!("go on from epoch {epoch} where the table has rows up to epoch {applied}"),
        )
        .with_hint(format!(
            "another process of this topology goes on already, or its snapshots were removed; to begin anew: \
             DELETE FROM {epochs_table} WHERE topology = '{topology}' AND sink = '{sink}'"
        ))
    }

    /// The last epoch whose rows are in the target; the row is locked until the transaction ends.
    async fn applied(&self, session: &Session) -> Result<i64> {
        let sql = format!(
            "SELECT epoch FROM {} WHERE topology = $1 AND sink = $2 FOR UPDATE",
            self.epochs_table
        );
        let row = session.client.query_opt(&sql, &[&self.topology, &self.sink]).await;
        let row = row.map_err(|e| told("look at the epochs of the table", e))?;
        row.map(|row| row.get(0)).ok_or_else(|| {
            Error::state("SW2208", format!("find the row of this sink in {}", self.epochs_table))
                .with_hint("somebody removed it while the topology ran: start again")
        })
    }

    async fn set_applied(&self, session: &Session, epoch: Epoch) -> Result<()> {
        let sql = format!(
            "UPDATE {} SET epoch = $3, changed = now() WHERE topology = $1 AND sink = $2 AND epoch < $3",
            self.epochs_table
        );
        let id: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&self.topology, &self.sink, &number(epoch)];
        session.client.execute(&sql, &id).await.map_err(|e| told("note the epoch", e))?;
        Ok(())
    }

    async fn check_count(&self, session: &Session, of: (i64, i64), expected: i64) -> Result<()> {
        let sql =
            format!("SELECT count(*) FROM {} WHERE {RUN} = $1 AND {PART} = $2", self.rows_table);
        let counted = session.client.query_one(&sql, &[&of.0, &of.1]).await;
        let found: i64 = counted.map_err(|e| told("count staged rows", e))?.get(0);
        if found == expected {
            return Ok(());
        }
        Err(Error::state("SW2207", format!("find {expected} staged rows in {}: {found} are there", self.rows_table))
            .with_hint("the server lost or doubled them in a crash or a failover; the topology goes on from the last epoch"))
    }

    /// Brings staged rows into the target and clears the table, within the caller's transaction.
    async fn apply(&self, session: &Session, staged: &StagedRows, count: bool) -> Result<()> {
        if count {
            self.check_count(session, (staged.run, staged.part), staged.rows).await?;
        }
        let which = format!("{RUN} = {} AND {PART} = {}", staged.run, staged.part);
        let merge = Merge {
            target: &staged.target,
            staging: &self.rows_table,
            columns: &staged.columns,
            key: &staged.key,
            newest: staged.newest.as_deref(),
            ops: staged.ops,
            which: &which,
        };
        let told = |e| told_without_row("bring staged rows into the table", e);
        session.client.execute(&merge.sql(), &[]).await.map_err(told)?;
        session.client.batch_execute(&format!("TRUNCATE {}", self.rows_table)).await.map_err(told)
    }

    /// Takes a batch in; the connection may be lost meanwhile.
    ///
    /// # Errors
    /// `Data` where a row is at fault; nothing of the batch was taken.
    pub(super) async fn write(
        &mut self,
        session: &Session,
        sequence: Sequence,
        records: &RecordBatch,
        what: &str,
    ) -> Result<()> {
        let numbers = [self.run, self.part, number(sequence)];
        let rows =
            encode(records, &session.copied, &Extra { numbers: &numbers, row_numbers: true })?;
        let Some(copy) = &self.copy else {
            return Err(Error::bug("stage rows before the tables were prepared"));
        };
        let again = self.uncertain == Some(sequence);
        let copied = async {
            if again {
                let sql = format!(
                    "DELETE FROM {} WHERE {RUN} = $1 AND {PART} = $2 AND {BATCH} = $3",
                    self.rows_table
                );
                let [run, part, batch] = &numbers;
                let deleted = session.client.execute(&sql, &[run, part, batch]).await;
                deleted.map_err(|e| told(what, e))?;
            }
            session.copy(copy, rows, what).await
        };
        self.uncertain = Some(sequence);
        let copied = session.transact(what, copied).await;
        // A refusal of the server's is a certain outcome.
        if !matches!(&copied, Err(e) if e.kind == swiftwater_engine::ErrorKind::Unavailable) {
            self.uncertain = None;
        }
        copied?;
        self.rows += i64::try_from(records.num_rows()).unwrap_or(i64::MAX);
        Ok(())
    }

    /// Makes the rows of the epoch durable.
    ///
    /// # Errors
    /// `State` where rows were lost, or another process has taken over.
    pub(super) async fn stage(
        &mut self,
        session: &Session,
        epoch: Epoch,
        ops: bool,
    ) -> Result<Staged> {
        if let Some((_, staged)) = self.last.as_ref().filter(|(last, _)| *last == epoch) {
            return write(staged);
        }
        let table = &session.table;
        let staged = StagedRows {
            run: self.run,
            part: self.part,
            rows: self.rows,
            target: table.sql.clone(),
            columns: table.names().map(str::to_owned).collect(),
            key: table.key.clone(),
            newest: table.newest.clone(),
            ops,
        };
        if self.rows > 0 {
            self.make_durable(session, epoch).await?;
        }
        let value = write(&staged)?;
        self.last = Some((epoch, staged));
        self.part += 1;
        self.rows = 0;
        self.doubtful = false;
        self.uncertain = None;
        Ok(value)
    }

    /// One commit that waits for the disk makes durable what was committed before it, too.
    async fn make_durable(&self, session: &Session, epoch: Epoch) -> Result<()> {
        let what = "make staged rows durable";
        session.run("BEGIN; SET LOCAL synchronous_commit = on", what).await?;
        if self.doubtful {
            self.check_count(session, (self.run, self.part), self.rows).await?;
        }
        let sql = format!(
            "UPDATE {} SET staged = $3 WHERE topology = $1 AND sink = $2 AND epoch < $3",
            self.epochs_table
        );
        let id: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&self.topology, &self.sink, &number(epoch)];
        let noted = session.client.execute(&sql, &id).await.map_err(|e| told(what, e))?;
        if noted == 0 {
            let applied = self.applied(session).await?;
            return Err(self.ahead(applied, epoch - 1));
        }
        session.run("COMMIT", what).await
    }

    /// Brings the rows of a committed epoch into the target, once.
    ///
    /// # Errors
    /// `State` where the target refuses them.
    pub(super) async fn finalise(
        &mut self,
        session: &Session,
        epoch: Epoch,
        staged: &Staged,
    ) -> Result<()> {
        let staged = read(staged)?;
        if staged.rows > 0 {
            let what = "finish an epoch";
            session.run("BEGIN; SET LOCAL synchronous_commit = on", what).await?;
            if self.applied(session).await? < number(epoch) {
                self.apply(session, &staged, self.doubtful).await?;
                self.set_applied(session, epoch).await?;
            }
            session.run("COMMIT", what).await?;
        }
        self.last = None;
        self.doubtful = false;
        Ok(())
    }
}

fn read(staged: &Staged) -> Result<StagedRows> {
    serde_json::from_value(staged.clone()).map_err(|e| {
        Error::state("SW2207", "read which rows the last committed epoch had staged")
            .with_hint("give the node the kind back that it had, or another name")
            .with_source(e)
    })
}

fn write(staged: &StagedRows) -> Result<Staged> {
    serde_json::to_value(staged)
        .map_err(|e| Error::bug("write what an epoch has staged").with_source(e))
}
