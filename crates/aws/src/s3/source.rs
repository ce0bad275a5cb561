//! Sources of versions that lie in S3 already: `s3://BUCKET/KEY`, a file or what lies below a prefix.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_types::byte_stream::ByteStream;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use mlops_core::artifacts::{RemoteFile, RemoteSource, RemoteTree};
use mlops_core::{Error, Result};

use super::body::{FILES, line};
use super::bucket::Bucket;
use super::explain::SOURCE;
use super::layout::Layout;
use super::{S3Settings, blocking, names_bucket};
use crate::clients::AwsClients;
use crate::fault::{Failure, Kind};
use crate::settings::AwsSettings;

/// A model of more files than this is a mistake in the URI.
const MOST_FILES: usize = 10_000;
/// So often in a row a stream may break without a byte in between.
const BREAKS: u32 = 5;
/// How much is written at once.
const BUFFER: usize = 256 * 1024;
/// A stream that brings nothing for so long is broken.
const SILENCE: Duration = Duration::from_secs(30);

/// Reads sources from the buckets that these settings may read. Cheap to make: nothing is called, and not even the
/// environment is read, before the first source is asked for.
#[derive(Debug)]
pub struct S3Sources {
    settings: AwsSettings,
    clients: OnceLock<AwsClients>,
}

impl S3Sources {
    /// Sources that are read with these settings, completed from the environment when the first one is asked for.
    pub fn new(settings: AwsSettings) -> Self {
        Self {
            settings,
            clients: OnceLock::new(),
        }
    }

    /// Sources that are read with clients which are in use already.
    pub fn with_clients(clients: AwsClients) -> Self {
        Self {
            settings: AwsSettings::default(),
            clients: OnceLock::from(clients),
        }
    }

    fn clients(&self) -> Result<AwsClients> {
        if let Some(clients) = self.clients.get() {
            return Ok(clients.clone());
        }
        let made = AwsClients::new(self.settings.clone())?;
        Ok(self.clients.get_or_init(|| made).clone())
    }

    fn bucket(&self, place: &Place<'_>) -> Result<Bucket> {
        Ok(Bucket {
            clients: self.clients()?,
            settings: S3Settings::new(place.bucket),
            layout: Layout {
                prefix: String::new(),
            },
            terms: &SOURCE,
        })
    }
}

#[async_trait]
impl RemoteSource for S3Sources {
    async fn look(&self, uri: &str) -> Result<RemoteTree> {
        let place = Place::read(uri)?;
        let bucket = self.bucket(&place)?;
        if let Some(name) = place.file_name()
            && let Some(found) = bucket.head(place.key).await.map_err(Failure::into_error)?
        {
            let file = RemoteFile {
                path: name.to_owned(),
                size: found.size,
                tag: found.tag,
            };
            return RemoteTree::file(uri, file);
        }
        let prefix = place.directory();
        let files = below(&bucket, uri, &prefix).await?;
        RemoteTree::directory(uri, files)
    }

    async fn fetch(&self, tree: &RemoteTree, directory: &Path) -> Result<()> {
        let place = Place::read(tree.uri())?;
        let bucket = self.bucket(&place)?;
        let one = tree.below(directory) != directory;
        let prefix = place.directory();
        let files: Vec<BoxFuture<'_, _>> = tree
            .files()
            .iter()
            .map(|file| {
                let key = match one {
                    true => place.key.to_owned(),
                    false => format!("{prefix}{}", file.path),
                };
                write(&bucket, key, file, directory.join(&file.path)).boxed()
            })
            .collect();
        stream::iter(files)
            .buffer_unordered(FILES)
            .try_collect::<Vec<()>>()
            .await
            .map(drop)
    }
}

/// What a URI names.
struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
}

impl<'a> Place<'a> {
    fn read(uri: &'a str) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::invalid(format!(
                "source {uri:?} cannot be read: {why}; write s3://BUCKET/KEY, of an object or of what lies below a prefix"
            ))
            .at("source"))
        };
        let Some(rest) = uri.strip_prefix("s3://") else {
            return refuse("it is no URI of S3");
        };
        // The ARN of an access point holds a slash: arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME.
        let slashes = if rest.starts_with("arn:") { 2 } else { 1 };
        let end = rest
            .match_indices('/')
            .nth(slashes - 1)
            .map_or(rest.len(), |(at, _)| at);
        let (bucket, key) = (&rest[..end], rest[end..].trim_start_matches('/'));
        if !names_bucket(bucket) {
            return refuse(&format!("{bucket:?} names no bucket"));
        }
        // A whole bucket is never one model, and asking for it would list everything there is.
        if key.is_empty() {
            return refuse("it names a whole bucket");
        }
        if key.len() > 1024 || key.chars().any(char::is_control) {
            return refuse("its key is no legal one");
        }
        Ok(Self { bucket, key })
    }

    /// The object's own name, unless the URI says that it is a directory.
    fn file_name(&self) -> Option<&'a str> {
        let name = self.key.rsplit('/').next().unwrap_or(self.key);
        (!name.is_empty()).then_some(name)
    }

    fn directory(&self) -> String {
        format!("{}/", self.key.trim_end_matches('/'))
    }
}

