//! Regular expressions that are written in the topology file are compiled when it is checked.

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::{BinaryExpr, Expr, Operator};
use swiftwater_engine::{Error, Result};

use super::fault::quote;

/// Compiles every constant pattern of `logical`.
///
/// # Errors
/// `Config` (`SW0306`), quoting the pattern and the reason.
pub(crate) fn check(logical: &Expr, text: &str) -> Result<()> {
    let mut wrong = None;
    let walked = logical.apply(|node| {
        let found = pattern(node).and_then(|p| Some((p, regex::Regex::new(p).err()?)));
        let Some((pattern, error)) = found else {
            return Ok(TreeNodeRecursion::Continue);
        };
        wrong = Some((pattern.to_owned(), error));
        Ok::<_, DataFusionError>(TreeNodeRecursion::Stop)
    });
    debug_assert!(walked.is_ok(), "walking an expression cannot fail");
    match wrong {
        None => Ok(()),
        Some((pattern, error)) => Err(invalid(&pattern, &error, text)),
    }
}

/// A pattern that is not a regular expression.
pub(crate) fn invalid(pattern: &str, error: &regex::Error, text: &str) -> Error {
    // The regex crate draws the position over several lines; the last one has the reason.
    let reason = error.to_string();
    let reason = reason.lines().last().unwrap_or_default().trim();
    let reason = reason.trim_start_matches("error: ").to_owned();
    let message =
        format!("compile the regular expression `{pattern}` in {}: {reason}", quote(text));
    Error::config("SW0306", message).with_hint("escape a literal bracket or dot with a backslash")
}

fn pattern(node: &Expr) -> Option<&str> {
    let pattern = match node {
        Expr::BinaryExpr(BinaryExpr {
            op:
                Operator::RegexMatch
                | Operator::RegexIMatch
                | Operator::RegexNotMatch
                | Operator::RegexNotIMatch,
            right,
            ..
        }) => right.as_ref(),
        Expr::ScalarFunction(call) if call.func.name().starts_with("regexp_") => {
            call.args.get(1)?
        }
        _ => return None,
    };
    match pattern {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        _ => None,
    }
}
