//! Codes of connectors.

use super::Code;

pub(super) const CODES: &[Code] = &[];
