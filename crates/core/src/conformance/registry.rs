//! What the registry must do on every pair of stores. Each check gets fresh, empty ones.
//!
//! The fine print is tested in the core over memory; here is what depends on the stores.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Class;
use crate::artifacts::{Artifact, ArtifactStore, NoDigestCache};
use crate::clock::{RandomIds, SystemClock};
use crate::memory::MemorySessions;
use crate::names::ModelName;
use crate::records::Records;
use crate::registry::events::Subject;
use crate::registry::leases::Holder;
use crate::registry::sessions::HeldInMemory;
use crate::registry::{
    ModelSpec, NewVersion, Registry, SetAlias, VersionDeletionPolicy, VersionSpec,
};

/// Makes one test per check of this suite; `$make` is an expression that evaluates to something
/// with `records()`, `artifacts()` and `scratch()`, as the other suites want them.
#[macro_export]
macro_rules! registry_conformance {
    ($make:expr) => {
        $crate::registry_conformance!(@each $make,
            a_model_lives_and_leaves_a_tombstone_that_goes_on_counting
            registrations_from_many_registries_get_every_number_once
            a_version_of_a_killed_session_is_adopted_once
            an_alias_moves_and_its_version_cannot_be_deleted
            a_lease_has_one_holder_and_fences_the_one_before
            events_come_back_in_order
            a_model_with_hundreds_of_versions_is_deleted_whole
        );
    };
    (@each $make:expr, $($check:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let world = $make;
            let stores = $crate::conformance::registry::Stores::new(
                world.records(), world.artifacts(), world.scratch(),
            ).await;
            $crate::conformance::registry::$check(stores).await;
        }
    )*};
}

/// The stores under test, and an artifact that is in them.
pub struct Stores {
    records: Arc<dyn Records>,
    artifacts: Arc<dyn ArtifactStore>,
    artifact: Artifact,
    sessions: MemorySessions,
}

impl Stores {
    /// Stores one small artifact to register versions of.
    pub async fn new(
        records: Arc<dyn Records>,
        artifacts: Arc<dyn ArtifactStore>,
        scratch: &std::path::Path,
    ) -> Self {
        let source = scratch.join("conformance.onnx");
        std::fs::write(&source, b"a model").expect("file");
        let artifact = artifacts
            .put_tree(&source, &NoDigestCache)
            .await
            .expect("put");
        Self {
            records,
            artifacts,
            artifact,
            sessions: MemorySessions::default(),
        }
    }

    /// A registry in a session of its own, as another process would have.
    fn registry(&self) -> (Registry, MemorySessions) {
        let sessions = self.sessions.another();
        let registry = Registry::new(
            self.records.clone(),
            self.artifacts.clone(),
            Arc::new(SystemClock::default()),
            Arc::new(RandomIds),
        )
        .with_sessions(
            Arc::new(sessions.clone()),
            Arc::new(HeldInMemory::default()),
        );
        (registry, sessions)
    }

