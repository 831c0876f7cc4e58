//! Cells of H3, the hexagonal grid of the earth, by the crate `h3o`; a cell is its name in
//! hexadecimal digits, as in the other libraries.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::{Result, exec_err};
use h3o::{CellIndex, LatLng, Resolution};

use super::row_wise::RowWise;

pub(super) fn functions() -> Vec<RowWise> {
    let (float, text) = (DataType::Float64, DataType::Utf8);
    vec![
        RowWise::new(
            ("h3", "h3(latitude, longitude, resolution)"),
            vec![float.clone(), float, DataType::Int64],
            text.clone(),
            cell,
        ),
        RowWise::new(
            ("h3_parent", "h3_parent(cell, resolution)"),
            vec![text.clone(), DataType::Int64],
            text,
            parent,
        ),
    ]
}

fn resolution(value: Option<i64>) -> Option<Resolution> {
    Resolution::try_from(u8::try_from(value?).ok()?).ok()
}

/// The cell of a place; null for what is no place or no resolution from 0 to 15.
fn cell(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [latitudes, longitudes, resolutions] = columns else { return exec_err!("three arguments") };
    let latitudes = latitudes.as_primitive::<Float64Type>();
    let longitudes = longitudes.as_primitive::<Float64Type>();
    let resolutions = resolutions.as_primitive::<Int64Type>();
    let one = |((lat, lon), of): ((Option<f64>, Option<f64>), Option<i64>)| {
        let (lat, lon) = (lat?, lon?);
        let on_earth = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        let place = on_earth.then(|| LatLng::new(lat, lon).ok())??;
        Some(place.to_cell(resolution(of)?).to_string())
    };
    let places = latitudes.iter().zip(longitudes.iter()).zip(resolutions.iter());
    Ok(Arc::new(places.map(one).collect::<StringArray>()))
}

/// The cell of a coarser resolution that a cell lies in.
fn parent(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [cells, resolutions] = columns else { return exec_err!("two arguments") };
    let (cells, resolutions) = (cells.as_string::<i32>(), resolutions.as_primitive::<Int64Type>());
    let one = |row: usize| {
        let of = resolutions.is_valid(row).then(|| resolutions.value(row));
        let cell: CellIndex = cells.is_valid(row).then(|| cells.value(row).parse().ok())??;
        Some(cell.parent(resolution(of)?)?.to_string())
    };
    Ok(Arc::new((0..cells.len()).map(one).collect::<StringArray>()))
}
