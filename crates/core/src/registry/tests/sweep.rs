//! Retention, and what a sweep removes.

use std::time::Duration;

use super::*;
use crate::artifacts::Digest;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn sweep(grace: Duration, delete: bool) -> Sweep {
    Sweep {
        grace,
        delete,
        by: "a test".into(),
    }
}

impl World {
    /// A version of an artifact of its own.
    async fn registered(&self, registry: &Registry, bytes: &[u8]) -> Version {
        let artifact = self.artifacts.put_bytes("model.onnx", bytes).unwrap();
        self.artifacts
            .set_modified(&artifact.digest, self.clock.now());
        // Of another world, so that nothing else comes to lie in this one's store.
        let mut new = World::new().version(0.9);
        new.spec.artifact = artifact;
        registry.register_version(new).await.unwrap()
    }

    async fn model(&self, retention: Option<Retention>) -> Registry {
        let registry = self.registry();
        let spec = ModelSpec {
            retention,
            ..accuracy()
        };
        registry.create_model(&fraud(), spec).await.unwrap();
        registry
    }

    async fn has(&self, digest: &Digest) -> bool {
        self.artifacts.check(digest).await.is_ok()
    }
}

fn ids(versions: &[VersionId]) -> Vec<u64> {
    versions.iter().map(|id| id.version).collect()
}

#[tokio::test]
async fn what_no_version_names_goes_after_its_grace_time_and_nothing_else_does() {
    let world = World::new();
    let registry = world.model(None).await;
    let live = world.registered(&registry, b"live").await;
    let archived = world.registered(&registry, b"archived").await;
    registry.archive_version(&archived.id).await.unwrap();
    let deleted = world.registered(&registry, b"deleted").await;
    registry.delete_version(&deleted.id).await.unwrap();

    let first = registry.sweep(&sweep(7 * DAY, true)).await.unwrap();
    assert_eq!(first.artifacts, []);
    assert_eq!(first.waiting.len(), 1);
    assert_eq!(first.waiting[0].artifact.digest, *deleted.digest());

    world.clock.advance(6 * DAY);
    let early = registry.sweep(&sweep(7 * DAY, true)).await.unwrap();
    assert_eq!(early.artifacts, []);
    assert_eq!(early.waiting, first.waiting, "the grace time began once");

    world.clock.advance(DAY);
    let due = registry.sweep(&sweep(7 * DAY, false)).await.unwrap();
    assert_eq!(due.artifacts.len(), 1);
    assert!(world.has(deleted.digest()).await, "nobody said delete");
    let done = registry.sweep(&sweep(7 * DAY, true)).await.unwrap();
    assert_eq!(done.artifacts, due.artifacts);
    assert!(done.freed_bytes > 0);
    assert!(!world.has(deleted.digest()).await);
    assert!(world.has(live.digest()).await);
    assert!(world.has(archived.digest()).await);

    let again = registry.sweep(&sweep(Duration::ZERO, true)).await.unwrap();
    assert_eq!(again, SweepReport::default());
}

#[tokio::test]
async fn the_grace_time_begins_when_a_sweep_first_sees_it_unnamed() {
    let world = World::new();
    let registry = world.model(None).await;
    let version = world.registered(&registry, b"old").await;
    // It lies there for long, and only then loses its name.
    world.clock.advance(100 * DAY);
    registry.delete_version(&version.id).await.unwrap();
    let report = registry.sweep(&sweep(DAY, true)).await.unwrap();
    assert_eq!((report.artifacts.len(), report.waiting.len()), (0, 1));
    // A version takes it up again, and loses it again: it waits anew.
    let version = world.registered(&registry, b"old").await;
    world.clock.advance(2 * DAY);
    assert_eq!(
        registry.sweep(&sweep(DAY, true)).await.unwrap(),
        SweepReport::default()
    );
    registry.delete_version(&version.id).await.unwrap();
    let report = registry.sweep(&sweep(DAY, true)).await.unwrap();
    assert_eq!((report.artifacts.len(), report.waiting.len()), (0, 1));
}

