//! Which permissions a call of Certificate Manager, Secrets Manager, Service Quotas, ECR, ECS, Elastic Load Balancing, CloudWatch, CloudWatch Logs, IAM or Application Auto Scaling needs.
//!
//! Source: "Actions, resources, and condition keys" of these services in the service authorization reference. Where it names no resource, a policy has to
//! say `*`, and so does the call here. Tags that come with a create take a permission of their own, on what is made: "Grant permission to tag
//! resources on creation" in the guide of ECS, "Tag resources during creation" in that of Elastic Load Balancing. Who registers a task definition passes its roles
//! on: "Granting a user permissions to pass a role" in the guide of IAM.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::{ACCOUNT, Call, decoded, text};
use super::machines::tags_of_group;

const REGION: &str = "eu-west-1";

/// What the ARN of a scalable target begins with.
pub(super) const SCALABLE: &str =
    "arn:aws:application-autoscaling:eu-west-1:000000000000:scalable-target/";

/// What a call of Certificate Manager needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn acm(operation: &str, body: &Value) -> Vec<Call> {
    match operation {
        "DescribeCertificate" => {
            let arn = text(&body["CertificateArn"]).to_owned();
            vec![Call::new(&format!("acm:{operation}"), arn)]
        }
        other => panic!("Certificate Manager's {other} is not known here"),
    }
}

/// What a call of Service Quotas needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn quotas(operation: &str) -> Vec<Call> {
    match operation {
        "ListServiceQuotas" => vec![Call::new(
            &format!("servicequotas:{operation}"),
            "*".to_owned(),
        )],
        other => panic!("the provider does not call {other} of Service Quotas"),
    }
}

/// What a call of Secrets Manager needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn secrets(operation: &str, body: &Value) -> Vec<Call> {
    match operation {
        "DescribeSecret" | "GetResourcePolicy" => {
            let arn = text(&body["SecretId"]).to_owned();
            vec![Call::new(&format!("secretsmanager:{operation}"), arn)]
        }
        other => panic!("the provider does not call {other} of Secrets Manager"),
    }
}

/// What a call of KMS needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn kms(operation: &str, body: &Value) -> Vec<Call> {
    match operation {
        "GetKeyPolicy" => {
            let arn = text(&body["KeyId"]).to_owned();
            vec![Call::new(&format!("kms:{operation}"), arn)]
        }
        other => panic!("the provider does not call {other} of KMS"),
    }
}

/// What a call of ECR needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn ecr(operation: &str, body: &Value) -> Vec<Call> {
    let asked = matches!(
        operation,
        "BatchGetImage" | "GetDownloadUrlForLayer" | "GetRepositoryPolicy"
    );
    assert!(asked, "the provider does not call {operation} of ECR");
    let repository = text(&body["repositoryName"]);
    let arn = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}");
    vec![Call::new(&format!("ecr:{operation}"), arn)]
}

