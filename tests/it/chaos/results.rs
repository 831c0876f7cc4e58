//! Reads what came out into files and into PostgreSQL.

use std::path::Path;

use serde_json::Value;

use super::oracle::Window;

/// The windows in the files that a reader sees, in order.
pub(super) fn in_files(directory: &Path) -> Vec<Window> {
    let mut windows = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else {
        return windows;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(['.', '_']));
        if hidden || path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| row[name].as_i64().unwrap();
            let key = number("key").unsigned_abs();
            windows.push((key, millis(&row["window_start"]), number("rows"), number("total")));
        }
    }
    windows.sort_unstable();
    windows
}

/// The windows in a table of PostgreSQL, in order.
pub(super) fn in_table(url: &str, table: &str) -> Vec<Window> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let query = format!(
        "SELECT key::text, (extract(epoch FROM window_start) * 1000)::bigint::text, rows::text, \
         total::bigint::text FROM {table}"
    );
    let rows = runtime.block_on(async {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let rows = client.query(&query, &[]).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        rows
    });
    let number = |row: &tokio_postgres::Row, i: usize| row.get::<_, &str>(i).parse().unwrap();
    let window = |row: &tokio_postgres::Row| {
        let key: i64 = number(row, 0);
        (key.unsigned_abs(), number(row, 1), number(row, 2), number(row, 3))
    };
    let mut windows: Vec<Window> = rows.iter().map(window).collect();
    windows.sort_unstable();
    windows
}

/// A time as milliseconds, however it is written.
fn millis(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap(),
        other => {
            let text = other.as_str().unwrap();
            let text = if text.ends_with('Z') { text.to_owned() } else { format!("{text}Z") };
            chrono::DateTime::parse_from_rfc3339(&text).unwrap().timestamp_millis()
        }
    }
}
