//! What is sent to a registry, and the port to who sends it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::Reference;
use crate::error::Result;

/// A manifest or an index, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is: a media type of OCI or of Docker.
    pub media_type: String,
    /// What it says.
    pub bytes: Vec<u8>,
}

impl Document {
    /// `sha256:DIGEST`.
    pub fn digest(&self) -> String {
        format!("sha256:{:x}", Sha256::digest(&self.bytes))
    }
}

/// An image in pieces: in this order they are sent, so that a registry never has a whole of which a part is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Layers and configurations: digest and size in bytes.
    pub blobs: BTreeMap<String, u64>,
    /// The manifests that the last one names; empty if it is one itself.
    pub parts: Vec<Document>,
    /// What the image is named by.
    pub whole: Document,
}

/// Where the bytes of blobs are.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// `length` bytes of a blob, from `start` on, and no fewer.
    async fn read(&self, digest: &str, start: u64, length: u64) -> Result<Vec<u8>>;
}

/// What happened to a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The registry had this blob or manifest already.
    Kept(String),
    /// It was sent: so many bytes.
    Sent(String, u64),
}

/// Sends images to registries.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Sends what the registry does not have yet of `parcel`, and names it `to`; its name by digest. One that was interrupted is taken up by the next, piece
    /// by piece. `told` hears of each piece.
    ///
    /// # Errors
    /// `NotFound` if there is no such repository, `Denied`, `Conflict` if the tag is taken for good, and whatever keeps the registry from answering.
    async fn publish(
        &self,
        parcel: &Parcel,
        blobs: &dyn Blobs,
        to: &Reference,
        told: &(dyn Fn(Sent) + Send + Sync),
    ) -> Result<Reference>;
}