/// What a call of ECS needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn ecs(operation: &str, body: &Value) -> Vec<Call> {
    let arn = |what: String| format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{what}");
    let cluster = body["cluster"].as_str().map(last).unwrap_or_default();
    let call = |resource: String| Call::new(&format!("ecs:{operation}"), resource);
    let within = |resource: String| {
        let cluster = arn(format!("cluster/{cluster}"));
        call(resource).with("ecs:cluster", cluster)
    };
    let each = |field: &str, kind: &str| {
        let names = body[field].as_array().expect("names").iter();
        let arns = names.map(|name| arn(format!("{kind}/{cluster}/{}", last(text(name)))));
        arns.map(within).collect()
    };
    let service = |field: &str| arn(format!("service/{cluster}/{}", last(text(&body[field]))));
    let all = || "*".to_owned();
    match operation {
        "CreateService" => vec![
            with_tags(within(service("serviceName")), &body["tags"]),
            tagging("ecs", operation, service("serviceName"), &body["tags"]),
        ],
        "CreateCluster" => {
            let made = arn(format!("cluster/{}", text(&body["clusterName"])));
            vec![
                with_tags(call(all()), &body["tags"]),
                tagging("ecs", operation, made, &body["tags"]),
            ]
        }
        "DeleteCluster"
        | "PutClusterCapacityProviders"
        | "ListContainerInstances"
        | "DeregisterContainerInstance" => vec![call(arn(format!("cluster/{cluster}")))],
        "DescribeContainerInstances" => each("containerInstances", "container-instance"),
        "CreateCapacityProvider" => {
            let made = arn(format!("capacity-provider/{}", text(&body["name"])));
            let group = text(&body["autoScalingGroupProvider"]["autoScalingGroupArn"]);
            vec![
                with_tags(call(all()), &body["tags"]),
                tagging("ecs", operation, made, &body["tags"]),
                tags_of_group(group.to_owned()),
            ]
        }
        "DeleteCapacityProvider" => {
            let name = text(&body["capacityProvider"]);
            vec![call(arn(format!("capacity-provider/{name}")))]
        }
        "DescribeCapacityProviders" => {
            let names = body["capacityProviders"].as_array().expect("names").iter();
            let arns = names.map(|name| arn(format!("capacity-provider/{}", text(name))));
            arns.map(call).collect()
        }
        "DescribeClusters" => {
            let names = body["clusters"].as_array().expect("names").iter();
            let arns = names.map(|name| arn(format!("cluster/{}", last(text(name)))));
            arns.map(call).collect()
        }
        "TagResource" | "UntagResource" => {
            let one = call(text(&body["resourceArn"]).to_owned());
            vec![with_tags(one, &body["tags"])]
        }
        "UpdateService" | "DeleteService" => vec![within(service("service"))],
        "DescribeServices" => each("services", "service"),
        "DescribeTasks" => each("tasks", "task"),
        "ListServices" | "ListTasks" => vec![within(all())],
        "RegisterTaskDefinition" => {
            let made = arn(format!("task-definition/{}:1", text(&body["family"])));
            let pass = |field: &str| {
                Call::new("iam:PassRole", text(&body[field]))
                    .with("iam:PassedToService", "ecs-tasks.amazonaws.com")
            };
            vec![
                with_tags(call(all()), &body["tags"]),
                tagging("ecs", operation, made, &body["tags"]),
                pass("executionRoleArn"),
                pass("taskRoleArn"),
            ]
        }
        "DeregisterTaskDefinition" | "DescribeTaskDefinition" | "ListTaskDefinitions" => {
            vec![call(all())]
        }
        "DeleteTaskDefinitions" => {
            let arns = body["taskDefinitions"].as_array().expect("ARNs").iter();
            arns.map(|arn| call(text(arn).to_owned())).collect()
        }
        other => panic!("ECS's {other} is not known here"),
    }
}

/// What a call of CloudWatch needs. DescribeAlarms may be narrowed to alarms, but composite ones are then not told (its page in the API reference).
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn cloudwatch(form: &str) -> Vec<Call> {
    match action(form) {
        operation @ ("DescribeAlarms" | "GetMetricData") => {
            vec![Call::new(
                &format!("cloudwatch:{operation}"),
                "*".to_owned(),
            )]
        }
        other => panic!("CloudWatch's {other} is not known here"),
    }
}

/// What a call of IAM needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn iam(form: &str) -> Vec<Call> {
    let told = |name: &str| field(form, name).map(decoded).expect(name);
    match action(form) {
        operation @ "GetRole" => {
            let role = format!("arn:aws:iam::{ACCOUNT}:role/{}", told("RoleName"));
            vec![Call::new(&format!("iam:{operation}"), role)]
        }
        operation @ "GetServerCertificate" => {
            let name = told("ServerCertificateName");
            let certificate = format!("arn:aws:iam::{ACCOUNT}:server-certificate/{name}");
            vec![Call::new(&format!("iam:{operation}"), certificate)]
        }
        operation @ "SimulatePrincipalPolicy" => {
            vec![Call::new(
                &format!("iam:{operation}"),
                told("PolicySourceArn"),
            )]
        }
        other => panic!("IAM's {other} is not known here"),
    }
}

fn action(form: &str) -> &str {
    field(form, "Action").expect("an action")
}

fn field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

/// What a call of Elastic Load Balancing needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn elb(form: &str) -> Vec<Call> {
    let fields: BTreeMap<String, String> = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let field = |name: &str| fields.get(name).cloned().expect(name);
    let operation = field("Action");
    // What is acted on, and what is made there.
    let (resource, made) = match operation.as_str() {
        "DescribeAccountLimits"
        | "DescribeListenerCertificates"
        | "DescribeListeners"
        | "DescribeLoadBalancers"
        | "DescribeRules"
        | "DescribeTags"
        | "DescribeTargetGroupAttributes"
        | "DescribeTargetGroups"
        | "DescribeTargetHealth" => ("*".to_owned(), None),
        "CreateListener" => {
            let balancer = field("LoadBalancerArn");
            let made = balancer.replace(":loadbalancer/", ":listener/") + "/1";
            (balancer, Some(made))
        }
        "CreateRule" => {
            let listener = field("ListenerArn");
            let made = listener.replace(":listener/", ":listener-rule/") + "/1";
            (listener, Some(made))
        }
        "CreateTargetGroup" => {
            let made = format!(
                "arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{}/1",
                field("Name")
            );
            (made.clone(), Some(made))
        }
        "AddTags" | "RemoveTags" => (field("ResourceArns.member.1"), None),
        "ModifyListener" | "DeleteListener" => (field("ListenerArn"), None),
        "ModifyRule" | "DeleteRule" => (field("RuleArn"), None),
        "ModifyTargetGroupAttributes" | "DeleteTargetGroup" => (field("TargetGroupArn"), None),
        other => panic!("Elastic Load Balancing's {other} is not known here"),
    };
    let tags: Vec<Value> = (1..)
        .map_while(|n| {
            let value = fields.get(&format!("Tags.member.{n}.Value"))?;
            let key = fields.get(&format!("Tags.member.{n}.Key"))?;
            Some(serde_json::json!({ "key": key, "value": value }))
        })
        .collect();
    let (service, tags) = ("elasticloadbalancing", Value::from(tags));
    let call = with_tags(
        Call::new(&format!("{service}:{operation}"), resource),
        &tags,
    );
    let tagging = made.map(|made| tagging(service, &operation, made, &tags));
    [call].into_iter().chain(tagging).collect()
}

