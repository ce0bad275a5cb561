//! An endpoint of a registry of its own: whole deployments, in a world where ECS keeps books and runs no container, in little time; or in one with
//! containers.

mod left;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mlops_core::Result;
use mlops_core::clock::{Clock, RandomIds, SystemClock};
use mlops_core::conformance::saga::{Killed, When};
use mlops_core::endpoint::spec::{
    AsgSpec, Autoscaling, Capacity, Compute, Container, DnsSpec, EndpointSpec, HealthCheck,
    IngressSpec, NetworkSpec, PortRange, RolloutSpec, RolloutStep, SlotChoice, Strategy,
    TargetSpec, VariantSpec, own_cluster,
};
use mlops_core::endpoint::{
    ApplyRequest, DeleteRequest, Deps, EndpointRecord, Outcome, Percent, Period, apply, delete,
    record, repair,
};
use mlops_core::memory::{MemoryArtifacts, MemoryRecords, MemorySessions};
use mlops_core::names::{EndpointId, EndpointName, ModelName};
use mlops_core::records::Records;
use mlops_core::registry::events::Subject;
use mlops_core::registry::sessions::HeldInMemory;
use mlops_core::registry::{ModelSpec, NewVersion, Registry, VersionDeletionPolicy, VersionSpec};
use mlops_core::target::Target as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::{EcsTarget, EcsTargetSettings};
use super::{ecs_spec, variant};
use crate::query::{Asked, Form};
use crate::support::part::{self, Part};
use crate::support::proxy::Proxy;
use crate::support::table;
use crate::{AwsClients, AwsSettings, Endpoints, Patience};

/// A cluster, a load balancer and an endpoint of one's own; everything the endpoint's deployments call goes through a proxy.
pub(super) struct Endpoint {
    pub(super) proxy: Proxy,
    records: MemoryRecords,
    artifacts: Arc<MemoryArtifacts>,
    /// The process that lives; those before it are dead.
    process: Mutex<MemorySessions>,
    /// Past the proxy.
    pub(super) direct: AwsClients,
    pub(super) name: EndpointName,
    pub(super) cluster: String,
    /// Whether it makes that cluster itself.
    owns_cluster: bool,
    /// Whether it has instances of its own there, of another type with each version.
    owns_machines: bool,
    /// Whether it asks for autoscaling.
    pub(super) is_scaled: bool,
    pub(super) load_balancer: String,
    pub(super) subnets: Vec<String>,
    /// A hosted zone of others, in which it has a name with each version, if it has any.
    pub(super) zone: Option<String>,
    /// Of what its tasks run.
    pub(super) image: String,
    /// How much faster its processes' time runs.
    faster: u32,
}

/// What is done to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    Create,
    /// To other numbers of tasks, and fewer reasons to change them; without a rollout.
    Rescale,
    /// To another version, by a canary.
    Update,
    Delete,
}

impl Doing {
    pub(super) const ALL: [Self; 4] = [Self::Create, Self::Rescale, Self::Update, Self::Delete];

    /// The version that serves afterwards.
    pub(super) fn version(self) -> Option<u64> {
        match self {
            Self::Create | Self::Rescale => Some(1),
            Self::Update => Some(2),
            Self::Delete => None,
        }
    }
}

/// Time runs faster, so that nobody waits for the pauses between two looks.
struct Hurried(SystemClock, u32);

/// What rollouts look at.
const ALARM: &str = "models";

/// How much faster on paper. The longest call must end within a lease, which lasts a minute.
const FASTER: u32 = 10;

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed() * self.1
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration / self.1).await;
    }
}

fn clients(url: &str) -> AwsClients {
    let url = || Some(url.to_owned());
    let settings = AwsSettings {
        endpoints: Endpoints {
            appautoscaling: url(),
            autoscaling: url(),
            cloudwatch: url(),
            ec2: url(),
            ecs: url(),
            elbv2: url(),
            logs: url(),
            route53: url(),
            ..Endpoints::default()
        },
        ..table::settings(&url().unwrap_or_default())
    };
    let patience = Patience {
        total: Duration::from_secs(60),
        unreachable: Duration::from_secs(2),
        attempt: Duration::from_secs(30),
    };
    AwsClients::with_patience(settings, patience).expect("settings")
}

impl Endpoint {
    /// On paper, in a cluster of others. `None`, and the test is skipped, where that cannot be.
    pub(super) async fn on_paper_among_others() -> Option<Self> {
        let image = format!("example.com/mlops@sha256:{}", "0".repeat(64));
        Some(Self::new(part::ecs_paper()?, image, FASTER).await)
    }

