//! Counters that only grow, and what lies between two readings of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Upper bounds of the latency buckets in microseconds: ten steps to the decade (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
/// from 10 µs to 100 s. A bucket counts what is at most its bound and above the one before; one more bucket, without a
/// bound, follows. A quantile read from them is within about 13 % of the true one.
pub const LATENCY_BOUNDS_MICROS: [u64; 71] = bounds();

const fn bounds() -> [u64; 71] {
    const STEPS: [u64; 10] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800];
    let mut out = [0; 71];
    let mut decade = 10;
    let mut i = 0;
    while i < out.len() {
        // 12.5 and 31.5 are cut to 12 and 31: bounds are whole microseconds.
        out[i] = STEPS[i % 10] * decade / 100;
        i += 1;
        if i % 10 == 0 {
            decade *= 10;
        }
    }
    out
}

/// Answer to `GET /metrics/snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsSnapshot {
    /// The server's nonce: counters of two processes cannot be subtracted.
    pub nonce: String,
    /// The server's clock, in milliseconds since the Unix epoch, when the counters were read.
    pub taken_at_unix_ms: u64,
    /// Counters by revision.
    pub revisions: BTreeMap<String, RevisionMetrics>,
}

/// Counters of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionMetrics {
    /// The variant it belongs to.
    pub variant: String,
    /// Requests whose answers went to clients.
    pub live: Counters,
    /// Copies whose answers were discarded.
    pub shadow: Counters,
}

/// Monotonic counters. They grow when a request ends, not when it arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Requests that the revision was chosen for, whatever the answer.
    pub requests: u64,
    /// Those answered with 5xx: the model failed, or did not answer in time (504).
    pub errors: u64,
    /// Those refused with 4xx: mistakes of the client, or a full queue (429). Not errors of the model.
    pub refused: u64,
    /// Sum of the latencies of the requests that were not refused, in microseconds.
    pub duration_micros: u64,
    /// How many of the requests that were not refused fell in each bucket of [`LATENCY_BOUNDS_MICROS`], plus one for
    /// everything slower.
    pub buckets: Vec<u64>,
}

impl Counters {
    /// Sum of two, for "live and shadow together".
    pub fn plus(&self, other: &Counters) -> Counters {
        let mut buckets = vec![0; self.buckets.len().max(other.buckets.len())];
        for (i, sum) in buckets.iter_mut().enumerate() {
            *sum = self.buckets.get(i).unwrap_or(&0) + other.buckets.get(i).unwrap_or(&0);
        }
        Counters {
            requests: self.requests + other.requests,
            errors: self.errors + other.errors,
            refused: self.refused + other.refused,
            duration_micros: self.duration_micros + other.duration_micros,
            buckets,
        }
    }

    /// What was added since `earlier`; `None` if a counter went back, which means another process counted.
    fn since(&self, earlier: &Counters) -> Option<Counters> {
        let mut buckets = self.buckets.clone();
        if earlier.buckets.len() > buckets.len() {
            buckets.resize(earlier.buckets.len(), 0);
        }
        for (now, before) in buckets.iter_mut().zip(&earlier.buckets) {
            *now = now.checked_sub(*before)?;
        }
        Some(Counters {
            requests: self.requests.checked_sub(earlier.requests)?,
            errors: self.errors.checked_sub(earlier.errors)?,
            refused: self.refused.checked_sub(earlier.refused)?,
            duration_micros: self.duration_micros.checked_sub(earlier.duration_micros)?,
            buckets,
        })
    }
}

/// What happened to one revision between two snapshots. Rates and latencies are `None` when nothing was answered: a
/// window without samples proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    counters: Counters,
}

impl Window {
    /// The window of `revision` between two snapshots of the same server, live and shadow together (a shadow revision has
    /// only the latter). `None` if the snapshots are of different processes, or the later one does not hold the revision.
    /// A revision that the earlier one does not hold began in between.
    pub fn between(
        earlier: &MetricsSnapshot,
        later: &MetricsSnapshot,
        revision: &str,
    ) -> Option<Window> {
        if earlier.nonce != later.nonce {
            return None;
        }
        let after = later.revisions.get(revision)?;
        let after = after.live.plus(&after.shadow);
        let before = earlier
            .revisions
            .get(revision)
            .map(|r| r.live.plus(&r.shadow))
            .unwrap_or_default();
        after.since(&before).map(|counters| Window { counters })
    }

    /// The window from the revision's beginning to `snapshot`.
    pub fn whole(snapshot: &MetricsSnapshot, revision: &str) -> Option<Window> {
        let metrics = snapshot.revisions.get(revision)?;
        Some(Window {
            counters: metrics.live.plus(&metrics.shadow),
        })
    }

    /// Requests that ended, refused ones too.
    pub fn requests(&self) -> u64 {
        self.counters.requests
    }

    /// Requests that the model answered or failed: all but the refused ones. The sample size of every rate below.
    pub fn answered(&self) -> u64 {
        self.counters.requests.saturating_sub(self.counters.refused)
    }

    /// Answers with 5xx.
    pub fn errors(&self) -> u64 {
        self.counters.errors
    }

    /// Answers with 4xx.
    pub fn refused(&self) -> u64 {
        self.counters.refused
    }

