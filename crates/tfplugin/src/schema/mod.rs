//! What a configuration may say: attributes, blocks, and the rules that hold for them.
//!
//! ```
//! use tfplugin::schema::{Attribute, Block, Nested, Schema};
//! use tfplugin::types::Type;
//! use tfplugin::validate;
//!
//! let schema = Schema::new(
//!     Block::new()
//!         .attribute("name", Attribute::string().required().requires_replace()
//!             .validate(validate::length(1..=32)).describe("The endpoint's name."))
//!         .attribute("drain_seconds", Attribute::number().default(5).describe("Seconds to drain."))
//!         .attribute("variants", Attribute::map_nested(
//!             Nested::new().attribute("traffic", Attribute::number().optional()),
//!         ).required())
//!         .attribute("tags", Attribute::map(Type::String).optional())
//!         .attribute("id", Attribute::string().computed().use_state_for_unknown())
//!         .single("local", Block::new().attribute("port", Attribute::number().optional())),
//! );
//! assert_eq!(schema.version(), 0);
//! ```

mod attribute;
mod block;
mod modifier;

pub use attribute::{Attribute, AttributeType, Nested};
pub use block::{Block, NestedBlock, Nesting};
pub use modifier::{
    AttributeChange, PlanModifier, RequiresReplace, RequiresReplaceIf, UseStateForUnknown,
};

use crate::types::Type;

/// The schema of a provider, resource, data source or ephemeral resource.
#[derive(Clone, Debug)]
pub struct Schema {
    version: u64,
    block: Block,
    of: Type,
}

impl Schema {
    /// A schema of version 0.
    pub fn new(block: Block) -> Self {
        let of = block.object_type();
        Self {
            version: 0,
            block,
            of,
        }
    }

    /// Sets the version, which states carry and upgraders read. Raise it with every change that makes
    /// an old state unreadable.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    /// The version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The outermost block.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The type of the values that the schema describes; made once.
    pub fn object_type(&self) -> &Type {
        &self.of
    }
}

impl From<Block> for Schema {
    fn from(block: Block) -> Self {
        Self::new(block)
    }
}
