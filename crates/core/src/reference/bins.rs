//! Which bin a value belongs to. The command that makes a reference and the server that counts by it ask the same code.

use std::ops::RangeInclusive;

use super::{Categorical, Distribution, Numeric};
use crate::signature::Datatype;

/// The bin of numbers that are not a number, as missing ones are, and of empty texts.
pub const MISSING: &str = "(missing)";

/// The bin of numbers that are infinite: nothing that was measured is.
pub const INFINITE: &str = "(infinite)";

/// The bin of categories that have none of their own.
pub const OTHER: &str = "(other)";

/// A feature's bins, ready to be asked. They are numbered: first those of the distribution, then [`INFINITE`] or [`OTHER`],
/// then [`MISSING`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bins {
    labels: Vec<String>,
    shares: Vec<f64>,
    of: Of,
}

#[derive(Clone, Debug, PartialEq)]
enum Of {
    /// Edges, ascending.
    Numbers(Vec<f64>),
    /// Ascending, each with its bin.
    Wholes(Vec<(i128, usize)>),
    /// Ascending, each with its bin.
    Texts(Vec<(String, usize)>),
}

impl Bins {
    /// The bins of values of this type. The reference has been checked against the model
    /// ([`Reference::fits`](super::Reference::fits)).
    pub fn new(distribution: &Distribution, datatype: Datatype) -> Self {
        match distribution {
            Distribution::Numeric(numeric) => Self::numbers(numeric),
            Distribution::Categorical(categorical) => Self::categories(categorical, datatype),
        }
    }

    fn numbers(numeric: &Numeric) -> Self {
        let mut labels = Vec::new();
        let mut from = "-Inf".to_owned();
        for edge in &numeric.edges {
            let to = shown(*edge);
            labels.push(format!("{from}..{to}"));
            from = to;
        }
        labels.push(format!("{from}..+Inf"));
        labels.extend([INFINITE.to_owned(), MISSING.to_owned()]);
        let mut shares = numeric.shares.clone();
        shares.extend([numeric.infinite, numeric.missing]);
        Self {
            labels,
            shares,
            of: Of::Numbers(numeric.edges.clone()),
        }
    }

    fn categories(categorical: &Categorical, datatype: Datatype) -> Self {
        let values = || categorical.values.iter().enumerate();
        let of = if datatype == Datatype::Bytes {
            let mut texts: Vec<_> = values().map(|(bin, value)| (value.clone(), bin)).collect();
            texts.sort_unstable();
            Of::Texts(texts)
        } else {
            let mut wholes: Vec<_> = values()
                .filter_map(|(bin, value)| Some((whole(value, datatype)?.0, bin)))
                .collect();
            wholes.sort_unstable();
            Of::Wholes(wholes)
        };
        let mut labels = categorical.values.clone();
        labels.extend([OTHER.to_owned(), MISSING.to_owned()]);
        let mut shares = categorical.shares.clone();
        shares.extend([categorical.other, categorical.missing]);
        Self { labels, shares, of }
    }

    /// The name of each bin; never two the same.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The expected share of each bin.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    fn missing(&self) -> usize {
        self.labels.len() - 1
    }

    /// [`INFINITE`] or [`OTHER`].
    fn outside(&self) -> usize {
        self.labels.len() - 2
    }

    /// The bin of a number.
    pub fn of_number(&self, value: f64) -> usize {
        match &self.of {
            _ if value.is_nan() => self.missing(),
            _ if value.is_infinite() => self.outside(),
            Of::Numbers(edges) => edges.partition_point(|edge| *edge < value),
            _ => self.outside(),
        }
    }

    /// The bin of a whole number or a truth value.
    pub fn of_whole(&self, value: i128) -> usize {
        match &self.of {
            Of::Wholes(known) => known
                .binary_search_by_key(&value, |(known, _)| *known)
                .map_or(self.outside(), |at| known[at].1),
            _ => self.of_number(value as f64),
        }
    }

    /// The bin of a text.
    pub fn of_text(&self, value: &str) -> usize {
        match &self.of {
            _ if value.is_empty() => self.missing(),
            Of::Texts(known) => known
                .binary_search_by(|(known, _)| known.as_str().cmp(value))
                .map_or(self.outside(), |at| known[at].1),
            _ => self.outside(),
        }
    }
}

/// A category of a model that takes no texts: its number, and how it is written in a reference.
pub(super) fn whole(value: &str, datatype: Datatype) -> Option<(i128, String)> {
    if datatype == Datatype::Bool {
        let truth: bool = value.parse().ok()?;
        return Some((i128::from(truth), truth.to_string()));
    }
    let number: i128 = value.parse().ok()?;
    range(datatype)?
        .contains(&number)
        .then(|| (number, number.to_string()))
}

/// The whole numbers that a datatype holds; `None` if it holds others, or none.
pub fn range(datatype: Datatype) -> Option<RangeInclusive<i128>> {
    let bits = datatype.size()? * 8;
    match datatype {
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 | Datatype::Uint64 => {
            Some(0..=(1 << bits) - 1)
        }
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 | Datatype::Int64 => {
            Some(-(1 << (bits - 1))..=(1 << (bits - 1)) - 1)
        }
        _ => None,
    }
}

/// As short as it can be said. Most models take single precision, and their edges are such numbers.
fn shown(edge: f64) -> String {
    let single = edge as f32;
    if f64::from(single) == edge {
        single.to_string()
    } else {
        edge.to_string()
    }
}
