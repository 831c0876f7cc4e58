//! Reading SQL text: one dialect for every expression and query of a topology file.

use std::any::TypeId;

use datafusion_sql::sqlparser::ast::{Expr, OrderByExpr, SelectItem, Statement};
use datafusion_sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use swiftwater_engine::{Error, Result};

use super::fault;

/// DataFusion's generic dialect, and lambdas (`array_transform(tags, t -> upper(t))`), which the
/// generic one leaves out.
#[derive(Debug)]
struct Streaming;

macro_rules! as_generic {
    ($($property:ident),* $(,)?) => {
        $(fn $property(&self) -> bool { GenericDialect.$property() })*
    };
}

impl Dialect for Streaming {
    /// The parser asks for the generic dialect by its type in some places.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect.is_identifier_part(ch)
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    /// `FOR SYSTEM_TIME AS OF`, for joins with the version that held at a time.
    fn supports_table_versioning(&self) -> bool {
        true
    }

    as_generic!(
        allow_extract_custom,
        allow_extract_single_quotes,
        support_map_literal_syntax,
        supports_array_typedef_with_brackets,
        supports_bitwise_shift_operators,
        supports_comma_separated_trim,
        supports_data_type_signed_suffix,
        supports_dictionary_syntax,
        supports_extract_comma_syntax,
        supports_filter_during_aggregation,
        supports_group_by_expr,
        supports_interval_options,
        supports_named_fn_args_with_assignment_operator,
        supports_nested_comments,
        supports_parens_around_table_factor,
        supports_projection_trailing_commas,
        supports_quote_delimited_string,
        supports_select_wildcard_except,
        supports_select_wildcard_exclude,
        supports_select_wildcard_rename,
        supports_select_wildcard_replace,
        supports_string_escape_constant,
        supports_struct_literal,
        supports_try_convert,
        supports_unicode_string_literal,
        supports_window_function_null_treatment_arg,
    );
}

/// Reads one expression, such as `price >= 1000`.
///
/// # Errors
/// `Config` (`SW0304`) with the position.
pub(super) fn expression(text: &str) -> Result<Expr> {
    whole(text, |parser| parser.parse_expr())
}

/// Reads one item of a SELECT list, such as `price * 0.9 AS reduced`.
///
/// # Errors
/// `Config` (`SW0304`) with the position.
pub(crate) fn item(text: &str) -> Result<SelectItem> {
    whole(text, |parser| parser.parse_select_item())
}

/// Reads the list of an ORDER BY, such as `price desc, date_time`.
///
/// # Errors
/// `Config` (`SW0304`) with the position.
pub(crate) fn order(text: &str) -> Result<Vec<OrderByExpr>> {
    whole(text, |parser| parser.parse_comma_separated(Parser::parse_order_by_expr))
}

/// Reads one statement.
///
/// # Errors
/// `Config` (`SW0304`) with the position.
pub(crate) fn statement(text: &str) -> Result<Statement> {
    whole(text, |parser| {
        let statement = parser.parse_statement()?;
        while parser.consume_token(&Token::SemiColon) {}
        Ok(statement)
    })
}

fn whole<T>(
    text: &str,
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T> {
    if text.trim().is_empty() {
        return Err(Error::config("SW0304", "read an expression: it is empty"));
    }
    let read = || {
        let mut parser = Parser::new(&Streaming).try_with_sql(text)?;
        let parsed = parse(&mut parser)?;
        match parser.peek_token() {
            TokenWithSpan { token: Token::EOF, .. } => Ok(parsed),
            found => Err(ParserError::ParserError(format!(
                "Expected: the end, found: {found}{}",
                found.span.start
            ))),
        }
    };
    read().map_err(|error| fault::syntax(&error, text))
}

/// The words of `text` with their quotes and places; none where it cannot be read.
pub(super) fn words(text: &str) -> Vec<Word> {
    let tokens = Tokenizer::new(&Streaming, text).tokenize_with_location();
    let words = tokens.unwrap_or_default().into_iter();
    words
        .filter_map(|t| match t.token {
            Token::Word(word) => Some(Word {
                text: word.value,
                quoted: word.quote_style.is_some(),
                line: t.span.start.line,
                column: t.span.start.column,
            }),
            _ => None,
        })
        .collect()
}

/// One identifier or keyword of a text.
#[derive(Debug)]
pub(super) struct Word {
    /// Without its quotes.
    pub(super) text: String,
    /// Whether it stood in double quotes.
    pub(super) quoted: bool,
    /// Line, from 1.
    pub(super) line: u64,
    /// Column in characters, from 1.
    pub(super) column: u64,
}
