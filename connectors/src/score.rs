//! Asking models: rows as tensors of the Open Inference Protocol, in requests of many rows, with a second
//! model beside the first.

mod metrics;
mod model;
mod operator;
mod shadow;
mod tensors;

pub(crate) use metrics::ScoreMetrics;
pub(crate) use model::{Model, Version, server};
pub(crate) use operator::{Canary, Score, Settings};
pub(crate) use shadow::ShadowSettings;
pub use tensors::TensorType;
pub(crate) use tensors::{InputTensor, OutputColumn, fallback};
