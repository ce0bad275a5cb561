//! Where the embedded registry lies, whose records it holds, and where it is refused. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use mlops_core::{Error, Result};

/// The directory of the implicit default, beside the configuration.
pub const DIRECTORY: &str = ".mlops";

/// Whose records: those of one namespace do not see those of another in the same directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(String);

impl Namespace {
    /// Terraform's own default workspace.
    pub const DEFAULT: &'static str = "default";

    /// A namespace of 1 to 128 characters, none of them a control character.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "{name:?} is not a legal namespace: use 1 to 128 characters and no control characters"
            ))
            .at("local.namespace"));
        }
        Ok(Self(name))
    }

    /// The workspace that Terraform runs in: `TF_WORKSPACE`, else what the file `environment` in
    /// `TF_DATA_DIR` (default `.terraform`) says, else `default`.
    ///
    /// `working` is the directory that Terraform runs in; `read` returns a file's text, if there
    /// is such a file.
    pub fn of_workspace(
        env: &BTreeMap<String, String>,
        working: &Path,
        read: impl Fn(&Path) -> Option<String>,
    ) -> Result<Self> {
        let set = |name: &str| env.get(name).filter(|value| !value.is_empty());
        if let Some(workspace) = set("TF_WORKSPACE") {
            return Self::new(workspace.as_str());
        }
        let data = set("TF_DATA_DIR").map_or(".terraform", String::as_str);
        let text = read(&working.join(data).join("environment"));
        match text.as_deref().map(str::trim) {
            None | Some("") => Self::new(Self::DEFAULT),
            Some(workspace) => Self::new(workspace),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which records of `partition` are kept: of those that all namespaces share,
    /// the empty one, which is nobody's.
    pub(crate) fn of_partition(&self, partition: &str) -> &str {
        if mlops_core::records::is_shared(partition) {
            ""
        } else {
            &self.0
        }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the implicit default lies.
pub fn default_directory(working: &Path) -> PathBuf {
    working.join(DIRECTORY)
}

/// Whether a directory lies in Terragrunt's cache, which is thrown away at will.
pub fn is_terragrunt_cache(working: &Path, env: &BTreeMap<String, String>) -> bool {
    if working
        .components()
        .any(|part| part.as_os_str() == ".terragrunt-cache")
    {
        return true;
    }
    let moved = ["TG_DOWNLOAD_DIR", "TERRAGRUNT_DOWNLOAD"];
    moved
        .iter()
        .filter_map(|name| env.get(*name))
        .any(|cache| !cache.is_empty() && working.starts_with(cache))
}

/// Whether this runs under Atlantis, which checks every pull request out anew.
pub fn is_atlantis(working: &Path, env: &BTreeMap<String, String>) -> bool {
    let parts: Vec<_> = working.components().map(|part| part.as_os_str()).collect();
    env.contains_key("ATLANTIS_TERRAFORM_VERSION")
        || parts
            .windows(2)
            .any(|pair| pair[0] == ".atlantis" && pair[1] == "repos")
}

/// Refuses the implicit default where it would be lost with the checkout.
pub fn refuse_implicit(working: &Path, env: &BTreeMap<String, String>) -> Result<()> {
    let why = if is_terragrunt_cache(working, env) {
        "it lies in Terragrunt's cache, which may be deleted at any time"
    } else if is_atlantis(working, env) {
        "Atlantis runs this, and checks every pull request out anew"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!(
        "the registry would be kept in {}, but {why}; say provider \"mlops\" {{ local {{ path = \"/a/lasting/directory\" }} }}, or use a shared registry",
        default_directory(working).display()
    ))
    .at("local"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn the_namespace_is_the_workspace_by_variable_then_file_then_default() {
        let working = Path::new("/w");
        let file = |path: &Path| {
            (path == Path::new("/w/.terraform/environment")).then(|| "dev\n".to_owned())
        };
        let of = |pairs: &[(&str, &str)], read: &dyn Fn(&Path) -> Option<String>| {
            Namespace::of_workspace(&env(pairs), working, read)
                .unwrap()
                .to_string()
        };
        assert_eq!(of(&[("TF_WORKSPACE", "prod")], &file), "prod");
        assert_eq!(of(&[], &file), "dev");
        assert_eq!(of(&[("TF_WORKSPACE", "")], &file), "dev");
        assert_eq!(of(&[], &|_| None), "default");
        let moved = |path: &Path| (path == Path::new("/data/environment")).then(|| "qa".to_owned());
        assert_eq!(of(&[("TF_DATA_DIR", "/data")], &moved), "qa");
    }

    #[test]
    fn the_implicit_default_is_refused_in_terragrunts_cache_and_under_atlantis() {
        let plain = Path::new("/home/ann/stack");
        assert!(refuse_implicit(plain, &env(&[])).is_ok());
        let cached = Path::new("/home/ann/stack/.terragrunt-cache/x/y");
        let error = refuse_implicit(cached, &env(&[])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the registry would be kept in /home/ann/stack/.terragrunt-cache/x/y/.mlops, but it lies in Terragrunt's cache, which may be deleted at any time; say provider \"mlops\" { local { path = \"/a/lasting/directory\" } }, or use a shared registry"
        );
        assert!(
            refuse_implicit(Path::new("/tg/a/b"), &env(&[("TG_DOWNLOAD_DIR", "/tg")])).is_err()
        );
        let error =
            refuse_implicit(plain, &env(&[("ATLANTIS_TERRAFORM_VERSION", "1.11.4")])).unwrap_err();
        assert!(error.to_string().contains("Atlantis runs this"), "{error}");
        assert!(is_atlantis(
            Path::new("/home/atlantis/.atlantis/repos/o/r/1/default"),
            &env(&[])
        ));
    }

    #[test]
    fn a_namespace_with_a_newline_is_refused() {
        let error = Namespace::new("a\nb").unwrap_err();
        assert_eq!(error.attribute(), Some("local.namespace"));
    }
}
