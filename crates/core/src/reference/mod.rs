//! What a version's values are expected to look like: the distribution of its training rows, in bins.
//!
//! A reference is one small file in the version's artifact, named [`FILE_NAME`]. `mlops reference` makes it, a plan checks it
//! ([`crate::inspect`]), and the model server counts by it. How far what is counted has drifted from it is not said here: that
//! is a question about a time and about all servers of an endpoint, and Prometheus answers it
//! (docs/decisions/0028-drift.md). The format is described in docs/guides/drift.md.

mod bins;
mod check;
mod make;
mod model;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::signature::Datatype;

pub use bins::{Bins, INFINITE, MISSING, OTHER, range};
pub use make::{of_numbers, of_texts};
pub use model::{Model, Values};

/// The file's name, in whichever directory of the artifact it lies.
pub const FILE_NAME: &str = "mlops-reference.json";

/// What [`Reference::format`] says.
pub const FORMAT: &str = "mlops-reference-v1";

/// Features and predictions of one reference. Each is a time series for each of its bins, on each server.
pub const MAX_FEATURES: usize = 100;

/// Bins of one feature, beside those for what is missing, infinite or of no known category.
pub const MAX_BINS: usize = 20;

/// Characters of a name, and of a category: they are values of labels.
pub const MAX_CHARACTERS: usize = 128;

/// The longest file that is read, in bytes. The limits above leave room for it.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// How far the shares of a feature may be from 1 together: they are written in decimal.
const ROUNDING: f64 = 1e-3;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// [`FORMAT`].
    pub format: String,
    /// How many rows it was made of.
    pub rows: u64,
    /// What requests bring. Not every input need be here.
    #[serde(default)]
    pub features: Vec<Feature>,
    /// What the model made of them.
    #[serde(default)]
    pub predictions: Vec<Feature>,
}

/// One number, or one text, of each row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// What it is called in metrics.
    pub name: String,
    /// The model's input, or output, that carries it.
    pub tensor: String,
    /// Its place in a row of that tensor, from 0. A row is what the first dimension counts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub column: usize,
    /// How it is distributed.
    pub distribution: Distribution,
}

/// Bins, and the share of the rows in each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Of a number.
    Numeric(Numeric),
    /// Of a text, a truth value, or a whole number that stands for something.
    Categorical(Categorical),
}

/// Intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numeric {
    /// Where one interval ends and the next begins, ascending. A value that equals an edge is below it.
    pub edges: Vec<f64>,
    /// The share of each interval: one more than there are edges.
    pub shares: Vec<f64>,
    /// The share of values that are not a number, as missing ones are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub missing: f64,
    /// The share of values that are infinite.
    #[serde(default, skip_serializing_if = "is_none")]
    pub infinite: f64,
}

/// Categories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categorical {
    /// Those with a bin of their own. Whole numbers are written in decimal, truth values `true` and `false`.
    pub values: Vec<String>,
    /// The share of each.
    pub shares: Vec<f64>,
    /// The share of all others.
    #[serde(default, skip_serializing_if = "is_none")]
    pub other: f64,
    /// The share of empty texts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub missing: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(column: &usize) -> bool {
    *column == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_none(share: &f64) -> bool {
    *share == 0.0
}

impl Feature {
    /// Its bins, for values of this type.
    pub fn bins(&self, datatype: Datatype) -> Bins {
        Bins::new(&self.distribution, datatype)
    }
}

impl Reference {
    /// Reads a file's bytes, and checks all that can be checked without the model.
    ///
    /// # Errors
    /// `Invalid`, naming the field at fault.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::invalid(format!(
                "it is longer than {MAX_BYTES} bytes, which no reference needs"
            )));
        }
        let reference: Self = serde_json::from_slice(bytes)
            .map_err(|cause| Error::invalid("it is no reference").because(cause))?;
        reference.check()?;
        Ok(reference)
    }

    /// The file's bytes: the same for the same reference.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("names and finite numbers are JSON");
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests;
