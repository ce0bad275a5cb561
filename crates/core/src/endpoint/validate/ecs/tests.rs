use super::super::{validate, validate_change};
use super::*;
use crate::endpoint::spec::{Capacity, Compute, TargetSpec};

const ALB: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/main/50dc6c495c0c9188";
const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/main/50dc6c495c0c9188/f2f7dc8efc522ab2";

fn variant(cpu: u32, memory_mb: u32) -> serde_json::Value {
    serde_json::json!({
        "model": "digits", "version": 1, "artifact_digest": "sha256:aa", "traffic": 100.0,
        "compute": { "cpu": cpu, "memory_mb": memory_mb },
    })
}

fn target() -> serde_json::Value {
    serde_json::json!({ "ecs": {
        "cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
        "execution_role_arn": "arn:aws:iam::111122223333:role/execution",
        "task_role_arn": "arn:aws:iam::111122223333:role/task",
        "image": format!("111122223333.dkr.ecr.eu-west-1.amazonaws.com/mlops@sha256:{}", "0".repeat(64)),
        "network": { "subnets": ["subnet-1"] },
        "ingress": { "listener": { "load_balancer_arn": ALB, "port": { "leased": "20000-20099" } } },
    } })
}

/// The endpoint that is fine, with `value` at `pointer` of it.
fn with(pointer: &str, value: serde_json::Value) -> EndpointSpec {
    let mut json = serde_json::json!({
        "name": "digits", "variants": { "main": variant(512, 1024) }, "target": target(),
        "health_check": {}, "rollout": {},
    });
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = json.pointer_mut(parent).unwrap();
    parent[key] = value;
    serde_json::from_value(json).unwrap()
}

#[track_caller]
fn refused(pointer: &str, value: serde_json::Value) -> (String, String) {
    let problems = validate(&with(pointer, value));
    assert_eq!(problems.len(), 1, "{problems:?}");
    let attribute = problems[0].attribute().unwrap_or_default().to_owned();
    (attribute, problems[0].to_string())
}

#[test]
fn an_endpoint_is_named_by_its_cluster_and_its_own_name() {
    let spec = with("/drain_seconds", 7.into());
    assert!(validate(&spec).is_empty(), "{:?}", validate(&spec));
    assert_eq!(spec.id().to_string(), "ecs/prod/digits");
    let placed = spec.placement(&spec.variants[&"main".parse().unwrap()]);
    assert_eq!(placed.unwrap().drain_seconds, 7);
}

