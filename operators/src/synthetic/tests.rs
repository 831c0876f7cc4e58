//! Models of tables whose truth is known.

use std::sync::Arc;

use arrow::array::TimestampMillisecondArray;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use serde_json::{Value, json};
use swiftwater_engine::random::{Stream, unit};
use swiftwater_engine::schema;

use super::coder::{Limits, Role, Spec};
use super::fit::{Design, Fit, Shape};
use super::model::{Dependence, Fitted, Model, Part};
use super::normal;
use super::sampler::Sampler;
use super::tally::Tally;
use super::wishes::{Asked, Wishes};

mod numbers;

const ROWS: usize = 50_000;
const AT: i64 = 1_767_225_600_000_000;

fn design(rows: &RecordBatch, shape: Shape) -> Arc<Design> {
    let spec = |field: &arrow::datatypes::Field| Spec {
        parts: vec![Part {
            name: field.name().clone(),
            data_type: schema::name(field.data_type()),
        }],
        role: match field.data_type() {
            DataType::Utf8 => Role::Category,
            _ => Role::Number,
        },
    };
    let all = rows.schema();
    Arc::new(Design {
        name: "truth".into(),
        time: None,
        specs: all.fields().iter().map(|f| spec(f)).collect(),
        limits: Limits { bins: 32, categories: 1000 },
        shape,
    })
}

/// A model of rows, and how well it fits them.
fn learn(rows: &RecordBatch, design: &Arc<Design>) -> (Model, Fit, Tally) {
    let times = vec![AT; rows.num_rows()];
    let mut fit = Fit::freeze(design, &[(rows.clone(), times.clone())]).unwrap();
    let mut tally = fit.tally();
    fit.count(&mut tally, rows, &times).unwrap();
    let model = fit.model(&tally, 1, Fitted::default());
    let read = Model::from_text(&model.to_text()).unwrap();
    (read, fit, tally)
}

fn sample(model: &Model, wishes: Value, rows: usize) -> RecordBatch {
    let numbers: Vec<u64> = (0..rows as u64).collect();
    sampler(model, wishes).rows(&numbers, &vec![AT; rows]).unwrap()
}

fn wishes(asked: Value) -> Wishes {
    let list = |name: &str| asked.get(name).cloned().unwrap_or_else(|| json!([]));
    let map = |name: &str| asked.get(name).cloned().unwrap_or_else(|| json!({}));
    Wishes::of(Asked {
        conditions: serde_json::from_value(map("where")).unwrap(),
        order: serde_json::from_value(list("order")).unwrap(),
        unique: serde_json::from_value(map("unique")).unwrap(),
        foreign: serde_json::from_value(map("foreign")).unwrap(),
        observed: serde_json::from_value(list("observed")).unwrap(),
    })
    .unwrap()
}

fn sampler(model: &Model, asked: Value) -> Sampler {
    Sampler::new(model, &wishes(asked), 7).unwrap()
}

fn refused(model: &Model, asked: Value) -> String {
    Sampler::new(model, &wishes(asked), 7).map_or_else(|why| why, |_| String::new())
}

