//! Who is asked about a candidate, and what.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::metric::MetricName;
use super::query::ServerQuery;
use super::template::Template;
use crate::endpoint::Period;

/// Who answers an analysis, with what that one is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The model server's own counters.
    Server {
        /// Which of them.
        query: ServerQuery,
    },
    /// Amazon CloudWatch: what the endpoint's load balancer counted of the revision's target group.
    Cloudwatch {
        /// What of it.
        query: ServerQuery,
    },
    /// A Prometheus, or what speaks its HTTP API.
    Prometheus(HttpSource),
    /// Anything that answers with JSON.
    Http(HttpSource),
    /// The registry that holds the versions: what was measured of the one that a revision runs.
    Registry {
        /// Which of its metrics.
        query: MetricName,
    },
}

/// A source that is asked over HTTP from the process that deploys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpSource {
    /// What is asked: PromQL, or a JSON Pointer into the answer.
    pub query: Template,
    /// Where.
    pub address: Address,
    /// The environment variable that holds its bearer token. The token itself is kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token_env: Option<String>,
}

impl Source {
    /// The name in a configuration.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Server { .. } => "server",
            Self::Cloudwatch { .. } => "cloudwatch",
            Self::Prometheus(_) => "prometheus",
            Self::Http(_) => "http",
            Self::Registry { .. } => "registry",
        }
    }

    /// The attributes that it has over HTTP.
    pub fn over_http(&self) -> Option<&HttpSource> {
        match self {
            Self::Prometheus(source) | Self::Http(source) => Some(source),
            Self::Server { .. } | Self::Cloudwatch { .. } | Self::Registry { .. } => None,
        }
    }

    /// Whether a step waits for its answer. The server's counters are there at once, so where they saw nothing there was
    /// nothing to see; what goes through somebody else's store arrives late, or not at all.
    pub fn is_waited_for(&self) -> bool {
        !matches!(self, Self::Server { .. })
    }

    /// The time between two measurements where the configuration names none.
    pub fn default_interval(&self) -> Period {
        match self {
            Self::Server { .. } => Period::seconds(1),
            Self::Prometheus(_) | Self::Http(_) | Self::Registry { .. } => Period::seconds(10),
            // Its numbers are of whole minutes.
            Self::Cloudwatch { .. } => Period::seconds(30),
        }
    }

    /// What is asked, as it was written.
    pub fn query(&self) -> String {
        match self {
            Self::Server { query } | Self::Cloudwatch { query } => query.to_string(),
            Self::Prometheus(source) | Self::Http(source) => source.query.to_string(),
            Self::Registry { query } => query.to_string(),
        }
    }

    /// Whether two revisions may have two answers.
    pub fn tells_revisions_apart(&self) -> bool {
        self.over_http().is_none_or(|source| {
            source.query.names("revision") || source.address.template().names("revision")
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.query())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::spec::Analysis;

    #[test]
    fn what_an_earlier_program_wrote_is_read_and_written_as_it_was() {
        let text = r#"{"source":"server","query":"error_rate","condition":"result < 0.02","interval":"1s","count":null,"failure_limit":0,"start_after_step":0}"#;
        let analysis: Analysis = serde_json::from_str(text).unwrap();
        let query = ServerQuery::ErrorRate;
        assert_eq!(analysis.source, Source::Server { query });
        assert_eq!(serde_json::to_string(&analysis).unwrap(), text);
    }

    #[test]
    fn a_source_over_http_comes_back_as_it_was_written() {
        let source = Source::Prometheus(HttpSource {
            query: "sum(up{revision=\"{{revision}}\"})".parse().unwrap(),
            address: "https://prometheus.internal".parse().unwrap(),
            bearer_token_env: Some("PROMETHEUS_TOKEN".to_owned()),
        });
        let text = serde_json::to_string(&source).unwrap();
        assert_eq!(serde_json::from_str::<Source>(&text).unwrap(), source);
        assert!(source.tells_revisions_apart());
    }
}
