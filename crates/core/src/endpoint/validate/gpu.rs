//! What can be wrong with the GPUs of a variant on instances. That Fargate has none, and an instance type of another series none, is said elsewhere.

use crate::endpoint::spec::{Accelerator, AsgSpec, Compute, EcsSpec, EndpointSpec, GpuType};
use crate::error::Error;
use crate::names::VariantName;

/// Every problem of the GPUs that variants ask for.
pub(super) fn of(spec: &EndpointSpec, ecs: &EcsSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    for (name, variant) in &spec.variants {
        let Some(gpus) = variant.compute.gpus else {
            continue;
        };
        let at = |field: &str| format!("variants.{name}.gpu.{field}");
        if let Some(kind) = variant.compute.gpu_type {
            if gpus > kind.most() {
                let message = format!(
                    "no instance has more than {} GPUs of type {kind}, and a task of this variant wants {gpus}",
                    kind.most()
                );
                problems.push(Error::invalid(message).at(at("count")));
                continue;
            }
            if let (Some(wanted), Some(beside)) =
                (variant.container.architecture, kind.architecture())
                && wanted != beside
            {
                let message = format!(
                    "GPUs of type {kind} are on instances with processors of architecture {}, and variants.{name}.architecture is {}; choose another \
                     one of the two",
                    beside.as_str(),
                    wanted.as_str()
                );
                problems.push(Error::invalid(message).at(at("type")));
            }
        }
        let asg = ecs.capacity.machines();
        problems.extend(asg.and_then(|asg| of_group(name, variant.compute, gpus, asg)));
    }
    problems
}

/// What the endpoint's own instances lack.
fn of_group(name: &VariantName, compute: Compute, gpus: u32, asg: &AsgSpec) -> Option<Error> {
    let instance = &asg.instance_type;
    // Of a name that tells of no GPU others speak.
    let machine = asg.machine()?;
    if machine.accelerator == Accelerator::None {
        return None;
    }
    let known = GpuType::of(instance);
    if let Some(kind) = compute.gpu_type
        && known.is_none_or(|(found, _)| found != kind)
    {
        let has = match known {
            Some((found, _)) => format!("has GPUs of type {found}"),
            None => "is not known to have any of that type".to_owned(),
        };
        let names: Vec<_> = kind.instance_types().collect();
        let message = format!(
            "variants.{name}.gpu.type is {kind}, and {instance} of ecs.asg.instance_type {has}; these have it: {}. With ecs.asg \
             the type may be left out, since all of its instances are alike",
            names.join(", ")
        );
        return Some(Error::invalid(message).at(format!("variants.{name}.gpu.type")));
    }
    let (_, count) = known?;
    (gpus > count).then(|| {
        let message = format!(
            "variants.{name}.gpu.count is {gpus}, and {instance} of ecs.asg.instance_type has {count}; ask for fewer, or choose a larger type"
        );
        Error::invalid(message).at(format!("variants.{name}.gpu.count"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::endpoint::spec::TargetSpec;
    use crate::endpoint::validate::tests::{messages, on_ecs};

    fn told(compute: Value, capacity: Value, container: Value) -> Vec<(String, String)> {
        let mut ecs = on_ecs();
        let capacity = capacity.as_object().expect("an object").clone();
        ecs.as_object_mut().expect("an object").extend(capacity);
        let spec = json!({
            "name": "digits",
            "variants": {"main": {
                "image": "example.com/a@sha256:1", "traffic": 100.0, "compute": compute, "container": container,
            }},
            "target": {"ecs": ecs},
        });
        let spec: EndpointSpec = serde_json::from_value(spec).expect("a specification");
        let TargetSpec::Ecs(ecs) = &spec.target else {
            panic!("not on ECS")
        };
        messages(&of(&spec, ecs))
    }

    fn group(instance_type: &str) -> Value {
        json!({"creates_cluster": true, "asg": {
            "instance_type": instance_type, "instance_profile": "ecs", "min_size": 0, "max_size": 2,
        }})
    }

    #[test]
    fn gpus_that_instances_have_are_no_problem() {
        for (compute, capacity) in [
            (json!({}), json!({"launch_type": "EC2"})),
            (
                json!({"gpus": 8, "gpu_type": "a100"}),
                json!({"launch_type": "EC2"}),
            ),
            (json!({"gpus": 4, "gpu_type": "a10g"}), group("g5.12xlarge")),
            (json!({"gpus": 4}), group("g5.12xlarge")),
            // Newer than what is known here: nothing is said of what nobody knows.
            (json!({"gpus": 64}), group("g9.48xlarge")),
        ] {
            assert_eq!(
                told(compute.clone(), capacity.clone(), json!({})),
                [],
                "{compute} {capacity}"
            );
        }
    }

    #[test]
    fn gpus_that_instances_do_not_have_are_told_with_both_attributes() {
        let ec2 = json!({"launch_type": "EC2"});
        for (compute, capacity, container, at, said) in [
            (
                json!({"gpus": 9, "gpu_type": "h100"}),
                ec2.clone(),
                json!({}),
                "count",
                "no instance has more than 8 GPUs of type h100",
            ),
            (
                json!({"gpus": 1, "gpu_type": "t4g"}),
                ec2,
                json!({"architecture": "X86_64"}),
                "type",
                "architecture ARM64, and variants.main.architecture is X86_64",
            ),
            (
                json!({"gpus": 1, "gpu_type": "l4"}),
                group("g6e.xlarge"),
                json!({}),
                "type",
                "g6e.xlarge of ecs.asg.instance_type has GPUs of type l40s; these have it: g6.xlarge, ",
            ),
            (
                json!({"gpus": 1, "gpu_type": "l4"}),
                group("g9.xlarge"),
                json!({}),
                "type",
                "g9.xlarge of ecs.asg.instance_type is not known to have any",
            ),
            (
                json!({"gpus": 2}),
                group("g5.xlarge"),
                json!({}),
                "count",
                "variants.main.gpu.count is 2, and g5.xlarge of ecs.asg.instance_type has 1",
            ),
        ] {
            let found = told(compute, capacity, container);
            let [(attribute, text)] = &found[..] else {
                panic!("{found:?}")
            };
            assert_eq!(*attribute, format!("variants.main.gpu.{at}"));
            assert!(text.contains(said), "{text}");
        }
    }
}
