use super::walk::{self, Place, Visitor};
use crate::path::Path;
use crate::schema::{Attribute, Block};
use crate::value::Value;

/// Plans the default of every attribute that the configuration leaves out.
pub(super) fn apply(block: &Block, config: &Value, planned: &mut Value) {
    walk::block(
        block,
        &mut Path::root(),
        config,
        &Value::Null,
        planned,
        &mut Defaults,
    );
}

struct Defaults;

impl Visitor for Defaults {
    fn attribute(&mut self, attribute: &Attribute, at: Place<'_>) {
        if let Some(default) = attribute.default_value()
            && at.config.is_null()
        {
            at.planned.clone_from(default);
        }
    }
    fn enters(&self, config: &Value) -> bool {
        !config.is_null()
    }
}
