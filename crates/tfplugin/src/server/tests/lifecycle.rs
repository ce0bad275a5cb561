use super::*;
use crate::diagnostics::Diagnostic;
use crate::resource::Refreshed;

#[tokio::test]
async fn a_create_is_planned_with_unknowns_and_applied_with_values() {
    let bench = bench().configured().await;
    let config = bench.value(&[
        ("name", "a".into()),
        ("local", Value::object([("port", Value::Null)])),
    ]);
    let planned = bench.plan(&config, &Value::Null).await.expect();
    assert_eq!(planned.state.field("id"), &Value::Unknown);
    assert_eq!(planned.state.field("local").field("port"), &Value::Unknown);
    assert_eq!(planned.state.field("size"), &5_i64.into());
    let made = bench.apply(&config, &Value::Null, &planned).await.expect();
    assert_eq!(made.state.field("id"), &"id-1".into());
    assert_eq!(made.state.field("local").field("port"), &8080_i64.into());
}

#[tokio::test]
async fn a_second_plan_is_empty() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into()), ("token", "hunter2".into())]);
    let made = bench.created(&config).await;
    let second = bench.plan(&config, &made.state).await.expect();
    assert_eq!(second.state, made.state);
    assert!(second.requires_replace.is_empty());
}

#[tokio::test]
async fn an_update_keeps_the_id_and_plans_other_computed_values_anew() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    let config = bench.value(&[("name", "a".into()), ("size", 7_i64.into())]);
    let planned = bench.plan(&config, &made.state).await.expect();
    assert_eq!(planned.state.field("id"), &"id-1".into());
    assert_eq!(planned.state.field("etag"), &Value::Unknown);
    assert!(planned.requires_replace.is_empty());
    let updated = bench.apply(&config, &made.state, &planned).await.expect();
    assert_eq!(updated.state.field("size"), &7_i64.into());
}

#[tokio::test]
async fn a_replacement_is_planned_twice_the_second_time_as_a_create() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    let config = bench.value(&[("name", "b".into())]);
    let first = bench.plan(&config, &made.state).await.expect();
    assert_eq!(first.requires_replace.len(), 1);
    assert!(first.requires_replace[0].contains("name"));
    let second = bench.plan(&config, &Value::Null).await.expect();
    assert!(second.requires_replace.is_empty());
    assert_eq!(second.state.field("id"), &Value::Unknown);
}

#[tokio::test]
async fn a_path_that_does_not_change_is_not_sent_as_replacing() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    // The plan decides that the new name means the old thing, so its modifier's path falls away.
    bench.knob(|knobs| {
        knobs.plan = Some(|mut planned| {
            planned.state.name = "a".into();
            Ok(planned)
        });
    });
    let planned = bench
        .plan(&bench.value(&[("name", "A".into())]), &made.state)
        .await
        .expect();
    assert!(planned.requires_replace.is_empty());
}

#[tokio::test]
async fn a_destroy_is_planned_as_null_after_asking_the_resource() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    let planned = bench.plan(&Value::Null, &made.state).await.expect();
    assert_eq!(planned.state, Value::Null);
    assert_eq!(planned.warnings(), ["going: away"]);
    assert_eq!(bench.knobs.lock().unwrap().destroys_planned, 1);
    let gone = bench
        .apply(&Value::Null, &made.state, &planned)
        .await
        .expect();
    assert_eq!(gone.state, Value::Null);
    assert!(gone.private.is_empty());
}

#[tokio::test]
async fn a_write_only_value_reaches_the_resource_and_nothing_else() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into()), ("token", "hunter2".into())]);
    let planned = bench.plan(&config, &Value::Null).await.expect();
    assert_eq!(planned.state.field("token"), &Value::Null);
    bench.knob(|knobs| {
        knobs.create = Some(|mut planned| {
            planned.id = "1".into();
            planned.etag = "e".into();
            planned.token = crate::convert::Secret::new("hunter2".to_owned()).into();
            Ok(crate::resource::Applied::new(planned))
        });
    });
    let made = bench.apply(&config, &Value::Null, &planned).await.expect();
    assert_eq!(made.state.field("token"), &Value::Null);
    assert_eq!(
        bench.knobs.lock().unwrap().config_token.as_deref(),
        Some("hunter2")
    );
}

#[tokio::test]
async fn what_is_gone_is_read_as_null_and_drift_as_it_is() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    bench.knob(|knobs| {
        knobs.read = Some(|mut state| {
            state.size = 9.into();
            Ok(Some(state.into()))
        });
    });
    assert_eq!(
        bench
            .read(&made.state, &[])
            .await
            .expect()
            .state
            .field("size"),
        &9_i64.into()
    );
    bench.knob(|knobs| knobs.read = Some(|_| Ok(None)));
    assert_eq!(
        bench.read(&made.state, &[]).await.expect().state,
        Value::Null
    );
}

#[tokio::test]
async fn private_state_travels_from_plan_to_apply_to_read() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into())]);
    bench.knob(|knobs| {
        knobs.plan = Some(|planned| {
            let mut private = crate::PrivateState::new();
            private.set("nonce", "n1").unwrap();
            Ok(planned.private(private))
        });
    });
    let planned = bench.plan(&config, &Value::Null).await.expect();
    let made = bench.apply(&config, &Value::Null, &planned).await.expect();
    assert_eq!(made.private, planned.private);
    assert_eq!(
        bench
            .read(&made.state, &made.private)
            .await
            .expect()
            .private,
        br#"{"nonce":"n1"}"#
    );
    bench.knob(|knobs| {
        knobs.read = Some(|state| {
            Ok(Some(
                Refreshed::new(state).private(crate::PrivateState::new()),
            ))
        });
    });
    assert!(
        bench
            .read(&made.state, &made.private)
            .await
            .expect()
            .private
            .is_empty()
    );
}

