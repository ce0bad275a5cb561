use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Attribute;
use crate::types::Type;
use crate::validate::Validator;

/// How many nested objects there are, and what tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One, or none.
    Single,
    /// Any number, in order.
    List,
    /// Any number, told apart by their content.
    Set,
    /// Any number, under keys.
    Map,
}

impl Nesting {
    /// The type of a collection of `object`.
    pub(crate) fn wrap(self, object: Type) -> Type {
        match self {
            Self::Single => object,
            Self::List => Type::list(object),
            Self::Set => Type::set(object),
            Self::Map => Type::map(object),
        }
    }
}

impl fmt::Display for Nesting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "single",
            Self::List => "list",
            Self::Set => "set",
            Self::Map => "map",
        })
    }
}

/// Attributes and nested blocks, with what is said about the whole.
#[derive(Clone, Default)]
pub struct Block {
    attributes: BTreeMap<String, Attribute>,
    blocks: BTreeMap<String, NestedBlock>,
    validators: Vec<Arc<dyn Validator>>,
    description: String,
    deprecation: Option<String>,
}

impl Block {
    /// A block without content.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute; one of the same name is replaced.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: Attribute) -> Self {
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// Adds a block that may appear once. It is null where it is absent.
    #[must_use]
    pub fn single(self, name: impl Into<String>, block: Self) -> Self {
        self.nested(name, Nesting::Single, block)
    }

    /// Adds a block of any nesting, and any number of it.
    #[must_use]
    pub fn nested(self, name: impl Into<String>, nesting: Nesting, block: Self) -> Self {
        self.nested_times(name, nesting, 0, None, block)
    }

    /// Adds a block of any nesting of which there are at least `least` and at most `most`, which
    /// Terraform itself enforces. A single block is there once at most, so only `least` counts for it;
    /// blocks under keys have no limits.
    #[must_use]
    pub fn nested_times(
        mut self,
        name: impl Into<String>,
        nesting: Nesting,
        least: u32,
        most: Option<u32>,
        block: Self,
    ) -> Self {
        let nested = NestedBlock {
            nesting,
            least,
            most,
            block,
        };
        self.blocks.insert(name.into(), nested);
        self
    }

    /// Adds a rule over the whole block, such as [`exactly_one_of`](crate::validate::exactly_one_of).
    /// It is given the block as an object.
    #[must_use]
    pub fn validate(mut self, validator: impl Validator) -> Self {
        self.validators.push(Arc::new(validator));
        self
    }

    /// Says what the block is for, in Markdown; it is the source of the documentation.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Marks the block deprecated; `message` says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, message: impl Into<String>) -> Self {
        self.deprecation = Some(message.into());
        self
    }

    /// The attributes by name, in order.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = (&str, &Attribute)> {
        self.attributes
            .iter()
            .map(|(name, attribute)| (name.as_str(), attribute))
    }

    /// The nested blocks by name, in order.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = (&str, &NestedBlock)> {
        self.blocks
            .iter()
            .map(|(name, block)| (name.as_str(), block))
    }

    /// The rules over the whole block.
    pub fn validators(&self) -> &[Arc<dyn Validator>] {
        &self.validators
    }

    /// What the block is for.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What to use instead, if the block is deprecated.
    pub fn deprecation(&self) -> Option<&str> {
        self.deprecation.as_deref()
    }

    /// The type of the block's values.
    pub fn object_type(&self) -> Type {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, attribute)| (name.clone(), attribute.value_type()));
        let blocks = self
            .blocks
            .iter()
            .map(|(name, block)| (name.clone(), block.value_type()));
        Type::Object(attributes.chain(blocks).collect())
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("attributes", &self.attributes)
            .field("blocks", &self.blocks)
            .finish_non_exhaustive()
    }
}

/// A block inside a block.
#[derive(Clone, Debug)]
pub struct NestedBlock {
    nesting: Nesting,
    least: u32,
    most: Option<u32>,
    block: Block,
}

impl NestedBlock {
    /// How many there are.
    pub fn nesting(&self) -> Nesting {
        self.nesting
    }

    /// The least number of blocks that a configuration must have.
    pub fn least(&self) -> u32 {
        self.least
    }

    /// The greatest number of blocks that a configuration may have; `None` for no limit.
    pub fn most(&self) -> Option<u32> {
        self.most
    }

    /// The content of each.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The type of the block's values, all occurrences together.
    pub fn value_type(&self) -> Type {
        self.nesting.wrap(self.block.object_type())
    }
}
