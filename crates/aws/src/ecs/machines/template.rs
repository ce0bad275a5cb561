//! The launch template: what an instance starts as.

use std::collections::BTreeSet;

use jiff::Timestamp;
use mlops_core::endpoint::spec::{Accelerator, MachineImage};
use mlops_core::{Error, Result};

use super::{ATTRIBUTE, Wanted};
use crate::clients::AwsClients;
use crate::ecs::names;
use crate::elb::Owner;
use crate::elb::tags::{self, Tags};
use crate::fault::{Call, Failure};
use crate::preflight::ec2;
use crate::query::{Element, Form};

/// The most templates of one answer.
const PAGE: &str = "200";

fn about(name: &str) -> String {
    format!("launch template {name}")
}

async fn ask(
    clients: &AwsClients,
    operation: &'static str,
    form: &Form,
    about: String,
) -> Result<Element, Failure> {
    let call = Call {
        service: ec2::SERVICE.name,
        operation,
        resource: about,
    };
    let client = (clients.ec2().await).map_err(|error| Failure::before(&call, error))?;
    let retries = clients.retries();
    client.ask(retries, operation, form, call.resource).await
}

/// A template that is there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) tags: Tags,
    /// When it was made, if EC2 tells.
    pub(super) made: Option<Timestamp>,
}

/// The template of this name, if there is one.
pub(super) async fn find(clients: &AwsClients, name: &str) -> Result<Option<Found>> {
    // Asked for by name, one that is not there would be an error.
    let form = Form::default()
        .with("Filter.1.Name", "launch-template-name")
        .with("Filter.1.Value.1", name);
    let answer = ask(clients, "DescribeLaunchTemplates", &form, about(name));
    let answer = answer.await.map_err(Failure::into_error)?;
    let mut found = answer.items("launchTemplates");
    let found = found.find(|template| template.text("launchTemplateName") == Some(name));
    Ok(found.map(|template| Found {
        tags: tags_of(template),
        made: (template.text("createTime")).and_then(|made| made.parse().ok()),
    }))
}

/// The names of the endpoint's templates.
pub(super) async fn of_endpoint(clients: &AwsClients, owner: &Owner) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    let mut next: Option<String> = None;
    loop {
        let mut form = Form::default()
            .with("Filter.1.Name", format!("tag:{}", tags::ENDPOINT_ID))
            .with("Filter.1.Value.1", owner.endpoint.to_string())
            .with("MaxResults", PAGE);
        if let Some(token) = next {
            form = form.with("NextToken", token);
        }
        let about = format!("launch templates of endpoint {}", owner.name);
        let answer = ask(clients, "DescribeLaunchTemplates", &form, about);
        let answer = answer.await.map_err(Failure::into_error)?;
        let own = answer.items("launchTemplates");
        let own = own.filter(|template| tags::are_of(&tags_of(template), owner.endpoint));
        all.extend(
            own.filter_map(|template| template.text("launchTemplateName").map(str::to_owned)),
        );
        next = answer
            .text("nextToken")
            .filter(|token| !token.is_empty())
            .map(str::to_owned);
        if next.is_none() {
            return Ok(all);
        }
    }
}

fn tags_of(template: &Element) -> Tags {
    let tag = |tag: &Element| Some((tag.text("key")?.to_owned(), tag.text("value")?.to_owned()));
    template.items("tagSet").filter_map(tag).collect()
}

/// Makes it. One that another call made meanwhile is found by the next look.
pub(super) async fn create(clients: &AwsClients, wanted: &Wanted<'_>) -> Result<()> {
    let form = form(wanted)?;
    let answer = ask(clients, "CreateLaunchTemplate", &form, about(&wanted.name));
    match answer.await {
        Err(failure)
            if failure.code() == Some("InvalidLaunchTemplateName.AlreadyExistsException") =>
        {
            Ok(())
        }
        answer => answer
            .map(drop)
            .map_err(|failure| failure.into_error().at(ATTRIBUTE)),
    }
}

