//! The filters of searches: `name LIKE 'fraud%' AND tags.team = 'risk'`.
//!
//! A filter is a list of comparisons joined by `AND`. On the left stands an attribute or a tag
//! (`tags.team`, ``tag.`with space` ``), on the right a quoted string, a list of them, or for
//! numeric attributes a whole number.

use super::tokens::{Token, tokens};
use crate::answer::Refusal;

/// The longest filter, in characters.
const LONGEST: usize = 16 * 1024;

/// What a search may ask for, beside tags.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    /// Compared as text.
    pub(super) text: &'static [&'static str],
    /// Compared as whole numbers.
    pub(super) numbers: &'static [&'static str],
    /// Those of `text` that may be compared with a list.
    pub(super) lists: &'static [&'static str],
}

/// What is searched.
pub(super) trait Row {
    /// An attribute of [`Attributes::text`].
    fn text(&self, attribute: &str) -> String;
    /// An attribute of [`Attributes::numbers`].
    fn number(&self, attribute: &str) -> i64;
    /// A tag.
    fn tag(&self, key: &str) -> Option<String>;
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Text(&'static str),
    Number(&'static str),
    Tag(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    CaselessLike,
    In,
    NotIn,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Number(i64),
    List(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    field: Field,
    operator: Operator,
    value: Value,
}

/// A filter that was understood. The default lets everything through.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Filter(Vec<Comparison>);

/// Prompts are models with this tag; it is asked for in filters, and models do not have it.
const IS_PROMPT: &str = "mlflow.prompt.is_prompt";

impl Filter {
    /// Understands a filter over these attributes.
    pub(super) fn parse(text: &str, attributes: &Attributes) -> Result<Self, Refusal> {
        if text.chars().count() > LONGEST {
            return Err(Refusal::invalid(format!(
                "the filter is longer than {LONGEST} characters"
            )));
        }
        let mut rest = tokens(text)?.into_iter().peekable();
        let mut comparisons = Vec::new();
        while rest.peek().is_some() {
            if !comparisons.is_empty() {
                match rest.next() {
                    Some(Token::Word(word)) if word.eq_ignore_ascii_case("and") => {}
                    other => return Err(unexpected(other, "AND")),
                }
            }
            comparisons.push(comparison(&mut rest, attributes)?);
        }
        Ok(Self(comparisons))
    }

    /// Whether all comparisons hold. A comparison with a tag that is not there does not.
    pub(super) fn matches(&self, row: &impl Row) -> bool {
        self.0.iter().all(|comparison| comparison.holds(row))
    }

    /// The values that the text attribute must have one of, if the filter says so: who searches
    /// looks nowhere else.
    pub(super) fn only(&self, attribute: &str) -> Option<Vec<&str>> {
        self.0.iter().find_map(|comparison| {
            if !matches!(comparison.field, Field::Text(name) if name == attribute) {
                return None;
            }
            match (comparison.operator, &comparison.value) {
                (Operator::Equal, Value::Text(text)) => Some(vec![text.as_str()]),
                (Operator::In, Value::List(all)) => Some(all.iter().map(String::as_str).collect()),
                _ => None,
            }
        })
    }
}

impl Comparison {
    fn holds(&self, row: &impl Row) -> bool {
        let text = match &self.field {
            Field::Number(name) => {
                let Value::Number(wanted) = self.value else {
                    return false;
                };
                return ordered(self.operator, row.number(name).cmp(&wanted));
            }
            Field::Text(name) => row.text(name),
            Field::Tag(key) => match row.tag(key) {
                Some(value) => value,
                None if key == IS_PROMPT => "false".to_owned(),
                None => return false,
            },
        };
        match (&self.value, self.operator) {
            (Value::List(all), Operator::In) => all.contains(&text),
            (Value::List(all), Operator::NotIn) => !all.contains(&text),
            (Value::Text(pattern), Operator::Like) => like(&text, pattern),
            (Value::Text(pattern), Operator::CaselessLike) => {
                like(&text.to_lowercase(), &pattern.to_lowercase())
            }
            (Value::Text(wanted), operator) => ordered(operator, text.as_str().cmp(wanted)),
            _ => false,
        }
    }
}

fn ordered(operator: Operator, order: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        _ => false,
    }
}

/// `%` stands for any characters, `_` for one. In time proportional to the product of the lengths.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '_' || *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match back {
                None => return false,
                Some((after, from)) => {
                    back = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

type Rest = std::iter::Peekable<std::vec::IntoIter<Token>>;

fn comparison(tokens: &mut Rest, attributes: &Attributes) -> Result<Comparison, Refusal> {
    let field = match tokens.next() {
        Some(Token::Word(word)) => field(&word, attributes)?,
        other => return Err(unexpected(other, "an attribute or a tag")),
    };
    let operator = operator(tokens)?;
    let value = match operator {
        Operator::In | Operator::NotIn => Value::List(list(tokens)?),
        _ => match (&field, tokens.next()) {
            (Field::Number(name), Some(Token::Word(word))) => {
                Value::Number(word.parse().map_err(|_| {
                    Refusal::invalid(format!(
                        "{name} is compared with a whole number, not with {word}"
                    ))
                })?)
            }
            (Field::Text(_) | Field::Tag(_), Some(Token::Quoted(text))) => Value::Text(text),
            (Field::Number(_), other) => return Err(unexpected(other, "a whole number")),
            (_, other) => return Err(unexpected(other, "a quoted string value")),
        },
    };
    allowed(&field, operator, attributes)?;
    Ok(Comparison {
        field,
        operator,
        value,
    })
}

fn field(word: &str, attributes: &Attributes) -> Result<Field, Refusal> {
    let name = match word.split_once('.') {
        Some(("tag" | "tags", key)) if !key.is_empty() => return Ok(Field::Tag(key.to_owned())),
        Some(("attribute" | "attributes", name)) => name,
        Some((entity, _)) => {
            return Err(Refusal::invalid(format!(
                "Invalid entity type '{entity}' in the filter; valid are attribute, tag and tags"
            )));
        }
        None => word,
    };
    let known = |names: &'static [&'static str]| names.iter().copied().find(|known| *known == name);
    if let Some(name) = known(attributes.text) {
        return Ok(Field::Text(name));
    }
    if let Some(name) = known(attributes.numbers) {
        return Ok(Field::Number(name));
    }
    let all = [attributes.text, attributes.numbers].concat();
    Err(Refusal::invalid(format!(
        "Invalid attribute key '{name}' in the filter; valid are {}",
        all.join(", ")
    )))
}

fn operator(tokens: &mut Rest) -> Result<Operator, Refusal> {
    let token = tokens.next();
    let operator = match &token {
        Some(Token::Sign(sign)) => match sign.as_str() {
            "=" | "==" => Some(Operator::Equal),
            "!=" | "<>" => Some(Operator::NotEqual),
            "<" => Some(Operator::Less),
            "<=" => Some(Operator::LessOrEqual),
            ">" => Some(Operator::Greater),
            ">=" => Some(Operator::GreaterOrEqual),
            _ => None,
        },
        Some(Token::Word(word)) => match word.to_ascii_uppercase().as_str() {
            "LIKE" => Some(Operator::Like),
            "ILIKE" => Some(Operator::CaselessLike),
            "IN" => Some(Operator::In),
            "NOT" => match tokens.next() {
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("in") => Some(Operator::NotIn),
                other => return Err(unexpected(other, "IN")),
            },
            _ => None,
        },
        _ => None,
    };
    operator.ok_or_else(|| unexpected(token, "a comparison"))
}

fn list(tokens: &mut Rest) -> Result<Vec<String>, Refusal> {
    match tokens.next() {
        Some(Token::Sign(sign)) if sign == "(" => {}
        other => return Err(unexpected(other, "a list in parentheses")),
    }
    let mut all = Vec::new();
    loop {
        match tokens.next() {
            Some(Token::Quoted(text)) => all.push(text),
            other => return Err(unexpected(other, "a quoted string value")),
        }
        match tokens.next() {
            Some(Token::Sign(sign)) if sign == "," => {}
            Some(Token::Sign(sign)) if sign == ")" => return Ok(all),
            other => return Err(unexpected(other, ", or )")),
        }
    }
}

fn allowed(field: &Field, operator: Operator, attributes: &Attributes) -> Result<(), Refusal> {
    use Operator::{CaselessLike, Equal, In, Like, NotEqual, NotIn};
    let (name, fits) = match field {
        Field::Number(name) => (*name, !matches!(operator, Like | CaselessLike | In | NotIn)),
        Field::Tag(key) => (
            key.as_str(),
            matches!(operator, Equal | NotEqual | Like | CaselessLike),
        ),
        Field::Text(name) => (
            *name,
            match operator {
                In | NotIn => attributes.lists.contains(name),
                _ => matches!(operator, Equal | NotEqual | Like | CaselessLike),
            },
        ),
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "the filter compares '{name}' in a way that it cannot be compared"
    )))
}

fn unexpected(token: Option<Token>, wanted: &str) -> Refusal {
    let found = match token {
        None => "its end".to_owned(),
        Some(Token::Word(text) | Token::Sign(text)) => text,
        Some(Token::Quoted(text)) => format!("'{text}'"),
    };
    Refusal::invalid(format!(
        "Invalid clause(s) in filter string: {wanted} was expected, and {found} was found"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ATTRIBUTES: Attributes = Attributes {
        text: &["name", "run_id"],
        numbers: &["version_number"],
        lists: &["name"],
    };

    struct One;

    impl Row for One {
        fn text(&self, attribute: &str) -> String {
            if attribute == "name" {
                "Fraud-EU".into()
            } else {
                "r1".into()
            }
        }
        fn number(&self, _: &str) -> i64 {
            7
        }
        fn tag(&self, key: &str) -> Option<String> {
            match key {
                "team" => Some("it's".into()),
                "with space" => Some("x".into()),
                _ => None,
            }
        }
    }

    fn holds(filter: &str) -> bool {
        Filter::parse(filter, &ATTRIBUTES).unwrap().matches(&One)
    }

    #[test]
    fn filters_let_through_what_they_say() {
        for yes in [
            "",
            "  ",
            "name = 'Fraud-EU'",
            "name='Fraud-EU'",
            "attribute.name != 'x'",
            "name LIKE 'Fraud%'",
            "name like '%-__'",
            "name ILIKE 'fraud-%' and run_id = \"r1\"",
            "name IN ('a', 'Fraud-EU')",
            "name NOT IN ('a')",
            "version_number >= 7 AND version_number < 8",
            "tags.team = 'it''s'",
            "tag.`with space` = 'x'",
            "tags.\"with space\" = 'x'",
            "tags.`mlflow.prompt.is_prompt` != 'true'",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in [
            "name = 'fraud-eu'",
            "name LIKE 'fraud%'",
            "name LIKE 'Fraud'",
            "tags.nobody = 'x'",
            "tags.nobody != 'x'",
            "version_number > 7",
            "name = 'Fraud-EU' AND run_id = 'r2'",
            "tags.`mlflow.prompt.is_prompt` = 'true'",
        ] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn what_a_filter_cannot_say_is_refused() {
        for wrong in [
            "name",
            "name =",
            "name = 3",
            "name = unquoted",
            "nam = 'x'",
            "name > 'x'",
            "params.x = 'y'",
            "name = 'x",
            "name = 'x' OR name = 'y'",
            "name = 'x' run_id = 'y'",
            "name IN 'x'",
            "name IN ()",
            "run_id IN ('x')",
            "version_number LIKE 'x'",
            "version_number = '7'",
            "version_number = seven",
            "tags.team IN ('x')",
            "= 'x'",
            "'name' = 'x'",
            "name NOT 'x'",
            "name = 'x' AND",
        ] {
            assert!(Filter::parse(wrong, &ATTRIBUTES).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_filter_on_names_says_which_ones() {
        let filter = |text| Filter::parse(text, &ATTRIBUTES).unwrap();
        assert_eq!(
            filter("run_id = 'x' AND name = 'a'").only("name"),
            Some(vec!["a"])
        );
        assert_eq!(
            filter("name IN ('a', 'b')").only("name"),
            Some(vec!["a", "b"])
        );
        assert_eq!(filter("name != 'a'").only("name"), None);
    }

    proptest! {
        #[test]
        fn no_filter_makes_the_parser_fall_over(text in ".{0,60}") {
            let _ = Filter::parse(&text, &ATTRIBUTES);
        }

        #[test]
        fn a_quoted_value_means_itself(value in "[^\0]{0,20}") {
            let filter = format!("name = '{}'", value.replace('\'', "''"));
            let filter = Filter::parse(&filter, &ATTRIBUTES).unwrap();
            prop_assert_eq!(filter.only("name"), Some(vec![value.as_str()]));
        }
    }
}
