//! Images in registries of containers: ECR by its own API, any other by that of the distribution specification of OCI.
//!
//! Where an image lies is said by its name ([`host`]); what a registry answers is read in [`manifest`], which is pure. What is
//! found serves all who ask in a run; what is missing is asked for again. Calls go by the certificates and proxies of all other calls.

mod auth;
mod distribution;
pub(crate) mod ecr;
pub(crate) mod host;
mod http;
mod keys;
mod manifest;
mod push;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{BoxFuture, try_join_all};
use mlops_core::images::{Image, Images, Reference};
use mlops_core::{Class, Error, Result};
use sha2::{Digest as _, Sha256};

use self::distribution::Distribution;
use self::ecr::Ecr;
use self::host::Host;
use self::manifest::Manifest;
use crate::clients::AwsClients;
use crate::once::Once;
use crate::retry::Patience;
use crate::settings::AwsSettings;

/// How long a registry is asked: a plan waits for it.
const PATIENCE: Patience = Patience {
    total: Duration::from_secs(30),
    unreachable: Duration::from_secs(4),
    attempt: Duration::from_secs(10),
};

/// All registries.
pub struct Registries {
    settings: AwsSettings,
    clients: OnceLock<AwsClients>,
    environment: keys::Environment,
    digests: Once<String>,
    manifests: Once<Kept>,
    looks: Once<Image>,
    distribution: OnceLock<Distribution>,
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registries").finish_non_exhaustive()
    }
}

/// A manifest as a registry keeps it.
#[derive(Debug, Clone)]
struct Kept {
    digest: String,
    bytes: Bytes,
}

impl Kept {
    /// Bytes that a registry gave for `digest`.
    ///
    /// # Errors
    /// `Corrupt` if they have another.
    fn new(image: &Reference, digest: &str, bytes: Bytes) -> Result<Self> {
        let found = digest_of(&bytes);
        if found != digest {
            return Err(Error::new(
                Class::Corrupt,
                format!(
                    "the registry of {image} gave {found} for {digest}: its answer is not what was asked for; try again, and report it to who runs it"
                ),
            ));
        }
        Ok(Self {
            digest: found,
            bytes,
        })
    }
}

/// `sha256:…` of these bytes.
fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

impl Registries {
    /// Registries that are asked with these settings, completed from the environment when the first one is asked.
    pub fn new(settings: AwsSettings) -> Self {
        Self::made(settings, OnceLock::new())
    }

    /// Registries that are asked with clients which are in use already.
    pub fn with_clients(clients: AwsClients) -> Self {
        Self::made(AwsSettings::default(), OnceLock::from(clients))
    }

    fn made(settings: AwsSettings, clients: OnceLock<AwsClients>) -> Self {
        Self {
            settings,
            clients,
            environment: Arc::new(|name| std::env::var(name).ok()),
            digests: Once::default(),
            manifests: Once::default(),
            looks: Once::default(),
            distribution: OnceLock::new(),
        }
    }

    fn clients(&self) -> Result<&AwsClients> {
        if let Some(clients) = self.clients.get() {
            return Ok(clients);
        }
        let made = AwsClients::new(self.settings.clone())?;
        Ok(self.clients.get_or_init(|| made))
    }

    fn distribution(&self) -> Result<&Distribution> {
        if let Some(made) = self.distribution.get() {
            return Ok(made);
        }
        let made = Distribution::new(self.clients()?.clone(), self.environment.clone())?;
        Ok(self.distribution.get_or_init(|| made))
    }

    /// Who holds the image.
    fn holder(&self, image: &Reference) -> Result<Holder<'_>> {
        Ok(match Host::of(image.registry()) {
            Host::Ecr { account, region } => Holder::Ecr(Ecr {
                clients: self.clients()?,
                http: self.distribution()?.http(),
                account,
                region,
            }),
            Host::Other { url } => Holder::Other(self.distribution()?, url),
        })
    }
}

