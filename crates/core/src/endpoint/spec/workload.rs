//! What a variant runs: a version of a registry model, or an image of the user's own; and how a container of it is started.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{ModelName, VersionId};

/// What a variant runs. A record holds its fields beside those of the variant, as records did before there were images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Workload {
    /// A version of a registry model, served by the model server if it is a model's files.
    Version(BoundVersion),
    /// An image of the user's own, of which nothing is known but that it listens on a port.
    Image(OwnImage),
}

/// A version of a registry model, with the bytes that it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundVersion {
    /// The registry model.
    pub model: ModelName,
    /// The version, resolved from the configured number or alias.
    pub version: u64,
    /// Digest of the version's artifact, as the registry records it.
    pub artifact_digest: String,
    /// `REPOSITORY@sha256:DIGEST`, of a version that is an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_image: Option<String>,
}

/// An image of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnImage {
    /// `REPOSITORY@sha256:DIGEST`.
    pub image: String,
}

impl Workload {
    /// This version of a registry model.
    pub fn version(model: ModelName, version: u64, artifact_digest: impl Into<String>) -> Self {
        Self::Version(BoundVersion {
            model,
            version,
            artifact_digest: artifact_digest.into(),
            container_image: None,
        })
    }

    /// The same, where the version is this image.
    #[must_use]
    pub fn of_container(mut self, image: Option<&str>) -> Self {
        if let Self::Version(bound) = &mut self {
            bound.container_image = image.map(str::to_owned);
        }
        self
    }

    /// This image.
    pub fn image(image: impl Into<String>) -> Self {
        Self::Image(OwnImage {
            image: image.into(),
        })
    }

    /// The version, unless it is an image.
    pub fn bound(&self) -> Option<&BoundVersion> {
        match self {
            Self::Version(bound) => Some(bound),
            Self::Image(_) => None,
        }
    }

    /// The version's number, unless it is an image.
    pub fn number(&self) -> Option<u64> {
        self.bound().map(|bound| bound.version)
    }

    /// What an endpoint is bound to in the registry while it runs this; an image binds nothing.
    pub fn version_id(&self) -> Option<VersionId> {
        self.bound().map(|bound| VersionId {
            model: bound.model.clone(),
            version: bound.version,
        })
    }

    /// The image that runs in place of the model server: the user's own, or that of a version.
    pub fn own_image(&self) -> Option<&str> {
        match self {
            Self::Version(bound) => bound.container_image.as_deref(),
            Self::Image(own) => Some(&own.image),
        }
    }

    /// The version that the model server loads, unless an image runs in its place.
    pub fn served(&self) -> Option<&BoundVersion> {
        self.bound().filter(|bound| bound.container_image.is_none())
    }

    /// A few characters that tell it in a derived name: `v2`, or the beginning of an image's digest.
    pub fn label(&self) -> String {
        match self {
            Self::Version(bound) => format!("v{}", bound.version),
            Self::Image(own) => {
                let digest = own.image.rsplit(':').next().unwrap_or_default();
                digest
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .take(8)
                    .collect()
            }
        }
    }
}

/// `digits/2`, or the image.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(bound) => write!(f, "{}/{}", bound.model, bound.version),
            Self::Image(own) => f.write_str(&own.image),
        }
    }
}

/// How the container of a task is started, beside its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// The port that it listens on.
    #[serde(skip_serializing_if = "is_default_port")]
    pub port: u16,
    /// What an image is started with in place of its own command; empty: its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Environment variables whose values ECS fetches when a task starts: ARNs, never values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// The processors that it runs on; unset: what the launch type takes by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Where a model's files are kept for other tasks.
    #[serde(skip_serializing_if = "ModelCache::is_default")]
    pub model_cache: ModelCache,
}

impl Container {
    /// The default of [`Container::port`].
    pub const DEFAULT_PORT: u16 = 8080;

    /// Whether nothing was asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Container {
    fn default() -> Self {
        Self {
            port: Self::DEFAULT_PORT,
            command: Vec::new(),
            secrets: BTreeMap::new(),
            architecture: None,
            model_cache: ModelCache::None,
        }
    }
}

