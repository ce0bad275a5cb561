//! Sessions of machines that cannot be seen from here: only their heartbeat tells whether they live.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::*;
use crate::clock::Clock;
use crate::records::{CommitError, Identity, Item, Key, Page, Range, Records, Write};

/// Time that passes when everybody waits for it.
#[derive(Default)]
struct Turns {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    elapsed: Duration,
    count: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

#[async_trait]
impl Clock for Turns {
    fn now(&self) -> Timestamp {
        let since = SignedDuration::try_from(self.elapsed()).unwrap();
        Timestamp::UNIX_EPOCH.checked_add(since).unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.state.lock().unwrap().elapsed
    }

    async fn sleep(&self, duration: Duration) {
        let woken = {
            let mut state = self.state.lock().unwrap();
            state.count += 1;
            let at = (state.elapsed + duration, state.count);
            let (wake, woken) = oneshot::channel();
            state.sleepers.insert(at, wake);
            woken
        };
        let _ = woken.await;
    }
}

impl Turns {
    /// Runs it, with whatever else runs, and lets time pass whenever nobody can go on.
    async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            // The store is memory: so many turns bring everybody to a sleep.
            for _ in 0..200 {
                tokio::select! {
                    biased;
                    done = &mut work => return done,
                    () = tokio::task::yield_now() => {}
                }
            }
            self.next();
        }
    }

    /// Lets so much time pass.
    async fn pass(&self, duration: Duration) {
        self.run(self.sleep(duration)).await;
    }

    fn next(&self) {
        let mut state = self.state.lock().unwrap();
        if let Some(((at, _), wake)) = state.sleepers.pop_first() {
            state.elapsed = state.elapsed.max(at);
            let _ = wake.send(());
        }
    }
}

/// A store that a suspended process does not reach.
struct Reach {
    records: Arc<MemoryRecords>,
    away: AtomicBool,
}

#[async_trait]
impl Records for Reach {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.records.identity().await
    }
    fn location(&self) -> String {
        self.records.location()
    }
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.records.get(keys).await
    }
    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        self.records.query(partition, range).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(CommitError::Store(Error::unavailable("out of reach")));
        }
        self.records.commit(writes).await
    }
}

/// Machines that share a store and nothing else.
struct Machines {
    world: World,
    clock: Arc<Turns>,
}

struct Machine {
    registry: Registry,
    reach: Arc<Reach>,
}

const LONGER: Duration = Duration::from_secs(16);
const SECOND: Duration = Duration::from_secs(1);
/// The pause between two beats.
const EVERY: Duration = Duration::from_secs(4);

impl Machines {
    async fn new() -> Self {
        let machines = Self {
            world: World::new(),
            clock: Arc::default(),
        };
        let first = machines.machine().registry;
        first.create_model(&fraud(), accuracy()).await.unwrap();
        first.close_session().await.unwrap();
        machines
    }

    fn machine(&self) -> Machine {
        let reach = Arc::new(Reach {
            records: self.world.records.clone(),
            away: AtomicBool::new(false),
        });
        let registry = Registry::new(
            reach.clone(),
            self.world.artifacts.clone(),
            self.clock.clone(),
            Arc::new(RandomIds),
        )
        .with_sessions(
            Arc::new(self.world.sessions.another().elsewhere()),
            Arc::new(HeldInMemory::default()),
        )
        .with_heartbeat(Heartbeat::default());
        Machine { registry, reach }
    }

    fn new_version(&self) -> NewVersion {
        self.world.version(0.9)
    }

    async fn register(&self, machine: &Machine) -> Result<u64> {
        let registered = machine.registry.register_version(self.new_version());
        self.clock
            .run(registered)
            .await
            .map(|version| version.id.version)
    }

    /// A run that registers a version and is killed.
    async fn killed(&self) -> u64 {
        let killed = self.machine();
        self.register(&killed).await.unwrap()
    }

    fn sessions(&self) -> usize {
        let all = self.world.records.dump();
        let of = |item: &&Item| item.key.partition == "sessions";
        all.iter().filter(of).count()
    }
}

#[tokio::test]
async fn what_a_run_killed_on_another_machine_made_is_adopted_once_it_was_silent_for_long_enough() {
    let machines = Machines::new().await;
    assert_eq!(machines.killed().await, 1);
    let next = machines.machine();
    let began = machines.clock.elapsed();
    assert_eq!(machines.register(&next).await.unwrap(), 1);
    let waited = machines.clock.elapsed() - began;
    assert!(waited >= Heartbeat::default().silence, "{waited:?}");
    assert!(waited <= LONGER, "{waited:?}");
    assert_eq!(
        machines.register(&next).await.unwrap(),
        2,
        "a second, equal resource is a second version"
    );
}

