//! Windows against an oracle: a loop over rows and windows in plain Rust. Rows come in any order,
//! watermarks at any place, batches are cut anywhere; instances share the keys, are sealed, crash,
//! lose the epoch under way, and start again in another number.

mod cluster;
mod model;
mod scenario;

use proptest::prelude::*;

use cluster::Cluster;
use model::Model;
use scenario::{Scenario, Step};

fn check(scenario: &Scenario) {
    let mut model = Model::new(scenario);
    scenario.steps.iter().chain([&Step::End]).for_each(|step| model.take(step));
    for spills in [false, true] {
        let mut cluster = Cluster::new(scenario, spills);
        scenario.steps.iter().chain([&Step::End]).for_each(|step| cluster.take(step));
        assert_eq!(cluster.late(), model.late, "late rows");
        assert_eq!(cluster.shown(scenario), model.shown(), "rows of windows");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn windows_equal_the_loop_over_rows_and_windows(scenario in scenario::any()) {
        check(&scenario);
    }
}
