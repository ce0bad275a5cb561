//! Instant queries of Prometheus' HTTP API.

use hyper::StatusCode;
use mlops_core::rollout::Answer;
use mlops_core::{Error, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::exchange::{self, Token};
use crate::trust::Trust;

/// What it says of an error is cut here: it may repeat the query.
const LONGEST_REASON: usize = 300;

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: String,
}

/// A value stands beside its time.
type Sample = (f64, String);

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "snake_case")]
enum Data {
    Vector(Vec<Series>),
    Scalar(Sample),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Series {
    /// Missing where it is a histogram.
    #[serde(default)]
    value: Option<Sample>,
}

pub(crate) async fn ask(
    trust: &Trust,
    address: &str,
    query: &str,
    token: Option<Token>,
) -> Result<Answer> {
    let url = format!(
        "{}/api/v1/query?query={}",
        address.trim_end_matches('/'),
        utf8_percent_encode(query, NON_ALPHANUMERIC)
    );
    let received = exchange::get(trust, &url, token).await?;
    read(address, received.status, &received.body)
}

fn read(address: &str, status: StatusCode, body: &[u8]) -> Result<Answer> {
    let response: Option<Response> = serde_json::from_slice(body).ok();
    if !status.is_success() {
        let said = response.map(|response| response.error).unwrap_or_default();
        let said: String = said.chars().take(LONGEST_REASON).collect();
        return Err(exchange::refusal(address, status, "query", &said));
    }
    let data = response.and_then(|response| response.data).ok_or_else(|| {
        Error::invalid(
            "the answer is not one of Prometheus: the address is what comes before /api/v1/query",
        )
        .at("address")
    })?;
    match data {
        Data::Scalar((_, value)) => number(&value),
        Data::Vector(series) => match series.as_slice() {
            [] => Ok(Answer::Nothing("the query has no series".to_owned())),
            [
                Series {
                    value: Some((_, value)),
                },
            ] => number(value),
            [Series { value: None }] => Err(wrong(
                "the answer is a histogram, and one number is needed: use histogram_quantile() or another function of it",
            )),
            many => Err(wrong(&format!(
                "the answer has {} series, and one is needed: put sum(), avg() or max() around the query, or name more labels",
                many.len()
            ))),
        },
        Data::Matrix(_) => Err(wrong(
            "the answer is a range of values, and one number is needed: use rate() or another function of it",
        )),
        Data::String(_) => Err(wrong("the answer is a text, and one number is needed")),
    }
}

/// A number as Prometheus writes it. A rate without requests is `NaN`.
fn number(text: &str) -> Result<Answer> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Answer::Number(number)),
        Ok(_) => Ok(Answer::Nothing(format!("the answer is {text}"))),
        Err(_) => Err(wrong("the answer is not a number")),
    }
}

fn wrong(message: &str) -> Error {
    Error::invalid(message).at("query")
}
