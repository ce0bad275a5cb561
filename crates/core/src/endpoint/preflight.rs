//! What a target sees at plan that a change would fail of. It only reads.

use std::collections::BTreeSet;

use super::plan::{self, VariantChange};
use super::record::EndpointRecord;
use super::spec::EndpointSpec;
use crate::target::{Check, Finding, PreflightAsked, Target};

/// Asks the target for these checks. A version that the plan does not know yet counts as a new one.
pub async fn preflight(
    target: &dyn Target,
    spec: &EndpointSpec,
    record: Option<&EndpointRecord>,
    checks: BTreeSet<Check>,
) -> Vec<Finding> {
    if checks.is_empty() {
        return Vec::new();
    }
    let satisfied = record.is_none_or(|record| target.satisfies(&record.server, spec));
    let starts = starts(spec, record, satisfied);
    let asked = PreflightAsked { checks, starts };
    target.preflight(spec, &asked).await
}

/// The fewest instances that the change starts, beside those that run.
fn starts(spec: &EndpointSpec, record: Option<&EndpointRecord>, satisfied: bool) -> u64 {
    let plan = plan::plan(spec, record, None, satisfied);
    let changed = plan.variants.iter();
    let changed = changed.filter(|(_, change)| **change != VariantChange::Keep);
    changed
        .map(|(name, _)| {
            let scaled = spec.autoscaling(name);
            scaled.map_or(1, |scaled| u64::from(scaled.min))
        })
        .sum()
}
