//! The condition of an analysis: `result < 0.02`, `result <= baseline * 1.1`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// `result COMPARISON VALUE`, where VALUE is a number, `baseline`, `baseline * NUMBER` or
/// `baseline + NUMBER`. `baseline` is the same query asked of the old revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    comparison: Comparison,
    bound: Bound,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    Number(f64),
    /// `baseline * factor + offset`.
    Baseline {
        factor: f64,
        offset: f64,
    },
}

impl Condition {
    /// Whether it compares with the old revision.
    pub fn needs_baseline(&self) -> bool {
        matches!(self.bound, Bound::Baseline { .. })
    }

    /// Whether it holds; `None` (inconclusive) if it needs a baseline and there is none.
    pub fn holds(&self, result: f64, baseline: Option<f64>) -> Option<bool> {
        let bound = match self.bound {
            Bound::Number(number) => number,
            Bound::Baseline { factor, offset } => baseline? * factor + offset,
        };
        Some(match self.comparison {
            Comparison::Less => result < bound,
            Comparison::LessOrEqual => result <= bound,
            Comparison::Greater => result > bound,
            Comparison::GreaterOrEqual => result >= bound,
            Comparison::Equal => result == bound,
            Comparison::NotEqual => result != bound,
        })
    }
}

impl FromStr for Condition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!(
                "condition {text:?} {what}: write `result` COMPARISON VALUE, such as `result < 0.02` or \
                 `result <= baseline * 1.1`"
            ))
        };
        let rest = text
            .trim()
            .strip_prefix("result")
            .ok_or_else(|| wrong("does not begin with `result`"))?;
        let rest = rest.trim_start();
        // Two-letter comparisons first: `<` is a prefix of `<=`.
        let (comparison, rest) = [
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ]
        .into_iter()
        .find_map(|(sign, comparison)| {
            rest.strip_prefix(sign)
                .map(|rest| (comparison, rest.trim()))
        })
        .ok_or_else(|| wrong("has none of < <= > >= == != after `result`"))?;

        let number = |text: &str| {
            text.trim()
                .parse::<f64>()
                .ok()
                .filter(|n| n.is_finite())
                .ok_or_else(|| wrong("does not end in a number or `baseline`"))
        };
        let bound = match rest.strip_prefix("baseline").map(str::trim_start) {
            None => Bound::Number(number(rest)?),
            Some("") => Bound::Baseline {
                factor: 1.0,
                offset: 0.0,
            },
            Some(rest) => match rest.split_at_checked(1) {
                Some(("*", factor)) => Bound::Baseline {
                    factor: number(factor)?,
                    offset: 0.0,
                },
                Some(("+", offset)) => Bound::Baseline {
                    factor: 1.0,
                    offset: number(offset)?,
                },
                _ => {
                    return Err(wrong(
                        "has something other than * NUMBER or + NUMBER after `baseline`",
                    ));
                }
            },
        };
        Ok(Self {
            comparison,
            bound,
            text: text.trim().to_owned(),
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Condition {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, result: f64, baseline: Option<f64>) -> Option<bool> {
        text.parse::<Condition>().unwrap().holds(result, baseline)
    }

    #[test]
    fn conditions_compare_with_a_number_or_the_baseline() {
        assert_eq!(holds("result < 0.02", 0.01, None), Some(true));
        assert_eq!(holds("result < 0.02", 0.02, None), Some(false));
        assert_eq!(holds("result<=0.02", 0.02, None), Some(true));
        assert_eq!(
            holds("result <= baseline * 1.1", 1.1, Some(1.0)),
            Some(true)
        );
        assert_eq!(
            holds("result <= baseline * 1.1", 1.2, Some(1.0)),
            Some(false)
        );
        assert_eq!(
            holds("result < baseline + 0.01", 0.02, Some(0.015)),
            Some(true)
        );
        assert_eq!(holds("result >= baseline", 3.0, Some(3.0)), Some(true));
        assert_eq!(holds("result != 1e-3", 0.001, None), Some(false));
    }

    #[test]
    fn a_missing_baseline_is_inconclusive() {
        assert_eq!(holds("result <= baseline * 1.1", 5.0, None), None);
    }

    #[test]
    fn a_wrong_condition_says_what_is_wrong() {
        for (text, what) in [
            ("error_rate < 1", "does not begin with `result`"),
            ("result", "has none of"),
            ("result ~ 1", "has none of"),
            ("result < x", "does not end in a number"),
            ("result < NaN", "does not end in a number"),
            ("result < baseline / 2", "after `baseline`"),
            ("result < baseline * ", "does not end in a number"),
        ] {
            let error = text.parse::<Condition>().unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn a_condition_travels_as_its_text() {
        let condition: Condition = "result <= baseline * 1.1".parse().unwrap();
        let json = serde_json::to_string(&condition).unwrap();
        assert_eq!(json, "\"result <= baseline * 1.1\"");
        assert_eq!(serde_json::from_str::<Condition>(&json).unwrap(), condition);
    }
}
