//! The window table functions: TUMBLE, HOP, SESSION and CUMULATE.

use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
};
use serde_json::{Value, json};

use super::span;

/// Names of the columns that a window table function adds.
pub(super) const BOUNDS: [&str; 2] = ["window_start", "window_end"];
/// The event time of a window's rows.
pub(super) const WINDOW_TIME: &str = "window_time";

/// Windows of time; lengths in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeWindow {
    /// Of one size, one after the other.
    Tumble { size: i64, offset: i64 },
    /// Of one size, overlapping.
    Hop { size: i64, slide: i64 },
    /// As long as rows come.
    Session { gap: i64 },
    /// Growing step by step.
    Cumulate { size: i64, step: i64 },
}

impl TimeWindow {
    /// The options of a `window` node.
    pub(super) fn options(self) -> (&'static str, Value) {
        let text = span::option;
        match self {
            Self::Tumble { size, offset: 0 } => ("tumbling", json!({"size": text(size)})),
            Self::Tumble { size, offset } => {
                ("tumbling", json!({"size": text(size), "offset": text(offset)}))
            }
            Self::Hop { size, slide } => {
                ("hopping", json!({"size": text(size), "slide": text(slide)}))
            }
            Self::Session { gap } => ("session", json!({"gap": text(gap)})),
            Self::Cumulate { size, step } => {
                ("cumulative", json!({"size": text(size), "step": text(step)}))
            }
        }
    }
}

/// The call of a window table function.
pub(super) struct Call {
    /// The table's name.
    pub(super) table: String,
    /// The time column that DESCRIPTOR names.
    pub(super) time: String,
    /// The windows.
    pub(super) window: TimeWindow,
}

/// How the functions are written, for hints.
pub(super) const USAGE: &str = "write TUMBLE(TABLE bids, DESCRIPTOR(date_time), INTERVAL '10' SECOND), HOP with slide and \
     size, CUMULATE with step and size, or SESSION with the gap";

/// Reads a call; `None` where it is none of the four functions or its arguments are wrong.
pub(super) fn read(name: &str, args: &[FunctionArg]) -> Option<Call> {
    let args: Option<Vec<&Expr>> = args.iter().map(plain).collect();
    let args = args?;
    let (table, time, spans) = match args.as_slice() {
        [Expr::Identifier(table), descriptor, spans @ ..] => {
            (table.value.clone(), descriptor_of(descriptor)?, spans)
        }
        _ => return None,
    };
    let spans: Option<Vec<i64>> = spans.iter().map(|s| span::micros(s)).collect();
    let window = match (name.to_uppercase().as_str(), spans?.as_slice()) {
        ("TUMBLE", [size]) => TimeWindow::Tumble { size: *size, offset: 0 },
        ("TUMBLE", [size, offset]) => TimeWindow::Tumble { size: *size, offset: *offset },
        ("HOP", [slide, size]) => TimeWindow::Hop { size: *size, slide: *slide },
        ("SESSION", [gap]) => TimeWindow::Session { gap: *gap },
        ("CUMULATE", [step, size]) => TimeWindow::Cumulate { size: *size, step: *step },
        _ => return None,
    };
    Some(Call { table, time, window })
}

/// The same of a call that stands as an expression, `TABLE(TUMBLE(…))`.
pub(super) fn read_expr(expr: &Expr) -> Option<Call> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr else {
        return None;
    };
    read(&name.to_string(), &list.args)
}

fn plain(arg: &FunctionArg) -> Option<&Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

fn descriptor_of(expr: &Expr) -> Option<String> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr else {
        return None;
    };
    let is_descriptor = name.to_string().eq_ignore_ascii_case("descriptor");
    match list.args.as_slice() {
        [one] if is_descriptor => match plain(one)? {
            Expr::Identifier(column) => Some(column.value.clone()),
            _ => None,
        },
        _ => None,
    }
}
