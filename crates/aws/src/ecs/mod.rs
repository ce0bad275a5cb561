//! The target port on Amazon ECS.
//!
//! A server is an endpoint's front, a listener or a rule of its own on a load balancer that exists already
//! (`crate::elb`), its log group, and its cluster if that is its own. A revision is a target group behind the front, a task definition and a service.
//! Traffic is divided by the weights of target groups. Why it is built so: `docs/decisions/0020-ecs-services.md`.
//!
//! Tasks run the model server's image, which fetches the model, proves it and only then listens: a target is healthy once
//! its revision may have traffic. Nobody outside of the VPC can ask it anything before. Or they run an image of the user's
//! own, whose health is all that is known of it.

mod calls;
pub(crate) mod clusters;
mod dns;
mod efs;
mod environment;
mod foreign;
mod gpu;
mod handle;
mod logs;
pub(crate) mod machines;
pub(crate) mod names;
mod node;
mod observe;
mod revision;
mod rounds;
mod scaling;
mod services;
mod steps;
mod tags;
mod task_definition;
mod teardown;
mod verdict;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mlops_core::clock::{Clock, SystemClock};
use mlops_core::endpoint::spec::{Autoscaling, EndpointSpec, TargetSpec};
use mlops_core::names::EndpointId;
use mlops_core::records::Records;
use mlops_core::rollout::Answer;
use mlops_core::rollout::query::ServerQuery;
use mlops_core::saga::Progress;
use mlops_core::serving::{SmokeReport, SmokeRequest, TaskArtifacts};
use mlops_core::target::{
    Alarm, Announcement, Finding, Foreign, Naming, Observation, PreflightAsked, Probe, Provision,
    ProvisionRequest, Revision, RevisionName, Routing, Server, Target, Watched,
};
use mlops_core::{Error, Result};
use serde_json::Value;

use self::foreign::Found;
use self::handle::Handle;
use self::rounds::{Rounds, Seen, Wanted};
use crate::clients::AwsClients;
use crate::cloudwatch::{Alarms, counts};
use crate::elb::{Attached, Balancers};
use crate::images::Registries;
use crate::preflight::Preflight;

/// What the ECS target is told of the registry: where tasks find the artifacts of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcsTargetSettings {
    /// The bucket that holds the registry's artifacts.
    pub bucket: String,
    /// What all its keys begin with; may be empty.
    pub prefix: String,
    /// The key of KMS under which they lie, if it is known.
    pub kms_key_arn: Option<String>,
    /// Whether the bucket stands in the path of a URL, as emulators want it.
    pub path_style: bool,
}

/// Runs endpoints as services of Amazon ECS, in one region.
pub struct EcsTarget {
    account: Arc<Account>,
    parts: Parts,
    /// The same in other regions, by region.
    elsewhere: Mutex<BTreeMap<String, Arc<EcsTarget>>>,
}

/// What it is made of, in any region.
#[derive(Clone)]
struct Parts {
    settings: EcsTargetSettings,
    records: Arc<dyn Records>,
    images: Arc<Registries>,
    clock: Arc<dyn Clock>,
}

/// What the target's steps and calls act on.
struct Account {
    clients: AwsClients,
    balancers: Balancers,
    alarms: Alarms,
    preflight: Preflight,
    settings: EcsTargetSettings,
    /// Looks of those who wait.
    rounds: Rounds,
    /// The revisions of servers that are being taken away, by the servers' fronts: those who wait for them need not find them again.
    leaving: Mutex<HashMap<String, BTreeSet<RevisionName>>>,
}

impl Account {
    /// The target groups behind the server's front; `NotFound` if that is gone.
    async fn attached(&self, handle: &Handle) -> Result<Vec<Attached>> {
        let endpoint = handle.owner.endpoint;
        let found = self.balancers.look(&handle.front, endpoint).await?;
        found.ok_or_else(|| handle.gone())
    }

    /// Looks at the server's front and the services of these revisions, in its turn: for those who look again and again.
    async fn look(
        &self,
        handle: &Handle,
        revisions: &[&RevisionName],
        further: usize,
        bakes: bool,
    ) -> Result<Seen> {
        let owner = &handle.owner;
        let names = revisions.iter().map(|revision| handle.service(revision));
        let wanted = Wanted {
            bakes,
            front: Some((handle.front.clone(), owner.endpoint)),
            cluster: handle.cluster.clone(),
            services: names.collect(),
            further,
        };
        self.rounds.look(wanted).await
    }

