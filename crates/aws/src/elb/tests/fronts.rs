//! One endpoint's front and its target groups, from the first call to the last.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::Class;
use mlops_core::endpoint::spec::IngressSpec;
use mlops_core::saga::Progress;
use mlops_core::target::RevisionName;

use super::super::{Attached, Front, FrontKind, Opened, names, tags};
use super::world::{RANGE, World, deployment, owner, revision};
use crate::support::part;

fn ingresses(world: &World) -> [IngressSpec; 2] {
    [world.a_listener(), world.a_rule()]
}

async fn weights(world: &World, front: &Front, owner: &super::super::Owner) -> Vec<u32> {
    let attached = world.balancers().look(front, owner.endpoint).await;
    let attached = attached.expect("told").expect("there");
    attached.into_iter().map(|group| group.weight).collect()
}

#[tokio::test]
async fn each_call_repeated_finds_what_the_first_made() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    for ingress in ingresses(&world) {
        let owner = owner("fraud");
        let revision = revision(&owner, 1);
        let (mut fronts, mut groups) = (Vec::new(), BTreeSet::new());
        for _ in 0..3 {
            // Another process each time.
            let balancers = world.balancers();
            fronts.push(world.bring_up(&balancers, &owner, &ingress).await);
            let front = fronts.last().expect("pushed");
            let group = balancers.ensure_group(&owner, front, &revision).await;
            groups.insert(group.expect("a group"));
        }
        assert!(fronts.windows(2).all(|two| two[0] == two[1]), "{fronts:?}");
        assert_eq!(world.leases(), 1);
        assert_eq!(world.slots(&ingress).await.len(), 1);
        assert_eq!(world.groups_of(&owner).await.len(), 1);
        let found = world.balancers().group(&owner, &revision.name).await;
        assert_eq!(found.expect("told"), groups.pop_first());
        world.take_away(&owner, &fronts[0]).await;
    }
}

#[tokio::test]
async fn a_front_says_where_it_is_and_carries_whose_it_is() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    let owner = owner("fraud");
    let front = world
        .bring_up(&balancers, &owner, &world.a_listener())
        .await;
    assert_eq!(front.kind, FrontKind::Listener);
    assert_eq!(front.parent, world.load_balancer);
    assert_eq!(front.vpc_id, world.vpc);
    assert!(
        front.url.starts_with("http://alb-") && front.url.ends_with(":20000"),
        "{front:?}"
    );

    let owner = super::world::owner("fraud");
    let front = world.bring_up(&balancers, &owner, &world.a_rule()).await;
    assert_eq!(front.kind, FrontKind::Rule);
    assert_eq!(front.parent, world.listener);
    assert_eq!(front.load_balancer_arn, world.load_balancer);
    assert_eq!(front.url, "http://fraud.example.com");
    let rule = world.client.describe_rules().rule_arns(&front.arn).send();
    let rule = rule.await.expect("told").rules.expect("some").remove(0);
    let fields: Vec<_> = rule.conditions().iter().filter_map(|c| c.field()).collect();
    assert_eq!(fields, ["host-header", "path-pattern"]);

    let all = balancers
        .tags(&[&front.arn], super::super::calls::Blame::Nothing)
        .await;
    let all = all.expect("told");
    let expected = BTreeMap::from([
        (tags::ENDPOINT_ID.to_owned(), owner.endpoint.to_string()),
        (tags::ENDPOINT.to_owned(), "fraud".to_owned()),
        (tags::DEPLOYMENT.to_owned(), owner.deployment.to_string()),
    ]);
    assert_eq!(all[&front.arn], expected);
}

#[tokio::test]
async fn a_front_of_another_deployment_of_the_endpoint_is_not_taken_over() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    for ingress in ingresses(&world) {
        let first = owner("fraud");
        let front = world.bring_up(&balancers, &first, &ingress).await;
        let mut second = first.clone();
        second.deployment = deployment(2);
        let opened = balancers.open(&second, &ingress, front.slot).await;
        assert_eq!(opened.expect("an answer"), Opened::Foreign);
        let other = world.bring_up(&balancers, &second, &ingress).await;
        assert_ne!(other.slot, front.slot);
    }
}

