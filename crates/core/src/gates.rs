//! Promotion gates: what a version's metrics must be before an alias moves to it. Pure.
//!
//! Inputs may be unknown, because a plan asks too; an unknown input makes a result
//! [`Outcome::Unknown`], never a refusal.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::names::{AliasName, VersionId};
use crate::registry::{Goal, MetricSpec};

/// What to make of a metric that the candidate, the baseline or the model does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// The gate fails.
    #[default]
    Fail,
    /// The gate passes with a warning.
    Warn,
}

/// A gate on one metric: exactly one of `min`, `max` and `baseline`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The candidate has at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The candidate has at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The candidate is compared with the version that this alias points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<AliasName>,
    /// Better than the baseline by at least this, in the direction of the metric's goal; 0 where
    /// neither this nor `max_regression_percent` is set. May be negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_delta: Option<f64>,
    /// Worse than the baseline by at most this share of its absolute value, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_regression_percent: Option<f64>,
    /// What to make of a missing metric.
    #[serde(default)]
    pub on_missing: OnMissing,
}

impl Gate {
    /// Refuses a gate that says nothing or two things. `metric` is the gate's key; the error's
    /// attribute is `promotion.gates.METRIC`.
    pub fn validate(&self, metric: &str) -> Result<()> {
        let wrong = |what: &str| {
            Err(
                Error::invalid(format!("the gate on metric {metric:?} {what}"))
                    .at(format!("promotion.gates.{metric}")),
            )
        };
        let kinds = [
            self.min.is_some(),
            self.max.is_some(),
            self.baseline.is_some(),
        ];
        match kinds.iter().filter(|set| **set).count() {
            1 => {}
            0 => return wrong("sets none of min, max and baseline; set exactly one"),
            _ => return wrong("sets more than one of min, max and baseline; set exactly one"),
        }
        if self.baseline.is_none()
            && (self.min_delta.is_some() || self.max_regression_percent.is_some())
        {
            return wrong(
                "sets min_delta or max_regression_percent without a baseline to compare with",
            );
        }
        if self.min_delta.is_some() && self.max_regression_percent.is_some() {
            return wrong("sets both min_delta and max_regression_percent; set at most one");
        }
        if self
            .max_regression_percent
            .is_some_and(|percent| percent < 0.0)
        {
            return wrong(
                "has a negative max_regression_percent; use min_delta to ask for progress",
            );
        }
        let numbers = [
            self.min,
            self.max,
            self.min_delta,
            self.max_regression_percent,
        ];
        if numbers.iter().flatten().any(|number| !number.is_finite()) {
            return wrong("holds a number that is not finite");
        }
        Ok(())
    }
}

/// A value that a plan may not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Known<T> {
    /// It is this.
    Known(T),
    /// Nobody knows before the apply.
    Unknown,
}

/// The version that is asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its id; `None` before it is registered.
    pub id: Option<VersionId>,
    /// Its metrics. `Unknown` as a whole: which ones there are is not known either.
    pub metrics: Known<BTreeMap<String, Known<f64>>>,
}

impl Candidate {
    /// A registered version, all of it known.
    pub fn registered(version: &crate::registry::Version) -> Self {
        Self {
            id: Some(version.id.clone()),
            metrics: Known::Known(
                version
                    .metrics
                    .iter()
                    .map(|(name, value)| (name.clone(), Known::Known(*value)))
                    .collect(),
            ),
        }
    }
}

/// What a baseline alias points to.
#[derive(Debug, Clone, PartialEq)]
pub enum Baseline {
    /// The alias does not exist yet, or has no target.
    Missing,
    /// Not known before the apply.
    Unknown,
    /// This version.
    Version {
        /// Its id.
        id: VersionId,
        /// Its metrics.
        metrics: BTreeMap<String, f64>,
    },
}

/// What became of one gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It holds because there is nothing to compare with yet.
    NoBaseline,
    /// It holds only because a missing metric is declared a warning.
    Warned,
    /// It cannot be decided yet.
    Unknown,
}

/// One gate's result.
#[derive(Debug, Clone, PartialEq)]
pub struct GateResult {
    /// The metric.
    pub metric: String,
    /// What became of it.
    pub outcome: Outcome,
    /// One short line, without the metric: `0.981 >= champion 0.912 + 0 (fraud/3): pass`.
    pub text: String,
}

/// The results of all gates, by metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GateReport {
    /// Sorted by metric.
    pub results: Vec<GateResult>,
}

impl GateReport {
    /// Those that failed.
    pub fn failures(&self) -> impl Iterator<Item = &GateResult> {
        self.results
            .iter()
            .filter(|result| result.outcome == Outcome::Failed)
    }

    /// Whether any failed.
    pub fn has_failed(&self) -> bool {
        self.failures().next().is_some()
    }

    /// Whether any cannot be decided yet.
    pub fn is_unknown(&self) -> bool {
        self.results
            .iter()
            .any(|result| result.outcome == Outcome::Unknown)
    }

