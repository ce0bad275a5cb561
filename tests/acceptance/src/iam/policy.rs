//! Policies, as far as those of the project use them.
//!
//! Grammar: "IAM JSON policy elements" in the IAM user guide. What is not known here panics, so that nothing is allowed by
//! misunderstanding.

use std::collections::BTreeSet;

use serde_json::Value;

use super::call::Call;
use crate::builds;

/// One policy document.
#[derive(Debug, Clone)]
pub struct Policy(Vec<Statement>);

#[derive(Debug, Clone)]
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    key: String,
    /// Holds for a call that has no value of the key.
    for_all: bool,
    /// Whether `*` and `?` stand for themselves.
    exact: bool,
    patterns: Vec<String>,
}

impl Policy {
    /// Reads a document.
    ///
    /// # Panics
    /// If it is none, or says something that is not known here.
    pub fn read(document: &str) -> Self {
        let document: Value = serde_json::from_str(document).expect("a policy is JSON");
        let statements = document["Statement"].as_array().expect("statements");
        Self(statements.iter().map(Statement::read).collect())
    }

    /// One of those in the guide, for the account of the parts.
    ///
    /// # Panics
    /// If the guide does not have it.
    pub fn in_guide(name: &str) -> Self {
        let page = builds::root().join("docs/guides/ecs-permissions.md");
        let page = std::fs::read_to_string(page).expect("the page");
        let begin = format!("<!-- {name}: begin -->\n```json\n");
        let (_, rest) = page.split_once(&begin).expect("where the policy begins");
        let end = format!("```\n<!-- {name}: end -->");
        let (document, _) = rest.split_once(&end).expect("where it ends");
        Self::read(&document.replace("111122223333", "000000000000"))
    }

    /// The actions of all statements, as they are written.
    pub fn actions(&self) -> BTreeSet<String> {
        let actions = self.0.iter().flat_map(|statement| &statement.actions);
        actions.cloned().collect()
    }

    /// The same policy about what is `meant`, where `written` stands in its resources.
    #[must_use]
    pub fn about(mut self, written: &str, meant: &str) -> Self {
        let resources = self.0.iter_mut().flat_map(|one| &mut one.resources);
        for resource in resources {
            *resource = resource.replace(written, meant);
        }
        self
    }

    /// The same policy without this action.
    #[must_use]
    pub fn without(&self, action: &str) -> Self {
        let mut less = self.clone();
        for statement in &mut less.0 {
            statement.actions.retain(|one| one != action);
        }
        less
    }

    /// Whether a statement allows the call.
    pub(super) fn allows(&self, call: &Call) -> bool {
        self.0.iter().any(|statement| statement.allows(call))
    }
}

impl Statement {
    fn read(statement: &Value) -> Self {
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        for name in statement.as_object().expect("an object").keys() {
            let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
            assert!(known.contains(&name.as_str()), "{name} in {statement}");
        }
        let conditions = statement["Condition"].as_object().into_iter().flatten();
        let conditions = conditions.flat_map(|(operator, keys)| {
            let (for_all, exact) = match operator.as_str() {
                // ArnEquals is another name of ArnLike.
                "StringLike" | "ArnEquals" => (false, false),
                "StringEquals" => (false, true),
                "ForAllValues:StringLike" => (true, false),
                "ForAllValues:StringEquals" => (true, true),
                other => panic!("the condition {other} in {statement}"),
            };
            let keys = keys.as_object().expect("condition keys");
            keys.iter().map(move |(key, values)| Condition {
                key: key.clone(),
                for_all,
                exact,
                patterns: texts(values),
            })
        });
        Self {
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            conditions: conditions.collect(),
        }
    }

    fn allows(&self, call: &Call) -> bool {
        let any = |patterns: &[String], text: &str| patterns.iter().any(|p| is_like(p, text));
        any(&self.actions, &call.action)
            && any(&self.resources, &call.resource)
            && self.conditions.iter().all(|condition| {
                let values = call.context(&condition.key);
                (condition.for_all || !values.is_empty())
                    && values.iter().all(|value| match condition.exact {
                        true => condition.patterns.iter().any(|text| text == value),
                        false => any(&condition.patterns, value),
                    })
            })
    }
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(texts) => texts.iter().flat_map(self::texts).collect(),
        other => panic!("{other} is no text"),
    }
}

/// Whether `text` is what `pattern` says, in which `*` stands for anything and `?` for one character.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| is_like(rest, &text[at..]))
        }
        Some(first) => text.chars().next().is_some_and(|character| {
            (first == '?' || first == character)
                && is_like(&pattern[first.len_utf8()..], &text[character.len_utf8()..])
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(action: &str, resource: &str, keys: &[&str]) -> Call {
        Call {
            action: action.into(),
            resource: resource.into(),
            context: keys
                .iter()
                .map(|key| ("dynamodb:LeadingKeys".to_owned(), (*key).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_policy_allows_what_a_statement_says_and_no_more() {
        let policy = Policy::read(
            r#"{"Statement": [{"Effect": "Allow", "Action": ["dynamodb:Get*", "dynamodb:Query"], "Resource": "arn:a/*",
                "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["model#risk-*", "registry"]}}}]}"#,
        );
        for (action, resource, keys, allowed) in [
            ("dynamodb:GetItem", "arn:a/b", &["model#risk-1"][..], true),
            (
                "dynamodb:Query",
                "arn:a/",
                &["registry", "model#risk-"],
                true,
            ),
            (
                "dynamodb:Query",
                "arn:a/b",
                &["registry", "model#other"],
                false,
            ),
            ("dynamodb:UpdateItem", "arn:a/b", &["registry"], false),
            ("dynamodb:GetItem", "arn:b/a", &["registry"], false),
            ("dynamodb:GetItem", "arn:a/b", &[], true),
        ] {
            let call = call(action, resource, keys);
            assert_eq!(policy.allows(&call), allowed, "{call:?}");
        }
    }

    #[test]
    fn a_condition_on_what_the_call_does_not_have_does_not_hold() {
        let policy = Policy::read(
            r#"{"Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*",
                "Condition": {"StringLike": {"s3:prefix": "ml/*"}}}]}"#,
        );
        assert!(!policy.allows(&call("s3:ListBucket", "arn:aws:s3:::b", &[])));
    }

    #[test]
    fn an_equality_takes_patterns_for_what_they_are_written_as() {
        let read = |operator: &str, value: &str| {
            Policy::read(&format!(
                r#"{{"Statement": [{{"Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": {{"{operator}": {{"k": "{value}"}}}}}}]}}"#
            ))
        };
        let call = Call::new("a:B", "arn:a").with("k", "arn:b/c");
        assert!(read("StringEquals", "arn:b/c").allows(&call));
        assert!(!read("StringEquals", "arn:b/*").allows(&call));
        assert!(read("ArnEquals", "arn:b/*").allows(&call));
        assert!(!read("StringEquals", "arn:b/c").allows(&Call::new("a:B", "arn:a")));
    }

    #[test]
    fn patterns_are_those_of_iam() {
        for (pattern, text, like) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(is_like(pattern, text), like, "{pattern} {text}");
        }
    }
}
