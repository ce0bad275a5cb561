//! Which permissions a call of EC2 or EC2 Auto Scaling needs.
//!
//! Source: "Actions, resources, and condition keys" of both services in the service authorization reference. Who makes a group passes its role on, and has to be
//! allowed what its template starts, parameters of Systems Manager included: "Control Amazon EC2 launch template usage in Auto Scaling groups" and "Use AWS
//! Systems Manager parameters instead of AMI IDs in launch templates" in the guide of EC2 Auto Scaling.

use std::collections::BTreeMap;

use super::call::{ACCOUNT, Call, decoded};

const REGION: &str = "eu-west-1";

/// The fields of a form.
struct Form(BTreeMap<String, String>);

impl Form {
    fn read(form: &str) -> Self {
        let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        Self(
            pairs
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect(),
        )
    }

    fn told(&self, name: &str) -> String {
        self.0.get(name).cloned().expect(name)
    }

    /// A call with the tags that stand at `at`.
    fn tagged(&self, call: Call, at: &str) -> Call {
        let keys = (1..).map_while(|number| {
            let key = self.0.get(&format!("{at}.{number}.Key"))?;
            Some((key, self.told(&format!("{at}.{number}.Value"))))
        });
        keys.fold(call, |call, (key, value)| {
            call.with(&format!("aws:RequestTag/{key}"), value)
        })
    }
}

/// What a call of EC2 needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn ec2(form: &str) -> Vec<Call> {
    let form = Form::read(form);
    let operation = form.told("Action");
    let call = |resource: String| Call::new(&format!("ec2:{operation}"), resource);
    let template = |name: &str| format!("arn:aws:ec2:{REGION}:{ACCOUNT}:launch-template/{name}");
    match operation.as_str() {
        "DescribeSubnets" | "DescribeLaunchTemplates" => vec![call("*".to_owned())],
        "CreateLaunchTemplate" => {
            let tags = "TagSpecification.1.Tag";
            let made = template("lt-1");
            let tagging = Call::new("ec2:CreateTags", made.clone())
                .with("ec2:CreateAction", "CreateLaunchTemplate");
            let image = form.told("LaunchTemplateData.ImageId");
            let read = image.strip_prefix("resolve:ssm:").map(|parameter| {
                let account = match parameter.starts_with("/aws/") {
                    true => "",
                    false => ACCOUNT,
                };
                let arn = format!("arn:aws:ssm:{REGION}:{account}:parameter{parameter}");
                Call::new("ssm:GetParameters", arn)
            });
            let calls = [form.tagged(call(made), tags), form.tagged(tagging, tags)];
            calls.into_iter().chain(read).collect()
        }
        "DeleteLaunchTemplate" => vec![call(template(&form.told("LaunchTemplateName")))],
        other => panic!("EC2's {other} is not known here"),
    }
}

/// What a call of EC2 Auto Scaling needs. The role of an instance profile is called as the profile is.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn autoscaling(form: &str) -> Vec<Call> {
    let form = Form::read(form);
    let operation = form.told("Action");
    let call = |resource: String| Call::new(&format!("autoscaling:{operation}"), resource);
    let named = || group(&form.told("AutoScalingGroupName"));
    match operation.as_str() {
        "DescribeAutoScalingGroups" | "DescribeScalingActivities" => vec![call("*".to_owned())],
        "CreateAutoScalingGroup" => {
            let instance = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*");
            vec![
                form.tagged(call(named()), "Tags.member"),
                form.tagged(tags_of_group(named()), "Tags.member"),
                Call::new("ec2:RunInstances", instance.clone()),
                Call::new("ec2:CreateTags", instance).with("ec2:CreateAction", "RunInstances"),
                Call::new(
                    "iam:PassRole",
                    format!("arn:aws:iam::{ACCOUNT}:role/instances"),
                )
                .with("iam:PassedToService", "ec2.amazonaws.com"),
            ]
        }
        "DeleteAutoScalingGroup" => vec![call(named())],
        other => panic!("EC2 Auto Scaling's {other} is not known here"),
    }
}

/// The tag by which ECS knows the groups that it scales.
pub(super) fn tags_of_group(arn: String) -> Call {
    Call::new("autoscaling:CreateOrUpdateTags", arn)
}

/// A group's ARN, without the id that AWS gives it.
fn group(name: &str) -> String {
    format!("arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/{name}")
}
