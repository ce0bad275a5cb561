//! Registrations by URI: numbers, bindability, and their two ends.

use super::*;
use crate::error::Class;

fn asked(source: &str) -> NewPending {
    NewPending {
        model: fraud(),
        origin: Origin {
            source: source.to_owned(),
            run_link: None,
        },
        description: Some("night run".to_owned()),
        lineage: None,
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.9)]),
        tags: BTreeMap::from([("team".to_owned(), "risk".to_owned())]),
    }
}

#[tokio::test]
async fn a_pending_version_has_the_next_number_and_is_no_version() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let first = registry.register_version(world.version(0.8)).await.unwrap();
    let pending = registry.reserve_version(asked("file:///m")).await.unwrap();
    let third = registry.register_version(world.version(0.7)).await.unwrap();
    assert_eq!(
        (first.id.version, pending.id.version, third.id.version),
        (1, 2, 3)
    );
    assert_eq!(registry.version(&pending.id).await.unwrap(), None);
    assert_eq!(registry.all_versions(&fraud()).await.unwrap().len(), 2);
    assert_eq!(
        registry.unfinished_registrations().await.unwrap(),
        std::slice::from_ref(&pending.id)
    );
    assert_eq!(
        registry.pending_versions(&fraud()).await.unwrap(),
        [pending]
    );
}

#[tokio::test]
async fn nothing_is_bound_to_a_pending_version_and_the_refusal_says_why() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let pending = registry.reserve_version(asked("file:///m")).await.unwrap();
    let error = registry.create_alias(champion(Some(1))).await.unwrap_err();
    assert_eq!(error.class(), Class::Invalid);
    assert!(
        error.to_string().contains("PENDING_REGISTRATION"),
        "{error}"
    );
    let error = registry
        .bind_writes(&pending.id, "local/digits")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("PENDING_REGISTRATION"),
        "{error}"
    );
    registry
        .fail_registration(&pending.id, "the disk is gone")
        .await
        .unwrap();
    let error = registry.create_alias(champion(Some(1))).await.unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
}

#[tokio::test]
async fn a_completed_registration_is_a_version_with_what_was_said_meanwhile() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let pending = registry.reserve_version(asked("file:///m")).await.unwrap();
    let update = PendingUpdate {
        description: Some(Some("better".to_owned())),
        tags: BTreeMap::from([("team".to_owned(), None)]),
        metrics: BTreeMap::from([("accuracy".to_owned(), Some(0.95))]),
    };
    registry.update_pending(&pending.id, &update).await.unwrap();
    let spec = world.version(0.0).spec;
    let version = registry
        .complete_registration(&pending.id, spec.clone())
        .await
        .unwrap();
    assert_eq!(version.id, pending.id);
    assert_eq!(version.description.as_deref(), Some("better"));
    assert_eq!(version.metrics["accuracy"], 0.95);
    assert!(version.tags.is_empty());
    assert_eq!(version.created_at, pending.created_at);
    assert_eq!(
        version.origin.as_ref().map(|o| o.source.as_str()),
        Some("file:///m")
    );
    assert_eq!(registry.pending_version(&pending.id).await.unwrap(), None);
    assert!(
        registry
            .unfinished_registrations()
            .await
            .unwrap()
            .is_empty()
    );
    registry.create_alias(champion(Some(1))).await.unwrap();
    // A second server that took the same registration up finds it done.
    let again = registry
        .complete_registration(&pending.id, spec)
        .await
        .unwrap();
    assert_eq!(again.nonce, version.nonce);
}

#[tokio::test]
async fn a_failed_registration_keeps_its_number_and_its_reason() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let pending = registry.reserve_version(asked("file:///m")).await.unwrap();
    registry
        .fail_registration(&pending.id, "it is no model")
        .await
        .unwrap();
    let failed = registry
        .pending_version(&pending.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(failed.failure.as_deref(), Some("it is no model"));
    assert!(
        registry
            .unfinished_registrations()
            .await
            .unwrap()
            .is_empty()
    );
    assert!(registry.discard_pending(&pending.id).await.unwrap());
    assert!(!registry.discard_pending(&pending.id).await.unwrap());
    let next = registry.register_version(world.version(0.8)).await.unwrap();
    assert_eq!(next.id.version, 2);
}

#[tokio::test]
async fn a_model_deleted_meanwhile_ends_its_registrations() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let pending = registry.reserve_version(asked("file:///m")).await.unwrap();
    registry.delete_model(&fraud(), true).await.unwrap();
    let spec = world.version(0.0).spec;
    let error = registry
        .complete_registration(&pending.id, spec)
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::NotFound);
    registry.drop_unfinished(&pending.id).await.unwrap();
    assert!(
        registry
            .unfinished_registrations()
            .await
            .unwrap()
            .is_empty()
    );
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let next = registry.reserve_version(asked("file:///m")).await.unwrap();
    assert_eq!(next.id.version, 2, "the number of the deleted one is spent");
}

#[tokio::test]
async fn a_metric_that_the_model_declares_impossible_is_refused_before_a_number_is_spent() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let mut wrong = asked("file:///m");
    wrong.metrics.insert("accuracy".to_owned(), 2.0);
    let error = registry.reserve_version(wrong).await.unwrap_err();
    assert_eq!(error.attribute(), Some("metrics.accuracy"));
    let pending = registry.reserve_version(asked("file:///m")).await.unwrap();
    assert_eq!(pending.id.version, 1);
}
