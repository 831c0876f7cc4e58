//! What was spent and what was published, in one file that is only ever appended to.
//!
//! Each line is a JSON record, a space and the SHA-256 of the line before it and this record, so that
//! a line that was changed, lost or swapped is seen. A release takes four steps: its cost is written
//! and synced (debit), noise is drawn, the noisy numbers are written and synced (release), and they
//! are published from there. A process that dies after the debit has spent it: the next try pays
//! again and draws other noise, of which nobody saw the first. A process that dies after the release
//! publishes the very same numbers.
//!
//! A lock on the file is held for each step, and lines that others wrote are read before it: several
//! topologies may share a ledger. A last line without its end is one whose step was never taken.

mod account;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use swiftwater_engine::{Error, Result};

use self::account::Account;
use super::accounting::Nano;

/// What identifies a release: what made it, and its window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ReleaseId {
    /// The series of releases, one for each window.
    pub(crate) series: String,
    /// Start of the window in microseconds since 1970.
    pub(crate) window: i64,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Record {
    /// What the ledger is about: its first line.
    Account {
        /// Name of the data.
        dataset: String,
        /// `event`, or `entity(column)`.
        unit: String,
        /// Billionths of rho.
        budget: Nano,
    },
    /// A release is paid for.
    Debit {
        /// Which.
        id: ReleaseId,
        /// Billionths of rho.
        cost: Nano,
    },
    /// Noisy numbers that may be published any number of times.
    Release {
        /// Which.
        id: ReleaseId,
        /// What was asked: tables, domains, sensitivity and noise.
        question: String,
        /// The noisy numbers in their order.
        numbers: Vec<i64>,
    },
}

/// What is to be done about a release.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It was made: these are its numbers.
    Publish(Vec<i64>),
    /// It is paid for: draw noise, and record it.
    Draw,
}

enum Lines {
    File { file: File, path: PathBuf, read: u64 },
    Memory,
}

/// A ledger.
pub(crate) struct Ledger {
    lines: Lines,
    chain: [u8; 32],
    account: Account,
}

fn broken(path: &Path, why: &str) -> Error {
    let message = format!("read the privacy ledger `{}`: {why}", path.display());
    Error::state("SW3263", message)
        .with_hint("bring the file back as it was: without it nobody knows what was spent")
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let message = format!("use the privacy ledger `{}`", path.display());
    Error::state("SW3263", message).with_source(error)
}

