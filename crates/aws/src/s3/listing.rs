//! Which objects lie below a prefix.

use std::collections::HashMap;
use std::time::SystemTime;

use mlops_core::artifacts::Digest;

use super::bucket::Bucket;
use crate::fault::Failure;

/// An object, as a list of many tells it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) size: u64,
    /// Now, if the service does not say.
    pub(super) modified: SystemTime,
}

impl Bucket {
    /// The objects whose keys begin with `prefix`.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Listed>, Failure> {
        let call = self.about("ListObjectsV2", prefix);
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let sent = self.run(&call, |client| {
                let request = client
                    .list_objects_v2()
                    .bucket(self.name())
                    .prefix(prefix)
                    .set_continuation_token(token.clone())
                    .set_expected_bucket_owner(self.owner())
                    .customize()
                    .config_override(self.limit(0));
                Box::pin(request.send())
            });
            let page = sent.await?;
            for object in page.contents() {
                let size = object.size().and_then(|size| u64::try_from(size).ok());
                let at = object.last_modified();
                if let (Some(key), Some(size)) = (object.key(), size) {
                    found.push(Listed {
                        key: key.to_owned(),
                        size,
                        modified: at
                            .and_then(|at| SystemTime::try_from(*at).ok())
                            .unwrap_or_else(SystemTime::now),
                    });
                }
            }
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The files of an artifact that are there, by key, and their sizes.
    pub(super) async fn sizes(&self, artifact: &Digest) -> Result<HashMap<String, u64>, Failure> {
        let prefix = format!("{}files/", self.layout.artifact(artifact));
        let objects = self.list(&prefix).await?;
        let sizes = objects.into_iter().map(|object| (object.key, object.size));
        Ok(sizes.collect())
    }
}
