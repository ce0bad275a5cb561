//! Enums, patterns, lengths, ranges and sizes as validators.

use std::sync::OnceLock;

use regex::Regex;
use tfplugin::Diagnostics;
use tfplugin::validate::{Subject, Validator};
use tfplugin::value::{Number, Value};

use crate::facts::Rules;

/// The rules for one attribute.
pub(crate) struct Checked {
    rules: Rules,
    /// Made when it is first asked: a provider has hundreds, and a configuration uses few.
    pattern: OnceLock<Option<Regex>>,
    each: Option<Box<Checked>>,
    /// An optional text that is empty, or number that is 0, counts as not set, as the provider's framework has it.
    optional: bool,
}

impl Checked {
    /// The rules for an attribute that may be left out, or not.
    pub(crate) fn new(rules: &Rules, optional: bool) -> Self {
        let each = rules.each.as_deref();
        Self {
            rules: rules.clone(),
            pattern: OnceLock::new(),
            each: each.map(|each| Box::new(Self::new(each, false))),
            optional,
        }
    }

    /// What the value must be and is not, in the words that complete "must".
    fn problems(&self, value: &Value) -> Vec<String> {
        match value {
            Value::String(text) if text.is_empty() && self.optional => Vec::new(),
            Value::String(text) => self.of_text(text),
            Value::Number(number) => self.of_number(number),
            Value::List(elements) | Value::Set(elements) => self.of_elements(elements),
            _ => Vec::new(),
        }
    }

    fn of_text(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(words) = &self.rules.words
            && !words.iter().any(|word| word == text)
        {
            found.push(format!("be one of {}", some_of(words)));
        }
        if let Some((least, most)) = self.rules.length
            && !within(text.chars().count(), least, most)
        {
            found.push(format!("have {} characters", bounds(Some(least), most)));
        }
        if let Some(pattern) = &self.rules.pattern
            && let Some(regex) = self.pattern.get_or_init(|| whole(pattern).ok())
            && !regex.is_match(text)
        {
            found.push(format!("match {pattern}"));
        }
        found
    }

    fn of_number(&self, number: &Number) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(numbers) = &self.rules.numbers
            && !numbers.iter().any(|known| Number::from(*known) == *number)
            && !(self.optional && *number == Number::from(0_i64))
        {
            found.push(format!("be one of {}", some_of(numbers)));
        }
        if let Some((least, most)) = self.rules.range
            && (least.is_some_and(|least| *number < Number::from(least))
                || most.is_some_and(|most| *number > Number::from(most)))
        {
            found.push(format!("be {}", bounds(least, most)));
        }
        found
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
                found.push(format!("hold elements, each of which must {problem}"));
            }
        }
        found
    }
}

impl Validator for Checked {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        for problem in self.problems(subject.value) {
            problems.push(subject.must(problem));
        }
    }
}

/// The models' patterns describe the whole text, whether they are anchored or not.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

fn within(count: usize, least: usize, most: Option<usize>) -> bool {
    count >= least && most.is_none_or(|most| count <= most)
}

/// Nobody reads a list of a thousand types of instances.
fn some_of<T: ToString>(all: &[T]) -> String {
    let mut words: Vec<_> = all.iter().take(40).map(T::to_string).collect();
    if all.len() > words.len() {
        words.push(format!("{} more", all.len() - words.len()));
    }
    words.join(", ")
}

fn bounds<N: std::fmt::Display>(least: Option<N>, most: Option<N>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any number of".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{BlockFacts, Facts};

    fn rules(json: &str) -> Checked {
        Checked::new(&serde_json::from_str(json).unwrap(), true)
    }

    #[test]
    fn a_text_is_held_to_words_length_and_the_whole_pattern() {
        let checked = rules(r#"{"enum": ["a", "b"], "length": [1, 3], "pattern": "[a-z]+"}"#);
        assert_eq!(checked.problems(&"a".into()), [""; 0]);
        assert_eq!(
            checked.problems(&"abc1".into()),
            ["be one of a, b", "have 1 to 3 characters", "match [a-z]+"]
        );
        assert_eq!(
            checked.problems(&"".into()),
            [""; 0],
            "an empty text is not set"
        );
    }

    #[test]
    fn a_number_is_held_to_its_range_or_its_list() {
        let range = rules(r#"{"range": [1, null]}"#);
        assert_eq!(range.problems(&0_i64.into()), ["be at least 1"]);
        assert_eq!(range.problems(&1_i64.into()), [""; 0]);
        let listed = rules(r#"{"numbers": [1, 7]}"#);
        assert_eq!(listed.problems(&2_i64.into()), ["be one of 1, 7"]);
        assert_eq!(listed.problems(&0_i64.into()), [""; 0], "0 is not set");
    }

    #[test]
    fn a_collection_is_held_to_its_size_and_each_of_its_elements_to_theirs() {
        let checked = rules(r#"{"size": [0, 1], "each": {"enum": ["x"]}}"#);
        let value = Value::List(vec!["x".into(), "y".into()]);
        assert_eq!(
            checked.problems(&value),
            [
                "have 0 to 1 elements",
                "hold elements, each of which must be one of x"
            ]
        );
    }

    #[test]
    fn every_pattern_in_the_facts_can_be_asked() {
        fn patterns(block: &BlockFacts, found: &mut Vec<String>) {
            for attribute in block.attributes.values() {
                let mut rules = attribute.rules.as_ref();
                while let Some(these) = rules {
                    found.extend(these.pattern.clone());
                    rules = these.each.as_deref();
                }
            }
            for nested in block.block_types.values() {
                patterns(&nested.block, found);
            }
        }
        let (facts, _) = Facts::about("aws").unwrap();
        let mut found = Vec::new();
        for entry in facts.resource_schemas.values() {
            patterns(&entry.block, &mut found);
        }
        assert!(found.len() > 100, "only {} patterns", found.len());
        let broken: Vec<_> = found
            .iter()
            .filter_map(|pattern| whole(pattern).err())
            .collect();
        assert!(broken.is_empty(), "{broken:#?}");
    }
}