/// A shop's orders: the country decides the currency and mostly the carrier, the carrier how many
/// days it takes, and the price goes with nothing; a tenth of the coupons is null.
fn orders() -> RecordBatch {
    let word = |name: &str, row: usize| unit(Stream::new(1, name, 0).at(row as u64));
    let country = |row| match word("country", row) {
        u if u < 0.5 => "DE",
        u if u < 0.8 => "FR",
        _ => "GB",
    };
    let carrier = |row| match (country(row), word("carrier", row)) {
        (c, u) if u > 0.9 => ["DE", "FR", "GB"]
            .iter()
            .position(|x| *x == c)
            .map_or("", |i| ["fast", "slow", "ship"][i]),
        ("DE", _) => "slow",
        ("FR", _) => "ship",
        _ => "fast",
    };
    let days = |row: usize| {
        let most = match carrier(row) {
            "fast" => 2.0,
            "slow" => 9.0,
            _ => 30.0,
        };
        (word("days", row) * most) as i64
    };
    let price = |row: usize| {
        ((normal::inverse(word("price", row).max(1e-9)) + 3.0).exp() * 100.0).round() / 100.0
    };
    let coupon = |row: usize| {
        (word("coupon", row) > 0.1).then(|| if word("coupon", row) > 0.5 { "x" } else { "y" })
    };
    let all = 0..ROWS;
    RecordBatch::try_from_iter([
        (
            "country",
            Arc::new(all.clone().map(|r| Some(country(r))).collect::<StringArray>()) as ArrayRef,
        ),
        ("carrier", Arc::new(all.clone().map(|r| Some(carrier(r))).collect::<StringArray>())),
        ("days", Arc::new(all.clone().map(days).collect::<Int64Array>())),
        ("price", Arc::new(all.clone().map(price).collect::<Float64Array>())),
        ("coupon", Arc::new(all.map(coupon).collect::<StringArray>())),
    ])
    .unwrap()
}

fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
    let column = rows.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().map(|v| v.unwrap_or("null").to_owned()).collect()
}

