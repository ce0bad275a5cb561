use super::Violation;
use crate::convert::Shape;
use crate::path::Path;
use crate::schema::{Attribute, AttributeType, Block, Nesting};
use crate::types::Type;

/// Names that mean something to Terraform in every resource.
const RESERVED: [&str; 7] = [
    "connection",
    "count",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "provisioner",
];

/// Checks a schema, and the struct that holds its values against it.
pub fn schema(block: &Block, shape: &Shape) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut path = Path::root();
    for name in block
        .attributes()
        .map(|(name, _)| name)
        .chain(block.blocks().map(|(name, _)| name))
    {
        if RESERVED.contains(&name) {
            found.push(Violation::new(
                &Path::attribute(name),
                "the name is Terraform's own",
            ));
        }
    }
    in_block(block, &mut path, false, &mut found);
    found.extend(
        shape
            .check(block)
            .into_iter()
            .map(|(path, rule)| Violation { path, rule }),
    );
    found
}

fn in_block(block: &Block, path: &mut Path, in_set: bool, found: &mut Vec<Violation>) {
    for (name, attribute) in block.attributes() {
        path.push(name.into());
        in_attribute(name, attribute, path, in_set, found);
        path.pop();
    }
    for (name, nested) in block.blocks() {
        path.push(name.into());
        check_name(name, path, found);
        if block.attributes().any(|(attribute, _)| attribute == name) {
            found.push(Violation::new(
                path,
                "an attribute and a block have the same name",
            ));
        }
        if nested
            .most()
            .is_some_and(|most| most < nested.least().max(1))
        {
            found.push(Violation::new(
                path,
                "the greatest number of blocks is less than the least, or 0",
            ));
        }
        in_block(
            nested.block(),
            path,
            in_set || nested.nesting() == Nesting::Set,
            found,
        );
        path.pop();
    }
}

fn in_attribute(
    name: &str,
    attribute: &Attribute,
    path: &mut Path,
    in_set: bool,
    found: &mut Vec<Violation>,
) {
    let mut broken = |rule: &str| found.push(Violation::new(path, rule));
    let (required, optional, computed) = (
        attribute.is_required(),
        attribute.is_optional(),
        attribute.is_computed(),
    );
    if !required && !optional && !computed {
        broken("an attribute must be required, optional or computed");
    }
    if required && optional {
        broken("an attribute cannot be required and optional");
    }
    if required && computed {
        broken("an attribute cannot be required and computed, or have a default");
    }
    if attribute.is_write_only() {
        if computed {
            broken("a write-only attribute cannot be computed, or have a default");
        }
        if in_set {
            broken("nothing inside a set can be write-only");
        }
    }
    if let Some(default) = attribute.default_value() {
        match attribute.value_type().conform(default.clone()) {
            Err(error) => broken(&format!(
                "the default does not have the attribute's type: {error}"
            )),
            Ok(conformed) if conformed != *default => {
                broken(
                    "the default must be written exactly in the attribute's type, such as a set for a set",
                );
            }
            Ok(_) if !default.is_wholly_known() || default.is_null() => {
                broken("a default must be known, and not null");
            }
            Ok(_) => {}
        }
    }
    check_name(name, path, found);
    match attribute.of() {
        AttributeType::Plain(of) => {
            if in_set && holds_dynamic(of) || dynamic_in_collection(of) {
                found.push(Violation::new(
                    path,
                    "nothing inside a set, list or map can be of dynamic type",
                ));
            }
        }
        AttributeType::Nested(nesting, nested) => {
            let in_set = in_set || *nesting == Nesting::Set;
            for (name, inner) in nested.attributes() {
                path.push(name.into());
                in_attribute(name, inner, path, in_set, found);
                if attribute.is_write_only() && inner.is_computed() {
                    found.push(Violation::new(
                        path,
                        "nothing inside a write-only attribute can be computed",
                    ));
                }
                if computed
                    && !optional
                    && !required
                    && (inner.is_required() || !inner.is_computed())
                {
                    found.push(Violation::new(
                        path,
                        "everything inside an attribute that is only computed must be computed",
                    ));
                }
                path.pop();
            }
        }
    }
}

fn check_name(name: &str, path: &Path, found: &mut Vec<Violation>) {
    let first = name.bytes().next();
    let legal = first.is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !legal {
        found.push(Violation::new(path, "a name must consist of lower-case letters, digits and underscores, and not begin with a digit"));
    }
}

fn holds_dynamic(of: &Type) -> bool {
    match of {
        Type::Dynamic => true,
        Type::Bool | Type::Number | Type::String => false,
        Type::List(element) | Type::Set(element) | Type::Map(element) => holds_dynamic(element),
        Type::Object(attributes) => attributes.values().any(holds_dynamic),
        Type::Tuple(elements) => elements.iter().any(holds_dynamic),
    }
}

fn dynamic_in_collection(of: &Type) -> bool {
    match of {
        Type::List(element) | Type::Set(element) | Type::Map(element) => holds_dynamic(element),
        Type::Object(attributes) => attributes.values().any(dynamic_in_collection),
        Type::Tuple(elements) => elements.iter().any(dynamic_in_collection),
        _ => false,
    }
}
