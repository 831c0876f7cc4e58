//! Sources, sinks and message formats. The only crate that talks to the outside world.

pub mod catalog;
pub mod codec;

pub use catalog::register;
