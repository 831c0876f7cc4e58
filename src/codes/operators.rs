//! Codes of operators.

use super::Code;

pub(super) const CODES: &[Code] = &[];
