//! Instances that an endpoint on ECS has to itself: a launch template, an Auto Scaling group and a capacity provider. Nothing runs.

use mlops_acceptance::Workspace;
use mlops_acceptance::ecs_world::{self, AT_ONCE, EcsWorld};
use mlops_acceptance::stack::ENDPOINT;
use serde_json::json;

/// What stands in the block `asg` beside the kind of instance.
const REST: &str = "instance_profile = \"instances\"\n    max_size = 4";

struct World {
    ecs: EcsWorld,
    work: Workspace,
    image: String,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let ecs = EcsWorld::on_paper_for(test)?;
        let work = ecs.workspace("");
        let image = ecs.paper_image("own");
        Some(Self { ecs, work, image })
    }

    fn text(&self, asg: &str, variant: &str) -> String {
        let blocks = self.ecs.blocks_with_own_cluster(&self.ecs.own_listener());
        let blocks = blocks.replacen("ecs {", &format!("ecs {{\n  asg {{\n    {asg}\n  }}"), 1);
        let runs = format!("image   = {:?}\n    {variant}", self.image);
        ecs_world::endpoint("digits", &runs, &format!("{blocks}\n  {AT_ONCE}"))
    }

    fn configure(&mut self, asg: &str, variant: &str) {
        let text = self.text(asg, variant);
        self.work.config(&text);
    }

    /// What there is of one kind.
    fn names(&self, kind: &str) -> Vec<String> {
        let all = self.ecs.everything().into_iter();
        all.filter_map(|one| Some(one.strip_prefix(&format!("{kind} "))?.to_owned()))
            .collect()
    }

    /// The one name of the group, its template and its provider.
    fn machines(&self) -> String {
        let groups = self.names("Auto Scaling group");
        let [name] = &groups[..] else {
            panic!("one group: {groups:?}");
        };
        for kind in ["launch template", "capacity provider"] {
            assert_eq!(self.names(kind), std::slice::from_ref(name), "{kind}");
        }
        name.clone()
    }
}

fn kind(instance_type: &str) -> String {
    format!("instance_type = \"{instance_type}\"\n    {REST}")
}

#[test]
fn instances_of_its_own_are_made_scaled_by_ecs_replaced_by_a_rollout_and_deleted() {
    let test = "instances_of_its_own_are_made_scaled_by_ecs_replaced_by_a_rollout_and_deleted";
    let Some(mut world) = World::start(test) else {
        return;
    };
    let before = world.ecs.everything();
    world.configure(&kind("m7i.large"), "");
    let plan = world.work.apply();
    let warned = plan.warnings().join("\n");
    assert!(
        warned.contains("the machines of ecs.asg (0 to 4 of m7i.large)"),
        "{warned}"
    );
    let first = world.machines();
    assert!(first.starts_with("mlops-digits-"), "{first}");
    let own = json!({ "clusters": ["mlops-digits"] });
    let cluster = &world.ecs.ecs("DescribeClusters", &own)["clusters"][0];
    assert_eq!(
        cluster["capacityProviders"],
        json!(["FARGATE", "FARGATE_SPOT", first])
    );
    let asked = json!({ "capacityProviders": [first], "include": ["TAGS"] });
    let provider = &world.ecs.ecs("DescribeCapacityProviders", &asked)["capacityProviders"][0];
    let group = &provider["autoScalingGroupProvider"];
    assert_eq!(group["managedScaling"]["status"], "ENABLED", "{provider}");
    assert_eq!(
        group["managedTerminationProtection"], "ENABLED",
        "{provider}"
    );
    let mut services = EcsServices::of(&world.ecs);
    let strategy = json!([{ "capacityProvider": first, "base": 0, "weight": 1 }]);
    assert_eq!(services.only()["capacityProviderStrategy"], strategy);

    // How many there are is the business of ECS.
    let wanted = [("AutoScalingGroupName", &*first), ("DesiredCapacity", "3")];
    world.ecs.groups("SetDesiredCapacity", &wanted);
    assert_eq!(world.work.plan().actions(ENDPOINT), ["no-op"]);

    // Another kind is another group, and the old one goes with its revision.
    world.configure(&kind("m7i.xlarge"), "");
    assert_eq!(world.work.apply().actions(ENDPOINT), ["update"]);
    let second = world.machines();
    assert_ne!(second, first);
    services = EcsServices::of(&world.ecs);
    let strategy = json!([{ "capacityProvider": second, "base": 0, "weight": 1 }]);
    assert_eq!(services.only()["capacityProviderStrategy"], strategy);

    let mut importer = world.ecs.workspace("");
    importer.config(&world.text(&kind("m7i.xlarge"), ""));
    importer.import(ENDPOINT, "ecs/mlops-digits/digits");
    let (ours, theirs) = (world.work.state(), importer.state());
    assert_eq!(
        ours.object(ENDPOINT).get("/ecs"),
        theirs.object(ENDPOINT).get("/ecs")
    );

    // Without them, tasks are on Fargate again.
    let text = world.text("", "").replace("asg {\n    \n  }", "");
    world.work.config(&text);
    world.work.apply();
    assert_eq!(world.names("Auto Scaling group"), Vec::<String>::new());
    assert_eq!(world.names("launch template"), Vec::<String>::new());

    world.configure(&kind("m7i.large"), "");
    world.work.apply();
    assert_eq!(world.machines(), first);
    world.work.destroy();
    assert_eq!(world.ecs.everything(), before);
}

