use super::{Subject, Validator};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::value::Value;

/// Exactly one of these attributes or blocks of the object is set.
pub fn exactly_one_of<S: Into<String>>(names: impl IntoIterator<Item = S>) -> impl Validator {
    Choice {
        names: names.into_iter().map(Into::into).collect(),
        least: 1,
        most: 1,
    }
}

/// At least one of these attributes or blocks of the object is set.
pub fn at_least_one_of<S: Into<String>>(names: impl IntoIterator<Item = S>) -> impl Validator {
    Choice {
        names: names.into_iter().map(Into::into).collect(),
        least: 1,
        most: usize::MAX,
    }
}

/// At most one of these attributes or blocks of the object is set.
pub fn at_most_one_of<S: Into<String>>(names: impl IntoIterator<Item = S>) -> impl Validator {
    Choice {
        names: names.into_iter().map(Into::into).collect(),
        least: 0,
        most: 1,
    }
}

struct Choice {
    names: Vec<String>,
    least: usize,
    most: usize,
}

impl Validator for Choice {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        let Value::Object(fields) = subject.value else {
            return;
        };
        let state = |name: &String| fields.get(name).unwrap_or(&Value::Null);
        let set: Vec<_> = self
            .names
            .iter()
            .filter(|name| !state(name).is_null() && !state(name).is_unknown())
            .collect();
        let unknown = self
            .names
            .iter()
            .filter(|name| state(name).is_unknown())
            .count();
        let list = self.names.join(", ");
        let (problem, blamed) = if set.len() > self.most {
            let names: Vec<_> = set.iter().map(|name| name.as_str()).collect();
            (
                format!(
                    "Only one of {list} may be set here, but {} are.",
                    names.join(" and ")
                ),
                set.get(1).copied(),
            )
        } else if set.len() + unknown < self.least {
            let exactly = if self.most == 1 {
                "Exactly"
            } else {
                "At least"
            };
            (
                format!("{exactly} one of {list} must be set here, but none is."),
                None,
            )
        } else {
            return;
        };
        let path = match blamed {
            Some(name) => subject.path.clone().then(name),
            None => subject.path.clone(),
        };
        let mut diagnostic = Diagnostic::error("Invalid combination", problem);
        if !path.is_root() {
            diagnostic = diagnostic.at(path);
        }
        problems.push(diagnostic);
    }
}

/// Where this attribute is set, none of these neighbours is.
pub fn conflicts_with<S: Into<String>>(names: impl IntoIterator<Item = S>) -> impl Validator {
    Neighbours {
        names: names.into_iter().map(Into::into).collect(),
        wanted: false,
    }
}

/// Where this attribute is set, all of these neighbours are.
pub fn requires<S: Into<String>>(names: impl IntoIterator<Item = S>) -> impl Validator {
    Neighbours {
        names: names.into_iter().map(Into::into).collect(),
        wanted: true,
    }
}

struct Neighbours {
    names: Vec<String>,
    wanted: bool,
}

impl Validator for Neighbours {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        for name in &self.names {
            let neighbour = subject.object.field(name);
            if neighbour.is_unknown() || neighbour.is_null() != self.wanted {
                continue;
            }
            let problem = if self.wanted {
                format!("{} needs {name} to be set as well.", subject.path)
            } else {
                format!("{} and {name} cannot both be set.", subject.path)
            };
            problems
                .push(Diagnostic::error("Invalid combination", problem).at(subject.path.clone()));
        }
    }
}
