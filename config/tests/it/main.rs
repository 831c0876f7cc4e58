//! Tests of the grammar through its public interface, with kinds as the real ones are written.

#![cfg(test)]

mod codes;
mod file;
mod graph;
mod kinds;
mod mutations;
mod nodes;
mod options;
mod secrets;
mod told;
