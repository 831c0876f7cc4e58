//! The options of `anonymize`, and their plan.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::Schema;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Secret;
use swiftwater_engine::Result;

use super::methods::Change;
use super::{Column, find, mistake};

/// Shortest key, in bytes.
const SHORTEST_KEY: usize = 16;

/// Hides who or what a row is about, column by column.
///
/// `anonymize: {key: "${file:/run/secrets/anonymize}", columns: {customer: {method: hash}}, others:
/// keep}`. Methods:
///
/// - `hash`: HMAC-SHA256 of the value as text, `length` hexadecimal digits of it. The same value has
///   the same hash wherever key and `domain` are the same, so that tables still join; without the key
///   it cannot be guessed by trying values.
/// - `token`: format-preserving encryption (FF1 of NIST SP 800-38G over AES-256). Digits become digits
///   (`alphabet: alphanumeric` replaces letters too), all else stays: `4111-1111` might become
///   `7203-9925`. Different values of one shape have different tokens. A value with fewer than 6 digits
///   (4 letters and digits) is a bad record.
/// - `mask`: all characters become `with` but the first `keep_first` and the last `keep_last`; a value
///   no longer than these together is masked whole.
/// - `bin`: numbers as the lower end of their bin of `width`, or of those between `edges` (null below
///   the first edge). Null, NaN and infinity become null.
/// - `truncate`: times and dates cut `to` their year, quarter, month, week, day, hour or minute (UTC).
/// - `prefix`: the first `length` characters.
/// - `keep`, `null` (the column stays, without values) and `drop`.
///
/// Null stays null. Every column of the input is named, or `others` says what happens to the rest:
/// a column that is added to the stream later is not passed on by mistake. A time that is changed is
/// no event time any more.
///
/// What comes out is pseudonymous: who knows enough of a row can still find it. For figures with a
/// guarantee take `release_private`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnonymizeOptions {
    /// The secret key of `hash` and `token`, of at least 16 characters: better 32 random ones. Who has
    /// it can undo tokens and guess hashes; a new key breaks joins with older rows.
    #[serde(default)]
    pub key: Option<Secret>,
    /// What happens to each column.
    pub columns: BTreeMap<String, AnonymizedColumn>,
    /// What happens to columns that are not named.
    #[serde(default)]
    pub others: Others,
}

/// What happens to columns that are not named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// The topology is refused.
    #[default]
    Refuse,
    /// They are left out.
    Drop,
    /// They pass as they are.
    Keep,
}

/// How a column is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Keyed hash.
    Hash,
    /// Format-preserving encryption.
    Token,
    /// Characters hidden.
    Mask,
    /// Lower end of a bin.
    Bin,
    /// Start of the day, month and so on.
    Truncate,
    /// First characters.
    Prefix,
    /// As it is.
    Keep,
    /// Without values.
    Null,
    /// Left out.
    Drop,
}

/// What is done to one column.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnonymizedColumn {
    /// The method.
    pub method: Method,
    /// For `hash` and `token`: values of one domain have the same pseudonym in all columns and
    /// topologies; without it all columns share one.
    #[serde(default)]
    pub domain: Option<String>,
    /// For `hash`: hexadecimal digits (32 without it, 16 to 64). For `prefix`: characters.
    #[serde(default)]
    pub length: Option<usize>,
    /// For `token`: `digits` (without it) or `alphanumeric`.
    #[serde(default)]
    pub alphabet: Option<TokenAlphabet>,
    /// For `mask`: characters at the start that stay.
    #[serde(default)]
    pub keep_first: Option<usize>,
    /// For `mask`: characters at the end that stay.
    #[serde(default)]
    pub keep_last: Option<usize>,
    /// For `mask`: what stands for a hidden character; `*` without it.
    #[serde(default)]
    pub with: Option<String>,
    /// For `bin`: width of the bins, which begin at 0.
    #[serde(default)]
    pub width: Option<f64>,
    /// For `bin`: ascending lower ends of the bins.
    #[serde(default)]
    pub edges: Option<Vec<f64>>,
    /// For `truncate`: `year`, `quarter`, `month`, `week`, `day`, `hour` or `minute`.
    #[serde(default)]
    pub to: Option<TimePart>,
}

/// The characters that a token replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenAlphabet {
    /// 0 to 9.
    Digits,
    /// 0 to 9, A to Z and a to z.
    Alphanumeric,
}

/// What times are cut to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimePart {
    /// Start of the year.
    Year,
    /// Start of the quarter.
    Quarter,
    /// Start of the month.
    Month,
    /// Monday of the week.
    Week,
    /// Start of the day.
    Day,
    /// Start of the hour.
    Hour,
    /// Start of the minute.
    Minute,
}

impl AnonymizedColumn {
    /// Options that are given, with the methods they belong to.
    fn given(&self) -> impl Iterator<Item = (&'static str, &'static [Method])> {
        use Method::{Bin, Hash, Mask, Prefix, Token, Truncate};
        let all: [(&str, bool, &[Method]); 9] = [
            ("domain", self.domain.is_some(), &[Hash, Token]),
            ("length", self.length.is_some(), &[Hash, Prefix]),
            ("alphabet", self.alphabet.is_some(), &[Token]),
            ("keep_first", self.keep_first.is_some(), &[Mask]),
            ("keep_last", self.keep_last.is_some(), &[Mask]),
            ("with", self.with.is_some(), &[Mask]),
            ("width", self.width.is_some(), &[Bin]),
            ("edges", self.edges.is_some(), &[Bin]),
            ("to", self.to.is_some(), &[Truncate]),
        ];
        all.into_iter().filter(|(_, given, _)| *given).map(|(name, _, of)| (name, of))
    }
}

impl AnonymizeOptions {
    /// The columns of the result in the order of the input, and the names of those that stay as
    /// they are.
    pub(super) fn columns(&self, input: &Schema) -> Result<(Vec<Column>, BTreeSet<String>)> {
        for name in self.columns.keys() {
            find(input, name)?;
        }
        let key = self.key.as_ref().map(Secret::expose);
        if key.is_some_and(|key| key.len() < SHORTEST_KEY) {
            let message = "hide values under a key of fewer than 16 characters";
            return Err(mistake(message, "take 32 random characters from a secret file"));
        }
        let (mut columns, mut kept, mut unnamed) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (source, field) in input.fields().iter().enumerate() {
            let name = field.name();
            let change = match self.columns.get(name) {
                Some(options) => {
                    if let Some((option, _)) =
                        options.given().find(|(_, of)| !of.contains(&options.method))
                    {
                        let message = format!(
                            "use `{option}` of the column `{name}` with the method {:?}",
                            options.method
                        );
                        return Err(mistake(
                            message,
                            "`swiftwater describe anonymize` lists what belongs to each method",
                        ));
                    }
                    Change::plan(options, (name, field.data_type()), key, input)?
                }
                None if self.others == Others::Keep => Some(Change::Keep),
                None => {
                    unnamed.push(format!("`{name}`"));
                    None
                }
            };
            let Some(change) = change else { continue };
            if matches!(change, Change::Keep) {
                kept.insert(name.clone());
            }
            columns.push(Column { source, field: change.field(field), change });
        }
        if self.others == Others::Refuse && !unnamed.is_empty() {
            let message =
                format!("anonymize a row whose columns {} are not named", unnamed.join(", "));
            return Err(mistake(
                message,
                "name each with a method such as `keep` or `drop`, or write others: drop",
            ));
        }
        if columns.is_empty() {
            return Err(mistake("anonymize a row of which nothing is left", "keep a column"));
        }
        Ok((columns, kept))
    }
}
