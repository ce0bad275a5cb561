//! What can be asked of the model server's counters.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::serving::Window;

/// A query on one revision over one window. Latencies are in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerQuery {
    /// Answers with 5xx among all that the model answered, 0 to 1.
    ErrorRate,
    /// Requests that ended, per second.
    RequestRate,
    /// Median latency.
    LatencyP50,
    /// 90th percentile.
    LatencyP90,
    /// 99th percentile.
    LatencyP99,
    /// Mean latency.
    LatencyMean,
}

impl ServerQuery {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ErrorRate,
        Self::RequestRate,
        Self::LatencyP50,
        Self::LatencyP90,
        Self::LatencyP99,
        Self::LatencyMean,
    ];

    /// The name in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ErrorRate => "error_rate",
            Self::RequestRate => "request_rate",
            Self::LatencyP50 => "latency_p50",
            Self::LatencyP90 => "latency_p90",
            Self::LatencyP99 => "latency_p99",
            Self::LatencyMean => "latency_mean",
        }
    }

    /// The answer over `window`, which lasted `seconds`; `None` when nothing was answered in it.
    pub fn ask(self, window: &Window, seconds: f64) -> Option<f64> {
        match self {
            Self::ErrorRate => window.error_rate(),
            Self::RequestRate => {
                (window.requests() > 0 && seconds > 0.0).then(|| window.requests() as f64 / seconds)
            }
            Self::LatencyP50 => window.quantile_seconds(0.5),
            Self::LatencyP90 => window.quantile_seconds(0.9),
            Self::LatencyP99 => window.quantile_seconds(0.99),
            Self::LatencyMean => window.mean_seconds(),
        }
    }
}

impl std::str::FromStr for ServerQuery {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|q| q.as_str() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                Error::invalid(format!(
                    "{text:?} is not a query of the sources \"server\" and \"cloudwatch\": use one of {known}"
                ))
            })
    }
}

impl std::fmt::Display for ServerQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_reads_back_what_it_prints() {
        for query in ServerQuery::ALL {
            assert_eq!(query.as_str().parse::<ServerQuery>().unwrap(), query);
            let json = serde_json::to_string(&query).unwrap();
            assert_eq!(json, format!("{:?}", query.as_str()));
        }
        let error = "errors".parse::<ServerQuery>().unwrap_err();
        assert!(
            error.to_string().contains("error_rate, request_rate"),
            "{error}"
        );
    }
}
