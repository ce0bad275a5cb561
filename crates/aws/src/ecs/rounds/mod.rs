//! Looks of endpoints that wait, taken together.
//!
//! Whoever waits for something on ECS looks at it again and again, and many endpoints of one process wait at the same time. A look
//! is asked for here and waits for its turn ([`Pace`]); what has gathered by then is read together: twenty fronts in one call, ten
//! services in one. Only the health of targets has to be asked for by each target group.
//!
//! What is told was asked for after the look was: nothing is remembered but whose the fronts and target groups are ([`Kept`]).

mod pace;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join;
use mlops_core::clock::Clock;
use mlops_core::{Error, Result};
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use self::pace::Pace;
use super::services::{BATCH, Described, Services};
use crate::clients::AwsClients;
use crate::elb::{Attached, Balancers, Front, FrontKind, Kept};

/// The most looks that are taken together: it takes no more calls than fit in five seconds.
const TOGETHER: usize = 20;

/// Who is under bake waits no longer for his turn, however many wait: with the second that a bake rests between two looks, and the
/// time that calls take, each is seen every 15 seconds.
const SOON: Duration = Duration::from_millis(13_600);
/// Nobody else waits longer: a step has to return within 30 seconds.
const LATE: Duration = Duration::from_secs(20);
/// Those who cannot wait any longer have their turns at multiples of this, so that they have them together and come back together.
/// Fifty endpoints under bake are seen once in three such times by 59 calls: 4.2 a second. More of them make more calls.
const APART: Duration = Duration::from_millis(4_700);

/// What somebody who waits looks at.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Whether traffic may be on what is looked at.
    pub(super) bakes: bool,
    /// An endpoint's front.
    pub(super) front: Option<(Front, Uuid)>,
    /// The cluster of the services.
    pub(super) cluster: String,
    /// Their names.
    pub(super) services: Vec<String>,
    /// How many more calls the answer is going to lead to.
    pub(super) further: usize,
}

/// What was seen.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The target groups behind the front; `None` if that is gone, or was not asked for.
    pub(super) attached: Option<Vec<Attached>>,
    /// The services that are there, by name.
    pub(super) services: BTreeMap<String, Described>,
    /// When, by the clock, it was asked for.
    pub(super) at: Duration,
}

/// Takes looks. Clones are the same.
#[derive(Clone)]
pub(super) struct Rounds {
    inner: Arc<Inner>,
}

struct Inner {
    clients: AwsClients,
    balancers: Balancers,
    pace: Pace,
    state: Mutex<State>,
    /// Somebody asked.
    more: Notify,
    kept: Kept,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    /// Whether a task gives them their turns.
    busy: bool,
    /// When something was looked at that can wait.
    spared: HashMap<String, Duration>,
}

struct Waiting {
    wanted: Wanted,
    /// It is his turn then at the latest.
    latest: Duration,
    answer: oneshot::Sender<Result<Seen>>,
}

impl State {
    /// When it is the turn of somebody who asks now, at the latest: where as many as can be taken together have theirs already, before
    /// that.
    fn latest(&self, now: Duration, bakes: bool) -> Duration {
        let latest = now + if bakes { SOON } else { LATE };
        let times = latest.as_millis() / APART.as_millis();
        let latest = APART * u32::try_from(times).unwrap_or(u32::MAX);
        let has_room = |at: &Duration| {
            let these = self.waiting.iter().filter(|one| one.latest == *at);
            these.count() < TOGETHER
        };
        let earlier = std::iter::successors(Some(latest), |at| at.checked_sub(APART));
        let mut possible = earlier.take_while(|at| *at > now);
        possible.find(has_room).unwrap_or(latest)
    }
}