#[tokio::test]
async fn from_a_run_that_lives_elsewhere_nothing_is_adopted_and_its_first_beat_ends_the_wait() {
    let machines = Machines::new().await;
    let other = machines.machine();
    assert_eq!(machines.register(&other).await.unwrap(), 1);
    let next = machines.machine();
    let began = machines.clock.elapsed();
    assert_eq!(machines.register(&next).await.unwrap(), 2);
    let waited = machines.clock.elapsed() - began;
    assert!(waited <= Duration::from_secs(5), "{waited:?}");
    let began = machines.clock.elapsed();
    assert_eq!(machines.register(&next).await.unwrap(), 3);
    assert_eq!(
        machines.clock.elapsed(),
        began,
        "it is known to live, and not watched again"
    );
}

#[tokio::test]
async fn an_hour_of_beats_keeps_a_session_its_own() {
    let machines = Machines::new().await;
    let other = machines.machine();
    machines.register(&other).await.unwrap();
    machines.clock.pass(Duration::from_secs(3600)).await;
    let next = machines.machine();
    assert_eq!(machines.register(&next).await.unwrap(), 2);
    assert_eq!(machines.register(&other).await.unwrap(), 3);
}

#[tokio::test]
async fn a_run_that_began_after_this_one_is_not_the_one_that_this_one_repeats() {
    let machines = Machines::new().await;
    let first = machines.machine();
    let looked = first.registry.register_version(machines.world.version(0.5));
    machines.clock.run(looked).await.unwrap();
    assert_eq!(machines.killed().await, 2);
    machines.clock.pass(Duration::from_secs(2)).await;
    let began = machines.clock.elapsed();
    assert_eq!(machines.register(&first).await.unwrap(), 3);
    assert_eq!(machines.clock.elapsed(), began);
}

#[tokio::test]
async fn a_create_of_something_else_does_not_wait() {
    let machines = Machines::new().await;
    machines.killed().await;
    let next = machines.machine();
    let began = machines.clock.elapsed();
    let other = next.registry.register_version(machines.world.version(0.5));
    let other = machines.clock.run(other).await.unwrap();
    assert_eq!(other.id, id("fraud/2"));
    assert_eq!(machines.clock.elapsed(), began);
}

#[tokio::test]
async fn a_run_that_dies_while_it_is_watched_is_adopted_from() {
    let machines = Machines::new().await;
    let dying = machines.machine();
    machines.register(&dying).await.unwrap();
    // Its last beat, and then nothing.
    machines.clock.pass(EVERY + SECOND).await;
    let next = machines.machine();
    let registered = async {
        let (registered, ()) = tokio::join!(
            next.registry.register_version(machines.new_version()),
            async {
                machines.clock.sleep(Duration::from_millis(500)).await;
                drop(dying);
            }
        );
        registered
    };
    let registered = machines.clock.run(registered).await.unwrap();
    assert_eq!(registered.id, id("fraud/1"));
}

#[tokio::test]
async fn a_run_that_ends_in_good_order_while_it_is_watched_keeps_what_it_made() {
    let machines = Machines::new().await;
    let ending = machines.machine();
    machines.register(&ending).await.unwrap();
    let next = machines.machine();
    let registered = async {
        let (registered, closed) = tokio::join!(
            next.registry.register_version(machines.new_version()),
            async {
                machines.clock.sleep(Duration::from_millis(500)).await;
                ending.registry.close_session().await
            }
        );
        closed.unwrap();
        registered
    };
    // Boxed: calls are deep.
    let registered = Box::pin(machines.clock.run(registered)).await.unwrap();
    assert_eq!(registered.id, id("fraud/2"));
}