#[test]
fn what_aws_would_refuse_is_refused_before_with_its_attribute() {
    let rule = |hosts: &[&str], paths: &[&str], priority: serde_json::Value| {
        serde_json::json!({ "rule": {
            "listener_arn": LISTENER, "priority": priority, "host_headers": hosts, "path_patterns": paths,
        } })
    };
    let fixed = serde_json::json!({ "fixed": 10 });
    for (pointer, value, attribute, said) in [
        (
            "/target/ecs/cluster",
            "models".into(),
            "ecs.cluster_arn",
            "\"models\" is not a cluster's ARN",
        ),
        (
            "/target/ecs/cluster",
            "arn:aws:iam::111122223333:role/models".into(),
            "ecs.cluster_arn",
            "is not a cluster's ARN",
        ),
        (
            "/target/ecs/task_role_arn",
            "arn:aws:iam::1:role/x".into(),
            "ecs.task_role_arn",
            "is not a role's ARN",
        ),
        (
            "/target/ecs/execution_role_arn",
            "arn:aws:iam::111122223333:user/x".into(),
            "ecs.execution_role_arn",
            "is not a role's ARN",
        ),
        ("/target/ecs/image", "".into(), "ecs", "server_image"),
        (
            "/target/ecs/image",
            "repo:latest".into(),
            "ecs",
            "names no digest",
        ),
        (
            "/target/ecs/image",
            "repo@sha256:beef".into(),
            "ecs",
            "names no digest",
        ),
        (
            "/target/ecs/log_retention_days",
            8.into(),
            "ecs.log_retention_days",
            "does not know a retention of 8 days",
        ),
        (
            "/target/ecs/network/subnets",
            serde_json::json!([]),
            "network.subnets",
            "at least one subnet",
        ),
        (
            "/target/ecs/ingress/listener/load_balancer_arn",
            LISTENER.into(),
            "ingress.load_balancer_arn",
            "not the ARN of an Application Load Balancer",
        ),
        (
            "/target/ecs/ingress",
            rule(&[], &[], fixed.clone()),
            "ingress.host_headers",
            "needs one to 5",
        ),
        (
            "/target/ecs/ingress",
            rule(&["a", "b", "c"], &["/d", "/e", "/f"], fixed.clone()),
            "ingress.host_headers",
            "not 6",
        ),
        (
            "/target/ecs/ingress",
            rule(&[], &["v2"], fixed),
            "ingress.path_patterns",
            "begin with /",
        ),
        (
            "/target/ecs/ingress",
            rule(&["a"], &[], serde_json::json!({ "fixed": 50_001 })),
            "ingress.priority",
            "end at 50000",
        ),
        (
            "/target/ecs/ingress",
            rule(&["a"], &[], serde_json::json!({ "leased": "49000-51000" })),
            "ingress.priority_range",
            "51000 is above",
        ),
        (
            "/health_check",
            serde_json::json!({ "interval": "1s" }),
            "health_check.interval",
            "is 5 to 300, not 1",
        ),
        (
            "/health_check",
            serde_json::json!({ "timeout": "1s" }),
            "health_check.timeout",
            "is 2 to 120, not 1",
        ),
        (
            "/health_check",
            serde_json::json!({ "interval": "5s", "timeout": "5s" }),
            "health_check.timeout",
            "shorter than its interval, 5s, and not 5s",
        ),
        (
            "/health_check",
            serde_json::json!({ "healthy_threshold": 1 }),
            "health_check.healthy_threshold",
            "is 2 to 10, not 1",
        ),
        (
            "/health_check",
            serde_json::json!({ "unhealthy_threshold": 11 }),
            "health_check.unhealthy_threshold",
            "is 2 to 10, not 11",
        ),
        (
            "/rollout",
            serde_json::json!({ "strategy": "SHADOW", "steps": [{ "traffic": 50.0 }, { "traffic": 100.0 }] }),
            "rollout.strategy",
            "cannot copy requests",
        ),
        (
            "/variants/main",
            variant(300, 1024),
            "variants.main.cpu",
            "no task of 300 CPU units",
        ),
        (
            "/variants/main",
            serde_json::json!({
                "model": "digits", "version": 1, "artifact_digest": "sha256:aa", "traffic": 100.0, "compute": { "cpu": 4096 },
            }),
            "variants.main.cpu",
            "8192 to 30720 MiB of memory in steps of 1024, not 1024",
        ),
        (
            "/variants/main",
            variant(256, 4096),
            "variants.main.memory_mb",
            "1024 to 2048 MiB of memory in steps of 1024, not 4096",
        ),
        (
            "/variants/main",
            variant(512, 1500),
            "variants.main.memory_mb",
            "in steps of 1024, not 1500",
        ),
        (
            "/variants/main",
            variant(8192, 18 * 1024),
            "variants.main.memory_mb",
            "in steps of 4096",
        ),
    ] {
        let (at, message) = refused(pointer, value.clone());
        assert_eq!(at, attribute, "{value}");
        assert!(message.contains(said), "{value}: {message}");
    }
}

#[test]
fn sizes_that_fargate_has_are_taken_and_the_clusters_own_instances_take_any() {
    for (cpu, memory) in [
        (256, 512),
        (256, 2048),
        (1024, 8192),
        (4096, 30 * 1024),
        (16_384, 120 * 1024),
    ] {
        let problems = validate(&with("/variants/main", variant(cpu, memory)));
        assert!(problems.is_empty(), "{cpu} {memory}: {problems:?}");
    }
    let mut spec = with("/variants/main", variant(300, 777));
    let TargetSpec::Ecs(ecs) = &mut spec.target else {
        panic!("it is on ECS")
    };
    ecs.capacity = Capacity::on(LaunchType::Ec2);
    assert!(validate(&spec).is_empty());
    ecs_of(&mut spec).network.assign_public_ip = true;
    assert_eq!(
        validate(&spec)[0].attribute(),
        Some("network.assign_public_ip")
    );
}

