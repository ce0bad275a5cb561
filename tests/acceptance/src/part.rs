//! Servers that stand in for AWS. `scripts/parts` puts them there and starts them.

pub mod registry;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use crate::builds;
use crate::http::{Client, Response};

/// A server of this test; it ends with it.
#[derive(Debug)]
pub struct Part {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// What else it told about itself, as JSON; null if nothing.
    pub details: Value,
    /// It ends when this is closed.
    stdin: Option<ChildStdin>,
    /// Not of one that others started.
    child: Option<Child>,
}

impl Part {
    /// Starts `scripts/parts/NAME`; the reason, where it cannot be put on this machine.
    ///
    /// # Errors
    /// What is missing.
    ///
    /// # Panics
    /// If it is there and does not start.
    pub fn start(name: &str) -> Result<Self, String> {
        let script = builds::root().join("scripts/parts").join(name);
        let mut child = Command::new(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
        let mut stderr = child.stderr.take().expect("piped");
        // Read to the end on its own thread, so that the part never waits for us.
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said);
            said
        });
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut part = Self {
            url: String::new(),
            details: Value::Null,
            stdin: child.stdin.take(),
            child: Some(child),
        };
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).expect("text") == 0 {
                let child = part.child.as_mut().expect("we started it");
                let status = child.wait().expect("its exit status");
                let said = said.join().expect("what it said");
                // 3: it cannot be put there (scripts/tools.sh, `missing`).
                assert_eq!(status.code(), Some(3), "{name} ended: {said}");
                let reason = said.lines().find(|line| line.starts_with("missing: "));
                return Err(reason.unwrap_or("missing: a part").to_owned());
            }
            if line.starts_with('{') {
                part.details = serde_json::from_str(&line).expect("what a part tells is JSON");
            }
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                part.url = format!("http://{address}");
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Ok(part);
            }
        }
    }

    /// A part that others started, by what it told about itself. They end it.
    ///
    /// # Panics
    /// If it did not tell its `endpoint`.
    #[must_use]
    pub fn of_others(details: Value) -> Self {
        Self {
            url: details["endpoint"].as_str().expect("endpoint").to_owned(),
            details,
            stdin: None,
            child: None,
        }
    }

    /// Makes a table with the keys of a registry.
    ///
    /// # Panics
    /// If the part refuses.
    pub fn make_table(&self, name: &str) {
        let body = format!(
            r#"{{"TableName": "{name}", "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{{"AttributeName": "PK", "AttributeType": "S"}}, {{"AttributeName": "SK", "AttributeType": "S"}}],
                "KeySchema": [{{"AttributeName": "PK", "KeyType": "HASH"}}, {{"AttributeName": "SK", "KeyType": "RANGE"}}]}}"#
        );
        let made = self.dynamodb("CreateTable", &body);
        assert_eq!(made.status, 200, "table {name}: {}", made.text());
    }

    /// Makes an empty bucket.
    ///
    /// # Panics
    /// If the part refuses.
    pub fn make_bucket(&self, name: &str) {
        let region = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
        let made = self.s3("PUT", &format!("/{name}"), region);
        assert_eq!(made.status, 200, "bucket {name}: {}", made.text());
    }

    /// Calls DynamoDB without a signature, which a part does not ask for.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn dynamodb(&self, operation: &str, body: &str) -> Response {
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
            ("authorization", &authorization("dynamodb")),
        ];
        let answer = Client::new(&self.url).request("POST", "/", &headers, body.as_bytes());
        answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// Calls S3 without a signature.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn s3(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> Response {
        let headers = [("authorization", authorization("s3"))];
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let answer = Client::new(&self.url).request(method, path, &headers, body.as_ref());
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}

/// What a program that speaks to AWS finds in its environment, so that it asks at this URL: a part's, or one before it.
#[must_use]
pub fn environment(url: &str) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", url.to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush-hush".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

/// What stands in the provider block, so that it asks at this URL; `registry` is what its `registry` block says.
#[must_use]
pub fn provider(url: &str, registry: &str) -> String {
    format!("{}\n  registry {{\n    {registry}\n  }}", reached(url))
}

/// The same with the embedded registry: only sources lie on AWS.
#[must_use]
pub fn reached(url: &str) -> String {
    format!(
        r#"region                      = "eu-west-1"
  access_key                  = "AKIDEXAMPLE"
  secret_key                  = "hush-hush-hush"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {{
    acm            = "{url}"
    appautoscaling = "{url}"
    autoscaling    = "{url}"
    dynamodb       = "{url}"
    s3             = "{url}"
    ecs            = "{url}"
    ecr            = "{url}"
    elbv2          = "{url}"
    route53        = "{url}"
    cloudwatch     = "{url}"
    ec2            = "{url}"
    iam            = "{url}"
    kms            = "{url}"
    logs           = "{url}"
    secretsmanager = "{url}"
    servicequotas  = "{url}"
  }}"#
    )
}

/// The region of the registry, and of all that is not said to be elsewhere.
pub const REGION: &str = "eu-west-1";

/// It tells the service; nobody checks the signature.
pub(crate) fn authorization(service: &str) -> String {
    authorization_in(REGION, service)
}

/// The same in another region.
pub(crate) fn authorization_in(region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=none"
    )
}

impl Drop for Part {
    fn drop(&mut self) {
        self.stdin = None;
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }
}
