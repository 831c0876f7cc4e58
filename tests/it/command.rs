//! The command as its user meets it: verbs, exit codes, messages, the HTTP interface.

mod check;
mod create;
mod http;
mod inspect;
mod run;
mod secrets;
mod test;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::architecture::source::ROOT;
use crate::support::swiftwater;

/// What a call of the command came to.
struct Called {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs `swiftwater` in `directory` to its end.
fn call_in(directory: &Path, arguments: &[&str]) -> Called {
    let output = swiftwater(directory, arguments);
    Called {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Runs `swiftwater` to its end.
fn call(arguments: &[&str]) -> Called {
    call_in(TempDir::new().expect("a temporary directory").path(), arguments)
}

/// Runs a verb on a topology in the file `t.yaml`.
fn call_on(topology: &str, arguments: &[&str]) -> Called {
    let directory = TempDir::new().expect("a temporary directory");
    fs::write(directory.path().join("t.yaml"), topology).expect("the topology is written");
    call_in(directory.path(), arguments)
}

/// Compares with a file beside the tests; `BLESS=1` writes it instead.
fn assert_golden(name: &str, text: &str) {
    let path = Path::new(ROOT).join("tests/it/command").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, text).expect("the golden file is written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "differs from {name}; BLESS=1 accepts the new text");
}
