//! Bytes that a resource keeps beside its state, out of the user's sight.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Private state: values under keys, stored by Terraform in its state and handed back with every call.
///
/// It is not shown to users, and it is not secret: whoever can read the state file can read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrivateState {
    entries: BTreeMap<String, serde_json::Value>,
}

impl PrivateState {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry under `key`, or `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Json`] if the entry is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.entries
            .get(key)
            .map(T::deserialize)
            .transpose()
            .map_err(Error::Json)
    }

    /// Sets the entry under `key`.
    ///
    /// # Errors
    /// [`Error::Json`] if the value has no JSON form, such as a map whose keys are no strings.
    pub fn set<T: Serialize + ?Sized>(
        &mut self,
        key: impl Into<String>,
        value: &T,
    ) -> Result<(), Error> {
        self.entries.insert(
            key.into(),
            serde_json::to_value(value).map_err(Error::Json)?,
        );
        Ok(())
    }

    /// Removes the entry under `key`, and says whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        self.entries.remove(key).is_some()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads what Terraform stored. No bytes are no entries.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self::new());
        }
        serde_json::from_slice(bytes)
            .map(|entries| Self { entries })
            .map_err(Error::Json)
    }

    /// What Terraform is to store. No entries are no bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        if self.entries.is_empty() {
            return Vec::new();
        }
        serde_json::to_vec(&self.entries)
            .expect("string keys and JSON values always have a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_the_way_through_terraform() {
        let mut private = PrivateState::new();
        private.set("uuid", "7f").unwrap();
        private.set("count", &3_u64).unwrap();
        let back = PrivateState::decode(&private.encode()).unwrap();
        assert_eq!(back, private);
        assert_eq!(back.get::<String>("uuid").unwrap().as_deref(), Some("7f"));
        assert_eq!(back.get::<u64>("absent").unwrap(), None);
        assert!(back.get::<u64>("uuid").is_err());
    }

    #[test]
    fn nothing_is_stored_for_nothing() {
        assert!(PrivateState::new().encode().is_empty());
        assert!(PrivateState::decode(b"").unwrap().is_empty());
        assert!(PrivateState::decode(b"\"text\"").is_err());
    }
}
