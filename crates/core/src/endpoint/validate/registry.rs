//! Analyses by what the registry has of versions: an image of the user's own is no version. Pure.

use crate::endpoint::spec::{Analysis, EndpointSpec};
use crate::error::Error;
use crate::rollout::Source;

fn asking(spec: &EndpointSpec) -> impl Iterator<Item = (&String, &Analysis)> {
    let asks = |(_, analysis): &(_, &Analysis)| matches!(analysis.source, Source::Registry { .. });
    spec.rollout.analysis.iter().filter(asks)
}

/// Variants of which the registry has nothing to say.
pub(super) fn versions(spec: &EndpointSpec) -> Vec<Error> {
    let mut variants = spec.variants.iter();
    let Some((variant, _)) = variants.find(|(_, variant)| variant.workload.bound().is_none())
    else {
        return Vec::new();
    };
    let refused = |(name, _): (&String, _)| {
        Error::invalid(format!(
            "variant {variant} runs an image of your own, of which the registry has no version and no metric; use \"cloudwatch\", \"prometheus\" or \"http\", or \
             register the image as a version of a model"
        ))
        .at(format!("rollout.analysis.{name}.source"))
    };
    asking(spec).map(refused).collect()
}

/// A comparison with an image that serves now.
pub(super) fn baseline(before: &EndpointSpec, after: &EndpointSpec) -> Option<Error> {
    let mut variants = before.variants.iter();
    let (variant, _) = variants.find(|(name, variant)| {
        variant.workload.bound().is_none() && after.variants.contains_key(*name)
    })?;
    let (name, analysis) =
        asking(after).find(|(_, analysis)| analysis.condition.needs_baseline())?;
    Some(
        Error::invalid(format!(
            "condition {:?} compares with what variant {variant} runs now, an image of your own, of which the registry has no version and no metric; compare with a \
             number until a version serves",
            analysis.condition.to_string()
        ))
        .at(format!("rollout.analysis.{name}.condition")),
    )
}
