//! Checks of strings, numbers and truth values.

use regex::Regex;
use serde_json::{Number, Value};

use super::rule::{Rule, Unit};
use super::{At, Checker, Given, expectation};
use crate::suggest;
use crate::units::{ByteSize, Duration};

impl Checker<'_> {
    /// A value among those that are listed, where the rule lists them.
    pub(super) fn constant(
        &mut self,
        rule: Rule<'_>,
        given: Given<'_>,
        value: Value,
        at: &At,
    ) -> Value {
        match rule.constants() {
            Some(values) if !values.contains(&&value) => self.not_listed(rule, given, &value, at),
            _ => value,
        }
    }

    pub(super) fn not_listed(
        &mut self,
        rule: Rule<'_>,
        given: Given<'_>,
        value: &Value,
        at: &At,
    ) -> Value {
        let wanted = expectation::of(rule);
        // What a variable holds is not hinted at.
        let hint = match (given, value.as_str()) {
            (Given::Plain(_), Some(text)) if !at.secret => {
                let branches = rule.branches().unwrap_or_else(|| vec![rule]);
                let listed = branches.iter().flat_map(|b| b.constants().unwrap_or_default());
                let listed: Vec<_> = listed.filter_map(Value::as_str).collect();
                suggest::closest(text, listed).map(|name| format!("did you mean `{name}`?"))
            }
            _ => None,
        };
        self.complain("SW0111", rule, given, at, &wanted, hint)
    }

    pub(super) fn text(&mut self, rule: Rule<'_>, given: Given<'_>, text: &str, at: &At) -> Value {
        if rule.constants().is_some() {
            return self.constant(rule, given, Value::String(text.into()), at);
        }
        if let Some(unit) = rule.unit() {
            return self.unit(unit, rule, given, text, at);
        }
        let length = text.chars().count() as u64;
        if let Some(wanted) = length_outside(rule, "minLength", "maxLength", length) {
            let wanted = match wanted.as_str() {
                "at least 1" => "a string that is not empty".to_owned(),
                "exactly 1" => "a single character".to_owned(),
                wanted => format!("a string of {wanted} characters"),
            };
            return self.complain("SW0112", rule, given, at, &wanted, None);
        }
        let pattern = rule.get("pattern").and_then(Value::as_str);
        // A pattern that this engine of regular expressions does not know is left to the kind.
        let regex = pattern.and_then(|pattern| Regex::new(pattern).ok());
        if let Some((regex, pattern)) = regex.zip(pattern)
            && !regex.is_match(text)
        {
            let example = rule.get("examples").and_then(|examples| examples.get(0));
            let wanted = match example {
                Some(example) => format!("a string such as `{}`", expectation::bare(example)),
                None => format!("a string that matches `{pattern}`"),
            };
            return self.complain("SW0113", rule, given, at, &wanted, None);
        }
        Value::String(text.into())
    }

    fn unit(&mut self, unit: Unit, rule: Rule<'_>, given: Given<'_>, text: &str, at: &At) -> Value {
        let read = match unit {
            Unit::Duration => text.parse::<Duration>().map(|_| ()),
            Unit::Bytes => text.parse::<ByteSize>().map(|_| ()),
        };
        match read {
            Ok(()) => Value::String(text.into()),
            Err(reason) => {
                let hint = matches!(given, Given::Plain(_)).then_some(reason);
                self.complain("SW0109", rule, given, at, unit.expectation(), hint)
            }
        }
    }

    pub(super) fn number(
        &mut self,
        rule: Rule<'_>,
        given: Given<'_>,
        number: &Number,
        at: &At,
    ) -> Value {
        let value = Value::Number(number.clone());
        if rule.constants().is_some() {
            return self.constant(rule, given, value, at);
        }
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        if rule.is_integer() && whole.is_none() {
            let float = number.as_f64().unwrap_or_default();
            let hint = match given {
                Given::Plain(_) if float.fract() == 0.0 && float.abs() < 1e15 => {
                    Some(format!("write `{float:.0}`"))
                }
                _ => None,
            };
            return self.complain("SW0104", rule, given, at, "a whole number", hint);
        }
        if let Some(wanted) = outside(rule, number) {
            return self.complain("SW0112", rule, given, at, &wanted, None);
        }
        value
    }
}

/// What is asked for where the number is out of bounds: those of the schema, and those of the Rust
/// type, which schemars names in `format`.
fn outside(rule: Rule<'_>, number: &Number) -> Option<String> {
    let value = number.as_f64().unwrap_or_default();
    let bound = |keyword: &str| rule.get(keyword).and_then(Value::as_number);
    let low = bound("minimum").filter(|low| low.as_f64().is_some_and(|low| value < low));
    let above =
        bound("exclusiveMinimum").filter(|low| low.as_f64().is_some_and(|low| value <= low));
    let high = bound("maximum").filter(|high| high.as_f64().is_some_and(|high| value > high));
    let below =
        bound("exclusiveMaximum").filter(|high| high.as_f64().is_some_and(|high| value >= high));
    let excluded = rule.get("not").and_then(|not| not.get("const")).and_then(Value::as_number);
    if low.is_some() || high.is_some() {
        return Some(match (bound("minimum"), bound("maximum")) {
            (Some(low), Some(high)) => format!("a number from {low} to {high}"),
            (Some(low), None) => format!("a number of at least {low}"),
            (_, Some(high)) => format!("a number of at most {high}"),
            (None, None) => return None,
        });
    }
    if let Some(low) = above {
        return Some(format!("a number above {low}"));
    }
    if let Some(high) = below {
        return Some(format!("a number below {high}"));
    }
    if excluded.is_some_and(|excluded| excluded == number) {
        return Some(format!("a number other than {number}"));
    }
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))?;
    let (low, high) = match rule.get("format").and_then(Value::as_str)? {
        "int32" => (i128::from(i32::MIN), i128::from(i32::MAX)),
        "uint32" => (0, i128::from(u32::MAX)),
        "int64" | "int" => (i128::from(i64::MIN), i128::from(i64::MAX)),
        "uint64" | "uint" => (0, i128::from(u64::MAX)),
        _ => return None,
    };
    (!(low..=high).contains(&whole)).then(|| format!("a number from {low} to {high}"))
}

/// "at least 2", "at most 5" or "from 2 to 5" where a length is out of bounds.
pub(super) fn length_outside(
    rule: Rule<'_>,
    least: &str,
    most: &str,
    length: u64,
) -> Option<String> {
    let least = rule.get(least).and_then(Value::as_u64);
    let most = rule.get(most).and_then(Value::as_u64);
    let fits = least.is_none_or(|least| length >= least) && most.is_none_or(|most| length <= most);
    match (least, most) {
        _ if fits => None,
        (Some(least), Some(most)) if least == most => Some(format!("exactly {least}")),
        (Some(least), Some(most)) => Some(format!("from {least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    }
}
