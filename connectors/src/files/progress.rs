//! How far an instance of the source has come, in a form that outlives the process and that another
//! number of instances can go on from.

use std::collections::BTreeMap;

use swiftwater_engine::Position;

/// Position of a file that was read to its end.
pub(crate) const FINISHED: i64 = i64::MAX;

/// Which files an instance reads: those whose names hash to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Share {
    instance: u64,
    instances: u64,
}

impl Share {
    fn has(self, name: &str) -> bool {
        // FNV-1a: it is the same in every version and on every machine.
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        hash % self.instances == self.instance
    }
}

/// Which records were handed over.
///
/// Of files that are read in the order of their names, it is enough to know the newest one: the key
/// `[0/2] before bids/7.json` says that of the first of two shares everything before that name is
/// finished. Where new files may have earlier names, each file is listed.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    share: Share,
    in_order: bool,
    /// Records used up, by file.
    files: BTreeMap<String, i64>,
    /// The name before which a share is finished.
    before: BTreeMap<Share, String>,
}

fn key_of(share: Share, name: &str) -> String {
    format!("[{}/{}] before {name}", share.instance, share.instances)
}

fn parse_key(key: &str) -> Option<(Share, &str)> {
    let (share, name) = key.strip_prefix('[')?.split_once("] before ")?;
    let (instance, instances) = share.split_once('/')?;
    let share = Share { instance: instance.parse().ok()?, instances: instances.parse().ok()? };
    (share.instance < share.instances).then_some((share, name))
}

impl Progress {
    /// Instance `instance` of `instances`, going on from `resume`. `in_order`: files are read in the
    /// order of their names, and none comes later with an earlier name.
    pub(crate) fn new(
        (instance, instances): (usize, usize),
        in_order: bool,
        resume: Option<&Position>,
    ) -> Self {
        let instances = instances.max(1) as u64;
        let share = Share { instance: instance as u64 % instances, instances };
        let (mut files, mut before) = (BTreeMap::new(), BTreeMap::new());
        for (key, value) in resume.iter().flat_map(|position| &position.0) {
            match parse_key(key) {
                // What another instance says of its share is its own to keep up.
                Some((of, name)) if of == share || of.instances != instances => {
                    before.insert(of, name.to_owned());
                }
                Some(_) => {}
                None if share.has(key) => {
                    files.insert(key.clone(), *value);
                }
                None => {}
            }
        }
        Self { share, in_order, files, before }
    }

    /// Whether nothing was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.before.is_empty()
    }

    /// Whether the file is one that this instance reads.
    pub(crate) fn is_mine(&self, name: &str) -> bool {
        self.share.has(name)
    }

    /// Records of a file that are used up; [`FINISHED`] for all.
    pub(crate) fn used(&self, name: &str) -> i64 {
        let done = |(share, before): (&Share, &String)| name < before.as_str() && share.has(name);
        match self.files.get(name) {
            Some(used) => *used,
            None if self.before.iter().any(done) => FINISHED,
            None => 0,
        }
    }

    /// Files that were begun and not finished.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &str> {
        let begun = self.files.iter().filter(|(_, used)| **used > 0 && **used != FINISHED);
        begun.map(|(name, _)| name.as_str())
    }

    /// The file is read next.
    pub(crate) fn begin(&mut self, name: &str) {
        let used = self.used(name);
        if self.in_order {
            self.files.retain(|file, _| file.as_str() > name);
            self.before.insert(self.share, name.to_owned());
        }
        self.files.insert(name.to_owned(), used);
    }

    /// So many records of the file are used up.
    pub(crate) fn advance(&mut self, name: &str, used: i64) {
        if let Some(position) = self.files.get_mut(name) {
            *position = used;
        }
    }

    /// The position to go on from.
    pub(crate) fn position(&self) -> Position {
        let before = self.before.iter().map(|(share, name)| (key_of(*share, name), FINISHED));
        Position(self.files.clone().into_iter().chain(before).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_of_many_files_in_order_is_short() {
        let mut progress = Progress::new((0, 1), true, None);
        for n in 0..100 {
            let name = format!("in/{n:03}.json");
            progress.begin(&name);
            progress.advance(&name, FINISHED);
        }
        progress.begin("in/100.json");
        progress.advance("in/100.json", 7);
        let position = progress.position();
        assert_eq!(position.0.len(), 2);
        let resumed = Progress::new((0, 1), true, Some(&position));
        assert_eq!(resumed.used("in/099.json"), FINISHED);
        assert_eq!(resumed.used("in/100.json"), 7);
        assert_eq!(resumed.used("in/101.json"), 0);
        assert_eq!(resumed.unfinished().collect::<Vec<_>>(), ["in/100.json"]);
    }

    #[test]
    fn keys_that_are_paths_are_no_shares() {
        for path in ["[a]/b", "[1/0] before x", "[2/2] before x", "bids/[0-9].json"] {
            assert_eq!(parse_key(path), None, "{path}");
        }
    }
}
