//! The check `certificate`.

use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::http;
use mlops_acceptance::iam::Gate;
use mlops_acceptance::part::registry;

use super::{endpoint, looks, provider, warnings};

/// The end of a certificate that is good.
const LATER: &str = "2100-01-01T00:00:00Z";
/// The end of one that is not.
const EARLIER: &str = "2020-01-01T00:00:00Z";

/// An endpoint with a rule on this listener, for these hosts.
fn on_a_rule(world: &EcsWorld, listener: &str, hosts: &[&str]) -> String {
    let hosts = match hosts {
        [] => "path_patterns = [\"/v2/*\"]".to_owned(),
        hosts => format!("host_headers = {hosts:?}"),
    };
    let ingress = format!("listener_arn = {listener:?}\n    {hosts}");
    let text = endpoint(world, "").replace(&world.own_listener(), &ingress);
    assert!(text.contains(&ingress), "{text}");
    text
}

#[test]
fn a_certificate_that_clients_refuse_is_told_at_plan() {
    let name = "a_certificate_that_clients_refuse_is_told_at_plan";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let good = world.certificate(&["*.example.com"], "ISSUED", LATER);
    let listener = world.https_listener(8443, &good);
    let mut work = world.workspace(&provider(&world, ""));
    for hosts in [&["digits.example.com"][..], &["*.other.com"], &[]] {
        work.config(&on_a_rule(&world, &listener, hosts));
        assert_eq!(warnings(&mut work), "", "{hosts:?}");
    }
    work.config(&on_a_rule(&world, &listener, &["digits.other.com"]));
    let told = warnings(&mut work);
    for said in [
        "has no certificate for digits.other.com",
        "ingress.host_headers",
        "skip = [\"certificate\"]",
    ] {
        assert!(told.contains(said), "{said} is not in {told}");
    }
    let other = world.certificate(&["digits.other.com"], "ISSUED", LATER);
    world.add_certificate(&listener, &other);
    assert_eq!(warnings(&mut work), "");

    let old = world.certificate(&["digits.example.com"], "EXPIRED", EARLIER);
    let listener = world.https_listener(8444, &old);
    let before = world.everything();
    work.config(&on_a_rule(&world, &listener, &["digits.example.com"]));
    let said = [
        old.as_str(),
        "expired at 2020-01-01T00:00:00Z",
        "listener_arn",
        "skip = [\"certificate\"]",
    ];
    work.plan_fails(&said);
    // The apply alone looks.
    work.env("MLOPS_PREFLIGHT_MODE", "off");
    let failed = work.apply_fails(&said[..2]);
    assert!(!failed.errors().concat().contains("rolled back"));
    assert_eq!(world.everything(), before);
    let mut skipped = world.workspace(&provider(&world, "preflight { skip = [\"certificate\"] }"));
    skipped.config(&on_a_rule(&world, &listener, &["digits.example.com"]));
    assert_eq!(warnings(&mut skipped), "", "it is left out");
    // The load balancer shows the one that is good.
    world.add_certificate(&listener, &good);
    let mut work = world.workspace(&provider(&world, ""));
    work.config(&on_a_rule(&world, &listener, &["digits.example.com"]));
    assert_eq!(warnings(&mut work), "");
}

#[test]
fn a_certificate_that_is_kept_in_iam_is_looked_at_too() {
    let name = "a_certificate_that_is_kept_in_iam_is_looked_at_too";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let hosts = &["digits.example.com"];
    let mut work = world.workspace(&provider(&world, ""));
    let good = world.certificate_in_iam("good", LATER);
    let listener = world.https_listener(8443, &good);
    work.config(&on_a_rule(&world, &listener, hosts));
    assert_eq!(warnings(&mut work), "", "it may be for any host");
    let old = world.certificate_in_iam("old", EARLIER);
    let listener = world.https_listener(8444, &old);
    work.config(&on_a_rule(&world, &listener, hosts));
    let said = [
        old.as_str(),
        "server-certificate/old",
        "expired at 2020-01-01T00:00:00Z",
    ];
    work.plan_fails(&said);
    world.add_certificate(&listener, &good);
    assert_eq!(warnings(&mut work), "", "the good one is shown");
}

#[test]
fn a_certificate_that_may_not_be_looked_at_is_one_warning() {
    let name = "a_certificate_that_may_not_be_looked_at_is_one_warning";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let good = world.certificate(&["digits.example.com"], "ISSUED", LATER);
    let listener = world.https_listener(8443, &good);
    world.add_certificate(&listener, &world.certificate_in_iam("other", LATER));
    let gate = Gate::before(http::address(&world.part.url));
    for (action, call) in [
        (
            "iam:GetServerCertificate",
            "IAM GetServerCertificate on certificate other",
        ),
        (
            "acm:DescribeCertificate",
            "ACM DescribeCertificate on certificate",
        ),
        (
            "elasticloadbalancing:DescribeListenerCertificates",
            "DescribeListenerCertificates on listener",
        ),
    ] {
        gate.admit(&[&looks().without(action)]);
        let mut work = registry::workspace(&gate.url, &provider(&world, ""));
        work.config(&on_a_rule(&world, &listener, &["digits.example.com"]));
        let plan = work.plan();
        let told = plan.warnings();
        assert_eq!(told.len(), 1, "{told:?}");
        for said in [call, action, "listener_arn"] {
            assert!(told[0].contains(said), "{said} is not in {told:?}");
        }
    }
}
