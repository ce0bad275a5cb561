//! What tasks of an endpoint on ECS run on, and the file system that they share, with real containers.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use mlops_acceptance::digits::Digits;
use mlops_acceptance::ecs_world::{self, AT_ONCE, EcsWorld, server_image};
use mlops_acceptance::http::Client;
use mlops_acceptance::load::Load;
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Workspace, skip, wait};
use serde_json::{Value, json};

const SHARED: &str = r#"efs {
      file_system_id = "fs-0123456789abcdef0"
      root_directory = "/weights"
      container_path = "/mnt/weights""#;

/// An endpoint that runs images of the fixture.
struct World {
    ecs: EcsWorld,
    work: Workspace,
}

impl World {
    /// Configures a variant, and what its tasks run on.
    fn configure(&mut self, variant: &str, runs_on: &str) {
        let blocks = self.blocks(variant, runs_on);
        self.work.config(&blocks);
    }

    fn blocks(&self, variant: &str, runs_on: &str) -> String {
        let blocks = self.ecs.blocks(&self.ecs.own_listener());
        let blocks = blocks.replacen("ecs {", &format!("ecs {{\n    {runs_on}"), 1);
        let blocks = format!("{blocks}\n  {AT_ONCE}");
        ecs_world::endpoint("digits", variant, &blocks)
    }

    fn client(&self) -> Client {
        Client::new(self.work.state().object(ENDPOINT).text("/invoke_url"))
    }

    /// The one service, and the task definition that it runs.
    fn service(&self) -> (Value, Value) {
        let services = self.ecs.services();
        let [service] = &services[..] else {
            panic!("one service: {services:?}");
        };
        (service.clone(), self.ecs.task_definition(service))
    }
}

