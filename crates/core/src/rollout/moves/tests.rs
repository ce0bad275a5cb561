use proptest::prelude::*;

use super::*;
use crate::endpoint::{DeploymentId, DeploymentRef, Percent, Period};

fn name(variant: &VariantName, version: u64) -> RevisionName {
    let id = DeploymentId::new("local/x", None, version).unwrap();
    RevisionName::new(variant, version, &DeploymentRef { id, attempt: 1 })
}

/// Variants with traffic that sums to the whole; for each whether it changes and has an old one.
fn plans() -> impl Strategy<Value = RolloutPlan> {
    proptest::collection::vec(
        (0_u32..=WHOLE, any::<bool>(), any::<bool>(), any::<bool>()),
        1..6,
    )
    .prop_map(|raw| {
        let mut rest = WHOLE;
        let count = raw.len();
        let (mut before, mut after, mut moves) =
            (Routing::default(), Routing::default(), Vec::new());
        for (i, (cut, changed, has_old, copied)) in raw.into_iter().enumerate() {
            let variant = VariantName::new(format!("v{i}")).unwrap();
            let traffic = if i + 1 == count { rest } else { cut.min(rest) };
            rest -= traffic;
            let (old, new) = (name(&variant, 1), name(&variant, 2));
            let with = |revision: &RevisionName| VariantRouting {
                traffic,
                shadow: 0,
                weights: BTreeMap::from([(revision.clone(), WHOLE)]),
            };
            before.variants.insert(variant.clone(), with(&old));
            after
                .variants
                .insert(variant.clone(), with(if changed { &new } else { &old }));
            if changed {
                let copy = copied.then(|| {
                    (
                        VariantName::new(format!("v{i}-shadow")).unwrap(),
                        name(&variant, 3),
                    )
                });
                moves.push(Move {
                    variant,
                    old: has_old.then_some(old),
                    new,
                    copy,
                });
            }
        }
        RolloutPlan {
            before,
            after,
            moves,
            stages: Vec::new(),
        }
    })
}

proptest! {
    #[test]
    fn shares_sum_exactly_at_every_stage(plan in plans(), traffic in 0_u32..=WHOLE, mirror in 0_u32..=WHOLE) {
        let stage = Stage {
            traffic: Percent::of_shares(traffic),
            mirror: Percent::of_shares(mirror),
            bake: Period::ZERO,
            pause: false,
        };
        let routing = plan.routing(&stage);
        routing.validate().unwrap();
        let total: u32 = routing.variants.values().map(|v| v.traffic).sum();
        prop_assert_eq!(total, WHOLE);
        for (variant, routed) in &routing.variants {
            prop_assert_eq!(routed.weights.values().sum::<u32>(), WHOLE);
            let Some(change) = plan.moves.iter().find(|m| m.variant == *variant) else {
                // Not a changed variant: what it was, or a copy that takes no traffic of its own.
                prop_assert!(routed.traffic == 0 || plan.after.variants.get(variant) == Some(routed));
                continue;
            };
            let candidate = routed.weights.get(&change.new).copied().unwrap_or(0);
            prop_assert_eq!(candidate, if change.old.is_some() { traffic } else { WHOLE });
        }
    }

    #[test]
    fn the_whole_stage_is_what_the_rollout_leads_to(plan in plans()) {
        let stage = Stage { traffic: Percent::FULL, mirror: Percent::ZERO, bake: Period::ZERO, pause: false };
        prop_assert_eq!(plan.routing(&stage), plan.after.clone());
    }

    #[test]
    fn capacity_never_falls_short(old in 0_u32..10_000, share in 0_u32..=WHOLE) {
        let needed = capacity(old, share);
        prop_assert!(u64::from(needed) * u64::from(WHOLE) >= u64::from(old) * u64::from(share));
        prop_assert!(needed <= old.max(1));
    }
}