    /// Where tasks find what they serve: in the registry's region, whatever theirs is.
    async fn artifacts(&self) -> Result<TaskArtifacts> {
        Ok(TaskArtifacts {
            bucket: self.settings.bucket.clone(),
            prefix: self.settings.prefix.clone(),
            region: self.clients.home().region().await?,
            path_style: self.settings.path_style,
        })
    }
}

impl std::fmt::Debug for EcsTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EcsTarget")
            .field("settings", &self.account.settings)
            .finish_non_exhaustive()
    }
}

impl EcsTarget {
    /// A target in the account and region of `clients`, whose ports and priorities are leased in `records`. Calls nothing
    /// yet.
    pub fn new(
        clients: AwsClients,
        settings: EcsTargetSettings,
        records: Arc<dyn Records>,
    ) -> Self {
        let images = Arc::new(Registries::with_clients(clients.clone()));
        Self::with_images(clients, settings, records, images)
    }

    /// The same, which asks these registries for images: what they have found for others is known here.
    pub fn with_images(
        clients: AwsClients,
        settings: EcsTargetSettings,
        records: Arc<dyn Records>,
        images: Arc<Registries>,
    ) -> Self {
        Self::with_clock(
            clients,
            Parts {
                settings,
                records,
                images,
                clock: Arc::new(SystemClock::default()),
            },
        )
    }

    fn with_clock(clients: AwsClients, parts: Parts) -> Self {
        let Parts {
            settings,
            records,
            images,
            clock,
        } = parts.clone();
        let balancers = Balancers::new(clients.clone(), records);
        Self {
            account: Arc::new(Account {
                rounds: Rounds::new(clients.clone(), balancers.clone(), clock.clone()),
                preflight: Preflight::new(&clients, images, &balancers, &settings),
                balancers,
                alarms: Alarms::new(clients.clone(), clock),
                clients,
                settings,
                leaving: Mutex::default(),
            }),
            parts,
            elsewhere: Mutex::default(),
        }
    }
}