pub(super) fn form(wanted: &Wanted<'_>) -> Result<Form> {
    let asg = wanted.asg;
    let data = |name: &str| format!("LaunchTemplateData.{name}");
    let volume = |name: &str| data(&format!("BlockDeviceMapping.1.{name}"));
    let profile = match asg.instance_profile.starts_with("arn:") {
        true => "IamInstanceProfile.Arn",
        false => "IamInstanceProfile.Name",
    };
    let form = Form::default()
        .with("LaunchTemplateName", &wanted.name)
        .with(data("ImageId"), image(wanted)?)
        .with(data("InstanceType"), &asg.instance_type)
        .with(data(profile), &asg.instance_profile)
        // Without a session nobody reads the instance's credentials, and no container at all is that near.
        .with(data("MetadataOptions.HttpTokens"), "required")
        .with(data("MetadataOptions.HttpPutResponseHopLimit"), "1")
        .with(
            data("UserData"),
            aws_smithy_types::base64::encode(user_data(wanted)),
        )
        .with(volume("DeviceName"), &asg.volume.device)
        .with(volume("Ebs.VolumeSize"), asg.volume.size_gb.to_string())
        .with(volume("Ebs.VolumeType"), &asg.volume.kind)
        .with(volume("Ebs.Encrypted"), asg.volume.encrypted.to_string())
        .with(volume("Ebs.DeleteOnTermination"), "true");
    let groups = (1..).zip(wanted.security_groups());
    let form = groups.fold(form, |form, (number, group)| {
        form.with(data(&format!("SecurityGroupId.{number}")), group)
    });
    let form = tagged(form, "TagSpecification.1", "launch-template", wanted.owner);
    let form = tagged(form, &data("TagSpecification.1"), "instance", wanted.owner);
    Ok(tagged(
        form,
        &data("TagSpecification.2"),
        "volume",
        wanted.owner,
    ))
}

fn tagged(form: Form, at: &str, kind: &str, owner: &Owner) -> Form {
    let form = form.with(format!("{at}.ResourceType"), kind);
    let tags = (1..).zip(tags::of(owner, None));
    tags.fold(form, |form, (number, (key, value))| {
        form.with(format!("{at}.Tag.{number}.Key"), key)
            .with(format!("{at}.Tag.{number}.Value"), value)
    })
}

/// The image, or where EC2 reads which it is when an instance starts.
fn image(wanted: &Wanted<'_>) -> Result<String> {
    let read = |parameter: &str| format!("resolve:ssm:{parameter}");
    match &wanted.asg.image {
        MachineImage::Ami(id) => Ok(id.clone()),
        MachineImage::Parameter(name) => Ok(read(name)),
        MachineImage::Recommended => {
            let machine = wanted.asg.machine();
            let parameter = machine.and_then(|machine| machine.recommended());
            parameter.map(read).ok_or_else(|| {
                Error::bug(format!(
                    "no image is known for {}",
                    wanted.asg.instance_type
                ))
            })
        }
    }
}

/// What the agent of ECS reads when the instance starts. Tasks have their own role, and no way to the instance's.
fn user_data(wanted: &Wanted<'_>) -> String {
    let machine = wanted.asg.machine();
    let gpu = match machine.is_some_and(|machine| machine.accelerator == Accelerator::Nvidia) {
        true => "ECS_ENABLE_GPU_SUPPORT=true\n",
        false => "",
    };
    format!(
        "#!/bin/bash\ncat >> /etc/ecs/ecs.config <<'END'\nECS_CLUSTER={}\nECS_AWSVPC_BLOCK_IMDS=true\n{gpu}END\n",
        names::cluster(wanted.cluster)
    )
}

/// Deletes it. Success if it is gone.
pub(super) async fn delete(clients: &AwsClients, name: &str) -> Result<()> {
    let form = Form::default().with("LaunchTemplateName", name);
    let answer = ask(clients, "DeleteLaunchTemplate", &form, about(name));
    match answer.await {
        Err(failure)
            if failure
                .code()
                .is_some_and(|code| code.contains(".NotFound")) =>
        {
            Ok(())
        }
        answer => answer.map(drop).map_err(Failure::into_error),
    }
}
