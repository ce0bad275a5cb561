//! Counters of one revision, and their Prometheus text.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mlops_core::serving::{Counters, LATENCY_BOUNDS_MICROS};

use crate::revision::Revision;

/// Bounds that Prometheus sees, in microseconds; each is one of [`LATENCY_BOUNDS_MICROS`].
const PUBLISHED_MICROS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// What grows with every request.
pub(crate) struct Meter {
    requests: AtomicU64,
    errors: AtomicU64,
    refused: AtomicU64,
    micros: AtomicU64,
    buckets: [AtomicU64; LATENCY_BOUNDS_MICROS.len() + 1],
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            micros: AtomicU64::new(0),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Meter {
    /// Counts one answer by its HTTP status.
    pub(crate) fn count(&self, status: u16, took: Duration) {
        match status {
            400..500 => {
                self.refused.fetch_add(1, Relaxed);
            }
            _ => {
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                let bucket = LATENCY_BOUNDS_MICROS.partition_point(|bound| *bound < micros);
                self.buckets[bucket].fetch_add(1, Relaxed);
                self.micros.fetch_add(micros, Relaxed);
                if status >= 500 {
                    self.errors.fetch_add(1, Relaxed);
                }
            }
        }
        self.requests.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        Counters {
            requests: self.requests.load(Relaxed),
            errors: self.errors.load(Relaxed),
            refused: self.refused.load(Relaxed),
            duration_micros: self.micros.load(Relaxed),
            buckets: self.buckets.iter().map(|b| b.load(Relaxed)).collect(),
        }
    }
}

/// The text format, version 0.0.4.
pub(crate) fn prometheus<'a>(
    endpoint: &str,
    revisions: impl Iterator<Item = &'a Revision>,
) -> String {
    let mut series = Vec::new();
    let mut counts = Vec::new();
    for revision in revisions {
        let labels = format!(
            "endpoint=\"{}\",variant=\"{}\",version=\"{}\",revision=\"{}\"",
            escape(endpoint),
            escape(&revision.spec.variant),
            revision.spec.version,
            escape(&revision.name)
        );
        if let Some(counted) = revision.counts() {
            counts.push((labels.clone(), counted));
        }
        for (traffic, meter) in [("live", &revision.live), ("shadow", &revision.shadow)] {
            series.push((
                format!("{labels},traffic=\"{traffic}\""),
                meter.read(),
                traffic,
                revision,
            ));
        }
    }
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, lines: &dyn Fn(&mut String)| {
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        lines(&mut out);
    };
    let counter = |name: &'static str, value: fn(&Counters) -> u64| {
        let series = &series;
        move |out: &mut String| {
            for (labels, counters, ..) in series {
                let _ = writeln!(out, "{name}{{{labels}}} {}", value(counters));
            }
        }
    };
    family(
        "mlops_requests_total",
        "counter",
        "Requests that the revision was chosen for.",
        &counter("mlops_requests_total", |c| c.requests),
    );
    family(
        "mlops_request_errors_total",
        "counter",
        "Requests answered with 5xx by the revision.",
        &counter("mlops_request_errors_total", |c| c.errors),
    );
    family(
        "mlops_requests_refused_total",
        "counter",
        "Requests refused with 4xx: the client's mistake or a full queue.",
        &counter("mlops_requests_refused_total", |c| c.refused),
    );
    family(
        "mlops_request_duration_seconds",
        "histogram",
        "Time from a request's arrival to its answer; refused requests are left out.",
        &|out| {
            for (labels, counters, ..) in &series {
                histogram(out, labels, counters);
            }
        },
    );
    family(
        "mlops_requests_in_flight",
        "gauge",
        "Requests accepted and not answered yet.",
        &|out| {
            for (labels, _, traffic, revision) in &series {
                let _ = writeln!(
                    out,
                    "mlops_requests_in_flight{{{labels}}} {}",
                    revision.in_flight_of(traffic)
                );
            }
        },
    );
    // Without a reference there is nothing to compare values with, and they are not counted.
    if counts.is_empty() {
        return out;
    }
    let name = "mlops_feature_values_total";
    let help =
        "Values that requests brought and predictions had, by the bins of the version's reference.";
    family(name, "counter", help, &|out| {
        for (labels, counted) in &counts {
            counted.values(out, name, labels);
        }
    });
    let name = "mlops_feature_reference_ratio";
    let help = "The share of each bin among the rows that the version's reference was made of.";
    family(name, "gauge", help, &|out| {
        for (labels, counted) in &counts {
            counted.expected(out, name, labels);
        }
    });
    out
}

fn histogram(out: &mut String, labels: &str, counters: &Counters) {
    let name = "mlops_request_duration_seconds";
    let mut next = 0;
    let mut below = 0;
    for published in PUBLISHED_MICROS {
        while next < LATENCY_BOUNDS_MICROS.len() && LATENCY_BOUNDS_MICROS[next] <= published {
            below += counters.buckets[next];
            next += 1;
        }
        let _ = writeln!(
            out,
            "{name}_bucket{{{labels},le=\"{}\"}} {below}",
            published as f64 / 1e6
        );
    }
    let total: u64 = counters.buckets.iter().sum();
    let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {total}");
    let _ = writeln!(
        out,
        "{name}_sum{{{labels}}} {}",
        counters.duration_micros as f64 / 1e6
    );
    let _ = writeln!(out, "{name}_count{{{labels}}} {total}");
}

/// As the text format has it in the value of a label.
pub(crate) fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_bounds_are_bounds_of_the_histogram() {
        assert!(
            PUBLISHED_MICROS
                .iter()
                .all(|b| LATENCY_BOUNDS_MICROS.contains(b))
        );
    }

    #[test]
    fn client_mistakes_are_neither_errors_nor_samples() {
        let meter = Meter::default();
        meter.count(200, Duration::from_micros(950));
        meter.count(400, Duration::from_secs(1));
        meter.count(429, Duration::from_secs(1));
        meter.count(500, Duration::from_micros(1_000));
        meter.count(504, Duration::from_secs(1_000));
        let read = meter.read();
        assert_eq!((read.requests, read.errors, read.refused), (5, 2, 2));
        assert_eq!(read.buckets.iter().sum::<u64>(), 3);
        assert_eq!(read.buckets[20], 2, "0.8 ms < 950 µs, 1000 µs <= 1 ms");
        assert_eq!(read.buckets.last(), Some(&1), "slower than the last bound");
    }
}
