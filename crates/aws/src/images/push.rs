//! Sends an image: blobs that the registry does not have, manifests, and the name last.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mlops_core::images::{Blobs, Document, Parcel, Publisher, Reference, Sent};
use mlops_core::{Class, Error, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Registries;
use super::distribution::{Distribution, code};
use super::host;
use super::http::{Asked, Reply, absolute, refused};

/// So much of a blob is sent at once, and held in memory.
pub(super) const CHUNK: u64 = if cfg!(test) { 1024 } else { 10 * 1024 * 1024 };
/// How long one such piece may take: a slow line.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// So often a blob is begun: a piece whose answer got lost cannot be sent again.
const TRIES: u32 = 3;

#[async_trait]
impl Publisher for Registries {
    async fn publish(
        &self,
        parcel: &Parcel,
        blobs: &dyn Blobs,
        to: &Reference,
        told: &(dyn Fn(Sent) + Send + Sync),
    ) -> Result<Reference> {
        let pushed = Pushed {
            distribution: self.distribution()?,
            url: &host::url(to.registry()),
            to,
        };
        for (digest, size) in &parcel.blobs {
            told(pushed.blob(blobs, digest, *size).await?);
        }
        for part in &parcel.parts {
            told(pushed.manifest(part, &part.digest()).await?);
        }
        let digest = parcel.whole.digest();
        told(pushed.manifest(&parcel.whole, to.selector()).await?);
        Ok(to.with_digest(&digest))
    }
}

/// One image on its way.
struct Pushed<'a> {
    distribution: &'a Distribution,
    url: &'a str,
    to: &'a Reference,
}

impl Pushed<'_> {
    fn at(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.url, self.to.repository())
    }

    async fn ask(&self, asked: Asked) -> Result<Reply> {
        self.distribution.ask(asked, self.to).await
    }

    fn refused(&self, reply: &Reply) -> Error {
        let (repository, registry) = (self.to.repository(), self.to.registry());
        match (reply.status, code(&reply.body).as_deref()) {
            (404, Some("NAME_UNKNOWN")) => Error::not_found(format!(
                "there is no repository {repository} in registry {registry}; make it, or correct --to"
            )),
            (_, Some("TAG_INVALID" | "TAG_IMMUTABLE")) => Error::conflict(format!(
                "{} names another image already, and its repository lets no tag move; name another tag with --to",
                self.to
            )),
            (401 | 403, _) => Error::denied(format!(
                "{registry} does not let whoever runs this push to {repository}: `docker login`, or for ECR allow ecr:GetAuthorizationToken, \
                 ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload and ecr:PutImage"
            ))
            .because(refused(reply, self.to, self.url)),
            _ => refused(reply, self.to, self.url),
        }
    }

    async fn blob(&self, blobs: &dyn Blobs, digest: &str, size: u64) -> Result<Sent> {
        let there = Asked::new("HEAD", self.at(&format!("blobs/{digest}")));
        let reply = self.ask(there).await?;
        // One that leads elsewhere has it as well.
        if (200..400).contains(&reply.status) {
            return Ok(Sent::Kept(digest.to_owned()));
        }
        let mut tries = 1;
        loop {
            match self.upload(blobs, digest, size).await {
                Ok(()) => return Ok(Sent::Sent(digest.to_owned(), size)),
                Err(error) if tries < TRIES && may_pass(&error) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn upload(&self, blobs: &dyn Blobs, digest: &str, size: u64) -> Result<()> {
        let reply = self
            .ask(Asked::new("POST", self.at("blobs/uploads/")))
            .await?;
        let mut at = self.next(&reply, &self.at("blobs/uploads/"))?;
        let mut sent = 0;
        // The last piece goes with the end.
        while size - sent > CHUNK {
            let piece = Bytes::from(blobs.read(digest, sent, CHUNK).await?);
            let last = sent + CHUNK - 1;
            let asked = piece_of(Asked::new("PATCH", &at), piece)
                .with("content-range", format!("{sent}-{last}"));
            let reply = self.ask(asked).await?;
            at = self.next(&reply, &at)?;
            sent += CHUNK;
        }
        let piece = Bytes::from(blobs.read(digest, sent, size - sent).await?);
        let between = if at.contains('?') { '&' } else { '?' };
        let encoded = utf8_percent_encode(digest, NON_ALPHANUMERIC);
        let mut asked = piece_of(
            Asked::new("PUT", format!("{at}{between}digest={encoded}")),
            piece,
        );
        if sent > 0 {
            asked = asked.with("content-range", format!("{sent}-{}", size - 1));
        }
        let reply = self.ask(asked).await?;
        match reply.is_success() {
            true => Ok(()),
            false => Err(self.refused(&reply)),
        }
    }

    /// Where an upload goes on.
    fn next(&self, reply: &Reply, at: &str) -> Result<String> {
        if !reply.is_success() {
            return Err(self.refused(reply));
        }
        let location = reply.header("location");
        location.map(|to| absolute(at, to)).ok_or_else(|| {
            Error::unavailable(format!(
                "{} does not say where to send {} to; check that it is a registry of containers",
                self.url, self.to
            ))
        })
    }

    async fn manifest(&self, document: &Document, name: &str) -> Result<Sent> {
        let digest = document.digest();
        let at = self.at(&format!("manifests/{name}"));
        let there = Asked::new("HEAD", &at).with("accept", &document.media_type);
        let there = self.ask(there).await?;
        if there.is_success() && there.header("docker-content-digest") == Some(digest.as_str()) {
            return Ok(Sent::Kept(digest));
        }
        let size = document.bytes.len() as u64;
        let body = Bytes::copy_from_slice(&document.bytes);
        let mut asked = Asked::new("PUT", &at).with("content-type", &document.media_type);
        asked.body = body;
        let reply = self.ask(asked).await?;
        if !reply.is_success() {
            return Err(self.refused(&reply));
        }
        match reply.header("docker-content-digest") {
            Some(told) if told != digest => Err(Error::new(
                Class::Corrupt,
                format!(
                    "{} keeps {told} in place of {digest}; report it to who runs it",
                    self.url
                ),
            )),
            _ => Ok(Sent::Sent(digest, size)),
        }
    }
}

/// A piece of a blob, which is sent once.
fn piece_of(asked: Asked, piece: Bytes) -> Asked {
    let mut asked = asked.with("content-type", "application/octet-stream");
    asked.body = piece;
    asked.limit = LIMIT;
    asked.again = false;
    asked
}

/// Whether the blob may go through when it is begun anew: an answer was lost, or the registry lost count.
fn may_pass(error: &Error) -> bool {
    matches!(error.class(), Class::Unavailable | Class::Throttled)
        || error.to_string().contains("with status 416")
}
