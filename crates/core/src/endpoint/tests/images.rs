//! Variants that run images: how they roll out, and what the registry knows of them.

use super::*;
use crate::endpoint::spec::{EndpointSpec, Workload};
use crate::names::EndpointId;
use crate::target::Target as _;

/// An image of this digit only.
pub(super) fn image(digit: char) -> Workload {
    let digest = digit.to_string().repeat(64);
    Workload::image(format!("example.com/server@sha256:{digest}"))
}

/// `digits` on ECS, whose one variant runs `workload`; 10 % for 5 s, then all.
pub(super) fn on_ecs(workload: &Workload) -> EndpointSpec {
    let mut spec = spec(1, RolloutSpec::default()).unwrap();
    spec.variants.values_mut().next().unwrap().workload = workload.clone();
    spec.target = serde_json::from_value(serde_json::json!({ "ecs": {
        "cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
        "execution_role_arn": "arn:aws:iam::111122223333:role/execution",
        "task_role_arn": "arn:aws:iam::111122223333:role/task",
        "image": format!("example.com/mlops@sha256:{}", "0".repeat(64)),
        "network": { "subnets": ["subnet-1"] },
        "ingress": { "listener": {
            "load_balancer_arn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/main/50dc6c495c0c9188",
            "port": { "leased": "20000-20099" },
        } },
    } }))
    .unwrap();
    spec.rollout = RolloutSpec {
        analysis: Default::default(),
        ..canary()
    };
    spec
}

pub(super) fn version(number: u64) -> Workload {
    let model = crate::names::ModelName::new("digits").unwrap();
    Workload::version(model, number, format!("digest-{number}"))
}

#[tokio::test]
async fn a_variant_goes_from_a_version_to_images_and_back_and_only_versions_are_bound() {
    let bench = Bench::new().await.unwrap();
    bench.target.set_load(100.0);
    for (workload, bindings) in [
        (version(1), vec![1]),
        (image('a'), vec![]),
        (image('b'), vec![]),
        (version(2), vec![2]),
        (image('a'), vec![]),
    ] {
        let process = bench.process();
        let record = succeeded(process.apply(on_ecs(&workload)).await.unwrap());
        let running = record.running.values().next().unwrap();
        assert_eq!(running.workload, workload);
        assert_eq!(bound(&process.deps.registry).await, bindings);
        let versions: Vec<u64> = record.target_versions().into_values().collect();
        assert_eq!(versions, bindings, "an image has no version");
        let view = bench.target.view();
        let servers: Vec<_> = view.servers.values().collect();
        assert_eq!(servers.len(), 1);
        assert_eq!(servers[0].revisions.len(), 1, "the old one is gone");
        assert_eq!(
            servers[0].revisions[0].version,
            workload.number().unwrap_or(0)
        );
    }
    assert_eq!(bench.target.lost(), 0.0);
}

#[tokio::test]
async fn what_a_container_is_started_with_makes_a_revision_and_another_model_server_does_not() {
    let bench = Bench::new().await.unwrap();
    let process = bench.process();
    let mut spec = on_ecs(&image('a'));
    let first = succeeded(process.apply(spec.clone()).await.unwrap());
    let name = |record: &EndpointRecord| record.running.values().next().unwrap().name.clone();
    assert!(name(&first).as_str().starts_with("main-aaaaaaaa-"));

    let crate::endpoint::spec::TargetSpec::Ecs(ecs) = &mut spec.target else {
        unreachable!("it is on ECS");
    };
    ecs.image = format!("example.com/mlops@sha256:{}", "1".repeat(64));
    let same = succeeded(process.apply(spec.clone()).await.unwrap());
    assert_eq!(name(&same), name(&first));

    let mut last = name(&same);
    type Change = fn(&mut crate::endpoint::spec::Container);
    let changes: [Change; 4] = [
        |container| container.port = 9000,
        |container| container.command = vec!["serve".to_owned()],
        |container| {
            let arn = "arn:aws:ssm:eu-west-1:111122223333:parameter/token";
            (container.secrets).insert("TOKEN".to_owned(), arn.to_owned());
        },
        |container| container.architecture = Some(crate::endpoint::spec::Architecture::Arm64),
    ];
    for change in changes {
        change(&mut spec.variants.values_mut().next().unwrap().container);
        let next = name(&succeeded(process.apply(spec.clone()).await.unwrap()));
        assert_ne!(next, last);
        last = next;
    }
}

#[tokio::test]
async fn an_image_that_fails_is_rolled_back_and_the_next_plan_knows_which_it_was() {
    let bench = Bench::new().await.unwrap();
    let process = bench.process();
    let first = succeeded(process.apply(on_ecs(&version(1))).await.unwrap());
    // No version has number 0: so all images are called here.
    let broken = Behaviour {
        loads: false,
        ..Behaviour::default()
    };
    bench.target.set_behaviour(0, broken);
    let outcome = process.apply(on_ecs(&image('a'))).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    assert_eq!(bound(&process.deps.registry).await, [1]);
    let id: EndpointId = "ecs/prod/digits".parse().unwrap();
    let registry = &process.deps.registry;
    assert_eq!(record(registry, &id).await.unwrap(), Some(first));
    let id = id.to_string();
    let closed = crate::endpoint::closed_deployments(registry, &id).await;
    // Both may have ended in one tick of this clock.
    let failed = closed
        .unwrap()
        .into_iter()
        .find(|closed| closed.stop.is_some());
    let failed = failed.unwrap();
    assert!(failed.versions.is_empty());
    assert_eq!(failed.images, on_ecs(&image('a')).images());
}

#[tokio::test]
async fn a_variant_that_does_not_serve_any_more_is_started_again_although_its_server_is_unwell() {
    let bench = Bench::new().await.unwrap();
    bench.target.probe_revisions();
    let process = bench.process();
    let first = succeeded(process.apply(on_ecs(&image('a'))).await.unwrap());
    let running = first.running.values().next().unwrap();
    bench
        .target
        .remove(&first.server, &running.name)
        .await
        .unwrap();
    bench.target.set_probes([503; 9]);
    let again = succeeded(process.apply(on_ecs(&image('a'))).await.unwrap());
    assert_ne!(again.running.values().next().unwrap().name, running.name);

    // Where everything serves, an unwell server gets nothing new.
    let outcome = process.apply(on_ecs(&image('b'))).await.unwrap();
    assert!(outcome.to_string().contains("is not healthy"), "{outcome}");
}