#[tokio::test]
async fn a_target_group_asks_tasks_by_their_addresses_as_the_revision_says() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    let owner = owner("fraud_detection_of_cards");
    let front = world
        .bring_up(&balancers, &owner, &world.a_listener())
        .await;
    let revision = revision(&owner, 1);
    let arn = balancers.ensure_group(&owner, &front, &revision).await;
    let arn = arn.expect("a group");

    let found = world
        .client
        .describe_target_groups()
        .target_group_arns(&arn);
    let found = found
        .send()
        .await
        .expect("told")
        .target_groups
        .expect("some");
    let group = &found[0];
    let name = group.target_group_name().expect("a name");
    assert!(
        name.starts_with("fraud-detection-") && name.len() <= 32,
        "{name}"
    );
    assert_eq!(group.target_type().map(|kind| kind.as_str()), Some("ip"));
    assert_eq!(group.port(), Some(8080));
    assert_eq!(group.vpc_id(), Some(world.vpc.as_str()));
    assert_eq!(group.health_check_path(), Some("/v2/health/ready"));
    assert_eq!(group.health_check_interval_seconds(), Some(10));
    assert_eq!(group.health_check_timeout_seconds(), Some(5));
    assert_eq!(group.healthy_threshold_count(), Some(2));
    assert_eq!(group.unhealthy_threshold_count(), Some(3));
    assert_eq!(group.matcher().and_then(|m| m.http_code()), Some("200-299"));
    let attributes = world.client.describe_target_group_attributes();
    let attributes = attributes
        .target_group_arn(&arn)
        .send()
        .await
        .expect("told");
    let drain = attributes
        .attributes()
        .iter()
        .find(|a| a.key() == Some("deregistration_delay.timeout_seconds"));
    assert_eq!(drain.and_then(|a| a.value()), Some("45"));

    // It has joined the front, and takes nothing yet.
    let attached = balancers.look(&front, owner.endpoint).await.expect("told");
    let expected = Attached {
        group_arn: arn,
        revision: revision.name,
        variant: revision.variant,
        weight: 0,
    };
    assert_eq!(attached, Some(vec![expected]));
}

#[tokio::test]
async fn somebody_elses_target_group_of_the_same_name_is_refused_and_left() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    let other = uuid::Uuid::new_v4().to_string();
    for tags in [&[][..], &[(tags::ENDPOINT_ID, other.as_str())][..]] {
        let owner = owner("fraud");
        let front = world
            .bring_up(&balancers, &owner, &world.a_listener())
            .await;
        let revision = revision(&owner, 1);
        let name = names::of_revision(&owner, &revision.name);
        let theirs = world.foreign_group(&name, tags).await;

        let made = balancers.ensure_group(&owner, &front, &revision).await;
        let error = made.expect_err("it is theirs");
        assert_eq!(error.class(), Class::Conflict, "{error}");
        let said = error.to_string();
        assert!(said.contains(&name) && said.contains(&theirs), "{said}");
        assert!(weights(&world, &front, &owner).await.is_empty());

        let found = balancers.group(&owner, &revision.name).await;
        assert_eq!(found.expect("told"), None);
        let deleted = balancers.delete_group(&owner, &revision.name).await;
        assert_eq!(deleted.expect("nothing of ours"), Progress::Done(()));
        let left = world.client.describe_target_groups().names(&name).send();
        assert_eq!(left.await.expect("left").target_groups().len(), 1);
    }
}

