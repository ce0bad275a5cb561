//! What somebody else changed of a running endpoint that its revisions do not show.

use std::collections::BTreeMap;

use super::record::EndpointRecord;
use super::spec::Autoscaling;
use crate::error::Result;
use crate::names::VariantName;
use crate::target::Target;

/// The variants whose number of instances does not follow what was asked for, each with what it follows now. One of which
/// nothing was asked is anybody's.
pub async fn autoscaling_drift(
    target: &dyn Target,
    record: &EndpointRecord,
) -> Result<BTreeMap<VariantName, Option<Autoscaling>>> {
    let mut drift = BTreeMap::new();
    for (variant, revision) in &record.running {
        let Some(asked) = record.spec.autoscaling(variant) else {
            continue;
        };
        let seen = target.autoscaling(&record.server, &revision.name).await?;
        if !seen.as_ref().is_some_and(|seen| asked.allows(seen)) {
            drift.insert(variant.clone(), seen);
        }
    }
    Ok(drift)
}
