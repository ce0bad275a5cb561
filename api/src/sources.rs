//! Where a version may be registered from: URIs, and which files of this machine and which objects they may name.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use mlops_core::artifacts::{FileStamp, RemoteSource, SourceTree, describe_source};
use mlops_core::names::{AliasId, ModelName, VersionId};
use mlops_core::{Error, Result};
use percent_encoding::percent_decode_str;

/// What callers may have registered. The default is nothing but copies of this registry's versions.
#[derive(Clone, Default)]
pub struct Sources {
    allowed: Allowed,
    remote: Option<Remote>,
}

/// Objects that the server may read on behalf of its callers.
#[derive(Clone)]
struct Remote {
    source: Arc<dyn RemoteSource>,
    /// The URIs below which they lie, each with its last slash; `None`: all.
    below: Option<Vec<String>>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote = self.remote.as_ref().map(|remote| &remote.below);
        f.debug_struct("Sources")
            .field("allowed", &self.allowed)
            .field("remote", &remote)
            .finish()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    Everywhere,
    /// As given, and as it is without symbolic links.
    Below(Vec<(PathBuf, PathBuf)>),
}

impl Default for Allowed {
    fn default() -> Self {
        Self::Below(Vec::new())
    }
}

impl Sources {
    /// Whatever the server's user may read: for callers who sit at the same machine.
    pub fn everywhere() -> Self {
        Self {
            allowed: Allowed::Everywhere,
            remote: None,
        }
    }

    /// Only what lies below these directories, once symbolic links are followed. Whoever may write
    /// there is trusted not to exchange files while they are read.
    ///
    /// # Errors
    /// `Invalid` for one that is not a directory.
    pub fn below(roots: &[PathBuf]) -> Result<Self> {
        let roots = roots.iter().map(|root| {
            let wrong = || {
                Error::invalid(format!(
                    "source root {} is not a directory that can be read",
                    root.display()
                ))
            };
            let given = std::path::absolute(root).map_err(|cause| wrong().because(cause))?;
            let real = given
                .canonicalize()
                .map_err(|cause| wrong().because(cause))?;
            if !real.is_dir() {
                return Err(wrong());
            }
            Ok((given, real))
        });
        Ok(Self {
            allowed: Allowed::Below(roots.collect::<Result<_>>()?),
            remote: None,
        })
    }

    /// Also objects that `source` reads: those below these URIs (`s3://BUCKET/PREFIX`), or all.
    #[must_use]
    pub fn and_remote(mut self, source: Arc<dyn RemoteSource>, below: Option<&[String]>) -> Self {
        let root = |uri: &String| format!("{}/", uri.trim_end_matches('/'));
        self.remote = Some(Remote {
            source,
            below: below.map(|roots| roots.iter().map(root).collect()),
        });
        self
    }

    /// What reads this URI, if callers may name it.
    pub(crate) fn remote(&self, uri: &str) -> Result<&Arc<dyn RemoteSource>> {
        let refused = |why: &str| Err(Error::invalid(format!("source {uri} {why}")).at("source"));
        let Some(Remote { source, below }) = &self.remote else {
            return refused(
                "cannot be registered: this server registers nothing from S3; start it with --source-root s3://BUCKET/PREFIX to allow what lies below it",
            );
        };
        let allowed = below.as_ref().is_none_or(|roots| {
            let asked = format!("{uri}/");
            roots.iter().any(|root| asked.starts_with(root))
        });
        if allowed {
            return Ok(source);
        }
        refused("is not below a prefix that this server registers from; see --source-root")
    }

    /// Refuses what callers may not name.
    pub(crate) fn admit(&self, source: &Source) -> Result<()> {
        match source {
            Source::Files(path) => self.check(path),
            Source::Remote(uri) => self.remote(uri).map(drop),
            Source::Version(_) | Source::Alias(_) => Ok(()),
        }
    }

    /// Refuses a path outside of the roots. What is refused by its spelling is refused before the
    /// disk is asked, so that nobody learns what else there is.
    fn check(&self, path: &Path) -> Result<()> {
        let Allowed::Below(roots) = &self.allowed else {
            return Ok(());
        };
        if roots.is_empty() {
            return Err(Error::invalid(
                "this server registers no files of its machine; start it with --source-root DIR to allow those below DIR, or register a copy with models:/NAME/VERSION",
            ));
        }
        let outside = || {
            Error::invalid(format!(
                "source {} is not below a directory that this server registers from; see --source-root",
                path.display()
            ))
        };
        let spelled = roots
            .iter()
            .any(|(given, real)| path.starts_with(given) || path.starts_with(real));
        if !spelled {
            return Err(outside());
        }
        match path.canonicalize() {
            Ok(real) if roots.iter().any(|(_, root)| real.starts_with(root)) => Ok(()),
            Ok(_) => Err(outside()),
            // Whoever reads it says what is wrong with it.
            Err(_) => Ok(()),
        }
    }

