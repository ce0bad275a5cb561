use super::object::attribute_name;
use crate::path::{Path, Step};
use crate::schema::{Attribute, AttributeType, Block, Nesting};
use crate::types::Type;

/// What schema type a Rust type fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any type at all.
    Anything,
    /// A primitive.
    Leaf(Leaf),
    /// A sensitive or write-only value of a further shape.
    Secret(Box<Shape>),
    /// A list, set or tuple.
    Sequence(Box<Shape>),
    /// A map.
    Keyed(Box<Shape>),
    /// An object.
    Object(Vec<Field>),
}

/// A primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Text.
    String,
}

/// One attribute that a struct holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    name: &'static str,
    shape: Shape,
}

impl Field {
    /// The attribute that the field `field` of a struct stands for.
    pub fn new(field: &'static str, shape: Shape) -> Self {
        Self {
            name: attribute_name(field),
            shape,
        }
    }

    /// The attribute's name: `r#type` is `type`.
    #[doc(hidden)]
    pub fn attribute(field: &'static str) -> &'static str {
        attribute_name(field)
    }
}

impl Shape {
    /// Every disagreement between a struct and the schema whose values it holds, with its path.
    pub(crate) fn check(&self, block: &Block) -> Vec<(Path, String)> {
        let mut problems = Vec::new();
        check_block(self, block, &mut Path::root(), &mut problems);
        problems
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Anything => "any value",
            Self::Leaf(Leaf::Bool) => "a bool",
            Self::Leaf(Leaf::Number) => "a number",
            Self::Leaf(Leaf::String) => "a string",
            Self::Secret(_) => "a secret",
            Self::Sequence(_) => "a sequence",
            Self::Keyed(_) => "a map",
            Self::Object(_) => "an object",
        }
    }
}

type Problems = Vec<(Path, String)>;

fn check_block(shape: &Shape, block: &Block, path: &mut Path, problems: &mut Problems) {
    let Some(fields) = fields_of(shape, path, problems) else {
        return;
    };
    check_attributes(fields, block.attributes(), path, problems);
    for (name, nested) in block.blocks() {
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            problems.push((
                path.clone().then(name),
                "is a block of the schema, but no field of the struct".to_owned(),
            ));
            continue;
        };
        path.push(name.into());
        if let Some(element) = element_of(&field.shape, nested.nesting(), path, problems) {
            check_block(element, nested.block(), path, problems);
        }
        path.pop();
    }
    for field in fields {
        if !block.attributes().any(|(name, _)| name == field.name)
            && !block.blocks().any(|(name, _)| name == field.name)
        {
            problems.push((
                path.clone().then(field.name),
                "is a field of the struct, but not in the schema".to_owned(),
            ));
        }
    }
}

fn fields_of<'a>(shape: &'a Shape, path: &Path, problems: &mut Problems) -> Option<&'a [Field]> {
    match shape {
        Shape::Object(fields) => Some(fields),
        Shape::Secret(inner) => fields_of(inner, path, problems),
        Shape::Anything => None,
        other => {
            problems.push((
                path.clone(),
                format!(
                    "is an object in the schema, but {} in the struct",
                    other.name()
                ),
            ));
            None
        }
    }
}

fn check_attributes<'a>(
    fields: &[Field],
    attributes: impl Iterator<Item = (&'a str, &'a Attribute)>,
    path: &mut Path,
    problems: &mut Problems,
) {
    for (name, attribute) in attributes {
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            problems.push((
                path.clone().then(name),
                "is in the schema, but no field of the struct".to_owned(),
            ));
            continue;
        };
        path.push(name.into());
        let hidden = matches!(field.shape, Shape::Secret(_));
        if (attribute.is_sensitive() || attribute.is_write_only()) && !hidden {
            problems.push((
                path.clone(),
                "is sensitive or write-only, so its field must be a Secret".to_owned(),
            ));
        }
        match attribute.of() {
            AttributeType::Plain(of) => check_type(&field.shape, of, path, problems),
            AttributeType::Nested(nesting, nested) => {
                if let Some(element) = element_of(&field.shape, *nesting, path, problems)
                    && let Some(fields) = fields_of(element, path, problems)
                {
                    check_attributes(fields, nested.attributes(), path, problems);
                    for field in fields {
                        if !nested.attributes().any(|(name, _)| name == field.name) {
                            problems.push((
                                path.clone().then(field.name),
                                "is a field of the struct, but not in the schema".to_owned(),
                            ));
                        }
                    }
                }
            }
        }
        path.pop();
    }
}

/// The shape of one nested object, below the collection that holds it.
fn element_of<'a>(
    shape: &'a Shape,
    nesting: Nesting,
    path: &Path,
    problems: &mut Problems,
) -> Option<&'a Shape> {
    match (nesting, shape) {
        (_, Shape::Secret(inner)) => element_of(inner, nesting, path, problems),
        (Nesting::Single, shape) => Some(shape),
        (Nesting::List | Nesting::Set, Shape::Sequence(element))
        | (Nesting::Map, Shape::Keyed(element)) => Some(element),
        (_, Shape::Anything) => None,
        (nesting, other) => {
            problems.push((
                path.clone(),
                format!(
                    "is a {nesting} of objects in the schema, but {} in the struct",
                    other.name()
                ),
            ));
            None
        }
    }
}

fn check_type(shape: &Shape, of: &Type, path: &mut Path, problems: &mut Problems) {
    match (shape, of) {
        (Shape::Anything, _)
        | (Shape::Leaf(Leaf::Bool), Type::Bool)
        | (Shape::Leaf(Leaf::Number), Type::Number)
        | (Shape::Leaf(Leaf::String), Type::String) => {}
        (Shape::Secret(inner), of) => check_type(inner, of, path, problems),
        (Shape::Sequence(element), Type::List(of) | Type::Set(of))
        | (Shape::Keyed(element), Type::Map(of)) => {
            path.push(Step::Element);
            check_type(element, of, path, problems);
            path.pop();
        }
        (Shape::Object(fields), Type::Object(attributes)) => {
            for field in fields {
                match attributes.get(field.name) {
                    Some(of) => {
                        path.push(field.name.into());
                        check_type(&field.shape, of, path, problems);
                        path.pop();
                    }
                    None => problems.push((
                        path.clone().then(field.name),
                        "is a field of the struct, but not in the schema".to_owned(),
                    )),
                }
            }
            for name in attributes
                .keys()
                .filter(|name| !fields.iter().any(|field| field.name == *name))
            {
                problems.push((
                    path.clone().then(name.as_str()),
                    "is in the schema, but no field of the struct".to_owned(),
                ));
            }
        }
        (shape, of) => problems.push((
            path.clone(),
            format!("is {of} in the schema, but {} in the struct", shape.name()),
        )),
    }
}
