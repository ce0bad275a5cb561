//! Rolling a change out: steps, bake, analysis, pause and outcome, for every target.

pub mod condition;
pub mod query;
