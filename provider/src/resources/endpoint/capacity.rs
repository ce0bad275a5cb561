//! What tasks on ECS run on, and the file system that they share: parts of the block `ecs`.

use std::collections::BTreeMap;

use mlops_core::endpoint::spec::{Capacity, Compute, EfsSpec, GpuType, LaunchType, ProviderShare};
use tfplugin::schema::{Attribute, Block, Nested};
use tfplugin::{Attr, validate};

use super::ecs::Ecs;
use super::from_record::unless;
use super::machines;
use crate::resources::convert;

tfplugin::object! {
    /// A capacity provider's part of the tasks.
    pub(crate) struct Share {
        /// So many tasks before any are divided.
        pub(crate) base: Attr<u32>,
        /// Its part of the others.
        pub(crate) weight: Attr<u32>,
    }

    /// The GPUs of a task.
    pub(crate) struct Gpu {
        /// How many.
        pub(crate) count: Attr<u32>,
        /// Which.
        pub(crate) r#type: Attr<String>,
    }

    /// The block `efs`.
    pub(crate) struct Efs {
        /// The file system.
        pub(crate) file_system_id: Attr<String>,
        /// The access point.
        pub(crate) access_point_id: Attr<String>,
        /// The directory that containers see.
        pub(crate) root_directory: Attr<String>,
        /// Whether tasks use their role.
        pub(crate) iam: Attr<bool>,
        /// Where containers find it.
        pub(crate) container_path: Attr<String>,
        /// Whether they may only read it.
        pub(crate) read_only: Attr<bool>,
    }
}

/// Declares `launch_type`.
pub(super) fn launch_type() -> Attribute {
    Attribute::string()
        .optional()
        .validate(validate::one_of(["FARGATE", "EC2"]))
        .describe(
            "`FARGATE` (default), or `EC2` for the cluster's own instances; not with `capacity_providers` or `asg`. Changing it is a new revision, which rolls out. `EXTERNAL` \
             instances cannot stand behind a load balancer, so there is none.",
        )
}

/// Declares `capacity_providers`.
pub(super) fn providers() -> Attribute {
    let number = |what: &str| {
        Attribute::number()
            .optional()
            .validate(validate::whole())
            .validate(validate::at_least(0))
            .describe(what)
    };
    let share = Nested::new()
        .attribute("base", number("So many tasks before the others are divided, for one provider at most. Default `0`."))
        .attribute("weight", number("Its part of all others, of the sum of weights. Default `1`."));
    Attribute::map_nested(share).optional().describe(
        "In place of `launch_type`, the capacity providers among which tasks are divided, by name: `FARGATE` and `FARGATE_SPOT`, or \
         providers of Auto Scaling groups. The cluster has them already. Changing them is a new revision, which rolls out.",
    )
}

/// Declares a variant's `gpu`.
pub(super) fn gpu() -> Attribute {
    let count = Attribute::number()
        .required()
        .validate(validate::whole())
        .validate(validate::at_least(1))
        .describe("How many.");
    let names = GpuType::ALL.map(GpuType::as_str);
    let kind = Attribute::string().optional().validate(validate::one_of(names)).describe(format!(
        "Which: `{}`. Tasks are placed on instances alone whose type is known to have it. Without it, on any that have enough GPUs. With `asg`, its \
         `instance_type` must have it.",
        names.join("`, `")
    ));
    Attribute::single_nested(Nested::new().attribute("count", count).attribute("type", kind))
        .optional()
        .describe(
            "GPUs that a task has to itself, on instances that have any: with `launch_type = \"EC2\"`, `capacity_providers` of Auto Scaling \
             groups, or `asg`. Fargate has none.",
        )
}

/// Declares a variant's `model_cache`.
pub(super) fn model_cache() -> Attribute {
    Attribute::string()
        .optional()
        .validate(validate::one_of(["none", "efs", "node"]))
        .describe(
            "On ECS, where tasks keep the files of their model for one another: `none` (default), so that each task fetches them from the registry's \
             bucket; `efs`, in the file system of `ecs.efs`, so that the first one does; or `node`, on the disk of the instance that they run on, so \
             that the first one there does. Whatever is kept is verified before it is served. On Fargate there is no `node`, and on instances models \
             leave 15 % of the disk free: those that were not used for longest go. Changing it is a new revision, which rolls out.",
        )
}

