//! What can be wrong with where a variant keeps its model for other tasks.

use crate::endpoint::spec::{EcsSpec, EndpointSpec, LaunchType, ModelCache, VariantSpec};
use crate::error::Error;

/// Every problem of what variants say of it.
pub(super) fn of(spec: &EndpointSpec, ecs: &EcsSpec) -> Vec<Error> {
    let problems = spec.variants.iter().filter_map(|(name, variant)| {
        let problem = problem(variant, ecs)?;
        Some(Error::invalid(problem).at(format!("variants.{name}.model_cache")))
    });
    problems.collect()
}

fn problem(variant: &VariantSpec, ecs: &EcsSpec) -> Option<&'static str> {
    let place = variant.container.model_cache;
    if place != ModelCache::None && variant.workload.own_image().is_some() {
        return Some("an image has no model that the endpoint knows of; leave model_cache out");
    }
    match (place, &ecs.efs) {
        (ModelCache::None, _) => None,
        (ModelCache::Efs, None) => Some(
            "model_cache = \"efs\" needs a file system to keep models in; add a block ecs { efs { … } }",
        ),
        (ModelCache::Efs, Some(efs)) if efs.read_only => Some(
            "tasks may only read the file system and cannot keep models there; leave ecs.efs.read_only out",
        ),
        (ModelCache::Node, _) if ecs.capacity.launch_type() == LaunchType::Fargate => Some(
            "model_cache = \"node\" needs instances, and a task on Fargate has a disk to itself that ends with it; use \"efs\", or instances: \
             ecs.launch_type = \"EC2\", ecs.capacity_providers of Auto Scaling groups, or ecs.asg",
        ),
        (ModelCache::Efs | ModelCache::Node, _) => None,
    }
}
