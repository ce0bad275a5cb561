//! Alarms of the target's monitoring: one that goes off stops the rollout.
//!
//! Nobody waits for them as for a source of an analysis: an alarm that has too little data says nothing, for or against. They guard what is compared: where
//! nothing served before, there is nothing to go back to.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::target::{Alarm, AlarmState, Target};

/// Whether a rollout may begin, before anything is made: the alarms exist, and none has gone off, where something that serves is `replaced`.
pub(crate) async fn check(
    target: &dyn Target,
    alarms: &BTreeSet<String>,
    replaced: bool,
) -> Result<()> {
    if alarms.is_empty() {
        return Ok(());
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
    let off = off(&told);
    if !replaced || off.is_empty() {
        return Ok(());
    }
    let text = format!(
        "{} before the rollout begins, so it could tell nothing of the candidate, and nothing was done; see to what it watches and apply again, or, if this \
         rollout is the mend, leave it out of rollout.alarms until it is done",
        said(&off)
    );
    Err(Error::invalid(text).at("rollout.alarms"))
}

/// Why a rollout must not go on, if it must not.
pub(super) async fn speak_against(
    target: &dyn Target,
    alarms: &BTreeSet<String>,
) -> Result<Option<String>> {
    if alarms.is_empty() {
        return Ok(None);
    }
    let told = target.alarms(alarms).await?;
    let missing = missing(alarms, &told);
    if !missing.is_empty() {
        return Ok(Some(format!(
            "{} of rollout.alarms is gone, and nothing watches in its place; make it again, or leave it out",
            listed("alarm", &missing)
        )));
    }
    let off = off(&told);
    Ok((!off.is_empty()).then(|| {
        format!(
            "{}; find out what it saw of the candidate before you apply again, or leave it out of rollout.alarms",
            said(&off)
        )
    }))
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
