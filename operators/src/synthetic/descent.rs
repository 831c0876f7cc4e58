//! Draws from a tree: the root first, then each column by what its parent holds. Conditions travel
//! up the tree first, as messages (J. Pearl, 1982), so that what is drawn is exactly what the model
//! says under them, however many there are.
#![expect(
    clippy::indexing_slicing,
    reason = "lists that are as long as the columns and their bins"
)]

use hashbrown::HashMap;
use swiftwater_engine::random::Stream;

use super::alias::Alias;
use super::drawer::Drawer;
use super::model::Edge;

/// One column in the order in which they are drawn.
#[derive(Debug, Clone)]
struct Step {
    column: usize,
    parent: Option<usize>,
    /// By the bin of the parent.
    picks: Vec<Option<Alias>>,
}

/// Draws bins.
#[derive(Debug, Clone)]
pub(crate) struct Descent {
    steps: Vec<Step>,
    /// The part of the model's rows that meets the conditions.
    pub(crate) share: f64,
}

fn sum(weights: &[f64]) -> f64 {
    weights.iter().sum()
}

/// A child with the table it shares with its parent.
type Child<'a> = (usize, &'a [Vec<f64>]);

/// Columns with the children that hang on them.
struct Tree<'a> {
    /// Weights of bins under the conditions, and without.
    allowed: Vec<Vec<f64>>,
    whole: &'a [Vec<f64>],
    /// Children of each column.
    children: Vec<Vec<Child<'a>>>,
    steps: Vec<Step>,
}

impl Tree<'_> {
    /// How likely the conditions at a column and below are, for each of its bins.
    fn likely(&mut self, column: usize) -> Vec<f64> {
        let ratio =
            |(allowed, whole): (&f64, &f64)| if *whole > 0.0 { allowed / whole } else { 0.0 };
        let whole = &self.whole[column];
        let mut own: Vec<f64> = self.allowed[column].iter().zip(whole).map(ratio).collect();
        for (child, table) in std::mem::take(&mut self.children[column]) {
            let below = self.likely(child);
            let marginal = &self.whole[child];
            let mut picks = Vec::with_capacity(own.len());
            for (bin, own) in own.iter_mut().enumerate() {
                // A bin that the tables never saw goes by the marginal.
                let row = table.get(bin).filter(|row| sum(row) > 0.0).unwrap_or(marginal);
                let weighed: Vec<f64> = row.iter().zip(&below).map(|(w, b)| w * b).collect();
                *own *= sum(&weighed) / sum(row).max(f64::MIN_POSITIVE);
                picks.push(Alias::new(&weighed));
            }
            self.steps.push(Step { column: child, parent: Some(column), picks });
        }
        own
    }
}

impl Descent {
    /// Over columns, of which `whole` has the weights of bins (none for a key).
    pub(crate) fn new(
        names: &HashMap<String, usize>,
        drawers: &[Option<Drawer>],
        whole: &[Vec<f64>],
        edges: &[Edge],
    ) -> Result<Self, String> {
        let mut children = vec![Vec::new(); drawers.len()];
        let mut is_child = vec![false; drawers.len()];
        for edge in edges {
            if let (Some(parent), Some(child)) = (names.get(&edge.parent), names.get(&edge.column))
            {
                children[*parent].push((*child, edge.table.as_slice()));
                is_child[*child] = true;
            }
        }
        let allowed = drawers.iter().map(|d| d.as_ref().map_or_else(Vec::new, Drawer::weights));
        let mut tree = Tree { allowed: allowed.collect(), whole, children, steps: Vec::new() };
        let mut share = 1.0;
        let mut steps = Vec::new();
        for root in (0..drawers.len()).filter(|c| drawers[*c].is_some() && !is_child[*c]) {
            let likely = tree.likely(root);
            let weighed: Vec<f64> = whole[root].iter().zip(&likely).map(|(w, l)| w * l).collect();
            share *= sum(&weighed) / sum(&whole[root]);
            let picks = vec![Alias::new(&weighed)];
            steps.push(Step { column: root, parent: None, picks });
            // Steps were noted from the leaves up.
            steps.extend(tree.steps.drain(..).rev());
        }
        if share > 0.0 {
            Ok(Self { steps, share })
        } else {
            Err("no row of the model is so".into())
        }
    }

    /// The values of each column.
    pub(crate) fn draw(
        &self,
        drawers: &[Option<Drawer>],
        streams: &[(Stream, Stream)],
        rows: &[u64],
    ) -> Vec<Vec<f64>> {
        let mut bins: Vec<Vec<u16>> = vec![Vec::new(); drawers.len()];
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); drawers.len()];
        for Step { column, parent, picks } in &self.steps {
            let (of_bin, of_value) = streams[*column];
            let picked: Vec<u16> = match parent {
                None => rows.iter().map(|row| pick(&picks[0], of_bin.at(*row))).collect(),
                Some(parent) => {
                    let pairs = bins[*parent].iter().zip(rows);
                    pairs
                        .map(|(bin, row)| pick(&picks[usize::from(*bin)], of_bin.at(*row)))
                        .collect()
                }
            };
            if let Some(drawer) = &drawers[*column] {
                let value = |(bin, row): (&u16, &u64)| {
                    let bin = drawer.bins.get(usize::from(*bin));
                    bin.map_or(f64::NAN, |bin| bin.value(of_value.at(*row)))
                };
                values[*column] = picked.iter().zip(rows).map(value).collect();
            }
            bins[*column] = picked;
        }
        values
    }
}

#[inline]
fn pick(alias: &Option<Alias>, word: u64) -> u16 {
    alias.as_ref().map_or(0, |alias| alias.pick(word) as u16)
}