#[tokio::test]
async fn weights_are_set_in_one_call_and_revisions_that_are_not_named_get_nothing() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let proxy = crate::support::proxy::Proxy::before(&part.url).await;
    let balancers = world.balancers_by(&proxy.url);
    for (ingress, write) in ingresses(&world)
        .iter()
        .zip(["ModifyListener", "ModifyRule"])
    {
        let owner = owner("fraud");
        let front = world.bring_up(&balancers, &owner, ingress).await;
        let revisions: Vec<_> = (1..=3).map(|version| revision(&owner, version)).collect();
        for revision in &revisions {
            let made = balancers.ensure_group(&owner, &front, revision).await;
            made.expect("a group");
        }
        assert_eq!(weights(&world, &front, &owner).await, [0, 0, 0]);

        let named = |shares: &[(usize, u64)]| -> BTreeMap<RevisionName, u64> {
            let name = |at: usize| revisions[at].name.clone();
            shares
                .iter()
                .map(|(at, share)| (name(*at), *share))
                .collect()
        };
        for (shares, expected) in [
            (named(&[(0, 100_000_000)]), [100, 0, 0]),
            (named(&[(0, 90_000_000), (1, 10_000_000)]), [90, 10, 0]),
            (named(&[(1, 50_000_000), (2, 50_000_000)]), [0, 50, 50]),
            (named(&[(2, 1), (0, 99_999_999)]), [998, 0, 1]),
            (named(&[(2, 0)]), [0, 0, 0]),
            (named(&[]), [0, 0, 0]),
        ] {
            proxy.reset();
            let set = balancers.set_weights(&front, owner.endpoint, &shares).await;
            set.expect("set");
            assert_eq!(
                weights(&world, &front, &owner).await,
                expected,
                "{shares:?}"
            );
            let writes = proxy.calls();
            let writes = writes.iter().filter(|call| *call == write).count();
            assert!(writes <= 1, "{shares:?} took {writes} calls");
        }
        // What is so already is left.
        proxy.reset();
        let set = balancers
            .set_weights(&front, owner.endpoint, &named(&[]))
            .await;
        set.expect("set");
        assert!(!proxy.calls().iter().any(|call| call == write));

        let unknown = revision(&owner, 9).name;
        let shares = BTreeMap::from([(unknown, 1)]);
        let set = balancers.set_weights(&front, owner.endpoint, &shares).await;
        assert!(set.expect_err("it has no group").is_not_found());
    }
}

/// PAINS: hashicorp/terraform-provider-aws#16889, hashicorp/terraform#13076, terraform-aws-modules/terraform-aws-alb#57. A target group is never deleted from under its front.
#[tokio::test]
async fn a_target_group_is_deleted_once_its_front_has_let_go_of_it() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    for ingress in ingresses(&world) {
        let owner = owner("fraud");
        let front = world.bring_up(&balancers, &owner, &ingress).await;
        let (old, new) = (revision(&owner, 1), revision(&owner, 2));
        for revision in [&old, &new] {
            let made = balancers.ensure_group(&owner, &front, revision).await;
            made.expect("a group");
        }
        let shares = BTreeMap::from([(new.name.clone(), 1)]);
        let set = balancers.set_weights(&front, owner.endpoint, &shares).await;
        set.expect("set");

        let early = balancers
            .delete_group(&owner, &old.name)
            .await
            .expect("told");
        assert!(matches!(early, Progress::Pending { .. }), "{early:?}");
        assert_eq!(world.groups_of(&owner).await.len(), 2);

        for revision in [&old.name, &new.name] {
            for _ in 0..2 {
                let detached = balancers.detach(&front, owner.endpoint, revision).await;
                detached.expect("let go of");
            }
            for _ in 0..2 {
                let deleted = balancers.delete_group(&owner, revision).await;
                assert_eq!(deleted.expect("told"), Progress::Done(()));
            }
        }
        assert!(weights(&world, &front, &owner).await.is_empty());
        assert!(world.groups_of(&owner).await.is_empty());
    }
}

#[tokio::test]
async fn what_is_gone_already_is_success_to_take_away_and_not_found_to_use() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    for ingress in ingresses(&world) {
        let owner = owner("fraud");
        let front = world.bring_up(&balancers, &owner, &ingress).await;
        let revision = revision(&owner, 1);
        for _ in 0..2 {
            let closed = balancers.close(&front, owner.endpoint).await;
            closed.expect("closed");
        }
        assert_eq!(
            balancers.look(&front, owner.endpoint).await.expect("told"),
            None
        );
        let detached = balancers
            .detach(&front, owner.endpoint, &revision.name)
            .await;
        detached.expect("nothing to let go of");
        let deleted = balancers.delete_group(&owner, &revision.name).await;
        assert_eq!(deleted.expect("told"), Progress::Done(()));
        let gone = format!("{}0", front.arn.replace(":listener", ":targetgroup"));
        let health = balancers.health(&[gone]).await;
        assert!(health.expect("told").is_empty());

        let made = balancers.ensure_group(&owner, &front, &revision).await;
        assert!(made.expect_err("no front").is_not_found());
        let set = balancers
            .set_weights(&front, owner.endpoint, &BTreeMap::new())
            .await;
        assert!(set.expect_err("no front").is_not_found());
        assert!(
            world.groups_of(&owner).await.is_empty(),
            "nothing was made for it"
        );
    }
}

