use std::ops::RangeInclusive;

use super::string::Count;
use super::{Subject, Validator, elements};
use crate::diagnostics::Diagnostics;
use crate::value::Value;

/// The list, set or map has so many elements.
pub fn size(range: RangeInclusive<usize>) -> impl Validator {
    Size(range)
}

struct Size(RangeInclusive<usize>);

impl Validator for Size {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        let count = match subject.value {
            Value::List(elements) => elements.len(),
            // Elements that are still unknown may turn out equal.
            Value::Set(elements) if subject.value.is_wholly_known() => elements.len(),
            Value::Map(elements) => elements.len(),
            _ => return,
        };
        if !self.0.contains(&count) {
            let found =
                format_args!("have {}, but has {count}", Count(&self.0, "element")).to_string();
            problems.push(subject.must(found));
        }
    }
}

/// Every key of the map keeps a rule for strings.
pub fn keys(rule: impl Validator) -> impl Validator {
    Keys(rule)
}

struct Keys<V>(V);

impl<V: Validator> Validator for Keys<V> {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        if let Value::Map(elements) = subject.value {
            for key in elements.keys() {
                let path = subject.path.clone().key(key);
                let value = Value::from(key.as_str());
                // Keys are shown in plans, whatever their values are.
                let key = Subject {
                    sensitive: false,
                    ..subject.part(&path, &value)
                };
                self.0.validate(&key, problems);
            }
        }
    }
}

/// Every known element of the list, set or map keeps a rule.
pub fn each(rule: impl Validator) -> impl Validator {
    Each(rule)
}

struct Each<V>(V);

impl<V: Validator> Validator for Each<V> {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        for (step, element) in elements(subject.value) {
            if !element.is_null() && !element.is_unknown() {
                let path = subject.path.clone().step(step);
                self.0.validate(&subject.part(&path, element), problems);
            }
        }
    }
}
