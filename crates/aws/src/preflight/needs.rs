//! What tasks need of their roles.

use std::collections::BTreeMap;

use mlops_core::endpoint::spec::{EcsSpec, EndpointSpec};

use super::simulate::Question;
use crate::ecs::names;
use crate::images::host::Host;

/// The attribute of the role by which ECS starts tasks.
pub(super) const EXECUTION: &str = "ecs.execution_role_arn";
/// The attribute of the role that tasks have.
pub(super) const TASK: &str = "ecs.task_role_arn";

/// The action by which a secret is read.
const SECRET: &str = "secretsmanager:GetSecretValue";

/// Where the endpoint's things lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) region: &'a str,
    /// The registry's bucket, unless it is not known yet.
    pub(super) bucket: Option<&'a str>,
    pub(super) prefix: &'a str,
    /// The key of KMS under which the bucket's artifacts lie, if it is known.
    pub(super) key: Option<&'a str>,
    /// Those of secrets, by the secrets' ARNs, as far as they are known.
    pub(super) keys: &'a BTreeMap<String, String>,
}

/// What a key is needed for.
const DECRYPT: &[&str] = &["kms:Decrypt"];

/// What a role has to be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// The attribute that names the role.
    pub(super) attribute: &'static str,
    pub(super) question: Question,
    /// What for: `to pull the image …`.
    pub(super) what: String,
}

/// What the roles of an endpoint need, each once.
pub(super) fn needs(spec: &EndpointSpec, ecs: &EcsSpec, place: &Place<'_>) -> Vec<Need> {
    let mut all = BTreeMap::new();
    let mut need = |attribute, actions: &[&'static str], resource: String, what: String| {
        let role = match attribute {
            TASK => &ecs.task_role_arn,
            _ => &ecs.execution_role_arn,
        };
        let question = Question {
            role: role.clone(),
            actions: actions.to_vec(),
            resource,
        };
        let need = Need {
            attribute,
            question,
            what,
        };
        all.entry(need.question.key()).or_insert(need);
    };
    let (partition, account) = owner(&ecs.execution_role_arn);
    let group = names::log_group(&ecs.cluster, &spec.name);
    let stream = names::log_stream("0");
    need(
        EXECUTION,
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        format!(
            "arn:{partition}:logs:{}:{account}:log-group:{group}:log-stream:{stream}",
            place.region
        ),
        format!("to write the log {group}"),
    );
    for (name, variant) in &spec.variants {
        let image = variant.workload.own_image().unwrap_or(&ecs.image);
        if let Some(repository) = repository(image, partition) {
            need(
                EXECUTION,
                &["ecr:GetAuthorizationToken"],
                "*".to_owned(),
                "to pull images".to_owned(),
            );
            need(
                EXECUTION,
                &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                repository,
                format!("to pull the image of variant {name}"),
            );
        }
        for (variable, arn) in &variant.container.secrets {
            let (action, resource) = secret(arn);
            if let Some(key) = place.keys.get(&resource) {
                let what = format!("to decrypt variants.{name}.secrets.{variable}");
                need(EXECUTION, DECRYPT, key.clone(), what);
            }
            need(
                EXECUTION,
                &[action],
                resource,
                format!("to set variants.{name}.secrets.{variable}"),
            );
        }
        if let (Some(_), Some(bucket)) = (variant.workload.served(), place.bucket) {
            let (partition, _) = owner(&ecs.task_role_arn);
            // One stands for all: policies are about the bucket, or what begins so.
            let key = format!("{}sha256/{}/manifest", place.prefix, "0".repeat(64));
            need(
                TASK,
                &["s3:GetObject"],
                format!("arn:{partition}:s3:::{bucket}/{key}"),
                format!("to fetch the models in bucket {bucket}"),
            );
            if let Some(key) = place.key {
                let what = format!("to decrypt the models in bucket {bucket}");
                need(TASK, DECRYPT, key.to_owned(), what);
            }
        }
    }
    all.into_values().collect()
}

