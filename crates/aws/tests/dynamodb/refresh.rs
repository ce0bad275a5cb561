//! What a refresh and an apply of a thousand resources cost in calls, ten at a time as Terraform does.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use mlops_aws::read_ahead::ReadAhead;
use mlops_core::Error;
use mlops_core::artifacts::Artifact;
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::memory::{MemoryArtifacts, MemorySessions};
use mlops_core::names::{ModelName, VersionId};
use mlops_core::records::Records;
use mlops_core::registry::sessions::HeldInMemory;
use mlops_core::registry::{ModelSpec, NewVersion, Registry, VersionDeletionPolicy, VersionSpec};
use mlops_core::signature::{DYNAMIC, Datatype, Signature, Tensor};

use crate::support::proxy::Proxy;
use crate::support::{part, table};

const RESOURCES: u64 = 1000;
const PARALLELISM: usize = 10;

fn registry(records: Arc<dyn Records>) -> (Registry, Artifact) {
    let artifacts = Arc::new(MemoryArtifacts::default());
    let artifact = artifacts
        .put_bytes("model.onnx", b"a model")
        .expect("stored");
    let registry = Registry::new(
        records,
        artifacts,
        Arc::new(SystemClock::default()),
        Arc::new(RandomIds),
    )
    // As the provider has them: what a session created is written down until a state has it.
    .with_sessions(
        Arc::new(MemorySessions::default()),
        Arc::new(HeldInMemory::default()),
    );
    (registry, artifact)
}

fn model(number: u64) -> ModelName {
    ModelName::new(format!("model-{number}")).expect("legal")
}

fn new_version(model: ModelName, artifact: &Artifact) -> NewVersion {
    NewVersion {
        model,
        spec: VersionSpec {
            artifact: artifact.clone(),
            framework: "onnx".into(),
            image: None,
            signature: Some(Signature {
                inputs: vec![Tensor {
                    name: "x".into(),
                    datatype: Datatype::Fp32,
                    shape: vec![DYNAMIC, 64],
                }],
                outputs: vec![],
            }),
            params: BTreeMap::from([("depth".to_owned(), "7".to_owned())]),
            lineage: None,
            smoke: None,
        },
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.9)]),
        tags: BTreeMap::from([("team".to_owned(), "risk".to_owned())]),
        approval: None,
        deletion_policy: VersionDeletionPolicy::default(),
        nonce: None,
    }
}

/// Runs `work` for each number, ten at a time.
async fn each<F>(work: impl Fn(u64) -> F)
where
    F: Future<Output = Result<(), Error>>,
{
    futures::stream::iter(1..=RESOURCES)
        .map(Ok)
        .try_for_each_concurrent(PARALLELISM, work)
        .await
        .unwrap_or_else(|error| panic!("{}", error.chain()));
}

/// Numbers in an order that has nothing to do with their names.
fn scattered(number: u64) -> u64 {
    // 387 and 1000 have no common divisor.
    number * 387 % RESOURCES + 1
}

fn counted(proxy: &Proxy) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in proxy.calls() {
        *counts.entry(call).or_default() += 1;
    }
    format!("{} calls: {counts:?}", proxy.calls().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_of_1000_versions_of_one_model_costs_at_most_25_calls() {
    let Some(part) = part::dynamodb_local() else {
        return;
    };
    let name = table::create(&part.url).await;
    let proxy = Proxy::before(&part.url).await;
    let (writing, artifact) = registry(Arc::new(table::records(&proxy.url, &name)));
    writing
        .create_model(&model(1), ModelSpec::default())
        .await
        .expect("create");
    proxy.reset();
    each(|_| async {
        let made = writing.register_version(new_version(model(1), &artifact));
        made.await.map(drop)
    })
    .await;
    println!("apply of 1000 versions: {}", counted(&proxy));
    assert!(proxy.calls().len() <= 3 * RESOURCES as usize);
    assert!(!proxy.calls().iter().any(|call| call == "Scan"));

    let records = Arc::new(table::records(&proxy.url, &name));
    let (reading, _) = registry(Arc::new(ReadAhead::new(records)));
    proxy.reset();
    each(|number| {
        let reading = &reading;
        async move {
            let id = VersionId {
                model: model(1),
                version: scattered(number),
            };
            let found = reading.version(&id).await?;
            assert_eq!(found.map(|found| found.id), Some(id));
            Ok(())
        }
    })
    .await;
    println!("refresh of 1000 versions: {}", counted(&proxy));
    assert!(proxy.calls().len() <= 25, "{}", counted(&proxy));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_of_1000_models_of_one_version_each_costs_at_most_60_calls() {
    let Some(part) = part::dynamodb_local() else {
        return;
    };
    let name = table::create(&part.url).await;
    let proxy = Proxy::before(&part.url).await;
    let (writing, artifact) = registry(Arc::new(table::records(&part.url, &name)));
    each(|number| {
        let (writing, artifact) = (&writing, &artifact);
        async move {
            writing
                .create_model(&model(number), ModelSpec::default())
                .await?;
            let version = new_version(model(number), artifact);
            writing.register_version(version).await.map(drop)
        }
    })
    .await;

    let records = Arc::new(table::records(&proxy.url, &name));
    let (reading, _) = registry(Arc::new(ReadAhead::new(records)));
    each(|number| {
        let reading = &reading;
        async move {
            let name = model(scattered(number));
            let id = VersionId {
                model: name.clone(),
                version: 1,
            };
            assert!(reading.model(&name).await?.is_some());
            assert!(reading.version(&id).await?.is_some());
            Ok(())
        }
    })
    .await;
    println!("refresh of 1000 models: {}", counted(&proxy));
    assert!(proxy.calls().len() <= 60, "{}", counted(&proxy));
}
