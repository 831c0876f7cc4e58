//! Scripts of `tests/oracle/` in the Python that `scripts/python.sh` keeps.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The root of the workspace. Tests of a member crate stand one folder below it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.join("scripts").is_dir() { here.to_owned() } else { here.join("..") }
}

/// What a command printed; fails the test where it failed.
fn printed(mut command: Command, input: &str) -> Vec<u8> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    // A script that reads nothing may have gone already.
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().expect("a child of ours");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
    output.stdout
}

/// The Python that `scripts/python.sh` keeps.
pub(crate) fn python() -> String {
    std::env::var("SWIFTWATER_TEST_PYTHON").unwrap_or_else(|_| {
        let made = printed(Command::new(root().join("scripts/python.sh")), "");
        String::from_utf8(made).expect("a path").trim().to_owned()
    })
}

/// What a script prints for its arguments and an input, as JSON.
pub(crate) fn oracle(script: &str, arguments: &[&str], input: &str) -> Value {
    let mut command = Command::new(python());
    command.arg(root().join("tests/oracle").join(script)).args(arguments);
    // Threads for matrices of a hundred rows wait for each other more than they compute.
    command.env("OMP_NUM_THREADS", "1");
    serde_json::from_slice(&printed(command, input)).expect("JSON")
}
