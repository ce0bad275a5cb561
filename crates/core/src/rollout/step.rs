//! The rollout as a step of the saga: one call sets one routing, or looks once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::analysis::{self, Exposure, Tally};
use super::guard::Guard;
use super::looks::{self, Unproved};
use super::moves::capacity;
use super::watch::{Failure, Look, Verdict};
use super::{RolloutPlan, Stage};
use crate::endpoint::events::Note;
use crate::endpoint::ports::EndpointPorts;
use crate::endpoint::spec::{Analysis, OnFailure};
use crate::endpoint::{DeploymentRef, Period};
use crate::error::{Error, Result};
use crate::names::VersionId;
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::serving::MetricsSnapshot;
use crate::target::{Observation, RevisionName, Routing, Server, Watched};

/// Shifts traffic, watches, and gives it back.
#[derive(Debug)]
pub struct Rollout;

/// What is rolled out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutInput {
    /// Where.
    pub server: Server,
    /// Who asks; by this a pause is meant for us.
    pub deployment: DeploymentRef,
    /// The routing's way.
    pub plan: RolloutPlan,
    /// What must hold.
    pub analysis: BTreeMap<String, Analysis>,
    /// What the revisions run, where the registry is asked about them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<RevisionName, VersionId>,
    /// What must not go off.
    #[serde(default)]
    pub alarms: BTreeSet<String>,
    /// Those of them that had gone off before anything was made.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aside: BTreeSet<String>,
    /// What a failure does.
    pub on_failure: OnFailure,
    /// The longest it may take.
    pub max_duration: Period,
}

impl RolloutInput {
    fn guard(&self) -> Guard<'_> {
        Guard {
            server: &self.server,
            moves: &self.plan.moves,
            alarms: &self.alarms,
            aside: &self.aside,
        }
    }
}

/// Where a rollout is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The stage, from 0; as many as there are stages when all are through.
    pub stage: usize,
    /// What is going on in it.
    pub phase: StagePhase,
    /// The counters before the first shift.
    pub start: Option<MetricsSnapshot>,
    /// Alarms that were set aside and were OK since, so that they count again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub recovered: BTreeSet<String>,
}

/// What is going on in a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StagePhase {
    /// Its routing is about to be set.
    Shift,
    /// It is watched.
    Bake {
        /// Since when.
        since: Timestamp,
        /// By analysis.
        tallies: BTreeMap<String, Tally>,
    },
    /// It waits for somebody to resume: with the next stage if it was proved, else with this one.
    Stopped {
        /// For a person.
        reason: String,
        /// Whether the stage's bake was over.
        proved: bool,
    },
}

/// How often a baking stage is looked at, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[async_trait]
impl Step for Rollout {
    const NAME: &'static str = "rollout";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = RolloutInput;
    type Output = Exposure;
    type Checkpoint = Checkpoint;

