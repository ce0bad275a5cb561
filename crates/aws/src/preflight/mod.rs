//! What is looked at when an endpoint on ECS is planned, and again before an apply writes anything. It only reads.
//!
//! A check is a file here: reading is in `look_at_…`, judging is pure. What is good is asked for once for all endpoints of a run; what is
//! missing, and what could not be read, is asked for again by the next.

mod balancer;
mod cluster;
pub(crate) mod ec2;
pub(crate) mod iam;
mod images;
mod lifetime;
mod permissions;
mod roles;
mod room;
mod simulate;
mod subnets;

use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use mlops_core::endpoint::spec::{EcsSpec, EndpointSpec, IngressSpec};
use mlops_core::target::{Check, Finding, PreflightAsked};
use mlops_core::{Class, Error};

use tokio::sync::Semaphore;

use self::permissions::{Need, Place};
use self::roles::{Arn, Role};
use self::room::{Planned, Seen, Used};
use self::simulate::Decision;
use self::subnets::Subnet;
use crate::clients::AwsClients;
use crate::ecs::EcsTargetSettings;
use crate::ecs::clusters::{self, Found};
use crate::elb::room::{Limits, Taken};
use crate::elb::{Balancer, Balancers};
use crate::images::Registries;
use crate::once::Once;
use crate::retry::Patience;

/// A plan waits no longer than this for a check; all of them look side by side.
const LIMIT: Duration = Duration::from_secs(10);

/// So that a call which fails says why before the time is up.
const PATIENCE: Patience = Patience {
    total: Duration::from_secs(8),
    unreachable: Duration::from_secs(3),
    attempt: Duration::from_secs(8),
};

/// So many simulations run at a time: IAM is one for all regions, and asks for less soon.
const SIMULATIONS: usize = 4;

/// In place of a bucket's name that a plan does not know yet; no bucket has such a name.
const NO_BUCKET: &str = "not-known-before-apply";

/// Looks, for all endpoints of a run.
pub(crate) struct Preflight {
    clients: AwsClients,
    balancers: Balancers,
    bucket: String,
    prefix: String,
    roles: Once<Role>,
    permissions: Once<Option<Vec<(&'static str, Decision)>>>,
    simulations: Semaphore,
    clusters: Once<Found>,
    subnets: Once<Vec<Subnet>>,
    places: Once<Balancer>,
    limits: Once<Limits>,
    listeners: Once<u64>,
    rules: Once<u64>,
    groups: Once<u64>,
    taken: Once<Taken>,
    planned: Planned,
    registries: Registries,
}

/// What is looked at.
struct Around<'a> {
    spec: &'a EndpointSpec,
    ecs: &'a EcsSpec,
    asked: &'a PreflightAsked,
}

impl Preflight {
    /// Calls nothing yet.
    pub(crate) fn new(
        clients: &AwsClients,
        balancers: &Balancers,
        settings: &EcsTargetSettings,
    ) -> Self {
        let clients = clients.hurried(PATIENCE);
        Self {
            balancers: balancers.with(clients.clone()),
            registries: Registries::with_clients(clients.clone()),
            clients,
            bucket: settings.bucket.clone(),
            prefix: settings.prefix.clone(),
            roles: Once::default(),
            permissions: Once::default(),
            simulations: Semaphore::new(SIMULATIONS),
            clusters: Once::default(),
            subnets: Once::default(),
            places: Once::default(),
            limits: Once::default(),
            listeners: Once::default(),
            rules: Once::default(),
            groups: Once::default(),
            taken: Once::default(),
            planned: Planned::default(),
        }
    }

