//! One look at a stage that bakes: what its analyses say, and whom it still waits for.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::Stage;
use super::analysis::{self, Evidence, Exposure, Tally};
use super::measure::{self, Asked, Measured};
use super::meter::Answer;
use super::source::Source;
use super::step::{RolloutInput, signed};
use crate::endpoint::events::Note;
use crate::endpoint::ports::EndpointPorts;
use crate::endpoint::spec::Analysis;
use crate::error::{Class, Error, Result};
use crate::serving::MetricsSnapshot;

/// What a look came to.
pub(super) enum Verdict {
    /// Nothing speaks against going on, once the bake is over.
    Fine,
    /// The bake is over, and a source that is waited for has not said its word.
    Unproved,
    /// The candidate, or a source, failed.
    Failed(Box<Failure>),
}

/// Why a stage failed.
pub(super) enum Failure {
    /// What was measured is not what must hold.
    Measured(Evidence),
    /// There is no measurement to judge by, for this reason.
    Unjudged(String),
    /// Alarms speak against it: what they say, and which they are.
    Alarmed(String, Vec<String>),
}

impl Failure {
    /// With who got answers of the candidate.
    pub(super) fn exposed(self, exposure: Exposure) -> Self {
        match self {
            Self::Measured(found) => Self::Measured(Evidence { exposure, ..found }),
            told => told,
        }
    }

    /// What was measured, or which alarm it was, if that is why.
    pub(super) fn evidence(&self) -> Result<Option<serde_json::Value>> {
        match self {
            Self::Measured(found) => serde_json::to_value(found).map(Some).map_err(|e| {
                Error::bug("an analysis' evidence could not be written as JSON").because(e)
            }),
            Self::Unjudged(_) => Ok(None),
            Self::Alarmed(_, alarms) => {
                Ok((!alarms.is_empty()).then(|| serde_json::json!({ "alarms": alarms })))
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = match self {
            Self::Measured(found) => found,
            Self::Unjudged(reason) | Self::Alarmed(reason, _) => return f.write_str(reason),
        };
        write!(
            f,
            "analysis {:?} failed in step {}: {} of revision {} is {:.4}, and {:?} does not hold",
            found.analysis, found.stage, found.query, found.revision, found.result, found.condition
        )?;
        match found.baseline {
            Some(baseline) => write!(f, " (the old revision's is {baseline:.4})"),
            None => Ok(()),
        }
    }
}

/// One stage at one moment of its bake.
pub(super) struct Look<'a> {
    pub(super) ports: &'a EndpointPorts,
    pub(super) input: &'a RolloutInput,
    /// The stage, from 0.
    pub(super) index: usize,
    pub(super) stage: &'a Stage,
    /// When its bake began.
    pub(super) since: Timestamp,
    pub(super) now: Timestamp,
    /// The servers' counters, where the target has any.
    pub(super) seen: Option<&'a MetricsSnapshot>,
}

impl<'a> Look<'a> {
    pub(super) fn is_over(&self) -> bool {
        self.now.duration_since(self.since) >= signed(self.stage.bake.duration())
    }

    /// Measures what is due. A source that does not answer is no error here: it is waited for.
    pub(super) async fn judge(&self, tallies: &mut BTreeMap<String, Tally>) -> Verdict {
        let mut is_proved = true;
        for (name, analysis) in analysis::active(&self.input.analysis, self.index, self.stage) {
            // One that an earlier program did not begin.
            let Some(tally) = tallies.get_mut(name) else {
                continue;
            };
            if self.is_due(analysis, tally)
                && let Some(failure) = self.measure(name, analysis, tally).await
            {
                return Verdict::Failed(Box::new(failure));
            }
            if !analysis.source.is_waited_for() {
                continue;
            }
            if let Some(failure) = self.waited_enough(name, analysis, tally) {
                return Verdict::Failed(Box::new(failure));
            }
            if self.is_over() && !tally.is_proof() {
                is_proved = false;
                self.tell_once(name, analysis, tally);
            }
        }
        if is_proved {
            Verdict::Fine
        } else {
            Verdict::Unproved
        }
    }

    fn is_due(&self, analysis: &Analysis, tally: &Tally) -> bool {
        let has_rested = self.now.duration_since(tally.at) >= signed(analysis.interval.duration());
        let end = self
            .since
            .saturating_add(signed(self.stage.bake.duration()));
        // One more when the bake ends, so that it is judged to its end.
        let is_last = self.is_over() && end.is_ok_and(|end| tally.at < end);
        let is_enough = tally.windows >= analysis::count(analysis, self.stage);
        let goes_on = analysis.source.is_waited_for() && !tally.is_proof();
        (has_rested || is_last) && self.now > tally.at && (goes_on || !is_enough)
    }

    async fn measure(&self, name: &str, analysis: &Analysis, tally: &mut Tally) -> Option<Failure> {
        let measured = match self.ask(analysis, tally).await {
            Ok(Some(measured)) => measured,
            Ok(None) => return None,
            Err(error) => return self.unanswered(name, tally, &error),
        };
        let conclusive = tally.conclusive;
        let evidence = analysis::judge(self.index, name, analysis, tally, &measured);
        tally.close(self.now, self.seen);
        if tally.conclusive > conclusive {
            tally.silence = None;
        } else if analysis.source.is_waited_for() {
            let why = nothing(&measured);
            tally.fall_silent(self.now, true, Some("query".to_owned()), why);
        }
        evidence.map(Failure::Measured)
    }