/// Who holds an image.
enum Holder<'a> {
    Ecr(Ecr<'a>),
    Other(&'a Distribution, String),
}

impl Holder<'_> {
    async fn manifest(&self, image: &Reference) -> Result<Option<Kept>> {
        match self {
            Self::Ecr(ecr) => ecr.manifest(image).await,
            Self::Other(distribution, url) => distribution.manifest(url, image).await,
        }
    }

    async fn blob(&self, image: &Reference, digest: &str) -> Result<Bytes> {
        match self {
            Self::Ecr(ecr) => ecr.blob(image, digest).await,
            Self::Other(distribution, url) => distribution.blob(url, image, digest).await,
        }
    }

    /// What one machine pulls of the image with this manifest, which is part of another.
    async fn size_of_part(&self, image: &Reference, digest: &str) -> Result<u64> {
        let part = image.with_digest(digest);
        let kept = self.manifest(&part).await?;
        let kept = kept.ok_or_else(|| {
            Error::not_found(format!(
                "{image} has a part {digest} that its repository does not have; push it anew"
            ))
        })?;
        match manifest::read(&part, &kept.bytes)? {
            Manifest::Image { size, .. } => Ok(size),
            Manifest::Index(_) => Err(Error::new(
                Class::Corrupt,
                format!("{image} is an index of an index, {digest}; push it anew"),
            )),
        }
    }
}

#[async_trait]
impl Images for Registries {
    async fn digest(&self, image: &Reference) -> Result<Option<String>> {
        if let Some(digest) = image.digest() {
            return Ok(Some(digest.to_owned()));
        }
        let ask: BoxFuture<'_, _> = Box::pin(self.digest_anew(image));
        self.digests.find(&image.to_string(), ask).await
    }

    async fn look(&self, image: &Reference, with_size: bool) -> Result<Option<Image>> {
        let key = format!("{image} {with_size}");
        let ask: BoxFuture<'_, _> = Box::pin(self.look_anew(image, with_size));
        self.looks.find(&key, ask).await
    }
}

impl Registries {
    async fn digest_anew(&self, image: &Reference) -> Result<Option<String>> {
        match self.holder(image)? {
            // It tells the digest with the manifest, which whoever looks at the image by its digest asks for next.
            holder @ Holder::Ecr(_) => {
                let Some(kept) = self.manifest(&holder, image).await? else {
                    return Ok(None);
                };
                let digest = kept.digest.clone();
                let pinned = image.with_digest(&digest).to_string();
                let known = async { Ok(Some(kept)) };
                self.manifests.find(&pinned, known).await?;
                Ok(Some(digest))
            }
            Holder::Other(distribution, url) => distribution.digest(&url, image).await,
        }
    }

    async fn manifest(&self, holder: &Holder<'_>, image: &Reference) -> Result<Option<Kept>> {
        let ask: BoxFuture<'_, _> = Box::pin(holder.manifest(image));
        self.manifests.find(&image.to_string(), ask).await
    }

    async fn look_anew(&self, image: &Reference, with_size: bool) -> Result<Option<Image>> {
        let holder = self.holder(image)?;
        let Some(Kept { digest, bytes }) = self.manifest(&holder, image).await? else {
            return Ok(None);
        };
        let image = &image.with_digest(&digest);
        let (mut platforms, size) = match manifest::read(image, &bytes)? {
            Manifest::Image { config, size } => {
                let bytes = holder.blob(image, &config).await?;
                let config = Kept::new(image, &config, bytes)?;
                (vec![manifest::platform(image, &config.bytes)?], Some(size))
            }
            Manifest::Index(parts) => {
                let sizes = async {
                    let sizes = parts
                        .iter()
                        .map(|(_, digest)| holder.size_of_part(image, digest));
                    try_join_all(sizes).await
                };
                let size = match with_size {
                    true => sizes.await?.into_iter().max(),
                    false => None,
                };
                let platforms = parts.iter().map(|(platform, _)| platform.clone());
                (platforms.collect(), size)
            }
        };
        platforms.sort();
        platforms.dedup();
        Ok(Some(Image {
            digest,
            platforms,
            size: size.filter(|_| with_size),
        }))
    }
}
