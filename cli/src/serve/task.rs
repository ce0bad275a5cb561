//! `mlops serve --task`: the model server of a container, told by its environment what to serve.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use mlops_core::artifacts::{Artifact, ArtifactReader, ArtifactStore, Digest, FileEntry};
use mlops_core::serving::{
    EXIT_ARTIFACT_DAMAGED, EXIT_ARTIFACT_MISSING, EXIT_DENIED, EXIT_MODEL_NOT_LOADED,
    EXIT_MODELS_UNWRITABLE, EXIT_STORE_UNAVAILABLE, EXIT_TASK_UNREADABLE, ModelFile, Preload,
    RevisionSpec, ServerConfig, ServerLimits, TASK_MODELS, TASK_MODELS_VARIABLE, TASK_VARIABLE,
    TaskConfig,
};
use mlops_core::{Class, Error, inspect, reference};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::alone;
use super::cache::Cache;
use crate::exit::chain;
use crate::place::Adapters;

/// What the model's file is called on this machine: names inside of an artifact are its own.
const MODEL: &str = "model.onnx";

/// What its reference is called.
const REFERENCE: &str = reference::FILE_NAME;

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// Why a task ended: its exit status, and the line that says why.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: i32,
    pub(crate) said: String,
}

impl Failure {
    fn new(status: i32, error: &Error) -> Self {
        Self {
            status,
            said: chain(error),
        }
    }

    /// What the store says, as an exit status.
    fn of_store(error: &Error) -> Self {
        let status = match error.class() {
            Class::NotFound => EXIT_ARTIFACT_MISSING,
            // A bucket that is not there, or lies elsewhere.
            Class::Invalid if error.attribute() == Some("registry.bucket") => EXIT_ARTIFACT_MISSING,
            // The settings of the environment, which are read when they are first needed.
            Class::Invalid => EXIT_TASK_UNREADABLE,
            Class::Denied => EXIT_DENIED,
            Class::Corrupt => EXIT_ARTIFACT_DAMAGED,
            _ => EXIT_STORE_UNAVAILABLE,
        };
        Self::new(status, error)
    }
}

/// The configuration of a server, once its artifact lies on this machine.
pub(crate) type Prepared = Pin<Box<dyn Future<Output = Result<ServerConfig, Failure>> + Send>>;

/// Serves until a signal ends it; the exit status.
pub(super) fn run(adapters: &Adapters) -> i32 {
    match serve(adapters) {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("mlops: {}", failure.said);
            failure.status
        }
    }
}

fn serve(adapters: &Adapters) -> Result<(), Failure> {
    let task = described().map_err(|error| Failure::new(EXIT_TASK_UNREADABLE, &error))?;
    let models = std::env::var_os(TASK_MODELS_VARIABLE).filter(|path| !path.is_empty());
    let models = PathBuf::from(models.unwrap_or_else(|| TASK_MODELS.into()));
    let store = (adapters.artifacts)(&task.artifacts)
        .map_err(|error| Failure::new(EXIT_TASK_UNREADABLE, &error))?;
    let limits = ServerLimits {
        drain_seconds: task.drain_seconds,
        ..ServerLimits::default()
    };
    let server = limits.clone();
    let prepared: Prepared = Box::pin(async move {
        let preload = fetched(&task, &models, store.as_ref()).await?;
        let listen = SocketAddr::new(every_address(), task.port);
        Ok(alone(task.endpoint, listen, server, preload))
    });
    (adapters.serve_prepared)(&limits, prepared)
}

fn described() -> mlops_core::Result<TaskConfig> {
    let refused = |why: &str| {
        Error::invalid(format!(
            "the environment variable {TASK_VARIABLE} {why}; --task is for the container of an endpoint, and --foreground --model \
             FILE serves a file"
        ))
    };
    let text = std::env::var(TASK_VARIABLE).map_err(|cause| match cause {
        std::env::VarError::NotPresent => refused("is not set"),
        std::env::VarError::NotUnicode(_) => refused("is not UTF-8"),
    })?;
    TaskConfig::read(&text).map_err(|cause| refused("cannot be used").because(cause))
}

