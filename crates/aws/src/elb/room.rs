//! How much of a load balancer is used, and how much the account may use. It only reads.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use mlops_core::endpoint::spec::{IngressSpec, SlotChoice};
use mlops_core::names::EndpointName;
use mlops_core::{Error, Result};

use super::calls::{Blame, about, run};
use super::slots::{self, Wanted};
use super::{Balancers, pages};

/// So many listeners are asked for their rules at a time.
const AT_ONCE: usize = 4;

/// What the account may have, on one Application Load Balancer where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Listeners.
    pub(crate) listeners: u64,
    /// Rules of all its listeners, without those that every listener ends with.
    pub(crate) rules: u64,
    /// Target groups.
    pub(crate) groups: u64,
    /// Target groups in the region, on whatever load balancer, or none.
    pub(crate) groups_of_all: u64,
}

/// "Quotas for your Application Load Balancers" in its user guide: what an account has that asked for no more.
impl Default for Limits {
    fn default() -> Self {
        Self {
            listeners: 50,
            rules: 100,
            groups: 100,
            groups_of_all: 3000,
        }
    }
}

/// Who has the ports of a load balancer, or the priorities of a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// What is there.
    pub(crate) there: BTreeMap<u16, String>,
    /// What is leased to endpoints of this registry.
    pub(crate) leased: BTreeMap<u16, EndpointName>,
}

impl Balancers {
    /// The account's limits.
    pub(crate) async fn limits(&self) -> Result<Limits> {
        let about = &about("DescribeAccountLimits", "the account", Blame::Nothing);
        let all = pages::all(|marker| async move {
            let sent = run(&self.clients, about, |client| {
                let request = client.describe_account_limits();
                Box::pin(request.set_marker(marker.clone()).send())
            });
            let page = sent.await?;
            Ok((page.limits, page.next_marker))
        });
        let mut limits = Limits::default();
        for limit in all.await? {
            let most = limit.max().and_then(|most| most.parse().ok());
            let (Some(name), Some(most)) = (limit.name(), most) else {
                continue;
            };
            match name {
                "listeners-per-application-load-balancer" => limits.listeners = most,
                "rules-per-application-load-balancer" => limits.rules = most,
                "target-groups-per-application-load-balancer" => limits.groups = most,
                "target-groups" => limits.groups_of_all = most,
                _ => {}
            }
        }
        Ok(limits)
    }

    /// How many listeners a load balancer has.
    pub(crate) async fn count_listeners(&self, arn: &str) -> Result<u64> {
        Ok(count(self.all(&on_balancer(arn)).await?.len()))
    }

    /// How many rules its listeners have, without those that every listener ends with.
    pub(crate) async fn count_rules(&self, arn: &str) -> Result<u64> {
        let listeners = self.all(&on_balancer(arn)).await?;
        let mut rules = 0;
        for some in listeners.chunks(AT_ONCE) {
            let asked = some
                .iter()
                .map(|listener| async { self.all(&on_listener(&listener.arn)).await });
            let counts = try_join_all(asked).await?;
            rules += counts.iter().map(|all| count(all.len())).sum::<u64>();
        }
        Ok(rules)
    }

    /// How many target groups it sends requests to; without a load balancer, how many there are.
    pub(crate) async fn count_groups(&self, arn: Option<&str>) -> Result<u64> {
        let of = arn.map_or_else(
            || "the account".to_owned(),
            |arn| format!("load balancer {arn}"),
        );
        let about = &about("DescribeTargetGroups", of, Blame::Nothing);
        let all = pages::all(|marker| async move {
            let sent = run(&self.clients, about, |client| {
                let request = client.describe_target_groups();
                let request = request.set_load_balancer_arn(arn.map(str::to_owned));
                Box::pin(request.set_marker(marker.clone()).send())
            });
            let page = sent.await?;
            Ok((page.target_groups, page.next_marker))
        });
        Ok(count(all.await?.len()))
    }

    /// Who has the slots of what `ingress` names.
    pub(crate) async fn who_has(&self, ingress: &IngressSpec) -> Result<Taken> {
        let leased = slots::holders(&*self.records, ingress.parent_arn()).await?;
        let leased = leased.into_iter().map(|(slot, owner)| (slot, owner.name));
        Ok(Taken {
            leased: leased.collect(),
            there: self.taken(ingress).await?,
        })
    }
}

/// That `ingress` finds no slot, as the lease would say it, where others have all that would do. What the endpoint `own` has does not count.
pub(crate) fn none_left(
    ingress: &IngressSpec,
    own: &EndpointName,
    taken: &Taken,
) -> std::result::Result<u64, Error> {
    let wanted = Wanted::new(ingress, None, None);
    let range = slots::choice(ingress).range();
    let mut holders = Vec::new();
    let mut free = 0;
    for slot in range.first..=range.last {
        match (taken.leased.get(&slot), taken.there.get(&slot)) {
            (Some(name), _) if name == own => free += 1,
            (Some(name), _) => holders.push((slot, format!("endpoint {:?}", name.as_str()))),
            (None, Some(there)) => holders.push((slot, there.clone())),
            (None, None) => free += 1,
        }
    }
    match free {
        0 => Err(slots::exhausted(&wanted, &holders)),
        free => Ok(free),
    }
}

fn count(length: usize) -> u64 {
    length.try_into().unwrap_or(u64::MAX)
}

fn on_balancer(arn: &str) -> IngressSpec {
    IngressSpec::Listener {
        load_balancer_arn: arn.to_owned(),
        port: SlotChoice::Leased(SlotChoice::PORTS),
    }
}

fn on_listener(arn: &str) -> IngressSpec {
    IngressSpec::Rule {
        listener_arn: arn.to_owned(),
        priority: SlotChoice::Leased(SlotChoice::PRIORITIES),
        host_headers: Vec::new(),
        path_patterns: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::endpoint::spec::PortRange;

    use super::*;

    fn name(name: &str) -> EndpointName {
        EndpointName::new(name).expect("legal")
    }

    fn ingress(port: SlotChoice) -> IngressSpec {
        IngressSpec::Listener {
            load_balancer_arn: "alb".to_owned(),
            port,
        }
    }

    #[test]
    fn a_range_is_used_up_when_others_have_all_of_it() {
        let range = |first, last| ingress(SlotChoice::Leased(PortRange { first, last }));
        let taken = Taken {
            there: [(1, "listener a".to_owned()), (2, "listener b".to_owned())].into(),
            leased: [(2, name("own")), (3, name("other"))].into(),
        };
        let left = |ingress: &IngressSpec| none_left(ingress, &name("own"), &taken);
        assert_eq!(left(&range(1, 5)).expect("room"), 3, "2, 4 and 5");
        assert_eq!(left(&range(1, 2)).expect("its own"), 1);
        let none = left(&range(3, 3)).expect_err("another endpoint's");
        assert_eq!(none.attribute(), Some("ingress.port_range"));
        assert!(
            none.to_string().contains("3 by endpoint \"other\""),
            "{none}"
        );
        let none = left(&ingress(SlotChoice::Fixed(1))).expect_err("a listener's");
        assert_eq!(none.attribute(), Some("ingress.port"));
        assert!(none.to_string().contains("taken by listener a"), "{none}");
    }
}
