//! One file an operator. A new operator is its file here, its `mod` line and its line in
//! [`register`].

mod aggregate;
mod assert;
mod deduplicate;
mod delta;
mod drift;
mod encode;
mod filter;
mod group;
mod impute;
mod join;
mod join_point_in_time;
mod lag;
mod learn;
mod outlier;
mod profile;
mod rate;
mod route;
mod sample;
mod scale;
mod select;
mod sessionize;
mod sql;
mod synthesize;
mod throttle;
mod time_since;
mod top;
mod union;
mod unnest;
mod window;

use swiftwater_engine::Registry;

pub use aggregate::AggregateOptions;
pub use assert::AssertOptions;
pub use deduplicate::DeduplicateOptions;
pub use delta::DeltaOptions;
pub use drift::{DriftOptions, Metric as DriftMetric};
pub use encode::EncodeOptions;
pub use filter::FilterOptions;
pub use group::GroupOptions;
pub use impute::ImputeOptions;
pub use join::JoinOptions;
pub use join_point_in_time::JoinPointInTimeOptions;
pub use lag::LagOptions;
pub use learn::{Dependence, LearnOptions, Take};
pub use outlier::OutlierOptions;
pub use profile::ProfileOptions;
pub use rate::RateOptions;
pub use route::RouteOptions;
pub use sample::SampleOptions;
pub use scale::ScaleOptions;
pub use select::SelectOptions;
pub use sessionize::SessionizeOptions;
pub use sql::SqlOptions;
pub use synthesize::{SynthesizeOptions, SynthesizeSourceOptions};
pub use throttle::ThrottleOptions;
pub use time_since::TimeSinceOptions;
pub use top::TopOptions;
pub use union::UnionOptions;
pub use unnest::UnnestOptions;
pub use window::WindowOptions;

/// Registers every operator of this crate.
pub fn register(registry: &mut Registry) {
    registry.operator::<FilterOptions>();
    registry.operator::<SelectOptions>();
    registry.operator::<SqlOptions>();
    registry.operator::<RouteOptions>();
    registry.operator::<UnionOptions>();
    registry.operator::<UnnestOptions>();
    registry.operator::<SampleOptions>();
    registry.operator::<ThrottleOptions>();
    registry.operator::<AssertOptions>();
    registry.operator::<DeduplicateOptions>();
    registry.operator::<LagOptions>();
    registry.operator::<DeltaOptions>();
    registry.operator::<RateOptions>();
    registry.operator::<TimeSinceOptions>();
    registry.operator::<SessionizeOptions>();
    registry.operator::<JoinOptions>();
    registry.operator::<JoinPointInTimeOptions>();
    registry.operator::<TopOptions>();
    registry.operator::<AggregateOptions>();
    registry.operator::<ScaleOptions>();
    registry.operator::<EncodeOptions>();
    registry.operator::<ImputeOptions>();
    registry.operator::<OutlierOptions>();
    registry.operator::<DriftOptions>();
    registry.operator::<ProfileOptions>();
    registry.operator::<LearnOptions>();
    registry.operator::<SynthesizeOptions>();
    registry.source::<SynthesizeSourceOptions>();
    registry.operator::<WindowOptions>();
    registry.operator::<GroupOptions>();
}
