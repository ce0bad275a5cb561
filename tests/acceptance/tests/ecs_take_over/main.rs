//! A service of ECS that no endpoint made is imported, and the first apply takes it over.

mod world;

use std::time::Duration;

use mlops_acceptance::digits::Digits;
use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld};
use mlops_acceptance::http::{self, Client};
use mlops_acceptance::iam::{Gate, Policy};
use mlops_acceptance::load::{Load, Outcome};
use mlops_acceptance::part::registry;
use mlops_acceptance::workspace::free_port;
use mlops_acceptance::{Workspace, skip, wait};
use serde_json::json;

use self::world::{Made, Theirs};

const SHOP: &str = "mlops_endpoint.shop";

#[track_caller]
fn expect_none_failed(outcomes: &[Outcome]) {
    let failed: Vec<_> = outcomes.iter().filter(|one| one.status != 200).collect();
    let all = outcomes.len();
    assert!(failed.is_empty(), "{} of {all}: {failed:?}", failed.len());
    assert!(all > 100, "only {all} requests");
}

/// Nothing is left beside what the platform had but the definition: others may run its family, and read its log.
#[track_caller]
fn expect_its_definition_alone(theirs: &Theirs, platform: Vec<String>) {
    let mut left = platform;
    left.push("task definition by-hand-shop:1".to_owned());
    left.sort();
    assert_eq!(theirs.world.everything(), left);
}

fn import(work: &mut Workspace, name: &str) {
    work.import(
        &format!("mlops_endpoint.{name}"),
        &format!("ecs/models/{name}"),
    );
}

#[test]
fn a_service_that_somebody_made_becomes_an_endpoint_without_losing_a_request() {
    let name = "a_service_that_somebody_made_becomes_an_endpoint_without_losing_a_request";
    let world = match EcsWorld::start() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let image = world.fixture();
    let theirs = Theirs::new(world, image);
    let platform = theirs.world.everything();
    let made = Made::new("shop", 7);
    let group = theirs.make(&made);
    theirs.world.until_healthy(&group, 2);
    // ECS looks now and then: what is healthy may still be on its way.
    wait::until("its deployment to end", Duration::from_secs(60), || {
        let services = theirs.world.services();
        services[0]["deployments"][0]["rolloutState"] == "COMPLETED"
    });
    let answers = |expected: &str| {
        let answer = Client::new(&theirs.url())
            .get("/v2/models/digits")
            .expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, expected));
    };
    answers("1");

    let load = Load::start(
        &theirs.url(),
        "digits",
        2,
        Duration::from_millis(5),
        Digits::committed(),
    );
    let rollout = r#"rollout {
    strategy        = "CANARY"
    steps           = [{ traffic = 20, bake = "3s" }, { traffic = 100 }]
    terminate_after = "0s"
  }"#;
    let mut work = theirs.world.workspace("");
    work.config(&theirs.endpoint(&made, "VERSION = \"2\"", rollout));
    import(&mut work, "shop");
    let seen = work.state().object(SHOP);
    assert_eq!(seen.text("/invoke_url"), theirs.url());
    let front = seen.text("/arn").to_owned();
    assert!(
        front.starts_with("arn:aws:elasticloadbalancing:"),
        "{front}"
    );
    assert_eq!(seen.text("/variants/main/environment/VERSION"), "1");

    // Killed while the candidate comes up beside the service, which nobody has touched.
    let mut running = work.start_apply();
    wait::until("a candidate", Duration::from_secs(120), || {
        theirs.services().len() == 2
    });
    running.kill();
    work.mend_torn_state(true);
    wait::until("the lease to end", Duration::from_secs(120), || {
        let ended = work.try_apply();
        let held = "Somebody else is deploying this endpoint";
        let is_held = ended.story().contains(held);
        assert!(ended.status.success() || is_held, "{}", ended.story());
        ended.status.success()
    });
    work.expect_empty_plan();
    answers("2");
    assert_eq!(work.state().object(SHOP).text("/invoke_url"), theirs.url());
    assert_eq!(work.state().object(SHOP).text("/arn"), front);
    let services = theirs.world.services();
    let services: Vec<_> = services
        .iter()
        .filter(|one| one["status"] == "ACTIVE")
        .collect();
    assert_eq!(services.len(), 1, "{services:?}");
    assert_ne!(services[0]["serviceName"], "shop");
    assert_eq!(
        services[0]["desiredCount"], 2,
        "as many tasks as there were"
    );

    // It is an endpoint as any.
    work.config(&theirs.endpoint(&made, "VERSION = \"3\"", AT_ONCE));
    let plan = work.apply();
    assert_eq!(plan.actions(SHOP), ["update"]);
    expect_none_failed(&load.stop());
    answers("3");
    work.destroy();
    expect_its_definition_alone(&theirs, platform);
}

