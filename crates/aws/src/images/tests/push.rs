//! An image is sent: what is there stays, and whatever breaks off is taken up by the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::images::{Blobs, Document, Parcel, Publisher as _, Reference, Sent};
use mlops_core::{Class, Error, Result};

use super::distribution::registries;
use super::server::{Made, Said, Server};
use crate::images::{digest_of, push};

/// What a registry keeps: blobs and manifests by digest, tags, and uploads that nobody has finished.
#[derive(Debug, Default)]
struct Kept {
    blobs: BTreeMap<String, String>,
    manifests: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    uploads: BTreeMap<String, String>,
    /// The tag that does not move.
    immutable: bool,
}

impl Kept {
    fn answer(&mut self, made: &Made) -> Said {
        let (path, query) = made.path.split_once('?').unwrap_or((&made.path, ""));
        let Some(rest) = path.strip_prefix("/v2/a/mlops/") else {
            return Said::error(404, "NAME_UNKNOWN");
        };
        if let Some(upload) = rest.strip_prefix("blobs/uploads/") {
            return self.upload(made, upload, query);
        }
        if let Some(digest) = rest.strip_prefix("blobs/") {
            return match self.blobs.contains_key(digest) {
                true => Said::new(200, ""),
                false => Said::error(404, "BLOB_UNKNOWN"),
            };
        }
        let name = rest.strip_prefix("manifests/").expect("a manifest");
        let digest = self
            .tags
            .get(name)
            .cloned()
            .unwrap_or_else(|| name.to_owned());
        if made.method == "HEAD" {
            return match self.manifests.contains_key(&digest) {
                true => Said::new(200, "").with("docker-content-digest", digest),
                false => Said::error(404, "MANIFEST_UNKNOWN"),
            };
        }
        if self.immutable && self.tags.contains_key(name) {
            return Said::error(400, "TAG_INVALID");
        }
        // A registry takes nothing of which a part is missing.
        for (of, known) in [("blob ", &self.blobs), ("part ", &self.manifests)] {
            let named = made.body.lines().filter_map(|line| line.strip_prefix(of));
            for digest in named {
                assert!(known.contains_key(digest), "{of}{digest} is missing");
            }
        }
        let digest = digest_of(made.body.as_bytes());
        self.manifests.insert(digest.clone(), made.body.clone());
        if !name.starts_with("sha256:") {
            self.tags.insert(name.to_owned(), digest.clone());
        }
        Said::new(201, "").with("docker-content-digest", digest)
    }

    fn upload(&mut self, made: &Made, upload: &str, query: &str) -> Said {
        if made.method == "POST" {
            let upload = format!("u{}", self.uploads.len());
            self.uploads.insert(upload.clone(), String::new());
            let at = format!("/v2/a/mlops/blobs/uploads/{upload}?state=x");
            return Said::new(202, "").with("location", at);
        }
        let kept = self.uploads.entry(upload.to_owned()).or_default();
        let range = made.header("content-range");
        if range
            .split('-')
            .next()
            .is_some_and(|start| !start.is_empty() && start != kept.len().to_string())
        {
            return Said::new(416, "");
        }
        kept.push_str(&made.body);
        if made.method == "PATCH" {
            return Said::new(202, "").with(
                "location",
                format!("/v2/a/mlops/blobs/uploads/{upload}?state=y"),
            );
        }
        let digest = query
            .split_once("digest=")
            .expect("a digest")
            .1
            .replace("%3A", ":");
        let kept = kept.clone();
        if digest_of(kept.as_bytes()) != digest {
            return Said::error(400, "DIGEST_INVALID");
        }
        self.blobs.insert(digest, kept);
        Said::new(201, "")
    }
}

/// A registry that remembers, and leaves the requests of these numbers without an answer: the effect is there, and nobody hears of it.
async fn registry(kept: &Arc<Mutex<Kept>>, lost: BTreeSet<usize>) -> Server {
    let kept = kept.clone();
    let number = Mutex::new(0);
    Server::start(move |made, _| {
        let mut number = number.lock().expect("whole");
        let said = kept.lock().expect("whole").answer(made);
        *number += 1;
        match lost.contains(&*number) {
            true => Said::hang(),
            false => said,
        }
    })
    .await
}

struct Held(BTreeMap<String, String>);

#[async_trait]
impl Blobs for Held {
    async fn read(&self, digest: &str, start: u64, length: u64) -> Result<Vec<u8>> {
        let blob = self
            .0
            .get(digest)
            .ok_or_else(|| Error::bug("no such blob"))?;
        let (start, length) = (start as usize, length as usize);
        Ok(blob.as_bytes()[start..start + length].to_vec())
    }
}

/// An image of two parts; one of its blobs goes in several pieces.
fn image() -> (Parcel, Held) {
    let contents = [
        "small".to_owned(),
        "large ".repeat(push::CHUNK as usize / 2),
    ];
    let held: BTreeMap<String, String> = contents
        .into_iter()
        .map(|content| (digest_of(content.as_bytes()), content))
        .collect();
    let document = |text: String| Document {
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        bytes: text.into_bytes(),
    };
    let parts: Vec<Document> = held
        .keys()
        .map(|digest| document(format!("blob {digest}\n")))
        .collect();
    let named: String = parts
        .iter()
        .map(|part| format!("part {}\n", part.digest()))
        .collect();
    let sizes = held.iter();
    let parcel = Parcel {
        blobs: sizes
            .map(|(digest, content)| (digest.clone(), content.len() as u64))
            .collect(),
        whole: document(named),
        parts,
    };
    (parcel, Held(held))
}

