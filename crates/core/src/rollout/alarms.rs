//! Alarms of the target's monitoring: one that goes off stops the rollout.
//!
//! Nobody waits for them as for a source of an analysis: an alarm that has too little data says nothing, for or against. They guard what is compared: where
//! nothing served before, there is nothing to go back to.
//!
//! One that went off before anything was made cannot have done so because of the candidate. It is set aside until it was OK: what makes it go off may be what
//! the rollout mends. Why so: `docs/decisions/0034-alarms-set-aside.md`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::target::{Alarm, AlarmState, Target};

/// Whether a rollout may begin, before anything is made: the alarms exist. Those that have gone off where something that serves is `replaced`, which are set
/// aside, with what they say.
pub(crate) async fn check(
    target: &dyn Target,
    alarms: &BTreeSet<String>,
    replaced: bool,
) -> Result<BTreeMap<String, String>> {
    if alarms.is_empty() {
        return Ok(BTreeMap::new());
    }
    let told = target.alarms(alarms).await;
    let told = told.map_err(|error| match error.attribute() {
        Some(_) => error,
        None => error.at("rollout.alarms"),
    })?;
    let missing = missing(alarms, &told);
    if !missing.is_empty() {
        let text = format!(
            "there is no {} in this region and account; make it before this endpoint, or correct its name",
            listed("alarm", &missing)
        );
        return Err(Error::invalid(text).at("rollout.alarms"));
    }
    let off = off(&told).into_iter().filter(|_| replaced);
    Ok(off
        .map(|(name, alarm)| (name.to_owned(), said(&[(name, alarm)])))
        .collect())
}

/// Refuses the deployment that these alarms stopped when it was tried last, as `evidence` has it, while one of them is still off: it went off because of it.
pub(crate) fn check_again(
    aside: &BTreeMap<String, String>,
    evidence: Option<&Value>,
) -> Result<()> {
    let stopped = evidence.and_then(|found| found["alarms"].as_array());
    let stopped: BTreeSet<&str> = (stopped.into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let still = aside
        .iter()
        .filter(|(name, _)| stopped.contains(name.as_str()));
    let still: Vec<&str> = still.map(|(_, said)| said.as_str()).collect();
    if still.is_empty() {
        return Ok(());
    }
    let text = format!(
        "{} since it stopped this very deployment, and nothing was done; apply again once it is OK, or deploy what mends it",
        still.join(" and ")
    );
    Err(Error::invalid(text).at("rollout.alarms"))
}

/// What a warning says of alarms that were set aside.
pub(crate) fn set_aside(aside: &BTreeMap<String, String>) -> String {
    let said: Vec<&str> = aside.values().map(String::as_str).collect();
    format!(
        "{} before the rollout begins, so it tells nothing of the candidate: it does not count until it was OK",
        said.join(" and ")
    )
}

/// What alarms say of a rollout.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Why it must not go on, and the alarms that say so.
    pub(super) against: Option<(String, Vec<String>)>,
    /// Those that were set aside and are OK.
    pub(super) recovered: BTreeSet<String>,
}

/// Asks them. Those that are set `aside` say nothing against it.
pub(super) async fn ask(
    target: &dyn Target,
    alarms: &BTreeSet<String>,
    aside: &BTreeSet<String>,
) -> Result<Said> {
    if alarms.is_empty() {
        return Ok(Said::default());
    }
    let told = target.alarms(alarms).await?;
    let missing = missing(alarms, &told);
    if !missing.is_empty() {
        let text = format!(
            "{} of rollout.alarms is gone, and nothing watches in its place; make it again, or leave it out",
            listed("alarm", &missing)
        );
        return Ok(Said {
            against: Some((text, Vec::new())),
            recovered: BTreeSet::new(),
        });
    }
    let is_ok = |name: &&String| {
        told.get(*name)
            .is_some_and(|alarm| alarm.state == AlarmState::Ok)
    };
    let recovered = aside.iter().filter(is_ok).cloned().collect();
    let mut off = off(&told);
    off.retain(|(name, _)| !aside.contains(*name));
    let names = off.iter().map(|(name, _)| (*name).to_owned()).collect();
    let against = (!off.is_empty()).then(|| {
        let text = format!(
            "{}; find out what it saw of the candidate before you apply again, or leave it out of rollout.alarms",
            said(&off)
        );
        (text, names)
    });
    Ok(Said { against, recovered })
}

fn missing<'a>(alarms: &'a BTreeSet<String>, told: &BTreeMap<String, Alarm>) -> Vec<&'a str> {
    let missing = alarms.iter().filter(|name| !told.contains_key(*name));
    missing.map(String::as_str).collect()
}

fn off(told: &BTreeMap<String, Alarm>) -> Vec<(&str, &Alarm)> {
    let off = told
        .iter()
        .filter(|(_, alarm)| alarm.state == AlarmState::Alarm);
    off.map(|(name, alarm)| (name.as_str(), alarm)).collect()
}

fn said(off: &[(&str, &Alarm)]) -> String {
    let each = off
        .iter()
        .map(|(name, alarm)| match alarm.reason.trim_end_matches('.') {
            "" => format!("alarm {name:?} is in ALARM"),
            reason => format!("alarm {name:?} is in ALARM ({reason})"),
        });
    each.collect::<Vec<_>>().join(" and ")
}

fn listed(what: &str, names: &[&str]) -> String {
    let each = names.iter().map(|name| format!("{what} {name:?}"));
    each.collect::<Vec<_>>().join(" and no ")
}