#[async_trait]
impl Target for EcsTarget {
    fn kind(&self) -> &'static str {
        "ecs"
    }

    fn in_region(&self, region: &str) -> Option<Arc<dyn Target>> {
        let clients = &self.account.clients;
        if clients.settings().region.as_deref() == Some(region) {
            return None;
        }
        let mut all = self
            .elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let there = all.entry(region.to_owned()).or_insert_with(|| {
            let clients = clients.home().in_region(region);
            Arc::new(Self::with_clock(clients, self.parts.clone()))
        });
        Some(Arc::clone(there) as Arc<dyn Target>)
    }

    async fn home_region(&self) -> Result<Option<String>> {
        self.account.clients.home().region().await.map(Some)
    }

    fn validate(&self, spec: &EndpointSpec) -> Vec<Error> {
        let variants = spec.variants.iter();
        variants
            .flat_map(|(name, variant)| {
                let problems = environment::problems(variant).into_iter();
                problems
                    .map(move |(attribute, error)| error.at(format!("variants.{name}.{attribute}")))
            })
            .collect()
    }

    async fn preflight(&self, spec: &EndpointSpec, asked: &PreflightAsked) -> Vec<Finding> {
        match &spec.target {
            TargetSpec::Ecs(ecs) => self.account.preflight.look(spec, ecs, asked).await,
            _ => Vec::new(),
        }
    }

    fn satisfies(&self, server: &Server, spec: &EndpointSpec) -> bool {
        let TargetSpec::Ecs(ecs) = &spec.target else {
            return false;
        };
        match server.handle::<Handle>() {
            Ok(handle) => handle.satisfies(ecs),
            Err(_) => (server.handle::<Found>()).is_ok_and(|found| found.satisfies(ecs)),
        }
    }

    /// The listener, or the rule on a listener of others.
    fn arn(&self, server: &Server) -> Option<String> {
        let front = match server.handle::<Handle>() {
            Ok(handle) => handle.front,
            Err(_) => server.handle::<Found>().ok()?.front.front,
        };
        Some(front.arn)
    }

    async fn foreign(&self, id: &EndpointId) -> Result<Foreign> {
        foreign::read(&self.account, id).await
    }

    fn steps(&self, request: &ProvisionRequest) -> Result<Provision> {
        steps::steps(&self.account, request)
    }

    fn naming(&self, spec: &EndpointSpec, server: Option<&Server>) -> Naming {
        dns::naming(spec, server)
    }

    async fn announce(
        &self,
        asked: &Announcement,
        checkpoint: Option<&Value>,
    ) -> Result<Progress<Server, Value>> {
        dns::announce(&self.account, asked, checkpoint).await
    }

    async fn withdraw(&self, asked: &Announcement, has_begun: bool) -> Result<Progress<()>> {
        dns::withdraw(&self.account, asked, has_begun).await
    }

    async fn unnamed(&self, server: &Server) -> Result<Option<String>> {
        dns::unnamed(&self.account, &server.handle()?).await
    }

    async fn ensure_revision(&self, server: &Server, revision: &Revision) -> Result<Progress<()>> {
        revision::ensure(&self.account, &server.handle()?, revision).await
    }

    async fn make_revision(&self, server: &Server, revision: &Revision) -> Result<Progress<()>> {
        revision::make(&self.account, &server.handle()?, revision).await
    }

    async fn set_weights(&self, server: &Server, routing: &Routing) -> Result<()> {
        routing.validate()?;
        let handle: Handle = server.handle()?;
        let named = routing.variants.values().flat_map(|v| v.weights.keys());
        let shares: BTreeMap<RevisionName, u64> = named
            .map(|name| (name.clone(), routing.share_of(name)))
            .filter(|(_, share)| *share > 0)
            .collect();
        self.account
            .balancers
            .set_weights(&handle.front, handle.owner.endpoint, &shares)
            .await
    }

    async fn scale(
        &self,
        server: &Server,
        revision: &RevisionName,
        instances: u32,
    ) -> Result<Progress<()>> {
        revision::scale(&self.account, &server.handle()?, revision, instances).await
    }

    async fn autoscale(
        &self,
        server: &Server,
        revision: &RevisionName,
        wanted: Option<&Autoscaling>,
        hold: Option<u32>,
    ) -> Result<Progress<()>> {
        let handle = server.handle()?;
        scaling::follow(&self.account, &handle, revision, wanted, hold).await
    }

    async fn autoscaling(
        &self,
        server: &Server,
        revision: &RevisionName,
    ) -> Result<Option<Autoscaling>> {
        scaling::followed(&self.account, &server.handle()?, revision).await
    }

    async fn drain(
        &self,
        server: &Server,
        revision: &RevisionName,
        drain_seconds: u64,
    ) -> Result<Progress<()>> {
        revision::drain(&self.account, &server.handle()?, revision, drain_seconds).await
    }

    async fn remove(&self, server: &Server, revision: &RevisionName) -> Result<Progress<()>> {
        revision::remove(&self.account, &server.handle()?, revision).await
    }

    async fn observe(&self, server: &Server) -> Result<Observation> {
        observe::observe(&self.account, &server.handle()?).await
    }

    async fn examine(&self, server: &Server) -> Result<Observation> {
        observe::examine(&self.account, &server.handle()?).await
    }

    async fn watch(&self, server: &Server, revisions: &[&RevisionName]) -> Result<Watched> {
        observe::watch(&self.account, &server.handle()?, revisions).await
    }

    /// The path is the target group's business: it asks every task for it, from where tasks can be reached.
    async fn probe(&self, server: &Server, _: &str, _: Duration) -> Result<Probe> {
        observe::probe(&self.account, &server.handle()?).await
    }

    fn probes_revisions(&self) -> bool {
        true
    }

    fn smokes_at_start(&self) -> bool {
        true
    }

    /// A task on Fargate that has drained has its own stop timeout, and then gives its network interface back.
    fn patience(&self) -> Duration {
        Duration::from_secs(300)
    }

    async fn smoke(
        &self,
        server: &Server,
        revision: &RevisionName,
        _: &SmokeRequest,
    ) -> Result<SmokeReport> {
        observe::smoke(&self.account, &server.handle()?, revision).await
    }

    async fn teardown(&self, server: &Server, drain_seconds: u64) -> Result<Progress<()>> {
        if let Some(record) = dns::left(server) {
            return dns::close(&self.account, &record).await;
        }
        teardown::teardown(&self.account, &server.handle()?, drain_seconds).await
    }

    async fn alarms(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Alarm>> {
        self.account.alarms.look(names).await
    }

    async fn can_measure(&self) -> Result<()> {
        counts::check(&self.account.clients).await
    }

    async fn measure(
        &self,
        server: &Server,
        revision: &RevisionName,
        query: ServerQuery,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Answer> {
        let handle: Handle = server.handle()?;
        let attached = self.account.attached(&handle).await?;
        let group = attached.iter().find(|group| group.revision == *revision);
        let group = group.ok_or_else(|| revision::missing(&handle, revision))?;
        let balancer = &handle.front.load_balancer_arn;
        let clients = &self.account.clients;
        counts::measure(clients, balancer, &group.group_arn, query, since, now).await
    }

    async fn last_logs(&self, server: &Server, lines: usize) -> Result<Vec<String>> {
        observe::last_logs(&self.account, &server.handle()?, lines).await
    }
}
