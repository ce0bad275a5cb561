//! Every call that a registry makes fails once in every way: the operation ends right, or with an
//! error and nothing half-done.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::support::proxy::{FAULTS, Fault, Proxy};
use crate::support::{part, table};
use aws_sdk_dynamodb::types::AttributeValue;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use mlops_aws::dynamodb::DynamoRecords;
use mlops_aws::{AwsClients, Patience};
use mlops_core::artifacts::{Artifact, ArtifactStore};
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::memory::MemoryArtifacts;
use mlops_core::names::{AliasId, ModelName, VersionId};
use mlops_core::registry::events::{NewEvent, Subject};
use mlops_core::registry::leases::{Holder, Lease};
use mlops_core::registry::{
    ModelSpec, NewVersion, Registry, RetryBudget, SetAlias, VersionDeletionPolicy, VersionSpec,
    VersionUpdate,
};
use mlops_core::{Class, Error};
use serde_json::Value;

/// One table, one registry, and a proxy between them.
struct World {
    direct: aws_sdk_dynamodb::Client,
    table: String,
    proxy: Proxy,
    registry: Registry,
    artifact: Artifact,
    lease: Option<Lease>,
}

fn model() -> ModelName {
    ModelName::new("fraud").expect("legal")
}

fn version(number: u64) -> VersionId {
    VersionId {
        model: model(),
        version: number,
    }
}

impl World {
    async fn new(url: &str) -> Self {
        let name = table::create(url).await;
        let proxy = Proxy::before(url).await;
        let patience = Patience {
            attempt: Duration::from_millis(400),
            ..table::patience()
        };
        let clients =
            AwsClients::with_patience(table::settings(&proxy.url), patience).expect("settings");
        let records = DynamoRecords::new(clients, &name).expect("a name");
        let artifacts = MemoryArtifacts::default();
        let artifact = artifacts
            .put_bytes("model.onnx", b"a model")
            .expect("stored");
        let artifacts: Arc<dyn ArtifactStore> = Arc::new(artifacts);
        let registry = Registry::new(
            Arc::new(records),
            artifacts,
            Arc::new(SystemClock::default()),
            Arc::new(RandomIds),
        )
        .with_budget(RetryBudget {
            total: Duration::from_secs(20),
            ..RetryBudget::default()
        });
        Self {
            direct: table::client(url),
            table: name,
            proxy,
            registry,
            artifact,
            lease: None,
        }
    }

    /// What a user of the registry does, one operation a step.
    async fn step(&mut self, number: usize) -> Result<(), Error> {
        let registry = self.registry.clone();
        match number {
            0 => drop(
                registry
                    .create_model(&model(), ModelSpec::default())
                    .await?,
            ),
            1 | 2 => drop(registry.register_version(self.new_version()).await?),
            3 => drop(
                registry
                    .create_alias(SetAlias {
                        model: model(),
                        name: "champion".parse().expect("legal"),
                        version: Some(2),
                        enforce_promotion: true,
                        override_reason: None,
                        if_revision: None,
                        by: None,
                    })
                    .await?,
            ),
            4 => {
                let update = VersionUpdate {
                    tags: BTreeMap::from([("team".to_owned(), Some("risk".to_owned()))]),
                    metrics: BTreeMap::from([("accuracy".to_owned(), Some(0.95))]),
                    approval: None,
                    deletion_policy: None,
                    by: None,
                };
                drop(registry.update_version(&version(1), update).await?);
            }
            5 => {
                let event = NewEvent::new("noted", "by the test");
                registry
                    .append_event(&Subject::Model("fraud".into()), event)
                    .await?;
            }
            6 => {
                let ttl = Duration::from_secs(60);
                let taken = registry.acquire_lease("local/fraud", Holder::new("test"), ttl);
                self.lease = Some(taken.await?);
            }
            7 => {
                registry
                    .heartbeat(self.lease.as_ref().expect("taken"))
                    .await?
            }
            8 => {
                registry
                    .release_lease(self.lease.as_ref().expect("taken"))
                    .await?
            }
            9 => {
                let (models, more) = registry.list_models(None, 10).await?;
                assert_eq!((models.len(), more), (1, false));
                let all = registry.all_versions(&model()).await?;
                assert_eq!(all.len(), 2);
                let found = registry
                    .versions(&[version(2), version(7), version(1)])
                    .await?;
                let numbers: Vec<_> = found
                    .iter()
                    .map(|found| found.as_ref().map(|found| found.id.version))
                    .collect();
                assert_eq!(numbers, [Some(2), None, Some(1)]);
            }
            10 => registry.archive_version(&version(1)).await?,
            11 => registry.delete_version(&version(1)).await?,
            12 => {
                let alias: AliasId = "fraud@champion".parse().expect("legal");
                registry.delete_alias(&alias).await?;
            }
            13 => registry.archive_version(&version(2)).await?,
            14 => registry.delete_model(&model(), false).await?,
            _ => unreachable!("there are {STEPS} steps"),
        }
        Ok(())
    }

    fn new_version(&self) -> NewVersion {
        NewVersion {
            model: model(),
            spec: VersionSpec {
                artifact: self.artifact.clone(),
                framework: "onnx".into(),
                image: None,
                signature: None,
                params: BTreeMap::new(),
                lineage: None,
                smoke: None,
            },
            metrics: BTreeMap::from([("accuracy".to_owned(), 0.9)]),
            tags: BTreeMap::new(),
            approval: None,
            deletion_policy: VersionDeletionPolicy::default(),
            nonce: None,
        }
    }

