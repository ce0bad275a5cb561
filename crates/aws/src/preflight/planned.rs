//! What the endpoints of one run add to load balancers and clusters: each of them is planned by itself, and all of them have to find room.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mlops_core::endpoint::spec::{IngressSpec, SlotChoice};
use mlops_core::names::EndpointName;
use mlops_core::target::{FrontChange, PreflightAsked};

/// What an endpoint that is planned will add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Adds {
    slots: Option<SlotChoice>,
    /// Beside what is there now, when all is done.
    groups: u64,
}

/// What endpoints add, by what their slots are of and by endpoint.
type ByEndpoint = BTreeMap<(String, EndpointName), Adds>;

/// What the endpoints of this run add, by whether they add rules, and by load balancer.
#[derive(Debug, Default)]
pub(super) struct Planned(Mutex<BTreeMap<(bool, String), ByEndpoint>>);

/// What the others of this run add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// On the load balancer.
    pub(super) fronts: u64,
    pub(super) groups: u64,
    /// On all load balancers.
    pub(super) groups_of_all: u64,
    /// On the same listener, or load balancer.
    pub(super) slots: Vec<SlotChoice>,
}

impl Planned {
    /// Notes what this endpoint adds to `balancer`, and tells what the others add.
    pub(super) fn note(
        &self,
        balancer: &str,
        ingress: &IngressSpec,
        own: &EndpointName,
        asked: &PreflightAsked,
    ) -> Others {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (is_rule(ingress), balancer.to_owned());
        let same = (ingress.parent_arn().to_owned(), own.clone());
        let makes_front = makes_front(asked);
        let adds = Adds {
            slots: makes_front.then(|| choice(ingress)),
            groups: match makes_front {
                true => asked.revisions,
                // Each of them goes for one that is there.
                false => 0,
            },
        };
        all.entry(place.clone())
            .or_default()
            .insert(same.clone(), adds);
        let groups = all.iter().filter(|((_, on), _)| on == balancer);
        let groups = groups
            .flat_map(|(_, all)| all)
            .filter(|(of, _)| **of != same);
        let groups = groups.map(|(_, adds)| adds.groups).sum();
        let of_all = all.values().flatten().filter(|(of, _)| **of != same);
        let groups_of_all = of_all.map(|(_, adds)| adds.groups).sum();
        let others = all.get(&place).into_iter().flatten();
        let others: Vec<_> = others
            .filter(|(of, adds)| **of != same && adds.slots.is_some())
            .collect();
        Others {
            groups,
            groups_of_all,
            fronts: others.len().try_into().unwrap_or(u64::MAX),
            slots: others
                .iter()
                .filter(|((parent, _), _)| *parent == same.0)
                .filter_map(|(_, adds)| adds.slots)
                .collect(),
        }
    }
}

/// How many services the endpoints of this run add, by cluster.
#[derive(Debug, Default)]
pub(super) struct PlannedServices(Mutex<BTreeMap<String, BTreeMap<EndpointName, u64>>>);

impl PlannedServices {
    /// Notes how many this endpoint adds to `cluster`, and tells how many the others do.
    pub(super) fn note(&self, cluster: &str, own: &EndpointName, adds: u64) -> u64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = all.entry(cluster.to_owned()).or_default();
        there.insert(own.clone(), adds);
        let others = there.iter().filter(|(name, _)| *name != own);
        others.map(|(_, adds)| adds).sum()
    }
}

/// Whether the change makes a listener or a rule.
pub(super) fn makes_front(asked: &PreflightAsked) -> bool {
    matches!(asked.front, FrontChange::First | FrontChange::Another)
}

pub(super) fn is_rule(ingress: &IngressSpec) -> bool {
    matches!(ingress, IngressSpec::Rule { .. })
}

pub(super) fn choice(ingress: &IngressSpec) -> SlotChoice {
    match ingress {
        IngressSpec::Listener { port, .. } => *port,
        IngressSpec::Rule { priority, .. } => *priority,
    }
}

#[cfg(test)]
mod tests {

    use super::super::fixtures::{asked, listener, name, rule};
    use super::*;

    #[test]
    fn what_a_run_adds_is_counted_once_for_each_endpoint() {
        let planned = Planned::default();
        let first = asked(FrontChange::First, 2);
        let port = listener(SlotChoice::Leased(SlotChoice::PORTS));
        let note = |ingress: &IngressSpec, own: &str, asked: &PreflightAsked| {
            planned.note("alb", ingress, &name(own), asked)
        };
        assert_eq!(note(&port, "a", &first), Others::default());
        assert_eq!(note(&port, "a", &first), Others::default(), "it is itself");
        let b = note(&port, "b", &first);
        assert_eq!((b.fronts, b.groups, b.slots.len()), (1, 2, 1));
        // A rule is no listener, and both have target groups.
        let c = note(&rule("l"), "c", &first);
        assert_eq!((c.fronts, c.groups, c.slots.len()), (0, 4, 0));
        let d = note(&rule("m"), "d", &asked(FrontChange::Keep, 2));
        assert_eq!((d.fronts, d.groups, d.slots.len()), (1, 6, 0));
        let e = note(&port, "e", &first);
        assert_eq!(
            (e.fronts, e.groups, e.groups_of_all),
            (2, 6, 6),
            "a rollout adds nothing for good"
        );
        let elsewhere = planned.note("other", &port, &name("f"), &first);
        assert_eq!((elsewhere.groups, elsewhere.groups_of_all), (0, 8));
    }

    #[test]
    fn services_are_counted_by_cluster_and_once_for_each_endpoint() {
        let planned = PlannedServices::default();
        let note = |cluster, own, adds| planned.note(cluster, &name(own), adds);
        assert_eq!(note("models", "a", 2), 0);
        assert_eq!(note("models", "b", 1), 2);
        assert_eq!(note("other", "c", 1), 0);
        assert_eq!(note("models", "a", 0), 1);
        assert_eq!(note("models", "b", 1), 0);
    }
}
