//! What every target must do, as functions that panic when it does not.

use std::time::Duration;

use crate::clock::Clock;
use crate::error::Result;
use crate::saga::{BoxNode, Moved, Progress};
use crate::serving::WHOLE;
use crate::target::{ProvisionRequest, Revision, Routing, Server, Target, VariantRouting};

/// How long a target has for each thing that is asked of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until it is done, then once more: a done call can be repeated.
macro_rules! until_done {
    ($clock:expr, $call:expr) => {{
        let started = $clock.elapsed();
        loop {
            match $call.await.expect(stringify!($call)) {
                Progress::Done(()) => break,
                Progress::Pending { poll_after, .. } => {
                    assert!(
                        $clock.elapsed() - started < PATIENCE,
                        "{} takes too long",
                        stringify!($call)
                    );
                    $clock.sleep(poll_after).await;
                }
            }
        }
        let again = $call.await.expect("a repeated call succeeds");
        assert!(
            matches!(again, Progress::Done(())),
            "{} is not done when repeated",
            stringify!($call)
        );
    }};
}

/// Brings a server up with every call made twice and the first answer lost, and takes it back
/// before the last step is journaled as done.
pub async fn provision_can_be_repeated_and_taken_back(
    target: &dyn Target,
    clock: &dyn Clock,
    request: ProvisionRequest,
) {
    let (server, nodes, mut state) = provision(target, clock, &request).await;
    assert!(target.observe(&server).await.expect("observe").alive);
    for node in nodes.iter().rev() {
        for _ in 0..2 {
            let started = clock.elapsed();
            while let Moved::Pending { poll_after, .. } = node.undo(&mut state).await.expect("undo")
            {
                assert!(
                    clock.elapsed() - started < PATIENCE,
                    "the undo of {} takes too long",
                    node.name()
                );
                clock.sleep(poll_after).await;
            }
        }
    }
    let seen = target.observe(&server).await.expect("observe");
    assert!(!seen.alive && seen.revisions.is_empty(), "{seen:?}");
}

/// Two revisions of one variant are loaded, shifted, taken away; then the server is.
pub async fn a_server_serves_shifts_and_leaves_nothing(
    target: &dyn Target,
    clock: &dyn Clock,
    request: ProvisionRequest,
    old: Revision,
    new: Revision,
) {
    let (server, _, _) = provision(target, clock, &request).await;
    assert!(target.satisfies(&server, &request.spec));
    let probe = |path: &'static str| target.probe(&server, path, Duration::from_secs(2));
    let good = probe("/v2/health/live").await.expect("probe");
    assert!(good.healthy, "{good:?}");
    let bad = probe("/no/such/path")
        .await
        .expect("a bad probe is no error");
    assert!(!bad.healthy && bad.answer.contains("404"), "{bad:?}");
    until_done!(clock, target.ensure_revision(&server, &old));
    let before = split(&[(&old, WHOLE)]);
    set_twice(target, &server, &before).await.expect("weights");
    let seen = target.observe(&server).await.expect("observe");
    assert!(
        seen.serves(&old.name) && !seen.serves(&new.name),
        "{seen:?}"
    );
    assert_eq!(seen.routing, before);

    until_done!(clock, target.ensure_revision(&server, &new));
    assert_eq!(
        target.observe(&server).await.expect("observe").routing,
        before,
        "loading moves no weight"
    );
    until_done!(clock, target.scale(&server, &new.name, 1));
    let half = split(&[(&old, WHOLE / 2), (&new, WHOLE / 2)]);
    set_twice(target, &server, &half).await.expect("weights");
    let seen = target.observe(&server).await.expect("observe");
    assert!(seen.serves(&old.name) && seen.serves(&new.name), "{seen:?}");
    assert_eq!(seen.routing, half);

    set_twice(target, &server, &before).await.expect("weights");
    until_done!(clock, target.drain(&server, &new.name, 1));
    until_done!(clock, target.remove(&server, &new.name));
    let seen = target.observe(&server).await.expect("observe");
    assert!(
        seen.serves(&old.name) && !seen.revisions.contains_key(&new.name),
        "{seen:?}"
    );

    until_done!(clock, target.teardown(&server, 1));
    assert!(!target.observe(&server).await.expect("observe").alive);
    let gone = target
        .set_weights(&server, &before)
        .await
        .expect_err("a server that is gone takes no weights");
    assert!(gone.is_not_found(), "{gone}");
    let gone = target
        .ensure_revision(&server, &new)
        .await
        .expect_err("nor a revision");
    assert!(gone.is_not_found(), "{gone}");
    let gone = probe("/v2/health/live").await.expect_err("nor a probe");
    assert!(gone.is_not_found(), "{gone}");
    until_done!(clock, target.drain(&server, &old.name, 1));
    until_done!(clock, target.remove(&server, &old.name));
}