fn is_default_port(port: &u16) -> bool {
    *port == Container::DEFAULT_PORT
}

/// Where the tasks of a variant keep the files of their model for one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelCache {
    /// Nowhere: each task fetches them from the registry's bucket.
    #[default]
    None,
    /// In the endpoint's file system, [`EcsSpec::efs`](super::EcsSpec::efs).
    Efs,
    /// On the disk of the instance that they run on, in a volume that all tasks there share.
    Node,
}

impl ModelCache {
    /// Whether nothing was asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::None
    }
}

/// Processors, in the words of ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "X86_64")]
    X86_64,
    /// 64-bit Arm.
    #[serde(rename = "ARM64")]
    Arm64,
}

impl Architecture {
    /// The name in a configuration and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "X86_64",
            Self::Arm64 => "ARM64",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::spec::VariantSpec;

    /// A variant as it was written before there were images.
    const BEFORE: &str = r#"{"model":"digits","version":2,"artifact_digest":"sha256:aa","traffic":100.0,"shadow_percentage":0.0,"environment":{"A":"b"},"compute":{"cpu":512},"startup_timeout":"1m"}"#;

    #[test]
    fn a_variant_that_was_written_before_there_were_images_is_read_and_written_in_the_same_bytes() {
        let variant: VariantSpec = serde_json::from_str(BEFORE).unwrap();
        let model = ModelName::new("digits").unwrap();
        assert_eq!(variant.workload, Workload::version(model, 2, "sha256:aa"));
        assert!(variant.container.is_default());
        assert_eq!(variant.environment["A"], "b");
        // A deployment is known by a hash of these bytes.
        assert_eq!(serde_json::to_string(&variant).unwrap(), BEFORE);
    }

    #[test]
    fn a_variant_with_an_image_is_read_as_it_was_written() {
        let mut variant: VariantSpec = serde_json::from_str(BEFORE).unwrap();
        variant.workload = Workload::image("example.com/server@sha256:00");
        variant.container = Container {
            port: 9000,
            command: vec!["serve".to_owned()],
            secrets: [("TOKEN".to_owned(), "arn".to_owned())].into(),
            architecture: Some(Architecture::Arm64),
            model_cache: ModelCache::None,
        };
        let text = serde_json::to_value(&variant).unwrap();
        assert_eq!(text["image"], "example.com/server@sha256:00");
        assert_eq!(text["container"]["architecture"], "ARM64");
        assert!(text.get("model").is_none(), "{text}");
        let again: VariantSpec = serde_json::from_value(text).unwrap();
        assert_eq!(again, variant);
    }

    #[test]
    fn a_variant_with_a_version_that_is_an_image_is_read_as_it_was_written() {
        let mut variant: VariantSpec = serde_json::from_str(BEFORE).unwrap();
        variant.workload = variant
            .workload
            .of_container(Some("example.com/fraud@sha256:00"));
        let text = serde_json::to_value(&variant).unwrap();
        assert_eq!(text["container_image"], "example.com/fraud@sha256:00");
        let again: VariantSpec = serde_json::from_value(text).unwrap();
        assert_eq!(again, variant);
    }

    #[test]
    fn a_version_and_an_image_have_short_labels_and_an_image_binds_nothing() {
        let version = Workload::version(ModelName::new("digits").unwrap(), 2, "sha256:aa");
        assert_eq!(
            (version.label(), version.to_string()),
            ("v2".to_owned(), "digits/2".to_owned())
        );
        assert_eq!(version.version_id().unwrap().to_string(), "digits/2");
        let container = version
            .clone()
            .of_container(Some("example.com/fraud@sha256:00"));
        assert_eq!(
            (container.label(), container.own_image(), container.served()),
            ("v2".to_owned(), Some("example.com/fraud@sha256:00"), None)
        );
        assert!(version.served().is_some() && version.own_image().is_none());
        let image = Workload::image("example.com:5000/server@sha256:0123456789abcdef");
        assert_eq!(image.label(), "01234567");
        assert_eq!((image.number(), image.version_id()), (None, None));
    }
}
