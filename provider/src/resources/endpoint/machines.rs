//! Instances of an endpoint's own on ECS: the block `asg` of the block `ecs`.

use mlops_core::endpoint::Period;
use mlops_core::endpoint::spec::{AsgSpec, MachineImage, RootVolume};
use tfplugin::schema::{Attribute, Block};
use tfplugin::types::Type;
use tfplugin::{Attr, validate};

use super::from_record::unless;
use crate::resources::convert::{self, ListOf, no_nulls};

tfplugin::object! {
    /// The block `asg`.
    pub(crate) struct Asg {
        /// The kind of instance.
        pub(crate) instance_type: Attr<String>,
        /// Which role instances have.
        pub(crate) instance_profile: Attr<String>,
        /// The fewest.
        pub(crate) min_size: Attr<u32>,
        /// The most.
        pub(crate) max_size: Attr<u32>,
        /// What they start from.
        pub(crate) ami_id: Attr<String>,
        /// Where that is read.
        pub(crate) ami_ssm_parameter: Attr<String>,
        /// How large their volume is.
        pub(crate) volume_size_gb: Attr<u32>,
        /// Its type.
        pub(crate) volume_type: Attr<String>,
        /// Whether it is encrypted.
        pub(crate) volume_encrypted: Attr<bool>,
        /// What the image calls it.
        pub(crate) volume_device: Attr<String>,
        /// Where they are.
        pub(crate) subnets: ListOf<String>,
        /// What may reach them.
        pub(crate) security_groups: ListOf<String>,
        /// How long they may take to come.
        pub(crate) capacity_timeout_seconds: Attr<u32>,
    }
}

/// Declares `asg`.
pub(super) fn asg() -> Block {
    let text = |what: &str| Attribute::string().optional().describe(what);
    let texts = |what: &str| {
        Attribute::set(Type::String)
            .optional()
            .validate(no_nulls())
            .describe(what)
    };
    let number = |what: &str| {
        Attribute::number()
            .optional()
            .validate(validate::whole())
            .validate(validate::at_least(0))
            .describe(what)
    };
    Block::new()
        .describe(
            "Instances of the endpoint's own in place of Fargate: a launch template, an Auto Scaling group and a capacity provider, which the endpoint makes, \
             scales by what its tasks need, and deletes. Only with `create_cluster = true`. Any change is a new revision on a new group, which rolls out; \
             the old group goes with the old revision.",
        )
        .validate(validate::at_most_one_of(["ami_id", "ami_ssm_parameter"]))
        .attribute("instance_type", Attribute::string().required().describe("The kind of instance, such as `m7i.large`, with room for a task of each variant."))
        .attribute(
            "instance_profile",
            Attribute::string().required().describe(
                "The instance profile, by name or ARN. It exists already; its role has the policy `AmazonEC2ContainerServiceforEC2Role`.",
            ),
        )
        .attribute("min_size", number("The fewest instances. Default `0`."))
        .attribute(
            "max_size",
            Attribute::number().required().validate(validate::whole()).validate(validate::at_least(1)).describe(
                "The most instances. During a rollout that keeps the group, it has room for the tasks of the old revision and the new.",
            ),
        )
        .attribute(
            "ami_id",
            text("The image that instances start from. Default: the one that ECS recommends for the kind of instance (Amazon Linux 2023, with GPU drivers where it \
                  has GPUs of NVIDIA), as it is when an instance starts."),
        )
        .attribute("ami_ssm_parameter", text("A parameter of Systems Manager that names it, as it is when an instance starts."))
        .attribute("volume_size_gb", number("The size of their volume in GiB. Default `30`, the least that the images of ECS start from."))
        .attribute("volume_type", text("Its type, `gp3` (default) or `gp2`."))
        .attribute("volume_encrypted", Attribute::bool().optional().describe("Whether it is encrypted, with the account's default key for EBS. Default `true`."))
        .attribute("volume_device", text("What the image calls it. Default `/dev/xvda`, as Amazon Linux does."))
        .attribute("subnets", texts("Where instances are. Default: the subnets of `network`. Tasks need one of theirs in the same zone.").validate(validate::size(1..=16)))
        .attribute("security_groups", texts("Their security groups. Default: those of `network`. Tasks have theirs from there.").validate(validate::size(1..=5)))
        .attribute(
            "capacity_timeout_seconds",
            number("How much longer than `startup_timeout_seconds` a revision may take to start, because instances come first. Default `600`."),
        )
}

