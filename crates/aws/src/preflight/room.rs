//! Whether a load balancer has room for what an endpoint adds: a port or a priority, a listener or a rule, target groups.

use mlops_core::Error;
use mlops_core::endpoint::spec::{IngressSpec, SlotChoice};
use mlops_core::names::EndpointName;
use mlops_core::target::{Check, Finding, FrontChange, PreflightAsked};

use super::planned::{Others, choice, is_rule, makes_front};
use super::{Around, Preflight};
use crate::elb::room::{Limits, Taken, none_left};

/// What is on a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used {
    /// Listeners or rules, as the ingress makes the one or the other.
    pub(super) fronts: u64,
    pub(super) groups: u64,
    /// Those of all load balancers in the region, and of none.
    pub(super) groups_of_all: u64,
    pub(super) taken: Taken,
}

/// What is known when an endpoint is judged.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) balancer: &'a str,
    pub(super) used: Used,
    pub(super) others: Others,
    /// AWS's own, where the account's could not be read.
    pub(super) limits: Limits,
    /// Whether they are the account's.
    pub(super) is_known: bool,
}

impl Preflight {
    /// What of a load balancer is used up.
    pub(super) async fn room(&self, arn: &str, around: &Around<'_>) -> Result<Vec<Finding>, Error> {
        let (ingress, asked) = (&around.ecs.ingress, around.asked);
        if !is_needed(asked) {
            return Ok(Vec::new());
        }
        let fronts = async {
            match ingress {
                IngressSpec::Listener { .. } => {
                    let count = self.balancers.count_listeners(arn);
                    self.listeners.get(arn, count).await
                }
                IngressSpec::Rule { .. } => {
                    let count = self.balancers.count_rules(arn);
                    self.rules.get(arn, count).await
                }
            }
        };
        let groups = self.balancers.count_groups(Some(arn));
        let groups = self.groups.get(arn, groups);
        let of_all = self.groups.get("", self.balancers.count_groups(None));
        let taken = self.balancers.who_has(ingress);
        let taken = self.taken.get(ingress.parent_arn(), taken);
        let limits = self.limits.get("", self.balancers.limits());
        let (fronts, groups, of_all, taken, limits) =
            futures::join!(fronts, groups, of_all, taken, limits);
        let used = Used {
            fronts: fronts?,
            groups: groups?,
            groups_of_all: of_all?,
            taken: taken?,
        };
        let own = &around.spec.name;
        let seen = Seen {
            balancer: arn,
            others: self.planned.note(arn, ingress, own, asked),
            used,
            is_known: limits.is_ok(),
            limits: limits.unwrap_or_default(),
        };
        Ok(judge(&seen, ingress, own, asked))
    }
}

/// Whether the change adds anything to a load balancer.
pub(super) fn is_needed(asked: &PreflightAsked) -> bool {
    asked.front != FrontChange::Unsettled && (makes_front(asked) || asked.revisions > 0)
}

