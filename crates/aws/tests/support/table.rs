//! Tables as `modules/registry` makes them, and clients that reach them.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use mlops_aws::dynamodb::DynamoRecords;
use mlops_aws::{AwsClients, AwsSettings, Endpoints, Patience, Secret};

pub const REGION: &str = "eu-west-1";

/// Settings for a part at `url`, without STS.
pub fn settings(url: &str) -> AwsSettings {
    AwsSettings {
        region: Some(REGION.to_owned()),
        access_key: Some("AKIDEXAMPLE".to_owned()),
        secret_key: Some(Secret::new("secret")),
        endpoints: Endpoints {
            dynamodb: Some(url.to_owned()),
            ..Endpoints::default()
        },
        skip_credentials_validation: true,
        skip_metadata_api_check: true,
        ..AwsSettings::default()
    }
}

/// Times for tests: a lost answer is noticed soon.
pub fn patience() -> Patience {
    Patience {
        total: Duration::from_secs(30),
        unreachable: Duration::from_secs(2),
        attempt: Duration::from_millis(1500),
    }
}

/// The records of `table` at `url`.
pub fn records(url: &str, table: &str) -> DynamoRecords {
    let clients = AwsClients::with_patience(settings(url), patience()).expect("settings");
    DynamoRecords::new(clients, table).expect("a name")
}

/// A client of the SDK itself, to make tables and to look behind the adapter.
pub fn client(url: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(
            "AKIDEXAMPLE",
            "secret",
            None,
            None,
            "test",
        ))
        .endpoint_url(url)
        .http_client(http)
        .build();
    Client::from_conf(config)
}

/// A fresh table with the keys of a registry; its name.
pub async fn create(url: &str) -> String {
    create_with(url, "PK", Some("SK")).await
}

/// A fresh table with these keys; its name.
pub async fn create_with(url: &str, partition: &str, sort: Option<&str>) -> String {
    let name = format!("registry-{}", uuid::Uuid::new_v4().simple());
    create_by(&client(url), &name, partition, sort).await;
    name
}

/// A table of this name with these keys, by this client.
pub async fn create_by(client: &Client, name: &str, partition: &str, sort: Option<&str>) {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    let keys = [(Some(partition), KeyType::Hash), (sort, KeyType::Range)];
    for (attribute, kind) in keys {
        let Some(attribute) = attribute else { continue };
        let key = KeySchemaElement::builder()
            .attribute_name(attribute)
            .key_type(kind);
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S);
        request = request
            .key_schema(key.build().expect("complete"))
            .attribute_definitions(definition.build().expect("complete"));
    }
    request.send().await.expect("a table");
}
