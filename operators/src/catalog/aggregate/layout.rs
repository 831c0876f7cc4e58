//! Features planned: which values are taken from a row, what is kept of them, and how each feature
//! is read from that. Features that need the same share it.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch};
use arrow::compute::{cast, not, nullif, prep_null_mask_filter};
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use swiftwater_engine::{Result, Timestamp, schema};

use super::call::{Call, Function, wrong};
use super::given::Given;
use super::heavy::{HeavySpec, Source};
use super::shape::{BagSpec, Cells, Reach, Shape, Track};
use super::tile_plan::TilePlan;
use crate::expression::{Expression, Predicate, Taken};

/// Most values that are taken from a row: each has a bit.
const MOST_ARGUMENTS: usize = 64;

/// A value that is taken from each row.
#[derive(Debug, Clone)]
pub(super) struct Argument {
    expression: Expression,
    filter: Option<Predicate>,
    text: String,
    /// The type of the column it comes from.
    of: DataType,
    /// The type it is held in.
    held: DataType,
    cells: Cells,
}

/// How a feature is read.
#[derive(Debug, Clone)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) function: Function,
    pub(super) window: usize,
    pub(super) arguments: Vec<usize>,
    pub(super) track: Option<usize>,
    pub(super) bag: Option<usize>,
    pub(super) field: FieldRef,
    /// Given instead of null.
    pub(super) on_empty: Option<f64>,
    /// What is taken of all rows in a window of rows.
    pub(super) heavy: Option<HeavySpec>,
    /// Number of the question to tiles.
    pub(super) tiled: Option<usize>,
}

/// All features of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) shape: Shape,
    pub(super) arguments: Vec<Argument>,
    pub(super) features: Vec<Feature>,
    pub(super) warnings: Vec<String>,
    pub(super) tiles: TilePlan,
}

impl Argument {
    /// Plans a value, null where the filter is not true.
    fn plan(text: &str, filter: Option<&str>, input: &SchemaRef, call: &str) -> Result<Self> {
        use DataType::{
            Boolean, Date32, Date64, Decimal128, Decimal256, Duration, Float16, Float32, Float64,
            Int8, Int16, Int32, Int64, LargeUtf8, Timestamp, UInt8, UInt16, UInt32, Utf8, Utf8View,
        };
        let expression = Expression::plan(text, input)?;
        let filter = filter.map(|filter| Predicate::plan(filter, input)).transpose()?;
        let of = expression.field().data_type().clone();
        let (held, cells) = match &of {
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | Boolean | Date32 | Date64
            | Timestamp(..) | Duration(_) => (Int64, Cells::Integer),
            Float16 | Float32 | Float64 | Decimal128(..) | Decimal256(..) => {
                (Float64, Cells::Float)
            }
            Utf8 | LargeUtf8 | Utf8View => (Utf8, Cells::Text),
            _ => {
                let what = format!("`{text}` is {}", schema::name(&of));
                let hint = "numbers, times, booleans and text can be computed with; CAST the value";
                return Err(wrong(call, &what, hint));
            }
        };
        let text = match &filter {
            None => text.to_owned(),
            Some(filter) => format!("{text} WHERE {}", filter.expression().text()),
        };
        Ok(Self { expression, filter, text, of, held, cells })
    }

    /// The column in which snapshots hold it.
    pub(super) fn stored(&self, number: usize) -> Field {
        Field::new(format!("__{number}"), self.held.clone(), true)
    }

    /// The values of a batch, in the type they are held in. NaN counts as missing.
    pub(super) fn take(&self, records: &RecordBatch, now: Timestamp) -> Result<ArrayRef> {
        let values = self.expression.evaluate(records, now)?;
        let values = match &self.of {
            DataType::Date32 => cast(&values, &DataType::Int32)?,
            _ => values,
        };
        let mut values = cast(&values, &self.held)?;
        if let Some(filter) = &self.filter {
            let mask = match filter.take(records, now)? {
                Taken::All => None,
                Taken::None => Some(BooleanArray::from(vec![true; records.num_rows()])),
                Taken::Some(mask) if mask.null_count() > 0 => {
                    Some(not(&prep_null_mask_filter(&mask))?)
                }
                Taken::Some(mask) => Some(not(&mask)?),
            };
            if let Some(left_out) = mask {
                values = nullif(&values, &left_out)?;
            }
        }
        if self.cells == Cells::Float {
            let floats = values.as_primitive::<arrow::datatypes::Float64Type>();
            if floats.values().iter().any(|value| value.is_nan()) {
                let known = floats.iter().map(|value| value.filter(|v| !v.is_nan()));
                values = Arc::new(known.collect::<Float64Array>());
            }
        }
        Ok(values)
    }
}