/// Those of both families, where the machine has both.
fn every_address() -> IpAddr {
    match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        Err(_) => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// Brings the model to this machine, and its reference if it has one. No other file of an artifact is needed.
async fn fetched(
    task: &TaskConfig,
    models: &Path,
    store: &dyn ArtifactStore,
) -> Result<Preload, Failure> {
    let digest: Digest = task
        .artifact_digest
        .parse()
        .map_err(|error| Failure::new(EXIT_TASK_UNREADABLE, &error))?;
    let artifact = store
        .get(&digest)
        .await
        .map_err(|error| Failure::of_store(&error))?;
    let (model, reference) = needed(&artifact).map_err(|cause| {
        let error = Error::invalid(format!(
            "the artifact of {}/{} cannot be served",
            task.model, task.version
        ));
        Failure::new(EXIT_MODEL_NOT_LOADED, &error.because(cause))
    })?;
    let bring = |file, name: &str| brought(task, store, &digest, file, models.join(name));
    let file = bring(model, MODEL).await?;
    let reference = match reference {
        Some(file) => Some(bring(file, REFERENCE).await?),
        None => None,
    };
    Ok(Preload {
        revision: task.revision.clone(),
        spec: RevisionSpec {
            variant: task.variant.clone(),
            model: task.model.clone(),
            version: task.version,
            digest: task.artifact_digest.clone(),
            file,
            reference,
            limits: task.limits.clone(),
        },
        smoke: task.smoke.clone(),
    })
}

/// The model's file, and its reference.
fn needed(artifact: &Artifact) -> mlops_core::Result<(&FileEntry, Option<&FileEntry>)> {
    let model = artifact.file(inspect::model_file(artifact)?)?;
    let reference = inspect::reference_file(artifact)?;
    Ok((
        model,
        reference.map(|path| artifact.file(path)).transpose()?,
    ))
}

/// Brings one file to this machine.
async fn brought(
    task: &TaskConfig,
    store: &dyn ArtifactStore,
    digest: &Digest,
    file: &FileEntry,
    path: PathBuf,
) -> Result<ModelFile, Failure> {
    let cache = task
        .cache
        .as_deref()
        .map(|place| Cache::new(Path::new(place), task.cache_free_percent));
    let brought = ModelFile {
        path: path.clone(),
        sha256: file.digest.hex(),
    };
    if let Some(cache) = &cache {
        if let Err(error) = cache.make_room(file).await {
            eprintln!(
                "mlops: cannot make room for {} among those of other tasks: {error}",
                file.path
            );
        }
        if from_cache(task, cache, file, &path).await {
            return Ok(brought);
        }
    }
    eprintln!(
        "mlops: fetches {} ({} bytes) of {}/{} from {}",
        file.path,
        file.size,
        task.model,
        task.version,
        store.uri(digest)
    );
    let reader = store
        .open(digest, &file.path)
        .await
        .map_err(|error| Failure::of_store(&error))?;
    if let Err(failure) = write(reader, file, &path).await {
        // Half a file is of no use to anybody.
        let _ = tokio::fs::remove_file(&path).await;
        return Err(failure);
    }
    if let Some(cache) = &cache
        && let Err(error) = cache.keep(file, &path).await
    {
        eprintln!("mlops: cannot keep {} for other tasks: {error}", file.path);
    }
    Ok(brought)
}

/// Whether another task has kept the file, and it is still what it was.
async fn from_cache(task: &TaskConfig, cache: &Cache, file: &FileEntry, path: &Path) -> bool {
    let reader = match cache.open(file).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return false,
        Err(error) => {
            eprintln!(
                "mlops: cannot look for {} among those of other tasks: {error}",
                file.path
            );
            return false;
        }
    };
    match write(reader, file, path).await {
        Ok(()) => {
            eprintln!(
                "mlops: finds {} ({} bytes) of {}/{} among those that tasks share",
                file.path, file.size, task.model, task.version
            );
            true
        }
        Err(failure) => {
            eprintln!("mlops: {} is fetched anew: {}", file.path, failure.said);
            if failure.status == EXIT_ARTIFACT_DAMAGED {
                cache.forget(file).await;
            }
            let _ = tokio::fs::remove_file(path).await;
            false
        }
    }
}

/// Writes what the reader streams, which hands out the last bytes only if all have the right digest.
async fn write(mut reader: ArtifactReader, file: &FileEntry, to: &Path) -> Result<(), Failure> {
    let unwritable = |cause: std::io::Error| {
        let error = Error::unavailable(format!(
            "{} cannot be written; mount a volume there that has {} bytes and that user may write to",
            to.display(),
            file.size
        ));
        Failure::new(EXIT_MODELS_UNWRITABLE, &error.because(cause))
    };
    let parent = to.parent().unwrap_or(Path::new("."));
    tokio::fs::create_dir_all(parent)
        .await
        .map_err(unwritable)?;
    let mut out = tokio::fs::File::create(to).await.map_err(unwritable)?;
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let read = reader.read_buf(&mut buffer).await.map_err(unread)?;
        if read == 0 || buffer.len() >= BUFFER {
            out.write_all(&buffer).await.map_err(unwritable)?;
            buffer.clear();
        }
        if read == 0 {
            return out.flush().await.map_err(unwritable);
        }
    }
}

/// What a reader's error means: bytes that are wrong, the store's own, or a line that kept breaking.
fn unread(error: std::io::Error) -> Failure {
    let damaged = error.kind() == std::io::ErrorKind::InvalidData;
    match error.downcast::<Error>() {
        Ok(ours) => Failure::of_store(&ours),
        Err(error) if damaged => Failure::new(
            EXIT_ARTIFACT_DAMAGED,
            &Error::corrupt("the artifact is damaged").because(error),
        ),
        Err(error) => Failure::new(
            EXIT_STORE_UNAVAILABLE,
            &Error::unavailable("the bytes of the artifact stopped coming; check the network")
                .because(error),
        ),
    }
}