    /// On paper, with a cluster that it makes itself, and known by a name. `None`, and the test is skipped, where that cannot be.
    pub(super) async fn on_paper() -> Option<Self> {
        let mut world = Self::on_paper_among_others().await?;
        world.owns_cluster = true;
        world.cluster = own_cluster(&world.load_balancer, &world.name);
        world.zone = Some(world.make_zone().await);
        Some(world)
    }

    /// The same, on instances of its own.
    pub(super) async fn on_machines() -> Option<Self> {
        let mut world = Self::on_paper().await?;
        world.owns_machines = true;
        Some(world)
    }

    /// With containers of the fixture. `None`, and the test is skipped, where none can run.
    pub(super) async fn in_containers() -> Option<Self> {
        let part = part::ecs_world()?;
        let image = super::world::image(part)?.to_owned();
        Some(Self::new(part, image, 1).await)
    }

    async fn new(part: &'static Part, image: String, faster: u32) -> Self {
        let direct = clients(&part.url);
        let own = &Uuid::new_v4().simple().to_string()[..10];
        let made = direct.ecs().await.expect("a client").create_cluster();
        let made = made.cluster_name(format!("models-{own}")).send().await;
        let cluster = made.expect("a cluster").cluster.expect("described");
        let subnets = super::world::subnets(&part.url).await;
        let made = direct
            .elbv2()
            .await
            .expect("a client")
            .create_load_balancer()
            .name(format!("alb-{own}"))
            .set_subnets(Some(subnets.clone()))
            .send()
            .await
            .expect("a load balancer");
        let load_balancer = made.load_balancers()[0].load_balancer_arn();
        let world = Self {
            proxy: Proxy::before(&part.url).await,
            records: MemoryRecords::default(),
            artifacts: Arc::default(),
            process: Mutex::default(),
            direct,
            name: EndpointName::new(format!("e{own}")).expect("legal"),
            cluster: cluster.cluster_arn.expect("an ARN"),
            owns_cluster: false,
            owns_machines: false,
            is_scaled: true,
            load_balancer: load_balancer.expect("an ARN").to_owned(),
            subnets,
            zone: None,
            image,
            faster,
        };
        world.register().await;
        world.make_alarm().await;
        world
    }

    /// What its rollouts look at. All worlds share it, and nobody sets it off.
    async fn make_alarm(&self) {
        let form = Form::default()
            .with("AlarmName", ALARM)
            .with("Namespace", "AWS/ApplicationELB")
            .with("MetricName", "HTTPCode_Target_5XX_Count")
            .with("Statistic", "Sum")
            .with("Period", "60")
            .with("EvaluationPeriods", "1")
            .with("Threshold", "3")
            .with("ComparisonOperator", "GreaterThanThreshold");
        let client = self.direct.cloudwatch().await.expect("a client");
        let made = client.ask(self.direct.retries(), "PutMetricAlarm", &form, ALARM);
        made.await.expect("made");
    }

    /// A zone whose domain is the endpoint's name.
    async fn make_zone(&self) -> String {
        let own = self.name.as_str();
        let body = format!(
            "<CreateHostedZoneRequest><Name>{own}.io</Name><CallerReference>{own}</CallerReference></CreateHostedZoneRequest>"
        );
        let asked = Asked {
            path: "/2013-04-01/hostedzone".to_owned(),
            body: Some(body),
        };
        let client = self.direct.route53().await.expect("a client");
        let made = client.ask(self.direct.retries(), "CreateHostedZone", asked, own);
        let made = made.await.expect("made");
        let id = made.child("HostedZone").and_then(|zone| zone.text("Id"));
        let id = id.expect("an id");
        id.strip_prefix("/hostedzone/").unwrap_or(id).to_owned()
    }

    /// The versions 1 and 2 of the model `digits`.
    async fn register(&self) {
        let registry = self.process().registry;
        let model = ModelName::new("digits").expect("legal");
        let created = registry.create_model(&model, ModelSpec::default()).await;
        created.expect("a model");
        for version in 1..=2_u8 {
            let artifact = self.artifacts.put_bytes("model.onnx", &[version]);
            let new = NewVersion {
                model: model.clone(),
                spec: VersionSpec {
                    artifact: artifact.expect("stored"),
                    framework: "onnx".to_owned(),
                    image: None,
                    signature: None,
                    params: BTreeMap::new(),
                    lineage: None,
                    smoke: None,
                },
                metrics: BTreeMap::new(),
                tags: BTreeMap::new(),
                approval: None,
                deletion_policy: VersionDeletionPolicy::default(),
                nonce: None,
            };
            registry.register_version(new).await.expect("a version");
        }
        registry.close_session().await.expect("closed");
    }

