//! A world of servers in memory, under a steady load, that fails where it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::endpoint::spec::{EndpointSpec, TargetSpec};
use crate::error::{Class, Error, Result};
use crate::names::VariantName;
use crate::saga::Progress;
use crate::serving::{
    Counters, LATENCY_BOUNDS_MICROS, MetricsSnapshot, RevisionMetrics, SmokeReport, SmokeRequest,
    WHOLE,
};
use crate::target::{
    Observation, Probe, Provision, ProvisionRequest, Revision, RevisionName, RevisionObservation,
    RevisionState, Routing, Server, Target,
};

/// How a model version behaves in this world.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// Share of its answers that are errors.
    pub error_rate: f64,
    /// Latency of every answer.
    pub latency: Duration,
    /// Whether it can be loaded at all.
    pub loads: bool,
    /// Whether golden requests pass.
    pub passes_smoke: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            error_rate: 0.0,
            latency: Duration::from_millis(1),
            loads: true,
            passes_smoke: true,
        }
    }
}

/// One call that goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The call with this number (from 1) since the fault was set.
    pub call: u64,
    /// How.
    pub at: FaultAt,
}

/// How a call goes wrong.
#[derive(Debug, Clone)]
pub enum FaultAt {
    /// It fails, and nothing happened.
    Before(Class),
    /// It fails, and it happened.
    After(Class),
    /// The caller is cancelled, and the call never answers (unless the caller cannot stop there).
    Cancel(CancellationToken),
}

/// The world as seen from outside, without the names that differ from one deployment to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorldView {
    /// Servers, by port.
    pub servers: BTreeMap<u16, ServerView>,
    /// Ports that are taken.
    pub ports: Vec<u16>,
}

/// One server in a [`WorldView`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerView {
    /// Its revisions, ordered.
    pub revisions: Vec<RevisionView>,
}

/// One revision in a [`WorldView`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevisionView {
    /// Its variant.
    pub variant: String,
    /// Its version.
    pub version: u64,
    /// Its share of the endpoint's requests, out of `WHOLE * WHOLE`.
    pub share: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) endpoint: uuid::Uuid,
    pub(super) deployment: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Handle {
    pub(super) id: u64,
}

pub(super) struct MemoryServer {
    pub(super) mark: Mark,
    port: u16,
    revisions: BTreeMap<RevisionName, Loaded>,
    routing: Routing,
    started: Duration,
}

struct Loaded {
    revision: Revision,
    /// Looks until it is ready.
    loading: u32,
    draining: bool,
    instances: u32,
    live: Tallied,
    shadow: Tallied,
}

/// Counters with fractions, so that small shares add up.
#[derive(Debug, Clone, Copy, Default)]
struct Tallied {
    requests: f64,
    errors: f64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) servers: BTreeMap<u64, MemoryServer>,
    pub(super) ports: BTreeMap<u16, Mark>,
    last_server: u64,
    behaviours: BTreeMap<u64, Behaviour>,
    requests_per_second: f64,
    ticked: Duration,
    lost: f64,
    calls: Vec<&'static str>,
    fault: Option<Fault>,
    broken: BTreeMap<&'static str, Class>,
    needs_scaling: bool,
    probes: VecDeque<u16>,
}

pub(super) struct World {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: load goes on until now, the effect takes place, faults strike.
    pub(super) async fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        let now = self.clock.elapsed();
        let (result, hang) = {
            let mut state = self.state();
            state.load_until(now);
            state.calls.push(name);
            let fault = state.fault.as_mut().and_then(|fault| {
                fault.call = fault.call.saturating_sub(1);
                (fault.call == 0).then(|| fault.at.clone())
            });
            if fault.is_some() {
                state.fault = None;
            }
            if let Some(class) = state.broken.get(name) {
                return Err(Error::new(
                    *class,
                    format!("{name} is broken in this world"),
                ));
            }
            match fault {
                None => (effect(&mut state), false),
                Some(FaultAt::Before(class)) => {
                    (Err(Error::new(class, format!("{name} fails here"))), false)
                }
                Some(FaultAt::After(class)) => (
                    effect(&mut state).and(Err(Error::new(
                        class,
                        format!("the answer of {name} is lost"),
                    ))),
                    false,
                ),
                Some(FaultAt::Cancel(cancel)) => {
                    cancel.cancel();
                    // Taking away is past the point where a cancellation drops the call.
                    (
                        effect(&mut state),
                        !matches!(name, "drain" | "remove" | "teardown"),
                    )
                }
            }
        };
        if hang {
            std::future::pending::<()>().await;
        }
        result
    }
}

