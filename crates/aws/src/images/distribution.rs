//! Registries that speak the protocol of OCI's distribution specification, which all but ECR's own calls are asked by.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mlops_core::images::Reference;
use mlops_core::{Class, Error, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::auth::Challenge;
use super::ecr::Ecr;
use super::host::{self, Host};
use super::http::{Asked, Http, Reply, absolute, origin, refused};
use super::keys::{self, Environment, Key};
use super::{Kept, manifest};
use crate::clients::AwsClients;

/// Asks registries.
pub(super) struct Distribution {
    clients: AwsClients,
    http: Http,
    environment: Environment,
    /// What a repository took last, as it stands in a header.
    admitted: Mutex<HashMap<String, String>>,
}

impl Distribution {
    pub(super) fn new(clients: AwsClients, environment: Environment) -> Result<Self> {
        Ok(Self {
            http: Http::new(&clients)?,
            clients,
            environment,
            admitted: Mutex::default(),
        })
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// The digest of an image, without its manifest where the registry tells it.
    pub(super) async fn digest(&self, url: &str, image: &Reference) -> Result<Option<String>> {
        let asked = wanted("HEAD", url, image);
        let reply = self.ask(asked, image).await?;
        let told = reply.header("docker-content-digest");
        match (reply.is_success(), told) {
            (true, Some(digest)) if digest.starts_with("sha256:") => Ok(Some(digest.to_owned())),
            // An answer to HEAD has no words: which of the two is not there is told with GET.
            _ => Ok(self.manifest(url, image).await?.map(|kept| kept.digest)),
        }
    }

    /// `None` if the repository does not have it.
    pub(super) async fn manifest(&self, url: &str, image: &Reference) -> Result<Option<Kept>> {
        let reply = self.ask(wanted("GET", url, image), image).await?;
        if reply.status == 404 {
            return match code(&reply.body).as_deref() {
                Some("NAME_UNKNOWN") => Err(Error::not_found(format!(
                    "there is no repository {} in registry {}; make it, or correct the name",
                    image.repository(),
                    image.registry()
                ))),
                Some(_) => Ok(None),
                None => Err(refused(&reply, image, url)),
            };
        }
        if !reply.is_success() {
            return Err(refused(&reply, image, url));
        }
        let told = reply.header("docker-content-digest").map(str::to_owned);
        let body = reply.body;
        // What was asked for counts, then what was told, then what came.
        let digest = image.digest().map(str::to_owned).or(told);
        let digest = digest.unwrap_or_else(|| super::digest_of(&body));
        Kept::new(image, &digest, body).map(Some)
    }

    /// A blob that is small.
    pub(super) async fn blob(&self, url: &str, image: &Reference, digest: &str) -> Result<Bytes> {
        let at = format!("{url}/v2/{}/blobs/{digest}", image.repository());
        let reply = self.ask(Asked::new("GET", &at), image).await?;
        match reply.header("location") {
            Some(elsewhere) if (300..400).contains(&reply.status) => {
                self.http.fetch(&absolute(&at, elsewhere), image).await
            }
            _ if reply.is_success() => Ok(reply.body),
            _ => Err(refused(&reply, image, url)),
        }
    }

    /// Asks, and once more with what the registry wants to see first.
    pub(super) async fn ask(&self, asked: Asked, image: &Reference) -> Result<Reply> {
        let (origin, _) = origin(&asked.url);
        let key = format!("{origin} {} {}", image.repository(), is_write(asked.method));
        let known = self.admitted().get(&key).cloned();
        let reply = self.http.ask(&with(&asked, known), image).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let challenge = Challenge::read(reply.headers("www-authenticate"));
        let Some(challenge) = challenge else {
            return Ok(reply);
        };
        let Some(header) = self.admission(&origin, image, challenge).await? else {
            return Ok(reply);
        };
        self.admitted().insert(key, header.clone());
        self.http.ask(&with(&asked, Some(header)), image).await
    }

    /// What meets the challenge; `None` if nothing is known that does.
    async fn admission(
        &self,
        origin: &str,
        image: &Reference,
        challenge: Challenge,
    ) -> Result<Option<String>> {
        match challenge {
            Challenge::Basic => {
                let key = self.key(image, origin).await?;
                Ok(key.map(|key| key.header()))
            }
            Challenge::Bearer {
                realm,
                service,
                scope,
            } => {
                let scope =
                    scope.unwrap_or_else(|| format!("repository:{}:pull", image.repository()));
                let mut url = format!("{realm}{}", if realm.contains('?') { '&' } else { '?' });
                let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                if let Some(service) = service {
                    url.push_str(&format!("service={}&", encoded(&service)));
                }
                url.push_str(&format!("scope={}", encoded(&scope)));
                let mut asked = Asked::new("GET", &url);
                if let Some(key) = self.key(image, &realm).await? {
                    asked = asked.with("authorization", key.header());
                }
                let reply = self.http.ask(&asked, image).await?;
                if !reply.is_success() {
                    return Err(refused(&reply, image, &super::http::origin(&realm).0));
                }
                let told: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                let token = told["token"].as_str().or(told["access_token"].as_str());
                let token = token.ok_or_else(|| {
                    Error::new(
                        Class::Unavailable,
                        format!(
                            "{} gave no token for {image}; try again",
                            super::http::origin(&realm).0
                        ),
                    )
                })?;
                Ok(Some(format!("Bearer {token}")))
            }
        }
    }

    /// The name and secret for the image's registry, if there are any and `url` may see them.
    async fn key(&self, image: &Reference, url: &str) -> Result<Option<Key>> {
        if !host::is_secret_there(url) {
            return Ok(None);
        }
        if let Host::Ecr { account, region } = Host::of(image.registry()) {
            let ecr = Ecr {
                clients: &self.clients,
                http: &self.http,
                account,
                region,
            };
            return ecr.key(image).await.map(Some);
        }
        keys::find(image.registry(), &self.environment).await
    }

    fn admitted(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_write(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD")
}

fn with(asked: &Asked, header: Option<String>) -> Asked {
    match header {
        Some(header) => asked.clone().with("authorization", header),
        None => asked.clone(),
    }
}

/// A request for a manifest.
fn wanted(method: &'static str, url: &str, image: &Reference) -> Asked {
    let (repository, selector) = (image.repository(), image.selector());
    Asked::new(
        method,
        format!("{url}/v2/{repository}/manifests/{selector}"),
    )
    .with("accept", manifest::MEDIA_TYPES.join(", "))
}

/// The registry's word for what is wrong.
pub(super) fn code(body: &[u8]) -> Option<String> {
    let told: Value = serde_json::from_slice(body).ok()?;
    told["errors"][0]["code"].as_str().map(str::to_owned)
}