#[test]
fn tasks_move_from_fargate_to_instances_and_share_a_file_system() {
    let name = "tasks_move_from_fargate_to_instances_and_share_a_file_system";
    let ecs = match EcsWorld::start() {
        Ok(ecs) => ecs,
        Err(reason) => return skip(name, &reason),
    };
    // A plan tells of providers before ECS does: here ECS is to refuse them.
    let work = ecs.workspace("preflight { skip = [\"cluster\"] }");
    let mut world = World { ecs, work };
    let image = world.ecs.fixture();
    let variant = |version: &str, more: &str| {
        format!("image = \"{image}\"\n environment = {{ VERSION = \"{version}\" }}\n {more}")
    };

    // Providers that the cluster does not have are an error of the apply, and nothing is left.
    let spot = "capacity_providers = { FARGATE = { base = 1 }, FARGATE_SPOT = { weight = 4 } }";
    world.configure(&variant("one", ""), spot);
    (world.work).apply_fails(&["was rolled back", "not associated with the cluster"]);
    assert_eq!(world.ecs.everything(), Vec::<String>::new());

    let providers = json!({
        "cluster": world.ecs.cluster, "capacityProviders": ["FARGATE", "FARGATE_SPOT"], "defaultCapacityProviderStrategy": [],
    });
    world.ecs.ecs("PutClusterCapacityProviders", &providers);
    world.work.apply();
    let (service, definition) = world.service();
    assert_eq!(service["launchType"], Value::Null, "{service}");
    let strategy = json!([
        { "capacityProvider": "FARGATE", "base": 1, "weight": 1 },
        { "capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 4 },
    ]);
    assert_eq!(service["capacityProviderStrategy"], strategy);
    assert_eq!(definition["requiresCompatibilities"], json!(["FARGATE"]));

    // Another launch type is a new revision, which takes over without a request that fails.
    let url = world
        .work
        .state()
        .object(ENDPOINT)
        .text("/invoke_url")
        .to_owned();
    let load = Load::start(
        &url,
        "digits",
        2,
        Duration::from_millis(5),
        Digits::committed(),
    );
    let own = format!("launch_type = \"EC2\"\n {SHARED}\n }}");
    world.configure(
        &variant(
            "one",
            "cpu = 300\n memory_mb = 700\n gpu = { count = 1, type = \"v100\" }",
        ),
        &own,
    );
    assert_eq!(world.work.apply().actions(ENDPOINT), ["update"]);
    let outcomes = load.stop();
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.status != 200)
        .collect();
    assert!(
        failed.is_empty() && !outcomes.is_empty(),
        "{failed:?} of {}",
        outcomes.len()
    );
    let (service, definition) = world.service();
    assert_eq!(service["launchType"], "EC2", "{service}");
    assert_eq!(definition["requiresCompatibilities"], json!(["EC2"]));
    let wishes = &definition["containerDefinitions"][0]["resourceRequirements"];
    assert_eq!(*wishes, json!([{ "type": "GPU", "value": "1" }]));
    let types =
        "attribute:ecs.instance-type in [p3.2xlarge, p3.8xlarge, p3.16xlarge, p3dn.24xlarge]";
    assert_eq!(
        definition["placementConstraints"],
        json!([{ "type": "memberOf", "expression": types }])
    );
    let ours = world.work.state();
    let mut importer = world.ecs.workspace("");
    importer.config(&world.blocks("image = \"x\"", ""));
    importer.import(ENDPOINT, "ecs/models/digits");
    for attribute in ["/variants/main/gpu", "/arn"] {
        assert_eq!(
            importer.state().object(ENDPOINT).get(attribute),
            ours.object(ENDPOINT).get(attribute)
        );
    }

    // What a task writes there is what the tasks of the next revision read, which may not write.
    let mut client = world.client();
    let file = "/files/mnt/weights/a";
    let written = client
        .request("PUT", file, &[], b"kept")
        .expect("an answer");
    assert_eq!(written.status, 200, "{}", written.text());
    let read_only = own.replace("container_path", "read_only = true\n container_path");
    let second = variant("two", "cpu = 300\n memory_mb = 700");
    world.configure(&second, &read_only);
    world.work.apply();
    let mut client = world.client();
    assert_eq!(client.get("/version").expect("an answer").text(), "two");
    assert_eq!(client.get(file).expect("an answer").text(), "kept");
    let refused = client
        .request("PUT", file, &[], b"lost")
        .expect("an answer");
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("read-only"), "{}", refused.text());

    let mut importer = world.ecs.workspace("");
    importer.config(&world.blocks(&second, &read_only));
    importer.import(ENDPOINT, "ecs/models/digits");
    for block in ["/ecs", "/variants"] {
        let (ours, theirs) = (world.work.state(), importer.state());
        assert_eq!(
            ours.object(ENDPOINT).get(block),
            theirs.object(ENDPOINT).get(block)
        );
    }

    world.work.destroy();
    assert_eq!(world.ecs.everything(), Vec::<String>::new());
}

impl World {
    /// The one task that runs, and what its log says once it listens.
    fn listening(&self) -> (String, String) {
        let (service, _) = self.service();
        let [task] = &self
            .ecs
            .tasks(service["serviceName"].as_str().expect("a name"))[..]
        else {
            panic!("one task of {service}");
        };
        let id = task.rsplit('/').next().expect("an id");
        let asked = json!({
            "logGroupName": "/mlops/endpoints/models/digits", "logStreamName": format!("server/server/{id}"),
        });
        let said = wait::for_some("it says that it listens", Duration::from_secs(30), || {
            let told = self.ecs.logs("GetLogEvents", &asked);
            let events = told["events"].as_array()?.iter();
            let lines: Vec<_> = events
                .filter_map(|event| event["message"].as_str())
                .collect();
            let said = lines.join("\n");
            said.contains("\"listening\"").then_some(said)
        });
        (task.clone(), said)
    }
}