async fn provision(
    target: &dyn Target,
    clock: &dyn Clock,
    request: &ProvisionRequest,
) -> (Server, Vec<BoxNode<serde_json::Value>>, serde_json::Value) {
    let steps = target.steps(request).expect("steps");
    let (mut state, reader) = (steps.initial(), steps.server_reader());
    let nodes = steps.into_nodes();
    for node in &nodes {
        node.begin(&mut state, clock.now()).expect("begin");
        let started = clock.elapsed();
        loop {
            drop(node.forward(&mut state.clone()).await);
            match node.forward(&mut state).await.expect("forward") {
                Moved::Done => break,
                Moved::Pending { poll_after, .. } => {
                    assert!(
                        clock.elapsed() - started < PATIENCE,
                        "{} takes too long",
                        node.name()
                    );
                    clock.sleep(poll_after).await;
                }
            }
        }
    }
    let server = reader(&state)
        .expect("state")
        .expect("the steps led to a server");
    (server, nodes, state)
}

fn split(shares: &[(&Revision, u32)]) -> Routing {
    let variant = shares[0].0.variant.clone();
    let weights = shares
        .iter()
        .map(|(revision, share)| (revision.name.clone(), *share))
        .collect();
    Routing {
        variants: [(
            variant,
            VariantRouting {
                traffic: WHOLE,
                shadow: 0,
                weights,
            },
        )]
        .into(),
    }
}

async fn set_twice(target: &dyn Target, server: &Server, routing: &Routing) -> Result<()> {
    target.set_weights(server, routing).await?;
    target.set_weights(server, routing).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::conformance::saga::spec;
    use crate::conformance::target::MemoryTarget;
    use crate::endpoint::spec::{RolloutSpec, Workload};
    use crate::endpoint::{DeploymentId, DeploymentRef};
    use crate::memory::ManualClock;
    use crate::target::RevisionName;

    fn request() -> ProvisionRequest {
        let spec = spec(1, RolloutSpec::default()).unwrap();
        let id = DeploymentId::new("local/digits", Some(&spec), 0).unwrap();
        ProvisionRequest {
            endpoint: uuid::Uuid::from_u128(1),
            deployment: DeploymentRef { id, attempt: 1 },
            spec,
            previous: None,
            takes_over: None,
        }
    }

    fn revision(version: u64) -> Revision {
        let request = request();
        let (variant, asked) = request.spec.variants.iter().next().unwrap();
        Revision {
            name: RevisionName::new(variant, version, &request.deployment),
            variant: variant.clone(),
            workload: Workload::version(
                asked.workload.bound().unwrap().model.clone(),
                version,
                format!("digest-{version}"),
            ),
            environment: asked.environment.clone(),
            compute: asked.compute,
            container: asked.container.clone(),
            placement: None,
            smoke: None,
            instances: 1,
            startup_timeout: asked.startup_timeout,
        }
    }

    #[tokio::test]
    async fn the_world_in_memory_conforms() {
        let clock = Arc::new(ManualClock::default());
        let target = MemoryTarget::new(clock.clone());
        provision_can_be_repeated_and_taken_back(&target, clock.as_ref(), request()).await;
        assert_eq!(target.view(), super::super::WorldView::default());
        let (old, new) = (revision(1), revision(2));
        a_server_serves_shifts_and_leaves_nothing(&target, clock.as_ref(), request(), old, new)
            .await;
        assert_eq!(target.view(), super::super::WorldView::default());
    }
}
