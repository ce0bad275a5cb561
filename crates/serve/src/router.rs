//! Who answers: variants by traffic, revisions by weight, both by smooth weighted round robin.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mlops_core::serving::{
    RevisionState, VariantRoute, VariantStatus, VariantTable, WHOLE, Weights,
};

use crate::revision::Revision;

/// Smooth weighted round robin: after n picks, each entry has been picked n * weight / sum times, give or take one.
struct Ring {
    weights: Vec<u32>,
    credit: Mutex<Vec<i64>>,
}

impl Ring {
    fn new(weights: Vec<u32>) -> Self {
        Self {
            credit: Mutex::new(vec![0; weights.len()]),
            weights,
        }
    }

    /// The next entry; `None` if no entry has a weight.
    fn next(&self) -> Option<usize> {
        let sum: i64 = self.weights.iter().map(|w| i64::from(*w)).sum();
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        let mut best: Option<usize> = None;
        for (i, weight) in self.weights.iter().enumerate().filter(|(_, w)| **w > 0) {
            credit[i] += i64::from(*weight);
            if best.is_none_or(|b| credit[i] > credit[b]) {
                best = Some(i);
            }
        }
        credit[best?] -= sum;
        best
    }
}

/// A revision and its weight.
type Weighted = (Arc<Revision>, u32);

/// Some revisions with their weights.
struct Choice {
    revisions: Vec<Arc<Revision>>,
    ring: Ring,
}

impl Choice {
    fn new(weighted: Vec<Weighted>) -> Self {
        let (revisions, weights) = weighted.into_iter().filter(|(_, w)| *w > 0).unzip();
        Self {
            revisions,
            ring: Ring::new(weights),
        }
    }

    fn next(&self) -> Option<Arc<Revision>> {
        self.ring.next().map(|i| Arc::clone(&self.revisions[i]))
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The endpoint, a variant or a registry model, looked up in this order. `None`: the endpoint.
    pub(crate) name: Option<&'a str>,
    pub(crate) version: Option<u64>,
}

/// Why nobody answers.
#[derive(Debug, PartialEq)]
pub(crate) enum NoAnswer {
    UnknownName,
    UnknownVersion,
    /// It is known, but no revision is ready and weighted.
    NotReady,
}

/// The routing state. Changed as a whole under the caller's lock; `compile` after every change.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) variants: BTreeMap<String, VariantRoute>,
    pub(crate) weights: BTreeMap<String, Weights>,
    pub(crate) revisions: BTreeMap<String, Arc<Revision>>,
    compiled: Compiled,
}

#[derive(Default)]
struct Compiled {
    /// Variants with a ready, weighted revision.
    by_variant: BTreeMap<String, Choice>,
    /// Those of them that have traffic, and the ring between them.
    endpoint: Option<(Vec<String>, Ring)>,
    /// Requests for a model, or for one version: flat over revisions.
    narrowed: BTreeMap<(String, Option<u64>), Choice>,
    shadows: Vec<(String, u32, Mutex<u32>)>,
}

impl Table {
    pub(crate) fn set_variants(&mut self, table: VariantTable) {
        self.variants = table.variants;
    }

    /// The weight of a revision in its variant.
    pub(crate) fn weight(&self, revision: &Revision) -> u32 {
        self.weights
            .get(&revision.spec.variant)
            .and_then(|w| w.0.get(&revision.name))
            .copied()
            .unwrap_or(0)
    }

    fn serving(&self) -> impl Iterator<Item = (&Arc<Revision>, u32)> {
        self.revisions
            .values()
            .map(|r| (r, self.weight(r)))
            .filter(|(r, w)| *w > 0 && r.state() == RevisionState::Ready)
    }

    /// Works out who is chosen when. Counting starts afresh.
    pub(crate) fn compile(&mut self, endpoint: &str) {
        let mut grouped: BTreeMap<String, Vec<Weighted>> = BTreeMap::new();
        let mut narrowed: BTreeMap<(String, Option<u64>), Vec<Weighted>> = BTreeMap::new();
        for (revision, weight) in self.serving() {
            let spec = &revision.spec;
            let Some(route) = self.variants.get(&spec.variant) else {
                continue;
            };
            grouped
                .entry(spec.variant.clone())
                .or_default()
                .push((Arc::clone(revision), weight));
            let mut narrow = |name: &str, version, weight: u32| {
                narrowed
                    .entry((name.to_string(), version))
                    .or_default()
                    .push((Arc::clone(revision), weight));
            };
            narrow(&spec.variant, Some(spec.version), weight);
            // At most 10^4 * 10^4, which a u32 holds.
            let flat = route.traffic * weight;
            narrow(endpoint, Some(spec.version), flat);
            if spec.model != endpoint && !self.variants.contains_key(&spec.model) {
                narrow(&spec.model, None, flat);
                narrow(&spec.model, Some(spec.version), flat);
            }
        }
        let with_traffic: Vec<(String, u32)> = grouped
            .keys()
            .filter_map(|name| {
                self.variants
                    .get(name)
                    .map(|route| (name.clone(), route.traffic))
            })
            .filter(|(_, traffic)| *traffic > 0)
            .collect();
        let (names, traffic): (Vec<_>, Vec<_>) = with_traffic.into_iter().unzip();
        self.compiled = Compiled {
            endpoint: (!names.is_empty()).then(|| (names, Ring::new(traffic))),
            shadows: self
                .variants
                .iter()
                .filter(|(name, route)| route.shadow > 0 && grouped.contains_key(*name))
                .map(|(name, route)| (name.clone(), route.shadow, Mutex::new(0)))
                .collect(),
            by_variant: grouped
                .into_iter()
                .map(|(name, choice)| (name, Choice::new(choice)))
                .collect(),
            narrowed: narrowed
                .into_iter()
                .map(|(key, choice)| (key, Choice::new(choice)))
                .collect(),
        };
    }

