//! Whether tasks find their place in subnets.

use mlops_core::Error;
use mlops_core::target::{Check, Finding};

use super::{Around, Preflight, ec2};
use crate::elb::Balancer;

const ATTRIBUTE: &str = "network.subnets";

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subnet {
    pub(super) id: String,
    pub(super) vpc: String,
    /// How many addresses nobody has.
    pub(super) free: u64,
}

impl Preflight {
    pub(super) async fn look_at_subnets(&self, around: &Around<'_>) -> Vec<Finding> {
        let ids = &around.ecs.network.subnets;
        let starts = around.asked.starts;
        let found = self.find_subnets(ids);
        let (found, balancer) = futures::join!(found, self.balancer(&around.ecs.ingress));
        match found {
            // A load balancer that cannot be read is the business of the check of that name.
            Ok(found) => judge(ids, &found, balancer.ok().as_ref(), starts),
            Err(error) => vec![Finding::possible(
                Check::Subnets,
                error.at("network.subnets"),
            )],
        }
    }

    /// Those of these subnets that exist.
    async fn find_subnets(&self, ids: &[String]) -> Result<Vec<Subnet>, Error> {
        let all_there = |found: &Vec<Subnet>| {
            let mut ids = ids.iter();
            ids.all(|id| found.iter().any(|subnet| subnet.id == *id))
        };
        let ask = ec2::subnets(&self.clients, ids);
        self.subnets.get_good(&ids.join(" "), ask, all_there).await
    }
}

/// What is wrong with the subnets asked for, of which `found` exist. `starts` instances take an address each.
pub(super) fn judge(
    asked: &[String],
    found: &[Subnet],
    balancer: Option<&Balancer>,
    starts: u64,
) -> Vec<Finding> {
    let certain =
        |text: String| Finding::certain(Check::Subnets, Error::invalid(text).at(ATTRIBUTE));
    let mut findings = Vec::new();
    let exists = |id: &&String| found.iter().any(|subnet| subnet.id == **id);
    let missing: Vec<&str> = asked
        .iter()
        .filter(|id| !exists(id))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        let text = format!(
            "there is no subnet {} in this region and account; make it before the apply, or correct {ATTRIBUTE}",
            missing.join(", ")
        );
        let error = Error::invalid(text).at(ATTRIBUTE);
        findings.push(Finding::as_it_is(Check::Subnets, error));
    }
    let Some(first) = found.first() else {
        return findings;
    };
    if let Some(other) = found.iter().find(|subnet| subnet.vpc != first.vpc) {
        findings.push(certain(format!(
            "subnet {} lies in {}, and subnet {} in {}; tasks of a service have one VPC: name subnets of one in {ATTRIBUTE}",
            first.id, first.vpc, other.id, other.vpc
        )));
    } else if let Some(balancer) = balancer.filter(|balancer| balancer.vpc_id != first.vpc) {
        findings.push(certain(format!(
            "subnet {} lies in {}, and load balancer {} in {}; name subnets of the load balancer's VPC in {ATTRIBUTE}, or another load balancer",
            first.id, first.vpc, balancer.arn, balancer.vpc_id
        )));
    }
    let free: u64 = found.iter().map(|subnet| subnet.free).sum();
    if missing.is_empty() && free < starts {
        let each: Vec<String> = found
            .iter()
            .map(|subnet| format!("{}: {}", subnet.id, subnet.free))
            .collect();
        findings.push(certain(format!(
            "the change starts {starts} tasks or more before any other ends, and the subnets have {free} free addresses ({}); name more or larger \
             subnets in {ATTRIBUTE}, or ask for fewer tasks",
            each.join(", ")
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use mlops_core::target::Verdict;

    use super::*;

    fn subnet(id: &str, vpc: &str, free: u64) -> Subnet {
        Subnet {
            id: id.to_owned(),
            vpc: vpc.to_owned(),
            free,
        }
    }

    fn judged(found: &[Subnet], starts: u64) -> Vec<(Verdict, String)> {
        let balancer = Balancer {
            arn: "alb".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            kind: "application".to_owned(),
            state: "active".to_owned(),
            certificate: None,
        };
        let asked = ["a".to_owned(), "b".to_owned()];
        let findings = judge(&asked, found, Some(&balancer), starts).into_iter();
        findings
            .map(|finding| {
                assert_eq!(finding.error.attribute(), Some(ATTRIBUTE));
                (finding.verdict, finding.error.to_string())
            })
            .collect()
    }

    #[test]
    fn subnets_of_the_load_balancers_vpc_with_room_are_good() {
        let found = [subnet("a", "vpc-1", 3), subnet("b", "vpc-1", 1)];
        assert_eq!(judged(&found, 4), []);
    }

    #[test]
    fn each_fault_is_told_with_the_subnets_that_have_it() {
        let a = || subnet("a", "vpc-1", 3);
        let (now, always) = (Verdict::FailsUnlessChanged, Verdict::Fails);
        for (found, verdict, parts) in [
            (vec![], now, ["no subnet a, b", "before the apply"]),
            (vec![a()], now, ["no subnet b", "before the apply"]),
            (
                vec![a(), subnet("b", "vpc-2", 9)],
                always,
                ["a lies in vpc-1", "b in vpc-2"],
            ),
            (
                vec![subnet("a", "vpc-2", 9), subnet("b", "vpc-2", 9)],
                always,
                ["a lies in vpc-2", "load balancer alb in vpc-1"],
            ),
            (
                vec![a(), subnet("b", "vpc-1", 0)],
                always,
                ["starts 4 tasks", "a: 3, b: 0"],
            ),
        ] {
            let told = judged(&found, 4);
            let [(told, text)] = told.as_slice() else {
                panic!("{told:?}")
            };
            assert_eq!(*told, verdict, "{text}");
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }
}
