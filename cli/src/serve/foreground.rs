//! `mlops serve --foreground`: one model, served as an endpoint would.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use mlops_core::artifacts::{Artifact, Digest, FileEntry};
use mlops_core::serving::{
    ModelFile, Preload, RevisionLimits, RevisionSpec, ServerConfig, ServerLimits, is_valid_name,
};
use mlops_core::{Error, Result};

use super::{Serve, alone};

/// The one variant, as in an endpoint with a single model.
const VARIANT: &str = "main";

/// What the server is to be started with.
pub(super) fn configuration(arguments: &Serve) -> Result<ServerConfig> {
    match (&arguments.config, &arguments.model) {
        (Some(config), _) => read(config),
        (None, Some(model)) => of_model(model, arguments),
        (None, None) => Err(Error::invalid("name a file with --model or --config")),
    }
}

fn read(path: &Path) -> Result<ServerConfig> {
    let bytes = std::fs::read(path).map_err(|cause| unreadable(path).because(cause))?;
    serde_json::from_slice(&bytes).map_err(|cause| {
        Error::invalid(format!(
            "{} is not a server's configuration",
            path.display()
        ))
        .because(cause)
    })
}

fn of_model(model: &Path, arguments: &Serve) -> Result<ServerConfig> {
    let bytes = std::fs::read(model).map_err(|cause| unreadable(model).because(cause))?;
    let file = model
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("model.onnx");
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => name_of(model),
    };
    if !is_valid_name(&name) {
        return Err(Error::invalid(format!(
            "{name:?} cannot be a model's name; give one of A-Z a-z 0-9 . _ - with --name"
        )));
    }
    let digest = Digest::of(&bytes);
    let artifact = Artifact::new(vec![FileEntry {
        path: file.to_owned(),
        size: bytes.len() as u64,
        digest,
    }])?;
    // The server reads the file itself, and refuses it if its bytes are others by then.
    let revision = format!("{VARIANT}-{}", &digest.hex()[..8]);
    Ok(alone(
        name.clone(),
        SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)),
        ServerLimits::default(),
        Preload {
            revision,
            spec: RevisionSpec {
                variant: VARIANT.to_owned(),
                model: name,
                version: 1,
                digest: artifact.digest.to_string(),
                file: ModelFile {
                    path: std::path::absolute(model)
                        .map_err(|cause| unreadable(model).because(cause))?,
                    sha256: digest.hex(),
                },
                reference: arguments.reference.as_deref().map(reference).transpose()?,
                limits: RevisionLimits::default(),
            },
            smoke: None,
        },
    ))
}

fn reference(path: &Path) -> Result<ModelFile> {
    let bytes = std::fs::read(path).map_err(|cause| unreadable(path).because(cause))?;
    Ok(ModelFile {
        path: std::path::absolute(path).map_err(|cause| unreadable(path).because(cause))?,
        sha256: Digest::of(&bytes).hex(),
    })
}

fn unreadable(path: &Path) -> Error {
    Error::invalid(format!("{} could not be read", path.display()))
}

fn name_of(model: &Path) -> String {
    let stem = model.file_stem().unwrap_or_default().to_string_lossy();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    stem.chars()
        .map(|c| if legal(c) { c } else { '-' })
        .collect()
}
