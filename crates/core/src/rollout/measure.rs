//! One measurement of one analysis: every changed variant's candidate, and the old revision where the condition needs it.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use jiff::Timestamp;

use super::analysis::Tally;
use super::meter::{Answer, Meter, Question};
use super::metric::MetricName;
use super::query::ServerQuery;
use super::source::Source;
use super::template::Subject;
use super::{Move, RolloutPlan, Stage};
use crate::endpoint::ports::EndpointPorts;
use crate::endpoint::spec::Analysis;
use crate::error::{Error, Result};
use crate::names::VersionId;
use crate::serving::{MetricsSnapshot, Window};
use crate::target::{RevisionName, Server, Target};

/// What was measured of one changed variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured<'a> {
    /// The variant.
    pub change: &'a Move,
    /// The revision that is judged.
    pub judged: &'a RevisionName,
    /// Of the candidate.
    pub result: Answer,
    /// Of the old revision; `None` if it was not asked.
    pub baseline: Option<Answer>,
}

/// The changed variants of which there is something to compare with, and the revision of each that is judged.
fn compared<'a>(
    plan: &'a RolloutPlan,
    stage: &'a Stage,
) -> impl Iterator<Item = (&'a Move, &'a RevisionName, &'a RevisionName)> {
    let old = |change: &'a Move| change.old.as_ref();
    (plan.moves.iter())
        .filter_map(move |change| Some((change, old(change)?, plan.judged(change, stage))))
}

/// By the server's own counters, over the time since the last measurement. Pure.
pub(super) fn counted<'a>(
    plan: &'a RolloutPlan,
    stage: &'a Stage,
    query: ServerQuery,
    tally: &Tally,
    now: Timestamp,
    snapshot: &MetricsSnapshot,
) -> Vec<Measured<'a>> {
    let seconds = now.duration_since(tally.at).as_secs_f64();
    let ask = |revision: &RevisionName| {
        let window = (tally.snapshot.as_ref())
            .and_then(|before| Window::between(before, snapshot, revision.as_str()));
        let number = window.and_then(|window| query.ask(&window, seconds));
        number.map_or_else(
            || Answer::Nothing("it answered no request".to_owned()),
            Answer::Number,
        )
    };
    compared(plan, stage)
        .map(|(change, old, judged)| Measured {
            change,
            judged,
            result: ask(judged),
            baseline: Some(ask(old)),
        })
        .collect()
}

/// Who is asked about one revision at a time.
pub(super) enum Asked<'b> {
    /// A source over HTTP.
    OverHttp {
        meter: &'b dyn Meter,
        endpoint: &'b str,
        source: &'b Source,
    },
    /// The target's own metrics store.
    Store {
        target: &'b dyn Target,
        server: &'b Server,
        query: ServerQuery,
        /// When the stage began.
        since: Timestamp,
        now: Timestamp,
    },
    /// The registry that holds the versions.
    Registry {
        ports: &'b EndpointPorts,
        /// What the revisions run.
        versions: &'b BTreeMap<RevisionName, VersionId>,
        metric: &'b MetricName,
    },
}

impl Asked<'_> {
    async fn about(&self, variant: &str, revision: &RevisionName) -> Result<Answer> {
        match self {
            Self::OverHttp {
                meter,
                endpoint,
                source,
            } => {
                let subject = Subject {
                    endpoint,
                    variant,
                    revision: revision.as_str(),
                };
                match Question::about(source, subject) {
                    Some(question) => meter.ask(&question).await,
                    None => Ok(Answer::Nothing("nobody was asked".to_owned())),
                }
            }
            Self::Store {
                target,
                server,
                query,
                since,
                now,
            } => target.measure(server, revision, *query, *since, *now).await,
            Self::Registry {
                ports,
                versions,
                metric,
            } => match versions.get(revision) {
                Some(version) => ports.measured(version, metric).await,
                None => Err(Error::invalid(format!(
                    "revision {revision} runs an image, of which the registry has no version and no metric"
                ))
                .at("source")),
            },
        }
    }

    /// Of every changed variant, all at once; of the old revisions where the condition needs it.
    pub(super) async fn each<'a>(
        &self,
        plan: &'a RolloutPlan,
        stage: &'a Stage,
        analysis: &Analysis,
    ) -> Result<Vec<Measured<'a>>> {
        let measure = async |(change, old, judged): (&'a Move, &RevisionName, &'a RevisionName)| {
            let variant = change.variant.as_str();
            let before = async {
                match analysis.condition.needs_baseline() {
                    true => self.about(variant, old).await.map(Some),
                    false => Ok(None),
                }
            };
            let (result, baseline) = futures::try_join!(self.about(variant, judged), before)?;
            Ok(Measured {
                change,
                judged,
                result,
                baseline,
            })
        };
        try_join_all(compared(plan, stage).map(measure)).await
    }
}