#[test]
fn a_service_that_was_imported_is_nobodys_endpoint_until_an_apply() {
    let name = "a_service_that_was_imported_is_nobodys_endpoint_until_an_apply";
    let Some(theirs) = Theirs::on_paper(name) else {
        return;
    };
    let mut made = Made::new("shop", 7);
    let check = json!({"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3});
    made.container = json!({"healthCheck": check});
    theirs.make(&made);
    let before = theirs.world.everything();
    let mut work = theirs.world.workspace("");
    let same = theirs.endpoint(&made, "VERSION = \"1\"", AT_ONCE);
    work.config(&same);
    import(&mut work, "shop");
    let seen = work.state().object(SHOP);
    for (attribute, expected) in [
        ("/id", "ecs/models/shop"),
        ("/variants/main/image", theirs.image.as_str()),
        ("/ingress/listener_arn", &theirs.listener),
        ("/ecs/task_role_arn", &theirs.world.task_role),
        ("/network/security_groups/0", &theirs.world.security_group),
        ("/health_check/interval", "5s"),
    ] {
        assert_eq!(seen.text(attribute), expected, "{attribute}");
    }
    for (attribute, expected) in [
        ("/variants/main/cpu", 256),
        ("/ingress/priority", 7),
        ("/drain_seconds", 300),
    ] {
        assert_eq!(seen.number(attribute), expected, "{attribute}");
    }

    // Nothing was deployed, so there is something to apply, whatever is the same.
    let plan = work.plan();
    assert_eq!(plan.actions(SHOP), ["update"]);
    let told = plan.warnings().join("\n");
    for part in [
        "takes over a service",
        "ecs/models/shop",
        "own health check",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }

    // It is nobody's to delete, to rename or to move.
    let not_ours = ["no apply has taken it over", "removed block"];
    work.try_destroy().failed_with(&not_ours);
    work.config(&same.replace("name          = \"shop\"", "name          = \"other\""));
    work.plan_fails(&["cannot be taken over so", "ecs/models/other"]);
    work.config(&same.replace("priority      = 7", "priority      = 8"));
    work.plan_fails(&["cannot be taken over so", "as the import did"]);
    assert_eq!(theirs.world.everything(), before);

    work.config(&same);
    work.apply();
    assert!(!theirs.services().contains(&"shop".to_owned()));
    work.destroy();
    let mut left: Vec<String> = before;
    left.retain(|one| !one.contains("shop") && one != "rule 7" && !one.starts_with("task "));
    left.push("task definition by-hand-shop:1".to_owned());
    left.sort();
    assert_eq!(theirs.world.everything(), left);
}

#[test]
fn a_service_is_imported_and_taken_over_in_one_apply() {
    let Some(theirs) = Theirs::on_paper("a_service_is_imported_and_taken_over_in_one_apply") else {
        return;
    };
    let made = Made::new("shop", 7);
    theirs.make(&made);
    let mut work = theirs.world.workspace("");
    let block = format!("import {{\n  to = {SHOP}\n  id = \"ecs/models/shop\"\n}}\n");
    work.config(&block);
    work.init();
    let written = [
        "plan",
        "-json",
        "-input=false",
        "-generate-config-out=made.tf",
    ];
    work.run(written).succeeded();
    let made_tf = std::fs::read_to_string(work.path("made.tf")).expect("a configuration");
    assert!(made_tf.contains("/v2/*"), "{made_tf}");
    std::fs::remove_file(work.path("made.tf")).expect("removed");
    let endpoint = theirs.endpoint(&made, "VERSION = \"1\"", AT_ONCE);
    work.config(&format!("{block}{endpoint}"));
    let plan = work.apply();
    assert_eq!(plan.actions(SHOP), ["update"]);
    assert_eq!(theirs.services().len(), 1);

    // What is an endpoint's is imported as that.
    let own = theirs.services().remove(0);
    let mut other = theirs.world.workspace("");
    let address = "mlops_endpoint.own";
    other.config(&format!(
        "import {{\n  to = {address}\n  id = \"ecs/models/{own}\"\n}}\n{}",
        theirs
            .world
            .endpoint("own", &format!("image = \"{}\"", theirs.image), "")
    ));
    other.plan_fails(&["belongs to endpoint shop", "with the id ecs/models/shop,"]);
    work.destroy();
}

#[test]
fn a_service_in_another_region_than_the_registrys_is_taken_over_there() {
    let name = "a_service_in_another_region_than_the_registrys_is_taken_over_there";
    let Some(here) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let before = here.everything();
    let theirs = Theirs::new(here.elsewhere("us-east-1"), here.paper_image("shop"));
    let platform = theirs.world.everything();
    let made = Made::new("shop", 7);
    theirs.make(&made);
    let mut work = here.workspace("");
    work.config(&theirs.endpoint(&made, "VERSION = \"2\"", AT_ONCE));
    work.import(SHOP, "ecs/us-east-1/models/shop");
    assert_eq!(work.state().object(SHOP).text("/region"), "us-east-1");
    let plan = work.apply();
    assert_eq!(plan.actions(SHOP), ["update"]);
    let services = theirs.services();
    assert!(services.len() == 1 && services[0] != "shop", "{services:?}");
    assert_eq!(here.everything(), before);
    work.destroy();
    assert_eq!(here.everything(), before);
    expect_its_definition_alone(&theirs, platform);
}

/// The listener is the endpoint's from then on, and goes with it.
#[test]
fn a_service_that_a_listener_leads_to_by_default_is_taken_over_with_the_listener() {
    let name = "a_service_that_a_listener_leads_to_by_default_is_taken_over_with_the_listener";
    let Some(theirs) = Theirs::on_paper(name) else {
        return;
    };
    let mut made = Made::new("shop", 7);
    let port = free_port();
    made.listener = Some((port, "HTTP"));
    let platform = theirs.world.everything();
    theirs.make(&made);
    let before = theirs.world.everything();
    let arn = theirs.listener_at(port);
    let mut work = theirs.world.workspace("");
    let same = theirs.endpoint(&made, "VERSION = \"1\"", AT_ONCE);
    work.config(&same);
    import(&mut work, "shop");
    let seen = work.state().object(SHOP);
    let balancer = &theirs.world.load_balancer_arn;
    assert_eq!(seen.text("/ingress/load_balancer_arn"), *balancer);
    assert_eq!(seen.number("/ingress/port"), u64::from(port));
    let url = format!("http://{}:{port}", theirs.world.load_balancer);
    assert_eq!(seen.text("/invoke_url"), url);
    assert_eq!(work.plan().actions(SHOP), ["update"]);
    assert_eq!(
        theirs.world.everything(),
        before,
        "an import writes nothing"
    );

    // A version that does not start leaves it to whom it was.
    work.config(&same.replace("VERSION = \"1\"", "EXIT_CODE = \"78\""));
    work.apply_fails(&["was rolled back", "ended with status 78"]);
    assert_eq!(theirs.world.everything(), before);
    assert_eq!(theirs.tags(&arn), 0);

    work.config(&same);
    work.apply();
    work.expect_empty_plan();
    assert_eq!(theirs.listener_at(port), arn, "the listener is the same");
    assert!(!theirs.services().contains(&"shop".to_owned()));
    assert_eq!(work.state().object(SHOP).text("/invoke_url"), url);
    work.config(&same.replace("VERSION = \"1\"", "VERSION = \"2\""));
    assert_eq!(work.apply().actions(SHOP), ["update"]);
    assert_eq!(theirs.listener_at(port), arn);
    work.destroy();
    expect_its_definition_alone(&theirs, platform);
}

#[test]
fn what_no_endpoint_can_say_of_a_service_is_told_at_its_import() {
    let name = "what_no_endpoint_can_say_of_a_service_is_told_at_its_import";
    let Some(theirs) = Theirs::on_paper(name) else {
        return;
    };
    let mut cases: Vec<(Made, Vec<&str>)> = Vec::new();
    let mut add = |name, told: &[&'static str], change: &dyn Fn(&mut Made)| {
        let priority = 10 + u16::try_from(cases.len()).expect("few");
        let mut made = Made::new(name, priority);
        change(&mut made);
        cases.push((made, told.to_vec()));
    };
    add("daemon", &["DAEMON"], &|made| {
        made.service = json!({"schedulingStrategy": "DAEMON"});
    });
    add(
        "deployer",
        &["deployment controller CODE_DEPLOY"],
        &|made| {
            made.service = json!({"deploymentController": {"type": "CODE_DEPLOY"}});
        },
    );
    add("external", &["deployment controller EXTERNAL"], &|made| {
        made.service = json!({"deploymentController": {"type": "EXTERNAL"}});
    });
    add("alone", &["behind no load balancer"], &|made| {
        made.service = json!({"loadBalancers": []});
    });
    add("registered", &["Cloud Map"], &|made| {
        made.service = json!({"serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:eu-west-1:000000000000:service/srv-1"}]});
    });
    add("two", &["2 containers (web, log)"], &|made| {
        made.task = json!({"containerDefinitions": [
            {"name": "web", "image": "example.com/web:1", "portMappings": [{"containerPort": 8080}]},
            {"name": "log", "image": "example.com/log:1"},
        ]});
    });
    add(
        "fancy",
        &[
            "its container web has entryPoint, user",
            "task definition has volumes",
        ],
        &|made| {
            made.container = json!({"entryPoint": ["sh"], "user": "1000"});
            made.task = json!({"volumes": [{"name": "cache"}]});
        },
    );
    add("method", &["the condition http-request-method"], &|made| {
        made.rule = vec![
            ("Conditions.member.1.Field", "http-request-method"),
            ("Conditions.member.1.Values.member.1", ""),
            (
                "Conditions.member.1.HttpRequestMethodConfig.Values.member.1",
                "GET",
            ),
        ];
    });
    add("lenient", &["statuses 200-399"], &|made| {
        made.group = vec![("Matcher.HttpCode", "200-399")];
    });
    add("secure", &["speaks HTTPS", "a rule of its own"], &|made| {
        made.listener = Some((free_port(), "HTTPS"));
    });
    add("shared", &["has 1 rules of others"], &|made| {
        made.listener = Some((free_port(), "HTTP"));
    });
    for (made, _) in &cases {
        theirs.make(made);
    }
    let (made, _) = &cases[cases.len() - 1];
    let (port, _) = made.listener.expect("of a port");
    theirs.world.rule(&theirs.listener_at(port), 1);
    let sticky = Made::new("sticky", 50);
    let group = theirs.make(&sticky);
    let parameters = [
        ("TargetGroupArn", group.as_str()),
        ("Attributes.member.1.Key", "stickiness.enabled"),
        ("Attributes.member.1.Value", "true"),
    ];
    theirs.world.elb("ModifyTargetGroupAttributes", &parameters);
    cases.push((sticky, vec!["stickiness.enabled = true"]));
    cases.push((
        Made::new("nowhere", 51),
        vec!["no service nowhere in cluster models"],
    ));
    let before = theirs.world.everything();

    let mut blocks = String::new();
    for (made, _) in &cases {
        let name = made.name;
        blocks.push_str(&format!(
            "import {{\n  to = mlops_endpoint.{name}\n  id = \"ecs/models/{name}\"\n}}\n{}",
            theirs.endpoint(made, "", "")
        ));
    }
    let lost = "import {\n  to = mlops_endpoint.lost\n  id = \"ecs/elsewhere/lost\"\n}\n";
    let of_lost = theirs.endpoint(&Made::new("lost", 52), "", "");
    let mut work = theirs.world.workspace("");
    work.config(&format!("{blocks}{lost}{of_lost}"));
    let ended = work.try_plan();
    let errors = ended.errors();
    assert_eq!(errors.len(), cases.len() + 1, "{errors:#?}");
    let told = |id: &str, parts: &[&str]| {
        let of_it = errors
            .iter()
            .find(|error| error.contains(&format!("{id:?}")));
        let error = of_it.unwrap_or_else(|| panic!("nothing about {id} in {errors:#?}"));
        for part in parts {
            assert!(error.contains(part), "{id}: {part:?} is not in {error}");
        }
    };
    for (made, parts) in &cases {
        told(&format!("ecs/models/{}", made.name), parts);
    }
    told("ecs/elsewhere/lost", &["no cluster elsewhere"]);
    assert_eq!(
        theirs.world.everything(),
        before,
        "an import writes nothing"
    );
}

