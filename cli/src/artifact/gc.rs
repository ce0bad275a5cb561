//! `mlops artifact gc`: what retention does not keep, what no version names, and uploads that nobody finished, go.

use std::time::Duration;

use clap::Args;
use jiff::{Span, SpanRelativeTo};
use mlops_core::registry::{Registry, Sweep, SweepReport};
use mlops_core::{Error, Result};
use serde::Serialize;

use crate::exit::Exit;
use crate::place::RegistryPlace;

/// `mlops artifact gc`.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// Delete and remove. Without it nothing is changed.
    #[arg(long)]
    delete: bool,
    /// How long an artifact stays after it was stored, and after a run with --delete first saw that no version names it, and
    /// an upload after it was begun: 36h, 7d, 0s.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = time)]
    grace: Duration,
    #[command(flatten)]
    pub(super) registry: RegistryPlace,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// The report, for programs.
#[derive(Debug, Serialize)]
struct Report {
    deleted: bool,
    versions: Vec<String>,
    in_use: Vec<InUse>,
    artifacts: Vec<Artifact>,
    waiting: Vec<Waiting>,
    uploads: Vec<String>,
    failed: Vec<Failed>,
    freed_bytes: u64,
}

#[derive(Debug, Serialize)]
struct InUse {
    version: String,
    users: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Artifact {
    digest: String,
    bytes: u64,
    complete: bool,
}

#[derive(Debug, Serialize)]
struct Waiting {
    digest: String,
    bytes: u64,
    until: String,
}

#[derive(Debug, Serialize)]
struct Failed {
    digest: String,
    why: String,
}

/// Runs it to its end.
pub(super) async fn run(gc: &Gc, registry: &Registry) -> Result<Exit> {
    if registry.identity().await?.is_none() {
        return Err(Error::not_found(format!(
            "there is no registry at {}: {}",
            registry.location(),
            gc.registry.hint()
        )));
    }
    let sweep = Sweep {
        grace: gc.grace,
        delete: gc.delete,
        by: format!("mlops artifact gc, process {}", std::process::id()),
    };
    let report = registry.sweep(&sweep).await?;
    let failed = !report.failed.is_empty();
    let report = Report::new(gc.delete, report);
    match serde_json::to_string(&report) {
        Ok(line) if gc.json => println!("{line}"),
        _ => report.print(),
    }
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

impl Report {
    fn new(deleted: bool, report: SweepReport) -> Self {
        Self {
            deleted,
            versions: report.versions.iter().map(ToString::to_string).collect(),
            in_use: report
                .in_use
                .into_iter()
                .map(|kept| InUse {
                    version: kept.version.to_string(),
                    users: kept.users,
                })
                .collect(),
            artifacts: report
                .artifacts
                .into_iter()
                .map(|artifact| Artifact {
                    digest: artifact.digest.to_string(),
                    bytes: artifact.size_bytes,
                    complete: artifact.complete,
                })
                .collect(),
            waiting: report
                .waiting
                .into_iter()
                .map(|unnamed| Waiting {
                    digest: unnamed.artifact.digest.to_string(),
                    bytes: unnamed.artifact.size_bytes,
                    until: unnamed.until.to_string(),
                })
                .collect(),
            uploads: report.uploads,
            failed: report
                .failed
                .into_iter()
                .map(|(digest, why)| Failed {
                    digest: digest.to_string(),
                    why,
                })
                .collect(),
            freed_bytes: report.freed_bytes,
        }
    }

    fn print(&self) {
        let (gone, freed) = if self.deleted {
            ("deleted", "freed")
        } else {
            ("would be deleted", "would be freed at most")
        };
        for version in &self.versions {
            println!("version {version}: {gone}, its model's retention does not keep it");
        }
        for kept in &self.in_use {
            let users = kept.users.join(", ");
            println!("version {}: stays, in use by {users}", kept.version);
        }
        for artifact in &self.artifacts {
            let what = if artifact.complete {
                "no version names it"
            } else {
                "an upload that nobody finished"
            };
            println!(
                "artifact {}: {gone}, {what}, {} bytes",
                artifact.digest, artifact.bytes
            );
        }
        for waiting in &self.waiting {
            println!(
                "artifact {}: no version names it, stays until {}, {} bytes",
                waiting.digest, waiting.until, waiting.bytes
            );
        }
        let ended = if self.deleted {
            "ended"
        } else {
            "would be ended"
        };
        for upload in &self.uploads {
            println!("upload of {upload}: {ended}, nobody finished it");
        }
        for failed in &self.failed {
            println!("artifact {}: not deleted: {}", failed.digest, failed.why);
        }
        println!(
            "{} versions and {} artifacts {gone}, {} bytes {freed}, {} uploads {ended}{}",
            self.versions.len(),
            self.artifacts.len(),
            self.freed_bytes,
            self.uploads.len(),
            if self.deleted {
                ""
            } else {
                "; nothing was changed: repeat it with --delete"
            }
        );
    }
}

/// A span of time as people write it; a day has 24 hours.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "write a time such as 36h, 7d or 0s".to_owned();
    let span: Span = text.parse().map_err(|_| wrong())?;
    let time = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong())?;
    Duration::try_from(time).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(time("7d").unwrap(), Duration::from_secs(7 * 86_400));
        assert_eq!(time("36h").unwrap(), Duration::from_secs(36 * 3_600));
        assert_eq!(time("0s").unwrap(), Duration::ZERO);
        for wrong in ["", "7", "-1d", "1mo", "soon"] {
            assert!(time(wrong).is_err(), "{wrong:?}");
        }
    }
}
