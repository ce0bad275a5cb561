//! Analyses whose source is asked over a network: judged by its word, waited for, and failed without it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::clock::Clock as _;
use crate::error::{Error, Result};
use crate::registry::events::Subject;
use crate::rollout::{Answer, Evidence, HttpSource, Meter, Question};

/// What a source says to the n-th question, counted from 0, about a revision of version 1 or 2.
type Script = dyn Fn(usize, &Question) -> Result<Answer> + Send + Sync;

struct Scripted {
    script: Box<Script>,
    asked: Mutex<Vec<Question>>,
    has_token: bool,
}

impl Scripted {
    fn new(
        script: impl Fn(usize, &Question) -> Result<Answer> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            asked: Mutex::default(),
            has_token: true,
        })
    }

    fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Meter for Scripted {
    fn check(&self, source: &HttpSource) -> Result<()> {
        match &source.bearer_token_env {
            Some(name) if !self.has_token => {
                Err(Error::invalid(format!("{name} is not set")).at("bearer_token_env"))
            }
            _ => Ok(()),
        }
    }

    async fn ask(&self, question: &Question) -> Result<Answer> {
        let n = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(question.clone());
            asked.len() - 1
        };
        (self.script)(n, question)
    }
}

fn by_prometheus(condition: &str) -> RolloutSpec {
    let source = Source::Prometheus(HttpSource {
        query: r#"rate(errors{endpoint="{{endpoint}}",revision="{{revision}}"}[1m])"#
            .parse()
            .unwrap(),
        address: "http://prometheus:9090".parse().unwrap(),
        bearer_token_env: Some("TOKEN".to_owned()),
    });
    let mut rollout = canary();
    let analysis = rollout.analysis.get_mut("errors").unwrap();
    analysis.source = source;
    analysis.condition = condition.parse().unwrap();
    rollout
}

struct Ended {
    bench: Bench,
    outcome: Outcome,
    events: Vec<(String, String)>,
    took: Duration,
}

impl Ended {
    fn told(&self, kind: &str) -> Vec<&str> {
        let of_kind = self.events.iter().filter(|(found, _)| found == kind);
        of_kind.map(|(_, message)| message.as_str()).collect()
    }

    #[track_caller]
    fn rolled_back(&self) -> String {
        assert!(
            matches!(self.outcome, Outcome::RolledBack(_)),
            "{}",
            self.outcome
        );
        assert_eq!(self.bench.target.view(), settled(1));
        self.outcome.to_string()
    }
}

/// Rolls version 2 out over version 1, nobody asking the endpoint.
async fn rolled_out(meter: &Arc<Scripted>, rollout: RolloutSpec) -> Ended {
    let bench = serving().await;
    bench.target.set_load(0.0);
    let mut process = bench.process();
    process.deps = process.deps.with_meter(meter.clone());
    let started = bench.clock.elapsed();
    let outcome = process.apply(spec(2, rollout).unwrap()).await.unwrap();
    let took = bench.clock.elapsed() - started;
    let registry = &process.deps.registry;
    let subject = Subject::Endpoint("local/digits".to_owned());
    let events = registry.events(&subject, None, None, 1000).await.unwrap();
    let events = events
        .into_iter()
        .map(|stored| (stored.event.kind, stored.event.message));
    Ended {
        events: events.collect(),
        bench,
        outcome,
        took,
    }
}

fn unreachable() -> Error {
    Error::unavailable("nobody answers at http://prometheus:9090").at("address")
}

