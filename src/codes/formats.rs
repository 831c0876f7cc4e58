//! Codes of formats.

use super::Code;

pub(super) const CODES: &[Code] = &[];
