//! From a revision of the core to what the server is told to load.

use std::time::Duration;

use mlops_core::artifacts::{ArtifactStore, Digest, FileEntry};
use mlops_core::inspect;
use mlops_core::saga::Progress;
use mlops_core::serving::{ModelFile, RevisionLimits, RevisionSpec, RevisionState, RevisionStatus};
use mlops_core::target::Revision;
use mlops_core::{Error, Result};

use crate::admin::AdminClient;

const POLL: Duration = Duration::from_millis(20);

/// Tells the server to load `revision`, or asks how far it is.
pub(super) async fn ensure(
    admin: &AdminClient,
    artifacts: &dyn ArtifactStore,
    revision: &Revision,
) -> Result<Progress<()>> {
    let wanted = specification(artifacts, revision).await?;
    let status = match admin.revision(revision.name.as_str()).await? {
        // Asked for again, a failed revision would be tried again; its failure is the answer.
        Some(status) if status.spec == wanted => status,
        // The server refuses another content under the same name.
        _ => admin.put_revision(revision.name.as_str(), &wanted).await?,
    };
    progress(revision, &status)
}

fn progress(revision: &Revision, status: &RevisionStatus) -> Result<Progress<()>> {
    match status.state {
        RevisionState::Ready => Ok(Progress::Done(())),
        RevisionState::Loading => Ok(Progress::again(POLL, revision.startup_timeout.duration())),
        RevisionState::Failed => Err(Error::invalid(format!(
            "version {} cannot be served: {}",
            revision.workload,
            status
                .failure
                .as_deref()
                .unwrap_or("the server gave no reason"),
        ))
        .at(format!("variants.{}", revision.variant))),
        RevisionState::Draining => Err(Error::conflict(format!(
            "revision {} is being taken away; apply again",
            revision.name
        ))),
    }
}

async fn specification(artifacts: &dyn ArtifactStore, revision: &Revision) -> Result<RevisionSpec> {
    let bound = revision.workload.served().ok_or_else(|| {
        Error::bug(format!(
            "revision {} was made for another target",
            revision.name
        ))
    })?;
    let digest: Digest = bound.artifact_digest.parse()?;
    let artifact = artifacts.get(&digest).await?;
    let unusable = |error: Error| {
        Error::invalid(format!(
            "the artifact of {} cannot be served",
            revision.workload
        ))
        .at(format!("variants.{}", revision.variant))
        .because(error)
    };
    let model = inspect::model_file(&artifact).map_err(unusable)?;
    let reference = inspect::reference_file(&artifact).map_err(unusable)?;
    let on_this_machine = |file: &FileEntry| {
        let path = artifacts.path_of(file).ok_or_else(|| {
            Error::invalid(format!(
                "the artifact of {} does not lie on this machine; a local endpoint needs a registry that keeps its \
                 artifacts in a directory",
                revision.workload
            ))
        })?;
        Ok::<_, Error>(ModelFile {
            path,
            sha256: file.digest.hex(),
        })
    };
    Ok(RevisionSpec {
        variant: revision.variant.to_string(),
        model: bound.model.to_string(),
        version: bound.version,
        digest: artifact.digest.to_string(),
        file: on_this_machine(artifact.file(model)?)?,
        reference: match reference {
            Some(path) => Some(on_this_machine(artifact.file(path)?)?),
            None => None,
        },
        limits: limits(revision)?,
    })
}

/// Bounds that the variant's environment sets.
fn limits(revision: &Revision) -> Result<RevisionLimits> {
    RevisionLimits::from_environment(&revision.environment)
        .map_err(|error| error.at(format!("variants.{}.environment", revision.variant)))
}
