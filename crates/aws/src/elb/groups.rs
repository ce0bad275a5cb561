//! Target groups, one for each revision, and how the front divides requests among them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup, TargetGroupAttribute, TargetTypeEnum,
};
use mlops_core::endpoint::Period;
use mlops_core::endpoint::spec::{HealthCheck, Placement, Workload};
use mlops_core::saga::Progress;
use mlops_core::target::{Revision, RevisionName};
use mlops_core::{Error, Result};
use uuid::Uuid;

use super::calls::{Blame, Refusal, about, or_missing, run};
use super::front::{named, of, revision_of};
use super::{Attached, Balancers, Front, Owner, names, tags, weights};

/// Seconds from one question to the next by default.
const INTERVAL: u64 = 10;
/// Seconds that an answer may take by default.
const TIMEOUT: u64 = 5;
/// Good answers in a row that make a task healthy by default.
const HEALTHY: u32 = 2;
/// Bad answers in a row that make it unhealthy by default.
const UNHEALTHY: u32 = 3;
/// How soon to ask again whether a target group is let go.
const POLL: Duration = Duration::from_secs(2);
/// A load balancer lets go of a target group within seconds of the change; beyond this, something else holds it.
const LET_GO: Duration = Duration::from_secs(300);

impl Balancers {
    /// Makes the revision's target group, or finds the one that an earlier call made, and joins it to the front without weight:
    /// ECS refuses a service whose target group no load balancer knows. Its ARN.
    ///
    /// # Errors
    /// `NotFound` if the front is gone; `Conflict` for a target group of that name that is somebody else's.
    pub(crate) async fn ensure_group(
        &self,
        owner: &Owner,
        front: &Front,
        revision: &Revision,
    ) -> Result<String> {
        let attached = self.attached(front, owner.endpoint).await?;
        // Joining is the last step: who has joined is whole.
        if let Some(found) = attached
            .iter()
            .find(|group| group.revision == revision.name)
        {
            return Ok(found.group_arn.clone());
        }
        let placement = revision.placement.as_deref().ok_or_else(|| {
            Error::bug(format!(
                "revision {} does not say how it is asked for its health; report this",
                revision.name
            ))
        })?;
        let arn = match self.find(owner, &revision.name).await? {
            Some(group) => group.ours()?,
            None => self.create_group(owner, front, revision, placement).await?,
        };
        self.set_drain(&arn, placement.drain_seconds).await?;
        let mut all: Vec<(String, u32)> = weighted(&attached);
        all.push((arn.clone(), 0));
        self.divide(front, owner.endpoint, all).await?;
        Ok(arn)
    }

    /// The ARN of the revision's target group, if it is there and the endpoint's.
    pub(crate) async fn group(
        &self,
        owner: &Owner,
        revision: &RevisionName,
    ) -> Result<Option<String>> {
        let found = self.find(owner, revision).await?;
        Ok(found.filter(|group| group.is_ours).map(|group| group.arn))
    }

    /// Divides requests by these shares, in one call; groups that they do not name get none.
    ///
    /// # Errors
    /// `NotFound` if the front is gone, or a revision with a share has no target group that has joined it.
    pub(crate) async fn set_weights(
        &self,
        front: &Front,
        endpoint: Uuid,
        shares: &BTreeMap<RevisionName, u64>,
    ) -> Result<()> {
        let attached = self.attached(front, endpoint).await?;
        let lost = shares.iter().find(|(revision, share)| {
            **share > 0 && !attached.iter().any(|group| group.revision == **revision)
        });
        if let Some((revision, _)) = lost {
            return Err(Error::not_found(format!(
                "revision {revision} has no target group that {} divides requests among",
                named(front)
            )));
        }
        let weights = weights::of(shares);
        let wanted: Vec<(String, u32)> = attached
            .iter()
            .map(|group| {
                let weight = weights.get(&group.revision).copied().unwrap_or(0);
                (group.group_arn.clone(), weight)
            })
            .collect();
        if wanted == weighted(&attached) {
            return Ok(());
        }
        self.divide(front, endpoint, wanted).await
    }

