//! Many endpoints of one process that wait at the same time: how often AWS is called, and how often each is looked at.

mod cloud;
mod registry;
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures::future::{join, join_all};
use mlops_core::clock::{Clock as _, RandomIds};
use mlops_core::endpoint::ports::EndpointPorts;
use mlops_core::endpoint::spec::{OnFailure, RolloutSpec};
use mlops_core::endpoint::{Percent, Period};
use mlops_core::memory::{MemoryArtifacts, MemoryRecords, MemorySessions};
use mlops_core::registry::leases::Holder;
use mlops_core::registry::sessions::HeldInMemory;
use mlops_core::registry::{Heartbeat, ModelSpec, Registry};
use mlops_core::rollout::{Move, Rollout, RolloutInput, RolloutPlan, Stage};
use mlops_core::saga::{Progress, Step as _};
use mlops_core::serving::WHOLE;
use mlops_core::target::{Revision, RevisionName, Routing, Target, VariantRouting};
use uuid::Uuid;

use self::cloud::{Cloud, LATENCY, Listener, Made, Service};
use self::registry::Counted;
use self::time::Simulated;
use super::super::handle::Handle;
use super::super::{EcsTarget, EcsTargetSettings, Parts, names};
use super::{deployment, handle, revision, variant, version};
use crate::AwsClients;
use crate::elb::tags;
use crate::read_ahead::ReadAhead;
use crate::support::table;

/// How long a stage bakes here.
const BAKE: Duration = Duration::from_secs(300);
/// Fifty shifts at once, of five calls each and more, are no waiting.
const START: Duration = Duration::from_secs(60);
/// How long a heartbeat of an endpoint's lease lasts.
const LEASE: Duration = Duration::from_secs(60);
/// What all of them together may call in a second, of AWS and of the registry.
const MOST: f64 = 5.0;
/// How often each target group under bake has to be seen.
const SEEN_EVERY: Duration = Duration::from_secs(15);

struct Crowd {
    clock: Arc<Simulated>,
    cloud: Cloud,
    target: Arc<EcsTarget>,
    registry: Registry,
    endpoints: Vec<Endpoint>,
}

struct Endpoint {
    handle: Handle,
    old: Revision,
    new: Revision,
}

impl Endpoint {
    fn numbered(number: u128) -> Self {
        let mut handle = handle();
        handle.owner.endpoint = Uuid::from_u128(number + 1);
        handle.owner.name = format!("digits-{number}").parse().expect("legal");
        handle.front.arn = format!("listener-{number}");
        let of = |version_number| {
            let mut revision = revision();
            revision.name = RevisionName::new(&revision.variant, version_number, &deployment(1));
            revision.workload = version(version_number);
            revision.startup_timeout = Period::seconds(3600);
            revision
        };
        Self {
            handle,
            old: of(1),
            new: of(2),
        }
    }

    fn service(&self, revision: &Revision) -> String {
        names::service(&self.handle.owner, &revision.name)
    }

    fn group(&self, revision: &Revision) -> String {
        format!("group-{}", self.service(revision))
    }

    /// The listener with both revisions behind it, the old one at work.
    fn make(&self, cloud: &Cloud) {
        let owner = &self.handle.owner;
        let text = |tags: BTreeMap<&str, String>| {
            let pairs = tags.into_iter();
            pairs.map(|(key, value)| (key.to_owned(), value)).collect()
        };
        let mut state = cloud.state();
        let listener = self.handle.front.arn.clone();
        (state.tags).insert(listener.clone(), text(tags::of(owner, None)));
        let mut groups = Vec::new();
        for (revision, weight) in [(&self.old, 100), (&self.new, 0)] {
            let (group, service) = (self.group(revision), self.service(revision));
            for thing in [&group, &service] {
                let tags = text(tags::of(owner, Some(revision)));
                state.tags.insert(thing.clone(), tags);
            }
            let at_work = Service {
                family: service.clone(),
                running: 1,
                pending: 0,
                healthy: 1,
            };
            state.services.insert(service.clone(), at_work);
            state.behind.insert(group.clone(), service);
            groups.push((group, weight));
        }
        state.listeners.insert(listener, Listener { groups });
    }

