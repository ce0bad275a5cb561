//! Which revisions give way to which, and the routing at each stage. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Stage;
use crate::names::VariantName;
use crate::serving::WHOLE;
use crate::target::{RevisionName, Routing, VariantRouting};

/// A changed variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Which variant.
    pub variant: VariantName,
    /// The revision that serves it now; `None` if none does.
    pub old: Option<RevisionName>,
    /// The candidate.
    pub new: RevisionName,
    /// SHADOW: a second copy of the candidate in a variant of its own, which gets copies only.
    #[serde(default)]
    pub copy: Option<(VariantName, RevisionName)>,
}

/// Everything a rollout needs to know about routing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutPlan {
    /// What is restored when it fails.
    pub before: Routing,
    /// What it leads to.
    pub after: Routing,
    /// The changed variants.
    pub moves: Vec<Move>,
    /// The way.
    pub stages: Vec<Stage>,
}

impl RolloutPlan {
    /// The routing of a stage. Traffic between variants is the new one's from the first stage on.
    pub fn routing(&self, stage: &Stage) -> Routing {
        let mut routing = self.after.clone();
        for change in &self.moves {
            let Some(variant) = routing.variants.get_mut(&change.variant) else {
                continue;
            };
            variant.weights = split(change, stage.traffic.shares());
            if let Some((name, copy)) = change.copy.as_ref().filter(|_| stage.mirror.shares() > 0) {
                let shadow = u64::from(variant.traffic) * u64::from(stage.mirror.shares())
                    / u64::from(WHOLE);
                let shadow = u32::try_from(shadow).unwrap_or(WHOLE);
                let weights = BTreeMap::from([(copy.clone(), WHOLE)]);
                routing.variants.insert(
                    name.clone(),
                    VariantRouting {
                        traffic: 0,
                        shadow,
                        weights,
                    },
                );
            }
        }
        routing
    }

    /// The revision of `change` that is judged at `stage`.
    pub fn judged<'a>(&self, change: &'a Move, stage: &Stage) -> &'a RevisionName {
        match &change.copy {
            Some((_, copy)) if stage.mirror.shares() > 0 => copy,
            _ => &change.new,
        }
    }

    /// Every revision that gets or gives traffic.
    pub fn revisions(&self) -> Vec<&RevisionName> {
        let old = self.moves.iter().filter_map(|change| change.old.as_ref());
        old.chain(self.candidates()).collect()
    }

    /// Every revision that is new with this rollout.
    pub fn candidates(&self) -> Vec<&RevisionName> {
        let copies = self
            .moves
            .iter()
            .filter_map(|change| change.copy.as_ref().map(|(_, copy)| copy));
        self.moves
            .iter()
            .map(|change| &change.new)
            .chain(copies)
            .collect()
    }
}

/// The split of one variant when its candidate has `share` out of [`WHOLE`]. Sums to the whole.
fn split(change: &Move, share: u32) -> BTreeMap<RevisionName, u32> {
    let share = share.min(WHOLE);
    match &change.old {
        None => BTreeMap::from([(change.new.clone(), WHOLE)]),
        Some(old) if share == 0 => BTreeMap::from([(old.clone(), WHOLE)]),
        Some(_) if share == WHOLE => BTreeMap::from([(change.new.clone(), WHOLE)]),
        Some(old) => BTreeMap::from([(change.new.clone(), share), (old.clone(), WHOLE - share)]),
    }
}

/// Instances that a candidate needs before it takes `share`: what the old one has, in proportion,
/// rounded up, and never none.
pub fn capacity(old_instances: u32, share: u32) -> u32 {
    let needed =
        (u64::from(old_instances) * u64::from(share.min(WHOLE))).div_ceil(u64::from(WHOLE));
    u32::try_from(needed).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests;
