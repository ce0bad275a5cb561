//! Between the protocol's messages and our types: no behaviour here.

use tfplugin_proto::{Timestamp, tfplugin6 as pb};

use crate::diagnostics::{Diagnostic, Diagnostics, Severity};
use crate::error::Error;
use crate::function::{FunctionError, Parameter, Signature};
use crate::path::{Path, Step};
use crate::private::PrivateState;
use crate::resource::{Deferred, IdentitySchema, RawState};
use crate::schema::{Attribute, AttributeType, Block, Nesting, Schema};
use crate::types::Type;
use crate::value::Value;
use crate::{json, msgpack};

/// The value in a message; one that is absent is null.
pub(super) fn value(wire: Option<&pb::DynamicValue>, of: &Type) -> Result<Value, Diagnostics> {
    let decoded = match wire {
        None => Ok(Value::Null),
        Some(wire) if !wire.msgpack.is_empty() => msgpack::decode(&wire.msgpack, of),
        Some(wire) if !wire.json.is_empty() => json::decode(&wire.json, of),
        Some(_) => Err(Error::Missing {
            part: "content in a value",
        }),
    };
    decoded.map_err(unreadable)
}

pub(super) fn dynamic(value: &Value, of: &Type) -> Result<pb::DynamicValue, Diagnostics> {
    let msgpack =
        msgpack::encode(value, of).map_err(|error| Diagnostics::from(mistyped(&error)))?;
    Ok(pb::DynamicValue {
        msgpack,
        json: Vec::new(),
    })
}

pub(super) fn null() -> pb::DynamicValue {
    pb::DynamicValue {
        msgpack: vec![0xc0],
        json: Vec::new(),
    }
}

pub(super) fn private(bytes: &[u8]) -> Result<PrivateState, Diagnostics> {
    PrivateState::decode(bytes).map_err(|error| {
        Diagnostics::error(
            "Unreadable private state",
            format!(
                "What Terraform stored beside the state cannot be read: {}.",
                chain(&error)
            ),
        )
    })
}

/// A stored state; only states of Terraform 0.11 and older have another form.
pub(super) fn raw_state(wire: Option<pb::RawState>) -> Result<RawState, Diagnostics> {
    match wire {
        Some(wire) if !wire.json.is_empty() => Ok(RawState::new(wire.json)),
        _ => Err(unreadable(Error::Missing {
            part: "state in JSON",
        })),
    }
}

/// The error for what Terraform sent and we cannot read.
pub(super) fn unreadable(error: Error) -> Diagnostics {
    let path = match &error {
        Error::Type { path, .. } if !path.is_root() => Some(path.clone()),
        _ => None,
    };
    let detail = format!(
        "A value from Terraform cannot be read: {}. Check that the provider's version is the one that Terraform planned with.",
        chain(&error)
    );
    Diagnostics::from(Diagnostic {
        path,
        ..Diagnostic::error("Unreadable value", detail)
    })
}

