//! The port to those who answer an analysis over a network.

use async_trait::async_trait;

use super::source::{HttpSource, Source};
use super::template::Subject;
use crate::error::{Error, Result};

/// In which way a [`Question`] is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// An instant query of Prometheus' HTTP API.
    Prometheus,
    /// A document of JSON, of which one number is read.
    Json,
}

/// One question about one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// How it is put.
    pub dialect: Dialect,
    /// Where.
    pub address: String,
    /// What is asked: PromQL, or a JSON Pointer.
    pub query: String,
    /// The environment variable that holds the bearer token.
    pub bearer_token_env: Option<String>,
}

impl Question {
    /// What `source` is asked about `subject`; `None` for a source that is not asked over HTTP.
    pub fn about(source: &Source, subject: Subject<'_>) -> Option<Self> {
        let dialect = match source {
            Source::Prometheus(_) => Dialect::Prometheus,
            Source::Http(_) => Dialect::Json,
            Source::Server { .. } | Source::Cloudwatch { .. } | Source::Registry { .. } => {
                return None;
            }
        };
        let HttpSource {
            query,
            address,
            bearer_token_env,
        } = source.over_http()?;
        Some(Self {
            dialect,
            address: address.template().about(subject),
            query: query.about(subject),
            bearer_token_env: bearer_token_env.clone(),
        })
    }
}

/// What a source says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A finite number.
    Number(f64),
    /// That there is nothing to say yet, and how it put it: `the query has no series`.
    Nothing(String),
}

impl Answer {
    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Nothing(_) => None,
        }
    }
}

/// Asks sources from the process that deploys.
///
/// A call is one request and ends within ten seconds. An error of class `Unavailable` or `Throttled` may go away; every other is final.
/// Both name the attribute of the analysis that is at fault: `address`, `query` or `bearer_token_env`.
#[async_trait]
pub trait Meter: Send + Sync {
    /// Whether `source` could be asked: what it needs of this process is there. Calls nobody.
    fn check(&self, source: &HttpSource) -> Result<()>;

    /// Asks once.
    async fn ask(&self, question: &Question) -> Result<Answer>;
}

/// Where nobody can be asked.
#[derive(Debug, Clone, Copy)]
pub struct NoMeter;

#[async_trait]
impl Meter for NoMeter {
    fn check(&self, _: &HttpSource) -> Result<()> {
        Err(Error::bug("this program has nothing to ask a source with"))
    }

    async fn ask(&self, _: &Question) -> Result<Answer> {
        Err(Error::bug("this program has nothing to ask a source with"))
    }
}
