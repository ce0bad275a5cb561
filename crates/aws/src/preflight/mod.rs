//! What is looked at when an endpoint on ECS is planned, and again before an apply writes anything. It only reads.
//!
//! A check is a file here: reading is in `look_at_…`, judging is pure, and what has a reason of its own is a file beside it. What is good is asked for once for all endpoints of a run; what is
//! missing, and what could not be read, is asked for again by the next.

pub(crate) mod acm;
mod balancer;
mod certificate;
mod cluster;
mod dns;
pub(crate) mod ec2;
#[cfg(test)]
mod fixtures;
mod grants;
pub(crate) mod iam;
mod images;
pub(crate) mod keys;
mod lifetime;
mod needs;
mod permissions;
mod planned;
pub(crate) mod policies;
mod quotas;
mod roles;
mod room;
pub(crate) mod service_quotas;
mod simulate;
mod subnets;
#[cfg(test)]
mod unreached;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use mlops_core::Error;
use mlops_core::endpoint::spec::{EcsSpec, EndpointSpec};
use mlops_core::target::{Check, Finding, PreflightAsked};
use tokio::sync::Semaphore;

use self::certificate::Certificate;
use self::planned::{Planned, PlannedServices};
use self::roles::Role;
use self::service_quotas::Quotas;
use self::simulate::Decision;
use self::subnets::Subnet;
use crate::clients::{AwsClients, CONNECT_TIMEOUT};
use crate::ecs::EcsTargetSettings;
use crate::ecs::clusters::Found;
use crate::elb::room::{Limits, Taken};
use crate::elb::{Balancer, Balancers};
use crate::images::Registries;
use crate::once::Once;
use crate::retry::Patience;
use crate::route53::Zone;

/// A plan waits no longer than this for a check; all of them look side by side.
const LIMIT: Duration = Duration::from_secs(10);

/// So that a call which fails says why before the time is up. Where nothing answers at all, as without a way to a service, there is one try.
const PATIENCE: Patience = Patience {
    total: Duration::from_secs(8),
    unreachable: CONNECT_TIMEOUT,
    attempt: Duration::from_secs(8),
};

/// So many simulations run at a time: IAM is one for all regions, and asks for less soon.
const SIMULATIONS: usize = 4;

/// In place of a bucket's name that a plan does not know yet; no bucket has such a name.
const NO_BUCKET: &str = "not-known-before-apply";

/// Looks, for all endpoints of a run.
pub(crate) struct Preflight {
    clients: AwsClients,
    /// The same where the registry is.
    home: AwsClients,
    balancers: Balancers,
    bucket: String,
    prefix: String,
    /// The key under which the registry's artifacts lie, if it is known.
    key: Option<String>,
    roles: Once<Role>,
    permissions: Once<Option<Vec<(&'static str, Decision)>>>,
    simulations: Semaphore,
    policies: Once<String>,
    keys: Once<Option<String>>,
    clusters: Once<Found>,
    subnets: Once<Vec<Subnet>>,
    places: Once<Balancer>,
    limits: Once<Limits>,
    listeners: Once<u64>,
    rules: Once<u64>,
    groups: Once<u64>,
    taken: Once<Taken>,
    certificate_arns: Once<Vec<String>>,
    certificates: Once<Certificate>,
    zones: Once<Zone>,
    planned: Planned,
    planned_services: PlannedServices,
    quotas: Once<Quotas>,
    images: Arc<Registries>,
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
        images: Arc<Registries>,
        balancers: &Balancers,
        settings: &EcsTargetSettings,
    ) -> Self {
        let home = clients.home().hurried(PATIENCE);
        let clients = clients.hurried(PATIENCE);
        Self {
            home,
            balancers: balancers.with(clients.clone()),
            images,
            clients,
            bucket: settings.bucket.clone(),
            prefix: settings.prefix.clone(),
            key: (settings.kms_key_arn.as_deref()).and_then(|key| keys::key(key, key)),
            roles: Once::default(),
            permissions: Once::default(),
            simulations: Semaphore::new(SIMULATIONS),
            policies: Once::default(),
            keys: Once::default(),
            clusters: Once::default(),
            subnets: Once::default(),
            places: Once::default(),
            limits: Once::default(),
            listeners: Once::default(),
            rules: Once::default(),
            groups: Once::default(),
            taken: Once::default(),
            certificate_arns: Once::default(),
            certificates: Once::default(),
            zones: Once::default(),
            planned: Planned::default(),
            planned_services: PlannedServices::default(),
            quotas: Once::default(),
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
            Check::Images => Box::pin(images::look(&*self.images, around.spec, around.ecs)),
            Check::LoadBalancer => Box::pin(self.look_at_balancer(around)),
            Check::Quotas => Box::pin(self.look_at_quotas(around)),
            Check::Certificate => Box::pin(self.look_at_certificate(around)),
            Check::Dns => Box::pin(self.look_at_dns(around)),
            Check::Credentials => Box::pin(async { self.look_at_credentials(around) }),
        }
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
