//! The Nexmark queries of `config/topologies/nexmark/`, each against a batch oracle: plain loops over
//! the rows of the generator.

mod events;
mod keyed;
mod run;
mod stateless;
mod windows;
