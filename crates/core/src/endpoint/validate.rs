//! What can be wrong with a specification. Pure; every problem names its attribute.

mod alarms;
mod autoscaling;
mod capacity;
mod change;
mod cron;
mod dns;
mod ecs;
mod efs;
mod gpu;
mod machines;
mod model_cache;
mod registry;
mod steady;
mod tasks;

pub use change::validate_change;
pub use steady::unproved;

use super::spec::{
    Analysis, EndpointSpec, HealthCheck, LocalSpec, RolloutSpec, Strategy, TargetSpec,
};
use super::{Percent, Period};
use crate::error::Error;
use crate::rollout::stages::{planned, stages};
use crate::rollout::{Source, Stage};
use crate::serving::WHOLE;

/// Added to the planned rollout time for the default update timeout.
const TIMEOUT_MARGIN: Period = Period::seconds(30 * 60);

/// Every problem of `spec`, none if it can be applied.
pub fn validate(spec: &EndpointSpec) -> Vec<Error> {
    let mut problems = variants(spec);
    problems.extend(health_check(&spec.health_check));
    problems.extend(rollout(&spec.rollout));
    problems.extend(registry::versions(spec));
    problems.extend(steady::steady(spec));
    match &spec.target {
        TargetSpec::Local(target) => {
            problems.extend(local(target));
            problems.extend(no_cloudwatch(&spec.rollout));
            problems.extend(tasks::none(spec));
            problems.extend(autoscaling::none(spec));
            problems.extend(alarms::none(&spec.rollout));
        }
        TargetSpec::Ecs(target) => {
            problems.extend(ecs::ecs(spec, target));
            problems.extend(autoscaling::autoscaling(spec));
            problems.extend(alarms::alarms(&spec.rollout));
        }
    }
    problems
}

/// Problems of the `local` block.
fn local(local: &LocalSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    if local.port == Some(0) {
        problems.push(
            Error::invalid("port 0 is not a port to be found at; name one, or a port_range")
                .at("local.port"),
        );
    }
    if local.port.is_some() && local.port_range.is_some() {
        problems.push(
            Error::invalid("port and port_range exclude each other; keep one")
                .at("local.port_range"),
        );
    }
    problems
}

/// CloudWatch knows nothing of what runs here.
fn no_cloudwatch(rollout: &RolloutSpec) -> Vec<Error> {
    let asks =
        |(_, analysis): &(_, &Analysis)| matches!(analysis.source, Source::Cloudwatch { .. });
    let all = rollout.analysis.iter().filter(asks);
    all.map(|(name, _)| {
        Error::invalid(
            "CloudWatch knows endpoints on ECS alone, by their load balancer; use \"server\" on this machine",
        )
        .at(format!("rollout.analysis.{name}.source"))
    })
    .collect()
}

/// Problems of the variants.
pub fn variants(spec: &EndpointSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    if spec.variants.is_empty() {
        problems.push(Error::invalid("an endpoint needs at least one variant").at("variants"));
        return problems;
    }
    let mut sum = 0;
    for (name, variant) in &spec.variants {
        let is_shadow = variant.shadow_percentage > Percent::ZERO;
        if is_shadow && variant.traffic > Percent::ZERO {
            problems.push(
                Error::invalid(format!(
                    "variant {name} has both traffic and shadow_percentage; a shadow variant answers nobody, so leave traffic out"
                ))
                .at(format!("variants.{name}.shadow_percentage")),
            );
        }
        if variant.startup_timeout.is_zero() {
            let path = format!("variants.{name}.startup_timeout_seconds");
            problems.push(Error::invalid("startup_timeout_seconds must be at least 1").at(path));
        }
        sum += variant.traffic.shares();
    }
    if sum != WHOLE {
        problems.push(
            Error::invalid(format!(
                "traffic of the variants sums to {}%; it must sum to 100 (shadow variants have none)",
                f64::from(sum) / 100.0
            ))
            .at("variants"),
        );
    }
    problems
}

