//! What can be wrong with the file system of an endpoint on ECS. Forms are those of the EFS API reference.

use crate::endpoint::spec::{EcsSpec, EfsSpec, EndpointSpec, ModelCache, VariantSpec};
use crate::error::Error;
use crate::serving::TASK_MODELS;

/// Every problem of the file system, if there is one, and of variants that want to keep models there.
pub(super) fn of(spec: &EndpointSpec, ecs: &EcsSpec) -> Vec<Error> {
    let cached = spec.variants.iter().filter_map(|(name, variant)| {
        let problem = cache(variant, ecs.efs.as_ref())?;
        Some(Error::invalid(problem).at(format!("variants.{name}.model_cache")))
    });
    cached.chain(file_system(spec, ecs)).collect()
}

/// What is wrong with where the variant keeps its model.
fn cache(variant: &VariantSpec, efs: Option<&EfsSpec>) -> Option<&'static str> {
    if variant.container.model_cache == ModelCache::None {
        return None;
    }
    if variant.workload.own_image().is_some() {
        return Some("an image has no model that the endpoint knows of; leave model_cache out");
    }
    match efs {
        None => Some(
            "model_cache = \"efs\" needs a file system to keep models in; add a block ecs { efs { … } }",
        ),
        Some(efs) if efs.read_only => Some(
            "tasks may only read the file system and cannot keep models there; leave ecs.efs.read_only out",
        ),
        Some(_) => None,
    }
}

fn file_system(spec: &EndpointSpec, ecs: &EcsSpec) -> Vec<Error> {
    let Some(efs) = &ecs.efs else {
        return Vec::new();
    };
    let runs_server =
        (spec.variants.values()).any(|variant| variant.workload.own_image().is_none());
    let found = problems(efs, runs_server).into_iter();
    found
        .map(|(attribute, message)| Error::invalid(message).at(format!("ecs.efs.{attribute}")))
        .collect()
}

fn problems(efs: &EfsSpec, runs_server: bool) -> Vec<(&'static str, String)> {
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
    } else if runs_server && (is_within(path, TASK_MODELS) || is_within(TASK_MODELS, path)) {
        refuse(
            "container_path",
            format!(
                "the model server keeps its model in {TASK_MODELS}; mount the file system elsewhere"
            ),
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

    fn found(json: serde_json::Value, runs_server: bool) -> Vec<(&'static str, String)> {
        let mut efs = serde_json::json!({ "file_system_id": "fs-0123456789abcdef0", "container_path": "/mnt/weights" });
        let fields = json.as_object().expect("an object").clone();
        efs.as_object_mut().expect("an object").extend(fields);
        problems(&serde_json::from_value(efs).expect("a block"), runs_server)
    }

    #[test]
    fn a_file_system_may_have_a_directory_or_an_access_point() {
        for fine in [
            serde_json::json!({}),
            serde_json::json!({ "root_directory": "/weights", "read_only": true }),
            serde_json::json!({ "root_directory": "/", "access_point_id": "fsap-0123456789abcdef0", "iam": true }),
            serde_json::json!({ "container_path": "/models-of-mine" }),
        ] {
            assert_eq!(found(fine.clone(), true), [], "{fine}");
        }
        let own = serde_json::json!({ "container_path": "/models" });
        assert_eq!(found(own, false), [], "an image has no such directory");
    }

    #[test]
    fn a_model_is_kept_where_there_is_a_file_system_to_write_to() {
        let model = serde_json::json!({
            "model": "digits", "version": 1, "artifact_digest": "sha256:aa", "traffic": 100.0, "container": { "model_cache": "efs" },
        });
        let image = serde_json::json!({ "image": "i", "traffic": 100.0, "container": { "model_cache": "efs" } });
        let efs = |read_only: bool| EfsSpec {
            file_system_id: "fs-0123456789abcdef0".to_owned(),
            access_point_id: None,
            root_directory: None,
            iam: false,
            container_path: "/mnt/weights".to_owned(),
            read_only,
        };
        let judged = |variant: &serde_json::Value, efs: Option<&EfsSpec>| {
            let variant = serde_json::from_value(variant.clone()).expect("a variant");
            cache(&variant, efs).unwrap_or_default()
        };
        assert_eq!(judged(&model, Some(&efs(false))), "");
        assert!(judged(&model, Some(&efs(true))).contains("may only read"));
        assert!(judged(&model, None).contains("needs a file system"));
        assert!(judged(&image, Some(&efs(false))).contains("has no model"));
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
                "keeps its model in /models",
            ),
        ] {
            let told = found(wrong.clone(), true);
            assert_eq!(told.len(), 1, "{wrong}: {told:?}");
            assert_eq!(told[0].0, attribute, "{wrong}");
            assert!(told[0].1.contains(said), "{wrong}: {}", told[0].1);
        }
    }
}
