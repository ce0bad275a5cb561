//! Many endpoints on one load balancer, beside what others made there.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use futures::stream::{StreamExt as _, iter};
use mlops_core::endpoint::spec::IngressSpec;

use super::super::{Front, Opened, Owner};
use super::world::{RANGE, World, owner};
use crate::support::part;

const FOREIGN: [u16; 5] = [20_000, 20_003, 20_004, 20_011, 20_030];
const ENDPOINTS: usize = 40;
const PROCESSES: usize = 8;

/// What each owner got, when so many processes bring fronts up at once.
async fn crowd(world: &World, ingress: &IngressSpec, owners: &[Owner]) -> Vec<(Owner, Front)> {
    let each = owners.chunks(owners.len().div_ceil(PROCESSES));
    let processes = each.map(|some| async move {
        // Clients of its own, as another process has; five endpoints at once in each.
        let balancers = world.balancers();
        let fronts = iter(some).map(|owner| {
            let balancers = &balancers;
            async move {
                (
                    owner.clone(),
                    world.bring_up(balancers, owner, ingress).await,
                )
            }
        });
        fronts.buffer_unordered(5).collect::<Vec<_>>().await
    });
    join_all(processes).await.into_iter().flatten().collect()
}

/// The first `count` slots of the range that others have not.
fn first(count: usize) -> BTreeSet<u16> {
    let free = (RANGE.first..=RANGE.last).filter(|slot| !FOREIGN.contains(slot));
    free.take(count).collect()
}

fn slots(fronts: &[(Owner, Front)]) -> BTreeSet<u16> {
    fronts.iter().map(|(_, front)| front.slot).collect()
}

async fn take_away(world: &World, gone: &[(Owner, Front)]) {
    join_all(
        gone.iter()
            .map(|(owner, front)| world.take_away(owner, front)),
    )
    .await;
}

async fn a_crowd_shares(ingress_of: fn(&World) -> IngressSpec) {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let ingress = ingress_of(&world);
    let mut theirs = BTreeMap::new();
    for slot in FOREIGN {
        theirs.insert(slot, world.foreign(&ingress, slot).await);
    }

    let owners: Vec<Owner> = (0..ENDPOINTS).map(|_| owner("fraud")).collect();
    let mut fronts = crowd(&world, &ingress, &owners).await;
    assert_eq!(slots(&fronts), first(ENDPOINTS), "one each, none of theirs");
    let arns: BTreeSet<&String> = fronts.iter().map(|(_, front)| &front.arn).collect();
    assert_eq!(arns.len(), ENDPOINTS);
    assert_eq!(world.slots(&ingress).await.len(), ENDPOINTS + FOREIGN.len());
    assert_eq!(world.leases(), ENDPOINTS);

    // Every other one goes; as many new ones take the gaps.
    let kept: Vec<_> = fronts.iter().step_by(2).cloned().collect();
    let gone: Vec<_> = fronts.iter().skip(1).step_by(2).cloned().collect();
    take_away(&world, &gone).await;
    let owners: Vec<Owner> = gone.iter().map(|_| owner("churn")).collect();
    let new = crowd(&world, &ingress, &owners).await;
    assert_eq!(slots(&new), slots(&gone), "gaps are used again");
    fronts = kept.into_iter().chain(new).collect();
    assert_eq!(slots(&fronts), first(ENDPOINTS));

    take_away(&world, &fronts).await;
    assert_eq!(world.leases(), 0);
    let left: BTreeSet<u16> = world.slots(&ingress).await.into_keys().collect();
    assert_eq!(left, theirs.into_keys().collect(), "only theirs are left");
}

/// PAINS: the last port plus one, without a lock and of the first page.
#[tokio::test(flavor = "multi_thread")]
async fn forty_endpoints_of_eight_processes_share_the_ports_of_a_load_balancer() {
    a_crowd_shares(World::a_listener).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_endpoints_of_eight_processes_share_the_priorities_of_a_listener() {
    a_crowd_shares(World::a_rule).await;
}

/// PAINS: hashicorp/terraform#24239, aws/copilot-cli#4532.
#[tokio::test]
async fn a_slot_that_somebody_takes_after_the_lease_is_theirs_and_the_next_one_is_leased() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    for ingress in [world.a_listener(), world.a_rule()] {
        let owner = owner("fraud");
        let none = BTreeSet::new();
        let leased = balancers.lease(&owner, &ingress, None, None, &none).await;
        assert_eq!(leased.expect("a slot"), RANGE.first);
        let theirs = world.foreign(&ingress, RANGE.first).await;
        let opened = balancers.open(&owner, &ingress, RANGE.first).await;
        assert_eq!(opened.expect("an answer"), Opened::Foreign);

        let front = world.bring_up(&balancers, &owner, &ingress).await;
        assert_eq!(front.slot, RANGE.first + 1);
        let held = world.slots(&ingress).await;
        assert!(held[&RANGE.first].ends_with(&theirs), "{held:?}");
        take_away(&world, &[(owner, front)]).await;
        assert_eq!(world.leases(), 0);
    }
}