#[tokio::test]
async fn a_front_that_lost_its_tag_is_nobodys_and_is_left() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    for ingress in ingresses(&world) {
        let owner = owner("fraud");
        let front = world.bring_up(&balancers, &owner, &ingress).await;
        let removed = world
            .client
            .remove_tags()
            .resource_arns(&front.arn)
            .tag_keys(tags::ENDPOINT_ID);
        removed.send().await.expect("removed");
        assert_eq!(
            balancers.look(&front, owner.endpoint).await.expect("told"),
            None
        );
        let error = balancers.close(&front, owner.endpoint).await;
        let error = error.expect_err("it is left");
        assert_eq!(error.class(), Class::Conflict);
        assert!(error.to_string().contains(&front.arn), "{error}");
        assert!(world.slots(&ingress).await.contains_key(&RANGE.first));
    }
}

#[tokio::test]
async fn targets_are_counted_by_their_health() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    let owner = owner("fraud");
    let front = world
        .bring_up(&balancers, &owner, &world.a_listener())
        .await;
    let revision = revision(&owner, 1);
    let arn = balancers.ensure_group(&owner, &front, &revision).await;
    let arn = arn.expect("a group");
    let target = |address: &str| {
        aws_sdk_elasticloadbalancingv2::types::TargetDescription::builder()
            .id(address)
            .port(8080)
            .build()
    };
    let registered = world
        .client
        .register_targets()
        .target_group_arn(&arn)
        .targets(target("172.31.0.10"))
        .targets(target("172.31.0.11"));
    registered.send().await.expect("registered");
    let health = balancers
        .health(std::slice::from_ref(&arn))
        .await
        .expect("told");
    assert_eq!(health[&arn].healthy, 2, "{health:?}");
    assert_eq!(health[&arn].unhealthy, 0, "{health:?}");
}

#[tokio::test]
async fn what_a_killed_deployment_made_is_taken_back_and_nothing_else() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let proxy = crate::support::proxy::Proxy::before(&part.url).await;
    let balancers = world.balancers_by(&proxy.url);
    for (ingress, code) in ingresses(&world)
        .iter()
        .zip(["ListenerNotFound", "RuleNotFound"])
    {
        let theirs = world.foreign(ingress, RANGE.first).await;
        let killed = owner("fraud");
        let mut earlier = killed.clone();
        earlier.deployment = deployment(2);
        let kept = world.bring_up(&balancers, &earlier, ingress).await;
        for slot in [RANGE.last - 1, RANGE.last] {
            let opened = balancers.open(&killed, ingress, slot).await;
            assert!(matches!(opened.expect("made"), Opened::Front(_)));
        }
        proxy.reset();
        // Somebody takes a listener or a rule away between the two questions.
        proxy.fail(1, crate::support::proxy::Fault::Refused(code));
        for _ in 0..2 {
            let taken = balancers.take_back(&killed, ingress).await;
            taken.expect("taken back");
        }
        let asked = proxy.calls();
        assert_eq!(asked[1], "DescribeTags", "{asked:?}");
        let left = world.slots(ingress).await;
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left[&RANGE.first].ends_with(&theirs), "{left:?}");
        assert!(left[&kept.slot].ends_with(&kept.arn), "{left:?}");
    }
    let deleted = world.client.delete_load_balancer();
    let deleted = deleted.load_balancer_arn(&world.load_balancer).send().await;
    deleted.expect("deleted");
    for ingress in ingresses(&world) {
        let taken = balancers.take_back(&owner("fraud"), &ingress).await;
        taken.expect("there is nothing to take back");
    }
}

/// moto tells 50 rules at once, and Elastic Load Balancing 100.
#[tokio::test]
async fn a_rule_is_found_behind_the_first_page_of_them() {
    let Some(part) = part::moto() else { return };
    let world = World::new(&part.url).await;
    let balancers = world.balancers();
    let (owner, ingress) = (owner("fraud"), world.a_rule());
    let theirs = RANGE.first..RANGE.first + 55;
    let made = theirs.clone().map(|priority| world.foreign_rule(priority));
    futures::future::join_all(made).await;
    let none = BTreeSet::new();
    let leased = balancers.lease(&owner, &ingress, None, None, &none).await;
    let slot = leased.expect("a slot");
    assert_eq!(slot, theirs.end, "the others are all seen");
    let first = balancers.open(&owner, &ingress, slot).await.expect("made");
    let again = balancers.open(&owner, &ingress, slot).await.expect("found");
    assert!(matches!(first, Opened::Front(_)), "{first:?}");
    assert_eq!(first, again);
}
