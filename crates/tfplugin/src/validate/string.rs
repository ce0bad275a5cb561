use std::fmt;
use std::ops::RangeInclusive;

use super::{Subject, Validator};
use crate::diagnostics::Diagnostics;

/// The string is one of these words.
pub fn one_of<S: Into<String>>(words: impl IntoIterator<Item = S>) -> impl Validator {
    OneOf(words.into_iter().map(Into::into).collect())
}

struct OneOf(Vec<String>);

impl Validator for OneOf {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        if let Some(text) = subject.value.as_str()
            && !self.0.iter().any(|word| word == text)
        {
            problems.push(subject.must(format_args!("be one of {}", self.0.join(", "))));
        }
    }
}

/// The string has so many characters (Unicode scalar values, not bytes).
pub fn length(range: RangeInclusive<usize>) -> impl Validator {
    Length(range)
}

struct Length(RangeInclusive<usize>);

impl Validator for Length {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        if let Some(text) = subject.value.as_str()
            && !self.0.contains(&text.chars().count())
        {
            problems.push(subject.must(format_args!("have {}", Count(&self.0, "character"))));
        }
    }
}

/// The string consists of characters of a class, written as inside the brackets of a regular
/// expression: ranges and single characters, with a `-` that stands first or last meaning itself.
///
/// `chars("A-Za-z0-9._-")` together with `length(1..=128)` is `^[A-Za-z0-9._-]{1,128}$`.
pub fn chars(class: &str) -> impl Validator {
    let listed: Vec<char> = class.chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < listed.len() {
        if at + 2 < listed.len() && listed[at + 1] == '-' {
            ranges.push(listed[at]..=listed[at + 2]);
            at += 3;
        } else {
            ranges.push(listed[at]..=listed[at]);
            at += 1;
        }
    }
    Chars {
        class: class.to_owned(),
        ranges,
    }
}

struct Chars {
    class: String,
    ranges: Vec<RangeInclusive<char>>,
}

impl Validator for Chars {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        let allowed = |c: char| self.ranges.iter().any(|range| range.contains(&c));
        if let Some(text) = subject.value.as_str()
            && !text.chars().all(allowed)
        {
            problems.push(subject.must(format_args!("consist of the characters {}", self.class)));
        }
    }
}

/// The string is a JSON document.
pub fn json() -> impl Validator {
    Json
}

struct Json;

impl Validator for Json {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        if let Some(text) = subject.value.as_str()
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
        {
            // The document may be long, so the place is more use than the text.
            let hidden = Subject {
                sensitive: true,
                ..*subject
            };
            problems.push(hidden.must(format_args!(
                "be a JSON document; line {}, column {} is not",
                error.line(),
                error.column()
            )));
        }
    }
}

/// The string is a duration such as `30s`, `5m` or `1h30m`.
pub fn duration() -> impl Validator {
    Duration
}

struct Duration;

impl Validator for Duration {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        if let Some(text) = subject.value.as_str()
            && crate::timeouts::parse_duration(text).is_none()
        {
            problems.push(subject.must("be a duration such as \"30s\", \"5m\" or \"1h30m\""));
        }
    }
}

/// A range of counts in words: "1 to 32 characters".
pub(super) struct Count<'a>(pub(super) &'a RangeInclusive<usize>, pub(super) &'a str);

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(range, what) = self;
        let plural = if *range.end() == 1 { "" } else { "s" };
        match (*range.start(), *range.end()) {
            (0, usize::MAX) => write!(f, "any number of {what}s"),
            (least, usize::MAX) => write!(
                f,
                "at least {least} {what}{}",
                if least == 1 { "" } else { "s" }
            ),
            (0, most) => write!(f, "at most {most} {what}{plural}"),
            (least, most) if least == most => write!(f, "exactly {most} {what}{plural}"),
            (least, most) => write!(f, "{least} to {most} {what}{plural}"),
        }
    }
}
