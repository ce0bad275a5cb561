//! GPUs in the words of a task definition, and back.

use aws_sdk_ecs::types::{
    ContainerDefinition, ResourceRequirement, ResourceType, TaskDefinitionPlacementConstraint,
    TaskDefinitionPlacementConstraintType,
};
use mlops_core::endpoint::spec::GpuType;
use mlops_core::{Error, Result};

/// GPUs that the container has to itself: only instances have any.
pub(super) fn wish(wanted: Option<u32>) -> Result<Option<Vec<ResourceRequirement>>> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let gpus = ResourceRequirement::builder()
        .r#type(ResourceType::Gpu)
        .value(wanted.to_string())
        .build()
        .map_err(|cause| Error::bug("a wish for GPUs lacks their number").because(cause))?;
    Ok(Some(vec![gpus]))
}

/// How many GPUs a container has to itself.
pub(super) fn wished(container: &ContainerDefinition) -> Option<u32> {
    let mut wanted = container.resource_requirements().iter();
    let gpus = wanted.find(|one| *one.r#type() == ResourceType::Gpu)?;
    gpus.value().parse().ok()
}

/// Places tasks on instances alone that have such GPUs.
///
/// The types are listed: a pattern that the cluster query language surely takes would let `g5` stand for `g5g` as well, which has other ones.
pub(super) fn only_with(kind: GpuType) -> TaskDefinitionPlacementConstraint {
    TaskDefinitionPlacementConstraint::builder()
        .r#type(TaskDefinitionPlacementConstraintType::MemberOf)
        .expression(expression(kind))
        .build()
}

fn expression(kind: GpuType) -> String {
    let types: Vec<_> = kind.instance_types().collect();
    format!("attribute:ecs.instance-type in [{}]", types.join(", "))
}

/// The kind of GPU that constraints ask for and nothing else; `None` where they say anything that no endpoint says.
pub(super) fn asked_for(constraints: &[TaskDefinitionPlacementConstraint]) -> Option<GpuType> {
    let [one] = constraints else {
        return None;
    };
    let is_member_of = one.r#type() == Some(&TaskDefinitionPlacementConstraintType::MemberOf);
    let said = one.expression().filter(|_| is_member_of)?;
    (GpuType::ALL.into_iter()).find(|kind| expression(*kind) == said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_gpu_is_a_list_of_types_of_instance_and_is_read_from_it_again() {
        let a10g = only_with(GpuType::A10g);
        assert_eq!(
            a10g.expression(),
            Some(
                "attribute:ecs.instance-type in [g5.xlarge, g5.2xlarge, g5.4xlarge, g5.8xlarge, g5.12xlarge, g5.16xlarge, g5.24xlarge, g5.48xlarge]"
            )
        );
        for kind in GpuType::ALL {
            assert_eq!(asked_for(&[only_with(kind)]), Some(kind));
            // The longest that ECS takes.
            assert!(expression(kind).len() <= 2000, "{kind}");
        }
        let other = |expression: &str| {
            TaskDefinitionPlacementConstraint::builder()
                .r#type(TaskDefinitionPlacementConstraintType::MemberOf)
                .expression(expression)
                .build()
        };
        for others in [
            vec![],
            vec![other("attribute:ecs.instance-type =~ g5.*")],
            vec![a10g.clone(), other("attribute:stack == prod")],
        ] {
            assert_eq!(asked_for(&others), None, "{others:?}");
        }
    }
}
