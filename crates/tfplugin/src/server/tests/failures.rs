use super::*;
use crate::convert::Attr;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::resource::{Applied, ApplyFailed, Deferred};

fn broken() -> Diagnostics {
    Diagnostics::error("Broken", "It broke.")
}

#[tokio::test]
async fn a_create_that_left_nothing_is_absent() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into())]);
    let planned = bench.plan(&config, &Value::Null).await.expect();
    bench.knob(|knobs| knobs.create = Some(|_| Err(broken().into())));
    let failed = bench.apply(&config, &Value::Null, &planned).await;
    assert_eq!(failed.state, Value::Null);
    assert_eq!(failed.errors(), ["Broken: It broke."]);
}

#[tokio::test]
async fn a_create_that_left_something_keeps_it_without_unknowns() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into())]);
    let planned = bench.plan(&config, &Value::Null).await.expect();
    bench.knob(|knobs| {
        knobs.create = Some(|mut planned| {
            planned.id = "half".into();
            Err(ApplyFailed::partial(broken(), planned))
        });
    });
    let failed = bench.apply(&config, &Value::Null, &planned).await;
    assert_eq!(failed.state.field("id"), &"half".into());
    assert_eq!(failed.state.field("etag"), &Value::Null);
    assert_eq!(failed.errors().len(), 1);
}

#[tokio::test]
async fn an_update_that_was_rolled_back_is_an_error_with_the_prior_state() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    let config = bench.value(&[("name", "a".into()), ("size", 7_i64.into())]);
    let planned = bench.plan(&config, &made.state).await.expect();
    bench.knob(|knobs| {
        knobs.update = Some(|_, _| {
            let mut private = crate::PrivateState::new();
            private.set("failed", "d1").unwrap();
            Err(ApplyFailed::unchanged(broken()).private(private))
        });
    });
    let failed = bench.apply(&config, &made.state, &planned).await;
    assert_eq!(failed.state, made.state);
    assert_eq!(failed.errors(), ["Broken: It broke."]);
    assert_eq!(failed.private, br#"{"failed":"d1"}"#);
}

#[tokio::test]
async fn a_delete_that_failed_keeps_the_resource() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    let planned = bench.plan(&Value::Null, &made.state).await.expect();
    bench.knob(|knobs| knobs.delete = Some(|| Err(broken().into())));
    let failed = bench.apply(&Value::Null, &made.state, &planned).await;
    assert_eq!(failed.state, made.state);
    assert_eq!(failed.errors(), ["Broken: It broke."]);
}

#[tokio::test]
async fn a_failure_without_a_reason_is_still_a_failure() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into())]);
    let planned = bench.plan(&config, &Value::Null).await.expect();
    bench.knob(|knobs| knobs.create = Some(|_| Err(Diagnostics::new().into())));
    let failed = bench.apply(&config, &Value::Null, &planned).await;
    assert!(
        failed.errors()[0].contains("gave no reason"),
        "{:?}",
        failed.errors()
    );
}

#[tokio::test]
async fn a_panic_is_a_diagnostic_that_names_the_resource_and_asks_for_a_report() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    let config = bench.value(&[("name", "a".into()), ("size", 7_i64.into())]);
    let planned = bench.plan(&config, &made.state).await.expect();
    bench.knob(|knobs| knobs.update = Some(|_, _| panic!("index out of range")));
    let failed = bench.apply(&config, &made.state, &planned).await;
    assert_eq!(failed.state, made.state);
    assert_eq!(failed.errors().len(), 1);
    let said = &failed.errors()[0];
    assert!(said.starts_with("This is a bug in the provider: The provider crashed while updating test_thing: index out of range."), "{said}");

    bench.knob(|knobs| knobs.plan = Some(|_| panic!("no plan")));
    let failed = bench.plan(&config, &made.state).await;
    assert!(
        failed.errors()[0].contains("crashed while planning test_thing: no plan"),
        "{:?}",
        failed.errors()
    );
}

