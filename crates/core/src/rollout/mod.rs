//! Rolling a change out: steps, bake, analysis, pause and outcome, for every target.
//!
//! A step divides **each changed variant's own share** between its old and its new revision; the
//! others are untouched, and several changed variants move together. A variant without an old
//! revision (on create, after the server died, a new variant) has its new one take its whole share
//! from the first step on; when no variant has an old one there is nothing to compare with, and
//! the rollout is one shift to 100 %.
//!
//! | strategy | what it does |
//! |---|---|
//! | `ALL_AT_ONCE` | one shift to 100 % |
//! | `ROLLING` | as `ALL_AT_ONCE` where a revision has one instance; a target with several replaces them one by one inside `scale` and `drain` |
//! | `BLUE_GREEN` | one shift to 100 %, then `steps[0].bake` of analysis while the old revision stands by |
//! | `CANARY` | the given steps |
//! | `LINEAR` | the one given step repeated, 10 % -> 10, 20, … 100; or several steps of equal height |
//! | `SHADOW` | each given step below 100 % copies that share of the variant's requests to a second copy of the candidate and discards the answers; analysis is on the copy; then one shift to 100 % |
//!
//! A window without samples (of the candidate, or of the baseline where the condition needs one)
//! is inconclusive: it neither fails nor counts. A step whose analysis of the servers' own counters ends
//! without one conclusive window passes with a warning event. Any other source is waited for
//! (`watch`): without its word no step passes.

pub mod address;
pub(crate) mod alarms;
pub mod analysis;
pub mod condition;
pub(crate) mod guard;
mod looks;
pub mod measure;
pub mod meter;
pub mod metric;
pub mod moves;
pub mod query;
pub mod source;
pub mod stages;
pub mod step;
pub mod template;
mod watch;

pub use address::Address;
pub use analysis::{Evidence, Exposure};
pub(crate) use looks::LastLook;
pub use meter::{Answer, Dialect, Meter, NoMeter, Question};
pub use metric::MetricName;
pub use moves::{Move, RolloutPlan};
pub use source::{HttpSource, Source};
pub use stages::{Stage, stages};
pub(crate) use step::give_back;
pub use step::{Checkpoint, Rollout, RolloutInput};
pub use template::{Subject, Template};
