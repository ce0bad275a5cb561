//! The port to a model that is asked while a reference is made.

use crate::error::Result;
use crate::signature::Signature;

/// The values of a tensor, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of every datatype that is no text; truth values are 0 and 1.
    Numbers(Vec<f64>),
    /// Of texts.
    Texts(Vec<String>),
}

impl Values {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Values::Numbers(numbers) => numbers.len(),
            Values::Texts(texts) => texts.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of one place in each row of `width` values.
    #[must_use]
    pub fn column(&self, column: usize, width: usize) -> Self {
        match self {
            Values::Numbers(all) => {
                Values::Numbers(all.iter().skip(column).step_by(width).copied().collect())
            }
            Values::Texts(all) => {
                Values::Texts(all.iter().skip(column).step_by(width).cloned().collect())
            }
        }
    }
}

/// A model that answers as it does when it is served.
pub trait Model {
    /// What it takes and gives.
    fn signature(&self) -> &Signature;

    /// The values of its outputs for so many rows, or `None` for an output that is not row by row. `inputs` are in the
    /// signature's order, with values that their datatypes hold.
    ///
    /// # Errors
    /// `Invalid`: it fails on these values, or has a shape that leaves too much open.
    fn predict(&self, rows: usize, inputs: &[Values]) -> Result<Vec<Option<Values>>>;
}
