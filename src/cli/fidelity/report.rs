//! Everything that is measured, in the form that `--json` shows.

use serde::Serialize;
use swiftwater_engine::Result;
use swiftwater_operators::fidelity::{
    Baselines, Closeness, Detection, LeftOut, Membership, Profile, Quality, Reference, Table,
    Thresholds, Utility, baselines, closeness, detection, membership, profiles, utility,
};

use super::Arguments;
use super::files::Rows;

/// One side of the comparison.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) path: String,
    pub(super) rows: usize,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What the scores are the same as.
    pub(super) definition: &'static str,
    pub(super) real: Side,
    pub(super) synthetic: Side,
    pub(super) holdout: Option<Side>,
    pub(super) thresholds: Thresholds,
    pub(super) seed: u64,
    pub(super) baselines: Baselines,
    pub(super) quality: Quality,
    pub(super) detection: Detection,
    pub(super) utility: Option<Utility>,
    pub(super) closeness: Closeness,
    /// Whether rows that were learned from can be told from the holdout.
    pub(super) membership: Option<Membership>,
    pub(super) canaries: Option<Membership>,
    pub(super) left_out: Vec<LeftOut>,
    /// What the reader has to know of these figures.
    pub(super) notes: Vec<String>,
    pub(super) profiles: Vec<Profile>,
}

/// Share of the real rows that is tested with where there is no holdout.
const TESTED: f64 = 0.3;
/// Synthetic rows that are searched for canaries.
const CANARIES_AMONG: usize = 200_000;

impl Report {
    /// Measures.
    pub(super) fn new(arguments: &Arguments, rows: &Rows) -> Result<Self> {
        let Rows { design, real, synthetic, holdout, canaries } = rows;
        let seed = arguments.seed;
        let thresholds = Thresholds {
            correlation: arguments.correlation_threshold,
            association: arguments.association_threshold,
        };
        let reference = Reference::new(design, real, thresholds);
        let quality = reference.score(synthetic);
        let draws = (arguments.draws, seed);
        let baselines = baselines((&reference, real), (&quality, synthetic.rows), draws);
        let (training, held) = equal_parts(real, holdout.as_ref(), arguments);
        let some = synthetic.sample(arguments.closeness_rows, seed, "synthetic");
        let side = |path: &str, table: &Table| Side { path: path.to_owned(), rows: table.rows };
        let mut report = Self {
            definition: "SDMetrics 0.32.0",
            real: side(&arguments.real, real),
            synthetic: side(&arguments.synthetic, synthetic),
            holdout: arguments.holdout.as_ref().zip(holdout.as_ref()).map(|(p, t)| side(p, t)),
            thresholds,
            seed,
            baselines,
            quality,
            detection: detection(real, synthetic, seed),
            utility: utility_of(arguments, rows),
            closeness: closeness(&training, &some, held.as_ref(), seed),
            membership: held.as_ref().map(|held| {
                let among = arguments.closeness_rows.saturating_mul(4);
                membership(&training, held, &synthetic.sample(among, seed, "attacked"))
            }),
            canaries: canaries.as_ref().map(|[planted, others]| {
                membership(planted, others, &synthetic.sample(CANARIES_AMONG, seed, "canaries"))
            }),
            left_out: design.left_out.clone(),
            notes: Vec::new(),
            profiles: profiles(design, real, synthetic),
        };
        report.notes = report.remarks(arguments);
        Ok(report)
    }

    fn remarks(&self, arguments: &Arguments) -> Vec<String> {
        let mut notes = Vec::new();
        if self.baselines.quality.normalised.is_none() {
            notes.push(
                "There is no normalised score: floor and ceiling are less than 0.01 apart, because \
                 hardly a pair of real columns depends on each other above the thresholds."
                    .to_owned(),
            );
        }
        if arguments.target.is_some() && self.utility.is_none() {
            notes.push(
                "The target cannot be predicted: it is constant, or has more than 20 categories."
                    .to_owned(),
            );
        }
        if self.utility.is_some() && self.holdout.is_none() {
            notes.push(
                "Models were tested on 30 % of the real rows, which the synthetic rows may have been \
                 learned from; a holdout is the fair test."
                    .to_owned(),
            );
        }
        if self.holdout.is_none() {
            notes.push(
                "Without a holdout nothing tells how close rows come by chance: the alarms are not \
                 judged."
                    .to_owned(),
            );
        }
        notes.push(
            "Closeness and membership are alarms: they can show a leak, and they cannot show that \
             there is none. Only differential privacy is a guarantee."
                .to_owned(),
        );
        notes
    }

    /// Names of the alarms that went off.
    pub(super) fn alarms(&self) -> Vec<&'static str> {
        let found = [
            ("rows come too close to those learned from", self.closeness.alarm == Some(true)),
            (
                "members can be told from the holdout",
                self.membership.as_ref().is_some_and(|m| m.alarm),
            ),
            ("planted canaries can be told", self.canaries.as_ref().is_some_and(|m| m.alarm)),
        ];
        found.into_iter().filter(|(_, off)| *off).map(|(name, _)| name).collect()
    }
}

/// Rows that were learned from and rows of the holdout, as many of the one as of the other: the
/// larger side would be closer by chance.
fn equal_parts(
    real: &Table,
    holdout: Option<&Table>,
    arguments: &Arguments,
) -> (Table, Option<Table>) {
    let most = arguments.closeness_rows;
    let rows = holdout.map_or(most, |h| h.rows.min(real.rows).min(most));
    let sample = |table: &Table, what| table.sample(rows, arguments.seed, what);
    (sample(real, "training"), holdout.map(|h| sample(h, "holdout")))
}

fn utility_of(arguments: &Arguments, rows: &Rows) -> Option<Utility> {
    let name = arguments.target.as_ref()?;
    let target = rows.design.fields.iter().position(|f| f.name == *name)?;
    let parts;
    let (training, test) = match &rows.holdout {
        Some(holdout) => (&rows.real, holdout),
        None => {
            parts = rows.real.split(TESTED, arguments.seed, "test");
            (&parts.0, &parts.1)
        }
    };
    utility(&rows.design, target, [training, &rows.synthetic, test], arguments.seed)
}
