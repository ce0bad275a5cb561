//! What can be wrong with the task of a variant: its image, and how its container is started.

use crate::endpoint::arn::Arn;
use crate::endpoint::spec::{EndpointSpec, VariantSpec, Workload};
use crate::error::Error;

/// What is wrong with the task of `variant`: each problem with its attribute.
pub(super) fn of(variant: &VariantSpec) -> Vec<(String, String)> {
    let container = &variant.container;
    let mut problems = Vec::new();
    let mut refuse = |attribute: &str, message: String| {
        problems.push((attribute.to_owned(), message));
    };
    match &variant.workload {
        Workload::Image(own) if !has_digest(&own.image) => refuse(
            "image",
            format!(
                "image {:?} names no digest, and a tag may move: write \"REPOSITORY@sha256:DIGEST\"",
                own.image
            ),
        ),
        Workload::Version(bound)
            if bound.container_image.is_none() && !container.command.is_empty() =>
        {
            refuse(
                "command",
                "command is what an image is started with, and the model server has its own; leave it out"
                    .to_owned(),
            );
        }
        _ => {}
    }
    if container.port == 0 {
        refuse("port", "0 is not a port to listen on".to_owned());
    }
    for (name, arn) in &container.secrets {
        if variant.environment.contains_key(name) {
            refuse(
                "secrets",
                format!("{name} is in environment and in secrets; keep one"),
            );
        }
        if !is_secret(arn) {
            // Not shown: it may be the secret itself.
            refuse(
                "secrets",
                format!(
                    "what {name} holds is not the ARN of a secret of Secrets Manager or of a parameter of Systems Manager, such as \
                     arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf"
                ),
            );
        }
    }
    problems
}

/// A process on this machine is no task: what only tasks have is refused.
pub(super) fn none(spec: &EndpointSpec) -> Vec<Error> {
    let only_tasks = |(name, variant): (&_, &VariantSpec)| {
        let (compute, container) = (&variant.compute, &variant.container);
        let (attribute, message) = if let Workload::Version(bound) = &variant.workload
            && bound.container_image.is_some()
        {
            let message = format!(
                "version {} is an image, which runs in a container on ECS, and this endpoint runs on this machine; \
                 bind it to a version with a model's files, or give the endpoint a block ecs",
                variant.workload
            );
            ("model", message)
        } else if variant.workload.own_image().is_some() {
            let message = "image runs in a container on ECS, and this endpoint runs on this machine; \
                           give the variant a model and a model_version, or the endpoint a block ecs";
            ("image", message.to_owned())
        } else if compute.cpu.is_some() {
            ("cpu", size("cpu"))
        } else if compute.memory_mb.is_some() {
            ("memory_mb", size("memory_mb"))
        } else if compute.gpus.is_some() {
            ("gpu", size("gpu"))
        } else if !container.is_default() {
            let attribute = if !container.command.is_empty() {
                "command"
            } else if !container.secrets.is_empty() {
                "secrets"
            } else if container.architecture.is_some() {
                "architecture"
            } else if !container.model_cache.is_default() {
                "model_cache"
            } else {
                "port"
            };
            let message = format!(
                "{attribute} is for the container of a task on ECS, and this endpoint runs on this machine; leave it out"
            );
            (attribute, message)
        } else {
            return None;
        };
        Some(Error::invalid(message).at(format!("variants.{name}.{attribute}")))
    };
    spec.variants.iter().filter_map(only_tasks).collect()
}

fn size(attribute: &str) -> String {
    format!(
        "{attribute} is the size of a task on ECS, and this endpoint runs on this machine; leave it out"
    )
}

/// Whether an image is named by its digest.
pub(super) fn has_digest(image: &str) -> bool {
    let is_digest = |digest: &str| {
        digest.len() == 64 && digest.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    };
    image
        .split_once("@sha256:")
        .is_some_and(|(repository, digest)| !repository.is_empty() && is_digest(digest))
}

