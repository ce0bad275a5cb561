//! Random operations against a model of what the registry promises.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Create,
    DeleteModel(bool),
    Register(u8),
    Archive(u8),
    DeleteVersion(u8),
    PointAlias(u8),
    DeleteAlias,
    KillAndRestart,
    CloseAndRestart,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Create),
        1 => any::<bool>().prop_map(Op::DeleteModel),
        6 => (0..2u8).prop_map(Op::Register),
        2 => (1..6u8).prop_map(Op::Archive),
        2 => (1..6u8).prop_map(Op::DeleteVersion),
        3 => (1..6u8).prop_map(Op::PointAlias),
        1 => Just(Op::DeleteAlias),
        1 => Just(Op::KillAndRestart),
        1 => Just(Op::CloseAndRestart),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Kept {
    kind: u8,
    archived: bool,
}

/// What the registry promises.
#[derive(Debug, Default)]
struct Promise {
    exists: bool,
    last: u64,
    versions: BTreeMap<u64, Kept>,
    alias: Option<u64>,
    /// Versions that dead sessions created and nobody took: number and kind.
    abandoned: BTreeMap<u64, u8>,
    /// Versions that the running session created.
    fresh: BTreeMap<u64, u8>,
    model_abandoned: bool,
    model_fresh: bool,
}

async fn run(ops: Vec<Op>) {
    let world = World::new();
    let (mut registry, mut process) = world.process();
    let mut promise = Promise::default();
    for op in ops {
        step(&world, &registry, &mut promise, &op).await;
        if matches!(op, Op::KillAndRestart | Op::CloseAndRestart) {
            if matches!(op, Op::KillAndRestart) {
                process.kill();
                promise.abandoned.append(&mut promise.fresh);
                promise.model_abandoned |= promise.model_fresh;
            } else {
                registry.close_session().await.unwrap();
                promise.fresh.clear();
            }
            promise.model_fresh = false;
            (registry, process) = world.process();
        }
        agree(&registry, &promise, &op).await;
    }
}

async fn step(world: &World, registry: &Registry, promise: &mut Promise, op: &Op) {
    let version = |number: u8| VersionId {
        model: fraud(),
        version: number.into(),
    };
    match op {
        Op::KillAndRestart | Op::CloseAndRestart => {}
        Op::Create => {
            let made = registry.create_model(&fraud(), accuracy()).await;
            assert_eq!(
                made.is_ok(),
                !promise.exists || promise.model_abandoned,
                "{made:?}"
            );
            if made.is_ok() {
                promise.exists = true;
                promise.model_abandoned = false;
                promise.model_fresh = true;
            }
        }
        Op::DeleteModel(force) => {
            let live = promise.versions.values().any(|kept| !kept.archived);
            let refused = promise.exists && !force && (live || promise.alias.is_some());
            let deleted = registry.delete_model(&fraud(), *force).await;
            assert_eq!(deleted.is_err(), refused, "{deleted:?}");
            if deleted.is_ok() {
                promise.exists = false;
                promise.model_abandoned = false;
                promise.model_fresh = false;
                promise.versions.clear();
                promise.alias = None;
            }
        }
        Op::Register(kind) => {
            let made = registry
                .register_version(world.version(f64::from(*kind) / 2.0))
                .await;
            assert_eq!(made.is_ok(), promise.exists, "{made:?}");
            let Ok(made) = made else { return };
            let number = made.id.version;
            let adoptable = promise.abandoned.iter().any(|(number, of)| {
                of == kind
                    && promise
                        .versions
                        .get(number)
                        .is_some_and(|kept| !kept.archived)
            });
            if adoptable {
                assert_eq!(
                    promise.abandoned.remove(&number),
                    Some(*kind),
                    "adopted {number}"
                );
            } else {
                promise.last += 1;
                assert_eq!(
                    number, promise.last,
                    "numbers go on and are never used again"
                );
                let kept = Kept {
                    kind: *kind,
                    archived: false,
                };
                promise.versions.insert(number, kept);
            }
            promise.fresh.insert(number, *kind);
        }
        Op::Archive(number) => {
            registry.archive_version(&version(*number)).await.unwrap();
            if let Some(kept) = promise.versions.get_mut(&u64::from(*number)) {
                kept.archived = true;
            }
        }
        Op::DeleteVersion(number) => {
            let bound = promise.alias == Some(u64::from(*number));
            let deleted = registry.delete_version(&version(*number)).await;
            assert_eq!(deleted.is_err(), bound, "{deleted:?}");
            if deleted.is_ok() {
                promise.versions.remove(&u64::from(*number));
            }
        }
        Op::PointAlias(number) => {
            let target = u64::from(*number);
            let id = "fraud@champion".parse().unwrap();
            let exists = registry.alias(&id).await.unwrap().is_some();
            let set = champion(Some(target));
            let moved = if exists {
                registry.move_alias(set).await
            } else {
                registry.create_alias(set).await
            };
            let allowed = promise.exists
                && (promise.alias == Some(target)
                    || promise
                        .versions
                        .get(&target)
                        .is_some_and(|kept| !kept.archived));
            assert_eq!(moved.is_ok(), allowed, "{moved:?}");
            if allowed {
                promise.alias = Some(target);
            }
        }
        Op::DeleteAlias => {
            registry
                .delete_alias(&"fraud@champion".parse().unwrap())
                .await
                .unwrap();
            promise.alias = None;
        }
    }
}

/// What can be read is what was promised.
async fn agree(registry: &Registry, promise: &Promise, after: &Op) {
    assert_eq!(
        registry.model(&fraud()).await.unwrap().is_some(),
        promise.exists,
        "{after:?}"
    );
    let (versions, _) = registry.list_versions(&fraud(), None, 1000).await.unwrap();
    let found: BTreeMap<u64, Kept> = versions
        .iter()
        .map(|version| {
            let kept = Kept {
                kind: (version.metrics["accuracy"] * 2.0) as u8,
                archived: version.is_archived(),
            };
            (version.id.version, kept)
        })
        .collect();
    assert_eq!(found, promise.versions, "{after:?}");
    let alias = registry
        .alias(&"fraud@champion".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(
        alias.and_then(|alias| alias.version),
        promise.alias,
        "{after:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_keeps_the_promise(ops in prop::collection::vec(op(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run(ops));
    }
}
