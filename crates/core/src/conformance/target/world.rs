//! A world of servers in memory, under a steady load.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::calls::Script;
use crate::endpoint::spec::Autoscaling;
use crate::error::{Error, Result};
use crate::serving::{Counters, LATENCY_BOUNDS_MICROS, WHOLE};
use crate::target::{Alarm, Revision, RevisionName, Routing, Server};

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
    /// How often it stops being ready, right after it was.
    pub lapses: u32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            error_rate: 0.0,
            latency: Duration::from_millis(1),
            loads: true,
            passes_smoke: true,
            lapses: 0,
        }
    }
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
    /// Its version; 0 if it runs an image.
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
    pub(super) port: u16,
    pub(super) revisions: BTreeMap<RevisionName, Loaded>,
    pub(super) routing: Routing,
    pub(super) started: Duration,
}

pub(super) struct Loaded {
    pub(super) revision: Revision,
    /// Looks until it is ready.
    pub(super) loading: u32,
    /// How often it stopped being ready.
    pub(super) lapses: u32,
    pub(super) draining: bool,
    /// Nobody waits for it: it may have weight before it is ready.
    pub(super) unseen: bool,
    pub(super) instances: u32,
    pub(super) scaled: Option<Scaled>,
    pub(super) live: Tallied,
    pub(super) shadow: Tallied,
}

impl Loaded {
    /// One that somebody waits for, and that is ready after so many looks.
    pub(super) fn new(revision: &Revision, loading: u32) -> Self {
        Self {
            revision: revision.clone(),
            loading,
            lapses: 0,
            draining: false,
            unseen: false,
            instances: revision.instances,
            scaled: None,
            live: Tallied::default(),
            shadow: Tallied::default(),
        }
    }
}

/// When a version has an instance too few.
#[derive(Debug, Clone)]
pub(super) struct Lack {
    pub(super) from: Duration,
    pub(super) until: Duration,
    /// What keeps it from coming.
    pub(super) why: Option<String>,
}

/// What the number of instances follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaled {
    /// As it was asked for.
    pub wanted: Autoscaling,
    /// Whether, while traffic moves, none is taken away, and how many there may be.
    pub hold: Option<u32>,
}

/// Counters with fractions, so that small shares add up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tallied {
    requests: f64,
    errors: f64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) servers: BTreeMap<u64, MemoryServer>,
    pub(super) ports: BTreeMap<u16, Mark>,
    pub(super) last_server: u64,
    pub(super) behaviours: BTreeMap<u64, Behaviour>,
    pub(super) requests_per_second: f64,
    pub(super) ticked: Duration,
    pub(super) lost: f64,
    pub(super) script: Script,
    pub(super) needs_scaling: bool,
    /// Instances that all requests together need.
    pub(super) demand: u32,
    pub(super) starved: Vec<String>,
    /// Versions that have an instance too few for a while.
    pub(super) lacking: BTreeMap<u64, Lack>,
    pub(super) probes: VecDeque<u16>,
    pub(super) probes_revisions: bool,
    /// What the metrics store says of each version, and how long after a stage began.
    pub(super) measured: BTreeMap<u64, (Duration, f64)>,
    /// What each alarm is, from when on.
    pub(super) alarms: BTreeMap<String, BTreeMap<Duration, Option<Alarm>>>,
}

impl State {
    /// Empty, at this time.
    pub(super) fn at(now: Duration) -> Self {
        Self {
            ticked: now,
            ..Self::default()
        }
    }

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

    pub(super) fn behaviour(&self, version: u64) -> Behaviour {
        self.behaviours.get(&version).copied().unwrap_or_default()
    }

    /// Lets clients ask until `now`. A request that meets no ready revision is lost.
    pub(super) fn load_until(&mut self, now: Duration) {
        let requests = now.saturating_sub(self.ticked).as_secs_f64() * self.requests_per_second;
        self.ticked = now.max(self.ticked);
        self.note_starved();
        self.follow();
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
                                .get(&version_of(&loaded.revision))
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

    /// Notes what answers more than its instances can.
    fn note_starved(&mut self) {
        let demand = self.demand;
        for server in self.servers.values() {
            for (name, loaded) in &server.revisions {
                let needed = needed(demand, server.routing.share_of(name));
                if loaded.instances < needed {
                    let has = loaded.instances;
                    self.starved
                        .push(format!("{name} has {has} instances and needs {needed}"));
                }
            }
        }
    }

    /// Autoscalers look at the load, and at nothing else.
    pub(super) fn follow(&mut self) {
        let demand = self.demand;
        for server in self.servers.values_mut() {
            for (name, loaded) in &mut server.revisions {
                let Some(Scaled { wanted, hold }) = &loaded.scaled else {
                    continue;
                };
                let most = wanted.max.max(hold.unwrap_or(0));
                let asked = needed(demand, server.routing.share_of(name));
                let within = asked.clamp(wanted.min, most);
                loaded.instances = match hold {
                    Some(_) => loaded.instances.clamp(within, most),
                    None => within,
                };
            }
        }
    }

    pub(super) fn server(&mut self, server: &Server) -> Result<&mut MemoryServer> {
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

    pub(super) fn counters(self, latency: Duration) -> Counters {
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

/// Instances that this share, out of `WHOLE * WHOLE`, of all requests needs.
fn needed(demand: u32, share: u64) -> u32 {
    let whole = u64::from(WHOLE) * u64::from(WHOLE);
    u32::try_from((u64::from(demand) * share).div_ceil(whole)).unwrap_or(u32::MAX)
}

/// By which a revision's behaviour is told; images are all alike here, and no version has number 0.
pub(super) fn version_of(revision: &Revision) -> u64 {
    revision.workload.number().unwrap_or(0)
}
