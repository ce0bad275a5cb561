//! Exact decimal numbers, as Terraform computes with them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::error::Error;

/// The longest decimal text that is read as a number: Terraform's own 512-bit numbers need less.
pub(crate) const MAX_DIGITS: usize = 4096;

/// The largest decimal exponent that is accepted, in either direction.
///
/// Comparing never expands a number, but writing one does; the bound keeps a hostile `1e999999999`
/// from becoming a gigabyte of zeros.
pub(crate) const MAX_EXPONENT: i64 = 4096;

/// A number of any size and precision, compared by value.
///
/// Small integers are held as such. Everything else is kept as its decimal digits: `0.1` stays `0.1`
/// and never becomes the nearest binary fraction.
///
/// ```
/// use tfplugin::value::Number;
///
/// let tenth: Number = "0.10".parse().unwrap();
/// assert_eq!(tenth, "1e-1".parse().unwrap());
/// assert_eq!(tenth.to_string(), "0.1");
/// assert!(tenth < Number::from(1_u64));
/// ```
#[derive(Clone)]
pub struct Number(Repr);

/// Canonical: the first variant that can hold a number does hold it, so equality is structural.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Int(i64),
    UInt(u64),
    Decimal(Box<Decimal>),
}

/// `digits * 10^exponent`, with no leading and no trailing zero in `digits`, never zero.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// The position of the first digit: the number lies in `[10^(magnitude-1), 10^magnitude)`.
    fn magnitude(&self) -> i64 {
        self.digits.len() as i64 + self.exponent
    }

    fn cmp_absolute(&self, other: &Self) -> Ordering {
        // Without leading zeros the longer integer part is the larger number; after that the digits,
        // aligned at the first one, compare as text.
        self.magnitude()
            .cmp(&other.magnitude())
            .then_with(|| self.digits.cmp(&other.digits))
    }
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self(Repr::Int(0));

    /// The number as a signed integer, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The number as an unsigned integer, if it is one and fits.
    pub fn as_u64(&self) -> Option<u64> {
        match self.0 {
            Repr::Int(value) => u64::try_from(value).ok(),
            Repr::UInt(value) => Some(value),
            Repr::Decimal(_) => None,
        }
    }

    /// The nearest double: exact where the number is one, infinite where it is too large.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Int(value) => *value as f64,
            Repr::UInt(value) => *value as f64,
            Repr::Decimal(decimal) => decimal
                .scientific()
                .parse()
                .expect("digits and an exponent are always a number"),
        }
    }

    /// The double with exactly this value, if there is one.
    pub fn as_exact_f64(&self) -> Option<f64> {
        let nearest = self.to_f64();
        (nearest.is_finite() && Self::from_f64_exact(nearest)? == *self).then_some(nearest)
    }

    /// Whether the number has no fractional part.
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Int(_) | Repr::UInt(_) => true,
            Repr::Decimal(decimal) => decimal.exponent >= 0,
        }
    }

    /// The exact value of a double, all its binary digits included; `None` for infinities and NaN.
    ///
    /// This is what a double on the wire means. For a number that a person wrote, and that became a
    /// double on the way, use [`Number::from_f64`].
    pub fn from_f64_exact(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        if value == value.trunc() && value.abs() < 9.0e18 {
            return Some(Self(Repr::Int(value as i64)));
        }
        // A double is m * 2^-k with k fractional binary digits, which is k fractional decimal digits.
        let bits = value.to_bits();
        let stored = ((bits >> 52) & 0x7ff) as i64;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = if stored == 0 {
            (fraction, -1074)
        } else {
            (fraction | (1 << 52), stored - 1075)
        };
        let places = (-(exponent + i64::from(mantissa.trailing_zeros()))).max(0);
        let text = format!("{value:.*}", places as usize);
        parse(&text, usize::MAX).ok()
    }

    /// The shortest decimal that reads back as this double: `0.1` for `0.1`; `None` for infinities
    /// and NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        parse(&format!("{value:e}"), usize::MAX).ok()
    }
}