#[tokio::test]
async fn retention_deletes_old_archived_versions_and_keeps_what_is_live_or_in_use() {
    let world = World::new();
    let kept = Retention {
        keep_last: Some(2),
        keep_days: Some(30),
    };
    let registry = world.model(Some(kept)).await;
    let mut versions = Vec::new();
    for number in 0..7u8 {
        versions.push(world.registered(&registry, &[number]).await.id);
    }
    // 1 is live, 2 is an alias's, 3 an endpoint's, 4 goes, 5 was archived too late, 6 and 7 are the newest.
    let mut alias = champion(Some(2));
    alias.enforce_promotion = false;
    registry.create_alias(alias).await.unwrap();
    let binding = registry.bind_writes(&versions[2], "local/web").await;
    registry.commit(binding.unwrap()).await.unwrap();
    for id in [&versions[1], &versions[2], &versions[3], &versions[6]] {
        registry.archive_version(id).await.unwrap();
    }
    world.clock.advance(10 * DAY);
    registry.archive_version(&versions[4]).await.unwrap();
    world.clock.advance(20 * DAY);

    let plan = registry.sweep(&sweep(Duration::ZERO, false)).await.unwrap();
    assert_eq!(ids(&plan.versions), [4]);
    assert_eq!(plan.artifacts.len(), 1, "as if version 4 were gone");
    let in_use: Vec<_> = plan.in_use.iter().map(|kept| kept.users.clone()).collect();
    assert_eq!(
        in_use,
        [["endpoint local/web"], ["alias fraud@champion"]],
        "newest first"
    );
    assert!(registry.version(&versions[3]).await.unwrap().is_some());

    let done = registry.sweep(&sweep(Duration::ZERO, true)).await.unwrap();
    assert_eq!(done, plan);
    let left = registry.all_versions(&fraud()).await.unwrap();
    let left: Vec<u64> = left.iter().map(|version| version.id.version).collect();
    assert_eq!(left, [7, 6, 5, 3, 2, 1]);
    for version in registry.all_versions(&fraud()).await.unwrap() {
        assert!(world.has(version.digest()).await, "{}", version.id);
    }
}

#[tokio::test]
async fn retention_that_says_nothing_is_refused() {
    let spec = ModelSpec {
        retention: Some(Retention::default()),
        ..accuracy()
    };
    let error = World::new().registry().create_model(&fraud(), spec).await;
    let error = error.unwrap_err();
    assert_eq!(error.attribute(), Some("retention"));
    assert!(error.to_string().contains("keep_last"), "{error}");
}

#[tokio::test]
async fn two_versions_of_the_same_bytes_keep_them_until_both_are_gone() {
    let world = World::new();
    let registry = world.model(None).await;
    let one = world.registered(&registry, b"same").await;
    let two = world.registered(&registry, b"same").await;
    registry.delete_version(&one.id).await.unwrap();
    let report = registry.sweep(&sweep(Duration::ZERO, true)).await.unwrap();
    assert_eq!(report, SweepReport::default());
    registry.delete_version(&two.id).await.unwrap();
    let report = registry.sweep(&sweep(Duration::ZERO, true)).await.unwrap();
    assert_eq!(report.artifacts.len(), 1);
}

#[tokio::test]
async fn a_second_sweep_is_refused_and_told_who_sweeps() {
    let world = World::new();
    let registry = world.model(None).await;
    let holder = leases::Holder::new("ann on build-7");
    let lease = registry.acquire_lease("sweep", holder, DAY).await.unwrap();
    let (other, _) = world.process();
    let error = other.sweep(&sweep(DAY, true)).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert!(error.to_string().contains("ann on build-7"), "{error}");
    // Looking is free.
    other.sweep(&sweep(DAY, false)).await.unwrap();
    registry.release_lease(&lease).await.unwrap();
    other.sweep(&sweep(DAY, true)).await.unwrap();
}

#[tokio::test]
async fn a_sweep_makes_no_registry() {
    let world = World::new();
    let registry = world.registry();
    let error = registry.sweep(&sweep(DAY, true)).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(world.records.dump(), []);
}

#[tokio::test]
async fn a_registration_says_whether_a_sweep_took_its_artifact_and_may_store_it_again() {
    let world = World::new();
    let registry = world.model(None).await;
    let version = world.registered(&registry, b"gone").await;
    registry.delete_version(&version.id).await.unwrap();
    registry.sweep(&sweep(Duration::ZERO, true)).await.unwrap();
    let mut new = world.version(0.9);
    new.spec.artifact = version.spec.artifact;

    let error = registry.register_version(new.clone()).await.unwrap_err();
    // Whoever else stores the bytes in the meantime makes no difference to what is said.
    world.artifacts.put_bytes("model.onnx", b"gone").unwrap();
    assert!(was_swept(&error), "{error}");
    registry.register_version(new).await.unwrap();

    let mut never = world.version(0.9);
    never.spec.artifact.digest = Digest::of(b"never stored");
    let error = registry.register_version(never).await.unwrap_err();
    assert!(error.is_not_found() && !was_swept(&error), "{error}");
}

#[tokio::test]
async fn marks_of_removals_are_forgotten_after_a_month() {
    let world = World::new();
    let registry = world.model(None).await;
    let version = world.registered(&registry, b"gone").await;
    registry.delete_version(&version.id).await.unwrap();
    registry.sweep(&sweep(Duration::ZERO, true)).await.unwrap();
    let marks = || {
        let all = world.records.dump();
        all.iter()
            .filter(|item| item.key.partition == "swept")
            .count()
    };
    assert_eq!(marks(), 1);
    world.clock.advance(29 * DAY);
    registry.sweep(&sweep(Duration::ZERO, true)).await.unwrap();
    assert_eq!(marks(), 1);
    world.clock.advance(2 * DAY);
    registry.sweep(&sweep(Duration::ZERO, true)).await.unwrap();
    assert_eq!(marks(), 0);
}
