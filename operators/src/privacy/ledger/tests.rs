//! Tests of the ledger: crashes at each step, sharing, and files that were tampered with.

use super::*;

/// A directory of the test's own, gone when the test ends.
struct Room(PathBuf);

impl Room {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ledger-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("data.ledger")
    }

    fn open(&self, unit: &str) -> Ledger {
        let mut ledger = Ledger::open(&self.file()).unwrap();
        ledger.begin("data", unit, 100).unwrap();
        ledger
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn id(window: i64) -> ReleaseId {
    ReleaseId { series: "s".into(), window }
}

/// A process that ends after each step: what was spent covers every release that was published,
/// drawn or not, and what was recorded is published as it is.
#[test]
fn a_crash_at_each_step_never_spends_less_than_was_published() {
    let room = Room::new("crash");
    // Before the debit: nothing is spent.
    drop(room.open("entity(u)"));
    assert_eq!(room.open("entity(u)").spent(), 0);
    // After the debit, before and after the draw: paid, and to be paid again.
    for paid in [30, 60] {
        let mut ledger = room.open("entity(u)");
        assert_eq!(ledger.debit(&id(0), "q", 30).unwrap(), Next::Draw);
        drop(ledger);
        assert_eq!(room.open("entity(u)").spent(), paid);
    }
    let mut ledger = room.open("entity(u)");
    assert_eq!(ledger.debit(&id(0), "q", 30).unwrap(), Next::Draw);
    assert_eq!(ledger.record(&id(0), "q", vec![5, -1]).unwrap(), [5, -1]);
    drop(ledger);
    // After the record: the same numbers, for nothing, any number of times.
    for _ in 0..2 {
        let mut ledger = room.open("entity(u)");
        assert_eq!(ledger.debit(&id(0), "q", 30).unwrap(), Next::Publish(vec![5, -1]));
        assert_eq!(ledger.spent(), 90);
    }
    // 10 are left.
    let mut ledger = room.open("entity(u)");
    let refused = ledger.debit(&id(1), "q", 11).unwrap_err();
    assert_eq!(refused.code, "SW3262");
    assert!(
        refused.to_string().contains("0.00000009 of the budget of 0.0000001 is spent"),
        "{refused}"
    );
    assert_eq!(ledger.debit(&id(1), "q", 10).unwrap(), Next::Draw);
    assert_eq!(room.open("entity(u)").spent(), 100);
}

#[test]
fn a_line_that_was_cut_at_any_byte_is_counted_or_was_never_acted_on() {
    let room = Room::new("torn");
    let mut ledger = room.open("event");
    ledger.debit(&id(0), "q", 30).unwrap();
    ledger.record(&id(0), "q", vec![7]).unwrap();
    drop(ledger);
    let whole = std::fs::read(room.file()).unwrap();
    let ends: Vec<usize> = (0..whole.len()).filter(|n| whole[*n] == b'\n').map(|n| n + 1).collect();
    for cut in ends[0]..=whole.len() {
        std::fs::write(room.file(), &whole[..cut]).unwrap();
        let mut ledger = room.open("event");
        assert_eq!(ledger.spent(), if cut >= ends[1] { 30 } else { 0 });
        let next = ledger.debit(&id(0), "q", 30).unwrap();
        assert_eq!(next, if cut >= ends[2] { Next::Publish(vec![7]) } else { Next::Draw });
        drop(ledger);
        let expected = if cut >= ends[2] || cut < ends[1] { 30 } else { 60 };
        assert_eq!(room.open("event").spent(), expected, "cut at {cut}");
    }
}

#[test]
fn changed_lines_and_other_accounts_are_refused() {
    let room = Room::new("changed");
    let mut ledger = room.open("event");
    ledger.debit(&id(0), "q", 30).unwrap();
    ledger.debit(&id(1), "q", 30).unwrap();
    drop(ledger);
    let text = std::fs::read_to_string(room.file()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without = format!("{}\n{}\n", lines[0], lines[2]);
    let swapped = format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]);
    for changed in [text.replace("\"cost\":30", "\"cost\":10"), without, swapped] {
        std::fs::write(room.file(), changed).unwrap();
        let mut ledger = Ledger::open(&room.file()).unwrap();
        assert_eq!(ledger.begin("data", "event", 100).unwrap_err().code, "SW3263");
    }
    std::fs::write(room.file(), &text).unwrap();
    for (dataset, unit, budget) in
        [("other", "event", 100), ("data", "entity(u)", 100), ("data", "event", 200)]
    {
        let mut ledger = Ledger::open(&room.file()).unwrap();
        assert_eq!(ledger.begin(dataset, unit, budget).unwrap_err().code, "SW3264");
    }
    let mut ledger = room.open("event");
    ledger.record(&id(0), "q", vec![1]).unwrap();
    assert_eq!(ledger.debit(&id(0), "another", 30).unwrap_err().code, "SW3264");
}

#[test]
fn windows_of_events_compose_in_parallel_and_series_add_up() {
    let room = Room::new("parallel");
    let (mut one, mut two) = (room.open("event"), room.open("event"));
    for window in 0..5 {
        one.debit(&id(window), "q", 60).unwrap();
    }
    assert_eq!(one.spent(), 60);
    // Another node of the same data sees what the first one spent.
    let other = ReleaseId { series: "t".into(), window: 0 };
    assert_eq!(two.debit(&other, "q", 41).unwrap_err().code, "SW3262");
    assert_eq!(two.debit(&other, "q", 40).unwrap(), Next::Draw);
    assert_eq!(one.debit(&id(2), "q", 1).unwrap_err().code, "SW3262");
    assert_eq!(two.record(&other, "q", vec![1]).unwrap(), [1]);
    // Who comes second publishes what the first one recorded.
    assert_eq!(one.record(&other, "q", vec![2]).unwrap(), [1]);
}
