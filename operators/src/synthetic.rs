//! Statistical twins: a model of a table that is fitted from counts ([`fit`]), kept as a readable
//! artifact with a checksum ([`model`]), and sampled from ([`sampler`]).
//!
//! Columns are cut into bins ([`coder`]); tables of pairs of bins ([`tally`]) say how columns depend
//! on each other, as a tree ([`tree`]; Chow and Liu, IEEE Transactions on Information Theory, 1968)
//! or as a Gaussian copula ([`copula`]). What is wished for (`where`, orders, keys) is in [`wishes`].

pub(crate) mod alias;
pub(crate) mod artifact;
pub(crate) mod cells;
pub(crate) mod coder;
pub(crate) mod copula;
pub(crate) mod descent;
pub(crate) mod drawer;
pub(crate) mod fit;
pub(crate) mod latent;
pub(crate) mod model;
pub(crate) mod model_text;
pub(crate) mod normal;
pub(crate) mod numbers;
pub(crate) mod quality;
pub(crate) mod sampler;
pub(crate) mod series;
pub(crate) mod tally;
pub(crate) mod tree;
pub(crate) mod wire;
pub(crate) mod wishes;

#[cfg(test)]
mod tests;
