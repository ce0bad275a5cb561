//! What can be wrong with the instances of an endpoint on ECS. Limits are those of the API references of EC2, EC2 Auto Scaling and IAM.

use crate::endpoint::arn::Arn;
use crate::endpoint::spec::{
    Accelerator, AsgSpec, EcsSpec, EndpointSpec, Machine, MachineImage, RootVolume,
};
use crate::error::Error;

/// The most instances of a group that anybody is taken to mean.
const MOST: u32 = 1000;
/// Volumes that instances may start from and whose size is all that has to be said of them.
const KINDS: [&str; 2] = ["gp3", "gp2"];
/// The largest of them, in GiB.
const LARGEST: u32 = 16_384;
/// The longest that instances are waited for, in seconds.
const LONGEST_WAIT: u64 = 3600;
/// The most security groups of an interface (VPC, quotas).
const MOST_GROUPS: usize = 5;

/// Every problem of the endpoint's instances, if it has any of its own.
pub(super) fn of(spec: &EndpointSpec, ecs: &EcsSpec) -> Vec<Error> {
    let Some(asg) = ecs.capacity.machines() else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    if !ecs.creates_cluster {
        let message = "a cluster's capacity providers are replaced all at once, so an endpoint gives machines to a cluster of its own alone; set \
                       ecs.create_cluster = true in place of ecs.cluster_arn, or make an Auto Scaling group and its capacity provider yourself, and \
                       name that in ecs.capacity_providers in place of ecs.asg";
        problems.push(Error::invalid(message).at("ecs.asg"));
    }
    let own = own_problems(asg).into_iter();
    problems.extend(own.map(|(at, message)| Error::invalid(message).at(format!("ecs.asg.{at}"))));
    if let Some(machine) = asg.machine() {
        let unfit = unfit(spec, asg, machine).into_iter();
        problems.extend(unfit.map(|(at, message)| Error::invalid(message).at(at)));
    }
    problems
}

/// What is wrong with the block by itself.
fn own_problems(asg: &AsgSpec) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut refuse = |attribute: &'static str, message: String| {
        problems.push((attribute, message));
    };
    let kind = &asg.instance_type;
    match asg.machine() {
        None => refuse(
            "instance_type",
            format!("{kind:?} is not a type of instance, such as m7i.large"),
        ),
        Some(machine)
            if asg.image == MachineImage::Recommended && machine.recommended().is_none() =>
        {
            refuse(
                "instance_type",
                format!(
                    "ECS recommends no image of Amazon Linux 2023 that is known here for {kind}; name one in ecs.asg.ami_id or ecs.asg.ami_ssm_parameter"
                ),
            );
        }
        Some(_) => {}
    }
    if !is_profile(&asg.instance_profile) {
        refuse(
            "instance_profile",
            format!(
                "{:?} is neither the name nor the ARN of an instance profile, such as arn:aws:iam::111122223333:instance-profile/ecs",
                asg.instance_profile
            ),
        );
    }
    if asg.max_size == 0 || asg.max_size > MOST {
        refuse(
            "max_size",
            format!(
                "a group has 1 to {MOST} instances at most, not {}",
                asg.max_size
            ),
        );
    } else if asg.min_size > asg.max_size {
        refuse(
            "min_size",
            format!(
                "at least {} instances are more than the {} of max_size; lower the one or raise the other",
                asg.min_size, asg.max_size
            ),
        );
    }
    match &asg.image {
        MachineImage::Ami(id) if !is_ami(id) => refuse(
            "ami_id",
            format!("{id:?} is not the id of an image, such as ami-0123456789abcdef0"),
        ),
        MachineImage::Parameter(name) if !is_parameter(name) => refuse(
            "ami_ssm_parameter",
            format!("{name:?} is not the name of a parameter, such as /platform/ecs/ami"),
        ),
        _ => {}
    }
    problems.extend(volume(&asg.volume));
    if asg.security_groups.len() > MOST_GROUPS {
        problems.push((
            "security_groups",
            format!(
                "an instance has {MOST_GROUPS} security groups at most, not {}",
                asg.security_groups.len()
            ),
        ));
    }
    let wait = asg.patience().as_secs();
    if wait > LONGEST_WAIT {
        problems.push((
            "capacity_timeout_seconds",
            format!("instances are waited for {LONGEST_WAIT} s at most, not {wait}"),
        ));
    }
    problems
}

