//! A service that no endpoint made: told of as it is, and marked by tags.

use aws_sdk_ecs::types::{Service, Tag};
use mlops_core::{Error, Result};

use super::Services;
use crate::ecs::{calls, names, tags};
use crate::fault::Failure;

impl Services<'_> {
    /// The service of this name as ECS tells of it, if it is not gone.
    ///
    /// # Errors
    /// `NotFound` if there is no such cluster.
    pub(in crate::ecs) async fn tell(&self, name: &str) -> Result<Option<Service>> {
        let found = match self.told(&[name.to_owned()]).await {
            Ok(mut services) => services.pop(),
            Err(failure) if failure.code() == Some("ClusterNotFoundException") => {
                return Err(Error::not_found(format!(
                    "there is no cluster {} in this region and account; correct the id, region or the credentials",
                    names::cluster(self.cluster)
                ))
                .because(failure.into_error()));
            }
            Err(failure) => return Err(failure.into_error()),
        };
        Ok(found.filter(|service| service.status() != Some("INACTIVE")))
    }

    /// Gives a service these tags.
    pub(in crate::ecs) async fn tag(&self, name: &str, arn: &str, tags: Vec<Tag>) -> Result<()> {
        let call = self.call("TagResource", name);
        let client = self.clients.ecs().await?;
        let answer = calls::run(self.clients, &call, || {
            let request = client.tag_resource().resource_arn(arn);
            Box::pin(request.set_tags(Some(tags.clone())).send())
        })
        .await;
        answer.map(|_| ()).map_err(Failure::into_error)
    }

    /// Takes the tags of endpoints from a service. Success if it is gone.
    pub(in crate::ecs) async fn untag(&self, name: &str, arn: &str) -> Result<()> {
        let call = self.call("UntagResource", name);
        let client = self.clients.ecs().await?;
        let answer = calls::run(self.clients, &call, || {
            let request = client.untag_resource().resource_arn(arn);
            let keys = tags::ALL.map(str::to_owned).into();
            Box::pin(request.set_tag_keys(Some(keys)).send())
        })
        .await
        .map(|_| ());
        calls::or_missing(answer, ())
    }
}