/// What of the load balancer is used up.
pub(super) fn judge(
    seen: &Seen<'_>,
    ingress: &IngressSpec,
    own: &EndpointName,
    asked: &PreflightAsked,
) -> Vec<Finding> {
    let Seen {
        balancer,
        used,
        others,
        limits,
        is_known,
    } = seen;
    let is_known = *is_known;
    let (word, attribute, most) = match is_rule(ingress) {
        false => ("listeners", "ingress.load_balancer_arn", limits.listeners),
        true => ("rules", "ingress.listener_arn", limits.rules),
    };
    let mut findings = Vec::new();
    if makes_front(asked) {
        findings.extend(slot(ingress, own, used, others).err());
    }
    let of_one = format!("load balancer {balancer}");
    let mut count = |whole: &str, word: &str, there: u64, planned: u64, adds: u64, most: u64| {
        if adds == 0 || there + planned + adds <= most {
            return;
        }
        let besides = match planned {
            0 => String::new(),
            more => format!(", other endpoints of this run add {more}"),
        };
        let whose = match is_known {
            true => "the account may have",
            false => {
                "the account's limit could not be read (elasticloadbalancing:DescribeAccountLimits), and AWS's own is"
            }
        };
        let text = format!(
            "{whole} has {there} {word}{besides}, this endpoint needs {adds} more, and {whose} {most}; ask AWS for a higher quota, \
             destroy an endpoint that is not needed, or name another one in {attribute}"
        );
        let error = Error::invalid(text).at(attribute);
        findings.push(match is_known {
            true => Finding::certain(Check::LoadBalancer, error),
            false => Finding::possible(Check::LoadBalancer, error),
        });
    };
    if makes_front(asked) {
        // What is replaced goes first, unless it is to serve until then.
        let leaves = match asked.front {
            FrontChange::First => used
                .taken
                .leased
                .values()
                .filter(|name| *name == own)
                .count(),
            _ => 0,
        };
        let there = used
            .fronts
            .saturating_sub(leaves.try_into().unwrap_or(u64::MAX));
        count(&of_one, word, there, others.fronts, 1, most);
    }
    if asked.front != FrontChange::Unsettled {
        count(
            &of_one,
            "target groups",
            used.groups,
            others.groups,
            asked.revisions,
            limits.groups,
        );
        count(
            "the account",
            "target groups in this region",
            used.groups_of_all,
            others.groups_of_all,
            asked.revisions,
            limits.groups_of_all,
        );
    }
    findings
}

/// Whether a port or a priority is left.
fn slot(
    ingress: &IngressSpec,
    own: &EndpointName,
    used: &Used,
    others: &Others,
) -> Result<(), Finding> {
    let certain = |error| Finding::certain(Check::LoadBalancer, error);
    let left = none_left(ingress, own, &used.taken).map_err(certain)?;
    // Of those whose ranges overlap in part nobody knows which slot they take.
    let same = others
        .slots
        .iter()
        .filter(|slots| **slots == choice(ingress));
    let same: u64 = same.count().try_into().unwrap_or(u64::MAX);
    if same < left {
        return Ok(());
    }
    let (word, parent) = (
        match is_rule(ingress) {
            false => "port",
            true => "priority",
        },
        ingress.parent_arn(),
    );
    let (attribute, text) = match choice(ingress) {
        SlotChoice::Fixed(slot) => (
            format!("ingress.{word}"),
            format!(
                "another endpoint of this run asks for {word} {slot} of {parent} as well; choose another ingress.{word}, or give an ingress.{word}_range"
            ),
        ),
        SlotChoice::Leased(range) => (
            format!("ingress.{word}_range"),
            format!(
                "of {range} of {parent} {left} are left, and {same} other endpoints of this run ask for one too; widen ingress.{word}_range"
            ),
        ),
    };
    Err(certain(Error::conflict(text).at(attribute)))
}

#[cfg(test)]
mod tests {
    use mlops_core::endpoint::spec::PortRange;
    use mlops_core::target::Verdict;

    use super::super::fixtures::{asked, listener, name, rule};
    use super::*;

    fn used(fronts: u64, groups: u64) -> Used {
        Used {
            fronts,
            groups,
            groups_of_all: groups,
            taken: Taken {
                there: [(80, "listener a".to_owned())].into(),
                leased: [(81, name("own"))].into(),
            },
        }
    }

    fn told(
        ingress: &IngressSpec,
        asked: &PreflightAsked,
        used: &Used,
        others: &Others,
        is_known: bool,
    ) -> Vec<(Verdict, String)> {
        let seen = Seen {
            balancer: "alb",
            used: used.clone(),
            others: others.clone(),
            limits: Limits::default(),
            is_known,
        };
        let told = judge(&seen, ingress, &name("own"), asked).into_iter();
        told.map(|finding| {
            let at = finding.error.attribute().expect("an attribute");
            (finding.verdict, format!("{at}: {}", finding.error))
        })
        .collect()
    }

