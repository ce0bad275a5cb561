//! The order of searches: `order_by = ["last_updated_timestamp DESC", "name"]`.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::filter::Row;
use crate::answer::Refusal;

/// What rows are ordered by, with the direction of each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order(Vec<(By, bool)>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct By {
    attribute: &'static str,
    is_number: bool,
}

/// What a row is ordered by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Place {
    Number(i64),
    Text(String),
}

/// An attribute that rows can be ordered by, under the names that clients use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sortable {
    pub(super) attribute: &'static str,
    pub(super) is_number: bool,
    pub(super) names: &'static [&'static str],
}

impl Order {
    /// Understands what was asked for; `last` decides between equals and makes the order total.
    pub(super) fn parse(
        asked: &[&str],
        sortable: &[Sortable],
        last: &[(&'static str, bool)],
    ) -> Result<Self, Refusal> {
        let by = |name: &str| {
            sortable
                .iter()
                .find(|sortable| sortable.names.contains(&name))
                .map(|sortable| By {
                    attribute: sortable.attribute,
                    is_number: sortable.is_number,
                })
        };
        let mut order: Vec<(By, bool)> = Vec::new();
        for clause in asked {
            let mut words = clause.split_whitespace();
            let name = words.next().unwrap_or_default();
            let ascending = match (
                words.next().map(str::to_ascii_uppercase).as_deref(),
                words.next(),
            ) {
                (None | Some("ASC"), None) => true,
                (Some("DESC"), None) => false,
                _ => {
                    return Err(Refusal::invalid(format!(
                        "Invalid order_by clause '{clause}'; write an attribute and ASC or DESC"
                    )));
                }
            };
            let found = by(name.trim_matches('`')).ok_or_else(|| {
                let names: Vec<&str> = sortable
                    .iter()
                    .flat_map(|s| s.names.iter().copied())
                    .collect();
                Refusal::invalid(format!(
                    "Invalid order by key '{name}' specified; valid are {}",
                    names.join(", ")
                ))
            })?;
            order.push((found, ascending));
        }
        for (name, ascending) in last {
            if let Some(by) = by(name)
                && !order.iter().any(|(known, _)| *known == by)
            {
                order.push((by, *ascending));
            }
        }
        Ok(Self(order))
    }

    /// Where a row stands.
    pub(super) fn place(&self, row: &impl Row) -> Vec<Place> {
        let place = |(by, _): &(By, bool)| match by.is_number {
            true => Place::Number(row.number(by.attribute)),
            false => Place::Text(row.text(by.attribute)),
        };
        self.0.iter().map(place).collect()
    }

    /// Which of two places comes first; `None` if one of them is not of this order.
    pub(super) fn compare(&self, a: &[Place], b: &[Place]) -> Option<Ordering> {
        if a.len() != self.0.len() || b.len() != self.0.len() {
            return None;
        }
        for ((_, ascending), (a, b)) in self.0.iter().zip(a.iter().zip(b)) {
            let order = match (a, b) {
                (Place::Number(a), Place::Number(b)) => a.cmp(b),
                (Place::Text(a), Place::Text(b)) => a.cmp(b),
                _ => return None,
            };
            if order.is_ne() {
                return Some(if *ascending { order } else { order.reverse() });
            }
        }
        Some(Ordering::Equal)
    }
}