    /// What a new process works with, through the proxy; those before it are dead.
    pub(super) fn process(&self) -> Deps {
        self.process_on(Arc::new(self.records.clone()))
    }

    /// The same, and it dies at its n-th commit.
    pub(super) fn process_killed_at(&self, commit: u64, when: When) -> (Deps, Arc<Killed>) {
        let records = Arc::new(self.records.clone());
        let killed = Arc::new(Killed::at(records, commit, when));
        (self.process_on(killed.clone()), killed)
    }

    fn process_on(&self, records: Arc<dyn Records>) -> Deps {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.kill();
        let session = process.another();
        *process = session.clone();
        let registry = Registry::new(
            records.clone(),
            self.artifacts.clone(),
            Arc::new(Hurried(SystemClock::default(), self.faster)),
            Arc::new(RandomIds),
        );
        let registry = registry.with_sessions(Arc::new(session), Arc::new(HeldInMemory::default()));
        let target = target(clients(&self.proxy.url), records);
        Deps::new(registry, Arc::new(target))
    }

    pub(super) fn id(&self) -> EndpointId {
        EndpointId::on_ecs(None, &self.cluster, self.name.clone())
    }

    /// This version, by a canary of two steps.
    pub(super) fn spec(&self, version: u64) -> EndpointSpec {
        let mut ecs = ecs_spec();
        ecs.cluster.clone_from(&self.cluster);
        ecs.creates_cluster = self.owns_cluster;
        ecs.image.clone_from(&self.image);
        if self.owns_machines {
            let asg = machines(version);
            ecs.capacity = Capacity::Machines { asg };
        }
        ecs.network = NetworkSpec {
            subnets: self.subnets.clone(),
            ..NetworkSpec::default()
        };
        ecs.ingress = IngressSpec::Listener {
            load_balancer_arn: self.load_balancer.clone(),
            port: SlotChoice::Leased(PortRange {
                first: 20_000,
                last: 20_009,
            }),
        };
        let name = format!("v{version}.{}.io", self.name);
        let zone = self.zone.as_deref();
        ecs.dns = zone.map(|zone| DnsSpec::new(&name, Some(zone)));
        let step = |traffic: u8| RolloutStep {
            traffic: Percent::from(traffic),
            bake: Period::ZERO,
            pause: false,
        };
        let served = VariantSpec {
            workload: super::version(version),
            traffic: Percent::from(100),
            shadow_percentage: Percent::ZERO,
            // The fixture tells it to whoever asks.
            environment: [("VERSION".to_owned(), version.to_string())].into(),
            compute: Compute::default(),
            container: Container::default(),
            autoscaling: None,
            startup_timeout: Period::seconds(60),
        };
        EndpointSpec {
            name: self.name.clone(),
            variants: [(variant("main"), served)].into(),
            target: TargetSpec::Ecs(Box::new(ecs)),
            health_check: HealthCheck {
                interval: Some(Period::seconds(5)),
                timeout: Some(Period::seconds(2)),
                healthy_threshold: Some(2),
                // These are fit from the start, or never.
                stabilization_window: Some(Period::ZERO),
                ..HealthCheck::default()
            },
            autoscaling: self.is_scaled.then(super::autoscaling),
            rollout: RolloutSpec {
                strategy: Strategy::Canary,
                steps: vec![step(10), step(100)],
                alarms: [ALARM.to_owned()].into(),
                terminate_after: Period::ZERO,
                ..RolloutSpec::default()
            },
            wait_for_steady_state: true,
            drain_seconds: 1,
            deletion_policy: Default::default(),
            tags: BTreeMap::new(),
        }
    }

    /// One apply or destroy by this process.
    pub(super) async fn act(&self, deps: &Deps, doing: Doing) -> Result<Outcome> {
        let Some(version) = doing.version() else {
            let request = DeleteRequest {
                id: self.id(),
                by: "a test".to_owned(),
                cancel: CancellationToken::new(),
            };
            return delete(deps, request).await;
        };
        let mut spec = self.spec(version);
        if doing == Doing::Rescale {
            spec.autoscaling = Some(rescaled());
        }
        self.apply(deps, spec).await
    }

