//! The server answers its health check, before any traffic moves on it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::endpoint::events::Note;
use crate::endpoint::ports::EndpointPorts;
use crate::endpoint::spec::HealthCheck;
use crate::error::Error;
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::Server;

/// Probes the server, one probe a call, until enough in a row are good or bad.
#[derive(Debug)]
pub struct CheckHealth;

/// Who is asked what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthInput {
    /// Who.
    pub server: Server,
    /// What, how often, and what the answers mean.
    pub check: HealthCheck,
    /// Whether the deployment replaces what made the server unwell: then it is not asked, or the cure would wait for itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mends: bool,
    /// Whether the answers are of somebody who counts by this check himself: then the first good one is enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
}

/// What the probes so far said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSince {
    /// When the first one began.
    pub since: Timestamp,
    /// Good ones in a row, up to the last.
    pub good: u32,
    /// Bad ones in a row that count, up to the last.
    pub bad: u32,
}

/// Time beyond what the probes take: for calls that are repeated, and for a check that wavers.
const SLACK: Duration = Duration::from_secs(60);

#[async_trait]
impl Step for CheckHealth {
    const NAME: &'static str = "check_health";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = HealthInput;
    type Output = ();
    type Checkpoint = HealthSince;

    async fn forward(
        ports: &EndpointPorts,
        input: HealthInput,
        checkpoint: Option<HealthSince>,
    ) -> Result<Progress<(), HealthSince>, StepError> {
        if input.mends {
            return Ok(Progress::Done(()));
        }
        let check = &input.check;
        let began = ports.clock.elapsed();
        let now = ports.clock.now();
        let mut seen = checkpoint.unwrap_or(HealthSince {
            since: now,
            good: 0,
            bad: 0,
        });
        let probe = ports
            .target
            .probe(&input.server, check.path(), check.timeout().duration())
            .await?;
        if probe.healthy {
            seen.good = seen.good.saturating_add(1);
            seen.bad = 0;
            if input.counted || seen.good >= check.healthy_threshold() {
                return Ok(Progress::Done(()));
            }
        } else {
            seen.good = 0;
            let starting = SignedDuration::try_from(check.start_period().duration())
                .is_ok_and(|period| now.duration_since(seen.since) < period);
            if !starting {
                seen.bad = seen.bad.saturating_add(1);
            }
            if seen.bad >= check.unhealthy_threshold() {
                return Err(unhealthy(ports, &input, seen.bad, &probe.answer));
            }
        }
        let took = ports.clock.elapsed().saturating_sub(began);
        Ok(Progress::Pending {
            poll_after: check.interval().duration().saturating_sub(took),
            deadline: limit(check),
            checkpoint: seen,
        })
    }

    /// Asking left nothing behind.
    async fn undo(
        _: &EndpointPorts,
        _: HealthInput,
        _: Option<()>,
        _: Option<HealthSince>,
    ) -> Result<Progress<(), HealthSince>, UndoError> {
        Ok(Progress::Done(()))
    }

    /// What was counted before the pause says nothing about the server of now.
    fn resume(checkpoint: HealthSince) -> HealthSince {
        HealthSince {
            good: 0,
            bad: 0,
            ..checkpoint
        }
    }
}

fn unhealthy(ports: &EndpointPorts, input: &HealthInput, bad: u32, answer: &str) -> StepError {
    let check = &input.check;
    let message = format!(
        "the server at {} is not healthy, so no traffic was moved: {bad} health check(s) in a row of {} were bad, the last one: {answer} \
         (unhealthy_threshold = {})",
        input.server.invoke_url,
        check.path(),
        check.unhealthy_threshold(),
    );
    ports
        .events
        .tell(Note::new("health_check.failed", message.clone()));
    StepError::Failed {
        error: Error::invalid(message).at("health_check"),
        evidence: Some(json!({ "path": check.path(), "bad": bad, "last": answer })),
    }
}

/// Long enough for the start period and twice for every probe that decides.
fn limit(check: &HealthCheck) -> Duration {
    let one = check.interval().duration().max(check.timeout().duration());
    let probes = check
        .healthy_threshold()
        .saturating_add(check.unhealthy_threshold())
        .saturating_mul(2);
    one.saturating_mul(probes)
        .saturating_add(check.start_period().duration())
        .saturating_add(SLACK)
}
