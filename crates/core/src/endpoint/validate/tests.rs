use super::*;
use crate::endpoint::spec::{RolloutStep, VariantSpec};

fn spec(json: serde_json::Value) -> EndpointSpec {
    serde_json::from_value(json).unwrap()
}

fn variant(traffic: f64, shadow: f64) -> serde_json::Value {
    serde_json::json!({
        "model": "digits", "version": 1, "artifact_digest": "sha256:aa",
        "traffic": traffic, "shadow_percentage": shadow,
    })
}

fn endpoint(variants: serde_json::Value) -> EndpointSpec {
    spec(serde_json::json!({ "name": "digits", "variants": variants, "target": { "local": {} } }))
}

/// A target on ECS with what it cannot do without.
pub(super) fn on_ecs() -> serde_json::Value {
    serde_json::json!({
        "cluster": "prod", "execution_role_arn": "e", "task_role_arn": "t", "image": "",
        "network": {"subnets": ["a"]},
        "ingress": {"listener": {"load_balancer_arn": "alb", "port": {"fixed": 80}}},
    })
}

/// Attributes and texts.
pub(super) fn messages(problems: &[Error]) -> Vec<(String, String)> {
    problems
        .iter()
        .map(|p| (p.attribute().unwrap_or_default().to_owned(), p.to_string()))
        .collect()
}

#[test]
fn traffic_that_does_not_sum_to_a_hundred_is_refused() {
    let problems = validate(&endpoint(
        serde_json::json!({ "a": variant(60.0, 0.0), "b": variant(30.0, 0.0) }),
    ));
    assert_eq!(
        messages(&problems),
        [(
            "variants".to_owned(),
            "traffic of the variants sums to 90%; it must sum to 100 (shadow variants have none)"
                .to_owned()
        )]
    );
    assert!(
        validate(&endpoint(
            serde_json::json!({ "a": variant(100.0, 0.0), "s": variant(0.0, 20.0) })
        ))
        .is_empty()
    );
    let problems = validate(&endpoint(
        serde_json::json!({ "a": variant(90.0, 0.0), "s": variant(10.0, 20.0) }),
    ));
    assert_eq!(
        problems[0].attribute(),
        Some("variants.s.shadow_percentage")
    );
    assert_eq!(
        validate(&endpoint(serde_json::json!({})))[0].attribute(),
        Some("variants")
    );
}

fn problems_of(strategy: Strategy, steps: &[u8]) -> Vec<Option<String>> {
    let step = |traffic: &u8| RolloutStep {
        traffic: Percent::from(*traffic),
        bake: Period::seconds(1),
        pause: false,
    };
    let spec = RolloutSpec {
        strategy,
        steps: steps.iter().map(step).collect(),
        ..RolloutSpec::default()
    };
    rollout(&spec)
        .iter()
        .map(|p| p.attribute().map(str::to_owned))
        .collect()
}

#[test]
fn steps_ascend_to_a_hundred_and_fit_their_strategy() {
    let at = |path: &str| vec![Some(path.to_owned())];
    assert!(problems_of(Strategy::Canary, &[10, 50, 100]).is_empty());
    assert_eq!(problems_of(Strategy::Canary, &[]), at("rollout.steps"));
    assert_eq!(
        problems_of(Strategy::Canary, &[50, 10, 100]),
        at("rollout.steps.1.traffic")
    );
    assert_eq!(
        problems_of(Strategy::Canary, &[10, 50]),
        at("rollout.steps.1.traffic")
    );
    assert_eq!(
        problems_of(Strategy::Canary, &[0, 100]),
        at("rollout.steps.0.traffic")
    );
    assert_eq!(
        problems_of(Strategy::AllAtOnce, &[100]),
        at("rollout.steps")
    );
    assert!(problems_of(Strategy::Linear, &[10]).is_empty());
    assert!(problems_of(Strategy::Linear, &[50, 100]).is_empty());
    assert_eq!(
        problems_of(Strategy::Linear, &[30, 40, 100]).first(),
        at("rollout.steps.1.traffic").first()
    );
    assert_eq!(
        problems_of(Strategy::BlueGreen, &[50, 100]),
        at("rollout.steps")
    );
}

#[test]
fn the_default_timeout_is_the_planned_rollout_and_half_an_hour() {
    let mut spec = endpoint(serde_json::json!({ "a": variant(100.0, 0.0) }));
    let step = |traffic: u8, bake| RolloutStep {
        traffic: Percent::from(traffic),
        bake: Period::seconds(bake),
        pause: false,
    };
    spec.rollout.strategy = Strategy::Canary;
    spec.rollout.steps = vec![step(10, 60), step(50, 120), step(100, 0)];
    spec.rollout.terminate_after = Period::seconds(20);
    assert_eq!(planned_time(&spec), Period::seconds(60 + 120 + 5 + 20));
    assert_eq!(default_timeout(&spec), Period::seconds(205 + 1800));
    spec.rollout.max_duration = Period::seconds(180);
    assert_eq!(validate(&spec)[0].attribute(), Some("rollout.max_duration"));
    let VariantSpec {
        startup_timeout, ..
    } = &spec.variants.values().next().unwrap();
    assert_eq!(*startup_timeout, Period::seconds(60));
}

