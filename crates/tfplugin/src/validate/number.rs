use super::{Subject, Validator};
use crate::diagnostics::Diagnostics;
use crate::value::Number;

/// The number lies between both bounds, which belong to the range.
pub fn between(least: impl Into<Number>, most: impl Into<Number>) -> impl Validator {
    Range {
        least: Some(least.into()),
        most: Some(most.into()),
    }
}

/// The number is not smaller.
pub fn at_least(least: impl Into<Number>) -> impl Validator {
    Range {
        least: Some(least.into()),
        most: None,
    }
}

/// The number is not larger.
pub fn at_most(most: impl Into<Number>) -> impl Validator {
    Range {
        least: None,
        most: Some(most.into()),
    }
}

struct Range {
    least: Option<Number>,
    most: Option<Number>,
}

impl Validator for Range {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        let Some(number) = subject.value.as_number() else {
            return;
        };
        let below = self.least.as_ref().is_some_and(|least| number < least);
        let above = self.most.as_ref().is_some_and(|most| number > most);
        if below || above {
            problems.push(subject.must(match (&self.least, &self.most) {
                (Some(least), Some(most)) => format!("be between {least} and {most}"),
                (Some(least), None) => format!("be at least {least}"),
                (None, Some(most)) => format!("be at most {most}"),
                (None, None) => return,
            }));
        }
    }
}

/// The number is whole.
pub fn whole() -> impl Validator {
    Whole
}

struct Whole;

impl Validator for Whole {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        if subject
            .value
            .as_number()
            .is_some_and(|number| !number.is_integer())
        {
            problems.push(subject.must("be a whole number"));
        }
    }
}
