//! What is known about a provider: what `terraform providers schema -json` prints about it, for aws with rules
//! beside the attributes (`facts/generate`).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::StubError;

/// The providers that the stub can be, each with its facts.
const KNOWN: [(&str, &str, &str); 8] = [
    ("archive", "2.7.1", include_str!("../facts/archive.json")),
    ("aws", "6.25.0", include_str!("../facts/aws.json")),
    ("helm", "3.1.1", include_str!("../facts/helm.json")),
    (
        "kubernetes",
        "3.2.0",
        include_str!("../facts/kubernetes.json"),
    ),
    ("null", "3.2.4", include_str!("../facts/null.json")),
    ("random", "3.7.2", include_str!("../facts/random.json")),
    ("time", "0.13.1", include_str!("../facts/time.json")),
    ("tls", "4.1.0", include_str!("../facts/tls.json")),
];

/// Everything that one provider offers.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts {
    /// The `provider` block.
    pub(crate) provider: Entry,
    /// Resources by type.
    #[serde(default)]
    pub(crate) resource_schemas: BTreeMap<String, Entry>,
    /// Data sources by type.
    #[serde(default)]
    pub(crate) data_source_schemas: BTreeMap<String, Entry>,
}

/// One schema.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Entry {
    /// The version that states carry.
    #[serde(default)]
    pub(crate) version: u64,
    /// The outermost block.
    #[serde(default)]
    pub(crate) block: BlockFacts,
}

/// A block.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BlockFacts {
    /// Attributes by name.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, AttributeFacts>,
    /// Nested blocks by name.
    #[serde(default)]
    pub(crate) block_types: BTreeMap<String, NestedFacts>,
}

/// A nested block.
#[derive(Debug, Deserialize)]
pub(crate) struct NestedFacts {
    /// `single`, `list`, `set` or `map`.
    pub(crate) nesting_mode: String,
    /// What is in each.
    #[serde(default)]
    pub(crate) block: BlockFacts,
    /// The least number.
    #[serde(default)]
    pub(crate) min_items: u32,
    /// The greatest number.
    pub(crate) max_items: Option<u32>,
}

/// An attribute.
#[derive(Debug, Deserialize)]
pub(crate) struct AttributeFacts {
    /// The type in the protocol's JSON form.
    #[serde(rename = "type")]
    pub(crate) of: Option<serde_json::Value>,
    /// Attributes of objects with rules of their own, in place of a type.
    pub(crate) nested_type: Option<NestedType>,
    /// Must be set.
    #[serde(default)]
    pub(crate) required: bool,
    /// May be set.
    #[serde(default)]
    pub(crate) optional: bool,
    /// The provider sets it.
    #[serde(default)]
    pub(crate) computed: bool,
    /// Hidden.
    #[serde(default)]
    pub(crate) sensitive: bool,
    /// Never stored.
    #[serde(default)]
    pub(crate) write_only: bool,
    /// What the value may be.
    pub(crate) rules: Option<Rules>,
}

/// Objects in an attribute.
#[derive(Debug, Deserialize)]
pub(crate) struct NestedType {
    /// Attributes by name.
    pub(crate) attributes: BTreeMap<String, AttributeFacts>,
    /// `single`, `list`, `set` or `map`.
    pub(crate) nesting_mode: String,
}

/// What a value may be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// One of these words.
    #[serde(rename = "enum")]
    pub(crate) words: Option<Vec<String>>,
    /// One of these numbers.
    pub(crate) numbers: Option<Vec<i64>>,
    /// A regular expression that the whole text matches.
    pub(crate) pattern: Option<String>,
    /// The least and the greatest number of characters.
    pub(crate) length: Option<(usize, Option<usize>)>,
    /// The least and the greatest number.
    pub(crate) range: Option<(Option<i64>, Option<i64>)>,
    /// The least and the greatest number of elements.
    pub(crate) size: Option<(usize, Option<usize>)>,
    /// Rules for each element.
    pub(crate) each: Option<Box<Rules>>,
}

impl Facts {
    /// The facts about the provider of this name, and its version.
    ///
    /// # Errors
    /// If no provider of this name is known, or its file cannot be read.
    pub(crate) fn about(name: &str) -> Result<(Self, &'static str), StubError> {
        let known = KNOWN.iter().find(|(known, ..)| *known == name);
        let Some((_, version, text)) = known else {
            return Err(StubError::UnknownProvider {
                name: name.to_owned(),
                known: Self::names().collect::<Vec<_>>().join(", "),
            });
        };
        let facts = serde_json::from_str(text).map_err(|source| StubError::Facts {
            name: name.to_owned(),
            source,
        })?;
        Ok((facts, version))
    }

    /// The names of the providers that are known.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, ..)| *name)
    }

    /// The version under which the provider of this name is installed.
    pub(crate) fn versions() -> impl Iterator<Item = (&'static str, &'static str)> {
        KNOWN.iter().map(|(name, version, _)| (*name, *version))
    }
}