    /// Metric to line.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.results
            .iter()
            .map(|result| (result.metric.clone(), result.text.clone()))
            .collect()
    }
}

/// One line per gate: `accuracy: 0.981 >= champion 0.912 + 0 (fraud/3): pass`.
impl fmt::Display for GateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, result) in self.results.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{}: {}", result.metric, result.text)?;
        }
        Ok(())
    }
}

/// Checks every gate. `declared` are the model's metrics; `baseline` says what an alias points to.
///
/// A version is never its own baseline: such a gate passes and says so.
pub fn check_gates(
    gates: &BTreeMap<String, Gate>,
    declared: &BTreeMap<String, MetricSpec>,
    candidate: &Candidate,
    baseline: impl Fn(&AliasName) -> Baseline,
) -> GateReport {
    GateReport {
        results: gates
            .iter()
            .map(|(metric, gate)| {
                let (outcome, text) =
                    check(metric, gate, declared.get(metric), candidate, &baseline);
                GateResult {
                    metric: metric.clone(),
                    outcome,
                    text,
                }
            })
            .collect(),
    }
}

fn check(
    metric: &str,
    gate: &Gate,
    declared: Option<&MetricSpec>,
    candidate: &Candidate,
    baseline: &impl Fn(&AliasName) -> Baseline,
) -> (Outcome, String) {
    let missing = |what: String| match gate.on_missing {
        OnMissing::Fail => (Outcome::Failed, format!("{what}: fail")),
        OnMissing::Warn => (Outcome::Warned, format!("{what}: pass with a warning")),
    };
    let unknown = || (Outcome::Unknown, "known after apply".to_owned());

    let value = match &candidate.metrics {
        Known::Unknown => None,
        Known::Known(metrics) => match metrics.get(metric) {
            None => return missing("the version has no such metric".into()),
            Some(Known::Unknown) => None,
            Some(Known::Known(value)) => Some(*value),
        },
    };
    if let Some(min) = gate.min {
        return value.map_or_else(unknown, |value| {
            verdict(value >= min, format!("{value} >= {min}"))
        });
    }
    if let Some(max) = gate.max {
        return value.map_or_else(unknown, |value| {
            verdict(value <= max, format!("{value} <= {max}"))
        });
    }
    let Some(alias) = &gate.baseline else {
        // `Gate::validate` refuses it; a record that got past it must not open the gate.
        return (
            Outcome::Failed,
            "the gate sets none of min, max and baseline: fail".into(),
        );
    };
    let Some(goal) = declared.map(|spec| spec.goal) else {
        return missing(
            "the model declares no such metric, so better and worse are not defined".into(),
        );
    };
    let (id, base) = match baseline(alias) {
        Baseline::Unknown => return unknown(),
        Baseline::Missing => {
            return (
                Outcome::NoBaseline,
                format!("no baseline ({alias} does not exist yet): pass"),
            );
        }
        Baseline::Version { id, .. } if candidate.id.as_ref() == Some(&id) => {
            return (Outcome::Passed, format!("is {alias} itself ({id}): pass"));
        }
        Baseline::Version { id, metrics } => match metrics.get(metric) {
            None => return missing(format!("{alias} ({id}) has no such metric")),
            Some(base) => (id, *base),
        },
    };
    let Some(value) = value else { return unknown() };
    against(gate, goal, value, base, &format!("{alias} {base}"), &id)
}

/// Compares with a baseline. Differences are rounded to 12 significant digits of the larger
/// operand, so that 0.3 is 0.2 + 0.1.
fn against(
    gate: &Gate,
    goal: Goal,
    value: f64,
    base: f64,
    shown: &str,
    id: &VersionId,
) -> (Outcome, String) {
    let (margin, term) = match gate.max_regression_percent {
        Some(percent) => (-base.abs() * percent / 100.0, format!("{percent}%")),
        None => {
            let delta = gate.min_delta.unwrap_or(0.0);
            (delta, format!("{delta}"))
        }
    };
    let gain = match goal {
        Goal::Maximize => value - base,
        Goal::Minimize => base - value,
    };
    let slack = value.abs().max(base.abs()) * 1e-12;
    let sign = match (goal, gate.max_regression_percent.is_some()) {
        (Goal::Maximize, false) | (Goal::Minimize, true) => '+',
        (Goal::Maximize, true) | (Goal::Minimize, false) => '-',
    };
    let order = match goal {
        Goal::Maximize => ">=",
        Goal::Minimize => "<=",
    };
    verdict(
        gain - margin >= -slack,
        format!("{value} {order} {shown} {sign} {term} ({id})"),
    )
}

fn verdict(holds: bool, text: String) -> (Outcome, String) {
    if holds {
        (Outcome::Passed, format!("{text}: pass"))
    } else {
        (Outcome::Failed, format!("{text}: fail"))
    }
}

#[cfg(test)]
mod tests;
