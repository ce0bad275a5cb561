//! A cluster and a load balancer of one's own, in a world where ECS runs containers.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use mlops_core::Result;
use mlops_core::clock::{Clock as _, SystemClock};
use mlops_core::endpoint::Period;
use mlops_core::endpoint::spec::{
    EndpointSpec, HealthCheck, IngressSpec, NetworkSpec, PortRange, RolloutSpec, SlotChoice,
    TargetSpec,
};
use mlops_core::memory::MemoryRecords;
use mlops_core::saga::{Moved, Progress};
use mlops_core::serving::WHOLE;
use mlops_core::target::{
    ProvisionRequest, Revision, RevisionName, Routing, Server, Target as _, VariantRouting,
};
use uuid::Uuid;

use super::super::{EcsTarget, EcsTargetSettings, names, task_definition};
use super::left::listed;
use super::{deployment, ecs_spec, revision};
use crate::elb::{Balancers, Owner};
use crate::support::part::{self, Part};
use crate::support::table;
use crate::{AwsClients, AwsSettings, Endpoints, Patience};

/// How long the world has for each thing that is asked of it.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) struct World {
    image: &'static str,
    pub(super) clients: AwsClients,
    pub(super) records: MemoryRecords,
    pub(super) cluster: String,
    pub(super) load_balancer: String,
    subnets: Vec<String>,
    endpoint: Uuid,
    /// What its revisions' target groups, task definitions and services are called.
    names: Mutex<BTreeSet<String>>,
}

impl World {
    /// `None`, and the test is skipped, where no container can run.
    pub(super) async fn new() -> Option<Self> {
        let part = part::ecs_world()?;
        let image = image(part)?;
        let settings = AwsSettings {
            endpoints: Endpoints {
                appautoscaling: Some(part.url.clone()),
                ecs: Some(part.url.clone()),
                elbv2: Some(part.url.clone()),
                logs: Some(part.url.clone()),
                ..Endpoints::default()
            },
            ..table::settings(&part.url)
        };
        let patience = Patience {
            total: Duration::from_secs(60),
            unreachable: Duration::from_secs(2),
            attempt: Duration::from_secs(30),
        };
        let clients = AwsClients::with_patience(settings, patience).expect("settings");
        let own = &Uuid::new_v4().simple().to_string()[..12];
        let made = clients.ecs().await.expect("a client").create_cluster();
        let made = made.cluster_name(format!("models-{own}")).send().await;
        let cluster = made.expect("a cluster").cluster.expect("described");
        let subnets = subnets(&part.url).await;
        let made = clients
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
        Some(Self {
            image,
            records: MemoryRecords::default(),
            cluster: cluster.cluster_arn.expect("an ARN"),
            load_balancer: load_balancer.expect("an ARN").to_owned(),
            subnets,
            clients,
            endpoint: Uuid::new_v4(),
            names: Mutex::default(),
        })
    }

    /// What one more process works with: it remembers nothing.
    pub(super) fn target(&self) -> EcsTarget {
        let settings = EcsTargetSettings {
            bucket: "registry".to_owned(),
            prefix: String::new(),
            kms_key_arn: None,
            path_style: true,
        };
        EcsTarget::new(
            self.clients.clone(),
            settings,
            Arc::new(self.records.clone()),
        )
    }

    pub(super) fn request(&self, attempt: u32) -> ProvisionRequest {
        let mut ecs = ecs_spec();
        ecs.cluster.clone_from(&self.cluster);
        ecs.network = self.network();
        ecs.ingress = IngressSpec::Listener {
            load_balancer_arn: self.load_balancer.clone(),
            port: SlotChoice::Leased(PortRange {
                first: 20_000,
                last: 20_009,
            }),
        };
        ProvisionRequest {
            endpoint: self.endpoint,
            deployment: deployment(attempt),
            spec: EndpointSpec {
                name: "digits".parse().expect("legal"),
                variants: BTreeMap::new(),
                target: TargetSpec::Ecs(Box::new(ecs)),
                health_check: HealthCheck::default(),
                autoscaling: None,
                rollout: RolloutSpec::default(),
                wait_for_steady_state: true,
                drain_seconds: 1,
                deletion_policy: Default::default(),
                tags: BTreeMap::new(),
            },
            previous: None,
            takes_over: None,
        }
    }