impl State {
    pub(super) fn lease_port(
        &mut self,
        mark: &Mark,
        preferred: Option<u16>,
        first: u16,
        last: u16,
    ) -> Result<u16> {
        if let Some((port, _)) = self.ports.iter().find(|(_, owner)| *owner == mark) {
            return Ok(*port);
        }
        let in_use: Vec<u16> = self.servers.values().map(|server| server.port).collect();
        let free = |port: &u16| {
            let ours = self
                .ports
                .get(port)
                .is_none_or(|owner| owner.endpoint == mark.endpoint);
            ours && !in_use.contains(port) && (first..=last).contains(port)
        };
        let port = preferred
            .filter(free)
            .or_else(|| (first..=last).find(free))
            .ok_or_else(|| {
                Error::conflict(format!(
                    "every port of {first}-{last} is in use; choose another range"
                ))
                .at("local.port_range")
            })?;
        self.ports.insert(port, mark.clone());
        Ok(port)
    }

    pub(super) fn start_server(&mut self, mark: &Mark, port: u16) -> u64 {
        if let Some((id, _)) = self.servers.iter().find(|(_, server)| server.mark == *mark) {
            return *id;
        }
        self.last_server += 1;
        let server = MemoryServer {
            mark: mark.clone(),
            port,
            revisions: BTreeMap::new(),
            routing: Routing::default(),
            started: self.ticked,
        };
        self.servers.insert(self.last_server, server);
        self.last_server
    }

    fn behaviour(&self, version: u64) -> Behaviour {
        self.behaviours.get(&version).copied().unwrap_or_default()
    }

    /// Lets clients ask until `now`. A request that meets no ready revision is lost.
    fn load_until(&mut self, now: Duration) {
        let requests = now.saturating_sub(self.ticked).as_secs_f64() * self.requests_per_second;
        self.ticked = now.max(self.ticked);
        if requests <= 0.0 {
            return;
        }
        let behaviours = &self.behaviours;
        for server in self.servers.values_mut() {
            let served = !server.routing.is_silent();
            for routing in server.routing.variants.values() {
                for (name, weight) in &routing.weights {
                    let share = |of: u32| {
                        f64::from(of) / f64::from(WHOLE) * f64::from(*weight) / f64::from(WHOLE)
                    };
                    match server
                        .revisions
                        .get_mut(name)
                        .filter(|loaded| loaded.loading == 0 && !loaded.draining)
                    {
                        Some(loaded) => {
                            let rate = behaviours
                                .get(&loaded.revision.version)
                                .map_or(0.0, |b| b.error_rate);
                            loaded.live.add(requests * share(routing.traffic), rate);
                            loaded.shadow.add(requests * share(routing.shadow), rate);
                        }
                        None if served => self.lost += requests * share(routing.traffic),
                        None => {}
                    }
                }
            }
        }
    }

    fn server(&mut self, server: &Server) -> Result<&mut MemoryServer> {
        let handle: Handle = server.handle()?;
        self.servers.get_mut(&handle.id).ok_or_else(|| {
            Error::not_found(format!("the server at {} does not run", server.invoke_url))
        })
    }
}

impl Tallied {
    fn add(&mut self, requests: f64, error_rate: f64) {
        self.requests += requests;
        self.errors += requests * error_rate;
    }

    fn counters(self, latency: Duration) -> Counters {
        let requests = (self.requests + 1e-6) as u64;
        let mut buckets = vec![0; LATENCY_BOUNDS_MICROS.len() + 1];
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_MICROS
            .iter()
            .position(|bound| micros <= *bound)
            .unwrap_or(buckets.len() - 1);
        buckets[bucket] = requests;
        Counters {
            requests,
            errors: (self.errors + 1e-6) as u64,
            refused: 0,
            duration_micros: requests.saturating_mul(micros),
            buckets,
        }
    }
}

/// The target in memory. Clones share the world.
#[derive(Clone)]
pub struct MemoryTarget(Arc<World>);

