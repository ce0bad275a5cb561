//! Files of artifacts over HTTP, under the digest of the artifact: what an MLflow client downloads.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use mlops_core::artifacts::{Artifact, Digest};
use serde::Serialize;
use tokio_util::io::ReaderStream;

use crate::answer::{Answer, Json, Refusal};
use crate::api::Inner;
use crate::input::Input;

/// The bytes of a file that are read at once.
const PIECE: usize = 64 * 1024;

pub(crate) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/artifacts", get(list))
        .route("/artifacts/{*path}", get(download))
}

/// Where clients find an artifact: below `base`, which reaches this server.
pub(crate) fn uri(base: &str, digest: &Digest) -> String {
    format!("{base}/api/2.0/mlflow-artifacts/artifacts/{}", digest.hex())
}

#[derive(Debug, Serialize, PartialEq)]
struct Listing {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<Listed>,
}

#[derive(Debug, Serialize, PartialEq)]
struct Listed {
    path: String,
    is_dir: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
}

/// `?path=HEX/sub`: what lies directly below, by its own name. A file has nothing below it.
async fn list(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let path = input.required("path")?;
    let (artifact, below) = find(&api, path).await?;
    Json::of(&listing(&artifact, below))
}

fn listing(artifact: &Artifact, below: &str) -> Listing {
    let mut found = BTreeMap::new();
    for file in &artifact.files {
        let rest = match below {
            "" => Some(file.path.as_str()),
            below => file
                .path
                .strip_prefix(below)
                .and_then(|rest| rest.strip_prefix('/')),
        };
        let Some(rest) = rest else { continue };
        match rest.split_once('/') {
            None => drop(found.insert(rest, Some(file.size))),
            Some((directory, _)) => drop(found.insert(directory, None)),
        }
    }
    Listing {
        files: found
            .into_iter()
            .map(|(path, file_size)| Listed {
                path: path.to_owned(),
                is_dir: file_size.is_none(),
                file_size,
            })
            .collect(),
    }
}

/// Streams one file. If its bytes are not those that were registered, the connection ends before
/// the last of them.
async fn download(
    State(api): State<Arc<Inner>>,
    Path(path): Path<String>,
) -> Result<Response, Refusal> {
    let (artifact, file) = find(&api, &path).await?;
    let Some(entry) = artifact.files.iter().find(|entry| entry.path == file) else {
        return Err(nothing(&path));
    };
    let reader = api
        .registry
        .artifacts()
        .open(&artifact.digest, file)
        .await?;
    let stream = ReaderStream::with_capacity(reader, PIECE);
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(entry.size));
    for (name, value) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        // A model is never a page, whatever is in it.
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_DISPOSITION, "attachment"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// The artifact that a path begins with, and the rest of the path.
async fn find<'a>(api: &Inner, path: &'a str) -> Result<(Artifact, &'a str), Refusal> {
    let path_within = path.trim_matches('/');
    let (hex, rest) = path_within.split_once('/').unwrap_or((path_within, ""));
    let digest: Digest = format!("sha256:{hex}").parse().map_err(|_| nothing(path))?;
    match api.registry.artifacts().get(&digest).await {
        Ok(artifact) => Ok((artifact, rest)),
        Err(error) if error.is_not_found() => Err(nothing(path)),
        Err(error) => Err(error.into()),
    }
}

fn nothing(path: &str) -> Refusal {
    Refusal::missing(format!("No such artifact: {path:?}"))
}

#[cfg(test)]
mod tests {
    use mlops_core::artifacts::FileEntry;

    use super::*;

    #[test]
    fn a_directory_lists_what_lies_directly_below_it() {
        let file = |path: &str| FileEntry {
            path: path.to_owned(),
            size: 7,
            digest: Digest::of(path.as_bytes()),
        };
        let files = ["MLmodel", "data/a", "data/deep/b", "database"];
        let artifact = Artifact::new(files.map(file).to_vec()).unwrap();
        let names = |below: &str| -> Vec<String> {
            let listed = listing(&artifact, below).files;
            let name = |one: &Listed| format!("{}{}", one.path, if one.is_dir { "/" } else { "" });
            listed.iter().map(name).collect()
        };
        assert_eq!(names(""), ["MLmodel", "data/", "database"]);
        assert_eq!(names("data"), ["a", "deep/"]);
        assert_eq!(names("data/deep"), ["b"]);
        assert!(names("MLmodel").is_empty());
        assert!(names("dat").is_empty());
    }
}
