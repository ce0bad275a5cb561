//! Judging a candidate by windows of its counters. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stage;
use super::measure::Measured;
use super::meter::Answer;
use crate::endpoint::spec::Analysis;
use crate::names::VariantName;
use crate::serving::MetricsSnapshot;
use crate::target::RevisionName;

/// How one analysis goes in one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// When its last window ended.
    pub at: Timestamp,
    /// The counters then, where the target has any.
    #[serde(default)]
    pub snapshot: Option<MetricsSnapshot>,
    /// Windows measured.
    pub windows: u32,
    /// Judgements that failed.
    pub failed: u32,
    /// Judgements that were possible.
    pub conclusive: u32,
    /// Why the last window was not, where its source is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// Whether it was told that the stage waits for it.
    #[serde(default)]
    pub is_told: bool,
}

/// That nothing could be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Since when it is so.
    pub since: Timestamp,
    /// What the source said, or why it said nothing.
    pub why: String,
    /// The attribute of the analysis that is at fault, if one is.
    #[serde(default)]
    pub attribute: Option<String>,
    /// Whether the source answered, if only that it has no number.
    pub answers: bool,
}

impl Tally {
    /// Nothing measured yet.
    pub fn begin(at: Timestamp, snapshot: Option<MetricsSnapshot>) -> Self {
        Self {
            at,
            snapshot,
            windows: 0,
            failed: 0,
            conclusive: 0,
            silence: None,
            is_told: false,
        }
    }

    /// Ends a window.
    pub fn close(&mut self, now: Timestamp, snapshot: Option<&MetricsSnapshot>) {
        self.windows += 1;
        self.at = now;
        self.snapshot = snapshot.cloned();
    }

    /// Notes that there was nothing to judge by. It lasts since the first time that it was for the same reason.
    pub fn fall_silent(
        &mut self,
        now: Timestamp,
        answers: bool,
        attribute: Option<String>,
        why: String,
    ) {
        let before = self
            .silence
            .take()
            .filter(|silence| silence.answers == answers);
        self.silence = Some(Silence {
            since: before.map_or(now, |silence| silence.since),
            why,
            attribute,
            answers,
        });
    }

    /// Whether it proves something: a judgement was possible, and the source still answers.
    pub fn is_proof(&self) -> bool {
        self.conclusive > 0 && self.silence.as_ref().is_none_or(|silence| silence.answers)
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

/// What `measured` says of the candidates: the failure of `analysis`, once there are too many.
pub fn judge(
    index: usize,
    name: &str,
    analysis: &Analysis,
    tally: &mut Tally,
    measured: &[Measured<'_>],
) -> Option<Evidence> {
    let mut failure = None;
    for measured in measured {
        let baseline = measured.baseline.as_ref().and_then(Answer::number);
        let Some(result) = measured.result.number() else {
            continue;
        };
        let Some(holds) = analysis.condition.holds(result, baseline) else {
            continue;
        };
        tally.conclusive += 1;
        if !holds {
            tally.failed += 1;
            failure = Some((measured, result, baseline));
        }
    }
    let (measured, result, baseline) = failure.filter(|_| tally.failed > analysis.failure_limit)?;
    Some(Evidence {
        analysis: name.to_owned(),
        variant: measured.change.variant.clone(),
        revision: measured.judged.clone(),
        query: analysis.source.query(),
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
