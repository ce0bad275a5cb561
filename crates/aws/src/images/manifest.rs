//! What manifests say. Pure.

use mlops_core::images::{Platform, Reference};
use mlops_core::{Class, Error, Result};
use serde::Deserialize;

/// What a registry is asked for: a single image or an index of several, of OCI or of Docker.
pub(super) const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What an image is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    /// One image.
    Image {
        /// The digest of its configuration, which tells what it runs on.
        config: String,
        /// What is pulled, in bytes.
        size: u64,
    },
    /// Images for several platforms: each with its digest.
    Index(Vec<(Platform, String)>),
}

#[derive(Deserialize)]
struct Written {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    manifests: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
}

#[derive(Deserialize)]
struct Part {
    digest: String,
    platform: Option<Runs>,
}

#[derive(Deserialize)]
struct Runs {
    os: String,
    architecture: String,
}

impl Runs {
    /// `None` for what is no program: builders write it beside an image, for `unknown/unknown`.
    fn platform(self) -> Option<Platform> {
        let Self { os, architecture } = self;
        (os != "unknown").then_some(Platform { os, architecture })
    }
}

/// Reads the manifest of `image`.
pub(super) fn read(image: &Reference, bytes: &[u8]) -> Result<Manifest> {
    let strange = || {
        Error::new(
            Class::Corrupt,
            format!(
                "the manifest of {image} is of a form that is not known here; push it anew with a tool of today"
            ),
        )
    };
    let written: Written =
        serde_json::from_slice(bytes).map_err(|error| strange().because(error))?;
    match (written.manifests, written.config) {
        (Some(parts), _) => {
            let parts = parts.into_iter().filter_map(|part| {
                let platform = part.platform.and_then(Runs::platform)?;
                Some((platform, part.digest))
            });
            Ok(Manifest::Index(parts.collect()))
        }
        (None, Some(config)) => {
            let layers = written.layers.iter().map(|layer| layer.size);
            Ok(Manifest::Image {
                size: layers.chain([config.size]).fold(0, u64::saturating_add),
                config: config.digest,
            })
        }
        (None, None) => Err(strange()),
    }
}

/// What an image runs on, by its configuration.
pub(super) fn platform(image: &Reference, config: &[u8]) -> Result<Platform> {
    let read = serde_json::from_slice::<Runs>(config).map_err(|error| {
        Error::new(
            Class::Corrupt,
            format!("the configuration of {image} does not say what it runs on; build it anew"),
        )
        .because(error)
    })?;
    let Runs { os, architecture } = read;
    Ok(Platform { os, architecture })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_tells_its_platforms_and_leaves_out_what_is_no_program() {
        let image = "own:1".parse().expect("an image");
        let index = r#"{"schemaVersion": 2, "manifests": [
            {"digest": "sha256:1", "size": 5, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": "sha256:2", "size": 5, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            {"digest": "sha256:3", "size": 5, "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": "sha256:4", "size": 5}
        ]}"#;
        let Manifest::Index(parts) = read(&image, index.as_bytes()).expect("an index") else {
            panic!("it is an index");
        };
        let told: Vec<String> = parts
            .iter()
            .map(|(platform, digest)| format!("{platform} {digest}"))
            .collect();
        assert_eq!(told, ["linux/amd64 sha256:1", "linux/arm64 sha256:2"]);
    }

    #[test]
    fn an_image_is_as_large_as_its_layers_and_its_configuration() {
        let image = "own:1".parse().expect("an image");
        let manifest = r#"{"config": {"digest": "sha256:c", "size": 10}, "layers": [{"digest": "sha256:l", "size": 100}, {"digest": "sha256:m", "size": 1}]}"#;
        let read_back = read(&image, manifest.as_bytes()).expect("an image");
        let config = "sha256:c".to_owned();
        assert_eq!(read_back, Manifest::Image { config, size: 111 });
        for strange in ["", "[]", "{}", r#"{"schemaVersion": 1, "fsLayers": []}"#] {
            let error = read(&image, strange.as_bytes()).expect_err("no manifest");
            assert!(error.to_string().contains("own:1 is of a form"), "{error}");
        }
        let config = br#"{"os": "linux", "architecture": "arm64", "rootfs": {}}"#;
        let platform = platform(&image, config).expect("a platform");
        assert_eq!(platform.to_string(), "linux/arm64");
    }
}