/// The services of the endpoint's cluster.
struct EcsServices(Vec<serde_json::Value>);

impl EcsServices {
    fn of(ecs: &EcsWorld) -> Self {
        let own = json!({ "cluster": "mlops-digits" });
        let listed = ecs.ecs("ListServices", &own)["serviceArns"].clone();
        let asked = json!({ "cluster": "mlops-digits", "services": listed });
        let told = ecs.ecs("DescribeServices", &asked)["services"].clone();
        Self(told.as_array().cloned().unwrap_or_default())
    }

    fn only(&self) -> &serde_json::Value {
        assert_eq!(self.0.len(), 1, "{:?}", self.0);
        &self.0[0]
    }
}

#[test]
fn instances_that_never_come_are_told_in_the_words_of_their_group_and_nothing_is_left() {
    let test = "instances_that_never_come_are_told_in_the_words_of_their_group_and_nothing_is_left";
    let Some(mut world) = World::start(test) else {
        return;
    };
    let before = world.ecs.everything();
    let asg = format!("{}\n    capacity_timeout_seconds = 1", kind("p5.48xlarge"));
    world.configure(
        &asg,
        "environment = { UNPLACED = \"1\" }\n    startup_timeout_seconds = 1\n    gpu = { count = 1 }",
    );
    let said = [
        "was rolled back",
        "is not healthy",
        "Auto Scaling group mlops-digits-",
        "We currently do not have sufficient p5.48xlarge capacity",
    ];
    world.work.apply_fails(&said);
    assert_eq!(world.ecs.everything(), before);
}

#[test]
fn instances_that_cannot_be_are_errors_of_the_plan() {
    let test = "instances_that_cannot_be_are_errors_of_the_plan";
    let Some(mut world) = World::start(test) else {
        return;
    };
    for (asg, variant, said) in [
        (
            format!("{}\n min_size = 5", kind("m7i.large")),
            "",
            &["min_size", "more than the 4 of max_size"][..],
        ),
        (kind("large"), "", &["is not a type of instance"]),
        (
            format!("{}\n volume_type = \"io2\"", kind("m7i.large")),
            "",
            &["gp3 or gp2, not \"io2\""],
        ),
        (
            kind("m7g.large"),
            "architecture = \"X86_64\"",
            &["m7g.large has processors of architecture ARM64"],
        ),
        (
            kind("m7i.large"),
            "gpu = { count = 1 }",
            &["m7i.large of ecs.asg.instance_type has no GPU"],
        ),
        (
            kind("g5.xlarge"),
            "gpu = { count = 1, type = \"l4\" }",
            &[
                "g5.xlarge of ecs.asg.instance_type has GPUs of type a10g",
                "gr6.4xlarge",
            ],
        ),
        (
            kind("g5.xlarge"),
            "gpu = { count = 2 }",
            &[
                "main.gpu.count is 2",
                "g5.xlarge of ecs.asg.instance_type has 1",
            ],
        ),
        (
            format!(
                "{}\n ami_id = \"ami-1\"\n ami_ssm_parameter = \"/a\"",
                kind("m7i.large")
            ),
            "",
            &["Only one of ami_id, ami_ssm_parameter"],
        ),
    ] {
        world.configure(&asg, variant);
        world.work.plan_fails(said);
    }
    let right = world.text(&kind("m7i.large"), "");
    for (from, to, said) in [
        (
            "create_cluster     = true",
            format!("cluster_arn = \"{}\"", world.ecs.cluster_arn()),
            &["ecs.create_cluster = true", "ecs.capacity_providers"][..],
        ),
        (
            "create_cluster     = true",
            "create_cluster     = true\n launch_type = \"FARGATE\"".to_owned(),
            &["Only one of launch_type, capacity_providers, asg"],
        ),
        (
            "create_cluster     = true",
            "create_cluster     = true\n capacity_providers = { FARGATE = {} }".to_owned(),
            &["Only one of launch_type, capacity_providers, asg"],
        ),
    ] {
        assert!(right.contains(from), "{right}");
        world.work.config(&right.replace(from, &to));
        world.work.plan_fails(said);
    }
}