/// The objects below a prefix, but for those of no bytes that consoles make in place of directories.
async fn below(bucket: &Bucket, uri: &str, prefix: &str) -> Result<Vec<RemoteFile>> {
    let mut files = Vec::new();
    let all = bucket.pages(prefix, |page| {
        files.extend(page.into_iter().filter_map(|object| {
            let path = object.key.strip_prefix(prefix)?;
            let is_directory = path.is_empty() || (path.ends_with('/') && object.size == 0);
            (!is_directory).then(|| RemoteFile {
                path: path.to_owned(),
                size: object.size,
                tag: object.tag,
            })
        }));
        if files.len() <= MOST_FILES {
            return Ok(());
        }
        let error = Error::invalid(format!(
            "source {uri} has more than {MOST_FILES} files; name the directory of one model"
        ));
        let call = bucket.about("ListObjectsV2", prefix);
        Err(Failure::before(&call, error.at("source")))
    });
    all.await.map_err(Failure::into_error)?;
    Ok(files)
}

/// Writes one object's bytes, gone on with where a connection breaks.
async fn write(bucket: &Bucket, key: String, file: &RemoteFile, target: PathBuf) -> Result<()> {
    let _line = line().await;
    let mut target = blocking(move || Target::create(target)).await?;
    let (mut read, mut broken) = (0, 0);
    loop {
        let mut body = begin(bucket, &key, file, read).await?;
        let before = read;
        let cause = loop {
            match tokio::time::timeout(SILENCE, body.next()).await {
                Ok(Some(Ok(piece))) => {
                    read += piece.len() as u64;
                    target.pending.extend_from_slice(&piece);
                    if target.pending.len() >= BUFFER {
                        target = blocking(move || target.flush()).await?;
                    }
                }
                Ok(Some(Err(error))) => break error.to_string(),
                Ok(None) => break "they ended too early".to_owned(),
                Err(_) => break format!("nothing came for {SILENCE:?}"),
            }
        };
        // A break after the last byte is an end: an empty range cannot be asked for.
        if read >= file.size {
            break;
        }
        broken = if read > before { 0 } else { broken + 1 };
        if broken >= BREAKS {
            return Err(Error::unavailable(format!(
                "the bytes of {} stopped coming ({cause}); check the network, then run the operation again",
                bucket.uri(&key)
            ))
            .at("source"));
        }
    }
    if read != file.size {
        return Err(changed(bucket, &key));
    }
    blocking(move || target.flush()).await.map(drop)
}

/// A file that is being written.
struct Target {
    path: PathBuf,
    file: File,
    /// What came and is not written yet.
    pending: Vec<u8>,
}

impl Target {
    /// Blocking, as all of this.
    fn create(path: PathBuf) -> Result<Self> {
        let parent = path.parent().unwrap_or(Path::new("."));
        let made = std::fs::create_dir_all(parent).and_then(|()| File::create_new(&path));
        match made {
            Ok(file) => Ok(Self {
                path,
                file,
                pending: Vec::new(),
            }),
            Err(error) => Err(unwritten(&path, error)),
        }
    }

    fn flush(mut self) -> Result<Self> {
        match self.file.write_all(&self.pending) {
            Ok(()) => {
                self.pending.clear();
                Ok(self)
            }
            Err(error) => Err(unwritten(&self.path, error)),
        }
    }
}

/// Asks for an object from an offset on, if it is still the one that was looked at.
async fn begin(bucket: &Bucket, key: &str, file: &RemoteFile, offset: u64) -> Result<ByteStream> {
    let call = bucket.about("GetObject", key);
    let sent = bucket.run(&call, |client| {
        let request = client
            .get_object()
            .bucket(bucket.name())
            .key(key)
            .set_range((offset > 0).then(|| format!("bytes={offset}-")))
            .if_match(&file.tag)
            .customize()
            .config_override(bucket.limit(0));
        Box::pin(request.send())
    });
    match sent.await {
        Ok(answer) => Ok(answer.body),
        Err(failure) if matches!(failure.kind, Kind::Missing | Kind::Condition) => {
            Err(changed(bucket, key).because(failure.into_error()))
        }
        Err(failure) => Err(failure.into_error()),
    }
}

fn changed(bucket: &Bucket, key: &str) -> Error {
    Error::conflict(format!(
        "source {} changed while it was read; wait until it is written and apply again",
        bucket.uri(key)
    ))
    .at("source")
}

fn unwritten(target: &Path, error: std::io::Error) -> Error {
    Error::unavailable(format!(
        "{} could not be written; sources are read into the directory for temporary files (TMPDIR), which needs room for them",
        target.display()
    ))
    .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_bucket_and_a_key() {
        for (uri, bucket, key, file, directory) in [
            (
                "s3://acme/m/digits.onnx",
                "acme",
                "m/digits.onnx",
                Some("digits.onnx"),
                "m/digits.onnx/",
            ),
            ("s3://acme/m/", "acme", "m/", None, "m/"),
            (
                "s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/train/m",
                "arn:aws:s3:eu-west-1:111122223333:accesspoint/train",
                "m",
                Some("m"),
                "m/",
            ),
        ] {
            let place = Place::read(uri).unwrap();
            assert_eq!((place.bucket, place.key), (bucket, key), "{uri}");
            assert_eq!(place.file_name(), file, "{uri}");
            assert_eq!(place.directory(), directory, "{uri}");
        }
    }

    #[test]
    fn what_names_no_object_is_refused() {
        for (uri, says) in [
            ("s3://", "names no bucket"),
            ("s3:///m", "names no bucket"),
            ("s3://Acme/m", "names no bucket"),
            ("s3://acme", "whole bucket"),
            ("s3://acme/", "whole bucket"),
            ("s3://acme/a\nb", "no legal one"),
            ("https://acme/m", "no URI of S3"),
        ] {
            let Err(error) = Place::read(uri) else {
                panic!("{uri} was read")
            };
            assert!(error.to_string().contains(says), "{uri}: {error}");
            assert_eq!(error.attribute(), Some("source"));
        }
    }
}
