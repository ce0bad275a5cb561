//! Texts with places for the name of what is asked about: `sum(up{revision="{{revision}}"})`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a placeholder may name.
const NAMES: [&str; 3] = ["endpoint", "variant", "revision"];

/// Whom a question is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// The variant.
    pub variant: &'a str,
    /// The revision: the label `revision` of the model server's metrics.
    pub revision: &'a str,
}

/// A text in which `{{endpoint}}`, `{{variant}}` and `{{revision}}` stand for names. The names have letters, digits and `._-` only,
/// so they mean themselves in PromQL and in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(String);

impl Template {
    /// The text about `subject`.
    pub fn about(&self, subject: Subject<'_>) -> String {
        let mut out = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some((before, name, after)) = next(rest) {
            out.push_str(before);
            out.push_str(match name {
                "endpoint" => subject.endpoint,
                "variant" => subject.variant,
                // The only other name that `from_str` lets in.
                _ => subject.revision,
            });
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Whether it has a place for this name.
    pub fn names(&self, name: &str) -> bool {
        let mut rest = self.0.as_str();
        while let Some((_, found, after)) = next(rest) {
            if found == name {
                return true;
            }
            rest = after;
        }
        false
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text before the next placeholder, what that names, and the text after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name.trim(), after))
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut rest = text;
        while let Some((_, name, after)) = next(rest) {
            if !NAMES.contains(&name) {
                return Err(Error::invalid(format!(
                    "{text:?} has {{{{{name}}}}}, which stands for nothing: there are {{{{endpoint}}}}, {{{{variant}}}} and \
                     {{{{revision}}}}"
                )));
            }
            rest = after;
        }
        if rest.contains("{{") {
            return Err(Error::invalid(format!(
                "{text:?} has a {{{{ without its }}}}"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Template {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'_> = Subject {
        endpoint: "digits",
        variant: "main",
        revision: "main-v2-1a2b3c4d.1",
    };

    #[test]
    fn placeholders_stand_for_names_and_all_else_stays() {
        let text = r#"a{revision="{{revision}}",x="{{ variant }}"} / b{e="{{endpoint}}"}"#;
        let template: Template = text.parse().unwrap();
        assert_eq!(
            template.about(SUBJECT),
            r#"a{revision="main-v2-1a2b3c4d.1",x="main"} / b{e="digits"}"#
        );
        assert!(template.names("revision") && template.names("variant"));
        let plain: Template = "sum(up{job=\"x\"})".parse().unwrap();
        assert_eq!(plain.about(SUBJECT), "sum(up{job=\"x\"})");
        assert!(!plain.names("revision"));
    }

    #[test]
    fn a_placeholder_that_stands_for_nothing_is_refused() {
        for (text, what) in [
            (
                "up{x=\"{{version}}\"}",
                "{{version}}, which stands for nothing",
            ),
            ("up{x=\"{{}}\"}", "which stands for nothing"),
            ("up{x=\"{{revision\"}", "without its }}"),
        ] {
            let error = text.parse::<Template>().unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
