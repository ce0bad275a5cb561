//! ECR, by its own API: the one whose calls IAM decides about, for whoever plans.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mlops_core::images::Reference;
use mlops_core::{Error, Result};
use serde_json::{Value, json};

use super::http::Http;
use super::keys::Key;
use super::{Kept, PATIENCE, manifest};
use crate::clients::AwsClients;
use crate::query::JsonService;
use crate::settings::Secret;

/// What operations are named after.
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921";

const fn begins_with(host: &'static str) -> JsonService {
    JsonService {
        name: "ECR",
        host,
        signer: "ecr",
        target: TARGET,
    }
}

static PLAIN: JsonService = begins_with("api.ecr");
static OTHER: JsonService = begins_with("ecr");

/// Who is asked: with FIPS, or over IPv6, the hosts of ECR have another beginning than without.
pub(crate) fn service(is_plain: bool) -> &'static JsonService {
    match is_plain {
        true => &PLAIN,
        false => &OTHER,
    }
}

/// The registry of one account in one region.
pub(super) struct Ecr<'a> {
    pub(super) clients: &'a AwsClients,
    pub(super) http: &'a Http,
    pub(super) account: String,
    pub(super) region: String,
}

impl Ecr<'_> {
    /// `None` if the repository does not have it.
    pub(super) async fn manifest(&self, image: &Reference) -> Result<Option<Kept>> {
        let selector = match image.digest() {
            Some(digest) => json!({ "imageDigest": digest }),
            None => json!({ "imageTag": image.tag() }),
        };
        let body = json!({
            "registryId": self.account,
            "repositoryName": image.repository(),
            "imageIds": [selector],
            "acceptedMediaTypes": manifest::MEDIA_TYPES,
        });
        let answer = self.ask("BatchGetImage", &body, image).await?;
        let found = &answer["images"][0];
        if let (Some(digest), Some(bytes)) = (
            found["imageId"]["imageDigest"].as_str(),
            found["imageManifest"].as_str(),
        ) {
            let bytes = Bytes::copy_from_slice(bytes.as_bytes());
            return Kept::new(image, digest, bytes).map(Some);
        }
        let failure = &answer["failures"][0];
        match failure["failureCode"].as_str() {
            Some("ImageNotFound" | "ImageTagDoesNotMatchDigest") => Ok(None),
            code => Err(Error::unavailable(format!(
                "ECR BatchGetImage on {image} failed with {}: {}; try again",
                code.unwrap_or("no answer"),
                failure["failureReason"]
                    .as_str()
                    .unwrap_or("no reason is told"),
            ))),
        }
    }

    /// A blob that is small.
    pub(super) async fn blob(&self, image: &Reference, digest: &str) -> Result<Bytes> {
        let body = json!({
            "registryId": self.account,
            "repositoryName": image.repository(),
            "layerDigest": digest,
        });
        let answer = self.ask("GetDownloadUrlForLayer", &body, image).await?;
        let url = answer["downloadUrl"].as_str().ok_or_else(|| {
            Error::unavailable(format!(
                "ECR GetDownloadUrlForLayer on {image} told no address; try again"
            ))
        })?;
        // The address is a secret of its own, for some minutes.
        self.http.fetch(url, image).await
    }

    /// What the registry takes from who may use it: a name and a secret.
    pub(super) async fn key(&self, image: &Reference) -> Result<Key> {
        let answer = self.ask("GetAuthorizationToken", &json!({}), image).await?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str();
        let token = token.and_then(|token| STANDARD.decode(token).ok());
        let token = token.and_then(|token| String::from_utf8(token).ok());
        let pair = token.as_deref().and_then(|token| token.split_once(':'));
        let (name, secret) = pair.ok_or_else(|| {
            Error::unavailable("ECR GetAuthorizationToken told no token; try again")
        })?;
        Ok(Key {
            name: name.to_owned(),
            secret: Secret::new(secret),
        })
    }

    async fn ask(&self, operation: &'static str, body: &Value, image: &Reference) -> Result<Value> {
        let client = self.clients.ecr(&self.region).await?;
        let retries = self.clients.retries().with(PATIENCE);
        let asked = client.ask(&retries, operation, body, image.to_string());
        asked.await.map_err(|failure| match failure.code() {
            Some("RepositoryNotFoundException") => Error::not_found(format!(
                "there is no repository {} in registry {}; make it, or correct the name",
                image.repository(),
                image.registry()
            )),
            _ => failure.into_error(),
        })
    }
}
