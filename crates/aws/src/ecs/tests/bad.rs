//! Bad versions, at a create and at updates by each strategy, with real containers: the old version answers all the while, nothing of
//! the bad one is left.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::stream::StreamExt as _;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use mlops_core::endpoint::spec::{
    Analysis, EndpointSpec, RolloutSpec, RolloutStep, Strategy, TargetSpec,
};
use mlops_core::endpoint::{Outcome, Percent, Period};
use mlops_metrics::HttpMeter;

use super::endpoint::{Doing, Endpoint};
use super::seen::Seen;
use super::variant;

/// What is wrong with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bad {
    /// Its image is not there.
    NeverStarts,
    /// Its server ends at once, with a status by which it refuses its configuration.
    ExitsAtStart,
    /// It becomes healthy, and ends after five seconds, again and again.
    CrashesAfterSeconds,
    /// It ends while it has traffic.
    CrashesUnderTraffic,
    /// Its health check never succeeds.
    Unhealthy,
    /// Every fifth of its answers is an error.
    AnswersErrors,
    /// It takes ten times as long as the old one.
    AnswersLate,
}

impl Bad {
    const ALL: [Self; 7] = [
        Self::NeverStarts,
        Self::ExitsAtStart,
        Self::CrashesAfterSeconds,
        Self::CrashesUnderTraffic,
        Self::Unhealthy,
        Self::AnswersErrors,
        Self::AnswersLate,
    ];

    fn make(self, spec: &mut EndpointSpec) {
        spec.health_check.stabilization_window = None;
        let served = spec.variants.get_mut(&variant("main")).expect("main");
        let variables: &[(&str, &str)] = match self {
            Self::NeverStarts => &[],
            Self::ExitsAtStart => &[("EXIT_AFTER", "0"), ("EXIT_CODE", "78")],
            Self::CrashesAfterSeconds => &[("EXIT_AFTER", "5")],
            Self::CrashesUnderTraffic => &[("EXIT_AFTER", "18")],
            Self::Unhealthy => &[("NEVER_READY", "1")],
            Self::AnswersErrors => &[("ERROR_RATE", "0.2")],
            Self::AnswersLate => &[("DELAY", "0.5")],
        };
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        served.environment.extend(variables.iter().map(own));
        if self == Self::Unhealthy {
            served.startup_timeout = Period::seconds(20);
        }
        if self == Self::NeverStarts {
            let TargetSpec::Ecs(ecs) = &mut spec.target else {
                unreachable!("an endpoint on ECS");
            };
            let (repository, _) = ecs.image.split_once('@').expect("by digest");
            ecs.image = format!("{repository}@sha256:{}", "0".repeat(64));
        }
    }

    /// What the error says of it.
    fn said(self) -> &'static str {
        match self {
            Self::NeverStarts => "CannotPullContainerError",
            Self::ExitsAtStart => "ended with status 78",
            Self::CrashesAfterSeconds | Self::CrashesUnderTraffic => "",
            Self::Unhealthy => "startup_timeout_seconds",
            Self::AnswersErrors => "analysis \"errors\" failed in step 1",
            Self::AnswersLate => "analysis \"latency\" failed in step 1",
        }
    }

    /// Whether what is wrong shows before it has traffic.
    fn shows_before_traffic(self) -> bool {
        !matches!(
            self,
            Self::CrashesUnderTraffic | Self::AnswersErrors | Self::AnswersLate
        )
    }

    /// Whether it is an analysis that finds it out: it is healthy throughout.
    fn is_judged(self) -> bool {
        matches!(self, Self::AnswersErrors | Self::AnswersLate)
    }
}

/// When the bad version comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Create,
    AllAtOnce,
    Canary,
    BlueGreen,
}

impl At {
    const ALL: [Self; 4] = [Self::Create, Self::AllAtOnce, Self::Canary, Self::BlueGreen];

    fn rollout(self) -> RolloutSpec {
        let step = |traffic: u8, bake| RolloutStep {
            traffic: Percent::from(traffic),
            bake: Period::seconds(bake),
            pause: false,
        };
        let (strategy, steps) = match self {
            Self::Create | Self::AllAtOnce => (Strategy::AllAtOnce, Vec::new()),
            Self::Canary => (Strategy::Canary, vec![step(20, 30), step(100, 0)]),
            Self::BlueGreen => (Strategy::BlueGreen, vec![step(100, 30)]),
        };
        RolloutSpec {
            strategy,
            steps,
            terminate_after: Period::ZERO,
            ..RolloutSpec::default()
        }
    }
}

/// What must hold of whoever is judged, by what clients saw of it.
fn analyses(rates: &str) -> BTreeMap<String, Analysis> {
    let analysis = |query: &str, condition: &str| {
        serde_json::from_value(serde_json::json!({
            "source": "http",
            "address": format!("{rates}/{{{{revision}}}}"),
            "query": query,
            "condition": condition,
            "interval": "2s",
        }))
        .expect("an analysis")
    };
    BTreeMap::from([
        ("errors".to_owned(), analysis("/errors", "result < 0.05")),
        // Ten times as slow, and what the machine that runs this adds to both.
        (
            "latency".to_owned(),
            analysis("/latency", "result <= baseline * 2"),
        ),
    ])
}