/// PAINS: kserve/kserve#4918.
#[test]
fn tasks_of_an_instance_fetch_a_model_once() {
    let name = "tasks_of_an_instance_fetch_a_model_once";
    let ecs = match EcsWorld::start() {
        Ok(ecs) => ecs,
        Err(reason) => return skip(name, &reason),
    };
    let disk = rustix::fs::statvfs(&ecs.docker).expect("dockerd's disk");
    let used = disk.f_blocks - disk.f_bfree;
    if disk.f_bavail < (used + disk.f_bavail) / 5 {
        return skip(
            name,
            "the disk is nearly full, so that nothing is kept on it",
        );
    }
    let work = ecs.workspace(&server_image(&ecs.server()));
    work.copy_model("digits-v1", "1.onnx");
    let mut world = World { ecs, work };
    let serving = |world: &World, queue: u32, runs_on: &str| {
        let variant = format!(
            "model = mlops_model.digits.name\n model_version = mlops_model_version.first.version\n model_cache = \"node\"\n \
             environment = {{ MLOPS_MAX_QUEUE = \"{queue}\" }}"
        );
        let endpoint = world.blocks(&variant, runs_on);
        format!(
            "resource \"mlops_model\" \"digits\" {{\n  name = \"digits\"\n}}\n\
             resource \"mlops_model_version\" \"first\" {{\n  model = mlops_model.digits.name\n  source = \"1.onnx\"\n}}\n{endpoint}"
        )
    };
    let ec2 = "launch_type = \"EC2\"";

    let on_fargate = serving(&world, 8, "");
    world.work.config(&on_fargate);
    let at = "At fault is variants[\"main\"].model_cache.";
    world.work.plan_fails(&["needs instances", at]);

    let first = serving(&world, 8, ec2);
    world.work.config(&first);
    world.work.apply();
    let (_, said) = world.listening();
    assert!(said.contains("fetches model.onnx"), "{said}");
    assert!(!said.contains("cannot "), "{said}");
    let (_, definition) = world.service();
    let volumes = definition["volumes"].as_array().expect("volumes");
    let [_, shared] = &volumes[..] else {
        panic!("two volumes: {definition}");
    };
    let of_docker = json!({ "scope": "shared", "autoprovision": true, "driver": "local" });
    assert_eq!(shared["dockerVolumeConfiguration"], of_docker);

    // The volume became the user's whom the server runs as, who has no rights and a root that cannot be written.
    let place = world.ecs.volume("mlops-models").join("mlops-models/sha256");
    let kept = || {
        let entries = std::fs::read_dir(&place).expect("the volume's own");
        entries
            .map(|entry| entry.expect("a file"))
            .collect::<Vec<_>>()
    };
    let [model] = &kept()[..] else {
        panic!("one model: {:?}", kept());
    };
    assert_eq!(model.metadata().expect("there").uid(), 10001);

    // A task of another revision finds it.
    let second = serving(&world, 9, ec2);
    world.work.config(&second);
    assert_eq!(world.work.apply().actions(ENDPOINT), ["update"]);
    let (task, said) = world.listening();
    assert!(said.contains("finds model.onnx"), "{said}");
    assert!(!said.contains("fetches model.onnx"), "{said}");
    let container = world.ecs.inspect_container(&task);
    assert_eq!(container["Config"]["User"], "10001:10001");
    assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true);

    let mut importer = world.ecs.workspace("");
    importer.config(&world.blocks("image = \"x\"", ""));
    importer.import(ENDPOINT, "ecs/models/digits");
    let imported = importer.state();
    assert_eq!(
        imported.object(ENDPOINT).text("/variants/main/model_cache"),
        "node"
    );

    // Another place is another revision; the volume stays with its node.
    let without = second.replace("model_cache = \"node\"\n", "");
    world.work.config(&without);
    assert_eq!(world.work.apply().actions(ENDPOINT), ["update"]);
    let (_, said) = world.listening();
    assert!(said.contains("fetches model.onnx"), "{said}");
    world.work.destroy();
    assert_eq!(world.ecs.everything(), Vec::<String>::new());
    assert_eq!(kept().len(), 1);
}