fn to(server: &Server, name: &str) -> Reference {
    format!("{}/{name}", server.host).parse().expect("a name")
}

/// Sends the image; what was sent, and what was kept.
async fn send(server: &Server, name: &str) -> Result<(Reference, usize, usize)> {
    let (registries, _directory) = registries("{}");
    let (parcel, held) = image();
    let told = Mutex::new((0, 0));
    let note = |sent: Sent| {
        let mut told = told.lock().expect("whole");
        match sent {
            Sent::Sent(..) => told.0 += 1,
            Sent::Kept(_) => told.1 += 1,
        }
    };
    let named = registries
        .publish(&parcel, &held, &to(server, name), &note)
        .await?;
    let (sent, kept) = *told.lock().expect("whole");
    Ok((named, sent, kept))
}

#[tokio::test]
async fn what_is_there_is_not_sent_again_and_the_name_comes_last() {
    let kept = Arc::default();
    let server = registry(&kept, BTreeSet::new()).await;
    let (named, sent, there) = send(&server, "a/mlops:1").await.expect("sent");
    let (parcel, held) = image();
    let digest = parcel.whole.digest();
    assert_eq!(
        named.to_string(),
        format!("{}/a/mlops@{digest}", server.host)
    );
    assert_eq!((sent, there), (5, 0));
    assert_eq!(kept.lock().expect("whole").blobs, held.0);
    let first = server.lines();
    assert_eq!(
        first.last().map(String::as_str),
        Some("PUT /v2/a/mlops/manifests/1")
    );
    let pieces = first
        .iter()
        .filter(|line| line.starts_with("PATCH"))
        .count();
    assert_eq!(pieces, 2, "{first:?}");

    let again = send(&server, "a/mlops:1").await.expect("sent");
    assert_eq!(again, (named, 0, 5));
    let asked = server.lines().split_off(first.len());
    assert!(
        asked.iter().all(|line| line.starts_with("HEAD")),
        "{asked:?}"
    );
    // Another name of what is there.
    let (_, sent, there) = send(&server, "a/mlops:2").await.expect("sent");
    assert_eq!((sent, there), (1, 4));
}

#[tokio::test]
async fn whenever_it_is_killed_the_next_one_goes_on() {
    let kept = Arc::default();
    let whole = registry(&kept, BTreeSet::new()).await;
    send(&whole, "a/mlops:1").await.expect("sent");
    let calls = whole.lines().len();
    let complete = kept.lock().expect("whole").manifests.clone();
    for number in 1..=calls {
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let server = registry(&kept, BTreeSet::from([number])).await;
        let killed = {
            let reached = async {
                while server.lines().len() < number {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            // What is dropped says nothing any more, as what is killed.
            tokio::select! {
                done = send(&server, "a/mlops:1") => Some(done),
                () = reached => None,
            }
        };
        assert!(killed.is_none(), "call {number}: {killed:?}");
        let (_, sent, there) = send(&server, "a/mlops:1").await.expect("sent");
        assert_eq!(sent + there, 5, "call {number}");
        let kept = kept.lock().expect("whole");
        assert_eq!(kept.manifests, complete, "call {number}");
        assert_eq!(kept.tags.len(), 1, "call {number}");
    }
    println!("an image that is sent by {calls} calls, killed at each: taken up by the next");
}

#[tokio::test]
async fn a_repository_that_is_not_there_a_tag_that_is_taken_and_a_refusal_are_told() {
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let server = registry(&kept, BTreeSet::new()).await;
    let error = send(&server, "b/other:1").await.expect_err("no repository");
    assert_eq!(error.class(), Class::NotFound);
    assert!(
        error.to_string().contains("there is no repository b/other"),
        "{error}"
    );

    {
        let mut kept = kept.lock().expect("whole");
        kept.immutable = true;
        let other = "other".to_owned();
        kept.tags
            .insert("1".to_owned(), digest_of(other.as_bytes()));
        kept.manifests.insert(digest_of(other.as_bytes()), other);
    }
    let error = send(&server, "a/mlops:1").await.expect_err("taken");
    assert_eq!(error.class(), Class::Conflict);
    assert!(error.to_string().contains("lets no tag move"), "{error}");

    let server = Server::start(|_, _| Said::error(403, "DENIED")).await;
    let error = send(&server, "a/mlops:1").await.expect_err("not allowed");
    assert_eq!(error.class(), Class::Denied);
    assert!(error.to_string().contains("ecr:PutImage"), "{error}");
}

#[tokio::test]
async fn a_blob_of_which_the_registry_lost_a_piece_is_begun_anew() {
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let remembered = kept.clone();
    let server = Server::start(move |made, _| {
        let mut kept = remembered.lock().expect("whole");
        let is_first = made.method == "PATCH" && kept.uploads.len() < 3;
        let said = kept.answer(made);
        match is_first {
            // It was taken, and somebody in between says otherwise.
            true => Said::new(502, "Bad Gateway"),
            false => said,
        }
    })
    .await;
    let (_, sent, _) = send(&server, "a/mlops:1").await.expect("sent");
    assert_eq!(sent, 5);
    assert_eq!(kept.lock().expect("whole").blobs.len(), 2);
}