impl MemoryTarget {
    /// An empty world that keeps this time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State {
            ticked: clock.elapsed(),
            ..State::default()
        };
        Self(Arc::new(World {
            clock,
            state: Mutex::new(state),
        }))
    }

    /// Clients ask every server so often.
    pub fn set_load(&self, requests_per_second: f64) {
        self.0.state().requests_per_second = requests_per_second;
    }

    /// How this version behaves from now on, whatever its model.
    pub fn set_behaviour(&self, version: u64, behaviour: Behaviour) {
        self.0.state().behaviours.insert(version, behaviour);
    }

    /// Capacity has to be asked for, as on a target with instances.
    pub fn set_needs_scaling(&self) {
        self.0.state().needs_scaling = true;
    }

    /// The statuses that the next probes answer, in turn; those after them are answered as ever.
    pub fn set_probes(&self, statuses: impl IntoIterator<Item = u16>) {
        self.0.state().probes = statuses.into_iter().collect();
    }

    /// Sets a fault, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.0.state().fault = fault;
    }

    /// Every call of this name fails from now on; `None` mends it.
    pub fn set_broken(&self, name: &'static str, class: Option<Class>) {
        let mut state = self.0.state();
        match class {
            Some(class) => state.broken.insert(name, class),
            None => state.broken.remove(name),
        };
    }

    /// Every server dies.
    pub fn kill_servers(&self) {
        self.0.state().servers.clear();
    }

    /// The names of all calls so far, and forgets them.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.state().calls)
    }

    /// Requests that no revision answered, since the beginning.
    pub fn lost(&self) -> f64 {
        let mut state = self.0.state();
        state.load_until(self.0.clock.elapsed());
        state.lost
    }

    /// The world as it is.
    pub fn view(&self) -> WorldView {
        let state = self.0.state();
        let servers = state.servers.values().map(|server| {
            let mut revisions: Vec<RevisionView> = server
                .revisions
                .values()
                .map(|loaded| RevisionView {
                    variant: loaded.revision.variant.to_string(),
                    version: loaded.revision.version,
                    share: server.routing.share_of(&loaded.revision.name),
                })
                .collect();
            revisions.sort();
            (server.port, ServerView { revisions })
        });
        WorldView {
            servers: servers.collect(),
            ports: state.ports.keys().copied().collect(),
        }
    }
}

const POLL: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(30);

