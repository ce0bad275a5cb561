//! What the model server of a task (a container of ECS) is started with.

use serde::{Deserialize, Serialize};

use super::{RevisionLimits, SmokeRequest, is_valid_name};
use crate::artifacts::Digest;
use crate::error::{Error, Result};

/// The environment variable of the container that holds a [`TaskConfig`] as JSON.
pub const TASK_VARIABLE: &str = "MLOPS_TASK";

/// The directory of the container that models are brought to; a volume, because the root is read-only.
pub const TASK_MODELS: &str = "/models";

/// The directory of the container where it finds the volume of its node. The image gives it to the server's user, whose the volume becomes by that.
pub const TASK_CACHE: &str = "/cache";

/// The environment variable that names another directory than [`TASK_MODELS`], for a task that is no container.
pub const TASK_MODELS_VARIABLE: &str = "MLOPS_TASK_MODELS";

/// Exit status of a task whose [`TASK_VARIABLE`] is missing or cannot be read.
pub const EXIT_TASK_UNREADABLE: i32 = 2;

/// Exit status of a task whose artifact is there, with other bytes than its digest says.
pub const EXIT_ARTIFACT_DAMAGED: i32 = 65;

/// Exit status of a task whose artifact, or the bucket that it is in, is not there.
pub const EXIT_ARTIFACT_MISSING: i32 = 66;

/// Exit status of a task that cannot reach the bucket, or whose reading broke off too often.
pub const EXIT_STORE_UNAVAILABLE: i32 = 69;

/// Exit status of a task that cannot write to the directory of models.
pub const EXIT_MODELS_UNWRITABLE: i32 = 73;

/// Exit status of a task that has no credentials, or whose credentials may not read the artifact.
pub const EXIT_DENIED: i32 = 77;

/// The longest drain, in seconds: a day, as on the admin side.
const LONGEST_DRAIN: u64 = 24 * 3600;

/// One revision, served by one task: it fetches the artifact, checks its digest, loads it, asks the golden request, and only
/// then listens. Whatever fails ends the process with a message on standard error, so a load balancer never sees it healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// The endpoint's name.
    pub endpoint: String,
    /// The variant.
    pub variant: String,
    /// The revision: the label of its metrics.
    pub revision: String,
    /// The registry model.
    pub model: String,
    /// Its version.
    pub version: u64,
    /// The digest of the version's artifact.
    pub artifact_digest: String,
    /// Where artifacts lie.
    pub artifacts: TaskArtifacts,
    /// The port, on every address of the container.
    pub port: u16,
    /// Bounds of the revision.
    #[serde(default)]
    pub limits: RevisionLimits,
    /// How long requests in flight may take after SIGTERM, in seconds.
    pub drain_seconds: u64,
    /// A directory that tasks share, in which they keep files of models for one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    /// How much of that directory's disk stays free: what was not used for longest goes for what comes. Without it nothing is ever taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_free_percent: Option<u8>,
    /// What the model must answer before the server listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<SmokeRequest>,
}

impl TaskConfig {
    /// Reads a document, and checks what can be checked without calling anybody.
    ///
    /// # Errors
    /// `Invalid`, naming the field at fault.
    pub fn read(text: &str) -> Result<Self> {
        let task: Self = serde_json::from_str(text)
            .map_err(|cause| Error::invalid("it does not describe a task").because(cause))?;
        task.check()?;
        Ok(task)
    }

    fn check(&self) -> Result<()> {
        for (field, name) in [
            ("endpoint", &self.endpoint),
            ("variant", &self.variant),
            ("revision", &self.revision),
            ("model", &self.model),
        ] {
            if !is_valid_name(name) {
                return Err(Error::invalid(format!(
                    "{field} {name:?} is not a valid name: use 1 to 128 of A-Z a-z 0-9 . _ -"
                ))
                .at(field));
            }
        }
        let digest: Result<Digest> = self.artifact_digest.parse();
        digest.map_err(|error| {
            Error::invalid("artifact_digest is no digest")
                .at("artifact_digest")
                .because(error)
        })?;
        if self.limits.max_concurrency == 0 || self.limits.timeout_ms == 0 {
            return Err(Error::invalid(
                "limits.max_concurrency and limits.timeout_ms must be at least 1",
            )
            .at("limits"));
        }
        if self
            .cache
            .as_deref()
            .is_some_and(|cache| !cache.starts_with('/'))
        {
            return Err(Error::invalid("cache is not a path from the root").at("cache"));
        }
        if self.cache_free_percent.is_some_and(|percent| percent > 100)
            || self.cache.is_none() && self.cache_free_percent.is_some()
        {
            return Err(Error::invalid(
                "cache_free_percent is a share of the disk of cache, from 0 to 100",
            )
            .at("cache_free_percent"));
        }
        if self.drain_seconds > LONGEST_DRAIN {
            return Err(Error::invalid(format!(
                "drain_seconds is {}; it is at most {LONGEST_DRAIN}",
                self.drain_seconds
            ))
            .at("drain_seconds"));
        }
        Ok(())
    }
}

/// The part of a bucket that holds a registry's artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskArtifacts {
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with; may be empty.
    #[serde(default)]
    pub prefix: String,
    /// The bucket's region.
    pub region: String,
    /// Whether the bucket stands in the path of a URL, as emulators want it.
    #[serde(default)]
    pub path_style: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "endpoint": "digits", "variant": "main", "revision": "main-1", "model": "digits", "version": 1,
            "artifact_digest": Digest::of(b"x").to_string(),
            "artifacts": {"bucket": "acme-models", "region": "eu-west-1"},
            "port": 8080, "drain_seconds": 30,
        })
    }

    #[test]
    fn a_task_is_read_with_the_defaults_of_what_it_leaves_out() {
        let task = TaskConfig::read(&document().to_string()).unwrap();
        assert_eq!(task.limits, RevisionLimits::default());
        assert_eq!(
            (task.artifacts.prefix.as_str(), task.artifacts.path_style),
            ("", false)
        );
        assert_eq!(task.smoke, None);
        let again = serde_json::to_string(&task).unwrap();
        assert_eq!(TaskConfig::read(&again).unwrap(), task);
    }

    #[test]
    fn a_task_that_cannot_be_served_is_refused_naming_the_field() {
        for (field, value, said) in [
            (
                "endpoint",
                json!("a/b"),
                "endpoint \"a/b\" is not a valid name",
            ),
            ("revision", json!(".."), "revision \"..\" is not"),
            (
                "artifact_digest",
                json!("sha256:12"),
                "artifact_digest is no digest",
            ),
            ("limits", json!({"timeout_ms": 0}), "limits.timeout_ms"),
            ("drain_seconds", json!(90_000), "it is at most 86400"),
            ("cache", json!("mnt"), "cache is not a path"),
            (
                "cache_free_percent",
                json!(15),
                "a share of the disk of cache",
            ),
            ("port", json!(70_000), "70000"),
            ("nonsense", json!(1), "unknown field `nonsense`"),
        ] {
            let mut document = document();
            document[field] = value;
            let error = TaskConfig::read(&document.to_string()).unwrap_err();
            let chain = error.chain().to_string();
            assert!(chain.contains(said), "{field}: {chain}");
        }
    }
}