    /// Whether the endpoint as a whole has someone to answer.
    pub(crate) fn ready(&self) -> bool {
        self.compiled.endpoint.is_some()
    }

    /// Picks who answers.
    pub(crate) fn pick(
        &self,
        endpoint: &str,
        wanted: Wanted<'_>,
    ) -> Result<Arc<Revision>, NoAnswer> {
        let Wanted { name, version } = wanted;
        let name = name.unwrap_or(endpoint);
        let found = match (name == endpoint, version) {
            (true, None) => self.compiled.endpoint.as_ref().and_then(|(names, ring)| {
                let variant = &names[ring.next()?];
                self.compiled.by_variant.get(variant)?.next()
            }),
            (false, None) if self.variants.contains_key(name) => {
                self.compiled.by_variant.get(name).and_then(Choice::next)
            }
            _ => self
                .compiled
                .narrowed
                .get(&(name.to_string(), version))
                .and_then(Choice::next),
        };
        found.ok_or_else(|| self.why_not(endpoint, name, version))
    }

    fn why_not(&self, endpoint: &str, name: &str, version: Option<u64>) -> NoAnswer {
        let mut of_name = self.named(endpoint, name).peekable();
        match version {
            _ if name != endpoint
                && !self.variants.contains_key(name)
                && of_name.peek().is_none() =>
            {
                NoAnswer::UnknownName
            }
            Some(version) if of_name.all(|r| r.spec.version != version) => NoAnswer::UnknownVersion,
            _ => NoAnswer::NotReady,
        }
    }

    /// Revisions that answer, or will, under a name.
    pub(crate) fn named<'a>(
        &'a self,
        endpoint: &str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Revision>> {
        let everything = name == endpoint;
        let is_variant = self.variants.contains_key(name);
        self.revisions.values().filter(move |r| {
            everything
                || if is_variant {
                    r.spec.variant == name
                } else {
                    r.spec.model == name
                }
        })
    }

    /// Revisions that get a copy of this request for the endpoint.
    pub(crate) fn shadows(&self) -> Vec<Arc<Revision>> {
        let due = |(name, share, credit): &(String, u32, Mutex<u32>)| {
            let mut credit = credit.lock().unwrap_or_else(PoisonError::into_inner);
            *credit += share;
            if *credit < WHOLE {
                return None;
            }
            *credit -= WHOLE;
            self.compiled.by_variant.get(name)?.next()
        };
        self.compiled.shadows.iter().filter_map(due).collect()
    }

    /// Every name under which somebody answers, or will.
    pub(crate) fn names(&self, endpoint: &str) -> Vec<String> {
        let mut names = vec![endpoint.to_string()];
        let models = self.revisions.values().map(|r| r.spec.model.clone());
        for name in self.variants.keys().cloned().chain(models) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The variants as the admin side shows them.
    pub(crate) fn status(&self) -> BTreeMap<String, VariantStatus> {
        let mut out: BTreeMap<String, VariantStatus> = BTreeMap::new();
        for (name, route) in &self.variants {
            let variant = out.entry(name.clone()).or_default();
            (variant.traffic, variant.shadow) = (route.traffic, route.shadow);
        }
        for revision in self.revisions.values() {
            let variant = out.entry(revision.spec.variant.clone()).or_default();
            variant
                .revisions
                .push(revision.status(self.weight(revision)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_split_is_exact_within_one_request(
            weights in proptest::collection::vec(0u32..=WHOLE, 1..6),
            requests in 1u64..2_000,
        ) {
            let sum: u64 = weights.iter().map(|w| u64::from(*w)).sum();
            let ring = Ring::new(weights.clone());
            let mut picked = vec![0u64; weights.len()];
            for n in 1..=requests {
                match ring.next() {
                    None => prop_assert_eq!(sum, 0),
                    Some(i) => picked[i] += 1,
                }
                if sum == 0 {
                    continue;
                }
                for (count, weight) in picked.iter().zip(&weights) {
                    let ideal = n as f64 * f64::from(*weight) / sum as f64;
                    // Smooth round robin keeps two entries within one request; several may lag a little further.
                    let slack = if weights.iter().filter(|w| **w > 0).count() <= 2 { 1.0 } else { 2.0 };
                    prop_assert!((*count as f64 - ideal).abs() <= slack, "{picked:?} of {n} by {weights:?}");
                }
            }
        }
    }

    #[test]
    fn a_tenth_is_never_more_than_a_tenth_and_one() {
        let ring = Ring::new(vec![9_000, 1_000]);
        let mut second = 0u32;
        for n in 1..=5_000u32 {
            second += u32::from(ring.next() == Some(1));
            assert!(second <= n / 10 + 1, "{second} of {n}");
        }
        assert_eq!(second, 500);
    }
}
