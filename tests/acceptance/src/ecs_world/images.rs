//! Images that lie in this world's registry and that nobody runs: as tasks on paper are started from.

use serde_json::{Value, json};

use super::EcsWorld;
use crate::http::{Client, Response};
use crate::part;

/// Where this world's account has its images, by the names of AWS.
const REGISTRY: &str = "000000000000.dkr.ecr.eu-west-1.amazonaws.com";

impl EcsWorld {
    /// Puts an image for `linux/amd64` into the registry; its name by digest.
    #[must_use]
    pub fn paper_image(&self, name: &str) -> String {
        self.paper_images(name, "latest", &["amd64"], name)
    }

    /// Puts an image for these processors under a tag; its name by digest. Another `content` makes another digest.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn paper_images(
        &self,
        name: &str,
        tag: &str,
        architectures: &[&str],
        content: &str,
    ) -> String {
        let made = self.ecr("CreateRepository", &json!({"repositoryName": name}));
        let is_there = made.status == 200 || made.text().contains("AlreadyExists");
        assert!(is_there, "CreateRepository: {}", made.text());
        let single = |architecture: &&str| {
            let config = json!({"os": "linux", "architecture": architecture, "author": content});
            let config = config.to_string();
            let path = format!("/v2/{name}/blobs/uploads/?digest=");
            // The registry says which digest it is, where it is told a wrong one.
            let digest = self.registry(
                "POST",
                &format!("{path}sha256:0"),
                "application/octet-stream",
                &config,
            );
            let digest = digest.json()["errors"][0]["detail"]["actual"].clone();
            let digest = digest.as_str().expect("a digest").to_owned();
            let kept = self.registry(
                "POST",
                &format!("{path}{digest}"),
                "application/octet-stream",
                &config,
            );
            assert_eq!(kept.status, 201, "{}", kept.text());
            json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len()},
                "layers": [],
            })
        };
        let manifests: Vec<Value> = architectures.iter().map(single).collect();
        let digest = match &manifests[..] {
            [one] => self.put(name, tag, one),
            several => {
                let parts = several.iter().zip(architectures).map(|(manifest, architecture)| {
                    let digest = self.put(name, architecture, manifest);
                    json!({
                        "mediaType": manifest["mediaType"], "digest": digest, "size": manifest.to_string().len(),
                        "platform": {"os": "linux", "architecture": architecture},
                    })
                });
                let parts: Vec<Value> = parts.collect();
                let index = json!({
                    "schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.index.v1+json",
                    "manifests": parts,
                });
                self.put(name, tag, &index)
            }
        };
        format!("{REGISTRY}/{name}@{digest}")
    }

    /// The same images by a tag.
    #[must_use]
    pub fn tagged(&self, name: &str, tag: &str) -> String {
        format!("{REGISTRY}/{name}:{tag}")
    }

    /// Calls ECR, which may refuse.
    pub fn ecr(&self, operation: &str, body: &Value) -> Response {
        let target = "AmazonEC2ContainerRegistry_V20150921";
        // All images are in one place, whatever region the platform is in.
        let at = (self.part.url.as_str(), part::REGION);
        super::api::json_at(at, "ecr", target, operation, body)
    }

    /// Puts a manifest under a tag; its digest.
    fn put(&self, name: &str, tag: &str, manifest: &Value) -> String {
        let media_type = manifest["mediaType"].as_str().unwrap_or_default();
        let path = format!("/v2/{name}/manifests/{tag}");
        let kept = self.registry("PUT", &path, media_type, &manifest.to_string());
        assert_eq!(kept.status, 201, "{}", kept.text());
        let digest = kept.header("docker-content-digest");
        digest.expect("a digest").to_owned()
    }

    fn registry(&self, method: &str, path: &str, content_type: &str, body: &str) -> Response {
        Client::new(&self.part.url)
            .request(
                method,
                path,
                &[("content-type", content_type)],
                body.as_bytes(),
            )
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}
