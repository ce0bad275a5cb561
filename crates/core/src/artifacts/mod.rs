//! Artifacts: trees of files whose identity is their content.
//!
//! An artifact's digest is the SHA-256 of its manifest, a text of one line per file, sorted
//! bytewise by path:
//!
//! ```text
//! mlops-manifest-v1
//! <sha256 of the file, 64 hex digits> <size in bytes, decimal> <path>
//! ```
//!
//! Every line ends with a newline. Paths are relative, UTF-8, joined by `/`, without `.`, `..` or
//! control characters. A source that is a single file is a tree of one file named `model` plus its
//! extension in lower case (`digits-v2.ONNX` is `model.onnx`), so that the same bytes under
//! another name are the same artifact. Names of directories, permissions and times do not count;
//! symbolic links count as what they point to.

mod cache;
mod digest;
mod remote;
mod source;
mod store;
mod verified;

pub use cache::{DigestCache, FileStamp, NoDigestCache, RunDigests};
pub use digest::{Artifact, Digest, FileEntry};
pub use remote::{RemoteFile, RemoteSource, RemoteTree};
pub use source::{SourceFile, SourceTree, describe_source, hash_source};
pub use store::{ArtifactReader, ArtifactStore, StoredArtifact, UnfinishedUploads};
pub use verified::Verified;
