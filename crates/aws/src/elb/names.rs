//! Names of what an endpoint makes: fixed before anything is made, so that what a killed run left is found again.

use mlops_core::names::EndpointName;
use mlops_core::target::RevisionName;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Owner;

/// The most characters of a target group's name (`CreateTargetGroup`).
const LONGEST: usize = 32;
/// Hexadecimal digits of the hash at the end: 64 bits.
const DIGITS: usize = 16;
/// What is left of the endpoint's name before them.
const SHOWN: usize = LONGEST - DIGITS - 1;

/// The name of what a revision is made of: up to 15 characters of the endpoint's name, and a hash of the endpoint's id and the
/// revision. At most 32 characters, all of them letters, digits and single hyphens.
pub(crate) fn of_revision(owner: &Owner, revision: &RevisionName) -> String {
    derived(&owner.name, owner.endpoint, revision.as_str())
}

/// Whether [`of_revision`] may have made this name for a revision of the endpoint.
pub(crate) fn may_be_of(endpoint: &EndpointName, name: &str) -> bool {
    name.strip_prefix(&shown(endpoint)).is_some_and(|hash| {
        hash.len() == DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn derived(endpoint: &EndpointName, id: Uuid, what: &str) -> String {
    let mut name = shown(endpoint);
    name.push_str(&hash(id, what));
    name
}

/// What a name begins with.
fn shown(endpoint: &EndpointName) -> String {
    let mut name = String::with_capacity(LONGEST);
    for character in endpoint.as_str().chars().take(SHOWN) {
        match character {
            // A target group's name has neither underscores nor two hyphens in a row, and begins with neither.
            '_' | '-' if name.is_empty() || name.ends_with('-') => {}
            '_' | '-' => name.push('-'),
            other => name.push(other),
        }
    }
    if !name.is_empty() && !name.ends_with('-') {
        name.push('-');
    }
    name
}

/// The hash at the end of [`derived`].
pub(crate) fn hash(id: Uuid, what: &str) -> String {
    let digest = Sha256::new()
        .chain_update(id.as_bytes())
        .chain_update(what)
        .finalize();
    digest[..DIGITS / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(endpoint: &str, id: u128, what: &str) -> String {
        let endpoint = EndpointName::new(endpoint).expect("legal");
        derived(&endpoint, Uuid::from_u128(id), what)
    }

    #[test]
    fn a_name_is_what_a_target_group_may_be_called_whatever_the_endpoint_is() {
        for endpoint in [
            "fraud",
            "a",
            "-",
            "__",
            "_a-_b_",
            "--fraud--detection--",
            "fraud_detection_of_cards_in_euros",
            "fraud-detection-in-eu",
        ] {
            let endpoint = &endpoint[..endpoint.len().min(32)];
            let name = name(endpoint, 1, "main-v2-1a2b3c4d.1");
            assert!(name.len() <= LONGEST, "{name}");
            assert!(
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
                "{name}"
            );
            assert!(!name.starts_with('-') && !name.ends_with('-'), "{name}");
            assert!(!name.contains("--"), "{name}");
        }
    }

    #[test]
    fn a_name_is_the_same_each_time_and_begins_with_the_endpoints() {
        let made = name("fraud_detection_of_cards", 1, "main-v2-1a2b3c4d.1");
        assert_eq!(
            made,
            name("fraud_detection_of_cards", 1, "main-v2-1a2b3c4d.1")
        );
        assert!(made.starts_with("fraud-detection-"), "{made}");
        assert_eq!(made.len(), "fraud-detection-".len() + DIGITS);
    }

    #[test]
    fn endpoints_of_one_name_and_revisions_of_one_endpoint_are_told_apart() {
        let one = name("fraud", 1, "main-v2-1a2b3c4d.1");
        assert_ne!(one, name("fraud", 2, "main-v2-1a2b3c4d.1"));
        assert_ne!(one, name("fraud", 1, "main-v2-1a2b3c4d.2"));
    }
}
