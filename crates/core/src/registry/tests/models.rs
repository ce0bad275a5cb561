use super::*;
use crate::Class;
use crate::gates::Gate;
use crate::records::{Change, Expect, Key, Write};
use crate::registry::events::Subject;

#[tokio::test]
async fn a_model_that_exists_is_not_created_again_and_the_message_says_import() {
    let world = World::new();
    let first = world.registry();
    first.create_model(&fraud(), accuracy()).await.unwrap();
    let error = world
        .registry()
        .create_model(&fraud(), accuracy())
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Conflict);
    assert_eq!(error.attribute(), Some("name"));
    assert_eq!(
        error.to_string(),
        "model fraud already exists; import it with id \"fraud\", or choose another name"
    );
}

#[tokio::test]
async fn a_version_of_a_missing_model_names_model_and_registry() {
    let world = World::new();
    let error = world
        .registry()
        .register_version(world.version(0.9))
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::NotFound);
    assert_eq!(error.attribute(), Some("model"));
    assert_eq!(
        error.to_string(),
        "model fraud does not exist in the registry at memory; create it first, or correct the name"
    );
}

#[tokio::test]
async fn a_version_whose_artifact_was_not_stored_is_refused() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let mut new = world.version(0.9);
    new.spec.artifact.digest = crate::artifacts::Digest::of(b"elsewhere");
    let error = registry.register_version(new).await.unwrap_err();
    assert!(
        error.to_string().contains("its artifact sha256:"),
        "{error}"
    );
    assert_eq!(error.class(), Class::NotFound);
}

#[tokio::test]
async fn a_metric_outside_its_declared_range_is_refused_by_name() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let error = registry
        .register_version(world.version(1.2))
        .await
        .unwrap_err();
    assert_eq!(error.attribute(), Some("metrics.accuracy"));
    assert_eq!(
        error.to_string(),
        "metric \"accuracy\" = 1.2 is outside the range 0 to 1 that the model declares"
    );
    let error = registry
        .register_version(world.version(f64::NAN))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is not a finite number"),
        "{error}"
    );
}

#[tokio::test]
async fn a_specification_that_says_nothing_sensible_is_refused() {
    let world = World::new();
    let registry = world.registry();
    let promotion = Promotion {
        gates: BTreeMap::from([("accuracy".to_owned(), Gate::default())]),
        ..Promotion::default()
    };
    let error = registry
        .create_model(&fraud(), gated(promotion))
        .await
        .unwrap_err();
    assert_eq!(error.attribute(), Some("promotion.gates.accuracy"));
    let promotion = Promotion {
        require_lineage: ["commit".to_owned()].into(),
        ..Promotion::default()
    };
    let error = registry
        .create_model(&fraud(), gated(promotion))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "require_lineage names \"commit\", which is no lineage field; use some of run_id, git_repo, git_commit, parent_version, datasets"
    );
    assert!(world.records.dump().is_empty(), "nothing was written");
}

#[tokio::test]
async fn an_update_merges_tags_and_writes_nothing_when_nothing_changes() {
    let world = World::new();
    let registry = world.registry();
    let tags = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let spec = ModelSpec {
        tags: tags(&[("team", "risk"), ("theirs", "kept")]),
        ..accuracy()
    };
    registry.create_model(&fraud(), spec).await.unwrap();
    let update = ModelUpdate {
        spec: ModelSpec {
            description: Some("finds fraud".into()),
            ..accuracy()
        },
        tags: [
            ("team".to_owned(), None),
            ("stage".to_owned(), Some("prod".to_owned())),
        ]
        .into(),
        if_revision: None,
    };
    let updated = registry
        .update_model(&fraud(), update.clone())
        .await
        .unwrap();
    assert_eq!(
        updated.spec.tags,
        tags(&[("stage", "prod"), ("theirs", "kept")])
    );
    assert_eq!(updated.spec.description.as_deref(), Some("finds fraud"));
    let commits = world.records.commits();
    let again = registry
        .update_model(&fraud(), update.clone())
        .await
        .unwrap();
    assert_eq!(again, updated);
    assert_eq!(world.records.commits(), commits);
    let stale = ModelUpdate {
        if_revision: Some(updated.revision + 1),
        ..update
    };
    let error = registry.update_model(&fraud(), stale).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "model fraud was changed by somebody else since it was read; plan again"
    );
}

