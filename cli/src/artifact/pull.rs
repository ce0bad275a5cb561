//! `mlops artifact pull`: a version's files on this machine.

use std::path::{Path, PathBuf};

use clap::Args;
use mlops_core::artifacts::Artifact as Tree;
use mlops_core::names::{AliasId, VersionId};
use mlops_core::registry::{Registry, Version};
use mlops_core::{Error, Result};
use serde::Serialize;

use crate::exit::Exit;
use crate::place::RegistryPlace;

/// What a store calls a file that it has not finished.
const UNFINISHED: &str = ".mlops-";

/// `mlops artifact pull`.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// The version, digits/3, or an alias that points to it, digits@champion.
    #[arg(value_name = "VERSION")]
    what: String,
    /// Directory to write to; made if it is missing, refused if it holds other files.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    pub(super) registry: RegistryPlace,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What was pulled, for programs.
#[derive(Debug, Serialize)]
struct Pulled<'a> {
    version: String,
    digest: String,
    files: usize,
    bytes: u64,
    directory: &'a Path,
}

/// Runs it to its end.
pub(super) async fn run(pull: &Pull, registry: &Registry) -> Result<Exit> {
    let version = find(registry, &pull.what, pull.registry.hint()).await?;
    let artifact = registry.artifacts().get(version.digest()).await?;
    only_its_own(&pull.to, &artifact, &version.id)?;
    registry
        .artifacts()
        .materialise(version.digest(), &pull.to)
        .await?;
    tell(pull, &version, &artifact);
    Ok(Exit::Ok)
}

async fn find(registry: &Registry, what: &str, hint: &str) -> Result<Version> {
    let missing = || {
        let at = registry.location();
        Error::not_found(format!(
            "the registry at {at} has no {what}: {hint}, or see which versions the model has"
        ))
    };
    let id = if what.contains('@') {
        let id: AliasId = what.parse()?;
        let alias = registry.alias(&id).await?.ok_or_else(missing)?;
        let version = alias
            .version
            .ok_or_else(|| Error::not_found(format!("the alias {id} points to no version")))?;
        VersionId {
            model: id.model,
            version,
        }
    } else {
        what.parse()?
    };
    registry.version(&id).await?.ok_or_else(missing)
}

/// Refuses a directory that holds something else: files of two versions side by side are no model.
fn only_its_own(directory: &Path, artifact: &Tree, version: &VersionId) -> Result<()> {
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        let entries = match std::fs::read_dir(&next) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|error| unreadable(&next, error))?,
        };
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&next, error))?;
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push(path);
                continue;
            }
            let name = path.strip_prefix(directory).unwrap_or(&path);
            let known = artifact
                .files
                .iter()
                .any(|file| Path::new(&file.path) == name);
            let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            if !known && !unfinished {
                return Err(Error::invalid(format!(
                    "{} holds {}, which is no file of {version}; name another directory with --to",
                    directory.display(),
                    name.display()
                )));
            }
        }
    }
    Ok(())
}

fn unreadable(directory: &Path, error: std::io::Error) -> Error {
    Error::invalid(format!(
        "{} cannot be listed; name a directory of yours with --to",
        directory.display()
    ))
    .because(error)
}

fn tell(pull: &Pull, version: &Version, artifact: &Tree) {
    let pulled = Pulled {
        version: version.id.to_string(),
        digest: artifact.digest.to_string(),
        files: artifact.files.len(),
        bytes: artifact.files.iter().map(|file| file.size).sum(),
        directory: &pull.to,
    };
    match serde_json::to_string(&pulled) {
        Ok(line) if pull.json => println!("{line}"),
        _ => println!(
            "{}: {} bytes in {} files, verified, in {}",
            pulled.version,
            pulled.bytes,
            pulled.files,
            pull.to.display()
        ),
    }
}
