//! Shares of an endpoint's requests as the weights of a forward action.

use std::collections::BTreeMap;

/// The highest weight of a target group (`TargetGroupTuple`).
const HIGHEST: u64 = 999;

/// The weights that divide requests as `shares` do. Exact where whole weights up to 999 can be, and then in percent if they
/// can; else the nearest (largest remainder) of those that add up to 999. A share above zero never becomes zero.
pub(super) fn of<K: Ord + Clone>(shares: &BTreeMap<K, u64>) -> BTreeMap<K, u32> {
    let whole: u64 = shares.values().sum();
    let unit = shares.values().copied().fold(0, greatest_common_divisor);
    if unit == 0 {
        return shares.keys().map(|key| (key.clone(), 0)).collect();
    }
    let weights = if shares.values().all(|share| share / unit <= HIGHEST) {
        let parts = whole / unit;
        let each = if 100 % parts == 0 { 100 / parts } else { 1 };
        shares.values().map(|share| share / unit * each).collect()
    } else {
        nearest(&shares.values().copied().collect::<Vec<_>>(), whole)
    };
    let small = |weight| u32::try_from(weight).expect("at most 999");
    shares
        .keys()
        .cloned()
        .zip(weights.into_iter().map(small))
        .collect()
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

/// Weights that add up to [`HIGHEST`].
fn nearest(shares: &[u64], whole: u64) -> Vec<u64> {
    let exact = |share: u64| u128::from(share) * u128::from(HIGHEST);
    let whole = u128::from(whole);
    let mut weights: Vec<u64> = shares
        .iter()
        .map(|share| {
            let weight = u64::try_from(exact(*share) / whole).expect("at most 999");
            weight.max(u64::from(*share > 0))
        })
        .collect();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|at| std::cmp::Reverse(exact(shares[*at]) % whole));
    let mut given: u64 = weights.iter().sum();
    for at in by_remainder {
        // What was lifted from zero to one has its rest already.
        let lifted = exact(shares[at]) < whole;
        if given < HIGHEST && !lifted && shares[at] > 0 {
            weights[at] += 1;
            given += 1;
        }
    }
    // Those that were lifted may have made it too much: the greatest can spare it.
    while given > HIGHEST {
        let greatest = weights.iter_mut().max().expect("not empty");
        *greatest -= 1;
        given -= 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(shares: &[u64]) -> Vec<u32> {
        let shares: BTreeMap<usize, u64> = shares.iter().copied().enumerate().collect();
        of(&shares).into_values().collect()
    }

    #[test]
    fn a_division_in_percent_is_exact_and_reads_as_percent() {
        for (shares, expected) in [
            (vec![], vec![]),
            (vec![0, 0], vec![0, 0]),
            (vec![100_000_000], vec![100]),
            (vec![90_000_000, 10_000_000], vec![90, 10]),
            (vec![99_000_000, 1_000_000, 0], vec![99, 1, 0]),
            (vec![50_000_000, 45_000_000, 5_000_000], vec![50, 45, 5]),
        ] {
            let shares: Vec<u64> = shares;
            assert_eq!(weights(&shares), expected, "{shares:?}");
        }
    }

    #[test]
    fn tenths_of_a_percent_are_exact() {
        assert_eq!(weights(&[99_900_000, 100_000]), [999, 1]);
        assert_eq!(weights(&[87_500_000, 12_500_000]), [7, 1]);
    }

    #[test]
    fn what_cannot_be_exact_goes_to_the_largest_remainders() {
        // 899.1001, 99.8999: the second is nearer to the next whole weight.
        assert_eq!(weights(&[90_000_010, 9_999_990]), [899, 100]);
        // 333.000007 twice, and 332.99999.
        assert_eq!(
            weights(&[33_333_334, 33_333_334, 33_333_332]),
            [333, 333, 333]
        );
    }

    #[test]
    fn the_smallest_share_still_gets_requests() {
        assert_eq!(weights(&[99_999_999, 1]), [998, 1]);
        assert_eq!(weights(&[99_999_997, 1, 1, 1]), [996, 1, 1, 1]);
    }

    proptest! {
        #[test]
        fn weights_are_legal_add_up_and_are_near_their_shares(
            shares in prop::collection::vec(prop_oneof![Just(0), 1..=100u64, 1..=100_000_000u64], 1..=5)
        ) {
            let found = weights(&shares);
            let whole: u64 = shares.iter().sum();
            let sum: u64 = found.iter().map(|weight| u64::from(*weight)).sum();
            prop_assert!(sum <= 5 * HIGHEST);
            for (share, weight) in shares.iter().zip(&found) {
                prop_assert!(u64::from(*weight) <= HIGHEST);
                prop_assert_eq!(*share == 0, *weight == 0);
                if whole > 0 {
                    let wanted = *share as f64 / whole as f64;
                    let got = f64::from(*weight) / sum as f64;
                    // One weight of 999 for rounding, one for each of four that were lifted from zero.
                    prop_assert!((wanted - got).abs() <= 5.0 / 999.0, "{:?} {:?}", shares, found);
                }
            }
        }
    }
}