    /// `None` where the counters that it goes by are not there.
    async fn ask(&self, analysis: &Analysis, tally: &Tally) -> Result<Option<Vec<Measured<'a>>>> {
        let (plan, stage) = (&self.input.plan, self.stage);
        match &analysis.source {
            Source::Server { query } => Ok(self
                .seen
                .map(|seen| measure::counted(plan, stage, *query, tally, self.now, seen))),
            Source::Cloudwatch { query } => {
                let asked = Asked::Store {
                    target: self.ports.target.as_ref(),
                    server: &self.input.server,
                    query: *query,
                    since: self.since,
                    now: self.now,
                };
                Ok(Some(asked.each(plan, stage, analysis).await?))
            }
            Source::Registry { query } => {
                let asked = Asked::Registry {
                    ports: self.ports,
                    versions: &self.input.versions,
                    metric: query,
                };
                Ok(Some(asked.each(plan, stage, analysis).await?))
            }
            Source::Prometheus(_) | Source::Http(_) => {
                let asked = Asked::OverHttp {
                    meter: self.ports.meter.as_ref(),
                    endpoint: self.ports.name(),
                    source: &analysis.source,
                };
                Ok(Some(asked.each(plan, stage, analysis).await?))
            }
        }
    }

    /// What may go away is waited for.
    fn unanswered(&self, name: &str, tally: &mut Tally, error: &Error) -> Option<Failure> {
        let attribute = error.attribute().map(str::to_owned);
        let why = error.chain().to_string();
        if matches!(error.class(), Class::Unavailable | Class::Throttled) {
            if tally.silence.as_ref().is_none_or(|silence| silence.answers) {
                let message = format!("analysis {name:?} of step {} waits: {why}", self.index + 1);
                self.tell("rollout.unanswered", name, message);
            }
            tally.fall_silent(self.now, false, attribute, why);
            // Asked again after the interval, and not counted.
            tally.at = self.now;
            return None;
        }
        Some(Failure::Unjudged(format!(
            "analysis {name:?} cannot judge step {}: {why}; see {}",
            self.index + 1,
            path(name, attribute.as_deref().unwrap_or("source")),
        )))
    }

    /// Why it is not waited for any longer.
    fn waited_enough(&self, name: &str, analysis: &Analysis, tally: &Tally) -> Option<Failure> {
        let limit = signed(analysis.max_wait.duration());
        let silence = tally.silence.as_ref();
        let has_gone = silence.is_some_and(|silence| {
            !silence.answers && self.now.duration_since(silence.since) >= limit
        });
        let waited = signed(self.stage.bake.duration()).saturating_add(limit);
        let has_no_proof = !tally.is_proof() && self.now.duration_since(self.since) >= waited;
        if !has_gone && !has_no_proof {
            return None;
        }
        let (what, attribute) = match silence {
            Some(silence) => (silence.why.as_str(), silence.attribute.as_deref()),
            None => ("it was not asked", None),
        };
        let after = if has_gone { "" } else { " after its bake" };
        Some(Failure::Unjudged(format!(
            "analysis {name:?} could not judge step {} in the {} that {} allows{after}: {what}; see {}",
            self.index + 1,
            analysis.max_wait,
            path(name, "max_wait"),
            path(name, attribute.unwrap_or("source")),
        )))
    }

    /// The first time that the stage outlasts its bake.
    fn tell_once(&self, name: &str, analysis: &Analysis, tally: &mut Tally) {
        if std::mem::replace(&mut tally.is_told, true) {
            return;
        }
        let silence = tally.silence.as_ref();
        let message = format!(
            "step {} waits up to {} after its bake for analysis {name:?}: {}",
            self.index + 1,
            analysis.max_wait,
            silence.map_or("nothing was measured yet", |silence| silence.why.as_str())
        );
        self.tell("rollout.waiting", name, message);
    }

    fn tell(&self, kind: &'static str, name: &str, message: String) {
        let note = Note::new(kind, message)
            .with("step", self.index + 1)
            .with("analysis", name);
        self.ports.events.tell(note);
    }
}

/// What a source said that had no number.
fn nothing(measured: &[Measured<'_>]) -> String {
    let said = measured.iter().find_map(|measured| {
        let of = |answer: &Answer, revision: &str| match answer {
            Answer::Nothing(why) => Some(format!("of revision {revision}, {why}")),
            Answer::Number(_) => None,
        };
        let old = measured.change.old.as_ref();
        of(&measured.result, measured.judged.as_str())
            .or_else(|| of(measured.baseline.as_ref()?, old?.as_str()))
    });
    said.unwrap_or_else(|| "there is nothing to judge".to_owned())
}

fn path(analysis: &str, attribute: &str) -> String {
    format!("rollout.analysis.{analysis}.{attribute}")
}
