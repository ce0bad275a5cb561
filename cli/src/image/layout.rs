//! Images as they lie in tarballs of an OCI layout.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mlops_core::images::{Blobs, Document, Parcel};
use mlops_core::{Class, Error, Result};
use serde_json::{Value, json};

use super::tar::{self, Place};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Images of several architectures, and what is sent of them.
#[derive(Debug)]
pub(super) struct Layouts {
    /// Of each blob the tarball that has it, and where.
    places: BTreeMap<String, (PathBuf, Place)>,
    parcel: Parcel,
}

impl Layouts {
    /// Reads what the tarballs hold, and checks that all of it is there.
    pub(super) fn open(tarballs: &[PathBuf]) -> Result<Self> {
        let mut places = BTreeMap::new();
        let mut manifests = Vec::new();
        for tarball in tarballs {
            let files = tar::files(tarball)?;
            let index = files
                .get("index.json")
                .ok_or_else(|| wrong(tarball, "there is no index.json in it"))?;
            let index = parse(tarball, &slice(tarball, *index, 0, index.length)?)?;
            let named = index["manifests"].as_array().cloned().unwrap_or_default();
            manifests.extend(named.into_iter().map(|named| (tarball, named)));
            for (name, place) in files {
                if let Some(hex) = name.strip_prefix("blobs/sha256/") {
                    places.insert(format!("sha256:{hex}"), (tarball.clone(), place));
                }
            }
        }
        let mut blobs = BTreeMap::new();
        let mut parts = Vec::new();
        for (tarball, named) in &manifests {
            let digest = named["digest"].as_str().unwrap_or_default();
            let (_, place) = places
                .get(digest)
                .ok_or_else(|| wrong(tarball, &format!("it names {digest}, which is not in it")))?;
            let document = Document {
                media_type: named["mediaType"].as_str().unwrap_or_default().to_owned(),
                bytes: slice(tarball, *place, 0, place.length)?,
            };
            if document.digest() != digest {
                return Err(wrong(
                    tarball,
                    &format!("what it has for {digest} is something else"),
                ));
            }
            let manifest = parse(tarball, &document.bytes)?;
            let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
            for blob in layers.iter().chain([&manifest["config"]]) {
                let digest = blob["digest"].as_str().unwrap_or_default();
                let size = blob["size"].as_u64();
                let there = places.get(digest).map(|(_, place)| place.length);
                let size = size.filter(|size| there == Some(*size)).ok_or_else(|| {
                    wrong(
                        tarball,
                        &format!("the blob {digest} is not in it, or not whole"),
                    )
                })?;
                blobs.insert(digest.to_owned(), size);
            }
            parts.push(document);
        }
        let whole = match (parts.len(), parts.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                parts.push(last);
                index(&manifests.iter().map(|(_, named)| named).collect::<Vec<_>>())
            }
            (_, None) => {
                return Err(Error::invalid(
                    "the tarballs hold no image; run `make image`",
                ));
            }
        };
        let parcel = Parcel {
            blobs,
            parts,
            whole,
        };
        Ok(Self { places, parcel })
    }

    /// What is sent.
    pub(super) fn parcel(&self) -> &Parcel {
        &self.parcel
    }
}

#[async_trait]
impl Blobs for Layouts {
    async fn read(&self, digest: &str, start: u64, length: u64) -> Result<Vec<u8>> {
        let found = self.places.get(digest);
        let (tarball, place) =
            found.ok_or_else(|| Error::bug(format!("{digest} is in no tarball")))?;
        // A few megabytes of a file on this machine; nothing else waits.
        tokio::task::block_in_place(|| slice(tarball, *place, start, length))
    }
}

/// The index of images for several platforms; the same images make the same one.
fn index(manifests: &[&Value]) -> Document {
    let mut parts: Vec<Value> = manifests
        .iter()
        .map(|named| {
            json!({
                "mediaType": named["mediaType"], "digest": named["digest"], "size": named["size"],
                "platform": named["platform"],
            })
        })
        .collect();
    parts.sort_by_key(|part| part["platform"].to_string());
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts});
    Document {
        media_type: INDEX.to_owned(),
        bytes: index.to_string().into_bytes(),
    }
}

fn slice(tarball: &Path, place: Place, start: u64, length: u64) -> Result<Vec<u8>> {
    let unreadable = |cause: std::io::Error| {
        let text = format!("{} cannot be read any more", tarball.display());
        Error::new(Class::Corrupt, text).because(cause)
    };
    let mut file = File::open(tarball).map_err(unreadable)?;
    file.seek(SeekFrom::Start(place.start + start))
        .map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(wrong(tarball, "its end is missing")),
    }
}

fn parse(tarball: &Path, bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes)
        .map_err(|cause| wrong(tarball, "a part of it is not JSON").because(cause))
}

fn wrong(tarball: &Path, why: &str) -> Error {
    Error::invalid(format!(
        "{} is no image that `make image` writes: {why}; run it again",
        tarball.display()
    ))
}