/// Problems of the health check.
pub fn health_check(check: &HealthCheck) -> Vec<Error> {
    let mut problems = Vec::new();
    let mut refuse = |attribute: &str, message: String| {
        problems.push(Error::invalid(message).at(format!("health_check.{attribute}")));
    };
    let path = check.path();
    // It stands in a request line as it is.
    let legal = |c: char| c.is_ascii_graphic() && c != '#';
    if !path.starts_with('/') || !path.chars().all(legal) {
        refuse(
            "path",
            format!(
                "path {path:?} is not the path of a URL: begin with / and leave out spaces and #"
            ),
        );
    }
    if check.interval().is_zero() {
        refuse("interval", "interval must be above 0".to_owned());
    }
    if check.timeout().is_zero() || check.timeout() > HealthCheck::LONGEST_TIMEOUT {
        refuse(
            "timeout",
            format!(
                "timeout must be above 0 and at most {}",
                HealthCheck::LONGEST_TIMEOUT
            ),
        );
    }
    let window = check.stabilization_window.unwrap_or(Period::ZERO);
    if window > HealthCheck::LONGEST_WINDOW {
        refuse(
            "stabilization_window",
            format!(
                "new revisions are watched for {} at most before they get traffic, and not for {window}; what they do with traffic is the matter of \
                 rollout.steps and their bakes",
                HealthCheck::LONGEST_WINDOW
            ),
        );
    }
    for (attribute, threshold) in [
        ("healthy_threshold", check.healthy_threshold()),
        ("unhealthy_threshold", check.unhealthy_threshold()),
    ] {
        if threshold == 0 {
            refuse(attribute, format!("{attribute} must be at least 1"));
        }
    }
    problems
}

/// Problems of the rollout block.
pub fn rollout(rollout: &RolloutSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    let strategy = rollout.strategy;
    let steps = &rollout.steps;
    let one_repeated = strategy == Strategy::Linear && steps.len() == 1;
    match strategy {
        Strategy::Canary | Strategy::Linear | Strategy::Shadow if steps.is_empty() => problems.push(
            Error::invalid(format!("strategy {} needs steps, such as [{{ traffic = 10, bake = \"1m\" }}, {{ traffic = 100 }}]", strategy.as_str()))
                .at("rollout.steps"),
        ),
        Strategy::AllAtOnce | Strategy::Rolling if !steps.is_empty() => problems.push(
            Error::invalid(format!("strategy {} has no steps; leave them out, or use CANARY", strategy.as_str()))
                .at("rollout.steps"),
        ),
        Strategy::BlueGreen if steps.len() > 1 => problems.push(
            Error::invalid("strategy BLUE_GREEN switches once: give at most one step, with its bake").at("rollout.steps"),
        ),
        _ => {}
    }
    for (i, step) in steps.iter().enumerate() {
        if step.traffic == Percent::ZERO {
            problems.push(
                Error::invalid("a step's traffic must be above 0")
                    .at(format!("rollout.steps.{i}.traffic")),
            );
        }
        if i > 0 && step.traffic <= steps[i - 1].traffic {
            problems.push(
                Error::invalid(format!(
                    "steps must ascend: {} follows {}",
                    step.traffic,
                    steps[i - 1].traffic
                ))
                .at(format!("rollout.steps.{i}.traffic")),
            );
        }
        if strategy == Strategy::Linear && i > 0 {
            let height = |i: usize| {
                steps[i].traffic.shares().saturating_sub(if i == 0 {
                    0
                } else {
                    steps[i - 1].traffic.shares()
                })
            };
            if height(i) != height(0) {
                problems.push(
                    Error::invalid("steps of LINEAR have equal height; give the first one alone, or use CANARY")
                        .at(format!("rollout.steps.{i}.traffic")),
                );
            }
        }
    }
    if let Some(last) = steps.last()
        && last.traffic != Percent::FULL
        && !one_repeated
    {
        let path = format!("rollout.steps.{}.traffic", steps.len() - 1);
        problems.push(
            Error::invalid(format!(
                "the last step must be at 100, not {}",
                last.traffic
            ))
            .at(path),
        );
    }
    let planned = planned(&stages(rollout, true));
    if rollout.max_duration <= planned {
        problems.push(
            Error::invalid(format!(
                "max_duration {} is not longer than the steps' bakes together, {planned}; raise it",
                rollout.max_duration
            ))
            .at("rollout.max_duration"),
        );
    }
    for (name, analysis) in &rollout.analysis {
        let path = |attribute: &str| format!("rollout.analysis.{name}.{attribute}");
        if analysis.interval.is_zero() {
            problems.push(Error::invalid("interval must be above 0").at(path("interval")));
        }
        if analysis.count == Some(0) {
            problems.push(
                Error::invalid("count must be at least 1; leave it out for as many as fit")
                    .at(path("count")),
            );
        }
        if let Source::Cloudwatch { .. } = analysis.source {
            let shortest = analysed(rollout, analysis).map(|stage| stage.bake).min();
            if let Some(bake) = shortest
                && bake.plus(analysis.max_wait) < CLOUDWATCH_DELAY
            {
                let message = format!(
                    "a step of {bake} and a max_wait of {} leave no time for CloudWatch, whose numbers are of whole minutes and come later: \
                     together they are at least {CLOUDWATCH_DELAY}",
                    analysis.max_wait
                );
                problems.push(Error::invalid(message).at(path("max_wait")));
            }
        }
        problems.extend(
            source(&analysis.source)
                .map(|(attribute, message)| Error::invalid(message).at(path(attribute))),
        );
        if analysis.condition.needs_baseline() && !analysis.source.tells_revisions_apart() {
            let message = format!(
                "condition {:?} compares with the old revision, of which the source would say the same as of the candidate: put \
                 {{{{revision}}}} into the query",
                analysis.condition.to_string()
            );
            problems.push(Error::invalid(message).at(path("condition")));
        }
        let skipped = usize::try_from(analysis.start_after_step).unwrap_or(usize::MAX);
        if skipped >= stages(rollout, true).len() {
            let message = format!("start_after_step {skipped} leaves no step to analyse");
            problems.push(Error::invalid(message).at(path("start_after_step")));
        }
    }
    problems
}