    async fn forward(
        ports: &EndpointPorts,
        input: RolloutInput,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Progress<Exposure, Checkpoint>, StepError> {
        let at = checkpoint.unwrap_or(Checkpoint {
            stage: 0,
            phase: StagePhase::Shift,
            start: None,
            recovered: BTreeSet::new(),
        });
        let Some(stage) = input.plan.stages.get(at.stage).copied() else {
            let now = ports.target.observe(&input.server).await?;
            return Ok(Progress::Done(exposure(&input, &at, now.metrics.as_ref())));
        };
        match at.phase.clone() {
            StagePhase::Shift => shift(ports, &input, at, &stage).await,
            StagePhase::Bake { since, tallies } => {
                bake(ports, &input, at, &stage, since, tallies).await
            }
            StagePhase::Stopped { reason, .. } => Err(StepError::Paused { reason }),
        }
    }

    /// Gives everything back to what served before. A server that is gone serves nobody anyhow,
    /// and taking away what is left of it is the other steps' business.
    async fn undo(
        ports: &EndpointPorts,
        input: RolloutInput,
        _: Option<Exposure>,
        _: Option<Checkpoint>,
    ) -> Result<Progress<(), Checkpoint>, UndoError> {
        give_back(ports, &input.server, &input.plan.before).await?;
        Ok(Progress::Done(()))
    }

    fn resume(checkpoint: Checkpoint) -> Checkpoint {
        let proved = matches!(checkpoint.phase, StagePhase::Stopped { proved: true, .. });
        Checkpoint {
            stage: checkpoint.stage + usize::from(proved),
            phase: StagePhase::Shift,
            ..checkpoint
        }
    }
}

/// Gives traffic back to who had it before. What is gone serves nobody anyhow.
pub(crate) async fn give_back(
    ports: &EndpointPorts,
    server: &Server,
    before: &Routing,
) -> Result<()> {
    match ports.target.set_weights(server, before).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

type Call = Result<Progress<Exposure, Checkpoint>, StepError>;

async fn shift(
    ports: &EndpointPorts,
    input: &RolloutInput,
    mut at: Checkpoint,
    stage: &Stage,
) -> Call {
    let guard = input.guard();
    let Watched { seen, .. } = guard.living(ports, &input.plan.revisions()).await?;
    if let Some(failure) = alarm(ports, &guard, &mut at).await? {
        return failed(ports, input, at, failure);
    }
    if let Some(pending) = make_room(ports, input, &at, stage, &seen).await? {
        return Ok(pending);
    }
    // Before the shift: answers from here on are exposure.
    let at_shift = seen.metrics.clone();
    at.start = at.start.or_else(|| at_shift.clone());
    let routing = input.plan.routing(stage);
    ports.target.set_weights(&input.server, &routing).await?;
    ports.events.tell(
        Note::new(
            "rollout.shifted",
            format!(
                "step {} of {}: {}",
                at.stage + 1,
                input.plan.stages.len(),
                describe(stage)
            ),
        )
        .with("step", at.stage + 1)
        .with("traffic", f64::from(stage.traffic))
        .with("mirror", f64::from(stage.mirror)),
    );
    if stage.bake.is_zero() {
        return Ok(after_bake(input, at, stage));
    }
    let since = ports.clock.now();
    let tallies = analysis::active(&input.analysis, at.stage, stage)
        .map(|(name, _)| (name.clone(), Tally::begin(since, at_shift.clone())))
        .collect();
    at.phase = StagePhase::Bake { since, tallies };
    Ok(go_on(input, at, next_look(input, stage, since, since)))
}

/// Capacity before weight; the old one scales in only when it has none left.
async fn make_room(
    ports: &EndpointPorts,
    input: &RolloutInput,
    at: &Checkpoint,
    stage: &Stage,
    seen: &Observation,
) -> Result<Option<Progress<Exposure, Checkpoint>>> {
    for change in &input.plan.moves {
        let old = change
            .old
            .as_ref()
            .and_then(|old| seen.revisions.get(old))
            .map_or(1, |old| old.instances);
        let needed = capacity(old, stage.traffic.shares());
        if seen
            .revisions
            .get(&change.new)
            .is_some_and(|new| new.instances >= needed)
        {
            continue;
        }
        if let Progress::Pending { poll_after, .. } = ports
            .target
            .scale(&input.server, &change.new, needed)
            .await?
        {
            return Ok(Some(go_on(input, at.clone(), poll_after)));
        }
    }
    Ok(None)
}

async fn bake(
    ports: &EndpointPorts,
    input: &RolloutInput,
    mut at: Checkpoint,
    stage: &Stage,
    mut since: Timestamp,
    mut tallies: BTreeMap<String, Tally>,
) -> Call {
    let guard = input.guard();
    let Watched { seen, age } = guard.living(ports, &input.plan.candidates()).await?;
    let now = ports.clock.now();
    if let Some(failure) = alarm(ports, &guard, &mut at).await? {
        let exposure = exposure(input, &at, seen.metrics.as_ref());
        return failed(ports, input, at, failure.exposed(exposure));
    }
    let lacks = guard.lacking(&seen);
    let unproved = (ports.last_look).note(since, now, age, lacks.is_none());
    if let Some(unproved) = unproved {
        since = since
            .checked_add(unproved.time)
            .map_or(now, |later| later.min(now));
        tell_unproved(ports, at.stage, unproved, lacks);
    }
    let looked = Look {
        ports,
        input,
        index: at.stage,
        stage,
        since,
        now,
        seen: seen.metrics.as_ref(),
    };
    let over = looked.is_over();
    let waits = match looked.judge(&mut tallies).await {
        Verdict::Fine => false,
        Verdict::Unproved => true,
        Verdict::Failed(failure) => {
            let exposure = exposure(input, &at, seen.metrics.as_ref());
            return failed(ports, input, at, failure.exposed(exposure));
        }
    };
    if !over || waits {
        if ports.pause_requested(&input.deployment).await? {
            let reason = format!("paused on request in step {}", at.stage + 1);
            at.phase = StagePhase::Stopped {
                reason,
                proved: false,
            };
            return Ok(go_on(input, at, Duration::ZERO));
        }
        let wait = next_look(input, stage, since, now);
        at.phase = StagePhase::Bake { since, tallies };
        return Ok(go_on(input, at, wait));
    }
    for (name, analysis) in analysis::active(&input.analysis, at.stage, stage) {
        if tallies.get(name).is_none_or(|tally| tally.conclusive == 0) {
            ports.events.tell(
                Note::new(
                    "rollout.inconclusive",
                    format!(
                        "step {} passes without proof: analysis {name:?} ({}) saw no request in {}",
                        at.stage + 1,
                        analysis.source,
                        stage.bake
                    ),
                )
                .with("step", at.stage + 1)
                .with("analysis", name.clone()),
            );
        }
    }
    Ok(after_bake(input, at, stage))
}

/// Says why a bake takes longer. What lasts is told once.
fn tell_unproved(ports: &EndpointPorts, stage: usize, unproved: Unproved, lacks: Option<String>) {
    let step = stage + 1;
    let note = match lacks {
        None => Note::new(
            "rollout.unseen",
            format!(
                "step {step}: nobody could look at the candidate for {} s, and a look every {} s is needed; its bake is longer by that",
                unproved.time.as_secs(),
                looks::SEEN_EVERY.as_secs()
            ),
        ),
        Some(lacks) if unproved.begins => Note::new(
            "rollout.lacking",
            format!("step {step}: {lacks}; its bake is longer by the time until it has them"),
        ),
        Some(_) => return,
    };
    ports.events.tell(note.with("step", step));
}

/// What alarms say before a shift and while a stage bakes.
async fn alarm(
    ports: &EndpointPorts,
    guard: &Guard<'_>,
    at: &mut Checkpoint,
) -> Result<Option<Failure>> {
    let against = guard.alarmed(ports, &mut at.recovered).await?;
    Ok(against.map(|(reason, which)| {
        Failure::Alarmed(format!("in step {}, {reason}", at.stage + 1), which)
    }))
}

fn after_bake(
    input: &RolloutInput,
    mut at: Checkpoint,
    stage: &Stage,
) -> Progress<Exposure, Checkpoint> {
    at.phase = if stage.pause {
        let reason = format!(
            "step {} of {} ({}) asks for a pause",
            at.stage + 1,
            input.plan.stages.len(),
            describe(stage)
        );
        StagePhase::Stopped {
            reason,
            proved: true,
        }
    } else {
        at.stage += 1;
        StagePhase::Shift
    };
    go_on(input, at, Duration::ZERO)
}

fn failed(
    ports: &EndpointPorts,
    input: &RolloutInput,
    mut at: Checkpoint,
    failure: Failure,
) -> Call {
    let reason = failure.to_string();
    let document = failure.evidence()?;
    let mut note = Note::new("rollout.failed", reason.clone());
    if let Some(document) = &document {
        note = note.with("evidence", document.clone());
    }
    ports.events.tell(note);
    match input.on_failure {
        OnFailure::Rollback => Err(StepError::Failed {
            error: Error::invalid(reason),
            evidence: document,
        }),
        OnFailure::Pause => {
            at.phase = StagePhase::Stopped {
                reason,
                proved: false,
            };
            Ok(go_on(input, at, Duration::ZERO))
        }
    }
}

fn exposure(input: &RolloutInput, at: &Checkpoint, now: Option<&MetricsSnapshot>) -> Exposure {
    match (&at.start, now) {
        (Some(start), Some(now)) => Exposure::between(start, now, &input.plan.candidates()),
        _ => Exposure::default(),
    }
}

fn next_look(input: &RolloutInput, stage: &Stage, since: Timestamp, now: Timestamp) -> Duration {
    let rest = signed(stage.bake.duration()) - now.duration_since(since);
    let rest = Duration::try_from(rest).unwrap_or(Duration::ZERO);
    let interval = input
        .analysis
        .values()
        .map(|a| a.interval.duration())
        .min()
        .unwrap_or(LOOK_EVERY);
    let look = interval.clamp(Duration::from_millis(50), LOOK_EVERY);
    // Past the bake it waits for a source, and there is no rest.
    if rest.is_zero() { look } else { rest.min(look) }
}

fn go_on(
    input: &RolloutInput,
    checkpoint: Checkpoint,
    poll_after: Duration,
) -> Progress<Exposure, Checkpoint> {
    Progress::Pending {
        poll_after,
        deadline: input.max_duration.duration(),
        checkpoint,
    }
}

fn describe(stage: &Stage) -> String {
    match stage.mirror.shares() {
        0 => format!("{} to the candidate, bake {}", stage.traffic, stage.bake),
        _ => format!(
            "{} copied to the candidate, bake {}",
            stage.mirror, stage.bake
        ),
    }
}

pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