    fn network(&self) -> NetworkSpec {
        NetworkSpec {
            subnets: self.subnets.clone(),
            ..NetworkSpec::default()
        }
    }

    /// What everything of the server that this attempt brought up is tagged with.
    pub(super) fn owner(&self, attempt: u32) -> Owner {
        Owner {
            endpoint: self.endpoint,
            deployment: deployment(attempt),
            ..super::owner("digits")
        }
    }

    /// A revision that behaves as the fixture's variables say.
    pub(super) fn revision(&self, version: u64, behaviour: &[(&str, &str)]) -> Revision {
        let mut revision = revision();
        revision.name = RevisionName::new(&revision.variant, version, &deployment(1));
        let name = names::service(&self.owner(1), &revision.name);
        self.names.lock().expect("whole").insert(name);
        revision.workload = super::version(version);
        let mut place = *revision.placement.take().expect("placed");
        place.cluster.clone_from(&self.cluster);
        place.network = self.network();
        place.image = self.image.to_owned();
        place.drain_seconds = 1;
        place.health_check = HealthCheck {
            interval: Some(Period::seconds(5)),
            timeout: Some(Period::seconds(2)),
            healthy_threshold: Some(2),
            unhealthy_threshold: Some(2),
            ..HealthCheck::default()
        };
        revision.placement = Some(Box::new(place));
        let version = version.to_string();
        let own = [("VERSION", version.as_str())];
        for (name, value) in own.iter().chain(behaviour) {
            (revision.environment).insert((*name).to_owned(), (*value).to_owned());
        }
        revision
    }

    /// Brings a server up with a new process for each call, the first answer of each lost.
    pub(super) async fn provision(&self, request: &ProvisionRequest) -> Server {
        let steps = self.target().steps(request).expect("steps");
        let (mut state, reader) = (steps.initial(), steps.server_reader());
        let clock = SystemClock::default();
        let count = steps.into_nodes().len();
        for at in 0..count {
            loop {
                let nodes = self.target().steps(request).expect("steps").into_nodes();
                let node = &nodes[at];
                node.begin(&mut state, clock.now()).expect("begun");
                drop(node.forward(&mut state.clone()).await);
                let moved = node.forward(&mut state).await.expect("forward");
                if matches!(moved, Moved::Done) {
                    break;
                }
            }
        }
        reader(&state).expect("read").expect("the steps led to one")
    }

    /// Asks a new process each time until it is done.
    pub(super) async fn until_done<F>(&self, what: &str, call: impl Fn(EcsTarget) -> F)
    where
        F: Future<Output = Result<Progress<()>>>,
    {
        self.attempt(call)
            .await
            .unwrap_or_else(|error| panic!("{what}: {}", error.chain()));
    }

    /// Asks a new process each time until it is done or failed.
    pub(super) async fn attempt<F>(&self, call: impl Fn(EcsTarget) -> F) -> Result<()>
    where
        F: Future<Output = Result<Progress<()>>>,
    {
        let clock = SystemClock::default();
        loop {
            match call(self.target()).await? {
                Progress::Done(()) => return Ok(()),
                Progress::Pending { poll_after, .. } => {
                    assert!(clock.elapsed() < PATIENCE, "it takes too long");
                    clock
                        .sleep(poll_after.min(Duration::from_millis(200)))
                        .await;
                }
            }
        }
    }

    pub(super) async fn ensure(&self, server: &Server, revision: &Revision) -> Result<()> {
        self.attempt(|target| async move { target.ensure_revision(server, revision).await })
            .await
    }

    pub(super) async fn drain_and_remove(&self, server: &Server, revision: &RevisionName) {
        self.until_done("drain", |target| async move {
            target.drain(server, revision, 1).await
        })
        .await;
        self.until_done("remove", |target| async move {
            target.remove(server, revision).await
        })
        .await;
    }