/// The error for what an author returned and the schema does not allow.
pub(super) fn mistyped(error: &Error) -> Diagnostic {
    let bug = Diagnostic::bug(format!(
        "The provider's answer does not have the schema's type: {error}."
    ));
    match error {
        Error::Type { path, .. } if !path.is_root() => bug.at(path.clone()),
        _ => bug,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

pub(super) fn diagnostics(diagnostics: Diagnostics) -> Vec<pb::Diagnostic> {
    diagnostics.into_iter().map(diagnostic).collect()
}

fn diagnostic(diagnostic: Diagnostic) -> pb::Diagnostic {
    let severity = match diagnostic.severity {
        Severity::Error => pb::diagnostic::Severity::Error,
        Severity::Warning => pb::diagnostic::Severity::Warning,
    };
    pb::Diagnostic {
        severity: severity.into(),
        summary: diagnostic.summary,
        detail: diagnostic.detail,
        attribute: diagnostic.path.as_ref().map(path),
    }
}

/// A path as far as the protocol can say it: it ends before a set's element.
pub(super) fn path(path: &Path) -> pb::AttributePath {
    use pb::attribute_path::step::Selector;
    let selectors = path.steps().iter().map_while(|step| match step {
        Step::Attribute(name) => Some(Selector::AttributeName(name.clone())),
        Step::Key(key) => Some(Selector::ElementKeyString(key.clone())),
        Step::Index(index) => i64::try_from(*index).ok().map(Selector::ElementKeyInt),
        Step::Element => None,
    });
    pb::AttributePath {
        steps: selectors
            .map(|selector| pb::attribute_path::Step {
                selector: Some(selector),
            })
            .collect(),
    }
}

pub(super) fn deferred(why: Deferred) -> pb::Deferred {
    let reason = match why {
        Deferred::ResourceConfigUnknown => pb::deferred::Reason::ResourceConfigUnknown,
        Deferred::ProviderConfigUnknown => pb::deferred::Reason::ProviderConfigUnknown,
        Deferred::AbsentPrerequisite => pb::deferred::Reason::AbsentPrereq,
    };
    pb::Deferred {
        reason: reason.into(),
    }
}

pub(super) fn timestamp(at: std::time::SystemTime) -> Timestamp {
    Timestamp::from(at)
}

pub(super) fn function_error(error: FunctionError) -> pb::FunctionError {
    pb::FunctionError {
        text: error.text,
        function_argument: error.argument,
    }
}

const MARKDOWN: i32 = pb::StringKind::Markdown as i32;

/// Versions are small numbers that we chose ourselves; the protocol's field is signed.
fn version(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

pub(super) fn schema(schema: &Schema) -> pb::Schema {
    pb::Schema {
        version: version(schema.version()),
        block: Some(block(schema.block(), schema.version())),
    }
}

fn block(of: &Block, at: u64) -> pb::schema::Block {
    let block_types = of.blocks().map(|(name, nested)| {
        use pb::schema::nested_block::NestingMode;
        let nesting = match nested.nesting() {
            Nesting::Single => NestingMode::Single,
            Nesting::List => NestingMode::List,
            Nesting::Set => NestingMode::Set,
            Nesting::Map => NestingMode::Map,
        };
        let least = i64::from(nested.least());
        // Core wants both limits of a single block to be equal, and takes 0 for no upper limit.
        let (min_items, max_items) = match nested.nesting() {
            Nesting::Single => (least.min(1), least.min(1)),
            Nesting::Map => (0, 0),
            Nesting::List | Nesting::Set => (least, nested.most().map_or(0, i64::from)),
        };
        pb::schema::NestedBlock {
            type_name: name.to_owned(),
            block: Some(block(nested.block(), 0)),
            nesting: nesting.into(),
            min_items,
            max_items,
        }
    });
    pb::schema::Block {
        version: version(at),
        attributes: of
            .attributes()
            .map(|(name, of)| attribute(name, of))
            .collect(),
        block_types: block_types.collect(),
        description: of.description().to_owned(),
        description_kind: MARKDOWN,
        deprecated: of.deprecation().is_some(),
        deprecation_message: of.deprecation().unwrap_or_default().to_owned(),
    }
}

fn attribute(name: &str, of: &Attribute) -> pb::schema::Attribute {
    // Exactly one of the two: core cannot load an attribute with both.
    let (plain, nested_type) = match of.of() {
        AttributeType::Plain(of) => (of.to_json(), None),
        AttributeType::Nested(nesting, nested) => {
            use pb::schema::object::NestingMode;
            let nesting = match nesting {
                Nesting::Single => NestingMode::Single,
                Nesting::List => NestingMode::List,
                Nesting::Set => NestingMode::Set,
                Nesting::Map => NestingMode::Map,
            };
            let attributes = nested
                .attributes()
                .map(|(name, of)| attribute(name, of))
                .collect();
            (
                Vec::new(),
                Some(pb::schema::Object {
                    attributes,
                    nesting: nesting.into(),
                }),
            )
        }
    };
    pb::schema::Attribute {
        name: name.to_owned(),
        r#type: plain,
        nested_type,
        description: of.description().to_owned(),
        description_kind: MARKDOWN,
        required: of.is_required(),
        optional: of.is_optional(),
        computed: of.is_computed(),
        sensitive: of.is_sensitive(),
        write_only: of.is_write_only(),
        deprecated: of.deprecation().is_some(),
        deprecation_message: of.deprecation().unwrap_or_default().to_owned(),
    }
}

pub(super) fn identity_schema(of: &IdentitySchema) -> pb::ResourceIdentitySchema {
    let attributes =
        of.attributes()
            .iter()
            .map(|part| pb::resource_identity_schema::IdentityAttribute {
                name: part.name.clone(),
                r#type: part.of.to_json(),
                required_for_import: part.required_for_import,
                optional_for_import: !part.required_for_import,
                description: part.description.clone(),
            });
    pb::ResourceIdentitySchema {
        version: version(of.version()),
        identity_attributes: attributes.collect(),
    }
}

pub(super) fn function(of: &Signature) -> pb::Function {
    pb::Function {
        parameters: of.parameters.iter().map(parameter).collect(),
        variadic_parameter: of.variadic.as_ref().map(parameter),
        r#return: Some(pb::function::Return {
            r#type: of.returns.to_json(),
        }),
        summary: of.summary.clone(),
        description: of.description.clone(),
        description_kind: MARKDOWN,
        deprecation_message: String::new(),
    }
}

fn parameter(of: &Parameter) -> pb::function::Parameter {
    pb::function::Parameter {
        name: of.name.clone(),
        r#type: of.of.to_json(),
        allow_null_value: of.allow_null,
        allow_unknown_values: of.allow_unknown,
        description: of.description.clone(),
        description_kind: MARKDOWN,
    }
}