impl Rounds {
    pub(super) fn new(clients: AwsClients, balancers: Balancers, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                clients,
                balancers,
                pace: Pace::new(clock),
                state: Mutex::default(),
                more: Notify::new(),
                kept: Kept::default(),
            }),
        }
    }

    /// Looks once it is its turn. Who does not wait any more takes nobody's turn.
    pub(super) async fn look(&self, wanted: Wanted) -> Result<Seen> {
        let (answer, answered) = oneshot::channel();
        let starts = {
            let mut state = self.inner.state();
            let latest = state.latest(self.now(), wanted.bakes);
            state.waiting.push(Waiting {
                wanted,
                latest,
                answer,
            });
            // Of those who have to have their turns at the same time the first come first.
            state.waiting.sort_by_key(|one| one.latest);
            !std::mem::replace(&mut state.busy, true)
        };
        if starts {
            // A task of its own, so that a caller who is cancelled takes nobody with him.
            tokio::spawn(Arc::clone(&self.inner).give_turns());
        }
        self.inner.more.notify_one();
        answered.await.unwrap_or_else(|_| {
            Err(Error::bug(
                "a look that was taken together with others did not end; report this",
            ))
        })
    }

    /// The clock's time now, as [`Seen::at`] has it.
    pub(super) fn now(&self) -> Duration {
        self.inner.pace.clock().elapsed()
    }

    /// Counts calls that somebody who waits makes beside his looks.
    pub(super) fn count(&self, calls: usize) {
        self.inner.pace.count(calls);
    }

    /// Whether to look now at something that can wait, known by `name`: while others do not miss the call, or after `longest`.
    pub(super) fn may_spare(&self, name: &str, longest: Duration) -> bool {
        let now = self.now();
        let mut state = self.inner.state();
        let last = state.spared.entry(name.to_owned()).or_insert(now);
        let is_due = self.inner.pace.has_room() || now.saturating_sub(*last) >= longest;
        if is_due {
            *last = now;
        }
        is_due
    }

    /// Nobody waits for it any more.
    pub(super) fn forget(&self, name: &str) {
        self.inner.state().spared.remove(name);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives those who wait their turns until nobody does.
    async fn give_turns(self: Arc<Self>) {
        loop {
            // Those who are about to ask come first.
            tokio::task::yield_now().await;
            let now = self.pace.clock().elapsed();
            let turn: Result<Vec<Waiting>, Duration> = {
                let mut state = self.state();
                state.waiting.retain(|one| !one.answer.is_closed());
                let Some(first) = state.waiting.first() else {
                    state.busy = false;
                    return;
                };
                let wait = self.pace.wait(state.waiting.len() >= TOGETHER);
                let rest = first.latest.saturating_sub(now);
                match wait.min(rest) {
                    Duration::ZERO => {
                        // Beyond what the pace allows, only those who cannot wait any longer.
                        let may = |one: &&Waiting| wait.is_zero() || one.latest <= now;
                        let count = state.waiting.iter().take(TOGETHER).take_while(may).count();
                        Ok(state.waiting.drain(..count).collect())
                    }
                    wait => Err(wait),
                }
            };
            let turn = match turn {
                Ok(turn) => turn,
                Err(wait) => {
                    let more = self.more.notified();
                    let rested = self.pace.clock().sleep(wait);
                    futures::pin_mut!(more, rested);
                    futures::future::select(more, rested).await;
                    continue;
                }
            };
            // Counted before anybody else has his turn.
            let planned = turn.iter().map(|one| one.wanted.further).sum::<usize>();
            self.pace.count(planned + calls_of(&turn));
            tokio::spawn(Arc::clone(&self).take(turn));
        }
    }

    /// Looks for all of them.
    async fn take(self: Arc<Self>, turn: Vec<Waiting>) {
        let at = self.pace.clock().elapsed();
        let fronts: Vec<(&Front, Uuid)> = turn
            .iter()
            .filter_map(|one| one.wanted.front.as_ref())
            .map(|(front, endpoint)| (front, *endpoint))
            .collect();
        let mut clusters: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for one in &turn {
            let names = clusters.entry(&one.wanted.cluster).or_default();
            names.extend(one.wanted.services.iter().cloned());
        }
        let looks = self.balancers.look_at_all(&fronts, &self.kept, at);
        let (looked, services) = join(looks, self.services(&clusters)).await;
        self.pace.count(looked.extra_calls);
        let mut fronts = looked.fronts.into_iter();
        let mut answers = Vec::with_capacity(turn.len());
        for one in &turn {
            let attached = match one.wanted.front {
                Some(_) => fronts.next().unwrap_or(Ok(None)),
                None => Ok(None),
            };
            let found = services.get(one.wanted.cluster.as_str());
            answers.push(seen(&one.wanted, attached, found, at));
        }
        for (one, answer) in turn.into_iter().zip(answers) {
            // Who no longer waits does not mind.
            let _ = one.answer.send(answer);
        }
    }

    /// The services of each cluster.
    async fn services<'a>(
        &self,
        clusters: &BTreeMap<&'a str, Vec<String>>,
    ) -> BTreeMap<&'a str, Found> {
        let mut all = BTreeMap::new();
        for (cluster, names) in clusters {
            let (found, extra) = Services::new(&self.clients, cluster)
                .describe_each(names)
                .await;
            self.pace.count(extra);
            all.insert(*cluster, found);
        }
        all
    }
}

/// The services of one cluster by name, or why one could not be seen.
type Found = BTreeMap<String, Result<Option<Described>>>;

/// What one of them is told.
fn seen(
    wanted: &Wanted,
    attached: Result<Option<Vec<Attached>>>,
    found: Option<&Found>,
    at: Duration,
) -> Result<Seen> {
    let mut services = BTreeMap::new();
    for name in &wanted.services {
        match found.and_then(|found| found.get(name)) {
            Some(Ok(Some(service))) => {
                services.insert(name.clone(), service.clone());
            }
            Some(Err(error)) => return Err(error.copy()),
            Some(Ok(None)) | None => {}
        }
    }
    Ok(Seen {
        attached: attached?,
        services,
        at,
    })
}

/// How many calls tell it all, if none fails.
fn calls_of(turn: &[Waiting]) -> usize {
    let fronts = turn.iter().filter_map(|one| one.wanted.front.as_ref());
    let (listeners, rules): (Vec<_>, Vec<_>) =
        fronts.partition(|(front, _)| front.kind == FrontKind::Listener);
    let mut services: BTreeMap<&str, usize> = BTreeMap::new();
    for one in turn {
        *services.entry(&one.wanted.cluster).or_default() += one.wanted.services.len();
    }
    let services = services.into_values().map(|count| count.div_ceil(BATCH));
    let fronts = usize::from(!listeners.is_empty()) + usize::from(!rules.is_empty());
    fronts + services.sum::<usize>()
}