#[async_trait]
impl Target for MemoryTarget {
    fn kind(&self) -> &'static str {
        "local"
    }

    fn satisfies(&self, server: &Server, spec: &EndpointSpec) -> bool {
        let TargetSpec::Local(local) = &spec.target;
        server.port.is_some_and(|port| local.ports().contains(port))
    }

    fn steps(&self, request: &ProvisionRequest) -> Result<Provision> {
        super::provision::steps(&self.0, request)
    }

    async fn ensure_revision(&self, server: &Server, revision: &Revision) -> Result<Progress<()>> {
        self.0
            .call("ensure_revision", |state| {
                let behaviour = state.behaviour(revision.version);
                let needs_scaling = state.needs_scaling;
                let server = state.server(server)?;
                if !behaviour.loads {
                    return Err(Error::invalid(format!(
                        "revision {} cannot be loaded",
                        revision.name
                    )));
                }
                let loaded = server
                    .revisions
                    .entry(revision.name.clone())
                    .or_insert_with(|| Loaded {
                        revision: revision.clone(),
                        loading: 2,
                        draining: false,
                        instances: u32::from(!needs_scaling),
                        live: Tallied::default(),
                        shadow: Tallied::default(),
                    });
                loaded.loading = loaded.loading.saturating_sub(1);
                Ok(if loaded.loading == 0 {
                    Progress::Done(())
                } else {
                    Progress::again(POLL, SOON)
                })
            })
            .await
    }

    async fn set_weights(&self, server: &Server, routing: &Routing) -> Result<()> {
        routing.validate()?;
        self.0
            .call("set_weights", |state| {
                let needs_scaling = state.needs_scaling;
                let server = state.server(server)?;
                for name in routing
                    .variants
                    .values()
                    .flat_map(|v| v.weights.iter().filter(|(_, w)| **w > 0))
                {
                    let ready = server
                        .revisions
                        .get(name.0)
                        .filter(|r| r.loading == 0 && !r.draining);
                    let ready = ready.filter(|r| !needs_scaling || r.instances > 0);
                    ready.ok_or_else(|| {
                        Error::conflict(format!("revision {} is not ready for weight", name.0))
                    })?;
                }
                server.routing = routing.clone();
                Ok(())
            })
            .await
    }

    async fn scale(
        &self,
        server: &Server,
        revision: &RevisionName,
        instances: u32,
    ) -> Result<Progress<()>> {
        self.0
            .call("scale", |state| {
                let server = state.server(server)?;
                let loaded = server.revisions.get_mut(revision);
                let loaded = loaded.ok_or_else(|| {
                    Error::not_found(format!("revision {revision} is not loaded"))
                })?;
                if loaded.instances < instances {
                    loaded.instances += 1;
                }
                Ok(if loaded.instances >= instances {
                    Progress::Done(())
                } else {
                    Progress::again(POLL, SOON)
                })
            })
            .await
    }

    async fn drain(
        &self,
        server: &Server,
        revision: &RevisionName,
        _: u64,
    ) -> Result<Progress<()>> {
        self.0
            .call("drain", |state| {
                let Ok(server) = state.server(server) else {
                    return Ok(Progress::Done(()));
                };
                let Some(loaded) = server.revisions.get_mut(revision) else {
                    return Ok(Progress::Done(()));
                };
                let was_draining = std::mem::replace(&mut loaded.draining, true);
                Ok(if was_draining {
                    Progress::Done(())
                } else {
                    Progress::again(POLL, SOON)
                })
            })
            .await
    }

    async fn remove(&self, server: &Server, revision: &RevisionName) -> Result<Progress<()>> {
        self.0
            .call("remove", |state| {
                if let Ok(server) = state.server(server) {
                    server.revisions.remove(revision);
                }
                Ok(Progress::Done(()))
            })
            .await
    }

    async fn observe(&self, server: &Server) -> Result<Observation> {
        self.0
            .call("observe", |state| {
                let behaviours = state.behaviours.clone();
                let now = state.ticked;
                let Ok(server) = state.server(server) else {
                    return Ok(Observation::dead("the process has ended"));
                };
                let nonce = format!("{}@{:?}", server.mark.deployment, server.started);
                let mut metrics = BTreeMap::new();
                let mut revisions = BTreeMap::new();
                for (name, loaded) in &server.revisions {
                    let behaviour = behaviours
                        .get(&loaded.revision.version)
                        .copied()
                        .unwrap_or_default();
                    let variant: VariantName = loaded.revision.variant.clone();
                    let counted = RevisionMetrics {
                        variant: variant.to_string(),
                        live: loaded.live.counters(behaviour.latency),
                        shadow: loaded.shadow.counters(behaviour.latency),
                    };
                    metrics.insert(name.to_string(), counted);
                    let state = match loaded {
                        Loaded { draining: true, .. } => RevisionState::Draining,
                        Loaded { loading: 0, .. } => RevisionState::Ready,
                        _ => RevisionState::Loading,
                    };
                    let seen = RevisionObservation {
                        variant,
                        state,
                        instances: loaded.instances,
                        in_flight: 0,
                        failure: None,
                    };
                    revisions.insert(name.clone(), seen);
                }
                let taken_at_unix_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
                Ok(Observation {
                    alive: true,
                    reason: None,
                    revisions,
                    routing: server.routing.clone(),
                    metrics: Some(MetricsSnapshot {
                        nonce,
                        taken_at_unix_ms,
                        revisions: metrics,
                    }),
                })
            })
            .await
    }

    async fn probe(&self, server: &Server, path: &str, _: Duration) -> Result<Probe> {
        self.0
            .call("probe", |state| {
                state.server(server)?;
                let status = match state.probes.pop_front() {
                    Some(status) => status,
                    None if path.starts_with("/v2/health/") => 200,
                    None => 404,
                };
                Ok(Probe {
                    healthy: (200..300).contains(&status),
                    answer: format!("status {status}"),
                })
            })
            .await
    }

    async fn smoke(
        &self,
        server: &Server,
        revision: &RevisionName,
        request: &SmokeRequest,
    ) -> Result<SmokeReport> {
        self.0
            .call("smoke", |state| {
                let version = state
                    .server(server)?
                    .revisions
                    .get(revision)
                    .map(|loaded| loaded.revision.version);
                let version = version.ok_or_else(|| {
                    Error::not_found(format!("revision {revision} is not loaded"))
                })?;
                let passed = state.behaviour(version).passes_smoke;
                Ok(SmokeReport {
                    passed,
                    status: 200,
                    answer: request.inputs.clone(),
                    mismatch: (!passed).then(|| "predictions differ".to_owned()),
                    duration_micros: 1,
                })
            })
            .await
    }

    async fn teardown(&self, server: &Server, _: u64) -> Result<Progress<()>> {
        self.0
            .call("teardown", |state| {
                let handle: Handle = server.handle()?;
                state.servers.remove(&handle.id);
                if let Some(port) = server.port
                    && !state.servers.values().any(|other| other.port == port)
                {
                    state.ports.remove(&port);
                }
                Ok(Progress::Done(()))
            })
            .await
    }

    async fn last_logs(&self, server: &Server, _: usize) -> Result<Vec<String>> {
        self.0
            .call("last_logs", |state| {
                let server = state.server(server)?;
                let mut lines = vec![format!("server on port {}", server.port)];
                for loaded in server.revisions.values() {
                    let Revision {
                        name, environment, ..
                    } = &loaded.revision;
                    lines.push(format!("revision {name} began with {environment:?}"));
                }
                Ok(lines)
            })
            .await
    }
}