#[tokio::test]
async fn of_two_runs_that_watch_the_same_silence_one_adopts() {
    let machines = Machines::new().await;
    machines.killed().await;
    let (a, b) = (machines.machine(), machines.machine());
    let both = async {
        tokio::join!(
            a.registry.register_version(machines.new_version()),
            b.registry.register_version(machines.new_version())
        )
    };
    let (a, b) = machines.clock.run(Box::pin(both)).await;
    let mut numbers = [a.unwrap().id.version, b.unwrap().id.version];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn what_a_state_holds_is_not_adopted_and_not_waited_for() {
    let machines = Machines::new().await;
    machines.killed().await;
    let next = machines.machine();
    next.registry.note_held("fraud/1").await.unwrap();
    let commits = machines.world.records.commits();
    next.registry.note_held("fraud/1").await.unwrap();
    assert_eq!(machines.world.records.commits(), commits);
    let began = machines.clock.elapsed();
    assert_eq!(machines.register(&next).await.unwrap(), 2);
    assert_eq!(machines.clock.elapsed(), began);
}

#[tokio::test]
async fn models_and_aliases_are_adopted_from_other_machines_too() {
    let machines = Machines::new().await;
    let name: ModelName = "spam".parse().unwrap();
    let killed = machines.machine();
    killed
        .registry
        .create_model(&name, accuracy())
        .await
        .unwrap();
    killed.registry.create_alias(champion(None)).await.unwrap();
    let made = killed.registry.model(&name).await.unwrap().unwrap();
    drop(killed);
    let next = machines.machine().registry;
    let model = machines.clock.run(next.create_model(&name, accuracy()));
    assert_eq!(model.await.unwrap().nonce, made.nonce);
    let alias = machines.clock.run(next.create_alias(champion(None))).await;
    assert_eq!(alias.unwrap().alias.version, None);

    let living = machines.machine();
    let other: ModelName = "churn".parse().unwrap();
    living
        .registry
        .create_model(&other, accuracy())
        .await
        .unwrap();
    let third = machines.machine().registry;
    let refused = machines.clock.run(third.create_model(&other, accuracy()));
    assert!(refused.await.unwrap_err().is_conflict());
}

#[tokio::test]
async fn a_run_that_was_suspended_and_given_up_creates_nothing_more() {
    let machines = Machines::new().await;
    let suspended = machines.machine();
    machines.register(&suspended).await.unwrap();
    suspended.reach.away.store(true, Ordering::Relaxed);
    let next = machines.machine();
    assert_eq!(machines.register(&next).await.unwrap(), 1, "adopted");
    suspended.reach.away.store(false, Ordering::Relaxed);
    let error = machines.register(&suspended).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert!(
        error.to_string().contains("took this one for dead"),
        "{error}"
    );
    assert!(error.to_string().contains("run it again"), "{error}");
    let all = next.registry.all_versions(&fraud()).await.unwrap();
    assert_eq!(all.len(), 1, "nothing was made");
    machines
        .clock
        .run(suspended.registry.close_session())
        .await
        .unwrap();
    machines
        .clock
        .run(next.registry.close_session())
        .await
        .unwrap();
    assert_eq!(machines.sessions(), 0);
}

#[tokio::test]
async fn a_run_that_was_only_out_of_reach_for_a_while_goes_on() {
    let machines = Machines::new().await;
    let suspended = machines.machine();
    machines.register(&suspended).await.unwrap();
    suspended.reach.away.store(true, Ordering::Relaxed);
    machines.clock.pass(Duration::from_secs(600)).await;
    suspended.reach.away.store(false, Ordering::Relaxed);
    assert_eq!(machines.register(&suspended).await.unwrap(), 2);
}

#[tokio::test]
async fn a_session_that_promises_no_heartbeat_is_never_taken_for_dead() {
    let machines = Machines::new().await;
    let old = Registry::new(
        machines.world.records.clone(),
        machines.world.artifacts.clone(),
        machines.clock.clone(),
        Arc::new(RandomIds),
    )
    .with_sessions(
        Arc::new(machines.world.sessions.another().elsewhere()),
        Arc::new(HeldInMemory::default()),
    );
    old.register_version(machines.new_version()).await.unwrap();
    let next = machines.machine();
    assert_eq!(machines.register(&next).await.unwrap(), 2);
}

#[tokio::test]
async fn a_session_beats_every_four_seconds_for_as_long_as_somebody_has_it() {
    let machines = Machines::new().await;
    let machine = machines.machine();
    machines.register(&machine).await.unwrap();
    let commits = machines.world.records.commits();
    machines.clock.pass(EVERY * 10 + SECOND).await;
    assert_eq!(machines.world.records.commits() - commits, 10);
    drop(machine);
    machines.clock.pass(EVERY * 10).await;
    assert_eq!(machines.world.records.commits() - commits, 10);
}

#[tokio::test]
async fn what_nobody_came_for_within_a_month_is_cleared_up() {
    let machines = Machines::new().await;
    machines.killed().await;
    machines.clock.pass(Duration::from_secs(31 * 86400)).await;
    let next = machines.machine();
    let other = next.registry.register_version(machines.world.version(0.5));
    machines.clock.run(other).await.unwrap();
    machines.clock.pass(LONGER).await;
    next.registry.close_session().await.unwrap();
    assert_eq!(machines.sessions(), 0);

    machines.killed().await;
    let next = machines.machine();
    let other = next.registry.register_version(machines.world.version(0.4));
    machines.clock.run(other).await.unwrap();
    machines.clock.pass(LONGER).await;
    next.registry.close_session().await.unwrap();
    assert_eq!(machines.sessions(), 1, "somebody may still come for it");
}