fn volume(volume: &RootVolume) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    if !KINDS.contains(&volume.kind.as_str()) {
        problems.push((
            "volume_type",
            format!(
                "instances start from a volume of type {}, not {:?}",
                KINDS.join(" or "),
                volume.kind
            ),
        ));
    }
    if volume.size_gb == 0 || volume.size_gb > LARGEST {
        problems.push((
            "volume_size_gb",
            format!("a volume has 1 to {LARGEST} GiB, not {}", volume.size_gb),
        ));
    }
    if !volume.device.starts_with("/dev/") {
        problems.push((
            "volume_device",
            format!(
                "{:?} is not the name of a device, such as /dev/xvda",
                volume.device
            ),
        ));
    }
    problems
}

/// Tasks that such instances cannot run, as far as the name of their type says it.
fn unfit(spec: &EndpointSpec, asg: &AsgSpec, machine: Machine) -> Vec<(String, String)> {
    let kind = &asg.instance_type;
    let mut problems = Vec::new();
    for (name, variant) in &spec.variants {
        if let Some(wanted) = variant.container.architecture
            && wanted != machine.architecture
        {
            problems.push((
                "ecs.asg.instance_type".to_owned(),
                format!(
                    "{kind} has processors of architecture {}, and tasks of variant {name} run on {}; choose another type, or correct \
                     variants.{name}.architecture",
                    machine.architecture.as_str(),
                    wanted.as_str()
                ),
            ));
        }
        if let Some(gpus) = variant.compute.gpus
            && machine.accelerator == Accelerator::None
        {
            problems.push((
                format!("variants.{name}.gpu"),
                format!(
                    "a task of this variant wants {gpus}, and {kind} of ecs.asg.instance_type has no GPU; choose a type that has, such as g5.xlarge"
                ),
            ));
        }
    }
    problems
}

fn is_profile(text: &str) -> bool {
    if text.starts_with("arn:") {
        return Arn::read(text).is_some_and(|arn| {
            arn.partition.starts_with("aws")
                && arn.service == "iam"
                && arn.account.len() == 12
                && arn.resource.starts_with("instance-profile/")
        });
    }
    let is_text = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (1..=128).contains(&text.len()) && text.chars().all(is_text)
}

