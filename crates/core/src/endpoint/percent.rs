//! Percentages, exact to a hundredth: the share arithmetic of a split is integer arithmetic.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::serving::WHOLE;

/// 0 % to 100 % in steps of 0.01 %. Travels as the number a user writes (`12.5`).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent(u32);

impl Percent {
    /// 0 %.
    pub const ZERO: Self = Self(0);
    /// 100 %.
    pub const FULL: Self = Self(WHOLE);

    /// From a number of percent; refused outside 0 to 100 and finer than a hundredth.
    pub fn new(percent: f64) -> Result<Self> {
        let hundredths = percent * 100.0;
        let whole = hundredths.round();
        if !(0.0..=f64::from(WHOLE)).contains(&whole) || (hundredths - whole).abs() > 1e-6 {
            return Err(Error::invalid(format!(
                "{percent} is not a percentage: use 0 to 100, with at most two decimals"
            )));
        }
        // In range by the check above.
        Ok(Self(whole as u32))
    }

    /// From shares out of [`WHOLE`]; more than the whole is the whole.
    pub const fn of_shares(shares: u32) -> Self {
        Self(if shares > WHOLE { WHOLE } else { shares })
    }

    /// As shares out of [`WHOLE`].
    pub const fn shares(self) -> u32 {
        self.0
    }
}

impl From<u8> for Percent {
    fn from(percent: u8) -> Self {
        Self::of_shares(u32::from(percent) * 100)
    }
}

impl TryFrom<f64> for Percent {
    type Error = Error;
    fn try_from(percent: f64) -> Result<Self> {
        Self::new(percent)
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> Self {
        f64::from(percent.0) / 100.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(*self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_are_exact_and_finer_ones_refused() {
        assert_eq!(Percent::new(12.34).unwrap().shares(), 1234);
        assert_eq!(Percent::new(100.0).unwrap(), Percent::FULL);
        for wrong in [-0.01, 100.01, 12.345, f64::NAN, f64::INFINITY] {
            assert!(Percent::new(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Percent::new(0.07).unwrap().to_string(), "0.07%");
        assert_eq!(serde_json::to_string(&Percent::from(10)).unwrap(), "10.0");
    }
}