fn ints(rows: &RecordBatch, name: &str) -> Vec<i64> {
    rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn floats(rows: &RecordBatch, name: &str) -> Vec<f64> {
    rows.column_by_name(name).unwrap().as_primitive::<Float64Type>().values().to_vec()
}

fn share<T>(all: &[T], is: impl Fn(&T) -> bool) -> f64 {
    all.iter().filter(|v| is(v)).count() as f64 / all.len() as f64
}

/// The statistic of Kolmogorov and Smirnov.
fn distance(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let below = |all: &[f64], x: f64| all.partition_point(|v| *v <= x) as f64 / all.len() as f64;
    a.iter().chain(&b).map(|x| (below(&a, *x) - below(&b, *x)).abs()).fold(0.0, f64::max)
}

#[test]
fn a_tree_finds_what_depends_on_what_and_its_rows_are_like_those_it_learned_from() {
    let rows = orders();
    let (model, mut fit, tally) = learn(&rows, &design(&rows, Shape::Tree));
    let Dependence::Tree(edges) = &model.dependence else { panic!("no tree") };
    let edges: Vec<(&str, &str)> =
        edges.iter().map(|e| (e.parent.as_str(), e.column.as_str())).collect();
    assert_eq!(edges, [("country", "carrier"), ("carrier", "days")]);
    let made = sample(&model, json!({}), ROWS);
    assert_eq!(made.schema().fields().len(), 5);
    // Shares by hand, within 4 standard deviations of two samples.
    let (countries, carriers, coupons) =
        (texts(&made, "country"), texts(&made, "carrier"), texts(&made, "coupon"));
    assert!((share(&countries, |c| c == "DE") - 0.5).abs() < 0.013);
    assert!((share(&coupons, |c| c == "null") - 0.1).abs() < 0.008);
    let pairs: Vec<(&String, &String)> = countries.iter().zip(&carriers).collect();
    assert!((share(&pairs, |(c, k)| *c == "DE" && *k == "slow") - 0.45).abs() < 0.013);
    // Two steps away: days of the carrier that its country has.
    let days = ints(&made, "days");
    let mut of_france: Vec<i64> =
        days.iter().zip(&countries).filter(|(_, c)| *c == "FR").map(|(d, _)| *d).collect();
    of_france.sort_unstable();
    assert!((of_france[of_france.len() / 2] - 13).abs() <= 2);
    let ks = distance(floats(&rows, "price"), floats(&made, "price"));
    assert!(ks < 0.015, "{ks}");
    // Prices have cents, and lie where prices were.
    assert!(floats(&made, "price").iter().all(|p| ((p * 100.0).round() / 100.0 - p).abs() < 1e-9));
    let quality = fit.judge(&model, &tally).unwrap();
    assert!(quality.score > 0.97 && quality.reached() > 0.99, "{quality:?}");
    assert!(quality.floor < 0.93, "{quality:?}");
}

#[test]
fn rows_are_a_function_of_the_seed_and_their_number() {
    let rows = orders();
    for shape in [Shape::Tree, Shape::Copula] {
        let (model, ..) = learn(&rows, &design(&rows, shape));
        let asked = json!({"where": {"country": {"one_of": ["DE", "FR"]}}, "unique": {"id": {"start": 100}}});
        let all = sample(&model, asked.clone(), 1000);
        let sampler = sampler(&model, asked.clone());
        for from in [0, 1, 7, 990] {
            let numbers: Vec<u64> = (from..from + 10).collect();
            let part = sampler.rows(&numbers, &[AT; 10]).unwrap();
            assert_eq!(part, all.slice(from as usize, 10));
        }
        let other = Sampler::new(&model, &wishes(asked), 8).unwrap();
        assert_ne!(other.rows(&[0, 1, 2, 3, 4, 5], &[AT; 6]).unwrap(), all.slice(0, 6));
        assert_eq!(ints(&all, "id"), (100..1100).collect::<Vec<_>>());
    }
}

#[test]
fn conditions_on_a_tree_give_what_a_filter_gives() {
    let rows = orders();
    let (model, ..) = learn(&rows, &design(&rows, Shape::Tree));
    // Conditions on the far ends of the tree, and on a column that stands alone.
    let asked =
        json!({"where": {"days": {"min": 1, "max": 6}, "price": {"max": 20.5}, "coupon": null}});
    let made = sample(&model, asked.clone(), ROWS);
    let (days, prices) = (ints(&rows, "days"), floats(&rows, "price"));
    let is_so = |row: &usize| (1..=6).contains(&days[*row]);
    let kept: Vec<usize> = (0..ROWS).filter(is_so).collect();
    let real = texts(&rows, "country");
    for country in ["DE", "FR", "GB"] {
        let of = |all: &[String]| share(all, |c| c == country);
        let filtered: Vec<String> = kept.iter().map(|row| real[*row].clone()).collect();
        let (wanted, found) = (of(&filtered), of(&texts(&made, "country")));
        assert!((wanted - found).abs() < 0.02, "{country}: {wanted} {found}");
    }
    assert!(ints(&made, "days").iter().all(|d| (1..=6).contains(d)));
    assert!(texts(&made, "coupon").iter().all(|c| c == "null"));
    let cheap: Vec<f64> = prices.into_iter().filter(|p| *p <= 20.5).collect();
    let ks = distance(cheap, floats(&made, "price"));
    assert!(ks < 0.02, "{ks}");
    // The share of rows that are so: of days, price and coupon independently.
    let wanted =
        kept.len() as f64 / ROWS as f64 * share(&floats(&rows, "price"), |p| *p <= 20.5) * 0.1;
    assert!((sampler(&model, asked).share() / wanted - 1.0).abs() < 0.05);
}

#[test]
fn what_cannot_be_is_told() {
    let rows = orders();
    for shape in [Shape::Tree, Shape::Copula] {
        let (model, ..) = learn(&rows, &design(&rows, shape));
        for (asked, word) in [
            (json!({"where": {"country": "US"}}), "`country`"),
            (json!({"where": {"days": {"min": 1000}}}), "`days`"),
            (json!({"where": {"days": null}}), "`days`"),
            (json!({"where": {"nothing": 1}}), "no column `nothing`"),
            (json!({"order": ["country < days"]}), "`country`"),
            (json!({"observed": [["country", "carrier"]]}), "together"),
            (json!({"foreign": {"days": {"values": ["x"]}}}), "`days`"),
        ] {
            let told = refused(&model, asked.clone());
            assert!(told.contains(word), "{asked}: {told}");
        }
    }
    // Each is possible, both are not: no carrier of this country is so.
    let (model, ..) = learn(&rows, &design(&rows, Shape::Tree));
    let both = json!({"where": {"country": "GB", "carrier": "slow"}});
    assert!(refused(&model, both).contains("no row"));
}

#[test]
fn values_that_stay_together_come_only_as_they_were_seen() {
    let rows = orders();
    let part = |name: &str| Part { name: name.into(), data_type: "utf8".into() };
    let spec = Spec { parts: vec![part("country"), part("carrier")], role: Role::Category };
    let of = design(&rows, Shape::Tree);
    let mut specs = of.specs.clone();
    specs.splice(0..2, [spec]);
    let of = Arc::new(Design { specs, ..(*of).clone() });
    let (model, ..) = learn(&rows, &of);
    let asked = json!({"observed": [["carrier", "country"]], "where": {"carrier": "fast"}});
    let made = sample(&model, asked, 5000);
    let pairs: Vec<(String, String)> =
        texts(&made, "country").into_iter().zip(texts(&made, "carrier")).collect();
    assert!(pairs.iter().all(|(country, carrier)| carrier == "fast" && country != "FR"));
    assert!(share(&pairs, |(country, _)| country == "GB") > 0.5);
}

#[test]
fn times_are_relative_to_the_event_time() {
    let at = |row: usize| AT + row as i64 * 1_000_000;
    let delay = |row: usize| 500 + (row % 100) as i64 * 10;
    let paid: TimestampMillisecondArray =
        (0..1000).map(|r| Some(at(r) / 1000 + delay(r))).collect();
    let rows = RecordBatch::try_from_iter([("paid", Arc::new(paid) as ArrayRef)]).unwrap();
    let of = design(&rows, Shape::Tree);
    let time = Some(Part { name: "at".into(), data_type: "timestamp_us".into() });
    let of = Arc::new(Design { time, ..(*of).clone() });
    let times: Vec<i64> = (0..1000).map(at).collect();
    let mut fit = Fit::freeze(&of, &[(rows.clone(), times.clone())]).unwrap();
    let mut tally = fit.tally();
    fit.count(&mut tally, &rows, &times).unwrap();
    let model = Model::from_text(&fit.model(&tally, 1, Fitted::default()).to_text()).unwrap();
    let made_at: Vec<i64> = (0..500).map(|r| 2 * AT + r * 7_000_000).collect();
    let numbers: Vec<u64> = (0..500).collect();
    let made = sampler(&model, json!({"order": ["at < paid"]})).rows(&numbers, &made_at).unwrap();
    assert_eq!(
        made.schema().field(0).data_type(),
        &DataType::Timestamp(TimeUnit::Microsecond, None)
    );
    let paid = made.column_by_name("paid").unwrap();
    let paid = paid.as_primitive::<TimestampMillisecondType>();
    for (row, at) in made_at.iter().enumerate() {
        let delay = paid.value(row) - at / 1000;
        assert!((500..1500).contains(&delay), "{delay}");
    }
    assert_eq!(paid.null_count(), 0);
}

#[test]
fn parts_of_a_stream_merge_to_the_counts_of_the_whole_and_survive_their_bytes() {
    use super::wire::{Reader, Writer};
    let rows = orders();
    for shape in [Shape::Tree, Shape::Copula] {
        let of = design(&rows, shape);
        let (_, fit, whole) = learn(&rows, &of);
        let mut writer = Writer::default();
        fit.write(&mut writer);
        let mut fit = Fit::read(&of, &mut Reader(&writer.0)).unwrap();
        let mut merged = fit.tally();
        for from in (0..ROWS).step_by(12_345) {
            let part = rows.slice(from, 12_345.min(ROWS - from));
            let mut tally = fit.tally();
            fit.count(&mut tally, &part, &vec![AT; part.num_rows()]).unwrap();
            let mut writer = Writer::default();
            tally.write(&mut writer);
            merged.merge(1.0, &Tally::read(&mut Reader(&writer.0)).unwrap());
        }
        assert_eq!(merged, whole);
        // Halved, and whole again.
        let mut half = whole.clone();
        half.merge(0.5, &whole);
        assert!((half.weight - 1.5 * ROWS as f64).abs() < 1e-6);
    }
}