#[tokio::test]
async fn warnings_reach_the_user_beside_a_success_and_beside_an_error() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into())]);
    bench.knob(|knobs| {
        knobs.plan = Some(|planned| Ok(planned.warning(Diagnostic::warning("careful", "now"))))
    });
    assert_eq!(
        bench.plan(&config, &Value::Null).await.expect().warnings(),
        ["careful: now"]
    );
}

#[tokio::test]
async fn a_state_is_upgraded_by_its_version() {
    let bench = bench().configured().await;
    let upgrade = async |version: i64, json: &str| {
        let raw_state = Some(pb::RawState {
            json: json.as_bytes().to_vec(),
            flatmap: Default::default(),
        });
        let request = pb::upgrade_resource_state::Request {
            type_name: "test_thing".into(),
            version,
            raw_state,
        };
        let answer = bench
            .server
            .upgrade_resource_state(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        match answer.diagnostics.first() {
            Some(said) => Err(format!("{}: {}", said.summary, said.detail)),
            None => Ok(bench.decode(answer.upgraded_state.as_ref())),
        }
    };
    let same = upgrade(2, r#"{"name":"a","size":7,"gone":1,"token":"hunter2"}"#)
        .await
        .unwrap();
    assert_eq!(same.field("size"), &7_i64.into());
    assert_eq!(same.field("token"), &Value::Null);
    assert_eq!(
        upgrade(1, r#"{"title":"old"}"#)
            .await
            .unwrap()
            .field("name"),
        &"old".into()
    );
    assert_eq!(
        upgrade(0, "{}").await.unwrap_err(),
        "Too old: Version 0 was never released."
    );
    assert!(
        upgrade(3, "{}").await.unwrap_err().starts_with(
            "State from a newer provider: The state of test_thing has schema version 3"
        )
    );
    assert!(
        upgrade(2, r#"{"size":"hunter2"}"#)
            .await
            .unwrap_err()
            .contains("at size: expected number, found a string")
    );
}

#[tokio::test]
async fn import_finds_by_id_and_by_identity() {
    let bench = bench().configured().await;
    let import = async |id: &str, identity: Option<&str>| {
        let of = Type::object([("name", Type::String)]);
        let identity = identity.map(|name| pb::ResourceIdentityData {
            identity_data: Some(
                wire::dynamic(&Value::object([("name", name.into())]), &of).unwrap(),
            ),
        });
        let request = pb::import_resource_state::Request {
            type_name: "test_thing".into(),
            id: id.into(),
            identity,
            ..Default::default()
        };
        bench
            .server
            .import_resource_state(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    };
    for answer in [import("a", None).await, import("", Some("a")).await] {
        let imported = &answer.imported_resources[0];
        assert_eq!(
            bench.decode(imported.state.as_ref()).field("name"),
            &"a".into()
        );
        assert_eq!(imported.private, br#"{"imported":true}"#);
        assert!(imported.identity.is_some());
    }
    assert_eq!(
        import("a/b", None).await.diagnostics[0].detail,
        "The id is the thing's name."
    );
}

#[tokio::test]
async fn a_state_moves_from_a_type_that_the_resource_knows() {
    let bench = bench().configured().await;
    let moved = async |source_type: &str| {
        let request = pb::move_resource_state::Request {
            source_provider_address: "registry.terraform.io/old/old".into(),
            source_type_name: source_type.into(),
            source_state: Some(pb::RawState {
                json: br#"{"label":"a"}"#.to_vec(),
                flatmap: Default::default(),
            }),
            target_type_name: "test_thing".into(),
            ..Default::default()
        };
        bench
            .server
            .move_resource_state(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    };
    assert_eq!(
        bench
            .decode(moved("old_thing").await.target_state.as_ref())
            .field("name"),
        &"a".into()
    );
    assert_eq!(
        moved("other").await.diagnostics[0].detail,
        "test_thing cannot be moved to from other."
    );
}

#[tokio::test]
async fn identities_are_told_with_every_state() {
    let bench = bench().configured().await;
    let schemas = bench
        .server
        .get_resource_identity_schemas(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(schemas.identity_schemas["test_thing"].version, 1);
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    let request = pb::read_resource::Request {
        type_name: "test_thing".into(),
        current_state: bench.encode(&made.state),
        ..Default::default()
    };
    let read = bench
        .server
        .read_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    let of = Type::object([("name", Type::String)]);
    let identity = wire::value(read.new_identity.unwrap().identity_data.as_ref(), &of).unwrap();
    assert_eq!(identity.field("name"), &"a".into());
    let raw_identity = Some(pb::RawState {
        json: br#"{"name":"a"}"#.to_vec(),
        flatmap: Default::default(),
    });
    let request = pb::upgrade_resource_identity::Request {
        type_name: "test_thing".into(),
        version: 1,
        raw_identity,
    };
    let upgraded = bench
        .server
        .upgrade_resource_identity(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(upgraded.diagnostics.is_empty());
    assert!(upgraded.upgraded_identity.is_some());
}
