//! What can be wrong with what tasks on ECS run on. Limits are those of the ECS API reference.

use std::collections::BTreeMap;

use crate::endpoint::spec::{Capacity, Compute, EcsSpec, LaunchType, ProviderShare, is_fargate};
use crate::error::Error;

/// The attribute that most of this is about.
const PROVIDERS: &str = "ecs.capacity_providers";
/// Providers of one strategy (`CapacityProviderStrategyItem`).
const MOST_PROVIDERS: usize = 20;
/// The highest `base` there.
const MOST_BASE: u32 = 100_000;
/// The highest `weight` there.
const MOST_WEIGHT: u32 = 1000;
/// The longest name of a provider (`CreateCapacityProvider`).
const LONGEST_NAME: usize = 255;

/// Every problem of what the endpoint's tasks run on.
pub(super) fn of(ecs: &EcsSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    if ecs.network.assign_public_ip && ecs.capacity.launch_type() == LaunchType::Ec2 {
        problems.push(
            Error::invalid(
                "tasks on the cluster's own instances cannot have a public address; leave it out, or use FARGATE",
            )
            .at("network.assign_public_ip"),
        );
    }
    let of_others = match &ecs.capacity {
        Capacity::LaunchType { .. } => Some("ecs.launch_type"),
        Capacity::Providers { .. } => Some(PROVIDERS),
        Capacity::Machines { .. } => None,
    };
    if let Some(attribute) = of_others
        && ecs.creates_cluster
        && ecs.capacity.launch_type() == LaunchType::Ec2
    {
        problems.push(
            Error::invalid(
                "a cluster that the endpoint makes has no instances, so its tasks run on FARGATE or FARGATE_SPOT; let the endpoint have instances \
                 with ecs.asg, or name a cluster that has them in ecs.cluster_arn",
            )
            .at(attribute),
        );
    }
    if let Capacity::Providers { capacity_providers } = &ecs.capacity {
        problems.extend(providers(capacity_providers));
    }
    problems
}

fn providers(providers: &BTreeMap<String, ProviderShare>) -> Vec<Error> {
    let mut problems = Vec::new();
    let mut refuse = |attribute: String, message: String| {
        problems.push(Error::invalid(message).at(attribute));
    };
    if providers.is_empty() || providers.len() > MOST_PROVIDERS {
        refuse(
            PROVIDERS.to_owned(),
            format!(
                "tasks are divided among 1 to {MOST_PROVIDERS} capacity providers, not {}",
                providers.len()
            ),
        );
        return problems;
    }
    for (name, share) in providers {
        let at = |field: &str| format!("{PROVIDERS}.{name}.{field}");
        if !is_name(name) {
            refuse(
                PROVIDERS.to_owned(),
                format!(
                    "{name:?} is not a capacity provider's name: FARGATE, FARGATE_SPOT, or letters, digits, - and _ that do not begin with \
                     aws, ecs or fargate"
                ),
            );
        }
        for (field, value, most) in [
            ("base", share.base, MOST_BASE),
            ("weight", share.weight, MOST_WEIGHT),
        ] {
            if value > most {
                refuse(at(field), format!("{field} is {most} at most, not {value}"));
            }
        }
    }
    let mut based = providers.iter().filter(|(_, share)| share.base > 0);
    if let (Some((first, _)), Some((second, _))) = (based.next(), based.next()) {
        refuse(
            format!("{PROVIDERS}.{second}.base"),
            format!(
                "{first} has a base already, and only one provider may have one; leave one of them out"
            ),
        );
    }
    if providers.values().all(|share| share.weight == 0) {
        refuse(
            PROVIDERS.to_owned(),
            "no provider has a weight above 0, so no task beyond a base would run anywhere; give one of them a weight"
                .to_owned(),
        );
    }
    let fargate = providers.keys().find(|name| is_fargate(name));
    let own = providers.keys().find(|name| !is_fargate(name));
    if let (Some(fargate), Some(own)) = (fargate, own) {
        refuse(
            PROVIDERS.to_owned(),
            format!(
                "{fargate} is Fargate and {own} is not, and ECS divides no service between the two; keep one kind"
            ),
        );
    }
    problems
}

fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_reserved = ["aws", "ecs", "fargate"]
        .iter()
        .any(|prefix| lower.starts_with(prefix));
    let is_text = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    is_fargate(name)
        || (!name.is_empty()
            && name.len() <= LONGEST_NAME
            && name.chars().all(is_text)
            && !is_reserved)
}

