//! Judging a candidate by windows of its counters. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RolloutPlan, Stage};
use crate::endpoint::spec::Analysis;
use crate::names::VariantName;
use crate::serving::{MetricsSnapshot, Window};
use crate::target::RevisionName;

/// How one analysis goes in one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// When its last window ended.
    pub at: Timestamp,
    /// The counters then.
    pub snapshot: MetricsSnapshot,
    /// Windows measured.
    pub windows: u32,
    /// Judgements that failed.
    pub failed: u32,
    /// Judgements that were possible.
    pub conclusive: u32,
}

impl Tally {
    /// Nothing measured yet.
    pub fn begin(at: Timestamp, snapshot: MetricsSnapshot) -> Self {
        Self {
            at,
            snapshot,
            windows: 0,
            failed: 0,
            conclusive: 0,
        }
    }
}

/// Why a candidate failed, for the outcome and the event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The analysis.
    pub analysis: String,
    /// The variant.
    pub variant: VariantName,
    /// The candidate.
    pub revision: RevisionName,
    /// What was asked.
    pub query: String,
    /// What was to hold.
    pub condition: String,
    /// What was measured.
    pub result: f64,
    /// The same of the old revision, if there was any.
    pub baseline: Option<f64>,
    /// Windows that failed, out of those that were conclusive.
    pub failed: u32,
    /// See [`Evidence::failed`].
    pub conclusive: u32,
    /// The stage, from 1.
    pub stage: usize,
    /// Who got answers of the candidate meanwhile.
    pub exposure: Exposure,
}

/// How much of the endpoint's traffic a candidate answered, from the first shift to now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// Answers of candidates to clients.
    pub candidate: u64,
    /// Those of them that were errors.
    pub errors: u64,
    /// Answers of all revisions to clients.
    pub total: u64,
}

impl Exposure {
    /// What was answered between two snapshots. Copies are not answers.
    pub fn between(
        start: &MetricsSnapshot,
        now: &MetricsSnapshot,
        candidates: &[&RevisionName],
    ) -> Self {
        let mut exposure = Self::default();
        for (name, metrics) in &now.revisions {
            let before = start
                .revisions
                .get(name)
                .filter(|_| start.nonce == now.nonce);
            let requests = metrics
                .live
                .requests
                .saturating_sub(before.map_or(0, |m| m.live.requests));
            let errors = metrics
                .live
                .errors
                .saturating_sub(before.map_or(0, |m| m.live.errors));
            exposure.total += requests;
            if candidates
                .iter()
                .any(|candidate| candidate.as_str() == name)
            {
                exposure.candidate += requests;
                exposure.errors += errors;
            }
        }
        exposure
    }
}

/// One more window of `analysis`, over all changed variants: its failure, once there are too many.
#[expect(
    clippy::too_many_arguments,
    reason = "one pure judgement; grouping them would only rename them"
)]
pub fn judge(
    plan: &RolloutPlan,
    index: usize,
    stage: &Stage,
    name: &str,
    analysis: &Analysis,
    tally: &mut Tally,
    now: Timestamp,
    snapshot: &MetricsSnapshot,
) -> Option<Evidence> {
    let seconds = now.duration_since(tally.at).as_secs_f64();
    let mut failure = None;
    for change in &plan.moves {
        let Some(old) = &change.old else { continue };
        let judged = plan.judged(change, stage);
        let ask = |revision: &RevisionName| {
            let window = Window::between(&tally.snapshot, snapshot, revision.as_str())?;
            analysis.query.ask(&window, seconds)
        };
        let baseline = ask(old);
        let Some(result) = ask(judged) else { continue };
        let Some(holds) = analysis.condition.holds(result, baseline) else {
            continue;
        };
        tally.conclusive += 1;
        if !holds {
            tally.failed += 1;
            failure = Some((change, judged, result, baseline));
        }
    }
    tally.windows += 1;
    tally.at = now;
    tally.snapshot = snapshot.clone();
    let (change, judged, result, baseline) =
        failure.filter(|_| tally.failed > analysis.failure_limit)?;
    Some(Evidence {
        analysis: name.to_owned(),
        variant: change.variant.clone(),
        revision: judged.clone(),
        query: analysis.query.to_string(),
        condition: analysis.condition.to_string(),
        result,
        baseline,
        failed: tally.failed,
        conclusive: tally.conclusive,
        stage: index + 1,
        exposure: Exposure::default(),
    })
}

/// The analyses that judge stage `index`.
pub fn active<'a>(
    all: &'a BTreeMap<String, Analysis>,
    index: usize,
    stage: &Stage,
) -> impl Iterator<Item = (&'a String, &'a Analysis)> {
    let bakes = !stage.bake.is_zero();
    all.iter()
        .filter(move |(_, analysis)| bakes && index >= analysis.start_after_step as usize)
}

/// Windows that `analysis` takes in a stage.
pub fn count(analysis: &Analysis, stage: &Stage) -> u32 {
    let fitting =
        stage.bake.duration().as_millis() / analysis.interval.duration().as_millis().max(1);
    analysis
        .count
        .unwrap_or(u32::try_from(fitting).unwrap_or(u32::MAX).max(1))
}