    fn rollout(&self) -> RolloutInput {
        let only = |revision: &Revision| {
            let weights = BTreeMap::from([(revision.name.clone(), WHOLE)]);
            let routing = VariantRouting {
                traffic: WHOLE,
                shadow: 0,
                weights,
            };
            Routing {
                variants: [(variant("main"), routing)].into(),
            }
        };
        let stage = |traffic: u8, bake| Stage {
            traffic: Percent::from(traffic),
            mirror: Percent::ZERO,
            bake,
            pause: false,
        };
        RolloutInput {
            server: self.handle.server().expect("a server"),
            deployment: deployment(1),
            plan: RolloutPlan {
                before: only(&self.old),
                after: only(&self.new),
                moves: vec![Move {
                    variant: variant("main"),
                    old: Some(self.old.name.clone()),
                    new: self.new.name.clone(),
                    copy: None,
                }],
                stages: vec![
                    stage(10, Period::seconds(BAKE.as_secs())),
                    stage(100, Period::ZERO),
                ],
            },
            analysis: BTreeMap::new(),
            versions: BTreeMap::new(),
            alarms: Default::default(),
            aside: Default::default(),
            on_failure: OnFailure::Rollback,
            max_duration: RolloutSpec::default().max_duration,
        }
    }
}

impl Crowd {
    async fn of(count: u128) -> Self {
        let clock = Arc::new(Simulated::default());
        let cloud = Cloud::new(clock.clone());
        let http = SharedHttpClient::new(cloud.clone());
        let settings = table::settings("http://127.0.0.1:1");
        let clients = AwsClients::over(http, clock.clone(), settings);
        let records = Counted {
            records: MemoryRecords::default(),
            cloud: cloud.clone(),
            clock: clock.clone(),
        };
        let records = Arc::new(ReadAhead::new(Arc::new(records)));
        let endpoints: Vec<Endpoint> = (0..count).map(Endpoint::numbered).collect();
        endpoints.iter().for_each(|one| one.make(&cloud));
        // What is loaded once, from files perhaps, is no part of it.
        for client in [
            clients.ecs().await.map(drop),
            clients.elbv2().await.map(drop),
        ] {
            client.expect("a client");
        }
        let settings = EcsTargetSettings {
            bucket: "registry".to_owned(),
            prefix: String::new(),
            kms_key_arn: None,
            path_style: true,
        };
        Self {
            target: Arc::new(EcsTarget::with_clock(
                clients.clone(),
                Parts {
                    settings,
                    records: records.clone(),
                    images: Arc::new(crate::images::Registries::with_clients(clients)),
                    clock: clock.clone(),
                },
            )),
            registry: Registry::new(
                records,
                Arc::new(MemoryArtifacts::default()),
                clock.clone(),
                Arc::new(RandomIds),
            )
            .with_sessions(
                Arc::new(MemorySessions::default()),
                Arc::new(HeldInMemory::default()),
            )
            .with_heartbeat(Heartbeat::default()),
            clock,
            cloud,
            endpoints,
        }
    }

    /// As a saga's executor does: calls the rollout's step until it is done, and keeps the endpoint's lease.
    async fn roll_out(&self, endpoint: &Endpoint) {
        let holder = Holder::new("a test");
        let lease = format!("endpoint {}", endpoint.handle.owner.name);
        let lease = self.registry.acquire_lease(&lease, holder, LEASE).await;
        let lease = lease.expect("free");
        let target: Arc<dyn Target> = self.target.clone();
        let identity = format!("ecs/models/{}", endpoint.handle.owner.name);
        let ports = EndpointPorts::alone(target, self.registry.clone(), identity);
        let input = endpoint.rollout();
        let mut checkpoint = None;
        loop {
            let called = Rollout::forward(&ports, input.clone(), checkpoint).await;
            match called.expect("a rollout that goes well") {
                Progress::Done(_) => return,
                Progress::Pending {
                    poll_after,
                    checkpoint: at,
                    ..
                } => {
                    checkpoint = Some(at);
                    self.clock.sleep(poll_after).await;
                    let kept = self.registry.keep_lease(&lease).await;
                    kept.expect("nobody takes it");
                }
            }
        }
    }

    /// When each rollout was over.
    async fn roll_all_out(&self) -> Vec<Duration> {
        // As a process that creates something: its session shows that it lives.
        let model = "digits".parse().expect("legal");
        let made = self.registry.create_model(&model, ModelSpec::default());
        self.clock.run(made).await.expect("a model");
        let each = self.endpoints.iter().map(|endpoint| async {
            self.roll_out(endpoint).await;
            self.clock.elapsed()
        });
        self.clock.run(join_all(each)).await
    }

