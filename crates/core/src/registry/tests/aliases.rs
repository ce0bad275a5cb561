use super::*;
use crate::Class;
use crate::gates::{Gate, Outcome};
use crate::registry::events::Subject;

fn not_worse() -> Promotion {
    let gate = Gate {
        baseline: Some("champion".parse().unwrap()),
        ..Gate::default()
    };
    Promotion {
        gates: BTreeMap::from([("accuracy".to_owned(), gate)]),
        ..Promotion::default()
    }
}

async fn versions(world: &World, spec: ModelSpec, values: &[f64]) -> Registry {
    let registry = world.registry();
    registry.create_model(&fraud(), spec).await.unwrap();
    for value in values {
        registry
            .register_version(world.version(*value))
            .await
            .unwrap();
    }
    registry
}

#[tokio::test]
async fn a_worse_version_does_not_become_champion_and_the_message_shows_the_gate() {
    let world = World::new();
    let registry = versions(&world, gated(not_worse()), &[0.912, 0.9, 0.981]).await;
    let first = registry.create_alias(champion(Some(1))).await.unwrap();
    assert_eq!(first.report.results[0].outcome, Outcome::NoBaseline);
    let error = registry.move_alias(champion(Some(2))).await.unwrap_err();
    assert_eq!(error.class(), Class::Invalid);
    assert_eq!(error.attribute(), Some("version"));
    assert_eq!(
        error.to_string(),
        "alias fraud@champion does not move to version fraud/2: its gates fail (accuracy: 0.9 >= champion 0.912 + 0 (fraud/1): fail); improve the version, or set override_reason to force it"
    );
    let moved = registry.move_alias(champion(Some(3))).await.unwrap();
    assert_eq!(
        moved.report.to_string(),
        "accuracy: 0.981 >= champion 0.912 + 0 (fraud/1): pass"
    );
    assert_eq!((moved.previous, moved.alias.version), (Some(1), Some(3)));
}

#[tokio::test]
async fn an_override_moves_it_and_is_recorded() {
    let world = World::new();
    let registry = versions(&world, gated(not_worse()), &[0.912, 0.9]).await;
    registry.create_alias(champion(Some(1))).await.unwrap();
    let forced = SetAlias {
        override_reason: Some("the old one is wrong".into()),
        ..champion(Some(2))
    };
    let moved = registry.move_alias(forced).await.unwrap();
    assert!(moved.report.has_failed());
    let events = registry
        .events(&Subject::Model("fraud".into()), None, None, 100)
        .await
        .unwrap();
    let last = &events.last().unwrap().event;
    assert_eq!(last.kind, "alias.moved");
    assert_eq!(last.details["override_reason"], "the old one is wrong");
    assert_eq!(last.by.as_deref(), Some("ann"));
}

#[tokio::test]
async fn without_enforcement_gates_are_not_asked_but_archived_versions_are_refused() {
    let world = World::new();
    let registry = versions(&world, gated(not_worse()), &[0.912, 0.9, 0.95]).await;
    registry.create_alias(champion(Some(1))).await.unwrap();
    let free = |version| SetAlias {
        enforce_promotion: false,
        ..champion(Some(version))
    };
    registry.move_alias(free(2)).await.unwrap();
    registry.archive_version(&id("fraud/3")).await.unwrap();
    let error = registry.move_alias(free(3)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("version fraud/3 is archived and cannot be bound to alias fraud@champion"),
        "{error}"
    );
}

#[tokio::test]
async fn approvals_and_lineage_are_asked_for() {
    let world = World::new();
    let promotion = Promotion {
        approvals_required: 2,
        require_lineage: ["git_commit".to_owned()].into(),
        ..Promotion::default()
    };
    let registry = versions(&world, gated(promotion), &[0.9]).await;
    let refused = async || {
        registry
            .create_alias(champion(Some(1)))
            .await
            .unwrap_err()
            .to_string()
    };
    assert!(refused().await.contains("it has 0 of 2 approvals"));
    for by in ["bob", "bob", "eve"] {
        let update = VersionUpdate {
            approval: Some(ApprovalUpdate {
                status: ApprovalStatus::Approved,
                description: None,
                by: Some(by.into()),
            }),
            ..VersionUpdate::default()
        };
        assert!(refused().await.contains("of 2 approvals"), "before {by}");
        registry
            .update_version(&id("fraud/1"), update)
            .await
            .unwrap();
    }
    assert!(refused().await.contains("its lineage lacks git_commit"));
}

#[tokio::test]
async fn an_alias_without_a_target_keeps_the_one_it_has() {
    let world = World::new();
    let registry = versions(&world, accuracy(), &[0.9]).await;
    let made = registry.create_alias(champion(None)).await.unwrap();
    assert_eq!(made.alias.version, None);
    registry.move_alias(champion(Some(1))).await.unwrap();
    let kept = registry.move_alias(champion(None)).await.unwrap();
    assert_eq!(kept.alias.version, Some(1));
    let error = registry.create_alias(champion(None)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "alias fraud@champion already exists; import it with id \"fraud@champion\", or choose another name"
    );
    let stale = SetAlias {
        if_revision: Some(kept.alias.revision + 7),
        ..champion(Some(1))
    };
    assert!(registry.move_alias(stale).await.unwrap_err().is_conflict());
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_named() {
    let world = World::new();
    let registry = versions(&world, accuracy(), &[]).await;
    let error = registry.create_alias(champion(Some(4))).await.unwrap_err();
    assert_eq!(error.class(), Class::NotFound);
    assert!(
        error
            .to_string()
            .starts_with("version fraud/4 does not exist"),
        "{error}"
    );
}

/// Two movers, each allowed only if the other has not moved first: the gate is checked on what
/// the commit then finds unchanged, so the worse of the two never stands last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_promotions_never_leave_the_worse_version() {
    for _ in 0..20 {
        let world = World::new();
        let registry = versions(&world, gated(not_worse()), &[0.5, 0.8, 0.9]).await;
        registry.create_alias(champion(Some(1))).await.unwrap();
        let movers = [2, 3].map(|version| {
            let registry = registry.clone();
            tokio::spawn(async move { registry.move_alias(champion(Some(version))).await })
        });
        for mover in movers {
            // The worse one is refused if it comes second.
            let _ = mover.await.unwrap();
        }
        let found = registry
            .alias(&"fraud@champion".parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.version, Some(3));
    }
}
