//! Buckets, stores in them, and a client that looks behind the adapter.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use mlops_aws::s3::{S3Artifacts, S3Settings};
use mlops_aws::{AwsClients, AwsSettings, Endpoints, Patience};

use crate::support::table::{self, REGION};

/// Settings for a part at `url`.
pub(crate) fn settings(url: &str) -> AwsSettings {
    AwsSettings {
        endpoints: Endpoints {
            s3: Some(url.to_owned()),
            ..Endpoints::default()
        },
        s3_use_path_style: true,
        ..table::settings(url)
    }
}

/// Parts of 5 MiB, the least that S3 takes.
pub(crate) fn small_parts(bucket: &str) -> S3Settings {
    S3Settings {
        prefix: "ml".to_owned(),
        part_size: 5 << 20,
        ..S3Settings::new(bucket)
    }
}

/// The store with these settings at `url`.
pub(crate) fn store_with(url: &str, settings: S3Settings) -> S3Artifacts {
    store_of(url, settings, Duration::from_secs(2))
}

/// The same, where a call may take this long to move a byte or to answer.
pub(crate) fn store_of(url: &str, settings: S3Settings, attempt: Duration) -> S3Artifacts {
    let patience = Patience {
        total: Duration::from_secs(30),
        unreachable: Duration::from_secs(2),
        attempt,
    };
    let clients = AwsClients::with_patience(self::settings(url), patience).expect("settings");
    S3Artifacts::new(clients, settings).expect("a bucket")
}

/// The store in `bucket` at `url`.
pub(crate) fn store(url: &str, bucket: &str) -> S3Artifacts {
    store_with(url, small_parts(bucket))
}

/// A client of the SDK itself.
pub(crate) fn client(url: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(keys)
        .endpoint_url(url)
        .force_path_style(true)
        .http_client(http)
        .build();
    Client::from_conf(config)
}

/// A fresh bucket; its name.
pub(crate) async fn create(url: &str) -> String {
    create_with(url, false).await
}

/// A fresh bucket, with object lock (and so with versions) or without; its name.
pub(crate) async fn create_with(url: &str, locked: bool) -> String {
    let name = format!("artifacts-{}", uuid::Uuid::new_v4().simple());
    let request = client(url).create_bucket().bucket(&name);
    let place = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::from(REGION))
        .build();
    let request = request
        .object_lock_enabled_for_bucket(locked)
        .create_bucket_configuration(place);
    request.send().await.expect("a bucket");
    name
}

/// The keys that lie in a bucket.
pub(crate) async fn keys(url: &str, bucket: &str) -> Vec<String> {
    let all = client(url).list_objects_v2().bucket(bucket).send().await;
    let all = all.expect("a list");
    all.contents()
        .iter()
        .filter_map(|object| object.key().map(str::to_owned))
        .collect()
}

/// The uploads that are under way in a bucket: keys and ids.
pub(crate) async fn uploads(url: &str, bucket: &str) -> Vec<(String, String)> {
    let all = client(url).list_multipart_uploads().bucket(bucket).send();
    let all = all.await.expect("a list");
    all.uploads()
        .iter()
        .map(|upload| {
            let (key, id) = (upload.key(), upload.upload_id());
            (
                key.expect("a key").to_owned(),
                id.expect("an id").to_owned(),
            )
        })
        .collect()
}

/// The bytes under a key.
pub(crate) async fn read(url: &str, bucket: &str, key: &str) -> Vec<u8> {
    let object = client(url).get_object().bucket(bucket).key(key).send();
    let object = object.await.expect("an object");
    object.body.collect().await.expect("bytes").to_vec()
}

/// Puts bytes under a key, as somebody else would.
pub(crate) async fn write(url: &str, bucket: &str, key: &str, bytes: &[u8]) {
    let request = client(url).put_object().bucket(bucket).key(key);
    let request = request.body(bytes.to_vec().into());
    request.send().await.expect("written");
}

/// Bytes that look like nothing else's: `seed` says which.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A directory of these files.
pub(crate) fn tree(at: &Path, files: &[(&str, &[u8])]) -> PathBuf {
    let root = at.join(uuid::Uuid::new_v4().to_string());
    for (path, bytes) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("directory");
        std::fs::write(path, bytes).expect("file");
    }
    root
}