    /// As far as a removal gets that is killed before its last call.
    pub(super) async fn drain_and_remove_all_but_the_service(
        &self,
        server: &Server,
        revision: &Revision,
    ) {
        self.until_done("drain", |target| async move {
            target.drain(server, &revision.name, 1).await
        })
        .await;
        let owner = self.owner(1);
        let balancers = Balancers::new(self.clients.clone(), Arc::new(self.records.clone()));
        let deleted = balancers.delete_group(&owner, &revision.name).await;
        assert!(matches!(deleted, Ok(Progress::Done(()))), "{deleted:?}");
        let family = names::service(&owner, &revision.name);
        let taken = task_definition::take_away(&self.clients, owner.endpoint, &family).await;
        taken.expect("taken away");
    }

    pub(super) async fn teardown(&self, server: &Server) {
        self.until_done("teardown", |target| async move {
            target.teardown(server, 1).await
        })
        .await;
    }

    /// What a client hears.
    pub(super) async fn ask(&self, server: &Server) -> String {
        let url = format!("{}/version", server.invoke_url);
        let client = HttpClient::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let answer = client.get(url.parse().expect("a URL")).await;
        let answer = answer.expect("an answer");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("its end");
        let body = String::from_utf8(body.to_bytes().to_vec()).expect("text");
        match status.is_success() {
            true => body,
            false => status.to_string(),
        }
    }

    /// Everything that an endpoint could leave behind, in words.
    pub(super) async fn left(&self) -> BTreeSet<String> {
        let mine = self.names.lock().expect("whole").clone();
        let is_own = |text: &str| mine.iter().any(|name| text.contains(name));
        let mut left = listed(&self.clients, &self.cluster, &self.load_balancer, is_own).await;
        let leases = self.records.dump();
        left.extend(leases.iter().map(|item| format!("record {:?}", item.key)));
        left
    }
}

/// The routing in which these revisions have these shares of the whole.
pub(super) fn split(shares: &[(&Revision, u32)]) -> Routing {
    let weights = shares
        .iter()
        .map(|(revision, share)| (revision.name.clone(), *share))
        .collect();
    let routing = VariantRouting {
        traffic: WHOLE,
        shadow: 0,
        weights,
    };
    Routing {
        variants: [(shares[0].0.variant.clone(), routing)].into(),
    }
}

/// The fixture's image, in the world's registry.
pub(super) fn image(part: &'static Part) -> Option<&'static str> {
    static IMAGE: OnceLock<Result<String, String>> = OnceLock::new();
    let made = IMAGE.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/parts/images.py");
        let world = part.said.lines().last().expect("where it is");
        let made = Command::new("python3")
            .args([script, world, "server", "fixture"])
            .output()
            .map_err(|error| format!("missing: python3: {error}"))?;
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        if said.contains("No such file or directory: 'go'") {
            return Err("missing: Go, which builds the server that misbehaves".to_owned());
        }
        assert!(made.status.success(), "no image: {said}");
        Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
    });
    match made {
        Ok(image) => Some(image),
        Err(reason) => {
            crate::support::skip(reason);
            None
        }
    }
}

/// The subnets that an account has from the beginning. There is no client of EC2 here.
pub(super) async fn subnets(url: &str) -> Vec<String> {
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/{}/ec2/aws4_request",
        table::REGION
    );
    let request = Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", scope)
        .body(Full::new(Bytes::from_static(
            b"Action=DescribeSubnets&Version=2016-11-15",
        )))
        .expect("a request");
    let client = HttpClient::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.expect("an answer");
    let body = answer.into_body().collect().await.expect("its end");
    let body = String::from_utf8(body.to_bytes().to_vec()).expect("text");
    let ids: BTreeSet<&str> = body
        .split("<subnetId>")
        .skip(1)
        .filter_map(|rest| rest.split('<').next())
        .collect();
    assert!(ids.len() >= 2, "{body}");
    ids.into_iter().map(str::to_owned).collect()
}