#[tokio::test]
async fn a_broken_promise_is_reported_with_its_path_and_the_object_is_kept() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into())]);
    let planned = bench.plan(&config, &Value::Null).await.expect();
    bench.knob(|knobs| {
        knobs.create = Some(|mut planned| {
            planned.size = 6.into();
            planned.id = "1".into();
            Ok(Applied::new(planned))
        });
    });
    let failed = bench.apply(&config, &Value::Null, &planned).await;
    let said = failed.errors();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("While creating test_thing, the provider broke a rule of Terraform at size: it was planned with another value"), "{said:?}");
    assert!(
        said[1].contains("at etag: a stored value must be known"),
        "{said:?}"
    );
    assert_eq!(
        failed.diagnostics[0].attribute,
        Some(wire::path(&"size".into()))
    );
    assert_eq!(failed.state.field("id"), &"1".into());
    assert_eq!(failed.state.field("etag"), &Value::Null);
}

#[tokio::test]
async fn an_invalid_plan_is_refused_with_its_path() {
    let bench = bench().configured().await;
    bench.knob(|knobs| {
        knobs.plan = Some(|mut planned| {
            planned.state.name = "other".into();
            Ok(planned.requires_replace("id"))
        });
    });
    let config = bench.value(&[("name", "a".into())]);
    let failed = bench.plan(&config, &Value::Null).await;
    assert!(
        failed.errors()[0].contains("planning test_thing"),
        "{:?}",
        failed.errors()
    );
    assert!(
        failed.errors()[0].contains("at name: the planned value must be the configured one"),
        "{:?}",
        failed.errors()
    );
    assert_eq!(failed.errors().len(), 1);
}

#[tokio::test]
async fn a_path_that_replaces_without_a_change_is_reported() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    bench.knob(|knobs| knobs.plan = Some(|planned| Ok(planned.requires_replace("id"))));
    let failed = bench
        .plan(&bench.value(&[("name", "a".into())]), &made.state)
        .await;
    assert!(
        failed.errors()[0].contains("at id: a path that replaces must be one whose value changes"),
        "{:?}",
        failed.errors()
    );
}

#[tokio::test]
async fn a_read_that_knows_less_than_all_is_refused() {
    let bench = bench().configured().await;
    let made = bench.created(&bench.value(&[("name", "a".into())])).await;
    bench.knob(|knobs| {
        knobs.read = Some(|mut state| {
            state.etag = Attr::Unknown;
            Ok(Some(state.into()))
        });
    });
    let failed = bench.read(&made.state, &[]).await;
    assert!(
        failed.errors()[0]
            .contains("While reading test_thing, the provider broke a rule of Terraform at etag"),
        "{:?}",
        failed.errors()
    );
}

#[tokio::test]
async fn a_plan_is_deferred_only_where_terraform_allows_it() {
    let bench = bench().configured().await;
    bench
        .knob(|knobs| knobs.plan = Some(|planned| Ok(planned.defer(Deferred::AbsentPrerequisite))));
    let config = bench.value(&[("name", "a".into())]);
    let failed = bench.plan(&config, &Value::Null).await;
    assert!(
        failed.errors()[0].contains("deferred its plan"),
        "{:?}",
        failed.errors()
    );
    let request = pb::plan_resource_change::Request {
        type_name: "test_thing".into(),
        prior_state: bench.encode(&Value::Null),
        proposed_new_state: bench.encode(&config),
        config: bench.encode(&config),
        client_capabilities: Some(pb::ClientCapabilities {
            deferral_allowed: true,
            write_only_attributes_allowed: true,
        }),
        ..Default::default()
    };
    let answer = bench
        .server
        .plan_resource_change(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        answer.deferred.unwrap().reason,
        i32::from(pb::deferred::Reason::AbsentPrereq)
    );
}