    /// Errors among the answered, 0 to 1. Refused requests are left out, so that malformed ones cannot hide errors.
    pub fn error_rate(&self) -> Option<f64> {
        let answered = self.answered();
        (answered > 0).then(|| self.counters.errors as f64 / answered as f64)
    }

    /// Mean latency in seconds.
    pub fn mean_seconds(&self) -> Option<f64> {
        let answered = self.answered();
        (answered > 0).then(|| self.counters.duration_micros as f64 / answered as f64 / 1e6)
    }

    /// Latency quantile in seconds, `q` from 0 to 1 (0.99 is p99), interpolated inside its bucket. What is slower than the
    /// last bound counts as that bound.
    pub fn quantile_seconds(&self, q: f64) -> Option<f64> {
        let total: u64 = self.counters.buckets.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = (q.clamp(0.0, 1.0) * total as f64).max(f64::MIN_POSITIVE);
        let mut below = 0;
        for (i, count) in self.counters.buckets.iter().enumerate() {
            if *count > 0 && (below + count) as f64 >= rank {
                let last = LATENCY_BOUNDS_MICROS[LATENCY_BOUNDS_MICROS.len() - 1];
                let upper = LATENCY_BOUNDS_MICROS.get(i).copied().unwrap_or(last);
                let lower = if i == 0 {
                    0
                } else {
                    LATENCY_BOUNDS_MICROS.get(i - 1).copied().unwrap_or(last)
                };
                let into = (rank - below as f64) / *count as f64;
                return Some((lower as f64 + (upper - lower) as f64 * into) / 1e6);
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(requests: u64, errors: u64, refused: u64, buckets: &[(usize, u64)]) -> Counters {
        let mut all = vec![0; LATENCY_BOUNDS_MICROS.len() + 1];
        for (i, n) in buckets {
            all[*i] = *n;
        }
        Counters {
            requests,
            errors,
            refused,
            duration_micros: 1_000 * (requests - refused),
            buckets: all,
        }
    }

    fn snapshot(nonce: &str, live: Counters) -> MetricsSnapshot {
        let metrics = RevisionMetrics {
            variant: "main".into(),
            live,
            shadow: Counters::default(),
        };
        MetricsSnapshot {
            nonce: nonce.into(),
            taken_at_unix_ms: 0,
            revisions: [("r".to_string(), metrics)].into(),
        }
    }

    #[test]
    fn bounds_rise_from_ten_microseconds_to_a_hundred_seconds() {
        assert_eq!(LATENCY_BOUNDS_MICROS[0], 10);
        assert_eq!(LATENCY_BOUNDS_MICROS[70], 100_000_000);
        assert!(LATENCY_BOUNDS_MICROS.windows(2).all(|w| w[0] < w[1]));
        assert!(
            [1_000, 2_500, 5_000, 1_000_000]
                .iter()
                .all(|b| LATENCY_BOUNDS_MICROS.contains(b))
        );
    }

    #[test]
    fn a_window_counts_only_what_lies_between_its_snapshots() {
        let earlier = snapshot("n", counters(100, 50, 0, &[(20, 100)]));
        let later = snapshot("n", counters(210, 52, 10, &[(20, 190), (30, 10)]));
        let window = Window::between(&earlier, &later, "r").unwrap();
        assert_eq!(
            (
                window.requests(),
                window.answered(),
                window.errors(),
                window.refused()
            ),
            (110, 100, 2, 10)
        );
        assert_eq!(window.error_rate(), Some(0.02));
        assert_eq!(window.mean_seconds(), Some(0.001));
    }

    #[test]
    fn refused_requests_cannot_hide_errors() {
        let later = snapshot("n", counters(1_000, 5, 990, &[(20, 10)]));
        assert_eq!(Window::whole(&later, "r").unwrap().error_rate(), Some(0.5));
    }

    #[test]
    fn a_window_without_samples_says_nothing() {
        let same = snapshot("n", counters(7, 1, 0, &[(3, 7)]));
        let window = Window::between(&same, &same, "r").unwrap();
        assert_eq!(
            (
                window.error_rate(),
                window.mean_seconds(),
                window.quantile_seconds(0.5)
            ),
            (None, None, None)
        );
    }

    #[test]
    fn snapshots_of_two_processes_are_not_subtracted() {
        let earlier = snapshot("one", counters(5, 0, 0, &[(3, 5)]));
        let later = snapshot("two", counters(9, 0, 0, &[(3, 9)]));
        assert_eq!(Window::between(&earlier, &later, "r"), None);
        let back = snapshot("one", counters(4, 0, 0, &[(3, 4)]));
        assert_eq!(Window::between(&earlier, &back, "r"), None);
        assert_eq!(Window::between(&earlier, &later, "unknown"), None);
    }

    #[test]
    fn quantiles_interpolate_inside_their_bucket() {
        // 90 requests between 0.8 and 1 ms, 10 between 80 and 100 ms.
        let window = Window::whole(
            &snapshot("n", counters(100, 0, 0, &[(20, 90), (40, 10)])),
            "r",
        )
        .unwrap();
        let p50 = window.quantile_seconds(0.5).unwrap();
        assert!((0.000_9..=0.001).contains(&p50), "{p50}");
        let p99 = window.quantile_seconds(0.99).unwrap();
        assert!((0.095..=0.1).contains(&p99), "{p99}");
        assert_eq!(window.quantile_seconds(1.0), Some(0.1));
    }
}