fn linked(chain: &[u8; 32], record: &str) -> [u8; 32] {
    Sha256::new().chain_update(chain).chain_update(record).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A short name of a question.
pub(crate) fn digest(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    hex(sum.get(..16).unwrap_or_default())
}

impl Ledger {
    /// A ledger that is forgotten with the process.
    pub(crate) fn in_memory() -> Self {
        Self { lines: Lines::Memory, chain: [0; 32], account: Account::default() }
    }

    /// The ledger in a file, which is made where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |e| unwritable(path, e);
        let directory = path.parent().filter(|d| !d.as_os_str().is_empty());
        let directory = directory.unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(directory).map_err(failed)?;
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false);
        let file = file.open(path).map_err(failed)?;
        // The name of a new file is durable only when its directory is.
        File::open(directory).and_then(|d| d.sync_all()).map_err(failed)?;
        let lines = Lines::File { file, path: path.to_owned(), read: 0 };
        Ok(Self { lines, chain: [0; 32], account: Account::default() })
    }

    /// Says what the ledger is about, or checks that it is.
    ///
    /// # Errors
    /// `State` (`SW3264`) where it is about something else, or has another budget.
    pub(crate) fn begin(&mut self, dataset: &str, unit: &str, budget: Nano) -> Result<()> {
        let record = Record::Account { dataset: dataset.into(), unit: unit.into(), budget };
        self.locked(|ledger| match ledger.account.subject() {
            None => ledger.append(&record),
            Some(known) if *known == record => Ok(()),
            Some(known) => {
                let message = format!("use a privacy ledger of {known:?} for {record:?}");
                Err(Error::state("SW3264", message).with_hint(
                    "all nodes that share a ledger name the same dataset, unit and budget; data has one ledger",
                ))
            }
        })
    }

    /// Pays for a release, unless it was made already.
    ///
    /// # Errors
    /// `State`: `SW3262` where the budget does not allow it, `SW3264` where the release was made
    /// to answer another question, `SW3263` where the ledger cannot be read or written.
    pub(crate) fn debit(&mut self, id: &ReleaseId, question: &str, cost: Nano) -> Result<Next> {
        self.locked(|ledger| {
            if let Some((asked, numbers)) = ledger.account.release(id) {
                if asked != question {
                    let message = format!(
                        "publish the series `{}`: its release of this window answered another question",
                        id.series
                    );
                    return Err(Error::state("SW3264", message)
                        .with_hint("give changed tables, domains or noise another `series`"));
                }
                return Ok(Next::Publish(numbers.to_vec()));
            }
            ledger.account.check(id, cost)?;
            ledger.append(&Record::Debit { id: id.clone(), cost })?;
            Ok(Next::Draw)
        })
    }

    /// Writes a release down and gives what is to be published: the numbers of another process,
    /// where it was faster.
    ///
    /// # Errors
    /// `State` (`SW3263`) where the ledger cannot be read or written.
    pub(crate) fn record(
        &mut self,
        id: &ReleaseId,
        question: &str,
        numbers: Vec<i64>,
    ) -> Result<Vec<i64>> {
        self.locked(|ledger| {
            if let Some((_, numbers)) = ledger.account.release(id) {
                return Ok(numbers.to_vec());
            }
            let question = question.to_owned();
            let numbers_written = numbers.clone();
            ledger.append(&Record::Release {
                id: id.clone(),
                question,
                numbers: numbers_written,
            })?;
            Ok(numbers)
        })
    }

    /// What was spent, in billionths of rho.
    pub(crate) fn spent(&self) -> Nano {
        self.account.spent()
    }

    /// What may be spent, in billionths of rho.
    pub(crate) fn budget(&self) -> Nano {
        self.account.budget()
    }

    fn locked<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let Lines::File { file, path, .. } = &self.lines else {
            return work(self);
        };
        let (held, path) = (file.try_clone(), path.clone());
        let held = held.map_err(|e| unwritable(&path, e))?;
        held.lock().map_err(|e| unwritable(&path, e))?;
        let done = self.read_on().and_then(|()| work(self));
        let unlocked = held.unlock().map_err(|e| unwritable(&path, e));
        let done = done?;
        unlocked.map(|()| done)
    }

    /// Reads lines that came since, and cuts off a last one that was not written to its end.
    fn read_on(&mut self) -> Result<()> {
        let Lines::File { file, path, read } = &mut self.lines else {
            return Ok(());
        };
        let failed = |e| unwritable(path, e);
        let length = file.metadata().map_err(failed)?.len();
        if length < *read {
            return Err(broken(path, "it has become shorter"));
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(*read)).map_err(failed)?;
        file.read_to_end(&mut bytes).map_err(failed)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in bytes.get(..end).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = str::from_utf8(line).map_err(|_| broken(path, "it is no text"))?;
            let parts = line.rsplit_once(' ');
            let (record, sum) = parts.ok_or_else(|| broken(path, "a line has no checksum"))?;
            let chain = linked(&self.chain, record);
            if hex(&chain) != sum {
                return Err(broken(path, "a line is not as it was written"));
            }
            let record: Record =
                serde_json::from_str(record).map_err(|e| broken(path, &e.to_string()))?;
            self.account.take(record).map_err(|why| broken(path, why))?;
            self.chain = chain;
            *read += line.len() as u64 + 1;
        }
        if *read < length {
            file.set_len(*read).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        Ok(())
    }

    fn append(&mut self, record: &Record) -> Result<()> {
        let text = serde_json::to_string(record)
            .map_err(|e| Error::bug("write a record of a ledger").with_source(e))?;
        let chain = linked(&self.chain, &text);
        if let Lines::File { file, path, read } = &mut self.lines {
            let failed = |e| unwritable(path, e);
            let line = format!("{text} {}\n", hex(&chain));
            file.seek(SeekFrom::Start(*read)).map_err(failed)?;
            file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            *read += line.len() as u64;
        }
        self.chain = chain;
        self.account.take(record.clone()).map_err(|why| Error::bug(format!("keep a ledger: {why}")))
    }
}

#[cfg(test)]
mod tests;
