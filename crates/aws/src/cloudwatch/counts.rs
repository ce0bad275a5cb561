//! What a load balancer counted of a target group: whole minutes, some time after they are over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mlops_core::rollout::Answer;
use mlops_core::rollout::query::ServerQuery;
use mlops_core::{Error, Result};

use crate::clients::AwsClients;
use crate::fault::Failure;
use crate::query::{Element, Form};

/// Where load balancers count.
const NAMESPACE: &str = "AWS/ApplicationELB";
/// The finest that they count by, in seconds.
const MINUTE: i64 = 60;

const REQUESTS: &str = "RequestCount";
const TARGET_ERRORS: &str = "HTTPCode_Target_5XX_Count";
/// Requests that no target could be reached for: clients get 502 or 503, and `TARGET_ERRORS` does not grow.
const CONNECTION_ERRORS: &str = "TargetConnectionErrorCount";
const LATENCY: &str = "TargetResponseTime";

/// By minute.
type Series = BTreeMap<i64, f64>;

/// What is asked for: a metric, and a statistic of it.
type Wanted = &'static [(&'static str, &'static str)];

/// Whose requests are meant, as metrics call them: by the ends of ARNs.
struct Counted<'a> {
    target_group: &'a str,
    load_balancer: &'a str,
}

fn wanted(query: ServerQuery) -> Wanted {
    match query {
        ServerQuery::ErrorRate => &[
            (REQUESTS, "Sum"),
            (TARGET_ERRORS, "Sum"),
            (CONNECTION_ERRORS, "Sum"),
        ],
        ServerQuery::RequestRate => &[(REQUESTS, "Sum")],
        ServerQuery::LatencyMean => &[(LATENCY, "SampleCount"), (LATENCY, "Average")],
        ServerQuery::LatencyP50 => &[(LATENCY, "SampleCount"), (LATENCY, "p50")],
        ServerQuery::LatencyP90 => &[(LATENCY, "SampleCount"), (LATENCY, "p90")],
        ServerQuery::LatencyP99 => &[(LATENCY, "SampleCount"), (LATENCY, "p99")],
    }
}

/// How long a minute is over before it counts: its requests may be told before its errors are.
const SETTLED: i64 = 60;

/// The whole minutes between two moments that are told of: the first second of the first, and the first after the last.
fn minutes(since: Timestamp, now: Timestamp) -> (i64, i64) {
    let begun = since.as_second() + i64::from(since.subsec_nanosecond() > 0);
    // A minute in which the shift took place has requests from before it.
    let first = begun.div_euclid(MINUTE) + i64::from(begun.rem_euclid(MINUTE) > 0);
    let last = (now.as_second() - SETTLED).div_euclid(MINUTE);
    (first * MINUTE, last * MINUTE)
}

/// Asks once, about all whole minutes from `since` to `now`.
pub(crate) async fn measure(
    clients: &AwsClients,
    load_balancer_arn: &str,
    target_group_arn: &str,
    query: ServerQuery,
    since: Timestamp,
    now: Timestamp,
) -> Result<Answer> {
    let (from, to) = minutes(since, now);
    if from >= to {
        return Ok(Answer::Nothing(
            "no whole minute since the shift has been over for another one, and CloudWatch counts by the minute and late"
                .to_owned(),
        ));
    }
    let counted = Counted {
        target_group: dimension(target_group_arn, "targetgroup/"),
        load_balancer: dimension(load_balancer_arn, "app/"),
    };
    let wanted = wanted(query);
    let told = ask(clients, wanted, Some(&counted), (from, to)).await?;
    Ok(read(query, &told))
}

/// Whether these credentials may ask: a minute of what all load balancers count, of which nothing is told without its dimensions.
pub(crate) async fn check(clients: &AwsClients) -> Result<()> {
    let now = Timestamp::now().as_second();
    let asked = ask(clients, &[(REQUESTS, "Sum")], None, (now - MINUTE, now));
    asked.await.map(drop)
}

/// What was told of each that is wanted, in that order.
async fn ask(
    clients: &AwsClients,
    wanted: Wanted,
    counted: Option<&Counted<'_>>,
    (from, to): (i64, i64),
) -> Result<Vec<Series>> {
    let about = match counted {
        Some(counted) => format!("the metrics of {}", counted.target_group),
        None => "the metrics of load balancers".to_owned(),
    };
    let form = form(wanted, counted, (from, to))?;
    let client = clients.cloudwatch().await?;
    let answer = client.ask(clients.retries(), "GetMetricData", &form, about);
    told(&answer.await.map_err(Failure::into_error)?, wanted.len())
}

