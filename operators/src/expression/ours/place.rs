//! Places on the earth, and values that come round: hours of the day, days of the week.

use std::f64::consts::TAU;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion_common::{Result, exec_err};

use super::row_wise::RowWise;

/// Mean radius of the earth in kilometres, as most libraries round it.
const RADIUS: f64 = 6371.0;
/// The digits of a geohash.
const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Longest geohash: 60 bits.
const LONGEST: i64 = 12;

pub(super) fn functions() -> Vec<RowWise> {
    let (float, text) = (DataType::Float64, DataType::Utf8);
    let at = DataType::Timestamp(TimeUnit::Microsecond, None);
    let floats = |n| vec![DataType::Float64; n];
    let hashed = vec![DataType::Float64, DataType::Float64, DataType::Int64];
    vec![
        RowWise::new(
            ("haversine_km", "haversine_km(latitude, longitude, other_latitude, other_longitude)"),
            floats(4),
            float.clone(),
            haversine,
        ),
        RowWise::new(
            ("speed_kmh", "speed_kmh(latitude, longitude, at, latitude, longitude, at)"),
            [floats(2), vec![at.clone()], floats(2), vec![at]].concat(),
            float.clone(),
            speed,
        ),
        RowWise::new(("geohash", "geohash(latitude, longitude, length)"), hashed, text, geohash),
        RowWise::new(
            ("cyclic_sin", "cyclic_sin(x, period)"),
            floats(2),
            float.clone(),
            |columns| cyclic(columns, f64::sin),
        ),
        RowWise::new(("cyclic_cos", "cyclic_cos(x, period)"), floats(2), float, |columns| {
            cyclic(columns, f64::cos)
        }),
    ]
}

/// The values of one row; `None` where one is null.
fn row<const N: usize>(columns: &[ArrayRef], row: usize) -> Option<[f64; N]> {
    let mut values = [0.0; N];
    for (value, column) in values.iter_mut().zip(columns) {
        let column = column.as_primitive::<Float64Type>();
        *value = arrow::array::Array::is_valid(column, row).then(|| column.value(row))?;
    }
    Some(values)
}

fn rows(columns: &[ArrayRef]) -> usize {
    columns.first().map_or(0, |column| column.len())
}

fn on_earth(latitude: f64, longitude: f64) -> bool {
    (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude)
}

/// Kilometres along a great circle; `None` for what is no place.
fn distance([lat, lon, other_lat, other_lon]: [f64; 4]) -> Option<f64> {
    if !on_earth(lat, lon) || !on_earth(other_lat, other_lon) {
        return None;
    }
    let (a, b) = (lat.to_radians(), other_lat.to_radians());
    let (dy, dx) = ((b - a) / 2.0, (other_lon - lon).to_radians() / 2.0);
    let h = dy.sin().powi(2) + a.cos() * b.cos() * dx.sin().powi(2);
    Some(2.0 * RADIUS * h.sqrt().min(1.0).asin())
}

fn haversine(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let one = |at: usize| row::<4>(columns, at).and_then(distance);
    Ok(Arc::new((0..rows(columns)).map(one).collect::<Float64Array>()))
}

/// Kilometres an hour between two places, whichever time is the later; null for the same moment.
fn speed(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [lat, lon, at, other_lat, other_lon, other_at] = columns else {
        return exec_err!("six arguments");
    };
    let places = [lat, lon, other_lat, other_lon].map(Arc::clone);
    let times = [at, other_at].map(|t| t.as_primitive::<TimestampMicrosecondType>());
    let one = |at: usize| {
        let [from, to] = times.map(|t| arrow::array::Array::is_valid(t, at).then(|| t.value(at)));
        #[expect(clippy::cast_precision_loss, reason = "to a microsecond in 285 years")]
        let hours = to?.abs_diff(from?) as f64 / 3.6e9;
        let distance = row::<4>(&places, at).and_then(distance)?;
        (hours > 0.0).then(|| distance / hours)
    };
    Ok(Arc::new((0..lat.len()).map(one).collect::<Float64Array>()))
}

fn cyclic(columns: &[ArrayRef], wave: fn(f64) -> f64) -> Result<ArrayRef> {
    let one = |at: usize| {
        let [x, period] = row::<2>(columns, at)?;
        (period > 0.0).then(|| wave(TAU * (x / period).fract()))
    };
    Ok(Arc::new((0..rows(columns)).map(one).collect::<Float64Array>()))
}

fn geohash(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let lengths = columns.get(2).map(|column| column.as_primitive::<Int64Type>());
    let one = |at: usize| {
        let [latitude, longitude] = row::<2>(columns, at)?;
        let lengths = lengths.filter(|l| arrow::array::Array::is_valid(*l, at))?;
        let length = Some(lengths.value(at)).filter(|l| (1..=LONGEST).contains(l))?;
        on_earth(latitude, longitude).then(|| cell(latitude, longitude, length))
    };
    Ok(Arc::new((0..rows(columns)).map(one).collect::<StringArray>()))
}

/// The geohash of a place (G. Niemeyer, 2008): bits of longitude and latitude in turns, five to a
/// digit.
fn cell(latitude: f64, longitude: f64, length: i64) -> String {
    let (mut lat, mut lon) = ((-90.0, 90.0), (-180.0, 180.0));
    let mut halve = |of_longitude: bool| {
        let (range, value) =
            if of_longitude { (&mut lon, longitude) } else { (&mut lat, latitude) };
        let middle = f64::midpoint(range.0, range.1);
        let upper = value >= middle;
        *(if upper { &mut range.0 } else { &mut range.1 }) = middle;
        usize::from(upper)
    };
    let mut of_longitude = true;
    let digit = |_| {
        let mut digit = 0;
        for _ in 0..5 {
            digit = digit * 2 + halve(of_longitude);
            of_longitude = !of_longitude;
        }
        char::from(DIGITS.get(digit).copied().unwrap_or(b'0'))
    };
    (0..length).map(digit).collect()
}