/// Whether ECS takes the text for where a secret is (`Secret.valueFrom`). A secret's ARN may name a key of its JSON.
fn is_secret(arn: &str) -> bool {
    let Some(arn) = Arn::read(arn) else {
        return false;
    };
    let kind = match arn.service {
        "secretsmanager" => "secret:",
        "ssm" => "parameter/",
        _ => return false,
    };
    let name = arn.resource.strip_prefix(kind);
    arn.partition.starts_with("aws")
        && !arn.region.is_empty()
        && arn.account.len() == 12
        && arn.account.bytes().all(|byte| byte.is_ascii_digit())
        && name.is_some_and(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "example.com/server@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf";

    fn problems(json: serde_json::Value) -> Vec<(String, String)> {
        let mut variant = serde_json::json!({ "traffic": 100.0 });
        let fields = json.as_object().expect("an object").clone();
        variant.as_object_mut().expect("an object").extend(fields);
        of(&serde_json::from_value(variant).expect("a variant"))
    }

    #[test]
    fn an_image_by_digest_may_have_a_port_a_command_and_secrets() {
        let json = serde_json::json!({ "image": IMAGE, "container": {
            "port": 80, "command": ["serve"], "architecture": "ARM64",
            "secrets": { "A": SECRET, "B": "arn:aws-cn:ssm:cn-north-1:111122223333:parameter/fraud/b", "C": format!("{SECRET}:key::") },
        } });
        assert_eq!(problems(json), []);
    }

    #[test]
    fn each_mistake_is_told_with_its_attribute_and_no_secret_is_shown() {
        let model =
            serde_json::json!({ "model": "digits", "version": 1, "artifact_digest": "sha256:aa" });
        let with = |base: &serde_json::Value, more: serde_json::Value| {
            let mut json = base.clone();
            let fields = more.as_object().expect("an object").clone();
            json.as_object_mut().expect("an object").extend(fields);
            json
        };
        let image = serde_json::json!({ "image": IMAGE });
        let secret =
            |value: &str| serde_json::json!({ "container": { "secrets": { "TOKEN": value } } });
        for (json, attribute, said) in [
            (
                serde_json::json!({ "image": "server:latest" }),
                "image",
                "\"server:latest\" names no digest, and a tag may move",
            ),
            (
                serde_json::json!({ "image": "server@sha256:beef" }),
                "image",
                "names no digest",
            ),
            (
                serde_json::json!({ "image": "" }),
                "image",
                "names no digest",
            ),
            (
                with(
                    &model,
                    serde_json::json!({ "container": { "command": ["serve"] } }),
                ),
                "command",
                "the model server has its own",
            ),
            (
                with(&image, serde_json::json!({ "container": { "port": 0 } })),
                "port",
                "0 is not a port",
            ),
            (
                with(&image, secret("hunter2-hunter2")),
                "secrets",
                "what TOKEN holds is not the ARN",
            ),
            (
                with(&model, secret("arn:aws:s3:eu-west-1:111122223333:secret:x")),
                "secrets",
                "is not the ARN",
            ),
            (
                with(&image, secret("arn:aws:ssm:eu-west-1:1:parameter/x")),
                "secrets",
                "is not the ARN",
            ),
            (
                with(
                    &image,
                    secret("arn:aws:ssm:eu-west-1:111122223333:parameter/"),
                ),
                "secrets",
                "is not the ARN",
            ),
            (
                with(
                    &with(&image, secret(SECRET)),
                    serde_json::json!({ "environment": { "TOKEN": "x" } }),
                ),
                "secrets",
                "TOKEN is in environment and in secrets",
            ),
        ] {
            let found = problems(json);
            assert_eq!(found.len(), 1, "{found:?}");
            let (at, message) = &found[0];
            assert_eq!(at, attribute, "{message}");
            assert!(
                message.contains(said) && !message.contains("hunter2"),
                "{message}"
            );
        }
    }
}