fn form(wanted: Wanted, counted: Option<&Counted<'_>>, (from, to): (i64, i64)) -> Result<Form> {
    let moment = |second: i64| {
        let moment = Timestamp::from_second(second);
        moment.map_err(|error| Error::bug("a minute is out of all time").because(error))
    };
    let form = Form::default()
        .with("StartTime", moment(from)?.to_string())
        .with("EndTime", moment(to)?.to_string());
    let dimensions = counted.into_iter().flat_map(|counted| {
        [
            ("TargetGroup", counted.target_group),
            ("LoadBalancer", counted.load_balancer),
        ]
    });
    let dimensions: Vec<_> = (1..).zip(dimensions).collect();
    let all = (1..).zip(wanted);
    Ok(all.fold(form, |form, (number, (metric, statistic))| {
        let at = |field: &str| format!("MetricDataQueries.member.{number}.{field}");
        let form = form
            .with(at("Id"), format!("q{number}"))
            .with(at("MetricStat.Metric.Namespace"), NAMESPACE)
            .with(at("MetricStat.Metric.MetricName"), *metric)
            .with(at("MetricStat.Period"), MINUTE.to_string())
            .with(at("MetricStat.Stat"), *statistic);
        dimensions
            .iter()
            .fold(form, |form, (number, (name, value))| {
                let at = |field: &str| {
                    at(&format!(
                        "MetricStat.Metric.Dimensions.member.{number}.{field}"
                    ))
                };
                form.with(at("Name"), *name).with(at("Value"), *value)
            })
    }))
}

/// What a metric calls something: the end of its ARN, from `kind` on.
fn dimension<'a>(arn: &'a str, kind: &str) -> &'a str {
    arn.find(kind).map_or(arn, |at| &arn[at..])
}

/// The series in an answer, which may tell them in any order and leave out what has no value.
fn told(answer: &Element, wanted: usize) -> Result<Vec<Series>> {
    let unread = || {
        Error::corrupt(
            "CloudWatch GetMetricData answered what is no series of numbers; report this",
        )
    };
    let result = answer.child("GetMetricDataResult").ok_or_else(unread)?;
    let mut series = vec![Series::new(); wanted];
    for told in result.members("MetricDataResults") {
        let status = told.text("StatusCode").unwrap_or("Complete");
        if !["Complete", "PartialData"].contains(&status) {
            return Err(Error::unavailable(format!(
                "CloudWatch GetMetricData could not tell a metric ({status}): {}",
                result
                    .members("Messages")
                    .chain(told.members("Messages"))
                    .filter_map(|message| message.text("Value"))
                    .collect::<Vec<_>>()
                    .join("; ")
            )));
        }
        let id = told.text("Id").and_then(|id| id.strip_prefix('q'));
        let id: usize = id.and_then(|id| id.parse().ok()).ok_or_else(unread)?;
        let own = id.checked_sub(1).and_then(|index| series.get_mut(index));
        let own = own.ok_or_else(unread)?;
        for (moment, value) in told.texts("Timestamps").zip(told.texts("Values")) {
            let moment: Timestamp = moment.parse().map_err(|_| unread())?;
            own.insert(moment.as_second(), value.parse().map_err(|_| unread())?);
        }
    }
    Ok(series)
}

/// The answer by what was asked for, in the order of [`wanted`]. Counts that are zero are not told, so only requests that are
/// missing mean that nothing is known.
fn read(query: ServerQuery, series: &[Series]) -> Answer {
    let none = Series::new();
    let of = |index: usize| series.get(index).unwrap_or(&none);
    let sum = |index: usize| of(index).values().sum::<f64>();
    let samples = sum(0);
    if samples <= 0.0 {
        return Answer::Nothing("CloudWatch knows of no request yet".to_owned());
    }
    let number = match query {
        ServerQuery::ErrorRate => ((sum(1) + sum(2)) / samples).min(1.0),
        ServerQuery::RequestRate => samples / (of(0).len() as f64 * MINUTE as f64),
        // A quantile of the whole cannot be had from those of its minutes: their mean, by requests.
        ServerQuery::LatencyMean
        | ServerQuery::LatencyP50
        | ServerQuery::LatencyP90
        | ServerQuery::LatencyP99 => {
            let known = of(1)
                .iter()
                .filter_map(|(minute, value)| Some((of(0).get(minute)?, value)));
            let (weight, sum) = known.fold((0.0, 0.0), |(weight, sum), (count, value)| {
                (weight + count, sum + count * value)
            });
            sum / weight
        }
    };
    if number.is_finite() {
        Answer::Number(number)
    } else {
        Answer::Nothing("CloudWatch has not told it of any minute yet".to_owned())
    }
}

#[cfg(test)]
mod tests;
