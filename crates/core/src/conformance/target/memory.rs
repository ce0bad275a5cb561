//! The target over the world in memory, with knobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::calls::{Fault, World};
use super::world::{
    Behaviour, Handle, Lack, Loaded, RevisionView, Scaled, ServerView, WorldView, version_of,
};
use crate::clock::Clock;
use crate::endpoint::spec::{Autoscaling, EndpointSpec, TargetSpec};
use crate::error::{Class, Error, Result};
use crate::names::VariantName;
use crate::rollout::Answer;
use crate::rollout::query::ServerQuery;
use crate::saga::Progress;
use crate::serving::{MetricsSnapshot, RevisionMetrics, SmokeReport, SmokeRequest};
use crate::target::{
    Alarm, Observation, Probe, Provision, ProvisionRequest, Revision, RevisionName,
    RevisionObservation, RevisionState, Routing, Server, Target,
};

/// The target in memory. Clones share the world.
#[derive(Clone)]
pub struct MemoryTarget(Arc<World>);

impl MemoryTarget {
    /// An empty world that keeps this time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(World::new(clock)))
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

    /// All requests together need so many instances from now on, and every autoscaler has seen it.
    pub fn set_demand(&self, instances: u32) {
        let mut state = self.0.state();
        state.demand = instances;
        state.follow();
    }

    /// What answered more than its instances can, since the beginning.
    pub fn starved(&self) -> Vec<String> {
        let mut state = self.0.state();
        state.load_until(self.0.clock.elapsed());
        state.starved.clone()
    }

    /// How many instances each revision has, and what they follow, by version.
    pub fn scaled(&self) -> BTreeMap<u64, (u32, Option<Scaled>)> {
        let state = self.0.state();
        let loaded = state
            .servers
            .values()
            .flat_map(|one| one.revisions.values());
        let told = |one: &Loaded| {
            (
                version_of(&one.revision),
                (one.instances, one.scaled.clone()),
            )
        };
        loaded.map(told).collect()
    }

    /// Somebody makes instances follow something else, or nothing.
    pub fn set_autoscaling(&self, wanted: Option<&Autoscaling>) {
        let mut state = self.0.state();
        for loaded in state
            .servers
            .values_mut()
            .flat_map(|one| one.revisions.values_mut())
        {
            let wanted = wanted.cloned();
            loaded.scaled = wanted.map(|wanted| Scaled { wanted, hold: None });
        }
    }

    /// The statuses that the next probes answer, in turn; those after them are answered as ever.
    pub fn set_probes(&self, statuses: impl IntoIterator<Item = u16>) {
        self.0.state().probes = statuses.into_iter().collect();
    }

    /// Probes go by each revision from now on, as on ECS.
    pub fn probe_revisions(&self) {
        self.0.state().probes_revisions = true;
    }

    /// What an alarm is so long from now on; with `None` there is none of this name any more.
    pub fn set_alarm(&self, name: &str, after: Duration, alarm: Option<Alarm>) {
        let from = self.0.clock.elapsed() + after;
        let mut state = self.0.state();
        let moments = state.alarms.entry(name.to_owned()).or_default();
        moments.insert(from, alarm);
    }

    /// What the metrics store says of this version, so long after a stage began.
    pub fn set_measured(&self, version: u64, after: Duration, number: f64) {
        self.0.state().measured.insert(version, (after, number));
    }

