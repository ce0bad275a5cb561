//! From a strategy to the list of stages that a rollout goes through. Pure.

use serde::{Deserialize, Serialize};

use crate::endpoint::spec::{RolloutSpec, RolloutStep, Strategy};
use crate::endpoint::{Percent, Period};

/// One stage: a routing, how long it is watched, what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The candidate's share of each changed variant's own share.
    pub traffic: Percent,
    /// Share of each changed variant's requests that is copied to the candidate (SHADOW).
    #[serde(default)]
    pub mirror: Percent,
    /// How long it is watched.
    #[serde(default)]
    pub bake: Period,
    /// Whether it stops after the bake until somebody resumes.
    #[serde(default)]
    pub pause: bool,
}

/// The stages of `spec`. `compared` is whether any changed variant has an old revision; without
/// one, everything is one shift. The last stage is always at 100 %.
pub fn stages(spec: &RolloutSpec, compared: bool) -> Vec<Stage> {
    let whole = Stage {
        traffic: Percent::FULL,
        mirror: Percent::ZERO,
        bake: Period::ZERO,
        pause: false,
    };
    if !compared {
        return vec![whole];
    }
    let shift = |step: &RolloutStep| Stage {
        traffic: step.traffic,
        mirror: Percent::ZERO,
        bake: step.bake,
        pause: step.pause,
    };
    match spec.strategy {
        Strategy::AllAtOnce | Strategy::Rolling => vec![whole],
        Strategy::BlueGreen => {
            let first = spec.steps.first();
            let bake = first.map_or(Period::ZERO, |step| step.bake);
            vec![Stage {
                bake,
                pause: first.is_some_and(|step| step.pause),
                ..whole
            }]
        }
        Strategy::Canary => ending_whole(spec.steps.iter().map(shift).collect()),
        Strategy::Linear => match spec.steps.as_slice() {
            [step] if step.traffic > Percent::ZERO => {
                let height = step.traffic.shares();
                let count = Percent::FULL.shares().div_ceil(height);
                let at = |i: u32| Stage {
                    traffic: Percent::of_shares(height.saturating_mul(i)),
                    ..shift(step)
                };
                let mut all: Vec<Stage> = (1..=count).map(at).collect();
                if let Some(last) = all.last_mut() {
                    // Nothing is left to shift after the last one.
                    (last.bake, last.pause) = (Period::ZERO, false);
                }
                all
            }
            steps => ending_whole(steps.iter().map(shift).collect()),
        },
        Strategy::Shadow => {
            let mirrored = |step: &RolloutStep| Stage {
                traffic: Percent::ZERO,
                mirror: step.traffic,
                ..shift(step)
            };
            let below = spec
                .steps
                .iter()
                .filter(|step| step.traffic < Percent::FULL || !step.bake.is_zero());
            let mut all: Vec<Stage> = below.map(mirrored).collect();
            all.push(whole);
            all
        }
    }
}

fn ending_whole(mut stages: Vec<Stage>) -> Vec<Stage> {
    if stages
        .last()
        .is_none_or(|last| last.traffic < Percent::FULL)
    {
        stages.push(Stage {
            traffic: Percent::FULL,
            mirror: Percent::ZERO,
            bake: Period::ZERO,
            pause: false,
        });
    }
    stages
}

/// How long the stages take if nothing fails and nobody pauses.
pub fn planned(stages: &[Stage]) -> Period {
    stages
        .iter()
        .fold(Period::ZERO, |sum, stage| sum.plus(stage.bake))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(strategy: Strategy, steps: &[(u8, u64)]) -> RolloutSpec {
        let step = |(traffic, bake): &(u8, u64)| RolloutStep {
            traffic: Percent::from(*traffic),
            bake: Period::seconds(*bake),
            pause: false,
        };
        RolloutSpec {
            strategy,
            steps: steps.iter().map(step).collect(),
            ..RolloutSpec::default()
        }
    }

    fn shape(stages: &[Stage]) -> Vec<(u32, u32, String)> {
        stages
            .iter()
            .map(|s| {
                (
                    s.traffic.shares() / 100,
                    s.mirror.shares() / 100,
                    s.bake.to_string(),
                )
            })
            .collect()
    }

    #[test]
    fn each_strategy_ends_at_the_whole() {
        let shapes = [
            (
                Strategy::AllAtOnce,
                vec![(10, 5), (100, 0)],
                vec![(100, 0, "0s")],
            ),
            (Strategy::BlueGreen, vec![(100, 30)], vec![(100, 0, "30s")]),
            (
                Strategy::Canary,
                vec![(10, 5), (100, 0)],
                vec![(10, 0, "5s"), (100, 0, "0s")],
            ),
            (
                Strategy::Canary,
                vec![(10, 5)],
                vec![(10, 0, "5s"), (100, 0, "0s")],
            ),
            (
                Strategy::Linear,
                vec![(40, 5)],
                vec![(40, 0, "5s"), (80, 0, "5s"), (100, 0, "0s")],
            ),
            (
                Strategy::Shadow,
                vec![(50, 5), (100, 0)],
                vec![(0, 50, "5s"), (100, 0, "0s")],
            ),
        ];
        for (strategy, steps, expected) in shapes {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(t, m, b)| (t, m, b.to_owned()))
                .collect();
            assert_eq!(
                shape(&stages(&spec(strategy, &steps), true)),
                expected,
                "{strategy:?}"
            );
        }
    }

    #[test]
    fn without_an_old_revision_it_is_one_shift() {
        let canary = spec(Strategy::Canary, &[(10, 5), (100, 0)]);
        assert_eq!(shape(&stages(&canary, false)), [(100, 0, "0s".to_owned())]);
    }
}