#[test]
fn the_policies_in_the_guide_are_what_a_take_over_needs_and_nothing_else() {
    let name = "the_policies_in_the_guide_are_what_a_take_over_needs_and_nothing_else";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    // The repository of the guide.
    let image = world.paper_image("mlops");
    let theirs = Theirs::new(world, image);
    let made = Made::new("shop", 7);
    theirs.make(&made);
    let scaled = json!({"ResourceId": "service/models/shop", "MinCapacity": 1, "MaxCapacity": 3});
    theirs.world.scaling("RegisterScalableTarget", &scaled);
    let before = theirs.world.everything();
    let others = r#"{"Statement": [{"Effect": "Allow", "Action": ["dynamodb:*", "s3:*"], "Resource": "*"}]}"#;
    let (usual, more) = (Policy::in_guide("policy"), Policy::in_guide("take-over"));
    let gate = Gate::before(http::address(&theirs.world.part.url));
    gate.admit(&[&usual, &more, &Policy::read(others)]);
    let mut work = registry::workspace(&gate.url, "");
    let scaling = "autoscaling {\n    min      = 1\n    max      = 3\n    policies = { cpu = { metric = \"cpu\", target = 60 } }\n  }\n  ";
    let endpoint =
        |variables: &str| theirs.endpoint(&made, variables, &format!("{scaling}{AT_ONCE}"));
    work.config(&endpoint("EXIT_CODE = \"78\""));
    import(&mut work, "shop");
    work.apply_fails(&["was rolled back", "ended with status 78"]);
    assert_eq!(theirs.world.everything(), before);
    work.config(&endpoint("VERSION = \"2\""));
    work.apply();
    work.destroy();
    assert_eq!(gate.denied(), Vec::<String>::new());
    let (said, seen) = (more.actions(), gate.allowed());
    let unseen: Vec<_> = said.difference(&seen).collect();
    assert_eq!(
        unseen,
        Vec::<&String>::new(),
        "the guide names actions that nothing needs"
    );
}
