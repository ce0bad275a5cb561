use super::walk::{self, Place, Visitor};
use crate::diagnostics::Diagnostics;
use crate::path::Path;
use crate::schema::{Attribute, AttributeChange, Block};
use crate::value::Value;

/// Runs the plan modifiers of all attributes; the answer is the paths that replace the resource.
pub(super) fn run(
    block: &Block,
    config: &Value,
    prior: &Value,
    planned: &mut Value,
    diagnostics: &mut Diagnostics,
) -> Vec<Path> {
    let mut modify = Modify {
        creating: prior.is_null(),
        requires_replace: Vec::new(),
        diagnostics,
    };
    walk::block(
        block,
        &mut Path::root(),
        config,
        prior,
        planned,
        &mut modify,
    );
    modify.requires_replace
}

struct Modify<'a> {
    creating: bool,
    requires_replace: Vec<Path>,
    diagnostics: &'a mut Diagnostics,
}

impl Visitor for Modify<'_> {
    fn attribute(&mut self, attribute: &Attribute, at: Place<'_>) {
        if attribute.modifiers().is_empty() {
            return;
        }
        let Place {
            path,
            config,
            prior,
            planned,
        } = at;
        let creating = self.creating;
        let mut change = AttributeChange {
            path,
            config,
            prior,
            planned,
            creating,
            requires_replace: false,
        };
        for modifier in attribute.modifiers() {
            if let Err(problem) = modifier.modify(&mut change) {
                self.diagnostics.push(problem.at(path.clone()));
            }
        }
        if change.requires_replace {
            self.requires_replace.push(path.clone());
        }
    }
}
