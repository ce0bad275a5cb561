//! Leases of slots in the records, without a load balancer.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::endpoint::deployment::DeploymentRef;
use mlops_core::endpoint::spec::{IngressSpec, PortRange, SlotChoice};
use mlops_core::memory::MemoryRecords;
use mlops_core::target::slots::Release;
use mlops_core::{Class, Result};

use super::super::Owner;
use super::super::slots::{Wanted, acquire, release};
use super::world::{deployment, owner};

fn ingress(first: u16, last: u16) -> IngressSpec {
    IngressSpec::Listener {
        load_balancer_arn: "alb".to_owned(),
        port: SlotChoice::Leased(PortRange { first, last }),
    }
}

async fn lease(
    records: &MemoryRecords,
    owner: &Owner,
    ingress: &IngressSpec,
    preferred: Option<u16>,
    replaces: Option<&DeploymentRef>,
) -> Result<u16> {
    let wanted = Wanted::new(ingress, preferred, replaces);
    acquire(records, owner, &wanted, &BTreeSet::new(), &BTreeMap::new()).await
}

#[tokio::test]
async fn the_preferred_slot_comes_first_if_it_is_free_and_in_the_range() {
    let records = MemoryRecords::default();
    let wide = ingress(100, 110);
    let leased = lease(&records, &owner("a"), &wide, Some(105), None).await;
    assert_eq!(leased.expect("free"), 105);
    let leased = lease(&records, &owner("b"), &wide, Some(105), None).await;
    assert_eq!(leased.expect("another"), 100);
    let leased = lease(&records, &owner("c"), &wide, Some(200), None).await;
    assert_eq!(leased.expect("another"), 101);
}

#[tokio::test]
async fn load_balancers_have_slots_of_their_own() {
    let records = MemoryRecords::default();
    let one = ingress(100, 100);
    let mut two = one.clone();
    if let IngressSpec::Listener {
        load_balancer_arn, ..
    } = &mut two
    {
        *load_balancer_arn = "another".to_owned();
    }
    for ingress in [&one, &two] {
        let leased = lease(&records, &owner("a"), ingress, None, None).await;
        assert_eq!(leased.expect("free"), 100);
    }
}

#[tokio::test]
async fn a_lease_whose_answer_is_lost_is_the_same_the_next_time() {
    let records = MemoryRecords::default();
    let (owner, wide) = (owner("a"), ingress(100, 110));
    records.lose_answers(1);
    let lost = lease(&records, &owner, &wide, None, None).await;
    assert_eq!(lost.expect_err("lost").class(), Class::Unavailable);
    let again = lease(&records, &owner, &wide, None, None).await;
    assert_eq!(again.expect("its own"), 100);
    assert_eq!(records.dump().len(), 1);
}

#[tokio::test]
async fn the_lease_of_a_front_that_is_gone_is_taken_over_and_given_back_if_that_is_undone() {
    let records = MemoryRecords::default();
    let only = ingress(100, 100);
    let first = owner("a");
    let mut second = first.clone();
    second.deployment = deployment(2);
    let parent = only.parent_arn();
    let leased = lease(&records, &first, &only, None, None).await;
    assert_eq!(leased.expect("free"), 100);

    // While it is not known to be gone, its lease is in the way.
    let refused = lease(&records, &second, &only, None, None).await;
    assert_eq!(
        refused.expect_err("held").attribute(),
        Some("ingress.port_range")
    );
    // Another endpoint's lease is never taken over, whatever the deployment is called.
    let refused = lease(&records, &owner("b"), &only, None, Some(&first.deployment)).await;
    assert!(refused.expect_err("held").is_conflict());

    let over = lease(&records, &second, &only, None, Some(&first.deployment)).await;
    assert_eq!(over.expect("taken over"), 100);
    for _ in 0..2 {
        let back = release(&records, &second, parent, None, Release::Restore).await;
        back.expect("given back");
    }
    let own = lease(&records, &first, &only, None, None).await;
    assert_eq!(own.expect("its own again"), 100);

    let over = lease(&records, &second, &only, None, Some(&first.deployment)).await;
    assert_eq!(over.expect("taken over"), 100);
    // The old front's end does not take the new one's lease.
    let gone = release(&records, &first, parent, None, Release::Free).await;
    gone.expect("nothing of its own");
    assert_eq!(records.dump().len(), 1);
    let gone = release(&records, &second, parent, None, Release::Free).await;
    gone.expect("ended");
    assert!(records.dump().is_empty());
}

#[tokio::test]
async fn all_leases_but_the_one_that_is_kept_end() {
    let records = MemoryRecords::default();
    let (owner, wide) = (owner("a"), ingress(100, 110));
    let mut foreign = BTreeSet::new();
    for expected in 100..103 {
        let wanted = Wanted::new(&wide, None, None);
        let leased = acquire(&records, &owner, &wanted, &foreign, &BTreeMap::new()).await;
        assert_eq!(leased.expect("the next"), expected);
        foreign.insert(expected);
    }
    let released = release(
        &records,
        &owner,
        wide.parent_arn(),
        Some(102),
        Release::Free,
    )
    .await;
    released.expect("ended");
    let left: Vec<_> = records
        .dump()
        .into_iter()
        .map(|item| item.key.sort)
        .collect();
    assert_eq!(left, ["00102"]);
}