    /// One apply by this process.
    pub(super) async fn apply(&self, deps: &Deps, spec: EndpointSpec) -> Result<Outcome> {
        self.begin(deps, spec, false).await
    }

    /// The same, and it takes over what was there before the endpoint.
    pub(super) async fn take_over(&self, deps: &Deps, spec: EndpointSpec) -> Result<Outcome> {
        self.begin(deps, spec, true).await
    }

    async fn begin(&self, deps: &Deps, spec: EndpointSpec, takes_over: bool) -> Result<Outcome> {
        let request = ApplyRequest {
            spec,
            base: None,
            create: false,
            takes_over,
            smoke: BTreeMap::new(),
            by: "a test".to_owned(),
            cancel: CancellationToken::new(),
            time_limit: None,
        };
        apply(deps, request).await
    }

    /// One apply or destroy by a new process, in words if it fails.
    pub(super) async fn done(&self, doing: Doing) -> Result<(), String> {
        succeeded(self.act(&self.process(), doing).await)
    }

    /// One apply by a new process, in words if it fails.
    pub(super) async fn applied(&self, spec: EndpointSpec) -> Result<(), String> {
        succeeded(self.apply(&self.process(), spec).await)
    }

    /// `mlops endpoint repair`.
    pub(super) async fn repair(&self) -> Result<Outcome> {
        repair(&self.process(), &self.id(), "a test", false).await
    }

    /// What the endpoint's log of events says last of this kind.
    pub(super) async fn told(&self, kind: &str) -> String {
        let subject = Subject::Endpoint(self.id().to_string());
        let registry = self.process().registry;
        let events = registry
            .events(&subject, None, None, 1000)
            .await
            .expect("events");
        let mut all = events.into_iter().map(|stored| stored.event).rev();
        let last = all.find(|event| event.kind == kind);
        last.map(|event| event.message).unwrap_or_default()
    }

    /// Whether the endpoint is as `doing` leaves it.
    pub(super) async fn is_as_after(&self, doing: Doing) -> bool {
        match doing.version() {
            Some(version) => {
                // While it is held, an autoscaler takes no task away.
                let left = self.left().await;
                self.serves_only(version).await && !left.iter().any(|one| one.contains("held"))
            }
            None => self.left().await.is_empty(),
        }
    }

    /// What looks past the proxy.
    pub(super) fn target(&self) -> EcsTarget {
        target(self.direct.clone(), Arc::new(self.records.clone()))
    }

    /// What the registry says of the endpoint.
    pub(super) async fn record(&self) -> Option<EndpointRecord> {
        let registry = self.process().registry;
        record(&registry, &self.id()).await.expect("a record")
    }

    /// Whether this version, and nothing else, serves everybody.
    pub(super) async fn serves_only(&self, version: u64) -> bool {
        let Some(record) = self.record().await else {
            return false;
        };
        let target = self.target();
        let seen = target.observe(&record.server).await.expect("seen");
        let unnamed = target.unnamed(&record.server).await.expect("seen");
        let is_named = match &self.zone {
            // A name and what says whose it is.
            Some(_) => {
                let url = format!("http://v{version}.{}.io:", self.name);
                record.server.invoke_url.starts_with(&url) && self.in_zone().await.len() == 2
            }
            None => true,
        };
        let [revision] = record.running.values().collect::<Vec<_>>()[..] else {
            return false;
        };
        unnamed.is_none()
            && is_named
            && revision.workload.number() == Some(version)
            && seen.revisions.len() == 1
            && seen.serves(&revision.name)
            && seen.routing == record.routing()
    }
}

fn machines(version: u64) -> AsgSpec {
    let asg = serde_json::json!({
        "instance_type": format!("m{version}i.large"), "instance_profile": "instances", "min_size": 1, "max_size": 4,
    });
    serde_json::from_value(asg).expect("a block")
}

fn rescaled() -> Autoscaling {
    let mut wanted = super::autoscaling();
    wanted.max = 12;
    wanted.schedules.clear();
    wanted.policies.remove("cpu");
    wanted
}

fn target(clients: AwsClients, records: Arc<dyn Records>) -> EcsTarget {
    let settings = EcsTargetSettings {
        bucket: "registry".to_owned(),
        prefix: String::new(),
        kms_key_arn: None,
        path_style: true,
    };
    EcsTarget::new(clients, settings, records)
}

fn succeeded(outcome: Result<Outcome>) -> Result<(), String> {
    match outcome.map_err(|error| error.chain().to_string())? {
        outcome if outcome.is_success() => Ok(()),
        outcome => Err(outcome.to_string()),
    }
}