/// What a call of CloudWatch Logs needs.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn logs(operation: &str, body: &Value) -> Vec<Call> {
    let call = |action: &str, resource: String| Call::new(&format!("logs:{action}"), resource);
    let name = body["logGroupName"].as_str().unwrap_or_default();
    let group = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}");
    let stream = body["logStreamName"].as_str().unwrap_or_default();
    match operation {
        "CreateLogGroup" => {
            let tagging = body["tags"].is_object();
            let tagging = tagging.then(|| call("TagResource", group.clone()));
            let create = call(operation, group.clone());
            [create].into_iter().chain(tagging).collect()
        }
        "ListTagsForResource" => {
            let arn = text(&body["resourceArn"]).trim_end_matches(":*");
            vec![call(operation, arn.to_owned())]
        }
        "DescribeLogGroups" | "DescribeLogStreams" | "GetLogEvents" | "PutRetentionPolicy"
        | "DeleteLogGroup" => vec![call(operation, format!("{group}:log-stream:{stream}"))],
        other => panic!("CloudWatch Logs' {other} is not known here"),
    }
}

/// What a call of Application Auto Scaling needs. The name of a scalable target is its resource here, which AWS does not tell.
///
/// # Panics
/// If the operation is not one that the provider uses.
pub(super) fn scaling(operation: &str, body: &Value) -> Vec<Call> {
    let target = format!(
        "{SCALABLE}{}",
        body["ResourceId"].as_str().unwrap_or_default()
    );
    let call = |action: &str, resource: &str| {
        Call::new(&format!("application-autoscaling:{action}"), resource)
    };
    let tags = body["Tags"].as_object().into_iter().flatten();
    let tags: Vec<Value> = tags
        .map(|(key, value)| serde_json::json!({ "key": key, "value": value }))
        .collect();
    let is_tagged = !tags.is_empty();
    let tags = Value::from(tags);
    match operation {
        "DescribeScalableTargets" | "DescribeScalingPolicies" | "DescribeScheduledActions" => {
            vec![call(operation, "*")]
        }
        "TagResource" | "UntagResource" => {
            let one = call(operation, text(&body["ResourceARN"]));
            vec![with_tags(one, &tags)]
        }
        "RegisterScalableTarget"
        | "DeregisterScalableTarget"
        | "PutScalingPolicy"
        | "DeleteScalingPolicy"
        | "PutScheduledAction"
        | "DeleteScheduledAction" => {
            let namespace = "application-autoscaling:service-namespace";
            let own = call(operation, &target).with(namespace, text(&body["ServiceNamespace"]));
            let tagging = is_tagged.then(|| with_tags(call("TagResource", &target), &tags));
            [with_tags(own, &tags)].into_iter().chain(tagging).collect()
        }
        other => panic!("Application Auto Scaling's {other} is not known here"),
    }
}

/// The permission for tags that come with a create.
fn tagging(service: &str, operation: &str, made: String, tags: &Value) -> Call {
    let action = match service {
        "ecs" => "TagResource",
        _ => "AddTags",
    };
    let call = Call::new(&format!("{service}:{action}"), made)
        .with(&format!("{service}:CreateAction"), operation);
    with_tags(call, tags)
}

fn with_tags(call: Call, tags: &Value) -> Call {
    let tags = tags.as_array().into_iter().flatten();
    tags.fold(call, |call, tag| {
        let key = format!("aws:RequestTag/{}", text(&tag["key"]));
        call.with(&key, text(&tag["value"]))
    })
}

/// The name at the end of an ARN, or the name itself.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
