//! Every call of a front's life fails once in every way: its end is the same.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_core::saga::Progress;
use mlops_core::{Class, Result};

use super::super::{Balancers, Opened, Owner, Release};
use super::world::{PATIENCE, RANGE, World, clients, owner, revision};
use crate::Patience;
use crate::support::part;
use crate::support::proxy::{Fault, Proxy};

const FAULTS: [Fault; 3] = [
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Refused("Throttling"),
];

/// A front's whole life: opened, divided among two revisions, taken away.
async fn life(world: &World, balancers: &Balancers, owner: &Owner, rule: bool) -> Result<()> {
    let ingress = match rule {
        true => world.a_rule(),
        false => world.a_listener(),
    };
    let none = Default::default();
    let slot = balancers.lease(owner, &ingress, None, None, &none).await?;
    let Opened::Front(front) = balancers.open(owner, &ingress, slot).await? else {
        panic!("nobody else is here");
    };
    let (old, new) = (revision(owner, 1), revision(owner, 2));
    let one = balancers.ensure_group(owner, &front, &old).await?;
    let two = balancers.ensure_group(owner, &front, &new).await?;
    let shares = BTreeMap::from([(old.name.clone(), 3), (new.name.clone(), 1)]);
    balancers
        .set_weights(&front, owner.endpoint, &shares)
        .await?;

    // What is there is what was asked for, once.
    let attached = balancers.look(&front, owner.endpoint).await?;
    let attached = attached.expect("it is there");
    let weights: Vec<_> = attached.iter().map(|a| (&a.group_arn, a.weight)).collect();
    assert_eq!(weights, [(&one, 75), (&two, 25)]);
    assert_eq!(world.slots(&ingress).await.len(), 1);
    assert_eq!(world.groups_of(owner).await.len(), 2);

    for revision in [&old.name, &new.name] {
        balancers.detach(&front, owner.endpoint, revision).await?;
        let deleted = balancers.delete_group(owner, revision).await?;
        assert_eq!(deleted, Progress::Done(()));
    }
    balancers.close(&front, owner.endpoint).await?;
    balancers
        .release(owner, &front.parent, None, Release::Free)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_whose_calls_fail_once_in_every_way_is_made_once_and_taken_away_whole() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let proxy = Proxy::before(&part.url).await;
    let balancers = world.balancers_by(&proxy.url);
    for rule in [false, true] {
        let owner = owner("fraud");
        proxy.reset();
        let lived = life(&world, &balancers, &owner, rule).await;
        lived.expect("nothing fails");
        let calls = proxy.calls();
        assert!(calls.len() > 15, "{calls:?}");
        for fault in FAULTS {
            // Reads fail alike: each kind of them fails once. Target groups are the same behind both kinds of front.
            for (number, call) in calls.iter().enumerate() {
                let is_first = calls.iter().position(|c| c == call) == Some(number);
                let is_read = call.starts_with("Describe");
                let is_known = rule && call.contains("TargetGroup");
                if is_known || (is_read && !(is_first && fault == Fault::ResetBefore)) {
                    continue;
                }
                proxy.reset();
                proxy.fail(number, fault);
                let lived = life(&world, &balancers, &owner, rule).await;
                lived.unwrap_or_else(|error| panic!("{fault:?} at {call} ({number}): {error}"));
                let ingress = [world.a_listener(), world.a_rule()];
                for ingress in &ingress {
                    assert_eq!(world.slots(ingress).await.len(), 0, "{fault:?} at {call}");
                }
                assert_eq!(
                    world.groups_of(&owner).await.len(),
                    0,
                    "{fault:?} at {call}"
                );
                assert_eq!(world.leases(), 0, "{fault:?} at {call}");
            }
        }
    }
}

#[tokio::test]
async fn a_service_that_throttles_on_is_an_error_that_may_go_away() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let proxy = Proxy::before(&part.url).await;
    let patience = Patience {
        total: Duration::from_millis(300),
        ..PATIENCE
    };
    let balancers = world.balancers_with(clients(&proxy.url, patience));
    proxy.fail_always(Fault::Refused("Throttling"));
    let (owner, ingress) = (owner("fraud"), world.a_listener());
    let opened = balancers.open(&owner, &ingress, RANGE.first).await;
    let error = opened.expect_err("throttled");
    assert_eq!(error.class(), Class::Throttled, "{error}");
    assert!(proxy.calls().len() > 1, "it was tried again");
}
