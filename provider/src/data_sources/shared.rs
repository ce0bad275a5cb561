//! What several data sources say alike.

use std::collections::BTreeMap;

use mlops_core::Error;
use mlops_core::registry::Version;
use tfplugin::schema::{Attribute, Nested};
use tfplugin::types::Type;
use tfplugin::{Attr, Diagnostics};

use crate::diagnose;
use crate::resources::convert;
use crate::tags::TagRules;

/// A failed lookup.
pub(crate) fn failed(object: &str, error: &Error) -> Diagnostics {
    diagnose::failed(format!("Cannot read {object}"), error).into()
}

/// A computed string.
pub(crate) fn text(what: &str) -> Attribute {
    Attribute::string().computed().describe(what)
}

/// A computed number.
pub(crate) fn number(what: &str) -> Attribute {
    Attribute::number().computed().describe(what)
}

/// A computed bool.
pub(crate) fn flag(what: &str) -> Attribute {
    Attribute::bool().computed().describe(what)
}

/// A computed map of strings.
pub(crate) fn texts(what: &str) -> Attribute {
    Attribute::map(Type::String).computed().describe(what)
}

/// A computed map of numbers.
pub(crate) fn numbers(what: &str) -> Attribute {
    Attribute::map(Type::Number).computed().describe(what)
}

tfplugin::object! {
    /// One version in a list.
    pub(crate) struct VersionEntry {
        /// `MODEL/VERSION`.
        pub(crate) id: Attr<String>,
        /// Its number.
        pub(crate) version: Attr<u64>,
        /// `active` or `archived`.
        pub(crate) status: Attr<String>,
        /// The last word on it.
        pub(crate) approval_status: Attr<String>,
        /// Its metrics.
        pub(crate) metrics: Attr<BTreeMap<String, f64>>,
        /// Its tags.
        pub(crate) tags: Attr<BTreeMap<String, String>>,
        /// Its bytes.
        pub(crate) artifact_digest: Attr<String>,
        /// When it was registered.
        pub(crate) created_at: Attr<String>,
    }
}

/// The attributes of a [`VersionEntry`].
pub(crate) fn version_entry() -> Nested {
    Nested::new()
        .attribute("id", text("`MODEL/VERSION`."))
        .attribute("version", number("The number."))
        .attribute("status", text("`active` or `archived`."))
        .attribute(
            "approval_status",
            text("The last word on it; null if nobody spoke."),
        )
        .attribute("metrics", numbers("All metrics, by name."))
        .attribute(
            "tags",
            texts("All tags but those that the provider's `ignore_tags` names."),
        )
        .attribute(
            "artifact_digest",
            text("SHA-256 of the artifact's manifest."),
        )
        .attribute("created_at", text("When it was registered, RFC 3339."))
}

/// The entry for a version.
pub(crate) fn entry_of(version: &Version, rules: &TagRules) -> VersionEntry {
    VersionEntry {
        id: version.id.to_string().into(),
        version: version.id.version.into(),
        status: convert::text(&version.status).into(),
        approval_status: version
            .approval
            .as_ref()
            .map(|approval| approval.status.as_str().to_owned())
            .into(),
        metrics: version.metrics.clone().into(),
        tags: rules.shown(version.tags.clone()).into(),
        artifact_digest: version.digest().to_string().into(),
        created_at: version.created_at.to_string().into(),
    }
}