#[tokio::test]
async fn fields_that_this_program_does_not_know_survive_a_rewrite() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let key = Key::new("model#fraud", "model");
    let item = world
        .records
        .get(std::slice::from_ref(&key))
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let mut body = item.body;
    body.insert("from_the_future".into(), serde_json::json!({"kept": [1]}));
    let write = Write {
        key: key.clone(),
        expect: Expect::Revision(item.revision),
        change: Change::Put(body),
    };
    world.records.commit(vec![write]).await.unwrap();
    let update = ModelUpdate {
        spec: ModelSpec {
            owner: Some("ann".into()),
            ..accuracy()
        },
        ..ModelUpdate::default()
    };
    registry.update_model(&fraud(), update).await.unwrap();
    registry.register_version(world.version(0.9)).await.unwrap();
    let item = world.records.get(&[key]).await.unwrap().remove(0).unwrap();
    assert_eq!(
        item.body["from_the_future"],
        serde_json::json!({"kept": [1]})
    );
    assert_eq!(item.body["owner"], "ann");
}

#[tokio::test]
async fn a_delete_is_refused_naming_live_versions_aliases_and_endpoints() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let one = registry
        .register_version(world.version(0.9))
        .await
        .unwrap()
        .id;
    let refused = async |force| {
        registry
            .delete_model(&fraud(), force)
            .await
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(false).await,
        "model fraud is not deleted: its versions fraud/1 are live and belong to others; archive them, or set force_destroy = true and apply first"
    );
    registry.create_alias(champion(Some(1))).await.unwrap();
    registry.archive_version(&one).await.unwrap();
    registry.archive_version(&one).await.unwrap();
    assert!(
        refused(false)
            .await
            .contains("its aliases fraud@champion belong to others")
    );
    registry
        .delete_alias(&"fraud@champion".parse().unwrap())
        .await
        .unwrap();
    let two = registry
        .register_version(world.version(0.9))
        .await
        .unwrap()
        .id;
    let bind = registry.bind_writes(&two, "local/digits").await.unwrap();
    registry.commit(bind).await.unwrap();
    assert_eq!(
        refused(true).await,
        "model fraud is not deleted: a version of it is bound to local/digits; destroy that first"
    );
    let unbind = registry.unbind_writes(&two, "local/digits").await.unwrap();
    registry.commit(unbind).await.unwrap();
    registry.delete_model(&fraud(), true).await.unwrap();
}

#[tokio::test]
async fn nothing_new_is_bound_to_archived_or_rejected_versions() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let one = registry
        .register_version(world.version(0.9))
        .await
        .unwrap()
        .id;
    let bind = registry.bind_writes(&one, "local/digits").await.unwrap();
    registry.commit(bind).await.unwrap();
    registry.archive_version(&one).await.unwrap();
    assert!(
        registry
            .bind_writes(&one, "local/digits")
            .await
            .unwrap()
            .is_empty(),
        "what is bound stays bound"
    );
    let error = registry.bind_writes(&one, "local/other").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "version fraud/1 is archived and cannot be bound to endpoint local/other; choose an active version, or register the model again"
    );
    let mut new = world.version(0.9);
    new.approval = Some(ApprovalUpdate {
        status: ApprovalStatus::Rejected,
        description: None,
        by: None,
    });
    let two = registry.register_version(new).await.unwrap().id;
    let error = registry.bind_writes(&two, "local/other").await.unwrap_err();
    assert!(
        error.to_string().contains("version fraud/2 was rejected"),
        "{error}"
    );
    let error = registry
        .bind_writes(&id("fraud/9"), "local/other")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "version fraud/9 does not exist; register it first, or correct the number"
    );
}

#[tokio::test]
async fn an_archive_between_bind_and_commit_fails_the_commit() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let one = registry
        .register_version(world.version(0.9))
        .await
        .unwrap()
        .id;
    let bind = registry.bind_writes(&one, "local/digits").await.unwrap();
    registry.archive_version(&one).await.unwrap();
    assert!(registry.commit(bind).await.is_err());
    assert!(registry.bindings(&fraud()).await.unwrap().is_empty());
}

#[tokio::test]
async fn metrics_and_approvals_change_in_place_and_leave_audit_events() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let one = registry
        .register_version(world.version(0.9))
        .await
        .unwrap()
        .id;
    let update = VersionUpdate {
        metrics: [
            ("accuracy".to_owned(), Some(0.95)),
            ("gone".to_owned(), None),
        ]
        .into(),
        approval: Some(ApprovalUpdate {
            status: ApprovalStatus::Approved,
            description: Some("looks right".into()),
            by: Some("bob".into()),
        }),
        by: Some("bob".into()),
        ..VersionUpdate::default()
    };
    let updated = registry.update_version(&one, update.clone()).await.unwrap();
    assert_eq!(updated.metrics["accuracy"], 0.95);
    assert_eq!(
        updated.approval.as_ref().unwrap().approvers,
        ["bob".to_owned()].into()
    );
    let commits = world.records.commits();
    registry.update_version(&one, update).await.unwrap();
    assert_eq!(
        world.records.commits(),
        commits,
        "the same again is not written"
    );

    let events = registry
        .events(&Subject::Model("fraud".into()), None, None, 100)
        .await
        .unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|stored| stored.event.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "model.created",
            "version.registered",
            "version.metrics",
            "version.approval"
        ]
    );
    assert_eq!(events[2].event.details["before"]["accuracy"], 0.9);
    assert_eq!(events[2].event.by.as_deref(), Some("bob"));
}