/// What is wrong with a task's size on such machines, with its attribute.
pub(super) fn size(compute: Compute, on: LaunchType) -> Option<(&'static str, String)> {
    if on == LaunchType::Ec2 {
        return None;
    }
    if let Some(gpus) = compute.gpus {
        let message = format!(
            "Fargate has no machines with GPUs, and a task of this variant wants {gpus}; set ecs.launch_type = \"EC2\", ecs.capacity_providers \
             of instances that have them, or ecs.asg"
        );
        return Some(("gpu", message));
    }
    fargate(compute)
}

/// What Fargate has to say against a task's size (`RegisterTaskDefinition`, task size), with the attribute.
fn fargate(compute: Compute) -> Option<(&'static str, String)> {
    const GB: u32 = 1024;
    let (cpu, memory) = (compute.cpu(), compute.memory_mb());
    let (first, last, step) = match cpu {
        256 if memory == 512 => return None,
        256 => (GB, 2 * GB, GB),
        512 => (GB, 4 * GB, GB),
        1024 => (2 * GB, 8 * GB, GB),
        2048 => (4 * GB, 16 * GB, GB),
        4096 => (8 * GB, 30 * GB, GB),
        8192 => (16 * GB, 60 * GB, 4 * GB),
        16384 => (32 * GB, 120 * GB, 8 * GB),
        _ => {
            let has = "256, 512, 1024, 2048, 4096, 8192 and 16384";
            let message = format!("Fargate has no task of {cpu} CPU units; it has {has}");
            return Some(("cpu", message));
        }
    };
    let fits = (first..=last).contains(&memory) && (memory - first).is_multiple_of(step);
    (!fits).then(|| {
        // CPU units decide which memory there is; they are at fault only where no memory is named.
        let attribute = compute.memory_mb.map_or("cpu", |_| "memory_mb");
        let message = format!(
            "Fargate gives a task of {cpu} CPU units {first} to {last} MiB of memory in steps of {step}, not {memory}"
        );
        (attribute, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::validate::tests::messages;

    fn problems(shares: &[(&str, u32, u32)]) -> Vec<(String, String)> {
        let share = |&(name, base, weight): &(&str, u32, u32)| {
            (name.to_owned(), ProviderShare { base, weight })
        };
        let found = providers(&shares.iter().map(share).collect());
        messages(&found)
    }

    #[test]
    fn tasks_may_be_divided_among_providers_of_one_kind() {
        for shares in [
            &[("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 4)][..],
            &[("gpu-a", 0, 1), ("gpu_b", 2, 0)],
            &[("FARGATE_SPOT", 100_000, 1000)],
        ] {
            assert_eq!(problems(shares), [], "{shares:?}");
        }
    }

    #[test]
    fn what_ecs_would_refuse_of_providers_is_refused_before() {
        for (shares, attribute, said) in [
            (&[][..], "ecs.capacity_providers", "not 0"),
            (
                &[("fargate-own", 0, 1)],
                "ecs.capacity_providers",
                "is not a capacity provider's name",
            ),
            (
                &[("a b", 0, 1)],
                "ecs.capacity_providers",
                "is not a capacity provider's name",
            ),
            (
                &[("gpu", 100_001, 1)],
                "ecs.capacity_providers.gpu.base",
                "100000 at most",
            ),
            (
                &[("gpu", 0, 1001)],
                "ecs.capacity_providers.gpu.weight",
                "1000 at most",
            ),
            (
                &[("a", 1, 1), ("b", 1, 1)],
                "ecs.capacity_providers.b.base",
                "a has a base already",
            ),
            (
                &[("gpu", 1, 0)],
                "ecs.capacity_providers",
                "no provider has a weight above 0",
            ),
            (
                &[("FARGATE", 0, 1), ("gpu", 0, 1)],
                "ecs.capacity_providers",
                "FARGATE is Fargate and gpu is not",
            ),
        ] {
            let found = problems(shares);
            assert_eq!(found.len(), 1, "{shares:?}: {found:?}");
            assert_eq!(found[0].0, attribute, "{}", found[0].1);
            assert!(found[0].1.contains(said), "{}", found[0].1);
        }
    }

    #[test]
    fn a_gpu_is_for_instances_alone() {
        let compute = Compute {
            gpus: Some(2),
            ..Compute::default()
        };
        let (attribute, message) = size(compute, LaunchType::Fargate).expect("refused");
        assert_eq!(attribute, "gpu");
        assert!(message.contains("wants 2"), "{message}");
        assert_eq!(size(compute, LaunchType::Ec2), None);
    }
}
