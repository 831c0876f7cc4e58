//! Intervals of a query as spans of time.

use datafusion_sql::sqlparser::ast::{DateTimeField, Expr, Interval, Value};

/// Microseconds of `INTERVAL '10' SECOND` or `INTERVAL '1 hour 30 minutes'`; `None` for what has no
/// fixed length, such as a month, and for anything else.
pub(super) fn micros(expr: &Expr) -> Option<i64> {
    let Expr::Interval(interval) = expr else {
        return None;
    };
    let text = text(interval)?;
    let Some(unit) = &interval.leading_field else {
        return of_text(&text);
    };
    if interval.last_field.is_some() {
        return None;
    }
    scaled(&text, of_unit(&field(unit)?)?)
}

fn text(interval: &Interval) -> Option<String> {
    match interval.value.as_ref() {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => {
                Some(text.trim().to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}

fn field(unit: &DateTimeField) -> Option<String> {
    Some(unit.to_string().to_lowercase())
}

/// Microseconds of one unit.
fn of_unit(name: &str) -> Option<i64> {
    let name = name.strip_suffix('s').filter(|n| n.len() > 1).unwrap_or(name);
    Some(match name {
        "microsecond" => 1,
        "millisecond" => 1000,
        "second" | "sec" => 1_000_000,
        "minute" | "min" => 60_000_000,
        "hour" => 3_600_000_000,
        "day" => 86_400_000_000,
        "week" => 7 * 86_400_000_000,
        _ => return None,
    })
}

/// `1 hour 30 minutes`.
fn of_text(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (pairs, rest) = words.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return None;
    }
    pairs.iter().try_fold(0_i64, |sum, [number, unit]| {
        sum.checked_add(scaled(number, of_unit(&unit.to_lowercase())?)?)
    })
}

/// A decimal number of units, exactly.
fn scaled(number: &str, unit: i64) -> Option<i64> {
    let (sign, digits) = number.strip_prefix('-').map_or((1, number), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut total: i64 = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    let mut part = unit;
    for digit in fraction.chars() {
        part /= 10;
        total = total.checked_add(i64::from(digit.to_digit(10)?).checked_mul(part)?)?;
    }
    total.checked_mul(sign)
}

/// A span as an option of an operator writes it.
pub(super) fn option(micros: i64) -> String {
    for (unit, size) in [("s", 1_000_000), ("ms", 1000)] {
        if micros % size == 0 {
            return format!("{}{unit}", micros / size);
        }
    }
    format!("{micros}us")
}

#[cfg(test)]
mod tests {
    use datafusion_sql::sqlparser::ast::SelectItem;

    use super::*;
    use crate::expression;

    #[test]
    fn intervals_have_lengths() {
        for (text, length) in [
            ("INTERVAL '10' SECOND", Some(10_000_000)),
            ("INTERVAL '0.5' SECOND", Some(500_000)),
            ("INTERVAL '2' HOURS", Some(7_200_000_000)),
            ("INTERVAL '1 hour 30 minutes'", Some(5_400_000_000)),
            ("INTERVAL '-3 ms'", None),
            ("INTERVAL '-3 milliseconds'", Some(-3000)),
            ("INTERVAL '1' MONTH", None),
            ("INTERVAL 'soon'", None),
            ("10", None),
        ] {
            let Ok(SelectItem::UnnamedExpr(expr)) = expression::item(text) else {
                panic!("{text}")
            };
            assert_eq!(micros(&expr), length, "{text}");
        }
        let options = [5_000_000, 1_500_000, 7].map(option);
        assert_eq!(options, ["5s", "1500ms", "7us"]);
    }
}
