//! A server that a test needs: named by a variable, or started by a script of `scripts/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A script of this workspace. Tests of a member crate stand one folder below the root.
fn path(script: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = if here.join("scripts").is_dir() { here.to_owned() } else { here.join("..") };
    root.join("scripts").join(script)
}

/// Runs a server's script on a directory.
pub(crate) fn call(script: &str, command: &str, directory: &Path, options: &[&str]) -> Output {
    Command::new(path(script))
        .arg(command)
        .arg("--dir")
        .arg(directory)
        .args(options)
        .output()
        .expect("bash runs a script of the workspace")
}

/// What a script said; fails the test where the script failed.
pub(crate) fn said(script: &str, output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "scripts/{script} failed:\n{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

/// The address of a server that all tests of this process share: the value of `variable`, or that of
/// one started by `script`, which stops it when this process has ended.
pub(crate) fn shared(variable: &str, script: &str) -> String {
    match std::env::var(variable) {
        Ok(address) if !address.is_empty() => address,
        _ => {
            let process = std::process::id().to_string();
            let directory = std::env::temp_dir().join(format!("swiftwater-{script}-{process}"));
            said(script, &call(script, "start", &directory, &["--with", &process]))
        }
    }
}