/// Declares `efs`.
pub(super) fn efs() -> Block {
    let text = |what: &str| Attribute::string().optional().describe(what);
    let flag = |what: &str| Attribute::bool().optional().describe(what);
    Block::new()
        .describe(
            "A file system of Amazon EFS that all containers share, models' and images' alike. It exists already, with a mount target that lets \
             the tasks' security groups in on port 2049. What travels is encrypted. Changing it is a new revision, which rolls out.",
        )
        .attribute("file_system_id", Attribute::string().required().describe("The file system, such as `fs-0123456789abcdef0`."))
        .attribute("access_point_id", text("An access point of it, which says the user, the group and the directory."))
        .attribute("root_directory", text("The directory that containers see, without an access point. Default `/`. It exists already."))
        .attribute(
            "iam",
            flag("Whether tasks prove who they are by `task_role_arn`, as a policy of the file system may ask. Default `false`."),
        )
        .attribute("container_path", Attribute::string().required().describe("Where containers find it, such as `/mnt/weights`. `/models` is the model server's own, and `/cache` with `model_cache = \"node\"`."))
        .attribute("read_only", flag("Whether containers may only read it. Default `false`."))
}

/// What tasks run on. `None` while some of it is unknown.
pub(super) fn capacity(ecs: &Ecs) -> Option<Capacity> {
    if let Some(asg) = machines::spec(&ecs.asg)? {
        return Some(Capacity::Machines { asg });
    }
    let Some(providers) = convert::known(&ecs.capacity_providers)? else {
        let launch_type = convert::word_or_default(&ecs.launch_type)?;
        return Some(Capacity::LaunchType { launch_type });
    };
    let shares = providers.into_iter().map(|(name, share)| {
        let share = ProviderShare {
            base: convert::known(&share.base)?.unwrap_or_default(),
            weight: convert::known(&share.weight)?.unwrap_or(ProviderShare::DEFAULT_WEIGHT),
        };
        Some((name, share))
    });
    Some(Capacity::Providers {
        capacity_providers: shares.collect::<Option<_>>()?,
    })
}

/// `launch_type` and `capacity_providers` of an endpoint that Terraform did not know.
pub(super) fn imported(capacity: &Capacity) -> (Attr<String>, Attr<BTreeMap<String, Share>>) {
    let share = |(name, share): (&String, &ProviderShare)| {
        let share = Share {
            base: unless(share.base, &0),
            weight: unless(share.weight, &ProviderShare::DEFAULT_WEIGHT),
        };
        (name.clone(), share)
    };
    match capacity {
        Capacity::LaunchType { launch_type } => {
            let word = unless(*launch_type, &LaunchType::default());
            (word.map(|word| word.as_str().to_owned()), Attr::Null)
        }
        Capacity::Machines { .. } => (Attr::Null, Attr::Null),
        Capacity::Providers { capacity_providers } => {
            let shares = capacity_providers.iter().map(share);
            (Attr::Null, Attr::Known(shares.collect()))
        }
    }
}

/// The number of a task's GPUs, and which they are. `None` while it is unknown.
pub(super) fn gpus(gpu: &Attr<Gpu>) -> Option<(Option<u32>, Option<GpuType>)> {
    let Some(gpu) = convert::known(gpu)? else {
        return Some((None, None));
    };
    let kind = match convert::known(&gpu.r#type)? {
        // The schema knows no other word.
        Some(word) => Some(convert::word(&word)?),
        None => None,
    };
    Some((convert::known(&gpu.count)?, kind))
}

/// The way back.
pub(super) fn gpu_state(compute: Compute) -> Attr<Gpu> {
    let gpu = |count: u32| Gpu {
        count: count.into(),
        r#type: compute.gpu_type.map(|kind| kind.as_str().to_owned()).into(),
    };
    compute.gpus.map(gpu).into()
}

/// The file system, if there is one. `None` while some of it is unknown.
pub(super) fn file_system(efs: &Attr<Efs>) -> Option<Option<EfsSpec>> {
    let Some(efs) = convert::known(efs)? else {
        return Some(None);
    };
    Some(Some(EfsSpec {
        file_system_id: convert::known(&efs.file_system_id)??,
        access_point_id: convert::known(&efs.access_point_id)?,
        root_directory: convert::known(&efs.root_directory)?,
        iam: convert::known(&efs.iam)?.unwrap_or_default(),
        container_path: convert::known(&efs.container_path)??,
        read_only: convert::known(&efs.read_only)?.unwrap_or_default(),
    }))
}

/// The way back.
pub(super) fn efs_state(efs: Option<&EfsSpec>) -> Attr<Efs> {
    let state = |efs: &EfsSpec| Efs {
        file_system_id: efs.file_system_id.clone().into(),
        access_point_id: efs.access_point_id.clone().into(),
        root_directory: efs.root_directory.clone().into(),
        iam: convert::unless_default(efs.iam, None),
        container_path: efs.container_path.clone().into(),
        read_only: convert::unless_default(efs.read_only, None),
    };
    efs.map(state).into()
}
