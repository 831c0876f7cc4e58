//! Codes of kafka.

use super::Code;

pub(super) const CODES: &[Code] = &[];
