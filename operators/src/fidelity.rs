//! How well synthetic rows stand in for real ones: the column shapes and pair trends of `SDMetrics`
//! 0.32.0, where they lie between independent columns and the real rows drawn again, how well models
//! that are trained on them do, and alarms about rows that were learned by heart.
//!
//! Everything is a pure function of the rows and a seed.

mod baseline;
mod boosting;
mod closeness;
mod design;
mod membership;
mod pairs;
mod profile;
mod quality;
mod ranking;
mod shapes;
mod table;
mod utility;

pub use baseline::{Baselines, Placed, baselines};
pub use closeness::{Closeness, Record, closeness};
pub use design::{Choices, Design, Field, Kind, LeftOut, Mistake};
pub use membership::{Membership, membership};
pub use pairs::PairScore;
pub use profile::{Profile, profiles};
pub use quality::{Quality, Reference, Thresholds};
pub use shapes::ColumnScore;
pub use table::{Table, Values};
pub use utility::{Detection, Utility, detection, utility};
