//! What the framework plans before it asks the resource: pure functions over values, led by the schema.
//!
//! The order is that of the protocol's own framework: write-only values go, defaults come in, and, if
//! that leaves any change, computed values that the configuration does not set become unknown; then the
//! plan modifiers run.

mod defaults;
mod modify;
mod unknown;
mod walk;
mod write_only;

pub(crate) use write_only::{normalize, null_write_only};

use crate::diagnostics::Diagnostics;
use crate::path::Path;
use crate::schema::Block;
use crate::value::Value;

/// The framework's own plan.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// The planned state.
    pub(crate) state: Value,
    /// The paths whose change replaces the resource.
    pub(crate) requires_replace: Vec<Path>,
    /// What plan modifiers had to say.
    pub(crate) diagnostics: Diagnostics,
}

/// Plans a create (`prior` is null) or an update, from what core proposes.
///
/// A plan without change is exactly the prior state.
pub(crate) fn propose(block: &Block, config: &Value, prior: &Value, proposed: Value) -> Proposal {
    let mut state = proposed;
    null_write_only(block, &mut state);
    defaults::apply(block, config, &mut state);
    if state != *prior {
        unknown::mark(block, config, prior, &mut state);
    }
    let mut diagnostics = Diagnostics::new();
    let requires_replace = modify::run(block, config, prior, &mut state, &mut diagnostics);
    Proposal {
        state,
        requires_replace,
        diagnostics,
    }
}

#[cfg(test)]
mod tests;
