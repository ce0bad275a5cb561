//! What can be wrong with the name of an endpoint on ECS. Forms are those of host names (RFC 1123) and of the Route 53 API reference.

use crate::endpoint::spec::{DnsSpec, EcsSpec, IngressSpec};
use crate::error::Error;
use crate::wildcard;

/// The longest name, so that the one beside it that says whose it is (`_mlops.` and the name) is a name too: those end at 253.
const LONGEST: usize = 246;
/// The longest part between two dots.
const LONGEST_LABEL: usize = 63;
/// The longest id of a hosted zone.
const LONGEST_ZONE: usize = 32;

/// Every problem of the name, if there is one.
pub(super) fn of(ecs: &EcsSpec) -> Vec<Error> {
    let Some(dns) = &ecs.dns else {
        return Vec::new();
    };
    let name = &dns.domain_name;
    let mut problems = Vec::new();
    match problem(name) {
        Some(problem) => problems.push(
            Error::invalid(format!("{name:?} is no name of an endpoint: {problem}"))
                .at("ingress.domain_name"),
        ),
        None => problems.extend(unreached(dns, &ecs.ingress)),
    }
    problems.extend(dns.zone_id.as_deref().filter(|id| !is_zone(id)).map(|id| {
        Error::invalid(format!(
            "{id:?} is not the id of a hosted zone, such as Z0123456789ABCDEFGHIJ"
        ))
        .at("ingress.zone_id")
    }));
    problems
}

fn problem(name: &str) -> Option<String> {
    if !name.is_ascii() {
        return Some("write it in its ASCII form, which begins with xn--".to_owned());
    }
    if name.contains('*') {
        return Some("an endpoint has one name, and no wildcard".to_owned());
    }
    if name.len() > LONGEST {
        return Some(format!(
            "it has {} characters, and {LONGEST} at most leave room for the record that says whose it is",
            name.len()
        ));
    }
    if !name.contains('.') {
        return Some("it needs a domain, as in fraud.example.com".to_owned());
    }
    let wrong = name.split('.').find(|label| !is_label(label))?;
    Some(format!(
        "its part {wrong:?} is not 1 to {LONGEST_LABEL} letters, digits and hyphens with no hyphen at either end"
    ))
}

fn is_label(label: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.chars().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_zone(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    (1..=LONGEST_ZONE).contains(&id.len()) && id.chars().all(plain)
}

/// That requests for the name would not come to the endpoint's rule.
fn unreached(dns: &DnsSpec, ingress: &IngressSpec) -> Option<Error> {
    let IngressSpec::Rule { host_headers, .. } = ingress else {
        return None;
    };
    let name = &dns.domain_name;
    if host_headers.iter().any(|host| matches(host, name)) {
        return None;
    }
    let text = format!(
        "requests for {name} would not come to the endpoint: none of ingress.host_headers is that name or a pattern of it; add it, or leave \
         host_headers out, which makes it the rule's only one"
    );
    Some(Error::invalid(text).at("ingress.host_headers"))
}

/// Whether a host header of a rule is for this name.
fn matches(pattern: &str, name: &str) -> bool {
    wildcard::matches(&pattern.to_ascii_lowercase(), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::spec::SlotChoice;
    use crate::endpoint::validate::tests::{messages, on_ecs};

    fn problems(name: &str, zone: Option<&str>, hosts: &[&str]) -> Vec<(String, String)> {
        let mut ecs: EcsSpec = serde_json::from_value(on_ecs()).expect("a target");
        ecs.dns = Some(DnsSpec::new(name, zone));
        if !hosts.is_empty() {
            ecs.ingress = IngressSpec::Rule {
                listener_arn: "listener".to_owned(),
                priority: SlotChoice::Fixed(7),
                host_headers: hosts.iter().map(|host| (*host).to_owned()).collect(),
                path_patterns: Vec::new(),
            };
        }
        messages(&of(&ecs))
    }

    #[test]
    fn a_name_that_nobody_could_resolve_is_told_with_its_reason() {
        let long = format!("{}.example.com", "a".repeat(64));
        let longer = format!("{}example.com", "abcdefghi.".repeat(24));
        for (name, said) in [
            ("*.example.com", "no wildcard"),
            ("fraud", "it needs a domain"),
            ("fraud..com", "its part \"\""),
            ("-a.example.com", "its part \"-a\""),
            ("a-.example.com", "its part \"a-\""),
            ("fr_aud.example.com", "its part \"fr_aud\""),
            ("fraud.example.com..", "its part \"\""),
            ("https://fraud.example.com", "its part \"https://fraud\""),
            ("fraud.exämple.com", "begins with xn--"),
            (&long, "is not 1 to 63"),
            (&longer, "it has 251 characters"),
        ] {
            let told = problems(name, Some("Z1"), &[]);
            let [(at, text)] = told.as_slice() else {
                panic!("{name}: {told:?}")
            };
            assert_eq!(at, "ingress.domain_name");
            assert!(text.contains(said), "{text}");
        }
        for name in ["Fraud.Example.com.", "a.io", "1.xn--exmple-cua.com"] {
            assert_eq!(problems(name, Some("Z1"), &[]), [], "{name}");
            assert_eq!(problems(name, None, &[]), [], "{name}");
        }
    }

    #[test]
    fn a_zone_is_given_by_its_id() {
        assert_eq!(problems("a.io", Some("/hostedzone/Z0A1"), &[]), []);
        for zone in ["example.com", "", "z1", "Z1?maxitems=1"] {
            let told = problems("a.io", Some(zone), &[]);
            assert_eq!(told.len(), 1, "{zone}: {told:?}");
            assert_eq!(told[0].0, "ingress.zone_id");
        }
    }

    #[test]
    fn a_rule_must_let_requests_for_the_name_in() {
        for hosts in [
            &["other.com", "Fraud.example.com"][..],
            &["*.example.com"],
            &["*"],
            &["frau?.*.com"],
            &["f*d.ex*e.com"],
        ] {
            assert_eq!(problems("fraud.example.com", None, hosts), [], "{hosts:?}");
        }
        for hosts in [
            &["example.com"][..],
            &["*.fraud.example.com"],
            &["frau.example.com"],
            &["fraud?.example.com"],
            &["fraud.example.com?"],
        ] {
            let told = problems("fraud.example.com", None, hosts);
            assert_eq!(told.len(), 1, "{hosts:?}");
            assert_eq!(told[0].0, "ingress.host_headers");
        }
    }
}