fn is_ami(text: &str) -> bool {
    let digits = text.strip_prefix("ami-").unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_parameter(text: &str) -> bool {
    let is_text = |c: char| c.is_ascii_alphanumeric() || "_.-/:".contains(c);
    (1..=1011).contains(&text.len()) && text.chars().all(is_text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::endpoint::spec::TargetSpec;
    use crate::endpoint::validate::tests::{messages, on_ecs};

    const AMI: &str = "ami-0123456789abcdef0";

    fn told(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
        let mut ecs = on_ecs();
        ecs["cluster"] = "mlops-digits".into();
        ecs["creates_cluster"] = true.into();
        ecs["asg"] = json!({"instance_type": "m7i.large", "instance_profile": "ecs", "min_size": 0, "max_size": 2});
        let mut spec = json!({
            "name": "digits",
            "variants": {"main": {"image": "example.com/a@sha256:1", "traffic": 100.0}},
            "target": {"ecs": ecs},
        });
        change(&mut spec);
        let spec: EndpointSpec = serde_json::from_value(spec).expect("a specification");
        let TargetSpec::Ecs(ecs) = &spec.target else {
            panic!("not on ECS")
        };
        messages(&of(&spec, ecs))
    }

    #[test]
    fn instances_may_be_of_any_kind_that_tasks_can_run_on() {
        for (key, value) in [
            ("instance_type", json!("m7i.large")),
            ("instance_type", json!("g5.xlarge")),
            (
                "instance_profile",
                json!("arn:aws-cn:iam::111122223333:instance-profile/teams/ecs"),
            ),
            ("min_size", json!(2)),
            ("image", json!({"ami": AMI})),
            ("image", json!({"parameter": "/platform/ami:3"})),
            (
                "volume",
                json!({"type": "gp2", "size_gb": 16384, "encrypted": false}),
            ),
            ("capacity_timeout", json!("0s")),
        ] {
            assert_eq!(
                told(|spec| spec["target"]["ecs"]["asg"][key] = value.clone()),
                [],
                "{key} {value}"
            );
        }
        let of_others = told(|spec| {
            let asg = &mut spec["target"]["ecs"]["asg"];
            asg["instance_type"] = "inf2.xlarge".into();
            asg["image"] = json!({"ami": AMI});
        });
        assert_eq!(of_others, []);
    }

    #[test]
    fn what_cannot_be_is_told_with_its_attribute() {
        for (key, value, at, said) in [
            (
                "instance_type",
                json!("large"),
                "instance_type",
                "is not a type of instance",
            ),
            (
                "instance_type",
                json!("g5g.xlarge"),
                "instance_type",
                "ami_ssm_parameter",
            ),
            (
                "instance_profile",
                json!(""),
                "instance_profile",
                "instance-profile/ecs",
            ),
            (
                "instance_profile",
                json!("arn:aws:iam::111122223333:role/ecs"),
                "instance_profile",
                "instance-profile/ecs",
            ),
            ("max_size", json!(0), "max_size", "1 to 1000"),
            ("max_size", json!(1001), "max_size", "1 to 1000"),
            (
                "min_size",
                json!(3),
                "min_size",
                "more than the 2 of max_size",
            ),
            (
                "image",
                json!({"ami": "ami-1"}),
                "ami_id",
                "ami-0123456789abcdef0",
            ),
            (
                "image",
                json!({"parameter": "a b"}),
                "ami_ssm_parameter",
                "/platform/ecs/ami",
            ),
            (
                "volume",
                json!({"type": "io1"}),
                "volume_type",
                "gp3 or gp2, not \"io1\"",
            ),
            (
                "volume",
                json!({"size_gb": 0}),
                "volume_size_gb",
                "1 to 16384",
            ),
            (
                "volume",
                json!({"device": "xvda"}),
                "volume_device",
                "/dev/xvda",
            ),
            (
                "security_groups",
                json!(["1", "2", "3", "4", "5", "6"]),
                "security_groups",
                "5 security groups",
            ),
            (
                "capacity_timeout",
                json!("3601s"),
                "capacity_timeout_seconds",
                "3600 s at most",
            ),
        ] {
            let told = told(|spec| spec["target"]["ecs"]["asg"][key] = value.clone());
            let [(attribute, text)] = &told[..] else {
                panic!("{key} {value}: {told:?}")
            };
            assert_eq!(*attribute, format!("ecs.asg.{at}"));
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn a_group_needs_a_cluster_of_the_endpoints_own_and_tasks_that_it_can_run() {
        let shared = told(|spec| spec["target"]["ecs"]["creates_cluster"] = false.into());
        let [(attribute, text)] = &shared[..] else {
            panic!("{shared:?}")
        };
        assert_eq!(attribute, "ecs.asg");
        for said in ["ecs.create_cluster = true", "ecs.capacity_providers"] {
            assert!(text.contains(said), "{text}");
        }
        let arm = told(|spec| {
            spec["variants"]["main"]["container"] = json!({"architecture": "ARM64"});
        });
        assert_eq!(arm[0].0, "ecs.asg.instance_type");
        assert!(
            arm[0]
                .1
                .contains("m7i.large has processors of architecture X86_64"),
            "{arm:?}"
        );
        let gpu = |kind: &'static str| {
            told(move |spec| {
                spec["variants"]["main"]["compute"] = json!({"gpus": 1});
                spec["target"]["ecs"]["asg"]["instance_type"] = kind.into();
            })
        };
        assert_eq!(gpu("g5.xlarge"), []);
        let none = gpu("m7i.large");
        assert_eq!(none[0].0, "variants.main.gpu");
        assert!(none[0].1.contains("has no GPU"), "{none:?}");
    }
}
