//! What the target's tests share, and the whole target in a world where ECS runs containers.

mod bad;
mod capacity;
mod counts;
mod crowd;
mod denied;
mod endpoint;
mod failures;
mod kills;
mod left;
mod life;
mod log_group;
mod names;
mod ownership;
mod scaled;
mod seen;
mod taken;
mod world;

use std::collections::BTreeMap;

use mlops_core::endpoint::Period;
use mlops_core::endpoint::deployment::{DeploymentId, DeploymentRef};
use mlops_core::endpoint::spec::{
    Autoscaling, Capacity, Compute, Container, EcsSpec, HealthCheck, IngressSpec, NetworkSpec,
    Placement, SlotChoice, Workload,
};
use mlops_core::names::{EndpointName, ModelName, VariantName};
use mlops_core::target::{Revision, RevisionName};
use uuid::Uuid;

use super::handle::Handle;
use crate::elb::{Front, FrontKind, Owner};

pub(super) fn deployment(attempt: u32) -> DeploymentRef {
    DeploymentRef {
        id: DeploymentId::new("ecs/models/digits", None, 1).expect("JSON"),
        attempt,
    }
}

pub(super) fn owner(name: &str) -> Owner {
    Owner {
        endpoint: Uuid::from_u128(1),
        name: EndpointName::new(name).expect("legal"),
        deployment: deployment(1),
    }
}

pub(super) fn variant(name: &str) -> VariantName {
    VariantName::new(name).expect("legal")
}

pub(super) fn placement() -> Placement {
    Placement {
        cluster: "arn:aws:ecs:eu-west-1:111122223333:cluster/models".to_owned(),
        capacity: Capacity::default(),
        efs: None,
        execution_role_arn: "arn:aws:iam::111122223333:role/pull".to_owned(),
        task_role_arn: "arn:aws:iam::111122223333:role/serve".to_owned(),
        image: format!("example.com/mlops@sha256:{}", "0".repeat(64)),
        enable_execute_command: false,
        log_retention_days: 30,
        network: NetworkSpec {
            subnets: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
            security_groups: vec!["sg-1".to_owned()],
            assign_public_ip: false,
        },
        health_check: HealthCheck::default(),
        drain_seconds: 5,
    }
}

/// This version of `digits`.
pub(super) fn version(number: u64) -> Workload {
    let model = ModelName::new("digits").expect("legal");
    Workload::version(model, number, format!("sha256:{}", "1".repeat(64)))
}

pub(super) fn revision() -> Revision {
    let variant = variant("main");
    Revision {
        name: RevisionName::new(&variant, 2, &deployment(1)),
        variant,
        workload: version(2),
        environment: BTreeMap::new(),
        compute: Compute::default(),
        container: Container::default(),
        placement: Some(Box::new(placement())),
        smoke: None,
        instances: 1,
        startup_timeout: Period::seconds(60),
    }
}

pub(super) fn ecs_spec() -> EcsSpec {
    let place = placement();
    EcsSpec {
        cluster: place.cluster,
        region: None,
        creates_cluster: false,
        capacity: place.capacity,
        efs: place.efs,
        execution_role_arn: place.execution_role_arn,
        task_role_arn: place.task_role_arn,
        image: place.image,
        enable_execute_command: false,
        log_retention_days: 30,
        network: place.network,
        ingress: IngressSpec::Listener {
            load_balancer_arn: "arn:balancer".to_owned(),
            port: SlotChoice::Leased(SlotChoice::PORTS),
        },
        dns: None,
    }
}

pub(super) fn handle() -> Handle {
    let spec = ecs_spec();
    Handle {
        owner: owner("digits"),
        front: Front {
            kind: FrontKind::Listener,
            arn: "arn:listener".to_owned(),
            parent: "arn:balancer".to_owned(),
            load_balancer_arn: "arn:balancer".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            url: "http://balancer.example.com:20000".to_owned(),
            slot: 20_000,
        },
        ingress: spec.ingress,
        cluster: spec.cluster,
        owns_cluster: false,
        log_group: "/mlops/endpoints/models/digits".to_owned(),
        dns: None,
        found: None,
        region: "eu-west-1".to_owned(),
    }
}

/// By CPU and by requests, and less at night.
pub(super) fn autoscaling() -> Autoscaling {
    let document = serde_json::json!({
        "min": 1, "max": 10,
        "policies": {
            "cpu": { "metric": "cpu", "target": 60.0 },
            "requests": { "metric": "requests_per_target", "target": 100.0 },
        },
        "schedules": { "night": { "schedule": "cron(0 22 * * ? *)", "max": 2 } },
    });
    serde_json::from_value(document).expect("a block")
}
