//! What is looked at when an endpoint on ECS is planned, and again before an apply writes anything. It only reads.
//!
//! A check is a file here: reading is in `look_at_…`, judging is pure. What is good is asked for once for all endpoints of a run; what is
//! missing, and what could not be read, is asked for again by the next.

mod balancer;
pub(crate) mod ec2;
pub(crate) mod iam;
mod once;
mod roles;
mod subnets;

use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use mlops_core::Error;
use mlops_core::endpoint::spec::{EcsSpec, EndpointSpec, IngressSpec};
use mlops_core::target::{Check, Finding, PreflightAsked};

use self::once::Once;
use self::roles::{Arn, Role};
use self::subnets::Subnet;
use crate::clients::AwsClients;
use crate::elb::{Balancer, Balancers};
use crate::retry::Patience;

/// A plan waits no longer than this for a check; all of them look side by side.
const LIMIT: Duration = Duration::from_secs(10);

/// So that a call which fails says why before the time is up.
const PATIENCE: Patience = Patience {
    total: Duration::from_secs(8),
    unreachable: Duration::from_secs(3),
    attempt: Duration::from_secs(8),
};

/// Looks, for all endpoints of a run.
pub(crate) struct Preflight {
    clients: AwsClients,
    balancers: Balancers,
    roles: Once<Role>,
    subnets: Once<Vec<Subnet>>,
    places: Once<Balancer>,
}

/// What is looked at.
struct Around<'a> {
    ecs: &'a EcsSpec,
    asked: &'a PreflightAsked,
}

impl Preflight {
    /// Calls nothing yet.
    pub(crate) fn new(clients: &AwsClients, balancers: &Balancers) -> Self {
        let clients = clients.hurried(PATIENCE);
        Self {
            balancers: balancers.with(clients.clone()),
            clients,
            roles: Once::default(),
            subnets: Once::default(),
            places: Once::default(),
        }
    }

    /// What is wrong around the endpoint.
    pub(crate) async fn look(
        &self,
        _spec: &EndpointSpec,
        ecs: &EcsSpec,
        asked: &PreflightAsked,
    ) -> Vec<Finding> {
        let around = &Around { ecs, asked };
        let looks = asked
            .checks
            .iter()
            .map(|check| within(LIMIT, *check, self.look_at(*check, around)));
        join_all(looks).await.into_iter().flatten().collect()
    }

    /// One check.
    fn look_at<'a>(&'a self, check: Check, around: &'a Around<'a>) -> BoxFuture<'a, Vec<Finding>> {
        match check {
            Check::Roles => Box::pin(self.look_at_roles(around)),
            Check::Subnets => Box::pin(self.look_at_subnets(around)),
            Check::LoadBalancer => Box::pin(self.look_at_balancer(around)),
        }
    }

    async fn look_at_roles(&self, around: &Around<'_>) -> Vec<Finding> {
        let roles = [
            ("ecs.execution_role_arn", &around.ecs.execution_role_arn),
            ("ecs.task_role_arn", &around.ecs.task_role_arn),
        ];
        let looks = roles.map(|(attribute, arn)| async move {
            match self.role(arn).await {
                Ok(None) => Ok(None),
                Ok(Some((arn, found))) => Ok(roles::judge(&arn, found.as_ref(), attribute)),
                Err(error) => Err(Finding::possible(Check::Roles, error.at(attribute))),
            }
        });
        let looked = join_all(looks).await;
        once_unseen(looked)
    }

    /// The role of an ARN, if it is there; `None` if it is another account's, of which nothing can be asked.
    async fn role(&self, arn: &str) -> Result<Option<(Arn, Option<Role>)>, Error> {
        let Some(arn) = Arn::read(arn) else {
            return Ok(None);
        };
        let account = self.clients.account_id().await?;
        if account.is_some_and(|account| account != arn.account) {
            return Ok(None);
        }
        let found = iam::role(&self.clients, &arn.name);
        let found = self.roles.find(&arn.text, found).await?;
        let is_foreign = found
            .as_ref()
            .and_then(|found| Arn::read(&found.arn))
            .is_some_and(|found| found.account != arn.account);
        Ok((!is_foreign).then_some((arn, found)))
    }

    async fn look_at_subnets(&self, around: &Around<'_>) -> Vec<Finding> {
        let ids = &around.ecs.network.subnets;
        let starts = around.asked.starts;
        let found = self.find_subnets(ids);
        let (found, balancer) = futures::join!(found, self.balancer(&around.ecs.ingress));
        match found {
            // A load balancer that cannot be read is the business of the check of that name.
            Ok(found) => subnets::judge(ids, &found, balancer.ok().as_ref(), starts),
            Err(error) => vec![Finding::possible(
                Check::Subnets,
                error.at("network.subnets"),
            )],
        }
    }

    /// Those of these subnets that exist.
    async fn find_subnets(&self, ids: &[String]) -> Result<Vec<Subnet>, Error> {
        let key = ids.join(" ");
        let mut some = Vec::new();
        let all = async {
            let found = ec2::subnets(&self.clients, ids).await?;
            if ids
                .iter()
                .all(|id| found.iter().any(|subnet| subnet.id == *id))
            {
                return Ok(Some(found));
            }
            some = found;
            Ok(None)
        };
        let all = self.subnets.find(&key, all).await?;
        Ok(all.unwrap_or(some))
    }

    async fn look_at_balancer(&self, around: &Around<'_>) -> Vec<Finding> {
        let ingress = &around.ecs.ingress;
        match self.balancer(ingress).await {
            Ok(found) => balancer::judge(ingress, &found).into_iter().collect(),
            Err(error) => vec![balancer::unseen(error)],
        }
    }

    async fn balancer(&self, ingress: &IngressSpec) -> Result<Balancer, Error> {
        let found = self.balancers.of_ingress(ingress);
        self.places.get(crate::elb::parent(ingress), found).await
    }
}

/// What was found; that something could not be seen is told once, whatever it was.
fn once_unseen(looked: Vec<Result<Option<Finding>, Finding>>) -> Vec<Finding> {
    let (found, unseen): (Vec<_>, Vec<_>) = looked.into_iter().partition(Result::is_ok);
    let unseen = unseen.into_iter().filter_map(Result::err);
    let found = found.into_iter().filter_map(Result::ok).flatten();
    found.chain(unseen.take(1)).collect()
}

/// What a check found, or that it took too long.
async fn within(
    limit: Duration,
    check: Check,
    look: impl Future<Output = Vec<Finding>>,
) -> Vec<Finding> {
    match tokio::time::timeout(limit, look).await {
        Ok(found) => found,
        Err(_) => {
            let text = format!(
                "nobody answered the check {check} within {} seconds; check region, endpoints, proxy and network",
                limit.as_secs()
            );
            vec![Finding::possible(check, Error::unavailable(text))]
        }
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::target::Verdict;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_longer_than_the_limit() {
        let found = within(Duration::ZERO, Check::Roles, std::future::pending()).await;
        let [finding] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            (finding.check, finding.verdict),
            (Check::Roles, Verdict::MayFail)
        );
        let text = finding.error.to_string();
        assert!(text.contains("nobody answered the check roles"), "{text}");
    }
}