/// A feature as the topology gives it, for one window.
pub(super) struct Wanted<'a> {
    pub(super) name: String,
    pub(super) text: &'a str,
    pub(super) reach: Reach,
    pub(super) on_empty: Option<f64>,
    /// Most categories of a map.
    pub(super) most: usize,
}

impl Layout {
    /// Adds a feature.
    ///
    /// # Errors
    /// `Config`: as for expressions, and `SW0360`.
    pub(super) fn add(&mut self, wanted: &Wanted<'_>, input: &SchemaRef) -> Result<()> {
        let call = Call::read(wanted.text)?;
        let arguments = self.arguments_of(&call, wanted.text, input)?;
        let first = arguments.first().copied();
        let cells = first.and_then(|a| self.arguments.get(a)).map(|a| (a.cells, a.of.clone()));
        let kind = cells.as_ref().map(|(cells, _)| *cells);
        let second = arguments.get(1).and_then(|a| self.arguments.get(*a)).map(|a| a.cells);
        let is_text = kind == Some(Cells::Text) && needs_number(call.function);
        check_category(call.function, kind, second, wanted.text)?;
        let by_category = matches!(call.function, Function::SumBy | Function::MeanBy);
        if is_text || (second == Some(Cells::Text) && !by_category) {
            let hint = "CAST text to a number, or count it";
            return Err(wrong(wanted.text, "text has no such value", hint));
        }
        let of = cells.map_or(DataType::Int64, |(_, of)| of);
        let (data_type, nullable) = result(call.function, &of);
        if wanted.on_empty.is_some() && !data_type.is_numeric() {
            let what =
                format!("`on_empty` is a number, the feature is {}", schema::name(&data_type));
            return Err(wrong(wanted.text, &what, "leave `on_empty` out: it is then null"));
        }
        let nullable = nullable && wanted.on_empty.is_none();
        let field = Arc::new(Field::new(&wanted.name, data_type, nullable));
        let mut feature = Feature {
            name: wanted.name.clone(),
            function: call.function,
            window: 0,
            arguments,
            track: None,
            bag: None,
            field,
            on_empty: wanted.on_empty,
            heavy: None,
            tiled: None,
        };
        self.place(&mut feature, wanted, &call.edges);
        self.features.push(feature);
        Ok(())
    }

    /// Sees to it that rows or tiles hold what a feature needs.
    fn place(&mut self, feature: &mut Feature, wanted: &Wanted<'_>, edges: &[f64]) {
        let source = |place: usize| {
            let argument = feature.arguments.get(place).copied()?;
            Some(Source { argument, cells: self.shape.arguments.get(argument).copied()? })
        };
        let given = Given { first: source(0), second: source(1), edges, most: wanted.most };
        let first = feature.arguments.first().copied();
        if let Reach::Tiles(window) = wanted.reach {
            feature.tiled = Some(self.tiles.ask(window, given.in_tiles(feature.function)));
            return;
        }
        feature.heavy = given.sketch(feature.function);
        feature.window = found(&mut self.shape.windows, wanted.reach);
        let track = self.track_of(feature.function, &feature.arguments);
        feature.track = track.map(|track| found(&mut self.shape.tracks, track));
        let (sorted, window) = (sorted(feature.function), feature.window);
        feature.bag = sorted.zip(first).map(|(sorted, argument)| {
            found(&mut self.shape.bags, BagSpec { argument, window, sorted })
        });
    }

    /// What held rows mean beyond their columns: which values they hold, and how far they reach back.
    pub(super) fn meaning(&self) -> String {
        let values: Vec<&str> = self.arguments.iter().map(|a| a.text.as_str()).collect();
        let rows = format!("{} for {} us", values.join(", "), self.shape.widest());
        if self.tiles.levels.is_empty() {
            rows
        } else {
            format!("{rows}; {}", self.tiles.meaning())
        }
    }

