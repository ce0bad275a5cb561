//! The table that the store needs, and the format that is written in it.

use aws_sdk_dynamodb::types::AttributeValue;
use mlops_aws::dynamodb::DynamoRecords;
use mlops_aws::{AwsClients, AwsSettings};
use mlops_core::Class;
use mlops_core::records::{Expect, Key, Records};
use serde_json::json;

use super::records::{failed, one, put, says};
use crate::support::{part, table};

/// The item at `key` as it lies in the table.
async fn raw(
    url: &str,
    table: &str,
    key: (&str, &str),
) -> std::collections::HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let request = table::client(url)
        .get_item()
        .table_name(table)
        .key("PK", text(key.0))
        .key("SK", text(key.1));
    let answer = request.consistent_read(true).send().await.expect("read");
    answer.item.expect("an item")
}

#[tokio::test]
async fn a_missing_table_is_one_message_that_names_the_module() {
    let url = dynamodb_local!();
    let store = table::records(url, "nowhere");
    let words = [
        "DynamoDB table nowhere in eu-west-1 does not exist",
        "modules/registry",
    ];
    let error = store.identity().await.expect_err("no table");
    says(&error, Class::Invalid, Some("registry.table"), &words);
    let write = put(&Key::new("p", "s"), Expect::Absent, json!({}));
    let error = failed(store.commit(vec![write]).await);
    says(&error, Class::Invalid, Some("registry.table"), &words);
}

#[tokio::test]
async fn a_table_with_other_keys_is_one_message_that_names_the_keys() {
    let url = dynamodb_local!();
    for (partition, sort) in [("id", None), ("PK", None), ("pk", Some("sk"))] {
        let name = table::create_with(url, partition, sort).await;
        let error = table::records(url, &name)
            .identity()
            .await
            .expect_err("another table");
        let words = [&*name, "PK and SK", "modules/registry"];
        says(&error, Class::Invalid, Some("registry.table"), &words);
    }
}

#[test]
fn what_names_no_table_is_refused() {
    for name in ["", "ab", "a table", &"x".repeat(256)] {
        let clients = AwsClients::new(table::settings("http://127.0.0.1:1")).expect("settings");
        let error = DynamoRecords::new(clients, name).expect_err(name);
        says(
            &error,
            Class::Invalid,
            Some("registry.table"),
            &["names no table"],
        );
    }
}

#[tokio::test]
async fn a_table_of_a_newer_format_is_refused_to_old_readers_and_writers() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let key = Key::new("p", "s");
    let write = || vec![put(&key, Expect::Absent, json!({"value": 1}))];
    table::records(url, &name)
        .commit(write())
        .await
        .expect("commit");
    let set = async |attribute: &str| {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        table::client(url)
            .update_item()
            .table_name(&name)
            .key("PK", text("registry"))
            .key("SK", text("format"))
            .update_expression("SET #version = :two, #needed = :two")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#needed", attribute)
            .expression_attribute_values(":two", AttributeValue::N("2".into()))
            .send()
            .await
            .expect("set");
    };
    set("min_writer").await;
    let store = table::records(url, &name);
    assert!(one(&store, &key).await.is_some(), "it may be read");
    let error = failed(store.commit(write()).await);
    says(
        &error,
        Class::Corrupt,
        None,
        &["has format 2", "may write", "upgrade the provider"],
    );

    set("min_reader").await;
    let error = table::records(url, &name)
        .get(&[key])
        .await
        .expect_err("newer");
    says(
        &error,
        Class::Corrupt,
        None,
        &["has format 2", "may read", "upgrade the provider"],
    );
}

#[tokio::test]
async fn a_writer_outside_of_the_home_region_is_refused_naming_the_home() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let key = Key::new("p", "s");
    let write = vec![put(&key, Expect::Absent, json!({}))];
    table::records(url, &name)
        .commit(write.clone())
        .await
        .expect("home");
    let format = raw(url, &name, ("registry", "format")).await;
    assert_eq!(
        format["home_region"],
        AttributeValue::S(table::REGION.into())
    );
    // The part has one table for each region; a replica is one that holds the same.
    let elsewhere = AwsSettings {
        region: Some("us-east-1".to_owned()),
        ..table::settings(url)
    };
    let http = table::client(url);
    let replica = http
        .config()
        .to_builder()
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"));
    let replica = aws_sdk_dynamodb::Client::from_conf(replica.build());
    table::create_by(&replica, &name, "PK", Some("SK")).await;
    let copy = replica.put_item().table_name(&name).set_item(Some(format));
    copy.send().await.expect("replicated");
    let clients = AwsClients::new(elsewhere).expect("settings");
    let store = DynamoRecords::new(clients, &name).expect("a name");
    assert!(store.identity().await.expect("read").is_some());
    let error = failed(store.commit(write).await);
    says(
        &error,
        Class::Denied,
        Some("region"),
        &["home region eu-west-1", "this is us-east-1"],
    );
}

#[tokio::test]
async fn what_a_newer_program_keeps_beside_a_document_survives_a_write() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let store = table::records(url, &name);
    let (a, b) = (Key::new("p", "a"), Key::new("p", "b"));
    let writes = [&a, &b].map(|key| put(key, Expect::Absent, json!({"value": 1})));
    let first = store.commit(writes.to_vec()).await.expect("commit");
    let text = |text: &str| AttributeValue::S(text.to_owned());
    for sort in ["a", "b"] {
        table::client(url)
            .update_item()
            .table_name(&name)
            .key("PK", text("p"))
            .key("SK", text(sort))
            .update_expression("SET future = :future")
            .expression_attribute_values(":future", text("kept"))
            .send()
            .await
            .expect("set");
    }
    let over = |key: &Key, revision| put(key, Expect::Revision(revision), json!({"value": 2}));
    // Alone, and in a transaction.
    let alone = store.commit(vec![over(&a, first[0])]).await.expect("alone");
    let both = vec![over(&a, alone[0]), over(&b, first[1])];
    let last = store.commit(both).await.expect("both");
    for sort in ["a", "b"] {
        let item = raw(url, &name, ("p", sort)).await;
        assert_eq!(item["future"], text("kept"));
        assert_eq!(item["rev"], AttributeValue::N(last[0].to_string()));
        assert_eq!(item["doc"], text(r#"{"value":2}"#));
    }
}

#[tokio::test]
async fn only_events_expire() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let store = table::records(url, &name);
    let (event, other) = (Key::new("events#model#fraud", "1"), Key::new("p", "1"));
    let expiring = json!({"expires_at": 1_900_000_000});
    let writes = [&event, &other].map(|key| put(key, Expect::Absent, expiring.clone()));
    store.commit(writes.to_vec()).await.expect("commit");
    let item = raw(url, &name, ("events#model#fraud", "1")).await;
    assert_eq!(item["expires_at"], AttributeValue::N("1900000000".into()));
    let item = raw(url, &name, ("p", "1")).await;
    assert!(!item.contains_key("expires_at"));
}