impl Decimal {
    fn scientific(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}e{}", self.digits, self.exponent)
    }
}

fn parse(text: &str, max_digits: usize) -> Result<Number, Error> {
    let refuse = |reason: &'static str| Error::Number { reason };
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => {
            let written = &unsigned[at + 1..];
            let exponent: i64 = written
                .parse()
                .map_err(|_| refuse("the exponent is not an integer of reasonable size"))?;
            (&unsigned[..at], exponent)
        }
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(refuse("there are no digits"));
    }
    if whole.len() + fraction.len() > max_digits {
        return Err(refuse("it has too many digits"));
    }
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|byte| byte.is_ascii_digit())
    {
        return Err(refuse("it holds something else than digits"));
    }
    // Rejecting here keeps the sums below far from overflow.
    if exponent.abs() > MAX_EXPONENT * 2 {
        return Err(refuse("the exponent is out of range"));
    }
    let mut digits = String::with_capacity(whole.len() + fraction.len());
    digits.push_str(whole);
    digits.push_str(fraction);
    let mut exponent = exponent - fraction.len() as i64;
    let significant = digits.trim_end_matches('0').len();
    exponent += (digits.len() - significant) as i64;
    digits.truncate(significant);
    let digits = digits.trim_start_matches('0').to_owned();
    if digits.is_empty() {
        return Ok(Number::ZERO);
    }
    if max_digits != usize::MAX && exponent.abs() > MAX_EXPONENT {
        return Err(refuse("the exponent is out of range"));
    }
    let decimal = Decimal {
        negative,
        digits,
        exponent,
    };
    Ok(Number(
        integer(&decimal).unwrap_or_else(|| Repr::Decimal(Box::new(decimal))),
    ))
}

/// The integer representation of a decimal, if it has one.
fn integer(decimal: &Decimal) -> Option<Repr> {
    if decimal.exponent < 0 || decimal.magnitude() > 20 {
        return None;
    }
    let zeros = "0".repeat(decimal.exponent as usize);
    let sign = if decimal.negative { "-" } else { "" };
    let text = format!("{sign}{}{zeros}", decimal.digits);
    text.parse()
        .map(Repr::Int)
        .or_else(|_| text.parse().map(Repr::UInt))
        .ok()
}

impl FromStr for Number {
    type Err = Error;

    /// Reads a decimal with optional sign, fraction and exponent.
    fn from_str(text: &str) -> Result<Self, Error> {
        // Almost every number is a small integer.
        if text.len() < 19
            && !text.starts_with('+')
            && let Ok(value) = text.parse::<i64>()
        {
            return Ok(Self(Repr::Int(value)));
        }
        parse(text, MAX_DIGITS)
    }
}

