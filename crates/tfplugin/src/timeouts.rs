//! The `timeouts` block: how long each operation may take.

use std::time::Duration;

use crate::convert::Attr;
use crate::schema::{Attribute, Block};
use crate::validate;

/// An operation that can be given a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creating.
    Create,
    /// Reading, of resources and data sources.
    Read,
    /// Updating in place.
    Update,
    /// Deleting.
    Delete,
}

impl Operation {
    /// The attribute's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// The block `timeouts` with one optional duration for each of these operations.
///
/// ```
/// use tfplugin::schema::Block;
/// use tfplugin::timeouts::{self, Operation};
///
/// let block = Block::new().single("timeouts", timeouts::block([Operation::Create, Operation::Delete]));
/// ```
///
/// The struct's field is `pub timeouts: Attr<Timeouts>` where `Timeouts` is declared with
/// [`object!`](crate::object) and has an `Attr<String>` for each operation; [`of`] reads one of them.
pub fn block(operations: impl IntoIterator<Item = Operation>) -> Block {
    operations.into_iter().fold(
        Block::new().describe("How long each operation may take, such as `30s`, `5m` or `1h30m`."),
        |block, operation| {
            let name = operation.name();
            let attribute = Attribute::string()
                .optional()
                .validate(validate::duration())
                .describe(format!(
                    "How long the {name} operation may take, such as `5m`."
                ));
            block.attribute(name, attribute)
        },
    )
}

/// The duration that an attribute of the block says, else `default`.
///
/// What is null, unknown or no duration counts as not set; the block's validator has refused the last.
pub fn of(written: &Attr<String>, default: Duration) -> Duration {
    written.as_str().and_then(parse_duration).unwrap_or(default)
}

/// Reads a duration such as `90s`, `1.5h`, `1h30m` or `250ms`; `None` for everything else, negative
/// durations and bare numbers included. Units: `ns`, `us`, `ms`, `s`, `m`, `h`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let nanoseconds: u64 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(scaled(number, nanoseconds)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// A decimal number of units, rounded down to nanoseconds.
fn scaled(number: &str, nanoseconds: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    // Twelve decimal places are beyond any clock; what follows them is dropped.
    let places = fraction.len().min(12);
    let fraction: u128 = if places == 0 {
        0
    } else {
        fraction[..places].parse().ok()?
    };
    let total = u128::from(whole) * u128::from(nanoseconds)
        + fraction * u128::from(nanoseconds) / 10_u128.pow(places as u32);
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (total % 1_000_000_000) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_a_user_writes_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1.5h", 5_400_000),
            ("1m.5s", 60_500),
            ("2000us", 2),
            ("3000000ns", 3),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "5d",
            "1..5s",
            ".s",
            "5mm",
            "99999999999999999999h",
            "5m3",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn an_operation_that_is_not_given_a_time_takes_its_default() {
        let default = Duration::from_secs(600);
        assert_eq!(of(&"5m".into(), default), Duration::from_secs(300));
        assert_eq!(of(&Attr::Null, default), default);
        assert_eq!(of(&Attr::Unknown, default), default);
    }

    #[test]
    fn the_block_has_the_chosen_operations_only() {
        let block = block([Operation::Create, Operation::Delete]);
        assert_eq!(
            block.attributes().map(|(name, _)| name).collect::<Vec<_>>(),
            ["create", "delete"]
        );
    }
}