    /// The files at `path`, none of which may lie outside of the roots. Blocking.
    pub(crate) fn describe(&self, path: &Path) -> Result<SourceTree> {
        self.check(path)?;
        let tree = describe_source(path)?;
        for file in &tree.files {
            self.check(&file.location)?;
        }
        Ok(tree)
    }
}

/// What two looks at the same source must have in common.
pub(crate) fn stamps(tree: &SourceTree) -> Vec<&FileStamp> {
    let mut stamps: Vec<_> = tree.files.iter().map(|file| &file.stamp).collect();
    stamps.sort_by(|a, b| a.path.cmp(&b.path));
    stamps
}

/// What a source's URI names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file or directory of this machine.
    Files(PathBuf),
    /// What a service keeps under this URI.
    Remote(String),
    /// A version of this registry.
    Version(VersionId),
    /// What an alias of this registry points to now.
    Alias(AliasId),
}

impl std::str::FromStr for Source {
    type Err = Error;

    fn from_str(uri: &str) -> Result<Self> {
        if uri.starts_with('/') {
            return files(uri, uri);
        }
        let Some((scheme, rest)) = uri.split_once(':') else {
            return Err(invalid(uri, "it is a relative path; give an absolute one"));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => {
                let path = match rest.strip_prefix("//") {
                    None => rest,
                    Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
                };
                if !path.starts_with('/') {
                    return Err(invalid(
                        uri,
                        "a file URI is file:///PATH, on the server's machine",
                    ));
                }
                let path = percent_decode_str(path)
                    .decode_utf8()
                    .map_err(|_| invalid(uri, "its path is not UTF-8"))?;
                files(uri, &path)
            }
            "s3" => Ok(Source::Remote(uri.to_owned())),
            "models" => of_model(uri, rest),
            "runs" => Err(invalid(
                uri,
                "this server keeps no runs; download the run's model and register its directory, or register it from a server that has the run",
            )),
            "mlflow-artifacts" => Err(invalid(
                uri,
                "this server keeps no artifacts of runs; download them and register the directory",
            )),
            _ => Err(invalid(
                uri,
                "it is neither a path, a file:// or s3:// URI, nor models:/NAME/VERSION; download the model and register its directory",
            )),
        }
    }
}

fn files(uri: &str, path: &str) -> Result<Source> {
    if path.contains('\0') {
        return Err(invalid(uri, "it holds a NUL"));
    }
    let path = Path::new(path);
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(invalid(uri, "it holds \"..\"; give the path without it"));
    }
    Ok(Source::Files(path.to_owned()))
}

fn of_model(uri: &str, rest: &str) -> Result<Source> {
    let form = "a model of this registry is models:/NAME/VERSION or models:/NAME@ALIAS";
    let path = rest
        .strip_prefix('/')
        .filter(|path| !path.starts_with('/'))
        .ok_or_else(|| invalid(uri, form))?;
    let because = |error: Error| invalid(uri, form).because(error);
    if let Some((name, version)) = path.split_once('/') {
        let model: ModelName = name.parse().map_err(because)?;
        let version = version.parse().ok().filter(|version| *version > 0);
        let version = version.ok_or_else(|| invalid(uri, form))?;
        return Ok(Source::Version(VersionId { model, version }));
    }
    if path.contains('@') {
        return Ok(Source::Alias(path.parse().map_err(because)?));
    }
    Err(invalid(
        uri,
        "models:/ID names a logged model of a tracking server, which this server does not ask; register its directory",
    ))
}

