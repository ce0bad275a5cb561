use std::collections::BTreeMap;

use aws_sdk_ecs::types::{EfsAuthorizationConfigIam, EfsTransitEncryption, ResourceType, Scope};
use mlops_core::endpoint::spec::{Capacity, EfsSpec, GpuType, ModelCache, ProviderShare};
use mlops_core::serving::{SmokeRequest, TASK_VARIABLE, TaskConfig};
use serde_json::{Value, json};

use super::variables::LONGEST_CONFIG;
use super::*;
use crate::ecs::tests::{handle, placement, revision};

fn registered(revision: &Revision, placement: &Placement) -> Result<RegisterTaskDefinitionInput> {
    let handle = handle();
    let around = Surroundings {
        owner: &handle.owner,
        artifacts: TaskArtifacts {
            bucket: "registry".to_owned(),
            prefix: "models".to_owned(),
            region: "eu-west-1".to_owned(),
            path_style: false,
        },
        log_group: &handle.log_group,
        region: &handle.region,
    };
    let document = document(revision, placement, &around)?;
    Ok(document.build().expect("complete"))
}

fn server(document: &RegisterTaskDefinitionInput) -> &ContainerDefinition {
    let [server] = document.container_definitions() else {
        panic!("one container: {document:?}");
    };
    server
}

fn variables(document: &RegisterTaskDefinitionInput) -> BTreeMap<&str, &str> {
    server(document)
        .environment()
        .iter()
        .map(|pair| (pair.name().expect("named"), pair.value().expect("set")))
        .collect()
}

#[test]
fn a_task_runs_the_image_without_rights_on_a_read_only_root() {
    let document = registered(&revision(), &placement()).expect("legal");
    assert!(document.family().expect("named").starts_with("digits-"));
    assert_eq!(document.network_mode(), Some(&NetworkMode::Awsvpc));
    assert_eq!(
        document.requires_compatibilities(),
        [Compatibility::Fargate]
    );
    assert_eq!(
        (document.cpu(), document.memory()),
        (Some("512"), Some("1024"))
    );
    assert_eq!(
        (document.execution_role_arn(), document.task_role_arn()),
        (
            Some("arn:aws:iam::111122223333:role/pull"),
            Some("arn:aws:iam::111122223333:role/serve")
        )
    );
    let server = server(&document);
    assert_eq!(server.name(), Some("server"));
    assert_eq!(server.image(), Some(placement().image.as_str()));
    assert_eq!(server.command(), ["serve", "--task"]);
    assert_eq!(server.user(), Some("10001:10001"));
    assert_eq!(server.readonly_root_filesystem(), Some(true));
    assert_eq!(server.essential(), Some(true));
    assert_eq!(server.stop_timeout(), Some(10));
    assert_eq!(server.port_mappings()[0].container_port(), Some(8080));
    let mounted = &server.mount_points()[0];
    assert_eq!(mounted.container_path(), Some(TASK_MODELS));
    assert_eq!(mounted.source_volume(), document.volumes()[0].name());
    let log = server.log_configuration().expect("logged");
    assert_eq!(log.log_driver(), &LogDriver::Awslogs);
    let options = log.options().expect("told where");
    assert_eq!(options["awslogs-group"], "/mlops/endpoints/models/digits");
    assert_eq!(options["awslogs-region"], "eu-west-1");
    assert_eq!(options["awslogs-stream-prefix"], "server");
}