    /// Divides no request to the revision's target group any more, and lets go of it. One that has not joined, and a front
    /// that is gone, are success.
    pub(crate) async fn detach(
        &self,
        front: &Front,
        endpoint: Uuid,
        revision: &RevisionName,
    ) -> Result<()> {
        let Some(mut attached) = self.look(front, endpoint).await? else {
            return Ok(());
        };
        let before = attached.len();
        attached.retain(|group| group.revision != *revision);
        if attached.len() == before {
            return Ok(());
        }
        match self.divide(front, endpoint, weighted(&attached)).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// Deletes the revision's target group; pending while its load balancer has not let go of it. One that is gone already,
    /// and one of that name that is somebody else's, are success.
    pub(crate) async fn delete_group(
        &self,
        owner: &Owner,
        revision: &RevisionName,
    ) -> Result<Progress<()>> {
        match self.group(owner, revision).await? {
            Some(arn) => self.delete_arn(&arn).await,
            None => Ok(Progress::Done(())),
        }
    }

    /// The same of a target group that was there before the endpoint, which took it over.
    pub(crate) async fn delete_found_group(
        &self,
        endpoint: Uuid,
        arn: &str,
    ) -> Result<Progress<()>> {
        match self.tags(&[arn], Blame::Nothing).await {
            Ok(all) if tags::are_of(of(&all, arn), endpoint) => self.delete_arn(arn).await,
            Ok(_) => Ok(Progress::Done(())),
            Err(refusal) if refusal.is_missing() => Ok(Progress::Done(())),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn delete_arn(&self, arn: &str) -> Result<Progress<()>> {
        let about = about(
            "DeleteTargetGroup",
            format!("target group {arn}"),
            Blame::Nothing,
        );
        let sent = run(&self.clients, &about, |client| {
            Box::pin(client.delete_target_group().target_group_arn(arn).send())
        });
        match sent.await {
            Ok(_) => Ok(Progress::Done(())),
            Err(refusal) if refusal.is_missing() => Ok(Progress::Done(())),
            Err(refusal) if refusal.is("ResourceInUse") => Ok(Progress::again(POLL, LET_GO)),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn attached(&self, front: &Front, endpoint: Uuid) -> Result<Vec<Attached>> {
        self.look(front, endpoint).await?.ok_or_else(|| {
            Error::not_found(format!(
                "{} is gone, or does not carry the tag {} = {endpoint} any more",
                named(front),
                tags::ENDPOINT_ID
            ))
        })
    }

    /// What has the name of the revision's target group.
    async fn find(&self, owner: &Owner, revision: &RevisionName) -> Result<Option<Group>> {
        let name = names::of_revision(owner, revision);
        let resource = format!("target group {name}");
        let about = about("DescribeTargetGroups", resource, Blame::Nothing);
        let sent = run(&self.clients, &about, |client| {
            Box::pin(client.describe_target_groups().names(&name).send())
        });
        let group = or_missing(sent.await)?.and_then(|found| found.target_groups?.pop());
        let Some(arn) = group.and_then(|group| group.target_group_arn) else {
            return Ok(None);
        };
        let Some(all) = or_missing(self.tags(&[&arn], Blame::Nothing).await)? else {
            return Ok(None);
        };
        let whose = revision_of(of(&all, &arn), owner.endpoint);
        Ok(Some(Group {
            is_ours: whose.is_some_and(|(found, _)| found == *revision),
            name,
            arn,
            endpoint: owner.endpoint,
        }))
    }

    async fn create_group(
        &self,
        owner: &Owner,
        front: &Front,
        revision: &Revision,
        placement: &Placement,
    ) -> Result<String> {
        let name = names::of_revision(owner, &revision.name);
        let resource = format!("target group {name}");
        let about = about("CreateTargetGroup", resource.clone(), Blame::Nothing);
        let labels = tags::as_list(tags::of(owner, Some(revision)));
        let check = Check::of(&placement.health_check, &revision.workload);
        let port = revision.container.port;
        let sent = run(&self.clients, &about, |client| {
            let request = client
                .create_target_group()
                .name(&name)
                .target_type(TargetTypeEnum::Ip)
                .protocol(ProtocolEnum::Http)
                .port(i32::from(port))
                .vpc_id(&front.vpc_id)
                .health_check_protocol(ProtocolEnum::Http)
                .health_check_path(&check.path)
                .health_check_interval_seconds(check.interval)
                .health_check_timeout_seconds(check.timeout)
                .healthy_threshold_count(check.healthy)
                .unhealthy_threshold_count(check.unhealthy)
                .matcher(Matcher::builder().http_code("200-299").build())
                .set_tags(Some(labels.clone()));
            Box::pin(request.send())
        });
        let made = match sent.await {
            Ok(made) => made
                .target_groups
                .unwrap_or_default()
                .pop()
                .and_then(|group| group.target_group_arn),
            // Made by a call whose answer was lost, or by somebody else since we looked.
            Err(refusal) if is_taken(&refusal) => match self.find(owner, &revision.name).await? {
                Some(group) => Some(group.ours()?),
                None if refusal.is("DuplicateTargetGroupName") => None,
                None => return Err(refusal.into()),
            },
            Err(refusal) => return Err(refusal.into()),
        };
        made.ok_or_else(|| {
            Error::unavailable(format!(
                "{resource} was there, and is gone; run the operation again"
            ))
        })
    }

    async fn set_drain(&self, arn: &str, seconds: u64) -> Result<()> {
        let resource = format!("target group {arn}");
        let about = about("ModifyTargetGroupAttributes", resource, Blame::Nothing);
        let sent = run(&self.clients, &about, |client| {
            let drain = TargetGroupAttribute::builder()
                .key("deregistration_delay.timeout_seconds")
                .value(seconds.to_string());
            let request = client
                .modify_target_group_attributes()
                .target_group_arn(arn)
                .attributes(drain.build());
            Box::pin(request.send())
        });
        sent.await?;
        Ok(())
    }
}

/// A target group of a name that is ours.
struct Group {
    name: String,
    arn: String,
    endpoint: Uuid,
    is_ours: bool,
}

impl Group {
    fn ours(self) -> Result<String> {
        if self.is_ours {
            return Ok(self.arn);
        }
        Err(Error::conflict(format!(
            "target group {} exists already and is somebody else's: {} does not carry the tag {} = {}; delete it if nobody needs it",
            self.name,
            self.arn,
            tags::ENDPOINT_ID,
            self.endpoint
        )))
    }
}

fn is_taken(refusal: &Refusal) -> bool {
    refusal.is("DuplicateTargetGroupName") || refusal.is("TooManyTargetGroups")
}

fn weighted(attached: &[Attached]) -> Vec<(String, u32)> {
    attached
        .iter()
        .map(|group| (group.group_arn.clone(), group.weight))
        .collect()
}

/// What a target group asks its targets.
#[derive(Debug, PartialEq, Eq)]
struct Check {
    path: String,
    interval: i32,
    timeout: i32,
    healthy: i32,
    unhealthy: i32,
}

impl Check {
    /// What `check` says, and defaults for what it leaves open; a default leaves the time limit below the interval, as Elastic
    /// Load Balancing demands (hashicorp/terraform-provider-aws#2366).
    fn of(check: &HealthCheck, workload: &Workload) -> Self {
        let seconds = |period: Option<mlops_core::endpoint::Period>| {
            period.map(|period| period.duration().as_secs())
        };
        let (interval, timeout) = match (seconds(check.interval), seconds(check.timeout)) {
            (Some(interval), timeout) => (
                interval,
                timeout.unwrap_or(TIMEOUT.min(interval.saturating_sub(1))),
            ),
            (None, Some(timeout)) => (INTERVAL.max(timeout + 1), timeout),
            (None, None) => (INTERVAL, TIMEOUT),
        };
        let whole = |seconds: u64| i32::try_from(seconds).unwrap_or(i32::MAX);
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            path: check.path_of_task(workload).to_owned(),
            interval: whole(interval),
            timeout: whole(timeout),
            healthy: count(check.healthy_threshold.unwrap_or(HEALTHY)),
            unhealthy: count(check.unhealthy_threshold.unwrap_or(UNHEALTHY)),
        }
    }
}

/// What a group of somebody else asks its targets, without what it would ask anyway if it was an endpoint's that runs an image.
pub(super) fn spoken(group: &TargetGroup) -> HealthCheck {
    let count = |number: Option<i32>, default: u32| {
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.filter(|number| *number != default)
    };
    let seconds = |number: Option<i32>| number.and_then(|number| u64::try_from(number).ok());
    let (interval, timeout) = (
        seconds(group.health_check_interval_seconds()),
        seconds(group.health_check_timeout_seconds()),
    );
    // Each of the two has a default that depends on the other.
    let are_usual = (interval, timeout) == (Some(INTERVAL), Some(TIMEOUT));
    let said = |number: Option<u64>| number.filter(|_| !are_usual).map(Period::seconds);
    let path = group.health_check_path();
    HealthCheck {
        path: path
            .filter(|path| *path != HealthCheck::DEFAULT_PATH_OF_IMAGE)
            .map(str::to_owned),
        interval: said(interval),
        timeout: said(timeout),
        healthy_threshold: count(group.healthy_threshold_count(), HEALTHY),
        unhealthy_threshold: count(group.unhealthy_threshold_count(), UNHEALTHY),
        start_period: None,
        stabilization_window: None,
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::names::ModelName;

    use super::*;

    fn version() -> Workload {
        Workload::version(ModelName::new("fraud").expect("legal"), 1, "sha256:0")
    }

    #[test]
    fn a_health_check_that_says_nothing_asks_whether_the_model_is_ready_and_an_image_for_its_root()
    {
        let expected = Check {
            path: "/v2/health/ready".to_owned(),
            interval: 10,
            timeout: 5,
            healthy: 2,
            unhealthy: 3,
        };
        assert_eq!(Check::of(&HealthCheck::default(), &version()), expected);
        let image = Workload::image("example.com/server@sha256:0");
        let of_image = |check: &HealthCheck| Check::of(check, &image).path;
        assert_eq!(of_image(&HealthCheck::default()), "/");
        let asked = HealthCheck {
            path: Some("/healthz".to_owned()),
            ..HealthCheck::default()
        };
        assert_eq!(of_image(&asked), "/healthz");
    }

    #[test]
    fn what_is_set_holds_and_a_default_leaves_the_limit_below_the_interval() {
        let check = |interval: Option<u64>, timeout: Option<u64>| {
            let check = HealthCheck {
                interval: interval.map(Period::seconds),
                timeout: timeout.map(Period::seconds),
                ..HealthCheck::default()
            };
            let check = Check::of(&check, &version());
            (check.interval, check.timeout)
        };
        assert_eq!(check(Some(30), Some(20)), (30, 20));
        assert_eq!(check(None, Some(20)), (21, 20));
        assert_eq!(check(None, Some(2)), (10, 2));
        assert_eq!(check(Some(60), None), (60, 5));
        assert_eq!(check(Some(5), None), (5, 4));
    }
}
