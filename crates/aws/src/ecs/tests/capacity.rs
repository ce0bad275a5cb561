//! What an old revision had scaled out to, its successor has too, before each share of its traffic.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_applicationautoscaling::types::ServiceNamespace;
use mlops_core::endpoint::Period;
use mlops_core::serving::WHOLE;
use mlops_core::target::{RevisionName, Server, Target as _};

use super::super::handle::Handle;
use super::super::names;
use super::endpoint::{Doing, Endpoint};

/// Tasks that all requests together need.
const DEMAND: u64 = 10;

/// What was seen of a rollout.
#[derive(Default)]
struct Sampled {
    looks: usize,
    /// The shares that revisions had, out of 100.
    shares: BTreeSet<u64>,
    /// Where there were fewer tasks than a share needs.
    starved: BTreeSet<String>,
}

/// Tasks that this share of all requests needs.
fn needed(share: u64) -> u64 {
    (DEMAND * share).div_ceil(u64::from(WHOLE) * u64::from(WHOLE))
}

/// An autoscaler that looks at the load and at nothing else, as often as it can: as many tasks as a service's share needs, within its bounds, and
/// none taken away while that is suspended. Whatever it meets between two looks is noted.
async fn follow_the_load(world: &Endpoint, server: &Server, over: &AtomicBool) -> Sampled {
    let target = world.target();
    let handle: Handle = server.handle().expect("ours");
    let mut sampled = Sampled::default();
    while !over.load(Ordering::Acquire) {
        // Shares are read first: tasks that come in between are no excuse, and those that go are none either.
        let seen = target.observe(server).await.expect("seen");
        sampled.looks += 1;
        for (name, revision) in &seen.revisions {
            let share = seen.routing.share_of(name);
            let (has, needs) = (u64::from(revision.instances), needed(share));
            sampled
                .shares
                .insert(share * 100 / (u64::from(WHOLE) * u64::from(WHOLE)));
            if has < needs {
                let starved = format!("{name} has {has} tasks and needs {needs}");
                sampled.starved.insert(starved);
            }
            scale(world, &handle, name, needs).await;
        }
    }
    sampled
}

async fn scale(world: &Endpoint, handle: &Handle, revision: &RevisionName, wanted: u64) {
    let service = names::service(&handle.owner, revision);
    let resource = format!("service/{}/{service}", names::cluster(&handle.cluster));
    let client = world.direct.scaling().await.expect("a client");
    let found = client
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_ids(&resource);
    let found = found.send().await.expect("told");
    let Some(found) = found.scalable_targets().first() else {
        return;
    };
    let ecs = world.direct.ecs().await.expect("a client");
    let told = ecs.describe_services().cluster(&handle.cluster);
    let told = told.services(&service).send().await.expect("told");
    let Some(now) = told.services().first().map(|one| one.desired_count()) else {
        return;
    };
    let wanted = i32::try_from(wanted).expect("few");
    let wanted = wanted.clamp(found.min_capacity(), found.max_capacity());
    let held = found
        .suspended_state()
        .and_then(|one| one.dynamic_scaling_in_suspended());
    if wanted > now || (wanted < now && held != Some(true)) {
        let change = ecs
            .update_service()
            .cluster(&handle.cluster)
            .service(&service);
        // It may be gone by now.
        drop(change.desired_count(wanted).send().await);
    }
}

/// PAINS: hashicorp/terraform-provider-aws#335, hashicorp/terraform#10308, terraform-aws-modules/terraform-aws-ecs#346. The figure of ten: nobody sets the count back, and no shift finds less than its share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_has_its_share_of_what_the_old_revision_had_scaled_out_to_at_every_shift() {
    let Some(world) = Endpoint::on_paper().await else {
        return;
    };
    world.done(Doing::Create).await.expect("created");
    let record = world.record().await.expect("recorded");
    let server = record.server.clone();
    let running = record.running.values().next().expect("one").name.clone();
    // The autoscaler of the old revision does its work.
    let handle: Handle = server.handle().expect("ours");
    scale(&world, &handle, &running, DEMAND).await;
    assert_eq!(tasks(&world, &server, &running).await, 10);
    // Nothing is to do, and nobody sets it back.
    world.done(Doing::Create).await.expect("nothing to do");
    assert_eq!(tasks(&world, &server, &running).await, 10);

    let mut spec = world.spec(2);
    for step in &mut spec.rollout.steps {
        step.bake = Period::millis(500);
    }
    spec.rollout.steps.insert(1, spec.rollout.steps[0]);
    spec.rollout.steps[1].traffic = mlops_core::endpoint::Percent::from(55);
    let over = AtomicBool::new(false);
    let update = async {
        let done = world.applied(spec).await;
        over.store(true, Ordering::Release);
        done
    };
    let (done, sampled) = tokio::join!(update, follow_the_load(&world, &server, &over));
    done.expect("updated");
    println!(
        "capacity under a rollout, 10 tasks before: {} looks, shares {:?}, {} below their share",
        sampled.looks,
        sampled.shares,
        sampled.starved.len()
    );
    assert_eq!(sampled.starved, BTreeSet::new());
    for share in [10, 55, 100] {
        assert!(sampled.shares.contains(&share), "{:?}", sampled.shares);
    }
    let record = world.record().await.expect("recorded");
    let running = &record.running.values().next().expect("one").name;
    assert_eq!(tasks(&world, &server, running).await, 10);
    assert!(
        world.is_as_after(Doing::Update).await,
        "{:?}",
        world.left().await
    );
    world.done(Doing::Delete).await.expect("deleted");
    assert_eq!(world.left().await, BTreeSet::new());
}

async fn tasks(world: &Endpoint, server: &Server, revision: &RevisionName) -> u32 {
    let seen = world.target().observe(server).await.expect("seen");
    seen.revisions.get(revision).map_or(0, |one| one.instances)
}
