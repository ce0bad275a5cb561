//! The states of alarms, read for all who watch any in one call.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mlops_core::clock::Clock;
use mlops_core::target::{Alarm, AlarmState};
use mlops_core::{Error, Result};

use crate::clients::AwsClients;
use crate::fault::Failure;
use crate::query::{Element, Form};

/// So many are described by one call.
const PAGE: usize = 100;
/// How long an answer serves. No alarm is evaluated more often, and an account has nine calls a second.
const FRESH: Duration = Duration::from_secs(10);
/// Who has not asked for so long does not watch any more.
const WATCHED: Duration = Duration::from_secs(60);

/// The alarms that this process watches. Whoever asks for some reads those of all others, too: fifty endpoints make no more calls than one.
pub(crate) struct Alarms {
    clients: AwsClients,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When somebody asked last, by alarm.
    watched: BTreeMap<String, Duration>,
    /// What was told last of each that was asked about; `None`: there is no such alarm.
    known: BTreeMap<String, Option<Alarm>>,
    /// When the last reading began, unless it failed.
    read: Option<Duration>,
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarms").finish_non_exhaustive()
    }
}

impl Alarms {
    pub(crate) fn new(clients: AwsClients, clock: Arc<dyn Clock>) -> Self {
        Self {
            clients,
            clock,
            state: Mutex::default(),
        }
    }

    /// The states of those of `names` that exist, as they were some seconds ago at most.
    pub(crate) async fn look(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Alarm>> {
        let now = self.clock.elapsed();
        let asked: BTreeSet<String> = {
            let mut state = self.state();
            state.watch(names, now);
            if state.is_fresh(names, now) {
                return Ok(state.of(names));
            }
            state.read = Some(now);
            state.watched.keys().cloned().collect()
        };
        let found = self.read(&asked).await;
        let mut state = self.state();
        match found {
            Ok(mut found) => {
                let answered = asked.into_iter().map(|name| {
                    let alarm = found.remove(&name);
                    (name, alarm)
                });
                state.known.extend(answered);
                Ok(state.of(names))
            }
            Err(failure) => {
                // The next to ask reads again.
                state.read = None;
                Err(failure)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Alarm>> {
        let client = self.clients.cloudwatch().await?;
        let names: Vec<&String> = names.iter().collect();
        let mut found = BTreeMap::new();
        for names in names.chunks(PAGE) {
            let about = match names {
                [one] => format!("alarm {one}"),
                [first, ..] => format!("alarm {first} and {} more", names.len() - 1),
                [] => continue,
            };
            let form = Form::default()
                .with_list("AlarmNames", names.iter().copied())
                // Without it, composite ones are not told.
                .with_list("AlarmTypes", ["MetricAlarm", "CompositeAlarm"])
                .with("MaxRecords", PAGE.to_string());
            let answer = client.ask(self.clients.retries(), "DescribeAlarms", &form, about);
            let answer = answer.await.map_err(Failure::into_error)?;
            found.extend(told(&answer)?);
        }
        Ok(found)
    }
}

impl State {
    /// Whether all of these were read, and not long ago, or are being read right now by somebody.
    fn is_fresh(&self, names: &BTreeSet<String>, now: Duration) -> bool {
        let is_new = |read| now.saturating_sub(read) < FRESH;
        self.read.is_some_and(is_new) && names.iter().all(|name| self.known.contains_key(name))
    }

    /// Notes that somebody asks for these, and forgets those that nobody has asked for.
    fn watch(&mut self, names: &BTreeSet<String>, now: Duration) {
        let asked = names.iter().map(|name| (name.clone(), now));
        self.watched.extend(asked);
        self.watched
            .retain(|_, asked| now.saturating_sub(*asked) < WATCHED);
        let watched = &self.watched;
        self.known.retain(|name, _| watched.contains_key(name));
    }

    fn of(&self, names: &BTreeSet<String>) -> BTreeMap<String, Alarm> {
        let told = |name: &String| Some((name.clone(), self.known.get(name)?.clone()?));
        names.iter().filter_map(told).collect()
    }
}

/// The alarms in an answer.
fn told(answer: &Element) -> Result<BTreeMap<String, Alarm>> {
    let lacking = || {
        Error::corrupt(
            "CloudWatch DescribeAlarms answered without the name or the state of an alarm; report this",
        )
    };
    let result = answer.child("DescribeAlarmsResult").ok_or_else(lacking)?;
    let kinds = ["MetricAlarms", "CompositeAlarms"].into_iter();
    let alarms = kinds.flat_map(|kind| result.members(kind)).map(|alarm| {
        let name = alarm.text("AlarmName")?.to_owned();
        let state = match alarm.text("StateValue")? {
            "OK" => AlarmState::Ok,
            "ALARM" => AlarmState::Alarm,
            _ => AlarmState::InsufficientData,
        };
        let reason = alarm.text("StateReason").unwrap_or_default().to_owned();
        Some((name, Alarm { state, reason }))
    });
    alarms.map(|alarm| alarm.ok_or_else(lacking)).collect()
}
