//! Extents against a plain list of what was written; and where files are.

use proptest::prelude::*;

use super::*;

proptest! {
    /// What was written is read, from any place, whatever came and went in between; and where
    /// everything is gone, so is the file's length.
    #[test]
    fn extents_keep_their_bytes(steps in prop::collection::vec((0usize..120_000, any::<u8>(), any::<u16>()), 1..40)) {
        let directory = tempfile::tempdir().unwrap();
        let file = SpillRoom::new([directory.path().to_owned()]).file().unwrap();
        let mut held: Vec<(SpillExtent, Vec<u8>)> = Vec::new();
        for (length, seed, dice) in steps {
            if dice % 3 == 0 && !held.is_empty() {
                held.swap_remove(dice as usize % held.len());
                continue;
            }
            let bytes: Vec<u8> = (0..length).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect();
            held.push((file.write(&bytes).unwrap(), bytes));
            for (extent, bytes) in &held {
                let at = dice as usize % (bytes.len() + 1);
                let mut read = vec![0; (bytes.len() - at).min(50_000)];
                extent.read(at, &mut read).unwrap();
                prop_assert_eq!(&read, &bytes[at..at + read.len()]);
                prop_assert!(extent.disk_bytes() < extent.len() + 16 * 1024);
            }
        }
        prop_assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "files have no names");
        if let Some((extent, _)) = held.first() {
            prop_assert!(extent.read(extent.len(), &mut [0]).is_err());
        }
        drop(held);
        let fresh = file.write(&[1, 2, 3]).unwrap();
        prop_assert_eq!(fresh.disk_bytes(), 16 * 1024);
    }
}

#[test]
fn the_first_directory_that_can_be_written_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a_file");
    std::fs::write(&file, "").unwrap();
    let below = directory.path().join("deep/er");
    let room = SpillRoom::new([file.join("x"), below.clone()]);
    room.file().unwrap();
    assert!(below.is_dir());
    let error = SpillRoom::new([file.join("x")]).file().unwrap_err();
    assert_eq!(error.code, CODE);
    assert!(error.to_string().contains("a_file/x`"), "{error}");
}

#[test]
fn a_full_disk_is_told_and_gives_its_blocks_back() {
    // A device on which every write fails for want of room.
    let full = std::fs::OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
    let file = SpillFile::new(full, "/dev".into());
    let error = file.write(&[0; 100_000]).unwrap_err();
    assert_eq!(error.code, CODE);
    assert!(error.hint.is_some_and(|h| h.contains("spill")));
    let again = file.write(&[]).unwrap();
    assert_eq!((again.len(), again.disk_bytes()), (0, 0));
}

#[test]
fn what_the_topology_says_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let named = |spill: &str| CheckpointConfig {
        spill: Some(spill.to_owned()),
        ..CheckpointConfig::default()
    };
    assert!(SpillRoom::of(&named("off")).unwrap().is_none());
    let path = directory.path().join("spill");
    SpillRoom::of(&named(path.to_str().unwrap())).unwrap().unwrap().file().unwrap();
    assert!(path.is_dir());
    assert_eq!(SpillRoom::of(&named("/dev/null/x")).unwrap_err().code, CODE);
    assert!(SpillRoom::of(&CheckpointConfig::default()).unwrap().is_some());
}
