//! What is asked of AWS to tell what scales a service.

use std::collections::BTreeSet;

use super::endpoint::{Doing, Endpoint};

/// Each refresh asks, of each service: a load balancer has been asked about all of them already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_balancer_is_asked_only_where_a_policy_counts_requests() {
    let Some(world) = Endpoint::on_paper().await else {
        return;
    };
    for counted in [false, true] {
        let mut spec = world.spec(1);
        let wanted = spec.autoscaling.as_mut().expect("scaled");
        if !counted {
            wanted.policies.remove("requests");
        }
        let wanted = wanted.clone();
        world.applied(spec).await.expect("applied");
        let record = world.record().await.expect("recorded");
        let revision = &record.running.values().next().expect("one").name;
        let process = world.process();
        world.proxy.reset();
        let seen = process.target.autoscaling(&record.server, revision).await;
        assert_eq!(seen.expect("seen"), Some(wanted));
        let calls = world.proxy.actions();
        let is_balancers = |call: &String| call.starts_with("elasticloadbalancing:");
        assert_eq!(calls.iter().any(is_balancers), counted, "{calls:?}");
    }
    world.done(Doing::Delete).await.expect("deleted");
    assert_eq!(world.left().await, BTreeSet::new());
}
