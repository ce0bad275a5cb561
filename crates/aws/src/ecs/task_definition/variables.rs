//! What the model server is told by its environment.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::KeyValuePair;
use mlops_core::endpoint::spec::{BoundVersion, ModelCache, Placement};
use mlops_core::serving::{TASK_CACHE, TASK_VARIABLE, TaskConfig};
use mlops_core::target::Revision;
use mlops_core::{Error, Result};

use super::{Surroundings, pair};
use crate::ecs::{environment, node};

/// The longest [`TaskConfig`], as text. A task definition may have 64 KiB in all; the longest part of this is the
/// golden request.
pub(super) const LONGEST_CONFIG: usize = 24 * 1024;

/// Where the model server keeps its model for other tasks, and how much of the disk there stays free if it is to see to that.
fn cache(revision: &Revision, placement: &Placement) -> (Option<String>, Option<u8>) {
    match revision.container.model_cache {
        ModelCache::None => (None, None),
        ModelCache::Efs => {
            let path = placement.efs.as_ref().map(|efs| efs.container_path.clone());
            (path, None)
        }
        ModelCache::Node => (Some(TASK_CACHE.to_owned()), Some(node::FREE_PERCENT)),
    }
}

pub(super) fn variables(
    revision: &Revision,
    bound: &BoundVersion,
    placement: &Placement,
    around: &Surroundings<'_>,
) -> Result<Vec<KeyValuePair>> {
    let attribute = || format!("variants.{}.environment", revision.variant);
    let limits =
        environment::limits(&revision.environment).map_err(|error| error.at(attribute()))?;
    let (cache, cache_free_percent) = cache(revision, placement);
    let config = TaskConfig {
        endpoint: around.owner.name.to_string(),
        variant: revision.variant.to_string(),
        revision: revision.name.to_string(),
        model: bound.model.to_string(),
        version: bound.version,
        artifact_digest: bound.artifact_digest.clone(),
        artifacts: around.artifacts.clone(),
        port: revision.container.port,
        limits,
        drain_seconds: placement.drain_seconds,
        cache,
        cache_free_percent,
        smoke: revision.smoke.clone(),
    };
    let config = serde_json::to_string(&config)
        .map_err(|cause| Error::bug("a task's configuration is not JSON").because(cause))?;
    if config.len() > LONGEST_CONFIG {
        return Err(Error::invalid(format!(
            "what a task of variant {:?} is started with has {} bytes, and {LONGEST_CONFIG} fit into a task definition; \
             give the version of {} a smaller golden request",
            revision.variant.as_str(),
            config.len(),
            bound.model,
        ))
        .at(format!("variants.{}", revision.variant)));
    }
    let mut variables: BTreeMap<&str, &str> = environment::passed(&revision.environment).collect();
    variables.insert(environment::REGION, around.region);
    variables.insert(TASK_VARIABLE, &config);
    Ok(variables.into_iter().map(pair).collect())
}