/// Somebody who asks all the while, and counts.
struct Load {
    seen: Arc<Seen>,
    asked: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    fn on(url: &str) -> Self {
        let url: hyper::Uri = format!("{url}/version").parse().expect("a URL");
        let (asked, failed): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Seen::default());
        let told = Arc::clone(&seen);
        let counts = (Arc::clone(&asked), Arc::clone(&failed), Arc::clone(&over));
        let task = tokio::spawn(async move {
            let client = HttpClient::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
            while !counts.2.load(Ordering::Acquire) {
                let begun = Instant::now();
                let answer = client.get(url.clone()).await;
                counts.0.fetch_add(1, Ordering::AcqRel);
                let is_good = (answer.as_ref()).is_ok_and(|answer| answer.status().is_success());
                if !is_good {
                    counts.1.fetch_add(1, Ordering::AcqRel);
                }
                if let Ok(answer) = answer {
                    told.add(answer, is_good, begun).await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self {
            seen,
            asked,
            failed,
            over,
            task,
        }
    }

    /// How many failed, and of how many.
    async fn stop(self) -> (usize, usize) {
        self.over.store(true, Ordering::Release);
        self.task.await.expect("no panic");
        (
            self.failed.load(Ordering::Acquire),
            self.asked.load(Ordering::Acquire),
        )
    }
}

/// One bad version: what became of it, in words.
async fn meets(bad: Bad, at: At) -> Result<String, String> {
    let world = Endpoint::in_containers()
        .await
        .expect("it was there before");
    let mut before = Default::default();
    let mut load = None;
    if at != At::Create {
        let mut first = world.spec(1);
        first.rollout = at.rollout();
        if bad == Bad::AnswersLate {
            let served = first.variants.get_mut(&variant("main")).expect("main");
            let delay = ("DELAY".to_owned(), "0.05".to_owned());
            served.environment.extend([delay]);
        }
        world.applied(first).await?;
        before = world.left().await;
        let url = world.record().await.expect("a record").server.invoke_url;
        load = Some(Load::on(&url));
    }
    let mut spec = world.spec(if at == At::Create { 1 } else { 2 });
    spec.rollout = at.rollout();
    bad.make(&mut spec);
    let mut process = world.process();
    if let Some(load) = load.as_ref().filter(|_| bad.is_judged()) {
        spec.rollout.analysis = analyses(&load.seen.serve().await);
        process = process.with_meter(Arc::new(HttpMeter::default()));
    }
    let outcome = world.apply(&process, spec).await;
    let (failed, asked) = match load {
        Some(load) => load.stop().await,
        None => (0, 0),
    };
    let outcome = outcome.map_err(|error| error.chain().to_string())?;
    let Outcome::RolledBack(stopped) = &outcome else {
        return Err(outcome.to_string());
    };
    let why = stopped
        .stop
        .as_ref()
        .map_or("", |stop| stop.message.as_str());
    if !why.contains(bad.said()) {
        return Err(format!("{:?} is not in {why:?}", bad.said()));
    }
    // Tasks of a service that is gone may take a moment to end.
    let left = world.until_left(&before).await;
    let gone: Vec<_> = left.symmetric_difference(&before).collect();
    if !gone.is_empty() {
        return Err(format!("rolled back, and this is left or gone: {gone:?}"));
    }
    if at != At::Create && !world.is_as_after(Doing::Create).await {
        return Err("the old version does not serve any more".to_owned());
    }
    if bad.shows_before_traffic() && failed > 0 {
        return Err(format!("rolled back, {failed} of {asked} requests failed"));
    }
    world.done(Doing::Delete).await?;
    let mut cell = "rolled back".to_owned();
    if at != At::Create {
        let _ = write!(cell, ", {failed}/{asked} failed");
    }
    Ok(cell)
}

/// PAINS: aws/containers-roadmap#2853, hashicorp/terraform-provider-aws#20858.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: minutes, with real containers"]
async fn a_bad_version_is_rolled_back_at_any_step_and_nothing_of_it_is_left() {
    if Endpoint::in_containers().await.is_none() {
        return;
    }
    let cells = Bad::ALL
        .into_iter()
        .flat_map(|bad| At::ALL.map(|at| (bad, at)));
    // Without a bake nobody looks once the traffic has moved, so a later crash is not this deployment's.
    let is_run =
        |bad: &Bad, at: &At| bad.shows_before_traffic() || matches!(at, At::Canary | At::BlueGreen);
    let cells = cells.filter(|(bad, at)| is_run(bad, at));
    let ended: Vec<_> = futures::stream::iter(cells)
        .map(|(bad, at)| async move { (bad, at, Box::pin(meets(bad, at)).await) })
        .buffer_unordered(4)
        .collect()
        .await;
    let mut table: BTreeMap<Bad, BTreeMap<At, String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (bad, at, cell) in &ended {
        let shown = match cell {
            Ok(cell) => cell.clone(),
            Err(why) => {
                wrong.push(format!("{bad:?} at {at:?}: {why}"));
                "WRONG".to_owned()
            }
        };
        table.entry(*bad).or_default().insert(*at, shown);
    }
    println!("bad version x step, on ECS; nothing is left after each");
    for (bad, cells) in &table {
        let cell = |at: At| cells.get(&at).map_or("not run", String::as_str);
        let [create, all, canary, blue] = At::ALL.map(cell);
        let bad = format!("{bad:?}");
        println!(
            "{bad:20} create: {create:12} ALL_AT_ONCE: {all:26} CANARY: {canary:26} BLUE_GREEN: {blue}"
        );
    }
    println!("{} cells, {} wrong", ended.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
