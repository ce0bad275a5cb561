//! Which objects lie below a prefix.

use std::collections::HashMap;
use std::time::SystemTime;

use aws_sdk_s3::types::Object;
use mlops_core::artifacts::Digest;

use super::bucket::Bucket;
use crate::fault::Failure;

/// An object, as a list of many tells it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) size: u64,
    /// The entity tag; empty, if the service does not say.
    pub(super) tag: String,
    /// Now, if the service does not say.
    pub(super) modified: SystemTime,
}

impl Bucket {
    /// The objects whose keys begin with `prefix`.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Listed>, Failure> {
        let mut found = Vec::new();
        let all = self.pages(prefix, |page| {
            found.extend(page);
            Ok(())
        });
        all.await?;
        Ok(found)
    }

    /// The same, page by page. An error of `take` is the last that is asked for.
    pub(super) async fn pages(
        &self,
        prefix: &str,
        mut take: impl FnMut(Vec<Listed>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let call = self.about("ListObjectsV2", prefix);
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
            take(page.contents().iter().filter_map(listed).collect())?;
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(());
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

fn listed(object: &Object) -> Option<Listed> {
    let at = object.last_modified();
    Some(Listed {
        key: object.key()?.to_owned(),
        size: u64::try_from(object.size()?).ok()?,
        tag: object.e_tag().unwrap_or_default().to_owned(),
        modified: at
            .and_then(|at| SystemTime::try_from(*at).ok())
            .unwrap_or_else(SystemTime::now),
    })
}