#[test]
fn a_task_is_told_what_to_serve_and_where_it_lies() {
    let mut revision = revision();
    for (name, value) in [("MLOPS_MAX_QUEUE", "3"), ("RUST_LOG", "debug")] {
        (revision.environment).insert(name.to_owned(), value.to_owned());
    }
    let document = registered(&revision, &placement()).expect("legal");
    let variables = variables(&document);
    let names: Vec<&str> = variables.keys().copied().collect();
    assert_eq!(names, ["AWS_REGION", TASK_VARIABLE, "RUST_LOG"]);
    assert_eq!(variables["AWS_REGION"], "eu-west-1");
    let config: Value = serde_json::from_str(variables[TASK_VARIABLE]).expect("JSON");
    assert_eq!(
        config,
        json!({
            "endpoint": "digits",
            "variant": "main",
            "revision": revision.name,
            "model": "digits",
            "version": 2,
            "artifact_digest": revision.workload.bound().expect("a version").artifact_digest,
            "artifacts": {
                "bucket": "registry", "prefix": "models", "region": "eu-west-1", "path_style": false
            },
            "port": 8080,
            "limits": { "max_concurrency": 8, "max_queue": 3, "timeout_ms": 30000 },
            "drain_seconds": 5,
        })
    );
}

#[test]
fn a_task_is_fit_for_what_it_runs_on_and_may_have_gpus_there() {
    let share = ProviderShare { base: 0, weight: 1 };
    let providers = |name: &str| Capacity::Providers {
        capacity_providers: [(name.to_owned(), share)].into(),
    };
    for (capacity, expected) in [
        (Capacity::on(LaunchType::Ec2), Compatibility::Ec2),
        (providers("FARGATE_SPOT"), Compatibility::Fargate),
        (providers("gpu"), Compatibility::Ec2),
    ] {
        let place = Placement {
            capacity,
            ..placement()
        };
        let document = registered(&revision(), &place).expect("legal");
        assert_eq!(document.requires_compatibilities(), [expected]);
        assert_eq!(document.network_mode(), Some(&NetworkMode::Awsvpc));
        assert!(server(&document).resource_requirements.is_none());
    }
    let mut revision = revision();
    revision.compute.gpus = Some(2);
    let document = registered(&revision, &placement()).expect("legal");
    let [gpus] = server(&document).resource_requirements() else {
        panic!("one wish: {document:?}");
    };
    assert_eq!((gpus.r#type(), gpus.value()), (&ResourceType::Gpu, "2"));
    assert_eq!(document.placement_constraints, None);
    revision.compute.gpu_type = Some(GpuType::H100);
    let document = registered(&revision, &placement()).expect("legal");
    let [only] = document.placement_constraints() else {
        panic!("one constraint: {document:?}");
    };
    assert_eq!(
        only.expression(),
        Some("attribute:ecs.instance-type in [p5.4xlarge, p5.48xlarge]")
    );
}

#[test]
fn a_file_system_is_a_volume_of_its_own_beside_that_of_models() {
    let mut efs = EfsSpec {
        file_system_id: "fs-0123456789abcdef0".to_owned(),
        access_point_id: None,
        root_directory: Some("/weights".to_owned()),
        iam: false,
        container_path: "/mnt/weights".to_owned(),
        read_only: true,
    };
    let place = |efs: &EfsSpec| Placement {
        efs: Some(efs.clone()),
        ..placement()
    };
    let document = registered(&revision(), &place(&efs)).expect("legal");
    let [models, shared] = document.volumes() else {
        panic!("two volumes: {document:?}");
    };
    assert_eq!(models.name(), Some(MODELS));
    let volume = shared.efs_volume_configuration().expect("set");
    assert_eq!(volume.file_system_id(), "fs-0123456789abcdef0");
    assert_eq!(volume.root_directory(), Some("/weights"));
    assert_eq!(
        volume.transit_encryption(),
        Some(&EfsTransitEncryption::Enabled)
    );
    let access = volume.authorization_config().expect("set");
    assert_eq!(access.access_point_id(), None);
    assert_eq!(access.iam(), Some(&EfsAuthorizationConfigIam::Disabled));
    let [_, mount] = server(&document).mount_points() else {
        panic!("two places: {document:?}");
    };
    assert_eq!(mount.source_volume(), shared.name());
    assert_eq!(
        (mount.container_path(), mount.read_only()),
        (Some("/mnt/weights"), Some(true))
    );

    let kept = |model_cache: ModelCache| {
        let mut revision = revision();
        revision.container.model_cache = model_cache;
        let document = registered(&revision, &place(&efs)).expect("legal");
        let task = TaskConfig::read(variables(&document)[TASK_VARIABLE]).expect("JSON");
        (task.cache, task.cache_free_percent)
    };
    let in_efs = (Some("/mnt/weights".to_owned()), None);
    assert_eq!(kept(ModelCache::Efs), in_efs, "where nothing is swept");
    assert_eq!(kept(ModelCache::None), (None, None));

    efs.root_directory = None;
    efs.access_point_id = Some("fsap-0123456789abcdef0".to_owned());
    efs.iam = true;
    let mut own = revision();
    own.workload = mlops_core::endpoint::spec::Workload::image(&placement().image);
    let document = registered(&own, &place(&efs)).expect("legal");
    let [shared] = document.volumes() else {
        panic!("one volume: {document:?}");
    };
    let volume = shared.efs_volume_configuration().expect("set");
    assert_eq!(volume.root_directory(), None);
    let access = volume.authorization_config().expect("set");
    assert_eq!(access.access_point_id(), Some("fsap-0123456789abcdef0"));
    assert_eq!(access.iam(), Some(&EfsAuthorizationConfigIam::Enabled));
    assert_eq!(server(&document).mount_points().len(), 1);
}

#[test]
fn tasks_of_an_instance_share_one_volume_whichever_endpoint_they_are_of() {
    let place = Placement {
        capacity: Capacity::on(LaunchType::Ec2),
        ..placement()
    };
    let mut revision = revision();
    let unkept = registered(&revision, &place).expect("legal");
    assert_eq!(
        (unkept.volumes().len(), server(&unkept).mount_points().len()),
        (1, 1)
    );

    revision.container.model_cache = ModelCache::Node;
    let document = registered(&revision, &place).expect("legal");
    let [models, shared] = document.volumes() else {
        panic!("two volumes: {document:?}");
    };
    assert_eq!(models.name(), Some(MODELS));
    assert_eq!(shared.name(), Some("mlops-models"));
    let volume = shared.docker_volume_configuration().expect("set");
    assert_eq!(
        (volume.scope(), volume.autoprovision(), volume.driver()),
        (Some(&Scope::Shared), Some(true), Some("local"))
    );
    assert_eq!((&volume.labels, &volume.driver_opts), (&None, &None));
    let [_, mount] = server(&document).mount_points() else {
        panic!("two places: {document:?}");
    };
    assert_eq!(mount.source_volume(), shared.name());
    assert_eq!(
        (mount.container_path(), mount.read_only()),
        (Some("/cache"), Some(false))
    );
    assert_eq!(server(&document).readonly_root_filesystem(), Some(true));
    let task = TaskConfig::read(variables(&document)[TASK_VARIABLE]).expect("JSON");
    assert_eq!(
        (task.cache.as_deref(), task.cache_free_percent),
        (Some("/cache"), Some(15))
    );
}

#[test]
fn everything_that_is_registered_carries_the_endpoints_tags() {
    let document = registered(&revision(), &placement()).expect("legal");
    let tags = tags::read(document.tags());
    let keys: Vec<&str> = tags.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "mlops:deployment",
            "mlops:endpoint",
            "mlops:endpoint-id",
            "mlops:revision",
            "mlops:variant"
        ]
    );
    assert!(tags::are_of(&tags, handle().owner.endpoint));
    assert_eq!(tags::revision(&tags), Some(revision().name));
}