    /// Sets a fault, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.0.state().script.fault = fault;
    }

    /// Every call of this name fails from now on; `None` mends it.
    pub fn set_broken(&self, name: &'static str, class: Option<Class>) {
        let mut state = self.0.state();
        let broken = &mut state.script.broken;
        match class {
            Some(class) => {
                broken.insert(name, (class, format!("{name} is broken in this world")));
            }
            None => {
                broken.remove(name);
            }
        }
    }

    /// Every call of this name fails from now on, and says this.
    pub fn set_broken_saying(&self, name: &'static str, class: Class, message: &str) {
        let mut state = self.0.state();
        state
            .script
            .broken
            .insert(name, (class, message.to_owned()));
    }

    /// From so long on, and until so long from now, this version has an instance less than it is asked for; `why` it does not come, if that is known.
    pub fn set_lacking(&self, version: u64, from: Duration, until: Duration, why: Option<&str>) {
        let now = self.0.clock.elapsed();
        let lack = Lack {
            from: now + from,
            until: now + until,
            why: why.map(str::to_owned),
        };
        self.0.state().lacking.insert(version, lack);
    }

    /// Every server dies.
    pub fn kill_servers(&self) {
        self.0.state().servers.clear();
    }

    /// The names of all calls so far, and forgets them.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.state().script.calls)
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
                    version: version_of(&loaded.revision),
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
        match &spec.target {
            TargetSpec::Local(local) => {
                server.port.is_some_and(|port| local.ports().contains(port))
            }
            TargetSpec::Ecs(_) => true,
        }
    }

    fn steps(&self, request: &ProvisionRequest) -> Result<Provision> {
        super::provision::steps(&self.0, request)
    }

    fn probes_revisions(&self) -> bool {
        self.0.state().probes_revisions
    }

    async fn ensure_revision(&self, server: &Server, revision: &Revision) -> Result<Progress<()>> {
        self.0
            .call("ensure_revision", |state| {
                let behaviour = state.behaviour(version_of(revision));
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
                        instances: if needs_scaling { 0 } else { revision.instances },
                        ..Loaded::new(revision, 2)
                    });
                if loaded.loading == 0 && loaded.lapses < behaviour.lapses {
                    loaded.lapses += 1;
                    loaded.loading = 2;
                } else {
                    loaded.loading = loaded.loading.saturating_sub(1);
                }
                Ok(if loaded.loading == 0 {
                    Progress::Done(())
                } else {
                    Progress::again(POLL, SOON)
                })
            })
            .await
    }

    /// It comes to be ready later, if it can be loaded.
    async fn make_revision(&self, server: &Server, revision: &Revision) -> Result<Progress<()>> {
        self.0
            .call("make_revision", |state| {
                let server = state.server(server)?;
                server
                    .revisions
                    .entry(revision.name.clone())
                    .or_insert_with(|| Loaded {
                        unseen: true,
                        ..Loaded::new(revision, 3)
                    });
                Ok(Progress::Done(()))
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
                        .filter(|r| (r.loading == 0 || r.unseen) && !r.draining);
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

    async fn autoscale(
        &self,
        server: &Server,
        revision: &RevisionName,
        wanted: Option<&Autoscaling>,
        hold: Option<u32>,
    ) -> Result<Progress<()>> {
        self.0
            .call("autoscale", |state| {
                let loaded = state.server(server)?.revisions.get_mut(revision);
                let loaded = loaded.ok_or_else(|| {
                    Error::not_found(format!("revision {revision} is not loaded"))
                })?;
                let wanted = wanted.cloned();
                loaded.scaled = wanted.map(|wanted| Scaled { wanted, hold });
                state.follow();
                Ok(Progress::Done(()))
            })
            .await
    }

    async fn autoscaling(
        &self,
        server: &Server,
        revision: &RevisionName,
    ) -> Result<Option<Autoscaling>> {
        self.0
            .call("autoscaling", |state| {
                let Ok(server) = state.server(server) else {
                    return Ok(None);
                };
                let loaded = server.revisions.get(revision);
                let scaled = loaded.and_then(|loaded| loaded.scaled.as_ref());
                Ok(scaled.map(|scaled| scaled.wanted.clone()))
            })
            .await
    }

    async fn can_measure(&self) -> Result<()> {
        self.0.call("can_measure", |_| Ok(())).await
    }

    async fn measure(
        &self,
        server: &Server,
        revision: &RevisionName,
        _: ServerQuery,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Answer> {
        self.0
            .call("measure", |state| {
                let loaded = state.server(server)?.revisions.get(revision);
                let version = loaded.map(|loaded| version_of(&loaded.revision));
                let told = version.and_then(|version| state.measured.get(&version));
                let passed = Duration::try_from(now.duration_since(since));
                let told = told.filter(|(after, _)| passed.is_ok_and(|passed| passed >= *after));
                Ok(match told {
                    Some((_, number)) => Answer::Number(*number),
                    None => Answer::Nothing("no minute is over".to_owned()),
                })
            })
            .await
    }

    async fn alarms(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Alarm>> {
        self.0
            .call("alarms", |state| {
                let told = names.iter().filter_map(|name| {
                    let (_, alarm) = state.alarms.get(name)?.range(..=state.ticked).next_back()?;
                    Some((name.clone(), alarm.clone()?))
                });
                Ok(told.collect())
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
                let lacking = state.lacking.clone();
                let Ok(server) = state.server(server) else {
                    return Ok(Observation::dead("the process has ended"));
                };
                let nonce = format!("{}@{:?}", server.mark.deployment, server.started);
                let mut metrics = BTreeMap::new();
                let mut revisions = BTreeMap::new();
                for (name, loaded) in &mut server.revisions {
                    let behaviour = behaviours
                        .get(&version_of(&loaded.revision))
                        .copied()
                        .unwrap_or_default();
                    if loaded.unseen && behaviour.loads {
                        // It starts while nobody waits.
                        loaded.loading = loaded.loading.saturating_sub(1);
                    }
                    let loaded = &*loaded;
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
                    let lack = lacking.get(&version_of(&loaded.revision));
                    let lack = lack.filter(|lack| (lack.from..lack.until).contains(&now));
                    let seen = RevisionObservation {
                        variant,
                        state,
                        instances: loaded.instances,
                        wanted: loaded.instances + u32::from(lack.is_some()),
                        in_flight: 0,
                        failure: lack.and_then(|lack| lack.why.clone()),
                    };
                    revisions.insert(name.clone(), seen);
                }
                let taken_at_unix_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
                Ok(Observation {
                    alive: true,
                    reason: None,
                    lacks: None,
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
                    .map(|loaded| version_of(&loaded.revision));
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
