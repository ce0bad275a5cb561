//! What Terraform core demands of a provider's answers, checked before core sees them.
//!
//! The server runs these checks on every answer in debug and test builds and answers with a diagnostic
//! that names the attribute, so that a broken resource fails in a unit test. Release builds leave the
//! checking to core. The functions are public for authors' own tests.
//!
//! | rule | function |
//! |---|---|
//! | an attribute is required, or optional, or computed, or the last two; write-only, dynamic and set rules | [`schema`] |
//! | struct and schema agree, secrets are in `Secret`s | [`schema`] |
//! | a planned value is the configured one, or the prior one, or fills in a computed attribute | [`plan`] |
//! | configured nested objects are planned, as many as configured, none unknown as a whole | [`plan`] |
//! | collections of blocks are never null or unknown | [`plan`], [`stored`] |
//! | write-only values are null in plan and state | [`plan`], [`stored`] |
//! | a path that replaces exists, and changes | [`replacement`] |
//! | what was planned as known does not change, in apply or in a second plan | [`completes`] |
//! | nothing in a stored state is unknown | [`stored`] |

mod complete;
mod plan;
mod schema;
mod stored;

pub use complete::completes;
pub use plan::{plan, replacement};
pub use schema::schema;
pub use stored::stored;

use crate::diagnostics::Diagnostic;
use crate::path::Path;

/// One broken rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The attribute at fault.
    pub path: Path,
    /// The rule that it breaks. It never repeats a value, which may be sensitive.
    pub rule: String,
}

impl Violation {
    fn new(path: &Path, rule: impl Into<String>) -> Self {
        Self {
            path: path.clone(),
            rule: rule.into(),
        }
    }

    /// The diagnostic that says who is at fault: `what` is what was done to what, as in "planning
    /// mlops_model".
    pub fn diagnostic(&self, what: &str) -> Diagnostic {
        let detail = format!(
            "While {what}, the provider broke a rule of Terraform at {}: {}.",
            self.path, self.rule
        );
        let diagnostic = Diagnostic::bug(detail);
        if self.path.is_root() {
            diagnostic
        } else {
            diagnostic.at(self.path.clone())
        }
    }
}

#[cfg(test)]
mod tests;
