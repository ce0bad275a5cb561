//! Whether a hosted zone can have the record of an endpoint's name.

use mlops_core::Error;
use mlops_core::endpoint::spec::DnsSpec;
use mlops_core::target::{Check, Finding};

use super::{Around, Preflight};
use crate::route53::{self, Whose, Zone};

const ZONE: &str = "ingress.zone_id";
const NAME: &str = "ingress.domain_name";

impl Preflight {
    pub(super) async fn look_at_dns(&self, around: &Around<'_>) -> Vec<Finding> {
        let Some((name, zone_id)) = around.ecs.dns.as_ref().and_then(DnsSpec::record) else {
            return Vec::new();
        };
        let clients = &self.clients;
        let zone = match self
            .zones
            .find(zone_id, route53::zone(clients, zone_id))
            .await
        {
            Ok(zone) => zone,
            Err(error) => return vec![Finding::possible(Check::Dns, error)],
        };
        // A load balancer that cannot be read is the business of the check of load balancers.
        let balancer = self.balancer(&around.ecs.ingress).await.ok();
        let vpc = balancer.map(|balancer| balancer.vpc_id);
        if let Some(finding) = judge(zone_id, zone.as_ref(), name, vpc.as_deref()) {
            return vec![finding];
        }
        match route53::look(clients, zone_id, name).await {
            Ok(seen) => {
                let whose = seen.map_or(Whose::Nobodys, |seen| seen.whose());
                let own = around.spec.name.as_str();
                taken(zone_id, name, &whose, own).into_iter().collect()
            }
            Err(error) => vec![Finding::possible(Check::Dns, error)],
        }
    }
}

/// What is wrong with the zone of a name whose load balancer is in `vpc`.
fn judge(id: &str, zone: Option<&Zone>, name: &str, vpc: Option<&str>) -> Option<Finding> {
    let Some(zone) = zone else {
        let text = format!(
            "there is no hosted zone {id} in this account; name one in ingress.zone_id, or leave it out if somebody else makes the record of {name}"
        );
        return Some(Finding::as_it_is(Check::Dns, Error::invalid(text).at(ZONE)));
    };
    let is_in = name
        .strip_suffix(&zone.name)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if !is_in {
        let text = format!(
            "hosted zone {id} is for {}, which {name} is not in; choose a name in it, or the zone of {name}",
            zone.name
        );
        return Some(Finding::certain(Check::Dns, Error::invalid(text).at(NAME)));
    }
    let (vpcs, vpc) = (zone.vpcs.as_ref()?, vpc?);
    if vpcs.iter().any(|known| known == vpc) {
        return None;
    }
    let text = format!(
        "hosted zone {id} is private and not for VPC {vpc}, in which the endpoint's load balancer is: nobody there finds {name}; associate the VPC with \
         the zone unless all clients are elsewhere ({})",
        vpcs.join(", ")
    );
    Some(Finding::possible(Check::Dns, Error::invalid(text).at(ZONE)))
}

/// That somebody else has the name, as it is now. Whether an endpoint that is called as this one is this one, the apply finds out.
fn taken(zone_id: &str, name: &str, whose: &Whose, own: &str) -> Option<Finding> {
    let error = match whose {
        Whose::Nobodys => return None,
        Whose::Endpoints(_, endpoint) if endpoint == own => return None,
        Whose::Endpoints(id, endpoint) => Error::conflict(format!(
            "{name} in zone {zone_id} is the name of endpoint {endpoint} ({id}); give that one another name first, or choose another domain_name"
        ))
        .at(NAME),
        Whose::Others(there) => route53::foreign(zone_id, name, there),
    };
    Some(Finding::as_it_is(Check::Dns, error))
}

#[cfg(test)]
mod tests {
    use mlops_core::target::Verdict;
    use uuid::Uuid;

    use super::*;

    fn zone(vpcs: Option<&[&str]>) -> Zone {
        Zone {
            name: "example.com".to_owned(),
            vpcs: vpcs.map(|vpcs| vpcs.iter().map(|vpc| (*vpc).to_owned()).collect()),
        }
    }

    fn told(finding: Option<Finding>) -> Option<(Verdict, String, String)> {
        finding.map(|finding| {
            let at = finding.error.attribute().unwrap_or_default().to_owned();
            (finding.verdict, at, finding.error.to_string())
        })
    }

    #[test]
    fn a_zone_has_names_of_its_domain_only() {
        let public = zone(None);
        for name in ["example.com", "a.example.com", "a.b.example.com"] {
            assert_eq!(told(judge("Z1", Some(&public), name, Some("vpc-1"))), None);
        }
        for name in ["example.org", "badexample.com", "com"] {
            let (verdict, at, text) = told(judge("Z1", Some(&public), name, None)).expect(name);
            assert_eq!((verdict, &*at), (Verdict::Fails, NAME), "{name}");
            assert!(text.contains("is for example.com"), "{text}");
        }
        let (verdict, at, text) = told(judge("Z1", None, "a.io", None)).expect("none");
        assert_eq!((verdict, &*at), (Verdict::FailsUnlessChanged, ZONE));
        assert!(text.contains("no hosted zone Z1"), "{text}");
    }

    #[test]
    fn a_private_zone_is_for_its_vpcs() {
        let private = zone(Some(&["vpc-1", "vpc-2"]));
        let name = "a.example.com";
        assert_eq!(told(judge("Z1", Some(&private), name, Some("vpc-2"))), None);
        assert_eq!(told(judge("Z1", Some(&private), name, None)), None);
        let found = told(judge("Z1", Some(&private), name, Some("vpc-3"))).expect("a warning");
        assert_eq!((found.0, &*found.1), (Verdict::MayFail, ZONE));
        assert!(found.2.contains("vpc-1, vpc-2"), "{}", found.2);
    }

    #[test]
    fn a_name_that_somebody_has_is_told_with_who_it_is() {
        let of = |whose: Whose| told(taken("Z1", "a.io", &whose, "digits"));
        assert_eq!(of(Whose::Nobodys), None);
        let endpoint = |name: &str| Whose::Endpoints(Uuid::nil(), name.to_owned());
        assert_eq!(of(endpoint("digits")), None);
        for (whose, said) in [
            (endpoint("fraud"), "is the name of endpoint fraud"),
            (Whose::Others("A (10.0.0.1)".to_owned()), "A (10.0.0.1)"),
        ] {
            let (verdict, at, text) = of(whose).expect("a finding");
            assert_eq!((verdict, &*at), (Verdict::FailsUnlessChanged, NAME));
            assert!(text.contains(said), "{text}");
        }
    }
}
