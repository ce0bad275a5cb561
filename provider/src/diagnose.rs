//! From the core's errors to diagnostics: the one place where they meet.

use mlops_core::{Class, Error};
use tfplugin::{Diagnostic, Diagnostics, Path};

/// The diagnostic for a failed operation. `summary` says what failed, in a few words.
pub(crate) fn failed(summary: impl Into<String>, error: &Error) -> Diagnostic {
    let mut detail = error.chain().to_string();
    if error.class() == Class::Bug {
        detail.push_str("\n\nThis is a bug in the provider; please report it with the log of a run under TF_LOG=debug.");
    }
    let diagnostic = Diagnostic::error(summary, detail);
    match error.attribute() {
        Some(attribute) => diagnostic.at(path(attribute)),
        None => diagnostic,
    }
}

/// All of `errors` under one summary.
pub(crate) fn all_failed<'a>(
    summary: &str,
    errors: impl IntoIterator<Item = &'a Error>,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for error in errors {
        diagnostics.push(failed(summary, error));
    }
    diagnostics
}

/// The attribute path of the core's dotted one, `rollout.steps.1.traffic`. Where maps are keyed by
/// users' names the core's path names the key as a step of its own: `variants.main.model`.
fn path(dotted: &str) -> Path {
    const KEYED: [&str; 5] = ["variants", "metrics", "gates", "analysis", "environment"];
    let mut path = Path::root();
    let mut keyed = false;
    for step in dotted.split('.') {
        path = match step.parse() {
            Ok(index) if !keyed => path.index(index),
            _ if keyed => path.key(step),
            _ => path.then(step),
        };
        keyed = !keyed && KEYED.contains(&step);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotted_path_becomes_the_path_that_terraform_underlines() {
        assert_eq!(
            path("variants.main.model_version"),
            Path::attribute("variants")
                .key("main")
                .then("model_version")
        );
        assert_eq!(
            path("rollout.steps.1.traffic"),
            Path::attribute("rollout")
                .then("steps")
                .index(1)
                .then("traffic")
        );
        assert_eq!(
            path("metrics.metrics"),
            Path::attribute("metrics").key("metrics")
        );
        assert_eq!(path("source"), Path::attribute("source"));
    }

    #[test]
    fn a_bug_asks_for_a_report() {
        let diagnostic = failed("Cannot create", &Error::bug("the counter went back"));
        assert!(
            diagnostic.detail.contains("please report it"),
            "{}",
            diagnostic.detail
        );
    }
}