#[test]
fn capacity_and_file_system_are_judged_where_they_stand() {
    let mut target = target();
    target["ecs"]["capacity_providers"] = serde_json::json!({ "gpu": { "base": 0, "weight": 0 } });
    let (at, message) = refused("/target", target.clone());
    assert_eq!(at, "ecs.capacity_providers");
    assert!(message.contains("a weight above 0"), "{message}");

    target["ecs"]["capacity_providers"]["gpu"]["weight"] = 1.into();
    let mut variant = variant(300, 777);
    variant["compute"]["gpus"] = 1.into();
    let mut spec = with("/variants/main", variant.clone());
    spec.target = serde_json::from_value(target).unwrap();
    assert!(validate(&spec).is_empty(), "{:?}", validate(&spec));
    let (at, _) = refused("/variants/main", variant);
    assert_eq!(at, "variants.main.gpu");

    let mut target = self::target();
    target["ecs"]["creates_cluster"] = true.into();
    assert!(validate(&with("/target", target.clone())).is_empty());
    target["ecs"]["launch_type"] = "EC2".into();
    let (at, message) = refused("/target", target);
    assert_eq!(at, "ecs.launch_type");
    assert!(message.contains("has no instances"), "{message}");

    let mut target = self::target();
    target["ecs"]["efs"] = serde_json::json!({ "file_system_id": "fs-0123456789abcdef0", "container_path": "/models" });
    let (at, _) = refused("/target", target);
    assert_eq!(at, "ecs.efs.container_path");
}

#[test]
fn a_model_is_kept_where_its_tasks_find_it_again() {
    let on = |runs_on: serde_json::Value| {
        let mut target = target();
        let fields = runs_on.as_object().unwrap().clone();
        target["ecs"].as_object_mut().unwrap().extend(fields);
        target
    };
    let efs = |path: &str, read_only: bool| {
        serde_json::json!({ "efs": {
            "file_system_id": "fs-0123456789abcdef0", "container_path": path, "read_only": read_only,
        } })
    };
    let provider = |name: &str| serde_json::json!({ "capacity_providers": { name: { "base": 0, "weight": 1 } } });
    let ec2 = serde_json::json!({ "launch_type": "EC2" });
    let mut both = ec2.clone();
    both["efs"] = efs("/cache/mine", false)["efs"].clone();
    let image = serde_json::json!({ "image": format!("own@sha256:{}", "0".repeat(64)) });
    let model =
        serde_json::json!({ "model": "digits", "version": 1, "artifact_digest": "sha256:aa" });
    let judged = |place: &str, runs: &serde_json::Value, target: serde_json::Value| {
        let mut variant = variant(512, 1024);
        variant["container"] = serde_json::json!({ "model_cache": place });
        let spec = |variant: serde_json::Value| {
            let mut spec = with("/variants/main", variant);
            spec.target = serde_json::from_value(target.clone()).unwrap();
            spec
        };
        for name in ["model", "version", "artifact_digest"] {
            variant.as_object_mut().unwrap().remove(name);
        }
        let fields = runs.as_object().unwrap().clone();
        variant.as_object_mut().unwrap().extend(fields);
        let problems = validate(&spec(variant));
        let told = |problem: &Error| {
            (
                problem.attribute().unwrap_or_default().to_owned(),
                problem.to_string(),
            )
        };
        problems.iter().map(told).collect::<Vec<_>>()
    };
    for (place, target) in [
        ("none", target()),
        ("efs", on(efs("/mnt/weights", false))),
        ("efs", on(efs("/cache", false))),
        ("node", on(ec2.clone())),
        ("node", on(provider("gpu"))),
    ] {
        assert_eq!(judged(place, &model, target), [], "{place}");
    }
    let at = "variants.main.model_cache";
    for (place, runs, target, attribute, said) in [
        ("efs", &model, target(), at, "needs a file system"),
        (
            "efs",
            &model,
            on(efs("/mnt/weights", true)),
            at,
            "may only read",
        ),
        (
            "efs",
            &image,
            on(efs("/mnt/weights", false)),
            at,
            "has no model",
        ),
        ("node", &image, on(ec2), at, "has no model"),
        ("node", &model, target(), at, "needs instances"),
        (
            "node",
            &model,
            on(provider("FARGATE_SPOT")),
            at,
            "needs instances",
        ),
        (
            "node",
            &model,
            on(both),
            "ecs.efs.container_path",
            "keeps models in /cache",
        ),
    ] {
        let problems = judged(place, runs, target);
        let [(found, message)] = &problems[..] else {
            panic!("{said}: {problems:?}");
        };
        assert_eq!(found, attribute, "{message}");
        assert!(message.contains(said), "{message}");
    }
}