#[test]
fn a_health_check_that_cannot_be_asked_is_refused_at_its_attribute() {
    for (check, attribute) in [
        (serde_json::json!({ "path": "v2/health/live" }), "path"),
        (serde_json::json!({ "path": "" }), "path"),
        (serde_json::json!({ "path": "/a b" }), "path"),
        (serde_json::json!({ "path": "/a\r\nHost: x" }), "path"),
        (serde_json::json!({ "interval": "0s" }), "interval"),
        (serde_json::json!({ "timeout": "0s" }), "timeout"),
        (serde_json::json!({ "timeout": "21s" }), "timeout"),
        (
            serde_json::json!({ "healthy_threshold": 0 }),
            "healthy_threshold",
        ),
        (
            serde_json::json!({ "unhealthy_threshold": 0 }),
            "unhealthy_threshold",
        ),
        (
            serde_json::json!({ "stabilization_window": "1h1s" }),
            "stabilization_window",
        ),
    ] {
        let mut endpoint = endpoint(serde_json::json!({ "main": variant(100.0, 0.0) }));
        endpoint.health_check = serde_json::from_value(check.clone()).unwrap();
        let problems = messages(&validate(&endpoint));
        let [(at, _)] = &problems[..] else {
            panic!("{check}: {problems:?}")
        };
        assert_eq!(*at, format!("health_check.{attribute}"), "{check}");
    }
    let mut fine = endpoint(serde_json::json!({ "main": variant(100.0, 0.0) }));
    fine.health_check.path = Some("/v2/models/digits/ready?x=1".to_owned());
    assert!(messages(&validate(&fine)).is_empty());
}

#[test]
fn what_only_containers_have_is_refused_on_this_machine() {
    let image = format!("example.com/server@sha256:{}", "a".repeat(64));
    let arn = "arn:aws:ssm:eu-west-1:111122223333:parameter/token";
    let container = |field: &str, value: serde_json::Value| {
        let mut variant = variant(100.0, 0.0);
        variant["container"] = serde_json::json!({ field: value });
        variant
    };
    for (variant, attribute, said) in [
        (
            serde_json::json!({ "image": image, "traffic": 100.0 }),
            "image",
            "give the variant a model and a model_version",
        ),
        (container("port", 80.into()), "port", "leave it out"),
        (
            container("command", serde_json::json!(["x"])),
            "command",
            "leave it out",
        ),
        (
            container("secrets", serde_json::json!({ "A": arn })),
            "secrets",
            "leave it out",
        ),
        (
            container("architecture", "ARM64".into()),
            "architecture",
            "leave it out",
        ),
    ] {
        let problems = messages(&validate(&endpoint(serde_json::json!({ "main": variant }))));
        let [(at, message)] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert_eq!(*at, format!("variants.main.{attribute}"));
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_source_that_cannot_be_asked_so_is_refused_by_its_attribute() {
    let problem = |analysis: serde_json::Value| {
        let mut spec = endpoint(serde_json::json!({ "a": variant(100.0, 0.0) }));
        let mut rollout = serde_json::json!({ "strategy": "BLUE_GREEN", "steps": [{ "traffic": 100, "bake": "5s" }] });
        rollout["analysis"] = serde_json::json!({ "errors": analysis });
        spec.rollout = serde_json::from_value(rollout).unwrap();
        messages(&validate(&spec))
    };
    let ask = |source: &str, query: &str, address: &str, condition: &str| serde_json::json!({ "source": source, "query": query, "address": address, "condition": condition });
    let (prometheus, json) = ("http://prometheus:9090", "http://rates/x?r={{revision}}");
    assert_eq!(
        problem(ask("prometheus", "up", prometheus, "result < 1")),
        []
    );
    assert_eq!(problem(ask("http", "/a/0", json, "result < baseline")), []);
    assert_eq!(problem(ask("http", "", json, "result < 1")), []);
    for (analysis, attribute, what) in [
        (
            ask("prometheus", " ", prometheus, "result < 1"),
            "query",
            "PromQL",
        ),
        (
            ask("prometheus", "up", json, "result < 1"),
            "address",
            "/api/v1/query",
        ),
        (
            ask("http", "error_rate", json, "result < 1"),
            "query",
            "JSON Pointer",
        ),
        (
            ask("prometheus", "up", prometheus, "result < baseline"),
            "condition",
            "put {{revision}} into the query",
        ),
    ] {
        let [(at, message)] = &problem(analysis)[..] else {
            panic!("{attribute}: one problem");
        };
        assert_eq!(at, &format!("rollout.analysis.errors.{attribute}"));
        assert!(message.contains(what), "{message}");
    }
    let mut secret = ask("http", "/a", json, "result < 1");
    secret["bearer_token_env"] = "ey-s3cret".into();
    let problems = problem(secret);
    assert_eq!(problems[0].0, "rollout.analysis.errors.bearer_token_env");
    assert!(!problems[0].1.contains("s3cret"), "{problems:?}");
}
