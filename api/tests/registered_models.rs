//! `registered-models`, request by request.

mod world;

use mlops_core::registry::{ModelDeletionPolicy, ModelSpec};
use serde_json::{Value, json};
use world::World;

const INVALID: (u16, &str) = (400, "INVALID_PARAMETER_VALUE");
const MISSING: (u16, &str) = (404, "RESOURCE_DOES_NOT_EXIST");

#[tokio::test]
async fn a_model_is_answered_as_it_was_created_and_changed() {
    let world = World::still();
    let body = json!({"name": "fraud", "description": "d", "tags": [{"key": "b", "value": "2"}, {"key": "a", "value": "1"}]});
    let made = world.done("POST", "registered-models/create", body).await;
    let at = made["registered_model"]["creation_timestamp"].clone();
    assert!(at.is_i64(), "{made}");
    let expected = json!({"registered_model": {
        "name": "fraud",
        "creation_timestamp": at,
        "last_updated_timestamp": at,
        "description": "d",
        "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
    }});
    assert_eq!(made, expected);
    let get = "registered-models/get?name=fraud";
    assert_eq!(world.done("GET", get, Value::Null).await, expected);

    let body = json!({"name": "fraud", "description": "e"});
    let changed = world.done("PATCH", "registered-models/update", body).await;
    assert_eq!(changed["registered_model"]["description"], "e");
    for (method, path, body) in [
        (
            "POST",
            "set-tag",
            json!({"name": "fraud", "key": "c", "value": "3"}),
        ),
        ("DELETE", "delete-tag", json!({"name": "fraud", "key": "a"})),
        (
            "DELETE",
            "delete-tag",
            json!({"name": "fraud", "key": "nobody"}),
        ),
    ] {
        let path = format!("registered-models/{path}");
        assert_eq!(world.done(method, &path, body).await, json!({}));
    }
    let found = world.done("GET", get, Value::Null).await;
    let tags = json!([{"key": "b", "value": "2"}, {"key": "c", "value": "3"}]);
    assert_eq!(found["registered_model"]["tags"], tags);
    assert_eq!(found["registered_model"]["description"], "e");

    let body = json!({"name": "fraud", "description": ""});
    let cleared = world.done("PATCH", "registered-models/update", body).await;
    assert_eq!(cleared["registered_model"].get("description"), None);
    let delete = json!({"name": "fraud"});
    assert_eq!(
        world
            .done("DELETE", "registered-models/delete", delete)
            .await,
        json!({})
    );
    world
        .refused(("GET", get, Value::Null), MISSING, &["name=fraud"])
        .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_the_envelope() {
    let world = World::still();
    world.create_model("fraud").await;
    for (path, body, expected, part) in [
        (
            "create",
            json!({"name": "fraud"}),
            (400, "RESOURCE_ALREADY_EXISTS"),
            "already exists",
        ),
        ("create", json!({}), INVALID, "'name'"),
        ("create", json!({"name": ""}), INVALID, "'name'"),
        ("create", json!({"name": 5}), INVALID, "a string"),
        (
            "create",
            json!({"name": "a/b"}),
            INVALID,
            "legal model name",
        ),
        (
            "create",
            json!({"name": "x", "tags": "t"}),
            INVALID,
            "'tags'",
        ),
        ("create", json!([]), INVALID, "JSON object"),
        ("set-tag", json!({"name": "fraud"}), INVALID, "'key'"),
        (
            "set-tag",
            json!({"name": "none", "key": "k"}),
            MISSING,
            "name=none",
        ),
        (
            "alias",
            json!({"name": "fraud", "alias": "a", "version": "x"}),
            INVALID,
            "integer",
        ),
        (
            "alias",
            json!({"name": "fraud", "alias": "a", "version": "9"}),
            MISSING,
            "version=9",
        ),
        (
            "alias",
            json!({"name": "none", "alias": "a", "version": "1"}),
            MISSING,
            "name=none",
        ),
        (
            "alias",
            json!({"name": "fraud", "alias": "Latest", "version": "1"}),
            INVALID,
            "reserved",
        ),
        (
            "alias",
            json!({"name": "fraud", "alias": "v1", "version": "1"}),
            INVALID,
            "reserved",
        ),
        (
            "get-latest-versions",
            json!({"name": "fraud", "stages": ["Best"]}),
            INVALID,
            "Best",
        ),
    ] {
        let path = format!("registered-models/{path}");
        world
            .refused(("POST", &path, body), expected, &[part])
            .await;
    }
    for (path, expected, part) in [
        ("get", INVALID, "'name'"),
        ("get?name=none", MISSING, "none"),
        ("alias?name=fraud&alias=none", INVALID, "none"),
        ("search?max_results=1001", INVALID, "1000"),
        ("search?max_results=0", INVALID, "1000"),
        ("search?filter=nam%3D%27x%27", INVALID, "nam"),
        ("search?order_by=size", INVALID, "size"),
        ("search?order_by=name%20UP", INVALID, "name UP"),
        ("search?page_token=zzz", INVALID, "page token"),
    ] {
        let path = format!("registered-models/{path}");
        world
            .refused(("GET", &path, Value::Null), expected, &[part])
            .await;
    }
    for path in ["registered-models/delete", "registered-models/alias"] {
        let body = json!({"name": "none", "alias": "a"});
        world
            .refused(("DELETE", path, body), MISSING, &["none"])
            .await;
    }
    let nowhere = (404, "ENDPOINT_NOT_FOUND");
    world
        .refused(("GET", "registered-models/list", Value::Null), nowhere, &[])
        .await;
    let wrong = (405, "ENDPOINT_NOT_FOUND");
    world
        .refused(
            ("POST", "registered-models/get", json!({})),
            wrong,
            &["POST"],
        )
        .await;
}

#[tokio::test]
async fn a_model_is_not_renamed_because_its_name_is_its_identity() {
    let world = World::still();
    world.create_model("fraud").await;
    let rename = |to: &str| json!({"name": "fraud", "new_name": to});
    let path = "registered-models/rename";
    world
        .refused(
            ("POST", path, rename("other")),
            (501, "NOT_IMPLEMENTED"),
            &["identity", "models:/fraud/VERSION"],
        )
        .await;
    world
        .refused(
            ("POST", path, json!({"name": "fraud"})),
            INVALID,
            &["'new_name'"],
        )
        .await;
    world
        .refused(("POST", path, rename("a/b")), INVALID, &[])
        .await;
    let same = world.done("POST", path, rename("fraud")).await;
    assert_eq!(same["registered_model"]["name"], "fraud");
}

#[tokio::test]
async fn a_model_whose_owner_forbids_it_is_not_deleted() {
    let world = World::still();
    let spec = ModelSpec {
        deletion_policy: ModelDeletionPolicy::Prevent,
        ..ModelSpec::default()
    };
    world
        .registry
        .create_model(&"fraud".parse().unwrap(), spec)
        .await
        .unwrap();
    let delete = (
        "DELETE",
        "registered-models/delete",
        json!({"name": "fraud"}),
    );
    world
        .refused(delete, (409, "RESOURCE_CONFLICT"), &["PREVENT"])
        .await;
}

#[tokio::test]
async fn models_are_searched_filtered_ordered_and_paged() {
    let world = World::still();
    for (name, team) in [
        ("fraud-eu", "risk"),
        ("fraud-us", "risk"),
        ("churn", "growth"),
        ("Fraud", "risk"),
    ] {
        let body = json!({"name": name, "tags": [{"key": "team", "value": team}]});
        world.done("POST", "registered-models/create", body).await;
    }
    for (query, expected) in [
        ("", vec!["Fraud", "churn", "fraud-eu", "fraud-us"]),
        ("filter=name%3D%27churn%27", vec!["churn"]),
        (
            "filter=name+LIKE+%27fraud%25%27",
            vec!["fraud-eu", "fraud-us"],
        ),
        (
            "filter=name+ILIKE+%27fraud%25%27",
            vec!["Fraud", "fraud-eu", "fraud-us"],
        ),
        ("filter=tags.team%3D%27growth%27", vec!["churn"]),
        (
            "filter=tag.team%3D%27risk%27+AND+name+LIKE+%27%25us%27",
            vec!["fraud-us"],
        ),
        ("filter=name+IN+(%27churn%27,%27none%27)", vec!["churn"]),
        ("filter=name%3D%27a%2Fb%27", vec![]),
        (
            "order_by=name+DESC",
            vec!["fraud-us", "fraud-eu", "churn", "Fraud"],
        ),
        (
            "order_by=timestamp+DESC&order_by=name",
            vec!["Fraud", "churn", "fraud-eu", "fraud-us"],
        ),
    ] {
        let path = format!("registered-models/search?{query}");
        let found = world.done("GET", &path, Value::Null).await;
        assert_eq!(names(&found), expected, "{query}");
        assert_eq!(found.get("next_page_token"), None, "{query}");
    }
}

#[tokio::test]
async fn pages_hold_every_model_once_whatever_happens_between_them() {
    let world = World::still();
    for name in ["a", "b", "c", "d", "e"] {
        world.create_model(name).await;
    }
    let search = "registered-models/search?max_results=2&order_by=name+DESC";
    let first = world.done("GET", search, Value::Null).await;
    assert_eq!(names(&first), ["e", "d"]);
    let token = first["next_page_token"].as_str().unwrap();
    // What is deleted and added before the page does not shift it.
    world
        .done("DELETE", "registered-models/delete", json!({"name": "e"}))
        .await;
    world.create_model("f").await;
    let second = world
        .done("GET", &format!("{search}&page_token={token}"), Value::Null)
        .await;
    assert_eq!(names(&second), ["c", "b"]);
    let token = second["next_page_token"].as_str().unwrap();
    let third = world
        .done("GET", &format!("{search}&page_token={token}"), Value::Null)
        .await;
    assert_eq!(names(&third), ["a"]);
    assert_eq!(third.get("next_page_token"), None);
    let other = format!("registered-models/search?max_results=2&page_token={token}");
    world
        .refused(("GET", &other, Value::Null), INVALID, &["page token"])
        .await;
}

#[tokio::test]
async fn changes_of_one_model_at_once_are_all_kept() {
    let world = World::new();
    world.create_model("fraud").await;
    let set = |n: usize| {
        let body = json!({"name": "fraud", "key": format!("k{n:02}"), "value": "x"});
        world.done("POST", "registered-models/set-tag", body)
    };
    futures::future::join_all((0..16).map(set)).await;
    let found = world
        .done("GET", "registered-models/get?name=fraud", Value::Null)
        .await;
    assert_eq!(
        found["registered_model"]["tags"].as_array().unwrap().len(),
        16
    );
}

fn names(found: &Value) -> Vec<&str> {
    match found.get("registered_models") {
        None => Vec::new(),
        Some(models) => models
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["name"].as_str().unwrap())
            .collect(),
    }
}
