//! The index of models is spread over several partitions of the table; the port sees one.

use mlops_core::records::Key;
use sha2::{Digest as _, Sha256};

/// The port's partition that is spread.
const INDEX: &str = "models";

/// Over how many. It is part of the format: a change needs a migration.
const SHARDS: u8 = 8;

/// Where the record of this key lies in the table.
pub(super) fn partition(key: &Key) -> String {
    if key.partition != INDEX {
        return key.partition.clone();
    }
    let shard = Sha256::digest(key.sort.as_bytes())[0] % SHARDS;
    format!("{INDEX}#{shard}")
}

/// The partitions of the table that make up one of the port.
pub(super) fn all(partition: &str) -> Vec<String> {
    if partition != INDEX {
        return vec![partition.to_owned()];
    }
    (0..SHARDS)
        .map(|shard| format!("{INDEX}#{shard}"))
        .collect()
}

/// The port's partition of which this one of the table is a part.
pub(super) fn port_partition(place: &str) -> &str {
    let shard = place
        .strip_prefix(INDEX)
        .and_then(|rest| rest.strip_prefix('#'));
    match shard.and_then(|shard| shard.parse::<u8>().ok()) {
        Some(shard) if shard < SHARDS => INDEX,
        _ => place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_spread_evenly_and_each_stays_in_its_shard() {
        let mut counts = std::collections::BTreeMap::new();
        for number in 0..8000 {
            let place = partition(&Key::new(INDEX, format!("model-{number}")));
            assert!(all(INDEX).contains(&place), "{place}");
            *counts.entry(place).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), usize::from(SHARDS));
        assert!(
            counts.values().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
        // The layout is permanent: this name lies here in every table.
        assert_eq!(partition(&Key::new(INDEX, "fraud")), "models#0");
    }

    #[test]
    fn other_partitions_are_their_own() {
        let key = Key::new("model#fraud", "model");
        assert_eq!(partition(&key), "model#fraud");
        assert_eq!(all("model#fraud"), ["model#fraud"]);
        assert_eq!(all("models#x"), ["models#x"]);
        assert_eq!(port_partition("models#7"), "models");
        assert_eq!(port_partition("models#8"), "models#8");
        assert_eq!(port_partition("model#7"), "model#7");
    }
}
