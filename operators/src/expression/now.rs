//! `now()` and its kin in a stream.
//!
//! DataFusion replaces `now()` by a constant when a query is planned. A stream is planned once and
//! runs for months, so these functions are our own: they answer with the time that the engine
//! handed to the operator for the batch at hand. All rows of a batch see the same time.

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use swiftwater_engine::Timestamp;

const MICROS_PER_DAY: i64 = 86_400_000_000;

thread_local! {
    // An operator is called by one thread at a time and evaluates synchronously, so the time it
    // was handed can wait here for the functions that ask for it.
    static NOW: Cell<Timestamp> = const { Cell::new(Timestamp(0)) };
}

/// Evaluates `work` with `now` as the answer of the clock functions.
pub(super) fn at<T>(now: Timestamp, work: impl FnOnce() -> T) -> T {
    NOW.set(now);
    work()
}

/// The clock functions; they replace DataFusion's of the same names.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Reading::Now, Reading::Date, Reading::TimeOfDay]
        .map(|reading| Arc::new(ScalarUDF::new_from_impl(ClockFunction::new(reading))))
        .into()
}

/// Whether a function tells the time that was handed in.
pub(super) fn is_clock(name: &str) -> bool {
    matches!(name, "now" | "current_date" | "current_time")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    Now,
    Date,
    TimeOfDay,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ClockFunction {
    reading: Reading,
    signature: Signature,
    aliases: Vec<String>,
}

impl ClockFunction {
    fn new(reading: Reading) -> Self {
        let aliases: &[&str] = match reading {
            Reading::Now => &["current_timestamp"],
            Reading::Date => &["today"],
            Reading::TimeOfDay => &[],
        };
        Self {
            reading,
            // Volatile keeps the optimiser from folding the call into a constant.
            signature: Signature::nullary(Volatility::Volatile),
            aliases: aliases.iter().map(|a| (*a).to_owned()).collect(),
        }
    }
}

impl ScalarUDFImpl for ClockFunction {
    fn name(&self) -> &str {
        match self.reading {
            Reading::Now => "now",
            Reading::Date => "current_date",
            Reading::TimeOfDay => "current_time",
        }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.reading {
            Reading::Now => DataType::Timestamp(TimeUnit::Millisecond, None),
            Reading::Date => DataType::Date32,
            Reading::TimeOfDay => DataType::Time64(TimeUnit::Nanosecond),
        })
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Timestamp(micros) = NOW.get();
        Ok(ColumnarValue::Scalar(match self.reading {
            Reading::Now => ScalarValue::TimestampMillisecond(Some(micros.div_euclid(1000)), None),
            Reading::Date => {
                let days = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX);
                ScalarValue::Date32(Some(days))
            }
            Reading::TimeOfDay => {
                ScalarValue::Time64Nanosecond(Some(micros.rem_euclid(MICROS_PER_DAY) * 1000))
            }
        }))
    }
}