/// The instances, if there are any. `None` while some of it is unknown.
pub(super) fn spec(asg: &Attr<Asg>) -> Option<Option<AsgSpec>> {
    let Some(asg) = convert::known(asg)? else {
        return Some(None);
    };
    let (ami, parameter) = (
        convert::known(&asg.ami_id)?,
        convert::known(&asg.ami_ssm_parameter)?,
    );
    let default = RootVolume::default();
    let timeout = convert::known(&asg.capacity_timeout_seconds)?;
    Some(Some(AsgSpec {
        instance_type: convert::known(&asg.instance_type)??,
        instance_profile: convert::known(&asg.instance_profile)??,
        min_size: convert::known(&asg.min_size)?.unwrap_or_default(),
        max_size: convert::known(&asg.max_size)??,
        image: match (ami, parameter) {
            (Some(id), _) => MachineImage::Ami(id),
            (None, Some(name)) => MachineImage::Parameter(name),
            (None, None) => MachineImage::Recommended,
        },
        volume: RootVolume {
            size_gb: convert::known(&asg.volume_size_gb)?.unwrap_or(default.size_gb),
            kind: convert::known(&asg.volume_type)?.unwrap_or(default.kind),
            encrypted: convert::known(&asg.volume_encrypted)?.unwrap_or(default.encrypted),
            device: convert::known(&asg.volume_device)?.unwrap_or(default.device),
        },
        subnets: convert::known_list(&asg.subnets)?.unwrap_or_default(),
        security_groups: convert::known_list(&asg.security_groups)?.unwrap_or_default(),
        capacity_timeout: timeout.map_or(AsgSpec::default_capacity_timeout(), |seconds| {
            Period::seconds(u64::from(seconds))
        }),
    }))
}

/// The way back.
pub(super) fn state(asg: Option<&AsgSpec>) -> Attr<Asg> {
    let list = |values: &[String]| convert::list_of(values.to_vec(), None);
    let default = RootVolume::default();
    let state = |asg: &AsgSpec| {
        let (ami_id, ami_ssm_parameter) = match &asg.image {
            MachineImage::Recommended => (Attr::Null, Attr::Null),
            MachineImage::Ami(id) => (id.clone().into(), Attr::Null),
            MachineImage::Parameter(name) => (Attr::Null, name.clone().into()),
        };
        let seconds = u32::try_from(asg.patience().as_secs()).unwrap_or(u32::MAX);
        let usual = u32::try_from(AsgSpec::default_capacity_timeout().duration().as_secs());
        Asg {
            instance_type: asg.instance_type.clone().into(),
            instance_profile: asg.instance_profile.clone().into(),
            min_size: unless(asg.min_size, &0),
            max_size: asg.max_size.into(),
            ami_id,
            ami_ssm_parameter,
            volume_size_gb: unless(asg.volume.size_gb, &default.size_gb),
            volume_type: unless(asg.volume.kind.clone(), &default.kind),
            volume_encrypted: unless(asg.volume.encrypted, &default.encrypted),
            volume_device: unless(asg.volume.device.clone(), &default.device),
            subnets: list(&asg.subnets),
            security_groups: list(&asg.security_groups),
            capacity_timeout_seconds: unless(seconds, &usual.unwrap_or_default()),
        }
    };
    asg.map(state).into()
}
