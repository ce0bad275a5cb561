//! What cannot be had is said so, with the attribute at fault.

use std::collections::BTreeSet;

use mlops_core::Class;
use mlops_core::endpoint::spec::{IngressSpec, PortRange, SlotChoice};

use super::super::{Balancers, Opened};
use super::world::{RANGE, World, owner};
use crate::support::part;
use crate::support::proxy::{Fault, Proxy};

async fn refusal(balancers: &Balancers, ingress: &IngressSpec) -> mlops_core::Error {
    let (owner, none) = (owner("fraud"), BTreeSet::new());
    let leased = balancers.lease(&owner, ingress, None, None, &none);
    let slot = match leased.await {
        Ok(slot) => slot,
        Err(error) => return error,
    };
    refusal_of(balancers, ingress, slot).await
}

async fn refusal_of(balancers: &Balancers, ingress: &IngressSpec, slot: u16) -> mlops_core::Error {
    let opened = balancers.open(&owner("fraud"), ingress, slot).await;
    opened.expect_err("nothing to open it on")
}

#[tokio::test]
async fn what_an_ingress_names_and_is_not_there_is_blamed_on_its_attribute() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    for (ingress, attribute) in [
        (
            IngressSpec::Listener {
                load_balancer_arn: format!("{}0", world.load_balancer),
                port: SlotChoice::Leased(RANGE),
            },
            "ingress.load_balancer_arn",
        ),
        (
            IngressSpec::Rule {
                listener_arn: format!("{}0", world.listener),
                priority: SlotChoice::Fixed(7),
                host_headers: Vec::new(),
                path_patterns: vec!["/fraud".to_owned()],
            },
            "ingress.listener_arn",
        ),
    ] {
        let error = refusal(&balancers, &ingress).await;
        assert_eq!(error.attribute(), Some(attribute), "{error}");
        assert_eq!(error.class(), Class::Invalid, "{error}");
        let arn = ingress.parent_arn();
        let said = error.to_string();
        assert!(
            said.contains(arn) && said.contains("does not exist in this region"),
            "{said}"
        );
        // A lease that was made for it would be in the way of nobody, and there is none.
        assert_eq!(world.leases(), 0);
    }
}

#[tokio::test]
async fn what_is_denied_is_named_with_the_action_to_permit() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let proxy = Proxy::before(&part.url).await;
    let balancers = world.balancers_by(&proxy.url);
    proxy.fail_always(Fault::Refused("AccessDenied"));
    for (ingress, attribute, action) in [
        (
            world.a_listener(),
            "ingress.load_balancer_arn",
            "elasticloadbalancing:DescribeListeners",
        ),
        (
            world.a_rule(),
            "ingress.listener_arn",
            "elasticloadbalancing:DescribeRules",
        ),
    ] {
        let error = refusal(&balancers, &ingress).await;
        assert_eq!(error.class(), Class::Denied, "{error}");
        assert_eq!(error.attribute(), Some(attribute), "{error}");
        assert!(error.to_string().contains(action), "{error}");
    }
}

#[tokio::test]
async fn a_range_that_is_used_up_names_who_has_it() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    let range = |width: u16| {
        SlotChoice::Leased(PortRange {
            first: RANGE.first,
            last: RANGE.first + width - 1,
        })
    };
    let wanted = |choice: SlotChoice| {
        let listener = IngressSpec::Listener {
            load_balancer_arn: world.load_balancer.clone(),
            port: choice,
        };
        let mut rule = world.a_rule();
        if let IngressSpec::Rule { priority, .. } = &mut rule {
            *priority = choice;
        }
        [listener, rule]
    };
    let words = ["port", "priority"];
    for (ingress, word) in wanted(range(2)).iter().zip(words) {
        let theirs = world.foreign(ingress, RANGE.first).await;
        world.bring_up(&balancers, &owner("digits"), ingress).await;
        let error = refusal(&balancers, ingress).await;
        let said = error.to_string();
        assert_eq!(error.class(), Class::Conflict, "{said}");
        assert_eq!(error.attribute(), Some(&*format!("ingress.{word}_range")));
        assert!(
            said.contains(&format!("every {word} of 20000-20001")),
            "{said}"
        );
        assert!(
            said.contains(&theirs) && said.contains("20001 by endpoint \"digits\""),
            "{said}"
        );
    }
    for (ingress, word) in wanted(SlotChoice::Fixed(RANGE.first)).iter().zip(words) {
        let error = refusal(&balancers, ingress).await;
        let said = error.to_string();
        assert_eq!(error.attribute(), Some(&*format!("ingress.{word}")));
        assert!(
            said.contains(&format!("choose another ingress.{word}")),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_quota_is_named_and_hides_nothing_that_was_made_before() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let proxy = Proxy::before(&part.url).await;
    let balancers = world.balancers_by(&proxy.url);
    let ingresses = [world.a_listener(), world.a_rule()];
    let creates = [
        ("CreateListener", "TooManyListeners"),
        ("CreateRule", "TooManyRules"),
    ];
    for (ingress, (create, code)) in ingresses.iter().zip(creates) {
        let first = owner("fraud");
        let front = world.bring_up(&balancers, &first, ingress).await;
        proxy.reset();
        let opened = balancers.open(&first, ingress, front.slot).await;
        assert_eq!(opened.expect("found"), Opened::Front(front.clone()));
        let number = proxy.calls().iter().position(|call| call == create);
        let number = number.expect("it asks to make it");

        proxy.reset();
        proxy.fail(number, Fault::Refused(code));
        let opened = balancers.open(&first, ingress, front.slot).await;
        assert_eq!(opened.expect("found"), Opened::Front(front));

        proxy.reset();
        proxy.fail(number, Fault::Refused(code));
        let error = refusal_of(&balancers, ingress, RANGE.last).await;
        assert_eq!(error.class(), Class::Invalid, "{error}");
        assert!(error.to_string().contains("quota"), "{error}");
        let parent = ingress.parent_arn();
        assert!(error.to_string().contains(parent), "{error}");
    }
}