fn ecs_of(spec: &mut EndpointSpec) -> &mut EcsSpec {
    match &mut spec.target {
        TargetSpec::Ecs(ecs) => ecs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_forward_action_has_room_for_two_variants_that_both_change() {
    let half = |_| {
        let mut half = variant(512, 1024);
        half["traffic"] = serde_json::json!(50.0);
        half
    };
    let two = serde_json::json!({ "a": half(()), "b": half(()) });
    assert!(validate(&with("/variants", two.clone())).is_empty());
    let mut three = two;
    three["c"] = serde_json::json!({ "model": "digits", "version": 1, "artifact_digest": "sha256:aa", "traffic": 0.0 });
    let (at, message) = refused("/variants", three);
    assert_eq!(at, "variants");
    assert!(message.contains("five target groups"), "{message}");
}

#[test]
fn the_counters_of_servers_in_a_vpc_are_no_source_of_an_analysis() {
    let rollout = serde_json::json!({
        "strategy": "CANARY", "steps": [{ "traffic": 10.0, "bake": "5s" }, { "traffic": 100.0 }],
        "analysis": { "errors": { "source": "server", "query": "error_rate", "condition": "result < 0.02" } },
    });
    assert_eq!(
        refused("/rollout", rollout).0,
        "rollout.analysis.errors.source"
    );
}

#[test]
fn the_size_of_a_task_means_nothing_on_this_machine() {
    let local = serde_json::json!({ "local": {} });
    let mut spec = with("/target", local);
    assert_eq!(validate(&spec)[0].attribute(), Some("variants.main.cpu"));
    spec.variants
        .values_mut()
        .for_each(|variant| variant.compute = Compute::default());
    assert!(validate(&spec).is_empty());
}

#[test]
fn a_rule_keeps_its_fixed_priority_only_with_its_conditions() {
    let spec = |host: &str, priority: serde_json::Value| {
        let rule = serde_json::json!({ "rule": {
            "listener_arn": LISTENER, "priority": priority, "host_headers": [host],
        } });
        with("/target/ecs/ingress", rule)
    };
    let fixed = |priority: u16| serde_json::json!({ "fixed": priority });
    let before = spec("a.example.com", fixed(10));
    let problem = validate_change(&before, &spec("b.example.com", fixed(10))).unwrap();
    assert_eq!(problem.attribute(), Some("ingress.priority"));
    assert!(
        problem
            .to_string()
            .contains("change ingress.priority along with host_headers"),
        "{problem}"
    );
    for after in [
        spec("a.example.com", fixed(10)),
        spec("b.example.com", fixed(11)),
        spec("b.example.com", serde_json::json!({ "leased": "10-19" })),
        with("/drain_seconds", 7.into()),
    ] {
        assert!(validate_change(&before, &after).is_none());
    }
}

#[test]
fn a_cluster_stays_whose_it_is() {
    let own = |own: bool| with("/target/ecs/creates_cluster", own.into());
    for (before, after) in [(true, false), (false, true)] {
        let problem = validate_change(&own(before), &own(after)).unwrap();
        assert_eq!(problem.attribute(), Some("ecs.create_cluster"));
    }
    assert!(validate_change(&own(true), &own(true)).is_none());
}

#[test]
fn only_a_model_needs_a_server_and_an_image_is_judged_at_its_variant() {
    let image = |image: &str| serde_json::json!({ "image": image, "traffic": 100.0 });
    let mut spec = with(
        "/variants/main",
        image(&format!("example.com/server@sha256:{}", "a".repeat(64))),
    );
    ecs_of(&mut spec).image.clear();
    assert!(validate(&spec).is_empty(), "{:?}", validate(&spec));
    let (at, message) = refused("/variants/main", image("server:latest"));
    assert_eq!(at, "variants.main.image");
    assert!(message.contains("names no digest"), "{message}");
}
