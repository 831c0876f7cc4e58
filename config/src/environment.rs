//! Where interpolation takes its values from: variables and secret files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

/// Secret files are short; a larger one is a wrong path.
const LARGEST_SECRET: u64 = 1024 * 1024;

/// Directories whose files the container runtime guards, whatever their mode says.
const GUARDED: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// What `${VAR}` and `${file:/path}` stand for.
pub trait Environment {
    /// The value of a variable, or `None` where it is not set.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of a secret file without its last line break.
    ///
    /// # Errors
    /// The reason as a lowercase fragment, without any of the file's content.
    fn secret_file(&self, path: &str) -> Result<String, String>;

    /// What should be said about the file's protection, such as that everybody may read it.
    fn secret_file_warning(&self, path: &str) -> Option<String> {
        let _ = path;
        None
    }
}

/// The environment of this process, with values that come before it.
#[derive(Clone, Default)]
pub struct ProcessEnvironment {
    overrides: BTreeMap<String, String>,
}

impl ProcessEnvironment {
    /// The environment of this process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable, in place of the one of the process.
    #[must_use]
    pub fn with_override(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.insert(name.into(), value.into());
        self
    }

    /// Reads `NAME=value` lines, in place of the variables of the process. Empty lines and lines
    /// that start with `#` are skipped, `export ` before a name and quotes around a value are
    /// taken off.
    ///
    /// # Errors
    /// A lowercase fragment that names the line; no value is quoted.
    pub fn with_file(mut self, path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path)
            .map_err(|e| format!("read the variables of `{}`: {e}", path.display()))?;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let assignment = line.strip_prefix("export ").unwrap_or(line).split_once('=');
            let Some((name, value)) = assignment.filter(|(name, _)| is_name(name.trim())) else {
                return Err(format!(
                    "read the variables of `{}`: line {} is not `NAME=value`",
                    path.display(),
                    number + 1
                ));
            };
            let value = unquote(value.trim());
            self.overrides.insert(name.trim().into(), value.into());
        }
        Ok(self)
    }
}

/// Whether `text` can be the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unquote(text: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
}

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.overrides.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    fn secret_file(&self, path: &str) -> Result<String, String> {
        let file = fs::File::open(path).map_err(|e| reason(&e))?;
        let mut text = String::new();
        file.take(LARGEST_SECRET + 1).read_to_string(&mut text).map_err(|e| reason(&e))?;
        if text.len() as u64 > LARGEST_SECRET {
            return Err("it is larger than 1 MiB".into());
        }
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(text)
    }

    #[cfg(unix)]
    fn secret_file_warning(&self, path: &str) -> Option<String> {
        use std::os::unix::fs::PermissionsExt;

        if GUARDED.iter().any(|guarded| Path::new(path).starts_with(guarded)) {
            return None;
        }
        let mode = fs::metadata(path).ok()?.permissions().mode();
        (mode & 0o004 != 0).then(|| format!("every user of this machine may read `{path}`"))
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "this user may not read it".into(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        _ => error.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_variables_file_comes_before_the_process() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# a comment\n\nPATH=here\nexport TOPIC = 'bids' \nEMPTY=").unwrap();
        let environment = ProcessEnvironment::new().with_file(file.path()).unwrap();
        assert_eq!(environment.var("PATH").unwrap(), "here");
        assert_eq!(environment.var("TOPIC").unwrap(), "bids");
        assert_eq!(environment.var("EMPTY").unwrap(), "");
        assert_eq!(environment.var("SWIFTWATER_NO_SUCH_VARIABLE"), None);
    }

    #[test]
    fn a_bad_line_is_named_without_its_content() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "A=1\nhunter2").unwrap();
        let error = ProcessEnvironment::new().with_file(file.path()).err().unwrap();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn secret_files_lose_one_line_break_and_have_a_bound() {
        let environment = ProcessEnvironment::new();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "pass word\r\n").unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        assert_eq!(environment.secret_file(&path).unwrap(), "pass word");
        file.write_all(&vec![b'x'; 1024 * 1024]).unwrap();
        assert!(environment.secret_file(&path).unwrap_err().contains("larger"));
        let missing = environment.secret_file("/no/such/file").unwrap_err();
        assert_eq!(missing, "there is no such file");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_may_read_is_worth_a_warning() {
        use std::os::unix::fs::PermissionsExt;

        let environment = ProcessEnvironment::new();
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(environment.secret_file_warning(path), None);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(environment.secret_file_warning(path).unwrap().contains(path));
    }
}
