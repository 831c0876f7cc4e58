//! Manuals: what the options' doc comments and JSON Schemas say, for people.
//!
//! One description of a kind serves the topology check, the editor, `describe`, `create` and
//! `docs/reference`.

mod created;
mod fill;
mod options;
mod page;
mod reference;
mod yaml;

pub(crate) use created::{Draft, create};
pub(crate) use fill::fill;
pub(crate) use page::{format_page, format_summary, kind_page, one_line};
pub(crate) use reference::reference;
pub(crate) use yaml::flow;