    fn arguments_of(&mut self, call: &Call, text: &str, input: &SchemaRef) -> Result<Vec<usize>> {
        let mut texts: Vec<&str> = call.arguments.iter().map(String::as_str).collect();
        if texts.is_empty() && call.filter.is_some() {
            texts.push("1");
        }
        let mut numbers = Vec::new();
        for argument in texts {
            let planned = Argument::plan(argument, call.filter.as_deref(), input, text)?;
            let known = self.arguments.iter().position(|a| a.text == planned.text);
            numbers.push(known.unwrap_or_else(|| {
                self.warnings.extend(planned.expression.warnings().iter().cloned());
                self.shape.arguments.push(planned.cells);
                self.arguments.push(planned);
                self.arguments.len() - 1
            }));
        }
        if self.arguments.len() > MOST_ARGUMENTS {
            let hint = "divide the features over two nodes";
            return Err(wrong(text, "it is the 65th value that is taken from a row", hint));
        }
        Ok(numbers)
    }

    fn track_of(&self, function: Function, arguments: &[usize]) -> Option<Track> {
        use Function as F;
        let first = arguments.first().copied()?;
        let second = arguments.get(1).copied();
        Some(match function {
            F::Count | F::Sum | F::Mean => Track::Sum(first),
            F::Variance(_) | F::Deviation(_) | F::ZScore => Track::Spread(first),
            F::Skew | F::Kurtosis => Track::Moments(first),
            F::Min | F::Max => Track::Extremes(first),
            F::ArgMin | F::ArgMax => Track::Extremes(second?),
            F::Correlation | F::Covariance => Track::Pairs(first, second?),
            F::Slope => Track::Trend(first),
            F::DecayedSum(h) | F::DecayedMean(h) | F::DecayedCount(h) => Track::Decayed(first, h),
            F::Ewma(alpha) | F::EwVar(alpha) => Track::Smoothed(first, alpha),
            F::Drawdown => Track::Fall(first),
            _ => return None,
        })
    }
}

fn found<T: PartialEq>(list: &mut Vec<T>, wanted: T) -> usize {
    list.iter().position(|held| *held == wanted).unwrap_or_else(|| {
        list.push(wanted);
        list.len() - 1
    })
}

/// Whether a function needs the values one by one, and then whether in their order.
const fn sorted(function: Function) -> Option<bool> {
    use Function as F;
    match function {
        F::Distinct | F::DistinctRatio | F::Mode | F::Entropy => Some(false),
        F::Quantile(_) | F::RobustZ | F::TopK(_) | F::BottomK(_) => Some(true),
        _ => None,
    }
}

const fn needs_number(function: Function) -> bool {
    use Function as F;
    !matches!(
        function,
        F::Count
            | F::First
            | F::Last
            | F::FirstK(_)
            | F::LastK(_)
            | F::Distinct
            | F::DistinctRatio
            | F::ApproxDistinct
            | F::HllSketch
            | F::CountBy
            | F::Mode
            | F::Entropy
            | F::ArgMin
            | F::ArgMax
            | F::SinceLast
    )
}

/// Type of a feature over values of type `of`, and whether it may be null.
fn result(function: Function, of: &DataType) -> (DataType, bool) {
    use Function as F;
    let list = || DataType::List(Arc::new(Field::new_list_field(of.clone(), true)));
    match function {
        F::Count | F::Distinct | F::ApproxDistinct => (DataType::Int64, false),
        F::DecayedCount(_) => (DataType::Float64, false),
        F::HllSketch => (DataType::Binary, false),
        F::Histogram => {
            (DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true))), false)
        }
        F::CountBy => (map(DataType::Int64), false),
        F::SumBy if !of.is_floating() && !of.is_decimal() => (map(DataType::Int64), false),
        F::SumBy | F::MeanBy => (map(DataType::Float64), false),
        F::Sum if !of.is_floating() && !of.is_decimal() => (DataType::Int64, true),
        F::Min | F::Max | F::ArgMin | F::ArgMax | F::First | F::Last | F::Mode => {
            (of.clone(), true)
        }
        F::FirstK(_) | F::LastK(_) | F::TopK(_) | F::BottomK(_) => (list(), false),
        _ => (DataType::Float64, true),
    }
}

/// The type of values by category.
fn map(of: DataType) -> DataType {
    let fields = vec![Field::new("keys", DataType::Utf8, false), Field::new("values", of, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields.into()), false)), false)
}

/// A category is a text.
fn check_category(
    function: Function,
    first: Option<Cells>,
    second: Option<Cells>,
    text: &str,
) -> Result<()> {
    let category = match function {
        Function::CountBy => first,
        Function::SumBy | Function::MeanBy => second,
        _ => return Ok(()),
    };
    if category == Some(Cells::Text) {
        return Ok(());
    }
    Err(wrong(text, "its category is no text", "write `CAST(category AS VARCHAR)`"))
}
