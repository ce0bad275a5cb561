//! What can be wrong with the file system of an endpoint on ECS. Forms are those of the EFS API reference.

use crate::endpoint::spec::{EcsSpec, EfsSpec, EndpointSpec, ModelCache};
use crate::error::Error;
use crate::serving::{TASK_CACHE, TASK_MODELS};

/// Every problem of the file system, if there is one.
pub(super) fn of(spec: &EndpointSpec, ecs: &EcsSpec) -> Vec<Error> {
    let Some(efs) = &ecs.efs else {
        return Vec::new();
    };
    let found = problems(efs, &of_server(spec)).into_iter();
    found
        .map(|(attribute, message)| Error::invalid(message).at(format!("ecs.efs.{attribute}")))
        .collect()
}

/// The places in which the model server keeps models, if the endpoint runs it.
fn of_server(spec: &EndpointSpec) -> Vec<&'static str> {
    let served =
        || (spec.variants.values()).filter(|variant| variant.workload.own_image().is_none());
    let models = served().next().map(|_| TASK_MODELS);
    let node = served().find(|variant| variant.container.model_cache == ModelCache::Node);
    models.into_iter().chain(node.map(|_| TASK_CACHE)).collect()
}

fn problems(efs: &EfsSpec, of_server: &[&str]) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut refuse = |attribute: &'static str, message: String| {
        problems.push((attribute, message));
    };
    if !is_id(&efs.file_system_id, "fs-") {
        refuse(
            "file_system_id",
            format!(
                "{:?} is not the id of a file system, such as fs-0123456789abcdef0",
                efs.file_system_id
            ),
        );
    }
    if let Some(point) = &efs.access_point_id {
        if !is_id(point, "fsap-") {
            refuse(
                "access_point_id",
                format!(
                    "{point:?} is not the id of an access point, such as fsap-0123456789abcdef0"
                ),
            );
        }
        if efs
            .root_directory
            .as_deref()
            .is_some_and(|root| root != "/")
        {
            refuse(
                "root_directory",
                "the access point says which directory containers see; leave root_directory out"
                    .to_owned(),
            );
        }
    }
    if let Some(root) = &efs.root_directory
        && !is_path(root)
        && root != "/"
    {
        refuse(
            "root_directory",
            format!("{root:?} is not a path from the root of the file system, such as /weights"),
        );
    }
    let path = &efs.container_path;
    if !is_path(path) {
        refuse(
            "container_path",
            format!("{path:?} is not a path below the root of a container, such as /mnt/weights"),
        );
    } else if let Some(taken) =
        (of_server.iter()).find(|taken| is_within(path, taken) || is_within(taken, path))
    {
        refuse(
            "container_path",
            format!("the model server keeps models in {taken}; mount the file system elsewhere"),
        );
    }
    problems
}

/// Whether ECS takes it for an id: the prefix, and 8 to 40 hexadecimal digits.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (8..=40).contains(&rest.len()) && rest.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    })
}

/// Whether it leads from the root downwards, to something that has a name.
fn is_path(path: &str) -> bool {
    path.strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

/// Whether `path` is `place`, or lies in it.
fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: serde_json::Value, of_server: &[&str]) -> Vec<(&'static str, String)> {
        let mut efs = serde_json::json!({ "file_system_id": "fs-0123456789abcdef0", "container_path": "/mnt/weights" });
        let fields = json.as_object().expect("an object").clone();
        efs.as_object_mut().expect("an object").extend(fields);
        problems(&serde_json::from_value(efs).expect("a block"), of_server)
    }

    #[test]
    fn a_file_system_may_have_a_directory_or_an_access_point() {
        for fine in [
            serde_json::json!({}),
            serde_json::json!({ "root_directory": "/weights", "read_only": true }),
            serde_json::json!({ "root_directory": "/", "access_point_id": "fsap-0123456789abcdef0", "iam": true }),
            serde_json::json!({ "container_path": "/models-of-mine" }),
            serde_json::json!({ "container_path": "/cache" }),
        ] {
            assert_eq!(found(fine.clone(), &[TASK_MODELS]), [], "{fine}");
        }
        let own = serde_json::json!({ "container_path": "/models" });
        assert_eq!(found(own, &[]), [], "an image has no such directory");
    }

    #[test]
    fn each_mistake_is_told_with_its_attribute() {
        for (wrong, attribute, said) in [
            (
                serde_json::json!({ "file_system_id": "weights" }),
                "file_system_id",
                "not the id of a file system",
            ),
            (
                serde_json::json!({ "access_point_id": "fs-0123456789abcdef0" }),
                "access_point_id",
                "not the id of an access point",
            ),
            (
                serde_json::json!({ "access_point_id": "fsap-0123456789abcdef0", "root_directory": "/a" }),
                "root_directory",
                "leave root_directory out",
            ),
            (
                serde_json::json!({ "root_directory": "weights" }),
                "root_directory",
                "is not a path",
            ),
            (
                serde_json::json!({ "container_path": "/" }),
                "container_path",
                "is not a path",
            ),
            (
                serde_json::json!({ "container_path": "/mnt/../etc" }),
                "container_path",
                "is not a path",
            ),
            (
                serde_json::json!({ "container_path": "/models/mine" }),
                "container_path",
                "keeps models in /models",
            ),
            (
                serde_json::json!({ "container_path": "/cache" }),
                "container_path",
                "keeps models in /cache",
            ),
        ] {
            let told = found(wrong.clone(), &[TASK_MODELS, TASK_CACHE]);
            assert_eq!(told.len(), 1, "{wrong}: {told:?}");
            assert_eq!(told[0].0, attribute, "{wrong}");
            assert!(told[0].1.contains(said), "{wrong}: {}", told[0].1);
        }
    }
}
