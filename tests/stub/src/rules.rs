//! Enums, patterns, lengths, ranges and sizes as validators.

use regex::Regex;
use tfplugin::Diagnostics;
use tfplugin::path::Path;
use tfplugin::validate::{Subject, Validator};
use tfplugin::value::Value;

use crate::facts::Rules;

/// The rules for one attribute, ready to be asked.
pub(crate) struct Checked {
    rules: Rules,
    pattern: Option<Regex>,
    each: Option<Box<Checked>>,
    /// An optional text that is empty counts as not set, as the provider's framework has it.
    optional: bool,
}

impl Checked {
    /// Prepares rules.
    ///
    /// # Errors
    /// The problem with a pattern that is no regular expression.
    pub(crate) fn new(rules: &Rules, optional: bool) -> Result<Self, String> {
        let pattern = rules.pattern.as_deref().map(|pattern| {
            // The models' patterns describe the whole text, whether they are anchored or not.
            Regex::new(&format!("^(?:{pattern})$"))
                .map_err(|error| format!("the pattern {pattern:?}: {error}"))
        });
        let each = rules
            .each
            .as_deref()
            .map(|each| Self::new(each, false).map(Box::new));
        Ok(Self {
            rules: rules.clone(),
            pattern: pattern.transpose()?,
            each: each.transpose()?,
            optional,
        })
    }

    /// What the value must be and is not, in the words that complete "must".
    fn problems(&self, value: &Value) -> Vec<String> {
        match value {
            Value::String(text) if text.is_empty() && self.optional => Vec::new(),
            Value::String(text) => self.of_text(text),
            Value::Number(number) => self.of_number(number.to_string().parse().unwrap_or(f64::NAN)),
            Value::List(elements) | Value::Set(elements) => self.of_elements(elements),
            _ => Vec::new(),
        }
    }

    fn of_text(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(words) = &self.rules.words
            && !words.iter().any(|word| word == text)
        {
            found.push(format!("be one of {}", words.join(", ")));
        }
        if let Some((least, most)) = self.rules.length
            && !within(text.chars().count(), least, most)
        {
            found.push(format!("have {} characters", bounds(Some(least), most)));
        }
        if let Some(pattern) = &self.pattern
            && !pattern.is_match(text)
        {
            found.push(format!(
                "match {}",
                self.rules.pattern.as_deref().unwrap_or_default()
            ));
        }
        found
    }

    fn of_number(&self, number: f64) -> Vec<String> {
        let Some((least, most)) = self.rules.range else {
            return Vec::new();
        };
        #[allow(
            clippy::cast_precision_loss,
            reason = "limits of an API are far below 2^52"
        )]
        let outside = least.is_some_and(|least| number < least as f64)
            || most.is_some_and(|most| number > most as f64);
        if outside {
            vec![format!("be {}", bounds(least, most))]
        } else {
            Vec::new()
        }
    }

    fn of_elements(&self, elements: &[Value]) -> Vec<String> {
        let mut found = Vec::new();
        if let Some((least, most)) = self.rules.size
            && !within(elements.len(), least, most)
        {
            found.push(format!("have {} elements", bounds(Some(least), most)));
        }
        if let Some(each) = &self.each {
            for problem in elements.iter().flat_map(|element| each.problems(element)) {
                found.push(format!("have elements that {problem}"));
            }
        }
        found
    }
}

impl Validator for Checked {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        for problem in self.problems(subject.value) {
            // Where a set is in the way Terraform can only be told the block.
            let path: &Path = subject.path;
            problems.push(subject.must(problem).at(path.clone()));
        }
    }
}

fn within(count: usize, least: usize, most: Option<usize>) -> bool {
    count >= least && most.is_none_or(|most| count <= most)
}

fn bounds<N: std::fmt::Display>(least: Option<N>, most: Option<N>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any number of".to_owned(),
    }
}