    /// What is wrong around the endpoint.
    pub(crate) async fn look(
        &self,
        spec: &EndpointSpec,
        ecs: &EcsSpec,
        asked: &PreflightAsked,
    ) -> Vec<Finding> {
        let around = &Around { spec, ecs, asked };
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
            Check::Permissions => Box::pin(self.look_at_permissions(around)),
            Check::Cluster => Box::pin(self.look_at_cluster(around)),
            Check::Subnets => Box::pin(self.look_at_subnets(around)),
            Check::Images => Box::pin(images::look(&self.registries, around.spec, around.ecs)),
            Check::LoadBalancer => Box::pin(self.look_at_balancer(around)),
            Check::Credentials => Box::pin(async { self.look_at_credentials(around) }),
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

    async fn look_at_permissions(&self, around: &Around<'_>) -> Vec<Finding> {
        let possible = |error| vec![Finding::possible(Check::Permissions, error)];
        let region = match self.clients.region().await {
            Ok(region) => region,
            Err(error) => return possible(error),
        };
        let place = Place {
            region: &region,
            bucket: Some(self.bucket.as_str()).filter(|bucket| *bucket != NO_BUCKET),
            prefix: &self.prefix,
        };
        let needs = permissions::needs(around.spec, around.ecs, &place);
        let (execution, task) = futures::join!(
            self.role(&around.ecs.execution_role_arn),
            self.role(&around.ecs.task_role_arn)
        );
        let is_told = around.asked.checks.contains(&Check::Roles);
        let asked = needs.iter().filter_map(|need| {
            let role = match need.attribute {
                permissions::TASK => &task,
                _ => &execution,
            };
            match role {
                Ok(Some((_, Some(role)))) => Some((need, role.made)),
                Ok(_) => None,
                // One warning that nobody answers is enough.
                Err(error) if is_told && error.class() == Class::Unavailable => None,
                // Whoever may not look at a role may still ask what it may do.
                Err(_) => Some((need, None)),
            }
        });
        let looks = asked.map(|(need, made)| async move {
            let looked = self.permission(need, made).await;
            looked.map_err(|error| Finding::possible(Check::Permissions, error.at(need.attribute)))
        });
        once_unseen(join_all(looks).await)
    }

    /// What is wrong with what a role may do that was made then.
    async fn permission(
        &self,
        need: &Need,
        made: Option<Timestamp>,
    ) -> Result<Option<Finding>, Error> {
        let question = &need.question;
        let answers = async {
            // Never closed.
            let _turn = self.simulations.acquire().await;
            simulate::simulate(&self.clients, question).await
        };
        let is_good = |answers: &Option<Vec<(_, Decision)>>| {
            let mut all = answers.iter().flatten();
            answers.is_some() && all.all(|(_, decision)| *decision == Decision::Allowed)
        };
        // Boxed: calls are deep.
        let key = question.key();
        let answers = Box::pin(self.permissions.get_good(&key, answers, is_good)).await?;
        Ok(answers.and_then(|answers| permissions::judge(need, &answers, made, Timestamp::now())))
    }

    fn look_at_credentials(&self, around: &Around<'_>) -> Vec<Finding> {
        let now = Timestamp::now();
        let environment = |name: &str| std::env::var(name).ok();
        let end = lifetime::end(self.clients.settings(), environment, now);
        end.and_then(|end| lifetime::judge(end, around.asked, now))
            .into_iter()
            .collect()
    }

    async fn look_at_cluster(&self, around: &Around<'_>) -> Vec<Finding> {
        let cluster = &around.ecs.cluster;
        let found = clusters::find(&self.clients, cluster);
        match self.clusters.find(cluster, found).await {
            Ok(found) => cluster::judge(around.ecs, found.as_ref())
                .into_iter()
                .collect(),
            Err(error) => vec![Finding::possible(
                Check::Cluster,
                error.at("ecs.cluster_arn"),
            )],
        }
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
        let all_there = |found: &Vec<Subnet>| {
            let mut ids = ids.iter();
            ids.all(|id| found.iter().any(|subnet| subnet.id == *id))
        };
        let ask = ec2::subnets(&self.clients, ids);
        self.subnets.get_good(&ids.join(" "), ask, all_there).await
    }

    async fn look_at_balancer(&self, around: &Around<'_>) -> Vec<Finding> {
        let ingress = &around.ecs.ingress;
        let found = match self.balancer(ingress).await {
            Ok(found) => found,
            Err(error) => return vec![balancer::unseen(error)],
        };
        if let Some(finding) = balancer::judge(ingress, &found) {
            return vec![finding];
        }
        match self.room(&found.arn, around).await {
            Ok(findings) => findings,
            Err(error) => vec![Finding::possible(Check::LoadBalancer, error)],
        }
    }

    /// What of a load balancer is used up.
    async fn room(&self, arn: &str, around: &Around<'_>) -> Result<Vec<Finding>, Error> {
        let (ingress, asked) = (&around.ecs.ingress, around.asked);
        if !room::is_needed(asked) {
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
        let groups = self.groups.get(arn, self.balancers.count_groups(arn));
        let taken = self.balancers.who_has(ingress);
        let taken = self.taken.get(crate::elb::parent(ingress), taken);
        let limits = self.limits.get("", self.balancers.limits());
        let (fronts, groups, taken, limits) = futures::join!(fronts, groups, taken, limits);
        let used = Used {
            fronts: fronts?,
            groups: groups?,
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
        Ok(room::judge(&seen, ingress, own, asked))
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
