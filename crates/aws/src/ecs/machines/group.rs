//! The Auto Scaling group: how many instances there are, and where.

use mlops_core::{Error, Result};

use super::{ATTRIBUTE, SERVICE, Wanted};
use crate::clients::AwsClients;
use crate::elb::tags::{self, Tags};
use crate::fault::{Call, Failure};
use crate::query::{Element, Form};

/// The tag by which ECS knows groups that it scales.
const MANAGED: &str = "AmazonECSManaged";
/// How many of a group's last activities are read.
const ACTIVITIES: &str = "20";

/// A group that is there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) arn: String,
    pub(super) tags: Tags,
    /// How many instances of it run.
    pub(super) instances: usize,
    /// Whether it was deleted, and its last instances end.
    pub(super) is_leaving: bool,
}

fn about(name: &str) -> String {
    format!("Auto Scaling group {name}")
}

async fn ask(
    clients: &AwsClients,
    operation: &'static str,
    form: &Form,
    about: String,
) -> Result<Element, Failure> {
    let call = Call {
        service: SERVICE.name,
        operation,
        resource: about,
    };
    let client = (clients.autoscaling().await).map_err(|error| Failure::before(&call, error))?;
    let retries = clients.retries();
    client.ask(retries, operation, form, call.resource).await
}

/// The group of this name, if there is one.
pub(super) async fn find(clients: &AwsClients, name: &str) -> Result<Option<Found>> {
    let form = Form::default().with_list("AutoScalingGroupNames", [name]);
    let answer = ask(clients, "DescribeAutoScalingGroups", &form, about(name));
    let answer = answer.await.map_err(Failure::into_error)?;
    let groups = answer.child("DescribeAutoScalingGroupsResult");
    let mut groups = groups
        .into_iter()
        .flat_map(|result| result.members("AutoScalingGroups"));
    let found = groups.find(|group| group.text("AutoScalingGroupName") == Some(name));
    found.map(read).transpose()
}

fn read(group: &Element) -> Result<Found> {
    let tag = |tag: &Element| Some((tag.text("Key")?.to_owned(), tag.text("Value")?.to_owned()));
    let arn = group.text("AutoScalingGroupARN").ok_or_else(|| {
        Error::corrupt(
            "DescribeAutoScalingGroups answered with a group that has no ARN; report this",
        )
    })?;
    Ok(Found {
        arn: arn.to_owned(),
        tags: group.members("Tags").filter_map(tag).collect(),
        instances: (group.members("Instances"))
            .filter(|one| one.text("LifecycleState") == Some("InService"))
            .count(),
        // It has a status only then: `Delete in progress`.
        is_leaving: group
            .text("Status")
            .is_some_and(|status| !status.is_empty()),
    })
}

/// Makes it. One that another call made meanwhile is found by the next look.
pub(super) async fn create(clients: &AwsClients, wanted: &Wanted<'_>) -> Result<()> {
    let form = form(wanted);
    let answer = ask(
        clients,
        "CreateAutoScalingGroup",
        &form,
        about(&wanted.name),
    );
    match answer.await {
        Err(failure) if failure.code() == Some("AlreadyExists") => Ok(()),
        answer => answer
            .map(drop)
            .map_err(|failure| failure.into_error().at(ATTRIBUTE)),
    }
}

pub(super) fn form(wanted: &Wanted<'_>) -> Form {
    let form = Form::default()
        .with("AutoScalingGroupName", &wanted.name)
        .with("LaunchTemplate.LaunchTemplateName", &wanted.name)
        .with("LaunchTemplate.Version", "1")
        .with("MinSize", wanted.asg.min_size.to_string())
        .with("MaxSize", wanted.asg.max_size.to_string())
        .with("VPCZoneIdentifier", wanted.subnets().join(","))
        // Only ECS knows which instances have no tasks, and takes those.
        .with("NewInstancesProtectedFromScaleIn", "true");
    let own = tags::of(wanted.owner, None).into_iter();
    // Instances have the endpoint's tags by the template.
    let own = own.map(|(key, value)| (key, value, "false"));
    let all = own.chain([(MANAGED, String::new(), "true")]);
    (1..)
        .zip(all)
        .fold(form, |form, (number, (key, value, to_instances))| {
            let at = |field: &str| format!("Tags.member.{number}.{field}");
            form.with(at("Key"), key)
                .with(at("Value"), value)
                .with(at("PropagateAtLaunch"), to_instances)
        })
}

/// Why the last instance that could not start did not, if the last one could not.
pub(super) async fn last_failure(clients: &AwsClients, name: &str) -> Result<Option<String>> {
    let form = Form::default()
        .with("AutoScalingGroupName", name)
        .with("MaxRecords", ACTIVITIES);
    let answer = ask(clients, "DescribeScalingActivities", &form, about(name));
    let answer = answer.await.map_err(Failure::into_error)?;
    let result = answer.child("DescribeScalingActivitiesResult");
    // Latest first.
    let mut activities = result
        .into_iter()
        .flat_map(|result| result.members("Activities"));
    let failed = activities.find(|activity| activity.text("StatusCode") == Some("Failed"));
    let said = failed.and_then(|activity| {
        activity
            .text("StatusMessage")
            .or(activity.text("Description"))
    });
    Ok(said.map(str::to_owned))
}

/// Deletes it with its instances. Success if it is gone.
pub(super) async fn delete(clients: &AwsClients, name: &str) -> Result<()> {
    let form = Form::default()
        .with("AutoScalingGroupName", name)
        .with("ForceDelete", "true");
    let answer = ask(clients, "DeleteAutoScalingGroup", &form, about(name));
    match answer.await {
        // One that is gone is no valid name, and one that is at something is looked at again.
        Err(failure)
            if matches!(
                failure.code(),
                Some("ValidationError" | "ScalingActivityInProgress" | "ResourceInUse")
            ) =>
        {
            Ok(())
        }
        answer => answer.map(drop).map_err(Failure::into_error),
    }
}
