//! Rows on their way to ports.

use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::testing::{Harness, rows};

use super::*;

fn route(options: Value) -> Harness {
    Harness::new::<RouteOptions>(options, &json!({"n": "int64"}))
}

#[test]
fn a_row_goes_to_the_first_port_it_fits_or_to_all() {
    let input = json!([{"n": 1}, {"n": 20}, {"n": 300}, {"n": null}]);
    let routes = json!({"big": "n > 100", "some": "n > 10"});

    let mut first = route(json!({"routes": routes}));
    first.push(&input);
    first.expect_at("big", &json!([{"n": 300}])).expect_at("some", &json!([{"n": 20}]));
    first.expect_at("otherwise", &json!([{"n": 1}, {"n": null}]));

    let mut all = route(json!({"routes": routes, "match": "all", "otherwise": "rest"}));
    all.push(&input);
    all.expect_at("big", &json!([{"n": 300}]));
    all.expect_at("some", &json!([{"n": 20}, {"n": 300}]));
    all.expect_at("rest", &json!([{"n": 1}, {"n": null}]));
}

#[test]
fn a_route_guards_the_ones_after_it() {
    let mut guarded = route(json!({"routes": {"zero": "n = 0", "big": "100 / n > 10"}}));
    guarded.push(&json!([{"n": 0}, {"n": 5}, {"n": 50}]));
    guarded.expect_at("zero", &json!([{"n": 0}])).expect_at("big", &json!([{"n": 5}]));
    guarded.expect(&json!([{"n": 50}])).expect_rejected(&[]);
}

#[test]
fn mistakes_are_named() {
    for (options, code, part) in [
        (json!({"routes": {}}), "SW0309", "without `routes`"),
        (json!({"routes": {"a.b": "n > 1"}}), "SW0309", "`a.b`"),
        (json!({"routes": {"errors": "n > 1"}}), "SW0309", "`errors`"),
        (json!({"routes": {"otherwise": "n > 1"}}), "SW0309", "`otherwise` renames it"),
        (json!({"routes": {"a": 3}}), "SW0309", "it is 3"),
        (json!({"routes": {"a": "m > 1"}}), "SW0301", "`m`"),
        (json!({"routes": {"a": "n"}}), "SW0303", "boolean"),
        (json!({"routes": {"a": "n > 1"}, "othewise": "x"}), "SW0110", "`othewise`"),
    ] {
        let schema = rows::columns(&json!({"n": "int64"}));
        let error = Harness::plan::<RouteOptions>(options.clone(), &[schema]).err().unwrap();
        assert_eq!(error.code, code, "{options}: {error}");
        assert!(error.to_string().contains(part), "{options}: {error}");
    }
}

proptest! {
    #[test]
    fn any_split_gives_what_the_oracle_gives(
        values in prop::collection::vec(prop::option::of(-20i64..20), 0..80),
        cut in 1usize..20,
        all: bool,
    ) {
        let fits = |port: &str, n: i64| match port {
            "a" => n % 2 == 0,
            "b" => n > 5,
            _ => n < -5,
        };
        let matching = if all { "all" } else { "first" };
        let routes = json!({"a": "n % 2 = 0", "b": "n > 5", "c": "n < -5"});
        let mut split = route(json!({"routes": routes, "match": matching}));
        for part in values.chunks(cut) {
            split.push(&json!(part.iter().map(|n| json!({"n": n})).collect::<Vec<_>>()));
        }
        let mut ports: std::collections::BTreeMap<&str, Vec<Value>> = Default::default();
        for n in &values {
            let met = ["a", "b", "c"].into_iter();
            let mut met: Vec<&str> = met.filter(|port| n.is_some_and(|n| fits(port, n))).collect();
            if met.is_empty() {
                met.push("otherwise");
            }
            if !all {
                met.truncate(1);
            }
            met.iter().for_each(|port| ports.entry(port).or_default().push(json!({"n": n})));
        }
        for port in ["a", "b", "c", "otherwise"] {
            split.expect_at(port, &json!(ports.get(port).cloned().unwrap_or_default()));
        }
    }
}
