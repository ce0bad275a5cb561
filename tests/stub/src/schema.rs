//! From facts to a schema that the framework serves.

use tfplugin::schema::{Attribute, Block, Nested, Nesting, Schema};
use tfplugin::types::Type;

use crate::error::StubError;
use crate::facts::{AttributeFacts, BlockFacts, Entry};
use crate::rules::Checked;

/// Computed attributes that an update may change, although nothing in the configuration says so.
const MOVING: [&str; 7] = [
    "tags_all",
    "latest_version",
    "last_modified",
    "qualified_arn",
    "qualified_invoke_arn",
    "version_id",
    "etag",
];

/// The schema of a type.
///
/// # Errors
/// [`StubError::Schema`] if the facts hold a type or a pattern that cannot be read.
pub(crate) fn schema(name: &str, entry: &Entry) -> Result<Schema, StubError> {
    Ok(Schema::new(block(name, &entry.block)?).with_version(entry.version))
}

fn block(at: &str, facts: &BlockFacts) -> Result<Block, StubError> {
    let mut made = Block::new();
    for (name, facts) in &facts.attributes {
        made = made.attribute(name, attribute(&format!("{at}.{name}"), name, facts)?);
    }
    for (name, nested) in &facts.block_types {
        let at = format!("{at}.{name}");
        let nesting = nesting(&at, &nested.nesting_mode)?;
        let inner = block(&at, &nested.block)?;
        made = made.nested_times(name, nesting, nested.min_items, nested.max_items, inner);
    }
    Ok(made)
}

fn attribute(at: &str, name: &str, facts: &AttributeFacts) -> Result<Attribute, StubError> {
    let broken = |problem: String| StubError::Schema {
        subject: at.to_owned(),
        problem,
    };
    let mut made = match (&facts.of, &facts.nested_type) {
        (Some(of), _) => {
            let of = Type::from_json(of.to_string().as_bytes())
                .map_err(|error| broken(error.to_string()))?;
            Attribute::of_type(of)
        }
        (None, Some(nested)) => {
            let mut inner = Nested::new();
            for (name, facts) in &nested.attributes {
                inner = inner.attribute(name, attribute(&format!("{at}.{name}"), name, facts)?);
            }
            match nesting(at, &nested.nesting_mode)? {
                Nesting::Single => Attribute::single_nested(inner),
                Nesting::List => Attribute::list_nested(inner),
                Nesting::Set => Attribute::set_nested(inner),
                Nesting::Map => Attribute::map_nested(inner),
            }
        }
        (None, None) => return Err(broken("it has no type".to_owned())),
    };
    if facts.required {
        made = made.required();
    }
    if facts.optional {
        made = made.optional();
    }
    if facts.computed {
        made = made.computed();
        if !MOVING.contains(&name) {
            made = made.use_state_for_unknown();
        }
    }
    if facts.sensitive {
        made = made.sensitive();
    }
    if facts.write_only {
        made = made.write_only();
    }
    if let Some(rules) = &facts.rules {
        made = made.validate(Checked::new(rules, facts.optional));
    }
    Ok(made)
}

fn nesting(at: &str, mode: &str) -> Result<Nesting, StubError> {
    match mode {
        "single" => Ok(Nesting::Single),
        "list" => Ok(Nesting::List),
        "set" => Ok(Nesting::Set),
        "map" => Ok(Nesting::Map),
        other => Err(StubError::Schema {
            subject: at.to_owned(),
            problem: format!("no nesting is called {other:?}"),
        }),
    }
}
