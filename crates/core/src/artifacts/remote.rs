//! Sources that lie elsewhere than on this machine.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::Digest;
use super::digest::check_path;
use crate::error::{Error, Result};

/// A file of a remote source, not read yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteFile {
    /// Its path within the source; the name, if it is the whole source.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The service's word for these bytes, such as an entity tag: another one once they change.
    pub tag: String,
}

/// What lies under a URI at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTree {
    uri: String,
    files: Vec<RemoteFile>,
    single: bool,
}

impl RemoteTree {
    /// The URI names one file.
    ///
    /// # Errors
    /// `Invalid`, with attribute `source`: it is empty, or its name cannot be a file's.
    pub fn file(uri: impl Into<String>, file: RemoteFile) -> Result<Self> {
        let uri = uri.into();
        check_path(&file.path)?;
        if file.path.contains('/') {
            return Err(Error::bug(format!(
                "{:?} is no file's name; report this",
                file.path
            )));
        }
        if file.size == 0 {
            return Err(Error::invalid(format!(
                "source {uri} is an empty file; was the model written there?"
            ))
            .at("source"));
        }
        Ok(Self {
            uri,
            files: vec![file],
            single: true,
        })
    }

    /// The URI names a directory.
    ///
    /// # Errors
    /// `Invalid`, with attribute `source`: a path would leave the directory, or is a file's and a directory's at once,
    /// which file systems have not and object stores have. `NotFound` without files.
    pub fn directory(uri: impl Into<String>, mut files: Vec<RemoteFile>) -> Result<Self> {
        let uri = uri.into();
        if files.is_empty() {
            return Err(Error::not_found(format!(
                "source {uri} does not exist: no object has this key or lies below it; upload the model first, or correct the URI"
            ))
            .at("source"));
        }
        for file in &files {
            check_path(&file.path)?;
        }
        files.sort();
        let clash = files.iter().find(|file| {
            let below = format!("{}/", file.path);
            let next = files.partition_point(|other| other.path < below);
            files
                .get(next)
                .is_some_and(|other| other.path.starts_with(&below))
        });
        if let Some(file) = clash {
            return Err(Error::invalid(format!(
                "source {uri} holds {0:?} and files below {0:?}/; no directory can hold both, so rename or remove one",
                file.path
            ))
            .at("source"));
        }
        Ok(Self {
            uri,
            files,
            single: false,
        })
    }

    /// Where it lies.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// At least one, by path.
    pub fn files(&self) -> &[RemoteFile] {
        &self.files
    }

    /// Another value once any of the files is another.
    pub fn fingerprint(&self) -> Digest {
        let mut hasher = Sha256::new();
        let mut field = |text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        field(&self.uri);
        for file in &self.files {
            field(&file.path);
            field(&file.size.to_string());
            field(&file.tag);
        }
        Digest::finish(hasher)
    }

    /// The source on this machine, once [`RemoteSource::fetch`] has written it below `directory`.
    pub fn below(&self, directory: &Path) -> PathBuf {
        if self.single {
            directory.join(&self.files[0].path)
        } else {
            directory.to_owned()
        }
    }
}

/// The port to sources elsewhere.
#[async_trait]
pub trait RemoteSource: Send + Sync {
    /// Lists what lies under a URI. No bytes are read, and nothing is written anywhere.
    ///
    /// Every error has attribute `source`; `NotFound` if there is nothing.
    async fn look(&self, uri: &str) -> Result<RemoteTree>;

    /// Writes the files below `directory`, which is there and empty, through a fixed amount of memory.
    ///
    /// Fails (`Conflict`, attribute `source`) if a file is no longer the one that was looked at.
    async fn fetch(&self, tree: &RemoteTree, directory: &Path) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64, tag: &str) -> RemoteFile {
        RemoteFile {
            path: path.into(),
            size,
            tag: tag.into(),
        }
    }

    #[test]
    fn a_fingerprint_is_another_once_a_file_is_and_the_same_in_any_order() {
        let tree = |files| {
            RemoteTree::directory("s3://b/m/", files)
                .unwrap()
                .fingerprint()
        };
        let first = tree(vec![file("a", 1, "x"), file("b", 2, "y")]);
        assert_eq!(first, tree(vec![file("b", 2, "y"), file("a", 1, "x")]));
        for other in [
            vec![file("a", 1, "x"), file("b", 2, "z")],
            vec![file("a", 1, "x"), file("b", 3, "y")],
            vec![file("a", 1, "x"), file("c", 2, "y")],
            vec![file("a", 1, "x")],
        ] {
            assert_ne!(first, tree(other));
        }
    }

    #[test]
    fn what_no_directory_can_hold_is_refused_before_a_byte_is_written() {
        for (files, class, says) in [
            (vec![], crate::Class::NotFound, "does not exist"),
            (
                vec![file("../a", 1, "x")],
                crate::Class::Invalid,
                "leaves the tree",
            ),
            (
                vec![file("a//b", 1, "x")],
                crate::Class::Invalid,
                "leaves the tree",
            ),
            (
                vec![file("a", 1, "x"), file("a-b", 1, "x"), file("a/b", 1, "x")],
                crate::Class::Invalid,
                "no directory can hold both",
            ),
        ] {
            let error = RemoteTree::directory("s3://b/m/", files).unwrap_err();
            assert_eq!(error.class(), class, "{error}");
            assert_eq!(error.attribute(), Some("source"), "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
        let empty = RemoteTree::file("s3://b/m.onnx", file("m.onnx", 0, "x")).unwrap_err();
        assert!(empty.to_string().contains("empty file"), "{empty}");
    }

    #[test]
    fn a_source_lies_where_it_was_fetched_to() {
        let at = Path::new("/there");
        let one = RemoteTree::file("s3://b/m.onnx", file("m.onnx", 1, "x")).unwrap();
        assert_eq!(one.below(at), Path::new("/there/m.onnx"));
        let many = RemoteTree::directory("s3://b/m/", vec![file("a/b", 1, "x")]).unwrap();
        assert_eq!(many.below(at), at);
    }
}
