//! Endpoints on ECS that clients know by a name: a record in a hosted zone, from its making to its end.

use mlops_acceptance::Workspace;
use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld, endpoint};
use mlops_acceptance::stack::ENDPOINT;
use serde_json::json;

struct World {
    ecs: EcsWorld,
    zone: String,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let ecs = EcsWorld::on_paper_for(test)?;
        let zone = ecs.zone("example.com");
        Some(Self { ecs, zone })
    }

    fn workspace(&self) -> Workspace {
        self.ecs.workspace("")
    }

    /// An endpoint with a listener of its own, and this in its `ingress`.
    fn on_a_listener(&self, more: &str) -> String {
        self.with(&format!("{}\n    {more}", self.ecs.own_listener()))
    }

    fn with(&self, ingress: &str) -> String {
        let runs = format!("image = {:?}", self.ecs.paper_image("own"));
        let blocks = self.ecs.blocks(ingress);
        endpoint("digits", &runs, &format!("{blocks}\n  {AT_ONCE}"))
    }

    fn named(&self, name: &str) -> String {
        let zone = &self.zone;
        self.on_a_listener(&format!("domain_name = {name:?}\n    zone_id = {zone:?}"))
    }

    fn records(&self) -> Vec<String> {
        self.ecs.records(&self.zone)
    }
}

fn mark_and(name: &str) -> [String; 2] {
    [format!("_mlops.{name} TXT"), format!("{name} A")]
}

#[test]
fn a_name_leads_to_its_endpoint_is_changed_in_place_and_goes_with_it() {
    let name = "a_name_leads_to_its_endpoint_is_changed_in_place_and_goes_with_it";
    let Some(world) = World::start(name) else {
        return;
    };
    let before = world.ecs.everything();
    let mut work = world.workspace();
    // However it is written; an apply here ends with a plan, which has to be empty.
    work.config(&world.named("Fraud.Example.com."));
    work.apply();
    assert_eq!(world.records(), mark_and("fraud.example.com"));
    let record = world.ecs.record(&world.zone, "fraud.example.com A");
    assert!(record.contains("<AliasTarget>"), "{record}");
    let leads_to = format!("<DNSName>{}.</DNSName>", world.ecs.load_balancer);
    assert!(record.contains(&leads_to), "{record}");
    let url = work.invoke_url(ENDPOINT);
    let (host, port) = url.rsplit_once(':').expect("a port");
    assert_eq!(host, "http://fraud.example.com");

    // Another name: the same listener and the same tasks.
    let there = world.ecs.everything().len();
    work.config(&world.named("risk.example.com"));
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert_eq!(world.records(), mark_and("risk.example.com"));
    assert_eq!(
        work.invoke_url(ENDPOINT),
        format!("http://risk.example.com:{port}")
    );
    assert_eq!(world.ecs.everything().len(), there);

    // Somebody deletes the record: the next plan shows it, and its apply makes it again.
    let record = world.ecs.record(&world.zone, "risk.example.com A");
    world.ecs.change_record(&world.zone, "DELETE", &record);
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    work.apply();
    assert_eq!(world.records(), mark_and("risk.example.com"));

    // Somebody else makes the record: the name stays, and the endpoint's own record goes.
    work.config(&world.on_a_listener("domain_name = \"risk.example.com\""));
    work.apply();
    assert_eq!(world.records(), [""; 0]);
    assert_eq!(
        work.invoke_url(ENDPOINT),
        format!("http://risk.example.com:{port}")
    );
    work.config(&world.on_a_listener(""));
    work.apply();
    let own = format!("http://{}:{port}", world.ecs.load_balancer);
    assert_eq!(work.invoke_url(ENDPOINT), own);

    work.config(&world.named("fraud.example.com"));
    work.apply();
    assert_eq!(world.records(), mark_and("fraud.example.com"));
    work.destroy();
    assert_eq!(world.ecs.everything(), before);
}

/// A hosted zone is of no region; the load balancer that a record leads to is.
#[test]
fn a_name_leads_to_a_load_balancer_in_another_region_than_the_registrys() {
    let name = "a_name_leads_to_a_load_balancer_in_another_region_than_the_registrys";
    let Some(here) = World::start(name) else {
        return;
    };
    let there = World {
        ecs: here.ecs.elsewhere("us-east-1"),
        zone: here.zone.clone(),
    };
    let before = there.ecs.everything();
    let mut work = here.workspace();
    work.config(&there.named("fraud.example.com"));
    work.apply();
    assert_eq!(there.records(), mark_and("fraud.example.com"));
    let record = there.ecs.record(&there.zone, "fraud.example.com A");
    let leads_to = format!("<DNSName>{}.</DNSName>", there.ecs.load_balancer);
    assert!(record.contains(&leads_to), "{record}");
    assert_ne!(here.ecs.load_balancer, there.ecs.load_balancer);
    work.destroy();
    assert_eq!(there.ecs.everything(), before);
}