    /// As the executor does: calls for the new revision's start until it has started. When that was.
    async fn start(&self, endpoint: &Endpoint) -> Duration {
        let server = endpoint.handle.server().expect("a server");
        loop {
            let called = self.target.ensure_revision(&server, &endpoint.new).await;
            match called.expect("a start that goes well") {
                Progress::Done(()) => return self.clock.elapsed(),
                Progress::Pending { poll_after, .. } => self.clock.sleep(poll_after).await,
            }
        }
    }

    /// From now on the new revisions' services have these counts, and so many healthy targets.
    fn set(&self, running: u32, pending: u32, healthy: u32) {
        let mut state = self.cloud.state();
        for endpoint in &self.endpoints {
            let service = endpoint.service(&endpoint.new);
            let service = state.services.get_mut(&service).expect("it is there");
            (service.running, service.pending, service.healthy) = (running, pending, healthy);
        }
    }

    fn made(&self) -> Vec<Made> {
        self.cloud.state().made.clone()
    }

    /// The longest time that the endpoint's new target group was not looked at, while it was under bake.
    fn unseen(&self, endpoint: &Endpoint, bake: (Duration, Duration)) -> Duration {
        let group = endpoint.group(&endpoint.new);
        let looks = self
            .made()
            .into_iter()
            .filter(|call| call.operation == "DescribeTargetHealth" && call.about.contains(&group));
        let within = looks
            .map(|call| call.at)
            .filter(|at| (bake.0..bake.1).contains(at));
        let mut longest = Duration::ZERO;
        let mut last = bake.0;
        for at in within.chain([bake.1]) {
            longest = longest.max(at - last);
            last = at;
        }
        longest
    }

    /// When the endpoint's bake began and ended: at its two shifts.
    fn bake(&self, endpoint: &Endpoint) -> (Duration, Duration) {
        let shifts = self.made().into_iter().filter(|call| {
            call.operation == "ModifyListener" && call.about.contains(&endpoint.handle.front.arn)
        });
        let shifts: Vec<Duration> = shifts.map(|call| call.at).collect();
        assert_eq!(shifts.len(), 2, "{shifts:?}");
        (shifts[0], shifts[1])
    }
}

/// Calls a second between these times, and in the minute that has the most.
fn rate(calls: &[Made], from: Duration, to: Duration) -> (f64, f64) {
    let within = |from: Duration, to: Duration| {
        let these = calls.iter().filter(|call| (from..to).contains(&call.at));
        these.count() as f64 / (to - from).as_secs_f64()
    };
    let minute = Duration::from_secs(60);
    let begins = calls.iter().map(|call| call.at);
    let begins = begins.filter(|at| *at >= from && *at + minute <= to);
    let most = begins.map(|at| within(at, at + minute));
    (within(from, to), most.fold(0.0, f64::max))
}

/// No more than are allowed; a minute may begin and end with looks that are taken together.
#[track_caller]
fn check((all, minute): (f64, f64)) {
    assert!(all <= MOST, "{all} calls a second");
    assert!(minute <= MOST + 0.5, "{minute} calls a second in a minute");
}

/// How often each operation was called between these times.
fn by_operation(calls: &[Made], from: Duration, to: Duration) -> BTreeMap<&str, usize> {
    let mut all = BTreeMap::new();
    for call in calls.iter().filter(|call| (from..to).contains(&call.at)) {
        *all.entry(call.operation.as_str()).or_default() += 1;
    }
    all
}

/// The most and the least.
fn ends(all: &[Duration]) -> (Duration, Duration) {
    let (first, last) = (all.iter().min(), all.iter().max());
    (*first.expect("not none"), *last.expect("not none"))
}

#[tokio::test]
async fn fifty_bakes_at_once_are_each_seen_every_fifteen_seconds_by_five_calls_a_second() {
    let crowd = Crowd::of(50).await;
    let (first, last) = ends(&crowd.roll_all_out().await);
    // No bake is over by then.
    let rate = rate(&crowd.made(), START, BAKE);
    let unseen = crowd
        .endpoints
        .iter()
        .map(|one| crowd.unseen(one, crowd.bake(one)));
    let unseen = unseen.max().expect("50");
    println!("{rate:.2?} calls a second; unseen for {unseen:?}; over after {first:?} to {last:?}");
    println!("{:?}", by_operation(&crowd.made(), START, BAKE));
    check(rate);
    assert!(unseen <= SEEN_EVERY, "unseen for {unseen:?}");
    // Shift, bake, one look after it, and one before the next shift.
    assert!(last <= BAKE + SEEN_EVERY * 3, "over after {last:?}");
}

