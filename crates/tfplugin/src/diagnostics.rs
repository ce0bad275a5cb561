//! Errors and warnings as Terraform shows them to its user.

use std::fmt;

use crate::path::{Path, Step};

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed.
    Error,
    /// The operation went on.
    Warning,
}

/// One message: what failed, what was seen and what to do next, and the attribute at fault.
#[derive(Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What failed, in one line.
    pub summary: String,
    /// What was seen and what to do next.
    pub detail: String,
    /// The attribute at fault, if one is to blame.
    pub path: Option<Path>,
}

impl Diagnostic {
    /// An error: `summary` says what failed, `detail` what was seen and what to do next.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            path: None,
        }
    }

    /// A warning: shown, and the operation goes on.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::error(summary, detail).into_warning()
    }

    /// The same as a warning.
    #[must_use]
    pub fn into_warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    /// An error that no configuration can avoid: it says so, and asks for a report.
    pub fn bug(detail: impl fmt::Display) -> Self {
        Self::error(
            "This is a bug in the provider",
            format!(
                "{detail}\n\nThis is a bug in the provider, not in your configuration. Please report it."
            ),
        )
    }

    /// Blames the attribute at `path`.
    #[must_use]
    pub fn at(mut self, path: impl Into<Path>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Moves the blamed path one level down: for diagnostics made by code that saw only a part.
    #[must_use]
    pub fn within(mut self, step: impl Into<Step>) -> Self {
        self.path = Some(self.path.unwrap_or_default().within(step));
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.summary)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.severity)
    }
}

/// Several diagnostics, in the order in which they were found.
///
/// As the error of a `Result` it holds at least one error; it may carry warnings beside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No diagnostic.
    pub fn new() -> Self {
        Self::default()
    }

    /// A single error.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Diagnostic::error(summary, detail).into()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each in turn.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// `Err(self)` if there is an error, else the value.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.has_errors() {
            Err(self)
        } else {
            Ok(value)
        }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self(diagnostics)
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        Self(diagnostics.into_iter().collect())
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        self.0.extend(diagnostics);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_alone_are_no_failure() {
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(Diagnostic::warning("slow", "wait"));
        assert!(!diagnostics.has_errors());
        assert_eq!(diagnostics.clone().into_result(1), Ok(1));
        diagnostics.push(Diagnostic::error("broken", "repair it"));
        assert!(diagnostics.clone().into_result(1).is_err());
        assert_eq!(diagnostics.to_string(), "slow: wait; broken: repair it");
    }

    #[test]
    fn a_diagnostic_found_in_a_part_is_blamed_on_the_whole_path() {
        let diagnostic = Diagnostic::error("bad", "x")
            .at("traffic")
            .within(Step::Key("a".into()))
            .within("variants");
        assert_eq!(
            diagnostic.path,
            Some(Path::attribute("variants").key("a").then("traffic"))
        );
    }
}