/// The partition and the account of a role's ARN.
fn owner(role: &str) -> (&str, &str) {
    let mut parts = role.split(':').skip(1);
    (
        parts.next().unwrap_or_default(),
        parts.nth(2).unwrap_or_default(),
    )
}

/// The ARN of an image's repository, if it lies in a private one of ECR.
fn repository(image: &str, partition: &str) -> Option<String> {
    let (host, path) = image.split_once('/')?;
    let Host::Ecr { account, region } = Host::of(host) else {
        return None;
    };
    let name = path.split(['@', ':']).next()?;
    Some(format!(
        "arn:{partition}:ecr:{region}:{account}:repository/{name}"
    ))
}

/// The ARNs of the endpoint's secrets of Secrets Manager.
pub(super) fn secrets(spec: &EndpointSpec) -> impl Iterator<Item = String> {
    let variants = spec.variants.values();
    let named = variants.flat_map(|variant| variant.container.secrets.values());
    named.filter_map(|arn| match secret(arn) {
        (SECRET, resource) => Some(resource),
        _ => None,
    })
}

/// By which action a secret or a parameter is read, and the ARN of it alone: a secret's may go on with a key, a stage and a version.
fn secret(arn: &str) -> (&'static str, String) {
    let mut parts = arn.splitn(8, ':');
    let own: Vec<&str> = parts.by_ref().take(7).collect();
    match own.get(2) {
        Some(&"ssm") => ("ssm:GetParameters", arn.to_owned()),
        _ => (SECRET, own.join(":")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE: &str = "arn:aws-cn:iam::111122223333:role/teams/execution";

    fn spec(variants: serde_json::Value) -> EndpointSpec {
        let spec = json!({
            "name": "digits",
            "variants": variants,
            "target": {"ecs": {
                "cluster": "arn:aws-cn:ecs:cn-north-1:111122223333:cluster/models",
                "execution_role_arn": ROLE,
                "task_role_arn": ROLE.replace("execution", "task"),
                "image": "999999999999.dkr.ecr.cn-north-1.amazonaws.com.cn/mlops/serve@sha256:1",
                "network": {"subnets": ["a"]},
                "ingress": {"listener": {"load_balancer_arn": "alb", "port": {"fixed": 80}}},
            }},
        });
        serde_json::from_value(spec).expect("a specification")
    }

    fn asked(spec: &EndpointSpec, bucket: Option<&str>) -> Vec<(&'static str, String, String)> {
        asked_under(spec, bucket, None, &BTreeMap::new())
    }

    fn asked_under(
        spec: &EndpointSpec,
        bucket: Option<&str>,
        key: Option<&str>,
        keys: &BTreeMap<String, String>,
    ) -> Vec<(&'static str, String, String)> {
        let mlops_core::endpoint::spec::TargetSpec::Ecs(ecs) = &spec.target else {
            panic!("not on ECS")
        };
        let place = Place {
            region: "cn-north-1",
            bucket,
            prefix: "ml/",
            key,
            keys,
        };
        let all = needs(spec, ecs, &place).into_iter();
        let mut all: Vec<_> = all
            .map(|need| {
                let question = need.question;
                let role = match need.attribute {
                    TASK => ROLE.replace("execution", "task"),
                    _ => ROLE.to_owned(),
                };
                assert_eq!(question.role, role);
                (
                    need.attribute,
                    question.actions.join(" "),
                    question.resource,
                )
            })
            .collect();
        all.sort();
        all
    }

    const LOGS: &str = "arn:aws-cn:logs:cn-north-1:111122223333:log-group:/mlops/endpoints/models/digits:log-stream:server/server/0";

    #[test]
    fn a_model_needs_its_bucket_and_the_servers_image() {
        let spec = spec(json!({
            "main": {"model": "digits", "version": 1, "artifact_digest": "d", "traffic": 100.0},
            "other": {"model": "digits", "version": 2, "artifact_digest": "e", "traffic": 0.0},
        }));
        let logs = (
            EXECUTION,
            "logs:CreateLogStream logs:PutLogEvents".to_owned(),
            LOGS.to_owned(),
        );
        let pulls = [
            (
                EXECUTION,
                "ecr:BatchGetImage ecr:GetDownloadUrlForLayer".to_owned(),
                "arn:aws-cn:ecr:cn-north-1:999999999999:repository/mlops/serve".to_owned(),
            ),
            (
                EXECUTION,
                "ecr:GetAuthorizationToken".to_owned(),
                "*".to_owned(),
            ),
        ];
        let object = (
            TASK,
            "s3:GetObject".to_owned(),
            format!(
                "arn:aws-cn:s3:::acme-models/ml/sha256/{}/manifest",
                "0".repeat(64)
            ),
        );
        let [first, second] = pulls;
        let without = [first, second, logs];
        assert_eq!(asked(&spec, None), without);
        let with: Vec<_> = without.into_iter().chain([object]).collect();
        assert_eq!(asked(&spec, Some("acme-models")), with);
    }

    #[test]
    fn an_image_needs_its_secrets_and_nothing_of_the_registry() {
        let spec = spec(json!({"main": {
            "image": "docker.io/own@sha256:1",
            "traffic": 100.0,
            "container": {"secrets": {
                "A": "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:a-x1y2z3:key:AWSCURRENT:",
                "B": "arn:aws-cn:ssm:cn-north-1:111122223333:parameter/b",
            }},
        }}));
        let own =
            |action: &str, resource: &str| (EXECUTION, action.to_owned(), resource.to_owned());
        assert_eq!(
            asked(&spec, Some("acme-models")),
            [
                own("logs:CreateLogStream logs:PutLogEvents", LOGS),
                own(
                    "secretsmanager:GetSecretValue",
                    "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:a-x1y2z3"
                ),
                own(
                    "ssm:GetParameters",
                    "arn:aws-cn:ssm:cn-north-1:111122223333:parameter/b"
                ),
            ]
        );
    }

    #[test]
    fn what_lies_under_a_key_needs_the_key_as_well() {
        let secret = "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:a-x1y2z3";
        let other = "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:b-x1y2z3";
        let container = json!({"secrets": {
            "A": format!("{secret}:key:AWSCURRENT:"), "B": other,
            "C": "arn:aws-cn:ssm:cn-north-1:111122223333:parameter/c",
        }});
        let spec = spec(json!({
            "main": {"model": "digits", "version": 1, "artifact_digest": "d", "traffic": 100.0, "container": container},
        }));
        let named: Vec<String> = secrets(&spec).collect();
        assert_eq!(named, [secret, other]);
        let key = |name: &str| format!("arn:aws-cn:kms:cn-north-1:111122223333:key/{name}");
        let keys = [(secret.to_owned(), key("secret"))].into();
        let asked = |bucket| {
            let bucket_key = key("bucket");
            let all = asked_under(&spec, bucket, Some(&bucket_key), &keys).into_iter();
            let of_keys = all.filter(|(_, action, _)| action == "kms:Decrypt");
            let of_keys: Vec<_> = of_keys.map(|(role, _, on)| (role, on)).collect();
            of_keys
        };
        let both = [(EXECUTION, key("secret")), (TASK, key("bucket"))];
        assert_eq!(asked(Some("acme-models")), both);
        assert_eq!(asked(None), both[..1]);
    }

    #[test]
    fn only_repositories_of_ecr_are_asked_about() {
        for image in [
            "ubuntu@sha256:1",
            "public.ecr.aws/x/y@sha256:1",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com/a@sha256:1",
            "111122223333.dkr.other.eu-west-1.amazonaws.com/a@sha256:1",
        ] {
            assert_eq!(repository(image, "aws"), None, "{image}");
        }
        let fips = "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/a/b:tag";
        assert_eq!(
            repository(fips, "aws").as_deref(),
            Some("arn:aws:ecr:us-east-1:111122223333:repository/a/b")
        );
    }
}