#[test]
fn a_shell_in_a_task_needs_a_root_that_can_be_written() {
    let place = Placement {
        enable_execute_command: true,
        ..placement()
    };
    let document = registered(&revision(), &place).expect("legal");
    assert_eq!(server(&document).readonly_root_filesystem(), Some(false));
}

#[test]
fn a_container_has_as_long_to_end_as_its_requests_and_no_longer_than_fargate_gives() {
    let place = Placement {
        drain_seconds: 3_600,
        ..placement()
    };
    let document = registered(&revision(), &place).expect("legal");
    assert_eq!(server(&document).stop_timeout(), Some(120));
}

#[test]
fn a_golden_request_that_does_not_fit_is_refused_and_one_that_fits_goes_along() {
    let mut revision = revision();
    revision.smoke = Some(SmokeRequest {
        inputs: json!([[1.5]]),
        expect: None,
    });
    let document = registered(&revision, &placement()).expect("it fits");
    let config: TaskConfig =
        serde_json::from_str(variables(&document)[TASK_VARIABLE]).expect("JSON");
    assert_eq!(config.smoke, revision.smoke);

    revision.smoke = Some(SmokeRequest {
        inputs: json!("x".repeat(LONGEST_CONFIG)),
        expect: None,
    });
    let error = registered(&revision, &placement()).expect_err("it does not fit");
    assert_eq!(error.attribute(), Some("variants.main"));
    assert!(error.to_string().contains("golden request"), "{error}");
}