macro_rules! from_integers {
    ($($signed:ty)*; $($unsigned:ty)*) => {
        $(impl From<$signed> for Number {
            fn from(value: $signed) -> Self {
                Self(Repr::Int(i64::from(value)))
            }
        })*
        $(impl From<$unsigned> for Number {
            fn from(value: $unsigned) -> Self {
                let value = u64::from(value);
                Self(i64::try_from(value).map_or(Repr::UInt(value), Repr::Int))
            }
        })*
    };
}
from_integers!(i8 i16 i32 i64; u8 u16 u32 u64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Int(left), Repr::Int(right)) => left.cmp(right),
            (Repr::UInt(left), Repr::UInt(right)) => left.cmp(right),
            // Canonical form: what is held as unsigned is larger than any signed one.
            (Repr::Int(_), Repr::UInt(_)) => Ordering::Less,
            (Repr::UInt(_), Repr::Int(_)) => Ordering::Greater,
            _ => match (self.decimal(), other.decimal()) {
                (None, None) => Ordering::Equal,
                (None, Some(right)) => {
                    if right.negative {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (Some(left), None) => {
                    if left.negative {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (Some(left), Some(right)) => match (left.negative, right.negative) {
                    (false, true) => Ordering::Greater,
                    (true, false) => Ordering::Less,
                    (false, false) => left.cmp_absolute(&right),
                    (true, true) => right.cmp_absolute(&left),
                },
            },
        }
    }
}

impl Number {
    /// The decimal form, `None` for zero.
    fn decimal(&self) -> Option<Decimal> {
        let (negative, absolute) = match &self.0 {
            Repr::Decimal(decimal) => return Some(Decimal::clone(decimal)),
            Repr::Int(value) => (*value < 0, value.unsigned_abs()),
            Repr::UInt(value) => (false, *value),
        };
        if absolute == 0 {
            return None;
        }
        let text = absolute.to_string();
        let digits = text.trim_end_matches('0').to_owned();
        let exponent = (text.len() - digits.len()) as i64;
        Some(Decimal {
            negative,
            digits,
            exponent,
        })
    }
}

impl fmt::Display for Number {
    /// Plain decimal notation, which Terraform reads back to the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimal = match &self.0 {
            Repr::Int(value) => return value.fmt(f),
            Repr::UInt(value) => return value.fmt(f),
            Repr::Decimal(decimal) => decimal,
        };
        if decimal.negative {
            f.write_str("-")?;
        }
        let point = decimal.magnitude();
        if decimal.exponent >= 0 {
            write!(
                f,
                "{}{}",
                decimal.digits,
                "0".repeat(decimal.exponent as usize)
            )
        } else if point > 0 {
            let (whole, fraction) = decimal.digits.split_at(point as usize);
            write!(f, "{whole}.{fraction}")
        } else {
            write!(f, "0.{}{}", "0".repeat(-point as usize), decimal.digits)
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn one_value_has_one_representation() {
        for (left, right) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.5", "5E-1"),
            ("-0", "0"),
            ("0.000", "0e7"),
            ("18446744073709551615", "18446744073709551615.00"),
            ("+7", "007"),
        ] {
            assert_eq!(number(left), number(right), "{left} and {right}");
        }
    }

    #[test]
    fn order_is_numeric_over_all_representations() {
        let ascending = [
            "-1e30",
            "-9223372036854775809",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "-0.25",
            "0",
            "1e-9",
            "0.1",
            "0.25",
            "1",
            "1.5",
            "2",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e30",
            "1.1e30",
        ]
        .map(number);
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                assert_eq!(left.cmp(right), i.cmp(&j), "{left} against {right}");
            }
        }
    }

    #[test]
    fn text_reads_back_to_the_same_number() {
        for text in [
            "0.1",
            "-12.5",
            "123456789012345678901234567890",
            "0.000001",
            "1e40",
            "-3.25e-12",
        ] {
            assert_eq!(number(&number(text).to_string()), number(text), "{text}");
        }
        assert_eq!(number("1e-3").to_string(), "0.001");
        assert_eq!(number("-125e-1").to_string(), "-12.5");
    }

    #[test]
    fn a_double_from_the_wire_keeps_all_its_binary_digits() {
        let exact = Number::from_f64_exact(0.1).unwrap();
        assert_eq!(
            exact.to_string(),
            "0.1000000000000000055511151231257827021181583404541015625"
        );
        assert_eq!(exact.as_exact_f64(), Some(0.1));
        assert_eq!(number("0.1").as_exact_f64(), None);
        assert_eq!(Number::from_f64(0.1), Some(number("0.1")));
        assert_eq!(
            Number::from_f64_exact(1e300).unwrap().as_exact_f64(),
            Some(1e300)
        );
        assert_eq!(
            Number::from_f64_exact(5e-324).unwrap().as_exact_f64(),
            Some(5e-324)
        );
        assert_eq!(Number::from_f64_exact(f64::NAN), None);
        assert_eq!(Number::from_f64(f64::INFINITY), None);
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "0x10",
            "1_000",
            "NaN",
            "inf",
            "1e999999999999",
            "1e5000",
            "--1",
            "1.2.3",
            "٣",
        ] {
            assert!(text.parse::<Number>().is_err(), "{text:?} was read");
        }
        assert!("1".repeat(MAX_DIGITS + 1).parse::<Number>().is_err());
    }
}