/// A whole minute after the shift begins up to one minute after it, and is told another one later.
const CLOUDWATCH_DELAY: Period = Period::seconds(180);

/// The stages that `analysis` judges.
fn analysed(rollout: &RolloutSpec, analysis: &Analysis) -> impl Iterator<Item = Stage> {
    let skipped = usize::try_from(analysis.start_after_step).unwrap_or(usize::MAX);
    let all = stages(rollout, true).into_iter().skip(skipped);
    all.filter(|stage| !stage.bake.is_zero())
}

/// What is wrong with a source, and with which of its attributes.
fn source(source: &Source) -> Option<(&'static str, String)> {
    let asked = source.over_http()?;
    let query = asked.query.as_str();
    match source {
        Source::Prometheus(_) if query.trim().is_empty() => Some((
            "query",
            "write what to ask in PromQL, such as sum(rate(x{revision=\"{{revision}}\"}[1m]))".to_owned(),
        )),
        Source::Prometheus(_) if asked.address.has_query() => Some((
            "address",
            format!(
                "{:?} has a ?: the address of a Prometheus is what comes before /api/v1/query",
                asked.address.to_string()
            ),
        )),
        Source::Http(_) if !query.is_empty() && !query.starts_with('/') => Some((
            "query",
            format!(
                "{query:?} is not a JSON Pointer (RFC 6901) into the answer: begin with /, as in /data/error_rate; empty is the whole answer"
            ),
        )),
        _ => None,
    }
    .or_else(|| {
        let name = asked.bearer_token_env.as_deref()?;
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // Not told again: it may be the token itself.
        (!is_name).then(|| {
            (
                "bearer_token_env",
                "name the environment variable that holds the token, such as PROMETHEUS_TOKEN: letters, digits and _".to_owned(),
            )
        })
    })
}

/// How long a rollout takes if nothing fails: bakes, drain and `terminate_after`.
pub fn planned_time(spec: &EndpointSpec) -> Period {
    planned(&stages(&spec.rollout, true))
        .plus(Period::seconds(spec.drain_seconds))
        .plus(spec.rollout.terminate_after)
}

/// The default of `timeouts.update`. A shorter configured one than [`planned_time`] is an error.
pub fn default_timeout(spec: &EndpointSpec) -> Period {
    planned_time(spec).plus(TIMEOUT_MARGIN)
}

#[cfg(test)]
mod tests;
