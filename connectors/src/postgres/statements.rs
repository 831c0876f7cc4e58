//! The statements that bring rows from a table beside the target into it.

use super::table::{list, quoted};

/// Number of the process's run, of its epochs, and of the batch that a staged row came in.
pub(super) const RUN: &str = "_sw_run";
/// See [`RUN`].
pub(super) const PART: &str = "_sw_part";
/// See [`RUN`].
pub(super) const BATCH: &str = "_sw_batch";
/// Place of a row within its batch.
pub(super) const ROW: &str = "_sw_row";
/// What a row of an upsert stream does.
pub(super) const OP: &str = "_sw_op";

/// What is known of rows that wait beside the target.
#[derive(Debug, Clone)]
pub(super) struct Merge<'a> {
    /// The target in statements.
    pub(super) target: &'a str,
    /// The table beside it.
    pub(super) staging: &'a str,
    /// Columns that are written.
    pub(super) columns: &'a [String],
    /// Columns that identify a row; empty where each row is one of its own.
    pub(super) key: &'a [String],
    /// Column of times: a row with an older one replaces and deletes nothing.
    pub(super) newest: Option<&'a str>,
    /// Whether rows say what they do.
    pub(super) ops: bool,
    /// Which of the rows are meant: a condition.
    pub(super) which: &'a str,
}

impl Merge<'_> {
    /// Brings the rows into the target: the newest one of each key, or where there are no times the
    /// last.
    pub(super) fn sql(&self) -> String {
        let Self { target, staging, which, .. } = self;
        let columns = list(self.columns.iter().map(String::as_str));
        if self.key.is_empty() {
            return format!(
                "INSERT INTO {target} ({columns}) SELECT {columns} FROM {staging} WHERE {which} ORDER BY {BATCH}, {ROW}"
            );
        }
        let key = list(self.key.iter().map(String::as_str));
        let newest = self.newest.map(quoted);
        let first = newest.iter().map(|c| format!("{c} DESC NULLS LAST, ")).collect::<String>();
        let last = format!(
            "SELECT DISTINCT ON ({key}) * FROM {staging} WHERE {which} ORDER BY {key}, {first}{BATCH} DESC, {ROW} DESC"
        );
        let not_older = |other: &str| {
            newest
                .iter()
                .map(move |c| format!("(t.{c} IS NULL OR {other}.{c} >= t.{c})"))
                .collect::<Vec<_>>()
        };
        let rest: Vec<String> = self
            .columns
            .iter()
            .filter(|column| !self.key.contains(column))
            .map(|column| format!("{0} = EXCLUDED.{0}", quoted(column)))
            .collect();
        let conflict = if rest.is_empty() {
            "DO NOTHING".to_owned()
        } else {
            let only =
                not_older("EXCLUDED").iter().map(|c| format!(" WHERE {c}")).collect::<String>();
            format!("DO UPDATE SET {}{only}", rest.join(", "))
        };
        let (gone, kept) = if self.ops {
            let same = self.key.iter().map(|k| format!("t.{0} = l.{0}", quoted(k)));
            let same: Vec<String> = same.chain(not_older("l")).collect();
            let gone = format!(
                ", gone AS (DELETE FROM {target} t USING last l WHERE l.{OP} = 'delete' AND {})",
                same.join(" AND ")
            );
            (gone, format!(" WHERE {OP} IS DISTINCT FROM 'delete'"))
        } else {
            (String::new(), String::new())
        };
        format!(
            "WITH last AS ({last}){gone} INSERT INTO {target} AS t ({columns}) SELECT {columns} FROM last{kept} ON CONFLICT ({key}) {conflict}"
        )
    }
}

/// Takes rows in the binary format.
pub(super) fn copy_into(table: &str, extra: &[&str], columns: &[String]) -> String {
    let all = extra.iter().copied().chain(columns.iter().map(String::as_str));
    format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", list(all))
}