#[test]
fn an_image_is_started_as_it_is_with_what_the_variant_says() {
    let mut revision = revision();
    let mut place = placement();
    place.image = format!("example.com/own@sha256:{}", "2".repeat(64));
    revision.workload = mlops_core::endpoint::spec::Workload::image(&place.image);
    revision.container.port = 9000;
    for (name, value) in [("MLOPS_MAX_QUEUE", "3"), ("GREETING", "hello")] {
        (revision.environment).insert(name.to_owned(), value.to_owned());
    }
    let document = registered(&revision, &place).expect("legal");
    assert_eq!(document.volumes(), []);
    assert!(document.runtime_platform().is_none(), "the default of ECS");
    let own = server(&document);
    assert_eq!(own.image(), Some(place.image.as_str()));
    assert!(own.command.is_none(), "its own command");
    assert_eq!((own.user(), own.readonly_root_filesystem()), (None, None));
    assert_eq!(own.mount_points(), []);
    assert_eq!(own.port_mappings()[0].container_port(), Some(9000));
    let expected = BTreeMap::from([("GREETING", "hello"), ("MLOPS_MAX_QUEUE", "3")]);
    assert_eq!(variables(&document), expected);

    revision.container.command = vec!["serve".to_owned(), "--fast".to_owned()];
    revision.container.architecture = Some(Architecture::Arm64);
    let document = registered(&revision, &place).expect("legal");
    assert_eq!(server(&document).command(), ["serve", "--fast"]);
    let platform = document.runtime_platform().expect("said");
    assert_eq!(platform.cpu_architecture(), Some(&CpuArchitecture::Arm64));
    assert_eq!(platform.operating_system_family(), Some(&OsFamily::Linux));
}

#[test]
fn a_secret_goes_along_as_its_arn_beside_a_model_and_beside_an_image() {
    let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf";
    let image = mlops_core::endpoint::spec::Workload::image(&placement().image);
    for workload in [revision().workload, image] {
        let mut revision = revision();
        revision.workload = workload;
        assert_eq!(
            server(&registered(&revision, &placement()).expect("legal")).secrets(),
            []
        );
        (revision.container.secrets).insert("TOKEN".to_owned(), arn.to_owned());
        let document = registered(&revision, &placement()).expect("legal");
        let [secret] = server(&document).secrets() else {
            panic!("one secret: {document:?}");
        };
        assert_eq!((secret.name(), secret.value_from()), ("TOKEN", arn));
        assert!(!variables(&document).contains_key("TOKEN"));
    }
}

#[test]
fn the_model_server_listens_on_the_port_of_its_variant() {
    let mut revision = revision();
    revision.container.port = 9000;
    let document = registered(&revision, &placement()).expect("legal");
    assert_eq!(
        server(&document).port_mappings()[0].container_port(),
        Some(9000)
    );
    let config: TaskConfig = TaskConfig::read(variables(&document)[TASK_VARIABLE]).expect("JSON");
    assert_eq!(config.port, 9000);
}
