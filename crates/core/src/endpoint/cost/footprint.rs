//! What of a specification decides its cost.

use std::collections::BTreeMap;

use crate::endpoint::arn::region_of_arn;
use crate::endpoint::spec::{
    Architecture, Autoscaling, Capacity, EcsSpec, EndpointSpec, TargetSpec,
};
use crate::names::VariantName;

/// What of an endpoint on ECS decides its cost. Two specifications with the same one cost the same, whatever else differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    /// Where it runs.
    pub region: String,
    /// What tasks run on.
    pub capacity: Capacity,
    /// The tasks of each variant.
    pub variants: BTreeMap<VariantName, Tasks>,
}

/// The tasks of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tasks {
    /// CPU units of one, 1024 of which are one vCPU.
    pub cpu: u32,
    /// Memory of one, in MiB.
    pub memory_mb: u32,
    /// The processors that it runs on.
    pub architecture: Architecture,
    /// The fewest that there are.
    pub least: u32,
    /// The most that there are.
    pub most: u32,
}

impl Footprint {
    /// Of an endpoint on ECS; on this machine nobody sends a bill.
    pub fn of(spec: &EndpointSpec) -> Option<Self> {
        let TargetSpec::Ecs(ecs) = &spec.target else {
            return None;
        };
        let variants = spec.variants.iter().map(|(name, variant)| {
            let (least, most) = spec.autoscaling(name).map_or((1, 1), bounds);
            let tasks = Tasks {
                cpu: variant.compute.cpu(),
                memory_mb: variant.compute.memory_mb(),
                // What Fargate takes where nothing is said.
                architecture: (variant.container.architecture).unwrap_or(Architecture::X86_64),
                least,
                most,
            };
            (name.clone(), tasks)
        });
        Some(Self {
            region: region(ecs),
            capacity: ecs.capacity.clone(),
            variants: variants.collect(),
        })
    }
}

/// The fewest and the most tasks at any time of day.
fn bounds(scaled: &Autoscaling) -> (u32, u32) {
    let schedules = || scaled.schedules.values();
    let mins = schedules().filter_map(|one| one.min);
    let maxs = schedules().filter_map(|one| one.max);
    let least = mins.fold(scaled.min, u32::min);
    (least, maxs.fold(scaled.max, u32::max))
}

/// The region of the load balancer, in which the tasks are too: a cluster may be given by its name alone.
fn region(ecs: &EcsSpec) -> String {
    region_of_arn(ecs.ingress.parent_arn())
        .unwrap_or("a region that the load balancer's ARN does not tell")
        .to_owned()
}