#[tokio::test]
async fn the_best_version_is_neither_archived_nor_rejected() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    for value in [0.8, 0.99, 0.9, 0.9] {
        registry
            .register_version(world.version(value))
            .await
            .unwrap();
    }
    registry.archive_version(&id("fraud/2")).await.unwrap();
    let select = |metric: &str, order| Select {
        metric: metric.into(),
        order,
    };
    let best = registry
        .select_version(&fraud(), &select("accuracy", None))
        .await
        .unwrap();
    assert_eq!(best.unwrap().id, id("fraud/4"), "the newest of equals");
    let least = registry
        .select_version(&fraud(), &select("accuracy", Some(Goal::Minimize)))
        .await;
    assert_eq!(least.unwrap().unwrap().id, id("fraud/1"));
    let error = registry
        .select_version(&fraud(), &select("loss", None))
        .await
        .unwrap_err();
    assert_eq!(error.attribute(), Some("select.order"));
}

#[tokio::test]
async fn a_lost_or_foreign_registry_is_an_error_that_says_restore() {
    let world = World::new();
    let registry = world.registry();
    let uuid = uuid::Uuid::nil();
    let error = registry.expect_identity(uuid).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "registry 00000000-0000-0000-0000-000000000000 not found at memory; restore it or import"
    );
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let found = registry.identity().await.unwrap().unwrap().uuid;
    registry.expect_identity(found).await.unwrap();
    let error = registry.expect_identity(uuid).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("registry {found} lies there")),
        "{error}"
    );
}

#[tokio::test]
async fn a_signature_that_breaks_callers_is_refused_unless_the_model_allows_it() {
    use crate::signature::{Compatibility, Datatype, Signature, Tensor};
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    let wide = |width| {
        let mut new = world.version(0.9);
        new.spec.signature = Some(Signature {
            inputs: vec![Tensor {
                name: "x".into(),
                datatype: Datatype::Fp32,
                shape: vec![-1, width],
            }],
            outputs: vec![],
        });
        new
    };
    registry.register_version(wide(64)).await.unwrap();
    let error = registry.register_version(wide(65)).await.unwrap_err();
    assert_eq!(error.attribute(), Some("source"));
    assert!(
        error
            .to_string()
            .starts_with("the signature is not compatible with fraud/1: input \"x\""),
        "{error}"
    );
    let spec = ModelSpec {
        signature_compatibility: Compatibility::None,
        ..accuracy()
    };
    let update = ModelUpdate {
        spec,
        ..ModelUpdate::default()
    };
    registry.update_model(&fraud(), update).await.unwrap();
    registry.register_version(wide(65)).await.unwrap();
}

#[tokio::test]
async fn a_registration_is_compared_with_the_newest_version_whoever_made_or_deleted_it() {
    use crate::signature::{DYNAMIC, Datatype, Signature, Tensor};
    let world = World::new();
    let (one, two) = (world.registry(), world.registry());
    one.create_model(&fraud(), accuracy()).await.unwrap();
    let takes = |rows: i64| {
        let mut new = world.version(0.5);
        new.spec.signature = Some(Signature {
            inputs: vec![Tensor {
                name: "x".into(),
                datatype: Datatype::Fp32,
                shape: vec![rows],
            }],
            outputs: vec![],
        });
        new
    };
    one.register_version(takes(4)).await.unwrap();
    // Wider, by another process: what is enough for the first version breaks callers of the second.
    two.register_version(takes(DYNAMIC)).await.unwrap();
    let error = one.register_version(takes(4)).await.unwrap_err();
    assert!(error.to_string().contains("fraud/2"), "{error}");
    one.register_version(takes(DYNAMIC)).await.unwrap();
    // The one that this process remembers is gone, and so are the others.
    for number in 1..=3 {
        let id = id(&format!("fraud/{number}"));
        two.delete_version(&id).await.unwrap();
    }
    one.register_version(takes(4)).await.unwrap();
}