    #[test]
    fn what_is_used_up_is_told_with_its_numbers() {
        let leased = listener(SlotChoice::Leased(SlotChoice::PORTS));
        let none = Others::default();
        let (first, another, keep) = (
            asked(FrontChange::First, 2),
            asked(FrontChange::Another, 2),
            asked(FrontChange::Keep, 2),
        );
        let others = Others {
            fronts: 3,
            groups: 4,
            groups_of_all: 5,
            slots: Vec::new(),
        };
        for (ingress, asked, used, others, said) in [
            (&leased, &first, used(49, 98), &none, vec![]),
            // Its own goes first.
            (&leased, &first, used(50, 98), &none, vec![]),
            (
                &leased,
                &another,
                used(50, 98),
                &none,
                vec![
                    "ingress.load_balancer_arn: load balancer alb has 50 listeners, this endpoint needs 1 more, and the account may have 50",
                ],
            ),
            (
                &leased,
                &first,
                used(48, 95),
                &others,
                vec![
                    "has 47 listeners, other endpoints of this run add 3, this endpoint needs 1 more, and the account may have 50",
                    "has 95 target groups, other endpoints of this run add 4, this endpoint needs 2 more, and the account may have 100",
                ],
            ),
            (&rule("l"), &another, used(99, 10), &none, vec![]),
            (
                &rule("l"),
                &another,
                used(100, 10),
                &none,
                vec!["ingress.listener_arn: load balancer alb has 100 rules, this"],
            ),
            (&rule("l"), &keep, used(500, 98), &none, vec![]),
            // A rollout needs room for its target groups alone.
            (&leased, &keep, used(500, 98), &none, vec![]),
            (
                &leased,
                &keep,
                used(10, 99),
                &none,
                vec!["has 99 target groups, this endpoint needs 2 more"],
            ),
            (&leased, &asked_nothing(), used(500, 500), &none, vec![]),
        ] {
            let told = told(ingress, asked, &used, others, true);
            assert_eq!(told.len(), said.len(), "{told:?}");
            for said in &said {
                let found = told
                    .iter()
                    .any(|(verdict, text)| *verdict == Verdict::Fails && text.contains(said));
                assert!(found, "{said} is not in {told:?}");
            }
        }
        let many = Used {
            groups_of_all: 2994,
            ..used(1, 1)
        };
        let full = told(&leased, &first, &many, &others, true);
        assert_eq!(full.len(), 1, "{full:?}");
        assert!(
            full[0].1.contains("the account has 2994 target groups in this region, other endpoints of this run add 5, this endpoint needs 2 more, and the account may have 3000"),
            "{full:?}"
        );
        let told = told(&leased, &another, &used(50, 0), &none, false);
        assert_eq!(told[0].0, Verdict::MayFail);
        assert!(told[0].1.contains("DescribeAccountLimits"), "{told:?}");
    }

    /// An earlier deployment is open: what it left is dealt with first.
    fn asked_nothing() -> PreflightAsked {
        asked(FrontChange::Unsettled, 2)
    }

    #[test]
    fn a_slot_that_somebody_has_or_that_another_endpoint_of_the_run_asks_for_is_none() {
        let first = asked(FrontChange::First, 1);
        let range = SlotChoice::Leased(PortRange {
            first: 80,
            last: 82,
        });
        let others = |count| Others {
            slots: vec![range; count],
            ..Others::default()
        };
        let judged = |choice, others: &Others| {
            let told = told(&listener(choice), &first, &used(1, 1), others, true);
            told.into_iter().map(|(_, text)| text).collect::<String>()
        };
        let none = Others::default();
        assert_eq!(judged(SlotChoice::Fixed(81), &none), "", "its own");
        assert!(
            judged(SlotChoice::Fixed(80), &none)
                .starts_with("ingress.port: port 80 of alb is taken by listener a")
        );
        assert_eq!(judged(range, &others(1)), "");
        let full = judged(range, &others(2));
        assert!(
            full.starts_with("ingress.port_range: of 80-82 of alb 2 are left, and 2 other"),
            "{full}"
        );
        let same = Others {
            slots: vec![SlotChoice::Fixed(90)],
            ..Others::default()
        };
        let twice = judged(SlotChoice::Fixed(90), &same);
        assert!(
            twice.contains("another endpoint of this run asks for port 90"),
            "{twice}"
        );
    }
}
