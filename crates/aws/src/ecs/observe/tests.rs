use mlops_core::target::RevisionName;

use super::*;
use crate::ecs::tests::{deployment, variant};

fn attached(name: &str, version: u64, weight: u32) -> Attached {
    let variant = variant(name);
    let revision = RevisionName::new(&variant, version, &deployment(1));
    Attached {
        group_arn: format!("arn:{revision}"),
        revision,
        variant,
        weight,
    }
}

fn health(healthy: u32, unhealthy: u32) -> GroupHealth {
    GroupHealth {
        healthy,
        unhealthy,
        initial: 0,
        draining: 0,
        unused: 0,
        reasons: vec!["Health checks failed".to_owned()],
    }
}

fn shares(groups: &[Attached]) -> Vec<(String, u32, Vec<u32>)> {
    routing(groups)
        .variants
        .into_iter()
        .map(|(name, routed)| {
            let weights = routed.weights.into_values().collect();
            (name.to_string(), routed.traffic, weights)
        })
        .collect()
}

#[test]
fn weights_of_groups_are_read_as_the_routing_that_they_came_from() {
    for (groups, expected) in [
        (vec![attached("main", 1, 0)], vec![]),
        (
            vec![attached("main", 1, 100), attached("main", 2, 0)],
            vec![("main".to_owned(), 10_000, vec![10_000])],
        ),
        (
            vec![attached("main", 1, 50), attached("main", 2, 50)],
            vec![("main".to_owned(), 10_000, vec![5_000, 5_000])],
        ),
        (
            vec![
                attached("a", 1, 90),
                attached("b", 1, 9),
                attached("b", 2, 1),
            ],
            vec![
                ("a".to_owned(), 9_000, vec![10_000]),
                ("b".to_owned(), 1_000, vec![9_000, 1_000]),
            ],
        ),
        (
            vec![
                attached("a", 1, 1),
                attached("b", 1, 1),
                attached("c", 1, 1),
            ],
            vec![
                ("a".to_owned(), 3_334, vec![10_000]),
                ("b".to_owned(), 3_333, vec![10_000]),
                ("c".to_owned(), 3_333, vec![10_000]),
            ],
        ),
    ] {
        assert_eq!(shares(&groups), expected);
        routing(&groups).validate().expect("whole");
    }
}

fn described(desired: u32) -> Described {
    Described {
        life: Life::Active,
        task_definition: String::new(),
        desired,
        running: desired,
        pending: 0,
        failed: 0,
        deployments: 1,
        created: None,
        updated: None,
        events: Vec::new(),
        providers: Vec::new(),
        tags: BTreeMap::new(),
    }
}

/// PAINS: hashicorp/terraform-provider-aws#39099.
#[test]
fn a_revision_is_ready_only_while_a_target_of_it_is_healthy() {
    let seen = |service: Option<&Described>, health: Option<&GroupHealth>| {
        let seen = revision(&variant("main"), service, health);
        (seen.state, seen.instances, seen.failure.unwrap_or_default())
    };
    let two = described(2);
    assert_eq!(
        seen(Some(&two), Some(&health(2, 0))),
        (RevisionState::Ready, 2, String::new())
    );
    let whole = |healthy, unhealthy| {
        revision(
            &variant("main"),
            Some(&two),
            Some(&health(healthy, unhealthy)),
        )
        .is_whole()
    };
    assert!(whole(2, 0) && whole(2, 1) && whole(3, 0));
    assert!(!whole(1, 1));
    let (state, instances, why) = seen(Some(&two), Some(&health(0, 2)));
    assert_eq!((state, instances), (RevisionState::Loading, 0));
    assert!(why.contains("0 targets are healthy"), "{why}");
    let (state, _, why) = seen(None, Some(&health(1, 0)));
    assert_eq!(state, RevisionState::Failed);
    assert!(why.contains("service is gone"), "{why}");
    let (state, _, why) = seen(Some(&described(0)), Some(&health(0, 0)));
    assert_eq!(state, RevisionState::Failed);
    assert!(why.contains("scaled to 0"), "{why}");
    let leaving = Described {
        life: Life::Draining,
        ..described(0)
    };
    assert_eq!(
        seen(Some(&leaving), Some(&health(1, 0))).0,
        RevisionState::Draining
    );
}

#[test]
fn a_server_is_healthy_if_what_serves_answers_and_what_is_to_serve_is_whole() {
    let groups = [attached("main", 1, 100), attached("main", 2, 0)];
    let health_of = |first: GroupHealth, second: Option<GroupHealth>| {
        let mut all = BTreeMap::from([(groups[0].group_arn.clone(), first)]);
        if let Some(second) = second {
            all.insert(groups[1].group_arn.clone(), second);
        }
        // Three tasks are asked for of each.
        judged(&groups, |_| Some(3), &all)
    };
    assert!(health_of(health(3, 0), Some(health(3, 0))).healthy);
    assert!(health_of(health(3, 0), Some(health(0, 0))).healthy);
    assert!(health_of(health(3, 0), None).healthy);
    // One more is being replaced: on its way, or out.
    assert!(health_of(health(3, 1), Some(health(3, 1))).healthy);
    let draining = GroupHealth {
        draining: 1,
        initial: 1,
        ..health(3, 0)
    };
    assert!(health_of(draining.clone(), Some(draining)).healthy);
    // What serves has lost a task, or two: whoever mends it is not kept from it.
    assert!(health_of(health(1, 2), Some(health(3, 0))).healthy);
    for bad in [
        health_of(health(0, 0), Some(health(3, 0))),
        health_of(health(0, 3), Some(health(3, 0))),
        health_of(health(3, 0), Some(health(2, 1))),
        health_of(health(3, 0), Some(health(0, 3))),
    ] {
        assert!(!bad.healthy, "{bad:?}");
        assert!(bad.answer.contains("Health checks failed"), "{bad:?}");
    }
}