#[tokio::test]
async fn fifty_starts_at_once_are_waited_for_by_five_calls_a_second() {
    const MISSING: Duration = Duration::from_secs(150);
    const UNHEALTHY: Duration = Duration::from_secs(300);
    let crowd = Crowd::of(50).await;
    crowd.set(0, 1, 0);
    let starts = join_all(crowd.endpoints.iter().map(|one| crowd.start(one)));
    let progress = async {
        crowd.clock.sleep(MISSING).await;
        crowd.set(1, 0, 0);
        crowd.clock.sleep(UNHEALTHY - MISSING).await;
        crowd.set(1, 0, 1);
    };
    let (started, ()) = crowd.clock.run(join(starts, progress)).await;
    let (first, last) = ends(&started);
    let missing = rate(&crowd.made(), START, MISSING);
    let unhealthy = rate(&crowd.made(), MISSING, UNHEALTHY);
    println!("{missing:.2?} and {unhealthy:.2?} calls a second; over after {first:?} to {last:?}");
    println!("{:?}", by_operation(&crowd.made(), MISSING, UNHEALTHY));
    check(missing);
    check(unhealthy);
    assert!(
        first >= UNHEALTHY && last <= UNHEALTHY + SEEN_EVERY * 2,
        "{first:?} to {last:?}"
    );
}

/// PAINS: a fixed wait of 90 seconds.
#[tokio::test]
async fn one_endpoint_alone_is_looked_at_each_second() {
    let crowd = Crowd::of(1).await;
    let endpoint = &crowd.endpoints[0];
    let (_, over) = ends(&crowd.roll_all_out().await);
    let unseen = crowd.unseen(endpoint, crowd.bake(endpoint));
    println!("unseen for {unseen:?}, over after {over:?}");
    let second = Duration::from_secs(1);
    assert!(unseen <= second + LATENCY * 5, "unseen for {unseen:?}");
    assert!(over <= BAKE + second * 2, "over after {over:?}");
    let begun = crowd.clock.elapsed();
    crowd.set(0, 1, 0);
    let healthy = Duration::from_secs(60);
    let progress = async {
        crowd.clock.sleep(healthy).await;
        crowd.set(1, 0, 1);
    };
    let (started, ()) = crowd.clock.run(join(crowd.start(endpoint), progress)).await;
    let late = started - begun - healthy;
    assert!(
        late <= second + LATENCY * 5,
        "{late:?} after it was healthy"
    );
}

#[tokio::test]
async fn a_bake_is_longer_by_the_time_in_which_aws_let_nobody_look() {
    const FROM: Duration = Duration::from_secs(60);
    const TO: Duration = Duration::from_secs(100);
    let crowd = Crowd::of(50).await;
    crowd.cloud.state().throttled = Some((FROM, TO));
    crowd.roll_all_out().await;
    for endpoint in &crowd.endpoints {
        let (begun, over) = crowd.bake(endpoint);
        let length = over - begun;
        // Whoever had just been seen was unseen for two rounds less than the others.
        assert!(length >= BAKE + (TO - FROM) - SEEN_EVERY, "{length:?}");
        assert!(length <= BAKE + (TO - FROM) + SEEN_EVERY * 5, "{length:?}");
    }
}

#[tokio::test]
async fn who_looks_together_with_somebody_whose_front_is_gone_is_told_of_his_own() {
    let crowd = Crowd::of(3).await;
    let gone = &crowd.endpoints[1].handle.front.arn;
    crowd.cloud.state().listeners.remove(gone);
    let looks = crowd.endpoints.iter().map(|endpoint| async {
        let server = endpoint.handle.server().expect("a server");
        let watched = crowd.target.watch(&server, &[&endpoint.new.name]).await;
        let seen = watched.expect("told").seen;
        (seen.alive, seen.serves(&endpoint.new.name))
    });
    let seen = crowd.clock.run(join_all(looks)).await;
    assert_eq!(seen, [(true, true), (false, false), (true, true)]);
    // All at once in vain, and then one by one.
    let made = crowd.made();
    let fronts = made
        .iter()
        .filter(|call| call.operation == "DescribeListeners");
    let fronts: Vec<usize> = fronts.map(|call| call.about.len()).collect();
    assert_eq!(fronts, [3, 1, 1, 1]);
    assert_eq!(
        by_operation(&made, Duration::ZERO, BAKE)["DescribeServices"],
        1
    );
}