#[test]
fn a_rule_lets_in_what_its_name_brings() {
    let name = "a_rule_lets_in_what_its_name_brings";
    let Some(world) = World::start(name) else {
        return;
    };
    let before = world.ecs.everything();
    let listener = world.ecs.listener(8080);
    let rule = |more: &str| {
        let zone = &world.zone;
        world.with(&format!(
            "listener_arn = {listener:?}\n    domain_name = \"fraud.example.com\"\n    zone_id = {zone:?}\n    {more}"
        ))
    };
    let mut work = world.workspace();
    work.config(&rule("host_headers = [\"risk.example.com\"]"));
    work.plan_fails(&[
        "requests for fraud.example.com would not come to the endpoint",
        "host_headers",
    ]);
    work.config(&rule(""));
    work.apply();
    let rules = world
        .ecs
        .elb("DescribeRules", &[("ListenerArn", &listener)]);
    assert!(
        rules.contains("<member>fraud.example.com</member>"),
        "{rules}"
    );
    assert_eq!(work.invoke_url(ENDPOINT), "http://fraud.example.com:8080");
    // Another rule in place of it, for the same name: that moves to it, and nobody finds it gone in between.
    work.config(&rule("host_headers = [\"*.example.com\"]"));
    assert_eq!(work.apply().actions(ENDPOINT), ["update"]);
    assert_eq!(world.records(), mark_and("fraud.example.com"));
    assert_eq!(work.invoke_url(ENDPOINT), "http://fraud.example.com:8080");
    work.destroy();
    let after = world.ecs.everything();
    let left: Vec<_> = after.iter().filter(|one| !before.contains(one)).collect();
    assert_eq!(left, ["listener 8080"]);
}

#[test]
fn a_name_that_cannot_be_is_an_error_that_says_why() {
    let name = "a_name_that_cannot_be_is_an_error_that_says_why";
    let Some(world) = World::start(name) else {
        return;
    };
    let before = world.ecs.everything();
    let mut work = world.workspace();
    let zone = &world.zone;
    for (more, said) in [
        (
            format!("zone_id = {zone:?}"),
            &["zone_id", "domain_name"][..],
        ),
        (
            "domain_name = \"*.example.com\"".to_owned(),
            &["no wildcard", "ingress.domain_name"],
        ),
        (
            "domain_name = \"fraud..example.com\"".to_owned(),
            &["its part \"\"", "ingress.domain_name"],
        ),
        (
            "domain_name = \"fraud.example.com\"\n    zone_id = \"example.com\"".to_owned(),
            &["is not the id of a hosted zone", "ingress.zone_id"],
        ),
        (
            format!("domain_name = \"fraud.example.org\"\n    zone_id = {zone:?}"),
            &["is for example.com, which fraud.example.org is not in"],
        ),
    ] {
        work.config(&world.on_a_listener(&more));
        let said: Vec<&str> = said
            .iter()
            .map(|part| part.trim_start_matches("ingress."))
            .collect();
        work.plan_fails(&said);
    }
    // The zone may be made before the apply; then it is too late.
    work.config(
        &world.on_a_listener("domain_name = \"a.example.com\"\n    zone_id = \"ZNOWHERE\""),
    );
    let told = work.plan().warnings().join("\n");
    assert!(told.contains("there is no hosted zone ZNOWHERE"), "{told}");
    work.apply_fails(&["there is no hosted zone ZNOWHERE", "zone_id"]);
    assert_eq!(world.ecs.everything(), before);

    let theirs = "<ResourceRecordSet><Name>fraud.example.com</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>10.0.0.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>";
    world.ecs.change_record(zone, "CREATE", theirs);
    let with_theirs = world.ecs.everything();
    work.config(&world.named("fraud.example.com"));
    let said = "has a record of fraud.example.com that no endpoint made: A (10.0.0.1)";
    let told = work.plan().warnings().join("\n").replace('\n', " ");
    assert!(told.contains(said), "{told}");
    work.apply_fails(&[said, "choose another domain_name"]);
    assert_eq!(world.ecs.everything(), with_theirs);
    // Nobody looks before: the record is refused itself, and the endpoint is taken back whole.
    let mut blind = world.ecs.workspace("preflight { mode = \"off\" }");
    blind.config(&world.named("fraud.example.com"));
    blind.apply_fails(&["was rolled back", said]);
    assert_eq!(world.ecs.everything(), with_theirs);
    assert_eq!(json!(world.records()), json!(["fraud.example.com A"]));
}
