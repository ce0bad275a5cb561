//! Where a version may be registered from: URIs, and which of this machine's files they may name.

use std::path::{Component, Path, PathBuf};

use mlops_core::artifacts::{FileStamp, SourceTree, describe_source};
use mlops_core::names::{AliasId, ModelName, VersionId};
use mlops_core::{Error, Result};
use percent_encoding::percent_decode_str;

/// Which files of this machine callers may have registered. The default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    allowed: Allowed,
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
        })
    }

    /// Refuses a path outside of the roots. What is refused by its spelling is refused before the
    /// disk is asked, so that nobody learns what else there is.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
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
                "it is neither a path, a file:// URI, nor models:/NAME/VERSION; download the model and register its directory",
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

    #[test]
    fn whatever_cannot_be_registered_is_refused_naming_the_way_out() {
        for (uri, part) in [
            ("", "relative"),
            ("model.onnx", "relative"),
            ("runs:/abc/model", "keeps no runs"),
            ("s3://bucket/key", "download the model"),
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