fn invalid(uri: &str, why: &str) -> Error {
    Error::invalid(format!("source {uri:?} cannot be registered: {why}")).at("source")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use mlops_core::artifacts::RemoteTree;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_and_file_uris_name_files() {
        for (uri, path) in [
            ("/m/a b", "/m/a b"),
            ("file:///m/a%20b", "/m/a b"),
            ("file:/m", "/m"),
            ("FILE://localhost/m", "/m"),
        ] {
            assert_eq!(
                uri.parse::<Source>().unwrap(),
                Source::Files(path.into()),
                "{uri}"
            );
        }
    }

    #[test]
    fn versions_and_aliases_of_this_registry_are_named_as_clients_do() {
        let version = Source::Version("fraud/3".parse().unwrap());
        assert_eq!("models:/fraud/3".parse::<Source>().unwrap(), version);
        let alias = Source::Alias("fraud@champion".parse().unwrap());
        assert_eq!("models:/fraud@champion".parse::<Source>().unwrap(), alias);
    }

    /// Reads nothing.
    struct Nowhere;

    #[async_trait::async_trait]
    impl RemoteSource for Nowhere {
        async fn look(&self, uri: &str) -> Result<RemoteTree> {
            RemoteTree::directory(uri, Vec::new())
        }
        async fn fetch(&self, _: &RemoteTree, _: &Path) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_objects_below_a_root_are_allowed() {
        let uri = "s3://acme/models/fraud".to_owned();
        assert_eq!(uri.parse::<Source>().unwrap(), Source::Remote(uri.clone()));
        let none = Sources::everywhere().remote(&uri).err().unwrap();
        assert!(none.to_string().contains("nothing from S3"), "{none}");
        let all = Sources::default().and_remote(Arc::new(Nowhere), None);
        assert!(all.remote("s3://other/x").is_ok());
        for root in ["s3://acme/models", "s3://acme/models/"] {
            let below = Sources::default().and_remote(Arc::new(Nowhere), Some(&[root.to_owned()]));
            for yes in [
                "s3://acme/models/fraud",
                "s3://acme/models/",
                "s3://acme/models",
            ] {
                assert!(below.remote(yes).is_ok(), "{yes} below {root}");
            }
            for no in [
                "s3://acme/models-old/fraud",
                "s3://acme",
                "s3://acme2/models/fraud",
                "s3://acme/",
            ] {
                let error = below.remote(no).err().unwrap();
                assert!(error.to_string().contains("--source-root"), "{no}: {error}");
                assert_eq!(error.attribute(), Some("source"));
            }
        }
    }

    #[test]
    fn whatever_cannot_be_registered_is_refused_naming_the_way_out() {
        for (uri, part) in [
            ("", "relative"),
            ("model.onnx", "relative"),
            ("runs:/abc/model", "keeps no runs"),
            ("https://example.com/m", "download the model"),
            ("mlflow-artifacts:/1/2", "artifacts of runs"),
            ("models:/m-0123", "logged model"),
            ("models:/fraud/0", "models:/NAME/VERSION"),
            ("models:/fraud/Production", "models:/NAME/VERSION"),
            ("models://host/fraud/1", "models:/NAME/VERSION"),
            ("file://elsewhere/m", "server's machine"),
            ("/m/../etc/passwd", "\"..\""),
            ("file:///m/%2e%2e/etc/passwd", "\"..\""),
            ("file:///m%00", "NUL"),
            ("file:///%ff", "UTF-8"),
        ] {
            let error = uri.parse::<Source>().unwrap_err();
            assert!(error.to_string().contains(part), "{uri}: {error}");
            assert_eq!(error.attribute(), Some("source"), "{uri}");
        }
    }

    #[test]
    fn only_what_lies_below_a_root_is_allowed_links_and_all() {
        let directory = tempfile::tempdir().unwrap();
        let (root, other) = (
            directory.path().join("root"),
            directory.path().join("other"),
        );
        for at in [&root, &other] {
            std::fs::create_dir(at).unwrap();
            std::fs::write(at.join("model.onnx"), b"x").unwrap();
        }
        symlink(&other, root.join("out")).unwrap();
        symlink(root.join("model.onnx"), root.join("in.onnx")).unwrap();
        std::fs::create_dir(root.join("dir")).unwrap();
        symlink(other.join("model.onnx"), root.join("dir/model.onnx")).unwrap();
        let sources = Sources::below(std::slice::from_ref(&root)).unwrap();
        for yes in ["model.onnx", "in.onnx"] {
            sources.describe(&root.join(yes)).unwrap();
        }
        for no in [
            other.join("model.onnx"),
            root.join("out/model.onnx"),
            root.join("out"),
            root.join("dir"),
            directory.path().join("root-of-another/model.onnx"),
            directory.path().to_owned(),
        ] {
            let error = sources.describe(&no).unwrap_err();
            assert!(error.to_string().contains("--source-root"), "{error}");
        }
        let nobody = Sources::default().describe(&root.join("model.onnx"));
        assert!(nobody.unwrap_err().to_string().contains("no files"));
        Sources::everywhere().describe(&root.join("dir")).unwrap();
        assert!(Sources::below(&[root.join("model.onnx")]).is_err());
    }

    proptest! {
        #[test]
        fn no_spelling_of_a_source_leaves_its_root(uri in "(file://)?/root(/(\\.\\.|%2e%2e|%2E\\.|a|\\.|%2f|//)){0,6}") {
            if let Ok(Source::Files(path)) = uri.parse::<Source>() {
                prop_assert!(path.starts_with("/root"), "{path:?}");
                prop_assert!(!path.components().any(|part| part == Component::ParentDir));
            }
        }
    }
}
