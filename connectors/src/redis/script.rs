//! The scripts that run in Redis, each in one step: nobody sees half of what they do, and no other
//! writer comes between their look and their write.

/// Runs the commands in ARGV\[1\] ([`super::command::packed`]); says what the first error was.
pub(super) const WRITE: &str =
    concat!(include_str!("compare_and_set.lua"), include_str!("write.lua"));

/// Runs staged batches of a committed epoch, once.
pub(super) const APPLY: &str =
    concat!(include_str!("compare_and_set.lua"), include_str!("apply.lua"));

/// The first word of a command that the scripts carry out themselves.
pub(super) const COMPARE_AND_SET: &str = "COMPARE-AND-SET";
