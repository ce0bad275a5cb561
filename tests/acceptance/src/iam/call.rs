//! Which permissions a request to DynamoDB or S3 needs.
//!
//! Source: "Actions, resources, and condition keys" of both services in the service authorization reference; that a
//! transaction needs the permissions of its parts: "Using IAM with DynamoDB transactions" in DynamoDB's guide.

use serde_json::Value;

/// The account of the emulator.
pub(super) const ACCOUNT: &str = "000000000000";

/// One permission that a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) action: String,
    /// The ARN.
    pub(super) resource: String,
    /// Condition keys and values; a key may have several.
    pub(super) context: Vec<(String, String)>,
}

impl Call {
    pub(super) fn new(action: &str, resource: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.into(),
            context: Vec::new(),
        }
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.push((key.to_owned(), value.into()));
        self
    }

    pub(super) fn context(&self, key: &str) -> Vec<&str> {
        let found = self.context.iter().filter(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str()).collect()
    }
}

/// What a call of DynamoDB needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn dynamodb(operation: &str, body: &Value) -> Vec<Call> {
    let one = |action: &str, part: &Value, key: &Value| {
        let table = part["TableName"].as_str().expect("a table's name");
        table_call(action, table).with("dynamodb:LeadingKeys", text(&key["PK"]["S"]))
    };
    match operation {
        "GetItem" | "UpdateItem" | "DeleteItem" => {
            vec![one(&format!("dynamodb:{operation}"), body, &body["Key"])]
        }
        "Query" => {
            let expression = text(&body["KeyConditionExpression"]);
            let placeholder = expression
                .split([' ', ')'])
                .find(|word| word.starts_with(':'));
            let key = &body["ExpressionAttributeValues"][placeholder.expect("a placeholder")];
            vec![one(
                "dynamodb:Query",
                body,
                &serde_json::json!({ "PK": key }),
            )]
        }
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().expect("tables");
            let call = |(table, wanted): (&String, &Value)| {
                let keys = wanted["Keys"].as_array().expect("keys");
                keys.iter()
                    .fold(table_call("dynamodb:BatchGetItem", table), |call, key| {
                        call.with("dynamodb:LeadingKeys", text(&key["PK"]["S"]))
                    })
            };
            tables.iter().map(call).collect()
        }
        "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().expect("items");
            let call = |item: &Value| {
                let (kind, part) = item
                    .as_object()
                    .and_then(|item| item.iter().next())
                    .expect("a part");
                let action = match kind.as_str() {
                    "Update" => "dynamodb:UpdateItem",
                    "Delete" => "dynamodb:DeleteItem",
                    "ConditionCheck" => "dynamodb:ConditionCheckItem",
                    other => panic!("{other} in a transaction"),
                };
                one(action, part, &part["Key"])
            };
            items.iter().map(call).collect()
        }
        other => panic!("DynamoDB's {other} is not known here"),
    }
}

fn table_call(action: &str, table: &str) -> Call {
    Call::new(
        action,
        format!("arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{table}"),
    )
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// What a request to S3 needs; `path` is `/BUCKET/KEY`.
///
/// # Panics
/// If the request is not one that the provider makes.
pub(super) fn s3(
    method: &str,
    path: &str,
    query: &str,
    source: Option<&str>,
    body: &str,
) -> Vec<Call> {
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let bucket = format!("arn:aws:s3:::{bucket}");
    let object = |key: &str| format!("{bucket}/{}", decoded(key));
    let asked = |name: &str| {
        let found = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut found = found.filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| decoded(value))
    };
    match (method, key) {
        ("GET", "") if asked("uploads").is_some() => {
            vec![Call::new("s3:ListBucketMultipartUploads", bucket)]
        }
        ("GET", "") if asked("list-type").is_some() => {
            let call = Call::new("s3:ListBucket", bucket);
            vec![match asked("prefix") {
                Some(prefix) => call.with("s3:prefix", prefix),
                None => call,
            }]
        }
        ("GET", "") if asked("policy").is_some() => {
            vec![Call::new("s3:GetBucketPolicy", bucket)]
        }
        ("POST", "") if asked("delete").is_some() => body
            .split("<Key>")
            .skip(1)
            .filter_map(|rest| rest.split("</Key>").next())
            .map(|key| Call::new("s3:DeleteObject", object(key)))
            .collect(),
        ("GET", key) if !key.is_empty() && asked("uploadId").is_some() => {
            vec![Call::new("s3:ListMultipartUploadParts", object(key))]
        }
        ("GET" | "HEAD", key) if !key.is_empty() => vec![Call::new("s3:GetObject", object(key))],
        ("PUT" | "POST", key) if !key.is_empty() => {
            let read = source.map(|source| {
                let source = decoded(source);
                Call::new(
                    "s3:GetObject",
                    format!("arn:aws:s3:::{}", source.trim_start_matches('/')),
                )
            });
            let write = Call::new("s3:PutObject", object(key));
            read.into_iter().chain([write]).collect()
        }
        ("DELETE", key) if !key.is_empty() && asked("uploadId").is_some() => {
            vec![Call::new("s3:AbortMultipartUpload", object(key))]
        }
        ("DELETE", key) if !key.is_empty() => vec![Call::new("s3:DeleteObject", object(key))],
        _ => panic!("S3's {method} {path}?{query} is not known here"),
    }
}

/// Without its percent encoding.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let hex = more.get(..2).filter(|_| *first == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