#[tokio::test]
async fn stop_provider_reaches_a_running_apply() {
    let bench = bench().configured().await;
    let config = bench.value(&[("name", "a".into())]);
    let planned = bench.plan(&config, &Value::Null).await.expect();
    bench.knob(|knobs| knobs.wait_for_stop = true);
    let stopped = async {
        bench
            .server
            .stop_provider(Request::new(Default::default()))
            .await
            .unwrap()
    };
    let (failed, _) = tokio::join!(bench.apply(&config, &Value::Null, &planned), stopped);
    assert_eq!(failed.errors(), ["Interrupted: undone"]);
    assert_eq!(failed.state, Value::Null);
    assert!(bench.stop.is_stopped());
}

#[tokio::test]
async fn an_unconfigured_provider_says_so_and_an_unknown_type_is_named() {
    let bench = bench();
    let config = bench.value(&[("name", "a".into())]);
    assert!(
        bench.plan(&config, &Value::Null).await.errors()[0].starts_with("Provider not configured")
    );
    let request = pb::read_resource::Request {
        type_name: "test_nothing".into(),
        ..Default::default()
    };
    let answer = bench
        .server
        .read_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(
        answer.diagnostics[0]
            .detail
            .contains("has no resource test_nothing")
    );
}

#[tokio::test]
async fn damaged_values_from_the_wire_are_diagnostics() {
    let bench = bench().configured().await;
    let request = pb::read_resource::Request {
        type_name: "test_thing".into(),
        current_state: Some(pb::DynamicValue {
            msgpack: vec![0xc1],
            json: vec![],
        }),
        ..Default::default()
    };
    let answer = bench
        .server
        .read_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(
        answer.diagnostics[0]
            .detail
            .contains("malformed MessagePack at byte 1"),
        "{:?}",
        answer.diagnostics
    );
    let request = pb::read_resource::Request {
        type_name: "test_thing".into(),
        current_state: bench.encode(&bench.value(&[("name", "a".into())])),
        private: b"{".to_vec(),
        ..Default::default()
    };
    let answer = bench
        .server
        .read_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.diagnostics[0].summary, "Unreadable private state");
}

#[tokio::test]
async fn a_configuration_is_checked_by_schema_then_by_the_resource() {
    let bench = bench();
    let check = async |config: Value, write_only_attributes_allowed: bool| {
        let request = pb::validate_resource_config::Request {
            type_name: "test_thing".into(),
            config: bench.encode(&config),
            client_capabilities: Some(pb::ClientCapabilities {
                deferral_allowed: false,
                write_only_attributes_allowed,
            }),
        };
        let answer = bench
            .server
            .validate_resource_config(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        answer
            .diagnostics
            .into_iter()
            .map(|said| said.detail)
            .collect::<Vec<_>>()
    };
    assert!(
        check(
            bench.value(&[("name", "a".into()), ("token", "t".into())]),
            true
        )
        .await
        .is_empty()
    );
    assert_eq!(
        check(bench.value(&[("name", "evil".into())]), true).await,
        ["Choose another name."]
    );
    assert_eq!(
        check(bench.value(&[("name", "too long a name".into())]), true)
            .await
            .len(),
        1
    );
    assert_eq!(
        check(
            bench.value(&[("name", "a".into()), ("token", "t".into())]),
            false
        )
        .await
        .len(),
        1
    );
}

/// A schema that core would refuse, and a struct that does not fit it.
#[tokio::test]
async fn a_broken_schema_is_refused_before_core_sees_it() {
    let untyped = properties::Echo::new(
        crate::schema::Block::new().attribute("a", crate::schema::Attribute::string()),
    );
    let schema = untyped.schema();
    let bench = Bench::of(
        properties::Echo::TYPE,
        schema,
        Some(crate::resource(untyped)),
    );
    let answer = bench
        .server
        .get_provider_schema(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.diagnostics.len(), 1);
    assert!(answer.diagnostics[0].detail.contains("While declaring test_echo, the provider broke a rule of Terraform at a: an attribute must be"));
    assert!(answer.resource_schemas.contains_key("test_thing"));
}

#[test]
fn an_error_can_be_made_from_one_diagnostic() {
    let failed: ApplyFailed<Value> = Diagnostic::error("a", "b").into();
    assert!(failed.state.is_none());
    assert!(failed.diagnostics.has_errors());
}
