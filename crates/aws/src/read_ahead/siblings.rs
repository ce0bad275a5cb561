//! Which records are asked for together: others of the same kind in one partition (the versions of a
//! model), or the same record of many models.

use std::collections::{HashMap, HashSet};

use mlops_core::records::Key;

/// From so many on it pays to fetch those that were not asked for yet.
const ENOUGH: usize = 4;
/// The first fetch ahead is this large; each that follows doubles, so that what is fetched in vain
/// stays in proportion to what was asked for.
const FIRST: usize = 200;
const MOST: usize = 1000;
/// Families that are remembered.
const REMEMBERED: usize = 1024;

/// Records that are asked for together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Family {
    /// Sort keys with this prefix, in one partition.
    Inside { partition: String, prefix: String },
    /// This sort key, in the partitions of models.
    Across { sort: String },
}

/// The partitions of models begin so; the index has their names.
pub(super) const MODEL: &str = "model#";
pub(super) const INDEX: &str = "models";

struct Seen {
    members: HashSet<Key>,
    ahead: usize,
}

/// What was asked for lately.
#[derive(Default)]
pub(super) struct Siblings {
    seen: HashMap<Family, Seen>,
}

impl Siblings {
    /// Notes that `key` is asked for. The family to fetch ahead, if enough of it was asked for.
    pub(super) fn asked(&mut self, key: &Key) -> Option<Family> {
        if self.seen.len() > REMEMBERED {
            self.seen.clear();
        }
        let mut best: Option<(usize, Family)> = None;
        for family in families(key) {
            let seen = self.seen.entry(family.clone()).or_insert_with(|| Seen {
                members: HashSet::new(),
                ahead: FIRST,
            });
            if seen.members.len() < MOST {
                seen.members.insert(key.clone());
            }
            let count = seen.members.len();
            if count >= ENOUGH && best.as_ref().is_none_or(|(most, _)| count > *most) {
                best = Some((count, family));
            }
        }
        best.map(|(_, family)| family)
    }

    /// How many to fetch ahead now.
    pub(super) fn ahead(&mut self, family: &Family) -> usize {
        let Some(seen) = self.seen.get_mut(family) else {
            return FIRST;
        };
        let ahead = seen.ahead;
        seen.ahead = (ahead * 2).min(MOST);
        ahead
    }
}

fn families(key: &Key) -> impl Iterator<Item = Family> {
    let inside = key.sort.find('#').map(|end| Family::Inside {
        partition: key.partition.clone(),
        prefix: key.sort[..=end].to_owned(),
    });
    let across = key.partition.starts_with(MODEL).then(|| Family::Across {
        sort: key.sort.clone(),
    });
    inside.into_iter().chain(across)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(model: &str, number: usize) -> Key {
        Key::new(format!("model#{model}"), format!("version#{number:020}"))
    }

    #[test]
    fn the_fourth_sibling_tells_that_more_will_follow() {
        let mut siblings = Siblings::default();
        for number in 1..=3 {
            assert_eq!(siblings.asked(&version("fraud", number)), None);
            // The same one again is no sibling.
            assert_eq!(siblings.asked(&version("fraud", number)), None);
        }
        let inside = Family::Inside {
            partition: "model#fraud".into(),
            prefix: "version#".into(),
        };
        assert_eq!(siblings.asked(&version("fraud", 4)), Some(inside));

        for name in ["a", "b", "c"] {
            assert_eq!(
                siblings.asked(&Key::new(format!("model#{name}"), "model")),
                None
            );
        }
        let across = Family::Across {
            sort: "model".into(),
        };
        assert_eq!(siblings.asked(&Key::new("model#d", "model")), Some(across));
        assert_eq!(siblings.asked(&Key::new("lease#x", "lease")), None);
    }

    #[test]
    fn what_is_fetched_ahead_doubles_up_to_its_limit() {
        let mut siblings = Siblings::default();
        siblings.asked(&version("fraud", 1));
        let family = Family::Inside {
            partition: "model#fraud".into(),
            prefix: "version#".into(),
        };
        let sizes: Vec<usize> = (0..4).map(|_| siblings.ahead(&family)).collect();
        assert_eq!(sizes, [200, 400, 800, 1000]);
    }
}
