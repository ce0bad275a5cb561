//! Images of containers: how they are named, what is known of them, and the port to the registries that hold them.
//!
//! A tag may move, so nothing runs by one: it is resolved to a digest when a plan is made, and the digest is what runs. Why:
//! `docs/decisions/0029-image-tags.md`.

mod container;
mod parcel;
mod platform;
mod reference;

use async_trait::async_trait;

pub use self::container::ContainerImage;
pub use self::parcel::{Blobs, Document, Parcel, Publisher, Sent};
pub use self::platform::Platform;
pub use self::reference::Reference;
use crate::error::Result;

/// What a registry says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `sha256:DIGEST`, of its index if it is for several platforms.
    pub digest: String,
    /// What it runs on, sorted; without what is no program, such as the attestations of a build.
    pub platforms: Vec<Platform>,
    /// What one machine pulls at most, in bytes, packed as it is; `None` if that was not asked for.
    pub size: Option<u64>,
}

/// What holds images. It only reads.
#[async_trait]
pub trait Images: Send + Sync {
    /// The digest that an image has now; `None` if its repository does not have it. The digest of one that is named by it is that one, and nobody
    /// is asked.
    ///
    /// # Errors
    /// `NotFound` if there is no such repository, `Denied`, and whatever keeps the registry from answering.
    async fn digest(&self, image: &Reference) -> Result<Option<String>>;

    /// What is known of an image; `None` if its repository does not have it. Its size takes more calls where it is for several platforms.
    ///
    /// # Errors
    /// As [`Images::digest`], and `Corrupt` for bytes that do not have the digest that they are named by.
    async fn look(&self, image: &Reference, with_size: bool) -> Result<Option<Image>>;
}
