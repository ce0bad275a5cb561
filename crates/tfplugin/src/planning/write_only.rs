use crate::schema::{Attribute, AttributeType, Block, Nesting};
use crate::value::{Value, settle};

/// Nulls every write-only attribute: what core proposes carries them, and no plan or state may.
pub(crate) fn null_write_only(block: &Block, value: &mut Value) {
    in_block(block, value, false);
}

/// Nulls write-only attributes, and makes collections of blocks that are null empty, as core wants
/// them: what an author returns need not care.
pub(crate) fn normalize(block: &Block, value: &mut Value) {
    in_block(block, value, true);
}

fn in_block(block: &Block, value: &mut Value, fill: bool) {
    let Value::Object(fields) = value else { return };
    for (name, attribute) in block.attributes() {
        if let Some(value) = fields.get_mut(name) {
            in_attribute(attribute, value);
        }
    }
    for (name, nested) in block.blocks() {
        let Some(value) = fields.get_mut(name) else {
            continue;
        };
        match (nested.nesting(), &mut *value) {
            (Nesting::List, Value::Null) if fill => *value = Value::List(Vec::new()),
            (Nesting::Set, Value::Null) if fill => *value = Value::Set(Vec::new()),
            (Nesting::Map, Value::Null) if fill => *value = Value::Map(Default::default()),
            (Nesting::Single, value) => in_block(nested.block(), value, fill),
            (_, value) => for_elements(value, |element| in_block(nested.block(), element, fill)),
        }
    }
}

fn in_attribute(attribute: &Attribute, value: &mut Value) {
    if attribute.is_write_only() {
        *value = Value::Null;
        return;
    }
    let AttributeType::Nested(nesting, nested) = attribute.of() else {
        return;
    };
    let in_object = |value: &mut Value| {
        let Value::Object(fields) = value else { return };
        for (name, attribute) in nested.attributes() {
            if let Some(value) = fields.get_mut(name) {
                in_attribute(attribute, value);
            }
        }
    };
    match nesting {
        Nesting::Single => in_object(value),
        _ => for_elements(value, in_object),
    }
}

fn for_elements(value: &mut Value, mut each: impl FnMut(&mut Value)) {
    match value {
        Value::List(elements) => elements.iter_mut().for_each(each),
        Value::Map(elements) => elements.values_mut().for_each(each),
        Value::Set(elements) => {
            elements.iter_mut().for_each(&mut each);
            settle(elements);
        }
        _ => {}
    }
}