    fn version(&self) -> NewVersion {
        NewVersion {
            model: name(),
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
}

fn name() -> ModelName {
    ModelName::new("fraud").expect("legal")
}

fn alias(version: u64) -> SetAlias {
    SetAlias {
        model: name(),
        name: "champion".parse().expect("legal"),
        version: Some(version),
        enforce_promotion: true,
        override_reason: None,
        if_revision: None,
        by: None,
    }
}

/// `fraud/1` never means two artifacts.
pub async fn a_model_lives_and_leaves_a_tombstone_that_goes_on_counting(stores: Stores) {
    let (registry, _) = stores.registry();
    let made = registry
        .create_model(&name(), ModelSpec::default())
        .await
        .expect("create");
    assert_eq!(registry.model(&name()).await.expect("read"), Some(made));
    assert_eq!(
        registry
            .register_version(stores.version())
            .await
            .expect("first")
            .id
            .version,
        1
    );
    registry
        .archive_version(&"fraud/1".parse().expect("id"))
        .await
        .expect("archive");
    registry.delete_model(&name(), false).await.expect("delete");
    assert!(registry.model(&name()).await.expect("read").is_none());
    assert!(
        registry
            .list_models(None, 10)
            .await
            .expect("list")
            .0
            .is_empty()
    );
    registry
        .delete_model(&name(), false)
        .await
        .expect("a second delete succeeds");

    registry.close_session().await.expect("close");
    let (registry, _) = stores.registry();
    registry
        .create_model(&name(), ModelSpec::default())
        .await
        .expect("create again");
    assert_eq!(
        registry
            .register_version(stores.version())
            .await
            .expect("second")
            .id
            .version,
        2
    );
    assert!(
        registry
            .version(&"fraud/1".parse().expect("id"))
            .await
            .expect("read")
            .is_none()
    );
}

/// The counter is a compare-and-swap.
/// PAINS: a registry that reads, changes and writes back without a condition.
pub async fn registrations_from_many_registries_get_every_number_once(stores: Stores) {
    let (first, _) = stores.registry();
    first
        .create_model(&name(), ModelSpec::default())
        .await
        .expect("create");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (registry, _) = stores.registry();
            let versions = [stores.version(), stores.version()];
            tokio::spawn(async move {
                let [a, b] = versions;
                let (a, b) =
                    tokio::join!(registry.register_version(a), registry.register_version(b));
                [
                    a.expect("register").id.version,
                    b.expect("register").id.version,
                ]
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.expect("task"));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=16).collect::<Vec<u64>>());
    let (page, more) = first.list_versions(&name(), None, 10).await.expect("list");
    let listed: Vec<u64> = page.iter().map(|version| version.id.version).collect();
    assert_eq!(listed, (7..=16).rev().collect::<Vec<u64>>());
    assert!(more);
    let (rest, more) = first
        .list_versions(&name(), Some(7), 10)
        .await
        .expect("list");
    assert_eq!((rest.len(), more), (6, false));
}

/// And a second create of the same is a second version.
pub async fn a_version_of_a_killed_session_is_adopted_once(stores: Stores) {
    let (killed, process) = stores.registry();
    killed
        .create_model(&name(), ModelSpec::default())
        .await
        .expect("create");
    let lost = killed
        .register_version(stores.version())
        .await
        .expect("register");
    let twin = killed
        .register_version(stores.version())
        .await
        .expect("register");
    assert_ne!(
        lost.id, twin.id,
        "two equal resources of one session are two versions"
    );
    process.kill();

    let (next, _) = stores.registry();
    let mut found = Vec::new();
    for _ in 0..3 {
        found.push(
            next.register_version(stores.version())
                .await
                .expect("register")
                .id
                .version,
        );
    }
    assert_eq!(found, [1, 2, 3]);

    next.close_session().await.expect("close");
    let (later, _) = stores.registry();
    let fourth = later
        .register_version(stores.version())
        .await
        .expect("register");
    assert_eq!(
        fourth.id.version, 4,
        "what a closed session created is nobody's to adopt"
    );
}

/// Nor while an endpoint is bound to it.
pub async fn an_alias_moves_and_its_version_cannot_be_deleted(stores: Stores) {
    let (registry, _) = stores.registry();
    registry
        .create_model(&name(), ModelSpec::default())
        .await
        .expect("create");
    let one = registry
        .register_version(stores.version())
        .await
        .expect("register")
        .id;
    let two = registry
        .register_version(stores.version())
        .await
        .expect("register")
        .id;
    registry.create_alias(alias(1)).await.expect("create");
    let refused = registry.delete_version(&one).await.expect_err("bound");
    assert_eq!(refused.class(), Class::Conflict);
    assert!(
        refused.to_string().contains("alias fraud@champion"),
        "{refused}"
    );
    let moved = registry.move_alias(alias(2)).await.expect("move");
    assert_eq!(moved.previous, Some(1));
    registry.delete_version(&one).await.expect("free now");

    let writes = registry
        .bind_writes(&two, "local/digits")
        .await
        .expect("bind");
    registry.commit(writes).await.expect("commit");
    registry
        .delete_alias(&moved.alias.id())
        .await
        .expect("delete");
    let refused = registry.delete_version(&two).await.expect_err("bound");
    assert!(
        refused.to_string().contains("endpoint local/digits"),
        "{refused}"
    );
    let writes = registry
        .unbind_writes(&two, "local/digits")
        .await
        .expect("unbind");
    registry.commit(writes).await.expect("commit");
    registry.delete_version(&two).await.expect("free now");
}

/// Its token outlives none of its steals.
pub async fn a_lease_has_one_holder_and_fences_the_one_before(stores: Stores) {
    let (ours, process) = stores.registry();
    let (theirs, _) = stores.registry();
    let ttl = std::time::Duration::from_secs(3600);
    let lease = ours
        .acquire_lease("endpoint local/digits", Holder::new("apply by ann"), ttl)
        .await;
    let lease = lease.expect("free");
    ours.heartbeat(&lease).await.expect("held");
    let refused = theirs
        .acquire_lease("endpoint local/digits", Holder::new("apply by bob"), ttl)
        .await
        .expect_err("held");
    assert_eq!(refused.class(), Class::Conflict);
    assert!(
        refused.to_string().contains("is held by apply by ann"),
        "{refused}"
    );
    process.kill();
    let stolen = theirs.acquire_lease("endpoint local/digits", Holder::new("apply by bob"), ttl);
    let stolen = stolen.await.expect("its holder is dead");
    assert!(stolen.token > lease.token);
    assert_eq!(
        ours.heartbeat(&lease).await.expect_err("lost").class(),
        Class::Conflict
    );
    let entry =
        crate::registry::journal::create("digits", "d-1", "0001", &BTreeMap::from([("a", 1)]));
    let fenced = ours
        .journal_commit(&lease, vec![entry.expect("write")])
        .await
        .expect_err("lost");
    assert_eq!(fenced.class(), Class::Conflict);
    ours.release_lease(&lease)
        .await
        .expect("releasing a lost lease is nothing");
    assert!(theirs.heartbeat(&stolen).await.is_ok());
    theirs.release_lease(&stolen).await.expect("release");
    let again = theirs
        .acquire_lease("endpoint local/digits", Holder::new("next"), ttl)
        .await;
    assert!(again.expect("free").token > stolen.token);
}

/// Of one process, in the order they were appended.
pub async fn events_come_back_in_order(stores: Stores) {
    let (registry, _) = stores.registry();
    let subject = Subject::Endpoint("local/digits".into());
    for n in 0..70 {
        let mut event = crate::registry::events::NewEvent::new("step", n.to_string());
        event.deployment = Some(if n % 2 == 0 { "even" } else { "odd" }.into());
        registry
            .append_event(&subject, event)
            .await
            .expect("append");
    }
    let all = registry
        .events(&subject, None, None, 1000)
        .await
        .expect("read");
    let messages: Vec<String> = all
        .iter()
        .map(|stored| stored.event.message.clone())
        .collect();
    assert_eq!(messages, (0..70).map(|n| n.to_string()).collect::<Vec<_>>());
    let odd = registry
        .events(&subject, Some("odd"), None, 3)
        .await
        .expect("read");
    let odd: Vec<&str> = odd
        .iter()
        .map(|stored| stored.event.message.as_str())
        .collect();
    assert_eq!(odd, ["1", "3", "5"]);
    let rest = registry
        .events(&subject, None, Some(&all[67].position), 1000)
        .await
        .expect("read");
    assert_eq!(rest.len(), 2);
}

/// More than one commit takes.
pub async fn a_model_with_hundreds_of_versions_is_deleted_whole(stores: Stores) {
    let (registry, _) = stores.registry();
    registry
        .create_model(&name(), ModelSpec::default())
        .await
        .expect("create");
    for _ in 0..220 {
        registry
            .register_version(stores.version())
            .await
            .expect("register");
    }
    let refused = registry
        .delete_model(&name(), false)
        .await
        .expect_err("live versions");
    assert!(
        refused.to_string().contains("and 215 more are live"),
        "{refused}"
    );
    registry.delete_model(&name(), true).await.expect("delete");
    assert!(registry.model(&name()).await.expect("read").is_none());
    assert!(
        registry
            .list_versions(&name(), None, 10)
            .await
            .expect("list")
            .0
            .is_empty()
    );
    registry.close_session().await.expect("close");
    let (registry, _) = stores.registry();
    registry
        .create_model(&name(), ModelSpec::default())
        .await
        .expect("create");
    assert_eq!(
        registry
            .register_version(stores.version())
            .await
            .expect("next")
            .id
            .version,
        221
    );
}
