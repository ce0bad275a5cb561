//! What somebody else made becomes an endpoint's by its tags, and is let go of by them.

use mlops_core::target::Revision;
use mlops_core::{Error, Result};
use uuid::Uuid;

use super::FoundFront;
use crate::elb::calls::{Blame, about, or_missing, run};
use crate::elb::front::{named, of};
use crate::elb::tags::{self, Tags};
use crate::elb::{Balancers, Owner};

impl Balancers {
    /// Gives the front and its target group the owner's tags. Requests go on as they do.
    ///
    /// # Errors
    /// `Conflict` if one of the two is another endpoint's by now, or the front leads elsewhere.
    pub(crate) async fn take(
        &self,
        owner: &Owner,
        revision: &Revision,
        found: &FoundFront,
    ) -> Result<()> {
        let FoundFront {
            front, group_arn, ..
        } = found;
        let blame = Blame::of_front(front);
        let leads = match self.one(front).await? {
            Some(one) => one.arns().collect(),
            None => Vec::new(),
        };
        if leads != [front.arn.as_str(), group_arn.as_str()] {
            return Err(Error::conflict(format!(
                "{} does not forward to {group_arn} alone any more; plan again",
                named(front)
            )));
        }
        let all = self.tags(&[&front.arn, group_arn], blame).await?;
        for arn in [&front.arn, group_arn] {
            let tags = of(&all, arn);
            if let Some(other) = tags::owner(tags).filter(|_| !tags::are_of(tags, owner.endpoint)) {
                return Err(Error::conflict(format!(
                    "{arn} belongs to endpoint {other} by now; plan again"
                )));
            }
        }
        // The group first: a front that is the endpoint's tells of all that is behind it.
        self.add_tags(group_arn, tags::as_list(tags::of(owner, Some(revision))))
            .await?;
        self.add_tags(&front.arn, tags::as_list(tags::of(owner, None)))
            .await
    }

    /// Takes the endpoint's tags from the front and the target group, after the front was made to lead there as it did. What is gone, and what is not the
    /// endpoint's, is success.
    pub(crate) async fn let_go(&self, endpoint: Uuid, found: &FoundFront) -> Result<()> {
        let FoundFront {
            front,
            group_arn,
            weight,
            ..
        } = found;
        if let Some(attached) = self.look(front, endpoint).await?
            && let [one] = &attached[..]
            && one.group_arn == *group_arn
            && one.weight != *weight
        {
            let before = vec![(group_arn.clone(), *weight)];
            self.divide(front, endpoint, before).await?;
        }
        for arn in [&front.arn, group_arn] {
            let Some(all) = or_missing(self.tags(&[arn.as_str()], Blame::Nothing).await)? else {
                continue;
            };
            let tags: &Tags = of(&all, arn);
            if tags::are_of(tags, endpoint) {
                self.remove_tags(arn).await?;
            }
        }
        Ok(())
    }

    async fn add_tags(
        &self,
        arn: &str,
        tags: Vec<aws_sdk_elasticloadbalancingv2::types::Tag>,
    ) -> Result<()> {
        let about = about("AddTags", arn, Blame::Nothing);
        let sent = run(&self.clients, &about, |client| {
            let request = client.add_tags().resource_arns(arn);
            Box::pin(request.set_tags(Some(tags.clone())).send())
        });
        sent.await?;
        Ok(())
    }

    async fn remove_tags(&self, arn: &str) -> Result<()> {
        let about = about("RemoveTags", arn, Blame::Nothing);
        let keys: Vec<String> = tags::ALL.map(str::to_owned).into();
        let sent = run(&self.clients, &about, |client| {
            let request = client.remove_tags().resource_arns(arn);
            Box::pin(request.set_tag_keys(Some(keys.clone())).send())
        });
        match sent.await {
            Err(refusal) if !refusal.is_missing() => Err(refusal.into()),
            _ => Ok(()),
        }
    }
}
