//! From the values of a column to its distribution.

use std::collections::BTreeMap;

use super::bins::{INFINITE, MISSING, OTHER};
use super::{Categorical, Distribution, MAX_CHARACTERS, Numeric};
use crate::error::{Error, Result};

/// The distribution of numbers in at most `bins` intervals of about as many rows each. Not-a-number is missing.
///
/// A number that is common gets an interval that ends at it; numbers of which there are only a few get one each.
///
/// # Errors
/// `Invalid` if there is nothing to tell apart: no value, or the same in every row.
pub fn of_numbers(values: &[f64], bins: usize) -> Result<Distribution> {
    let mut known: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    known.sort_unstable_by(f64::total_cmp);
    // Two zeros are one number.
    let mut distinct = known.clone();
    distinct.dedup();
    let (Some(last), false) = (known.last().copied(), distinct.len() < 2) else {
        return Err(constant(distinct.first().map(f64::to_string)));
    };
    let mut edges: Vec<f64> = if distinct.len() <= bins {
        distinct[..distinct.len() - 1].to_vec()
    } else {
        let quantile = |part: usize| known[(known.len() * part).div_ceil(bins) - 1];
        (1..bins)
            .map(quantile)
            .filter(|edge| *edge < last)
            .collect()
    };
    edges.dedup();
    if edges.is_empty() {
        // Nearly all are the greatest one.
        edges.push(distinct[distinct.len() - 2]);
    }
    let mut counts = vec![0_u64; edges.len() + 1];
    for value in &known {
        counts[edges.partition_point(|edge| edge < value)] += 1;
    }
    let rows = values.len() as f64;
    let share = |count: usize| count as f64 / rows;
    let missing = values.iter().filter(|value| value.is_nan()).count();
    Ok(Distribution::Numeric(Numeric {
        edges,
        shares: counts.iter().map(|count| share(*count as usize)).collect(),
        missing: share(missing),
        infinite: share(values.len() - known.len() - missing),
    }))
}

/// The distribution of categories: the `bins` most common have a bin of their own. An empty text is missing.
///
/// # Errors
/// `Invalid` if there is nothing to tell apart: no value, or the same in every row.
pub fn of_texts<'a>(values: impl Iterator<Item = &'a str>, bins: usize) -> Result<Distribution> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut rows = 0_u64;
    for value in values {
        *counts.entry(value).or_default() += 1;
        rows += 1;
    }
    let missing = counts.remove("").unwrap_or_default();
    if counts.len() < 2 && (missing == 0 || counts.is_empty()) {
        return Err(constant(
            counts.keys().next().map(|only| format!("{only:?}")),
        ));
    }
    let fits = |value: &str| {
        value.chars().count() <= MAX_CHARACTERS && ![OTHER, MISSING, INFINITE].contains(&value)
    };
    let mut common: Vec<(&str, u64)> = counts
        .into_iter()
        .filter(|(value, _)| fits(value))
        .collect();
    // Of those that are as common as one another, the first by name: the file is the same every time.
    common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    common.truncate(bins);
    if common.is_empty() {
        return Err(Error::invalid(format!(
            "its texts are longer than {MAX_CHARACTERS} characters, which are no categories"
        )));
    }
    let share = |count: u64| count as f64 / rows as f64;
    let named: u64 = common.iter().map(|(_, count)| count).sum();
    Ok(Distribution::Categorical(Categorical {
        values: common
            .iter()
            .map(|(value, _)| (*value).to_owned())
            .collect(),
        shares: common.iter().map(|(_, count)| share(*count)).collect(),
        other: share(rows - named - missing),
        missing: share(missing),
    }))
}

fn constant(only: Option<String>) -> Error {
    Error::invalid(match only {
        Some(only) => {
            format!("every row that has a value has {only}: what is constant says nothing of drift")
        }
        None => "no row has a value".to_owned(),
    })
}
