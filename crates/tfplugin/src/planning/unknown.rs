use super::walk::{self, Place, Visitor};
use crate::path::Path;
use crate::schema::{Attribute, Block};
use crate::value::Value;

/// Plans "known after apply" for every computed attribute that neither the configuration nor a default
/// sets: once anything changes, any of them may.
pub(super) fn mark(block: &Block, config: &Value, prior: &Value, planned: &mut Value) {
    walk::block(block, &mut Path::root(), config, prior, planned, &mut Mark);
}

struct Mark;

impl Visitor for Mark {
    fn attribute(&mut self, attribute: &Attribute, at: Place<'_>) {
        if at.config.is_null() && attribute.is_computed() && attribute.default_value().is_none() {
            *at.planned = Value::Unknown;
        }
    }
    fn enters(&self, config: &Value) -> bool {
        !config.is_null()
    }
}
