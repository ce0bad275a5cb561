//! What a tag that Terraform manages may be.
//!
//! The sizes are those that MLflow promises to clients of any registry (250 and 5000 characters), so that a tag means the same
//! whoever sets it; [`MOST`] tags of these sizes still fit into one item of DynamoDB (400 KB), beside the rest of a record.

use crate::error::{Error, Result};

/// The most characters of a key.
pub const LONGEST_KEY: usize = 250;

/// The most characters of a value. A value may be empty.
pub const LONGEST_VALUE: usize = 5000;

/// The most tags that one configuration manages on an object; those that others add are not counted.
pub const MOST: usize = 64;

/// The characters of a key that a message shows.
const SHOWN: usize = 40;

/// Refuses a key.
///
/// # Errors
/// Invalid: it is empty, or longer than [`LONGEST_KEY`].
pub fn check_key(key: &str) -> Result<()> {
    match key.chars().count() {
        0 => Err(Error::invalid("a tag's key is empty; give it a name")),
        long if long > LONGEST_KEY => Err(Error::invalid(format!(
            "the key of tag {:?} has {long} characters, and {LONGEST_KEY} is the most",
            shortened(key)
        ))),
        _ => Ok(()),
    }
}

/// Refuses a value. The message names the key only.
///
/// # Errors
/// Invalid: it is longer than [`LONGEST_VALUE`].
pub fn check_value(key: &str, value: &str) -> Result<()> {
    match value.chars().count() {
        long if long > LONGEST_VALUE => Err(Error::invalid(format!(
            "the value of tag {:?} has {long} characters, and {LONGEST_VALUE} is the most",
            shortened(key)
        ))),
        _ => Ok(()),
    }
}

fn shortened(key: &str) -> String {
    let mut start: String = key.chars().take(SHOWN).collect();
    if start.len() < key.len() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_key_is_refused_and_an_empty_value_is_not() {
        assert!(check_key("").is_err());
        assert!(check_key("team").is_ok());
        assert!(check_value("team", "").is_ok());
    }

    #[test]
    fn sizes_count_characters_and_messages_stay_short() {
        assert!(check_key(&"ä".repeat(LONGEST_KEY)).is_ok());
        assert!(check_value("team", &"ä".repeat(LONGEST_VALUE)).is_ok());

        let refused = check_key(&"ä".repeat(LONGEST_KEY + 1))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("251 characters"), "{refused}");
        assert!(refused.chars().count() < 150, "{refused}");

        let refused = check_value("team", &"x".repeat(LONGEST_VALUE + 1))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("\"team\" has 5001"), "{refused}");
        assert!(refused.chars().count() < 150, "{refused}");
    }
}