#[tokio::test]
async fn a_source_is_asked_about_the_candidate_at_each_interval_and_once_when_the_bake_ends() {
    let meter = Scripted::new(|_, _| Ok(Answer::Number(0.0)));
    let ended = rolled_out(&meter, by_prometheus("result < 0.02")).await;
    succeeded(ended.outcome);
    let asked = meter.asked();
    // Two steps of five seconds, an interval of one.
    assert_eq!(asked.len(), 10, "{asked:#?}");
    for question in asked {
        assert!(
            question
                .query
                .starts_with(r#"rate(errors{endpoint="digits",revision="main-v2-"#),
            "{question:?}"
        );
        assert_eq!(question.bearer_token_env.as_deref(), Some("TOKEN"));
    }
}

#[tokio::test]
async fn a_candidate_that_a_source_speaks_against_is_rolled_back() {
    let meter = Scripted::new(|n, _| Ok(Answer::Number(if n < 2 { 0.0 } else { 0.2 })));
    let ended = rolled_out(&meter, by_prometheus("result < 0.02")).await;
    let told = ended.rolled_back();
    assert!(
        told.contains("is 0.2000, and \"result < 0.02\" does not hold"),
        "{told}"
    );
    let stop = ended.outcome.stopped().unwrap().stop.clone().unwrap();
    let evidence: Evidence = serde_json::from_value(stop.evidence.unwrap()).unwrap();
    assert_eq!(
        (evidence.stage, evidence.failed, evidence.conclusive),
        (1, 1, 3)
    );
}

#[tokio::test]
async fn the_old_revision_is_asked_the_same_where_the_condition_needs_it() {
    let script = |candidate: f64| {
        Scripted::new(move |_, question: &Question| {
            let is_old = question.query.contains("main-v1-");
            Ok(Answer::Number(if is_old { 1.0 } else { candidate }))
        })
    };
    let rollout = || by_prometheus("result <= baseline * 1.5");
    succeeded(rolled_out(&script(1.4), rollout()).await.outcome);
    let told = rolled_out(&script(10.0), rollout()).await.rolled_back();
    assert!(told.contains("(the old revision's is 1.0000)"), "{told}");
}

#[tokio::test]
async fn a_step_waits_past_its_bake_for_the_first_number() {
    let meter = Scripted::new(|n, _| match n {
        0..40 => Ok(Answer::Nothing("the query has no series".to_owned())),
        _ => Ok(Answer::Number(0.0)),
    });
    let ended = rolled_out(&meter, by_prometheus("result < 0.02")).await;
    let waiting = ended.told("rollout.waiting");
    assert_eq!(waiting.len(), 1, "{:#?}", ended.events);
    assert!(
        waiting[0].contains("the query has no series"),
        "{waiting:?}"
    );
    assert!(ended.took >= Duration::from_secs(40), "{:?}", ended.took);
    assert!(
        ended.told("rollout.inconclusive").is_empty(),
        "{:#?}",
        ended.events
    );
    succeeded(ended.outcome);
}

#[tokio::test]
async fn a_step_that_no_number_speaks_for_never_passes() {
    let meter = Scripted::new(|_, _| Ok(Answer::Nothing("the query has no series".to_owned())));
    let ended = rolled_out(&meter, by_prometheus("result < 0.02")).await;
    let told = ended.rolled_back();
    for part in [
        "could not judge step 1 in the 5m that rollout.analysis.errors.max_wait allows after its bake",
        "of revision main-v2-",
        "the query has no series; see rollout.analysis.errors.query",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(ended.took >= Duration::from_secs(305), "{:?}", ended.took);
}

#[tokio::test]
async fn without_a_baseline_to_compare_with_a_step_waits_too() {
    let meter = Scripted::new(|_, question| {
        if question.query.contains("main-v1-") {
            return Ok(Answer::Nothing("it is not a number".to_owned()));
        }
        Ok(Answer::Number(1.0))
    });
    let rollout = by_prometheus("result <= baseline * 1.5");
    let told = rolled_out(&meter, rollout).await.rolled_back();
    assert!(
        told.contains("of revision main-v1-") && told.contains("it is not a number"),
        "{told}"
    );
}

#[tokio::test]
async fn a_source_that_does_not_answer_for_a_while_is_waited_for() {
    let meter = Scripted::new(|n, _| match n {
        2..60 => Err(unreachable()),
        _ => Ok(Answer::Number(0.0)),
    });
    let ended = rolled_out(&meter, by_prometheus("result < 0.02")).await;
    assert_eq!(
        ended.told("rollout.unanswered").len(),
        1,
        "{:#?}",
        ended.events
    );
    assert!(ended.took >= Duration::from_secs(58), "{:?}", ended.took);
    succeeded(ended.outcome);
}

#[tokio::test]
async fn a_source_that_does_not_answer_at_all_fails_the_rollout_by_its_attribute() {
    for good in [0, 2] {
        let meter = Scripted::new(move |n, _| match n < good {
            true => Ok(Answer::Number(0.0)),
            false => Err(unreachable()),
        });
        let mut rollout = by_prometheus("result < 0.02");
        rollout.analysis.get_mut("errors").unwrap().max_wait = Period::seconds(30);
        let ended = rolled_out(&meter, rollout).await;
        let told = ended.rolled_back();
        for part in [
            "in the 30s that rollout.analysis.errors.max_wait allows",
            "nobody answers at http://prometheus:9090; see rollout.analysis.errors.address",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let most = Duration::from_secs(30 + 5 + 5);
        assert!(
            ended.took >= Duration::from_secs(30) && ended.took <= most,
            "{:?}",
            ended.took
        );
    }
}

#[tokio::test]
async fn a_question_that_can_never_be_answered_fails_the_rollout_at_once() {
    let meter =
        Scripted::new(|_, _| Err(Error::invalid("2 series, and one is needed").at("query")));
    let ended = rolled_out(&meter, by_prometheus("result < 0.02")).await;
    let told = ended.rolled_back();
    assert!(
        told.contains("2 series, and one is needed; see rollout.analysis.errors.query"),
        "{told}"
    );
    assert_eq!(meter.asked().len(), 1);
}

#[tokio::test]
async fn what_nobody_can_judge_pauses_where_failures_do_and_a_resume_asks_again() {
    let meter = Scripted::new(|n, _| match n {
        0 => Err(Error::denied("status 403").at("bearer_token_env")),
        _ => Ok(Answer::Number(0.0)),
    });
    let bench = serving().await;
    let mut process = bench.process();
    process.deps = process.deps.with_meter(meter.clone());
    let rollout = RolloutSpec {
        on_failure: OnFailure::Pause,
        ..by_prometheus("result < 0.02")
    };
    let outcome = process.apply(spec(2, rollout).unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::Paused(_)), "{outcome}");
    let (id, stop) = (
        endpoint_id().unwrap(),
        tokio_util::sync::CancellationToken::new(),
    );
    let resumed = crate::endpoint::resume(&process.deps, &id, "ann", stop).await;
    succeeded(resumed.unwrap());
    assert_eq!(bench.target.view(), settled(2));
}

#[tokio::test]
async fn a_token_that_is_not_there_is_an_error_before_anything_is_done() {
    let mut meter = Scripted::new(|_, _| Ok(Answer::Number(0.0)));
    Arc::get_mut(&mut meter).unwrap().has_token = false;
    let bench = serving().await;
    let mut process = bench.process();
    process.deps = process.deps.with_meter(meter.clone());
    bench.target.take_calls();
    let refused = process
        .apply(spec(2, by_prometheus("result < 0.02")).unwrap())
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        refused.attribute(),
        Some("rollout.analysis.errors.bearer_token_env")
    );
    assert_eq!(bench.target.view(), settled(1));
    let calls = bench.target.take_calls();
    assert!(calls.iter().all(|call| *call == "observe"), "{calls:?}");
}
