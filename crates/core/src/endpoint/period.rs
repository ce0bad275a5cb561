//! Lengths of time as a user writes them: `30s`, `5m`, `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A length of time, exact to the millisecond, read and printed as `1h30m`, `5s`, `250ms`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Period(u64);

/// Units from the largest to the smallest; a text uses each at most once, in this order.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A year: longer periods are mistakes, and sums of shorter ones cannot overflow.
const LONGEST: u64 = 366 * 24 * 3_600_000;

impl Period {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(millis)
    }

    /// As a [`Duration`].
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum of two, which stops at the greatest value.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "{text:?} is not a length of time: write a whole number with a unit, such as 30s, 5m, 1h30m or 250ms"
            ))
        };
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let mut rest = text;
        let mut total = 0_u64;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            let letters = rest[digits..]
                .bytes()
                .take_while(u8::is_ascii_alphabetic)
                .count();
            let unit = &rest[digits..digits + letters];
            let (_, millis) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            total = number
                .checked_mul(*millis)
                .and_then(|n| n.checked_add(total))
                .filter(|n| *n <= LONGEST)
                .ok_or_else(wrong)?;
            rest = &rest[digits + letters..];
        }
        if text.is_empty() {
            Err(wrong())
        } else {
            Ok(Self(total))
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, millis) in UNITS {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Period {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_reads_back_what_it_prints() {
        for text in ["30s", "5m", "1h30m", "250ms", "1m500ms", "0s"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Period>().unwrap(), "1m30s".parse().unwrap());
        assert_eq!("0".parse::<Period>().unwrap(), Period::ZERO);
    }

    #[test]
    fn a_text_without_unit_order_or_number_is_refused() {
        for text in [
            "", "5", "s", "5x", "5s1m", "1m1m", "-1s", "1.5s", " 5s", "9999999h",
        ] {
            let error = text.parse::<Period>().unwrap_err();
            assert!(error.to_string().contains("30s, 5m"), "{text:?}: {error}");
        }
    }
}
