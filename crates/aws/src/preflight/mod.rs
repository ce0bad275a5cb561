//! What is looked at when an endpoint on ECS is planned: roles, subnets, the load balancer. It only reads.
//!
//! Reading is here, judging in [`roles`], [`subnets`] and [`balancer`], which are pure. An answer serves all endpoints of a run; what could
//! not be read is read again for the next.

mod balancer;
pub(crate) mod ec2;
pub(crate) mod iam;
mod once;
mod roles;
mod subnets;

use mlops_core::Error;
use mlops_core::endpoint::spec::{EcsSpec, IngressSpec};
use mlops_core::target::{Check, Finding, PreflightAsked};

use self::once::Once;
use self::roles::{Arn, Role};
use self::subnets::Subnet;
use crate::clients::AwsClients;
use crate::elb::{Balancer, Balancers};

/// Looks, for all endpoints of a run.
pub(crate) struct Preflight {
    clients: AwsClients,
    balancers: Balancers,
    roles: Once<Option<Role>>,
    subnets: Once<Vec<Subnet>>,
    places: Once<Balancer>,
}

impl Preflight {
    /// Calls nothing yet.
    pub(crate) fn new(clients: AwsClients, balancers: Balancers) -> Self {
        Self {
            balancers,
            clients,
            roles: Once::default(),
            subnets: Once::default(),
            places: Once::default(),
        }
    }

    /// What is wrong around the endpoint.
    pub(crate) async fn look(&self, ecs: &EcsSpec, asked: &PreflightAsked) -> Vec<Finding> {
        let is_asked = |check| asked.checks.contains(&check);
        let roles = async {
            match is_asked(Check::Roles) {
                true => self.look_at_roles(ecs).await,
                false => Vec::new(),
            }
        };
        let subnets = async {
            match is_asked(Check::Subnets) {
                true => self.look_at_subnets(ecs, asked.starts).await,
                false => Vec::new(),
            }
        };
        let balancer = async {
            match is_asked(Check::LoadBalancer) {
                true => match self.balancer(&ecs.ingress).await {
                    Ok(found) => balancer::judge(&ecs.ingress, &found).into_iter().collect(),
                    Err(error) => vec![Finding::possible(Check::LoadBalancer, error)],
                },
                false => Vec::new(),
            }
        };
        let (roles, subnets, balancer) = futures::join!(roles, subnets, balancer);
        roles.into_iter().chain(subnets).chain(balancer).collect()
    }

    async fn look_at_roles(&self, ecs: &EcsSpec) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (attribute, arn) in [
            ("ecs.execution_role_arn", &ecs.execution_role_arn),
            ("ecs.task_role_arn", &ecs.task_role_arn),
        ] {
            match self.role(arn).await {
                Ok(None) => {}
                Ok(Some((arn, found))) => {
                    findings.extend(roles::judge(&arn, found.as_ref(), attribute))
                }
                Err(error) => {
                    findings.push(Finding::possible(Check::Roles, error.at(attribute)));
                }
            }
        }
        findings
    }

    /// `None` if it is another account's, of which nothing can be asked.
    async fn role(&self, arn: &str) -> Result<Option<(Arn, Option<Role>)>, Error> {
        let Some(arn) = Arn::read(arn) else {
            return Ok(None);
        };
        let account = self.clients.account_id().await?;
        if account.is_some_and(|account| account != arn.account) {
            return Ok(None);
        }
        let found = self
            .roles
            .get(&arn.text, iam::role(&self.clients, &arn.name));
        let found = found.await?;
        let is_foreign = found
            .as_ref()
            .and_then(|found| Arn::read(&found.arn))
            .is_some_and(|found| found.account != arn.account);
        Ok((!is_foreign).then_some((arn, found)))
    }

    async fn look_at_subnets(&self, ecs: &EcsSpec, starts: u64) -> Vec<Finding> {
        let ids = &ecs.network.subnets;
        let key = ids.join(" ");
        let found = self.subnets.get(&key, ec2::subnets(&self.clients, ids));
        let (found, balancer) = futures::join!(found, self.balancer(&ecs.ingress));
        match found {
            // A load balancer that cannot be read is the business of the check of that name.
            Ok(found) => subnets::judge(ids, &found, balancer.ok().as_ref(), starts),
            Err(error) => vec![Finding::possible(
                Check::Subnets,
                error.at("network.subnets"),
            )],
        }
    }

    async fn balancer(&self, ingress: &IngressSpec) -> Result<Balancer, Error> {
        let (IngressSpec::Listener {
            load_balancer_arn: named,
            ..
        }
        | IngressSpec::Rule {
            listener_arn: named,
            ..
        }) = ingress;
        let found = self.balancers.of_ingress(ingress);
        self.places.get(named, found).await
    }
}
