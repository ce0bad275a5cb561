//! What an apply would do: specification against what the registry says and the target sees. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::EndpointRecord;
use super::spec::{EndpointSpec, VariantSpec};
use crate::names::VariantName;
use crate::rollout::{Stage, stages};
use crate::target::{Observation, Revision};

/// What an apply would do.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointPlan {
    /// In one word.
    pub action: Action,
    /// What becomes of the server.
    pub server: ServerChange,
    /// What becomes of each variant asked for.
    pub variants: BTreeMap<VariantName, VariantChange>,
    /// Variants that run and are not asked for any more.
    pub removed: BTreeSet<VariantName>,
    /// The stages that traffic goes through.
    pub stages: Vec<Stage>,
}

/// What an apply does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: all is as asked for.
    None,
    /// There is no endpoint yet.
    Create,
    /// There is one, and something changes.
    Update,
    /// Its server does not run: it is started again.
    Restart,
}

/// What becomes of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerChange {
    /// It stays.
    Keep,
    /// None runs: one is brought up.
    Start,
    /// It runs and cannot be what is asked for (another port): a second one is brought up, and the
    /// first taken away once the second serves.
    Replace,
    /// It runs and is no endpoint's yet: it becomes this one's, and what it runs is replaced like an old revision.
    TakeOver,
}

impl ServerChange {
    /// Whether what serves now goes on serving behind the same address, until a rollout moves its requests.
    pub(super) fn keeps_serving(self) -> bool {
        matches!(self, Self::Keep | Self::TakeOver)
    }
}

/// What becomes of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariantChange {
    /// Its revision goes on serving.
    Keep,
    /// Nothing of it serves: a revision is started and takes the whole share.
    Start,
    /// What was made for it does not serve, and what served before, which stands by, is what is asked for: that has everything again.
    Return,
    /// Its share moves, stage by stage, from one version or image to another (or to the same one
    /// with another environment, or with what it lacks by now).
    Shift,
}

/// Compares. `seen` is what the target sees of the recorded server, and when (`None`: not asked, which
/// counts as serving as recorded); `satisfied` is the target's word on whether that server can be
/// what `spec` asks for.
pub fn plan(
    spec: &EndpointSpec,
    record: Option<&EndpointRecord>,
    seen: Option<(&Observation, Timestamp)>,
    satisfied: bool,
) -> EndpointPlan {
    let looked = seen;
    let seen = looked.map(|(seen, _)| seen);
    let alive = seen.is_none_or(|seen| seen.alive);
    let server = match record {
        None => ServerChange::Start,
        Some(_) if !alive => ServerChange::Start,
        Some(_) if !satisfied => ServerChange::Replace,
        Some(_) => ServerChange::Keep,
    };
    let change = |name: &VariantName, variant: &VariantSpec| {
        let record = record.filter(|_| server == ServerChange::Keep);
        let serves = |one: &&Revision| seen.is_none_or(|seen| seen.serves(&one.name));
        // What nobody waits for is not started twice, either.
        let starts = |one: &Revision| {
            record.zip(looked).is_some_and(|(record, (seen, now))| {
                !spec.wait_for_steady_state
                    && is_same(one, variant, spec)
                    && record.may_start(seen, one, now)
            })
        };
        let running = record.and_then(|record| record.running.get(name));
        let running = running.filter(|one| serves(one) || starts(one));
        let standby = record.and_then(|record| record.standby.get(name));
        match running {
            None if standby.is_some_and(|one| serves(&one) && is_same(one, variant, spec)) => {
                VariantChange::Return
            }
            None => VariantChange::Start,
            Some(running)
                if is_same(running, variant, spec)
                    && seen.is_none_or(|seen| seen.lacks.is_none()) =>
            {
                VariantChange::Keep
            }
            Some(_) => VariantChange::Shift,
        }
    };
    let variants: BTreeMap<_, _> = spec
        .variants
        .iter()
        .map(|(name, variant)| (name.clone(), change(name, variant)))
        .collect();
    let removed: BTreeSet<_> = record
        .into_iter()
        .flat_map(|record| record.running.keys())
        .filter(|name| !spec.variants.contains_key(*name))
        .cloned()
        .collect();
    let moved = variants
        .values()
        .any(|change| *change != VariantChange::Keep);
    let action = match record {
        None => Action::Create,
        Some(_) if !alive => Action::Restart,
        Some(record) if moved || server != ServerChange::Keep || record.spec != *spec => {
            Action::Update
        }
        Some(_) => Action::None,
    };
    let compared = variants
        .values()
        .any(|change| *change == VariantChange::Shift);
    let stages = if moved {
        stages(&spec.rollout, compared)
    } else {
        Vec::new()
    };
    EndpointPlan {
        action,
        server,
        variants,
        removed,
        stages,
    }
}

/// Whether a revision is what a variant asks for.
pub(super) fn is_same(running: &Revision, asked: &VariantSpec, spec: &EndpointSpec) -> bool {
    running.workload == asked.workload
        && running.environment == asked.environment
        && running.compute == asked.compute
        && running.container == asked.container
        && running.placement.as_deref() == spec.placement(asked).as_ref()
}
