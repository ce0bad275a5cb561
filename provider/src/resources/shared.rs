//! What means the same on every resource, said once: attributes, their values, and common refusals.

use std::fmt::Display;
use std::str::FromStr;

use mlops_core::{Error, Result as CoreResult};
use tfplugin::resource::ImportRequest;
use tfplugin::schema::Attribute;
use tfplugin::types::Type;
use tfplugin::{Attr, Diagnostic, Diagnostics, Path, PrivateState, validate};

use super::convert;
use crate::client::Client;
use crate::{diagnose, tags};

/// The computed id, which never changes.
pub(crate) fn id(what: &str) -> Attribute {
    Attribute::string()
        .computed()
        .use_state_for_unknown()
        .describe(what)
}

/// A required name of at most `longest` legal characters.
pub(crate) fn name(longest: usize) -> Attribute {
    Attribute::string()
        .required()
        .validate(validate::length(1..=longest))
        .validate(validate::chars("A-Za-z0-9._-"))
}

/// When the object was created.
pub(crate) fn created_at() -> Attribute {
    Attribute::string()
        .computed()
        .use_state_for_unknown()
        .describe("When it was created, in RFC 3339.")
}

/// The configured tags.
pub(crate) fn tags() -> Attribute {
    Attribute::map(Type::String)
        .optional()
        .validate(convert::no_nulls())
        .validate(tags::legal())
        .describe(
            "Tags. They win over the provider's `default_tags`. Only the keys named in either are managed; keys that others add \
             are left alone.",
        )
}

/// All tags that Terraform manages.
pub(crate) fn tags_all() -> Attribute {
    Attribute::map(Type::String)
        .computed()
        // It repeats `tags`, and Terraform does not carry the mark of a sensitive value from one attribute to another.
        .sensitive()
        .describe(
            "All tags that Terraform manages on the object: the provider's `default_tags` with `tags` over them, without those \
             that `ignore_tags` names. Sensitive, because a value of `tags` may be.",
        )
}

/// What destroying the resource does to the object; the first of `policies` that is in use is named
/// by `default`.
pub(crate) fn deletion_policy<const N: usize>(policies: [&str; N], default: &str) -> Attribute {
    let meaning = |policy: &str| match policy {
        "DELETE" => "`DELETE` removes it",
        "ARCHIVE" => "`ARCHIVE` keeps it and what it serves, and forbids new bindings",
        "ABANDON" => "`ABANDON` leaves it as it is and forgets it",
        _ => "`PREVENT` refuses the destroy at plan",
    };
    let list = policies.map(meaning).join(", ");
    Attribute::string()
        .default(default)
        .validate(validate::one_of(policies))
        .describe(format!(
            "What destroying the resource does to the object: {list}. Default `{default}`."
        ))
}

/// What the id of an import names.
pub(crate) fn import_id<I: FromStr<Err = Error>>(
    kind: &str,
    request: &ImportRequest,
) -> Result<I, Diagnostic> {
    let text = request.id().unwrap_or_default();
    text.parse()
        .map_err(|error| cannot_import(kind, &text, &error))
}

/// What was found for the id of an import: it has to be there.
pub(crate) fn import_found<T>(
    client: &Client,
    kind: &str,
    id: &impl Display,
    found: CoreResult<Option<T>>,
) -> Result<T, Diagnostic> {
    found
        .and_then(|found| found.ok_or_else(|| client.absent(&format!("{kind} {id}"))))
        .map_err(|error| cannot_import(kind, id, &error))
}

fn cannot_import(kind: &str, id: &impl Display, error: &Error) -> Diagnostic {
    diagnose::failed(format!("Cannot import {kind} {:?}", id.to_string()), error)
}

/// Refuses to destroy an object that has `deletion_policy = "PREVENT"`, or whose registry is not there.
pub(crate) async fn check_destroyable(
    client: &Client,
    private: &PrivateState,
    policy: &Attr<String>,
    object: &str,
) -> Result<(), Diagnostics> {
    client.expect_registry(private).await?;
    if policy.as_str() != Some("PREVENT") {
        return Ok(());
    }
    let detail = format!(
        "{object} has deletion_policy = \"PREVENT\". Set another policy and apply it first, or take the resource out of the \
         state with a `removed` block."
    );
    Err(Diagnostic::error("Destroying is prevented", detail)
        .at(Path::attribute("deletion_policy"))
        .into())
}

/// A plan that reached apply with holes in it.
pub(crate) fn unknown_at_apply() -> Diagnostic {
    Diagnostic::bug("A value of the plan was still unknown, or no longer legal, at apply.")
}

#[cfg(test)]
pub(crate) use tests::assert_described;

#[cfg(test)]
mod tests {
    use tfplugin::schema::{Attribute, AttributeType, Block, Schema};

    /// Fails naming the first attribute whose description a user could not act on.
    pub(crate) fn assert_described(schema: &Schema) {
        assert!(
            !schema.block().description().is_empty(),
            "the resource has no description"
        );
        block("", schema.block());
    }

    fn block(at: &str, block: &Block) {
        attributes(at, block.attributes());
        for (name, nested) in block.blocks() {
            let at = format!("{at}{name}.");
            assert!(
                !nested.block().description().is_empty(),
                "{at} has no description"
            );
            self::block(&at, nested.block());
        }
    }

    fn attributes<'a>(at: &str, attributes: impl Iterator<Item = (&'a str, &'a Attribute)>) {
        for (name, attribute) in attributes {
            assert!(
                !attribute.description().is_empty(),
                "{at}{name} has no description"
            );
            if let AttributeType::Nested(_, nested) = attribute.of() {
                self::attributes(&format!("{at}{name}."), nested.attributes());
            }
        }
    }
}