#[test]
fn a_cluster_of_its_own_is_made_found_again_and_deleted_last() {
    let name = "a_cluster_of_its_own_is_made_found_again_and_deleted_last";
    let Some(ecs) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let mut work = ecs.workspace("");
    let blocks = ecs.blocks_with_own_cluster(&ecs.own_listener());
    work.config(&format!(
        r#"
resource "mlops_endpoint" "digits" {{
  name          = "digits"
  drain_seconds = 1
  variants      = {{ main = {{ traffic = 100, image = "{}" }} }}
  {blocks}
  rollout {{
    strategy        = "ALL_AT_ONCE"
    terminate_after = "0s"
  }}
}}
"#,
        ecs.paper_image("own")
    ));
    let before = ecs.everything();
    let own = json!({ "cluster": "mlops-digits" });

    // One of that name that others made is an error, and stays.
    let tags =
        json!([{ "key": "mlops:endpoint-id", "value": "00000000-0000-0000-0000-000000000001" }]);
    ecs.ecs(
        "CreateCluster",
        &json!({ "clusterName": "mlops-digits", "tags": tags }),
    );
    let said = ["cluster mlops-digits is there already", "mlops:endpoint-id"];
    work.apply_fails(&said);
    assert!(
        ecs.everything()
            .contains(&"cluster mlops-digits".to_owned())
    );
    ecs.ecs("DeleteCluster", &own);
    assert_eq!(ecs.everything(), before);

    // A plan knows it.
    let plan = work.apply();
    let arn = "arn:aws:ecs:eu-west-1:000000000000:cluster/mlops-digits";
    let planned = plan.after(ENDPOINT);
    assert_eq!(planned.text("/id"), "ecs/mlops-digits/digits");
    assert_eq!(planned.text("/ecs/cluster_arn"), arn);
    let there = ecs.everything();
    assert!(
        there.contains(&"cluster mlops-digits".to_owned()),
        "{there:?}"
    );
    let listed = ecs.ecs("ListServices", &own);
    let services = listed["serviceArns"].as_array().expect("ARNs");
    assert_eq!(services.len(), 1, "{listed}");

    // Somebody deletes it with what is in it: that is a restart.
    let gone = json!({ "cluster": "mlops-digits", "service": services[0], "force": true });
    ecs.ecs("DeleteService", &gone);
    ecs.ecs("DeleteCluster", &own);
    assert_eq!(work.plan().actions(ENDPOINT), ["update"]);
    work.apply();
    assert_eq!(
        ecs.everything().len(),
        there.len(),
        "{:?}",
        ecs.everything()
    );

    // An import finds the same.
    let mut importer = ecs.workspace("");
    importer.config(&format!("resource \"mlops_endpoint\" \"digits\" {{\n  name = \"digits\"\n  variants = {{}}\n  {blocks}\n}}"));
    importer.import(ENDPOINT, "ecs/mlops-digits/digits");
    let (ours, theirs) = (work.state(), importer.state());
    assert_eq!(
        ours.object(ENDPOINT).get("/ecs"),
        theirs.object(ENDPOINT).get("/ecs")
    );

    // What others put into it keeps it, and only it.
    let theirs = json!({ "cluster": "mlops-digits", "serviceName": "theirs", "taskDefinition": "theirs", "desiredCount": 0 });
    ecs.ecs("CreateService", &theirs);
    let failed = work.try_destroy();
    let told = failed.errors().concat();
    assert!(
        told.contains("services theirs in it") && told.contains("run the operation again"),
        "{}",
        failed.story()
    );
    let left = ecs.everything();
    assert_eq!(left, ["cluster mlops-digits", "service theirs"]);
    let gone = json!({ "cluster": "mlops-digits", "service": "theirs", "force": true });
    ecs.ecs("DeleteService", &gone);
    work.destroy();
    assert_eq!(ecs.everything(), before);
}