    /// All that lies in the table, but for what differs from run to run.
    async fn snapshot(&self) -> Vec<String> {
        let scan = self.direct.scan().table_name(&self.table);
        let items = scan
            .consistent_read(true)
            .send()
            .await
            .expect("a scan")
            .items;
        let mut all: Vec<String> = items.unwrap_or_default().iter().map(told).collect();
        all.sort();
        all
    }
}

const STEPS: usize = 15;
/// The step that gives the lease back.
const RELEASE: usize = 8;
const CONDITION: Fault = Fault::Refused("ConditionalCheckFailedException");

/// An item without times, ids and revisions.
fn told(item: &HashMap<String, AttributeValue>) -> String {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let partition = text("PK").expect("a partition");
    let mut sort = text("SK").expect("a sort key").clone();
    if partition.starts_with("events#") {
        sort.clear();
    }
    let mut doc: Value = text("doc").map_or(Value::Null, |doc| {
        serde_json::from_str(doc).expect("a document")
    });
    level(&mut doc);
    format!("{partition} {sort} {doc}")
}

fn level(value: &mut Value) {
    match value {
        Value::String(text)
            if uuid::Uuid::parse_str(text).is_ok()
                || (text.contains('T') && text.ends_with('Z')) =>
        {
            *text = "*".to_owned();
        }
        Value::Array(all) => all.iter_mut().for_each(level),
        Value::Object(all) => all.values_mut().for_each(level),
        _ => {}
    }
}

/// The clean run: what lies there after each step, and the calls of each step.
struct Clean {
    after: Vec<Vec<String>>,
    calls: Vec<Vec<String>>,
}

async fn clean_run(url: &str) -> Clean {
    let mut world = World::new(url).await;
    let mut clean = Clean {
        after: Vec::new(),
        calls: Vec::new(),
    };
    for step in 0..STEPS {
        world.proxy.reset();
        let done = world.step(step).await;
        done.unwrap_or_else(|error| panic!("step {step} without a fault: {}", error.chain()));
        clean.calls.push(world.proxy.calls());
        clean.after.push(world.snapshot().await);
    }
    clean
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It succeeded, and what lies there is what should.
    Right,
    /// It failed, and nothing of it, or all of it, lies there.
    Error,
    Wrong(String),
}

/// One run whose call `call` of step `at` fails.
async fn faulty_run(url: &str, clean: &Clean, at: usize, call: usize, fault: Fault) -> Verdict {
    let mut world = World::new(url).await;
    for step in 0..at {
        if let Err(error) = world.step(step).await {
            return Verdict::Wrong(format!("step {step} before the fault: {}", error.chain()));
        }
    }
    world.proxy.reset();
    world.proxy.fail(call, fault);
    let outcome = world.step(at).await;
    let found = world.snapshot().await;
    let before = at
        .checked_sub(1)
        .map_or(&[][..], |before| &clean.after[before]);
    let whole = found == clean.after[at];
    // A registry that was made and holds nothing is no half of anything.
    let made = |snapshot: &[String]| snapshot.iter().all(|item| item.starts_with("registry "));
    let nothing = found == before || (before.is_empty() && made(&found));
    // A refused condition of a release says that somebody else holds the lease: it is left alone.
    let left_alone = at == RELEASE && fault == CONDITION && nothing;
    match outcome {
        Ok(()) if whole || left_alone => Verdict::Right,
        Ok(()) => Verdict::Wrong(format!("it succeeded, and this lies there: {found:#?}")),
        Err(error) if error.class() == Class::Unavailable && (whole || nothing) => Verdict::Error,
        Err(_) if nothing => Verdict::Error,
        Err(error) => Verdict::Wrong(format!(
            "{}, and this lies there: {found:#?}",
            error.chain()
        )),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_call_fails_and_however_nothing_is_half_done() {
    let Some(part) = part::dynamodb_local() else {
        return;
    };
    let url = &part.url;
    let clean = clean_run(url).await;
    let runs = clean.calls.iter().enumerate().flat_map(|(step, calls)| {
        let each = calls.iter().enumerate();
        each.flat_map(move |(call, operation)| {
            FAULTS.map(|fault| (step, call, operation.clone(), fault))
        })
    });
    let runs: Vec<_> = runs.collect();
    let count = runs.len();
    let clean = &clean;
    let verdicts: Vec<_> = futures::stream::iter(runs)
        .map(|(step, call, operation, fault)| async move {
            let verdict = faulty_run(url, clean, step, call, fault).await;
            Ok::<_, ()>((step, call, operation, fault, verdict))
        })
        .buffer_unordered(6)
        .try_collect()
        .await
        .expect("all ran");

    let mut table: BTreeMap<String, BTreeMap<String, [usize; 3]>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (step, call, operation, fault, verdict) in &verdicts {
        let cell = table
            .entry(operation.clone())
            .or_default()
            .entry(format!("{fault:?}"))
            .or_default();
        match verdict {
            Verdict::Right => cell[0] += 1,
            Verdict::Error => cell[1] += 1,
            Verdict::Wrong(why) => {
                cell[2] += 1;
                wrong.push(format!(
                    "step {step}, call {call} ({operation}), {fault:?}: {why}"
                ));
            }
        }
        // What passes is waited for; only a refused condition may end an operation.
        if *verdict == Verdict::Error && *fault != CONDITION {
            wrong.push(format!(
                "step {step}, call {call} ({operation}): {fault:?} passes, and the operation failed"
            ));
        }
    }
    println!("calls x faults: right / ended with an error / wrong");
    for (operation, faults) in &table {
        for (fault, [right, error, wrong]) in faults {
            println!("{operation:20} {fault:52} {right:3} / {error:2} / {wrong:2}");
        }
    }
    println!("{count} runs, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}
