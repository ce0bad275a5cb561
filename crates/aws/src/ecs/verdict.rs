//! Whether a revision has started, judged from what the services say. Pure.
//!
//! What ECS says of a rollout (`rolloutState`) is not asked: it is COMPLETED before anything runs, and after a circuit
//! breaker went back to what ran before. A revision has started when as many targets are healthy as tasks are asked for: it is whole
//! then, whatever tasks come and go beside them. ECS starts a task before it ends the one that it replaces, and the load balancer
//! lets that one's requests end.

use std::time::{Duration, SystemTime};

use mlops_core::serving::{
    EXIT_ARTIFACT_DAMAGED, EXIT_ARTIFACT_MISSING, EXIT_DENIED, EXIT_INVALID_CONFIG,
    EXIT_MODEL_NOT_LOADED, EXIT_MODELS_UNWRITABLE, EXIT_SMOKE_FAILED, EXIT_STORE_UNAVAILABLE,
    EXIT_TASK_UNREADABLE,
};

use super::names;
use super::services::{Described, Event};
use crate::elb::GroupHealth;

/// Tasks that have to end before a start is given up, where one says nothing yet.
const FAILURES: usize = 2;

/// A task that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stopped {
    /// Its id.
    pub(super) task: String,
    pub(super) at: Option<SystemTime>,
    pub(super) why: Why,
    /// What ECS says of the task.
    pub(super) reason: String,
    /// The container's exit status, if it ran.
    pub(super) exit: Option<i32>,
    /// What ECS says of the container.
    pub(super) container: String,
}

/// Who ended a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It never ran.
    NeverStarted,
    /// It ended by itself.
    Exited,
    /// The service did.
    Scheduler,
    /// A person, or AWS for its own reasons.
    Others,
}

impl Why {
    /// Reads `stopCode`.
    pub(super) fn read(code: Option<&str>) -> Self {
        match code {
            Some("TaskFailedToStart") => Self::NeverStarted,
            Some("EssentialContainerExited") => Self::Exited,
            Some("ServiceSchedulerInitiated") => Self::Scheduler,
            _ => Self::Others,
        }
    }
}

/// What is known of a revision's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// Its service.
    pub(super) service: &'a Described,
    /// The family that its task definition is of.
    pub(super) family: &'a str,
    /// Whether its tasks run the model server, whose exit statuses have a meaning.
    pub(super) runs_server: bool,
    /// Tasks that ended, latest first.
    pub(super) stopped: &'a [Stopped],
    /// Its target group, if it is there.
    pub(super) health: Option<&'a GroupHealth>,
    /// Now.
    pub(super) now: SystemTime,
    /// How long it may take.
    pub(super) limit: Duration,
}

/// How far a start is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It serves.
    Steady,
    /// It may still come.
    Starting,
    /// It will not come.
    Failed {
        /// Why, the rest of a sentence that begins with the revision.
        why: String,
        /// A task whose log may say more.
        task: Option<String>,
    },
}

/// Judges a start.
pub(super) fn judge(seen: &Seen<'_>) -> Verdict {
    let service = seen.service;
    if family(&service.task_definition) != seen.family {
        return failed(format!(
            "somebody else changed its service, which runs task definition {}",
            service.task_definition
        ));
    }
    if service.desired == 0 {
        return failed("somebody else scaled its service to 0 tasks".to_owned());
    }
    if is_steady(service, seen.health) {
        return Verdict::Steady;
    }
    if let Some(verdict) = by_tasks(seen.stopped, seen.runs_server) {
        return verdict;
    }
    if let Some(event) = service.events.iter().find(|event| is_final(event)) {
        return failed(format!("could not be placed: {}", said(&event.message)));
    }
    if !is_late(seen) {
        return Verdict::Starting;
    }
    Verdict::Failed {
        why: format!(
            "is not healthy {} s after its service was made (startup_timeout_seconds): {}",
            age(seen).as_secs(),
            counts(service, seen.health)
        ),
        task: seen.stopped.first().map(|stopped| stopped.task.clone()),
    }
}

/// Whether it has had the time that it may take.
pub(super) fn is_late(seen: &Seen<'_>) -> bool {
    age(seen) >= seen.limit
}

fn age(seen: &Seen<'_>) -> Duration {
    let created = seen.service.created;
    created
        .and_then(|created| seen.now.duration_since(created).ok())
        .unwrap_or_default()
}

/// Whether something went wrong that tasks which ended may explain.
pub(super) fn is_troubled(seen: &Seen<'_>) -> bool {
    let service = seen.service;
    service.running + service.pending < service.desired
        || service.failed > 0
        || seen.health.is_some_and(|health| health.unhealthy > 0)
        || is_late(seen)
}

/// Whether as many tasks run as are asked for, all of one deployment. More of them, or some that are on their way, replace others.
pub(super) fn are_all_there(service: &Described) -> bool {
    service.running >= service.desired && service.deployments == 1
}

/// Whether some targets are healthy, and fewer than tasks are asked for.
pub(super) fn is_lacking(service: &Described, health: Option<&GroupHealth>) -> bool {
    health.is_some_and(|health| health.healthy > 0 && health.healthy < service.desired)
}

/// Why the tasks that a revision lacks do not come, if those that ended tell. Whose exit statuses they have is not known here.
pub(super) fn keeps_failing(stopped: &[Stopped]) -> Option<String> {
    match by_tasks(stopped, false)? {
        Verdict::Failed { why, .. } => Some(why),
        Verdict::Steady | Verdict::Starting => None,
    }
}

/// Whether as many targets are healthy as tasks are asked for, and all of these are of one deployment.
pub(super) fn is_steady(service: &Described, health: Option<&GroupHealth>) -> bool {
    are_all_there(service) && health.is_some_and(|health| health.healthy >= service.desired)
}

/// Whether an event says that no task can be started, whatever the service tries.
pub(super) fn is_final(event: &Event) -> bool {
    [
        "unable to place a task",
        "failed to launch a task",
        "unable to pull",
        "CannotPullContainerError",
        "ResourceInitializationError",
        "unable to assume the role",
        "unable to consistently start tasks",
    ]
    .iter()
    .any(|text| event.message.contains(text))
}

/// Whether an event says that a task finds no place now. What has a group of instances of its own waits for it to grow.
pub(super) fn is_about_place(event: &Event) -> bool {
    event.message.contains("unable to place a task")
}

/// Tasks and targets, for messages.
pub(super) fn counts(service: &Described, health: Option<&GroupHealth>) -> String {
    let mut text = format!("{} of {} tasks run", service.running, service.desired);
    match health {
        None => text.push_str(", and its target group is gone"),
        Some(health) => {
            text.push_str(&format!(", {} targets are healthy", health.healthy));
            for reason in &health.reasons {
                text.push_str(&format!("; {}", reason.trim_end_matches('.')));
            }
        }
    }
    text
}

/// A task definition's family, out of its ARN.
fn family(arn: &str) -> &str {
    let last = names::last(arn);
    last.split(':').next().unwrap_or(last)
}

fn by_tasks(stopped: &[Stopped], runs_server: bool) -> Option<Verdict> {
    let failures: Vec<&Stopped> = stopped.iter().filter(|task| is_failure(task)).collect();
    let telling = failures.iter().find(|task| decides(task, runs_server));
    let shown = match (telling, failures.first()) {
        (Some(task), _) => task,
        (None, Some(latest)) if failures.len() >= FAILURES => latest,
        _ => return None,
    };
    Some(Verdict::Failed {
        why: how_it_ended(shown, runs_server),
        task: Some(shown.task.clone()),
    })
}

fn is_failure(task: &Stopped) -> bool {
    match task.why {
        Why::NeverStarted | Why::Exited => true,
        Why::Scheduler => task.reason.contains("health checks"),
        Why::Others => false,
    }
}

/// Whether the next task would end in the same way.
fn decides(task: &Stopped, runs_server: bool) -> bool {
    task.exit
        .filter(|_| runs_server)
        .and_then(meaning)
        .is_some_and(|(_, lasting)| lasting)
        || is_out_of_memory(task)
        || [
            "CannotPullContainerError",
            "CannotCreateContainerError",
            "CannotStartContainerError",
            "ResourceInitializationError",
        ]
        .iter()
        .any(|text| task.reason.contains(text) || task.container.contains(text))
}

fn is_out_of_memory(task: &Stopped) -> bool {
    task.container.contains("OutOfMemory") || task.reason.contains("OutOfMemory")
}

fn how_it_ended(task: &Stopped, runs_server: bool) -> String {
    let mut text = match task.exit {
        Some(status) => {
            let mut text = format!("its container ended with status {status}");
            if runs_server && let Some((meaning, _)) = meaning(status) {
                text.push_str(&format!(": {meaning}"));
            }
            text
        }
        None => "its task did not start".to_owned(),
    };
    for more in [&task.container, &task.reason] {
        let known = more.is_empty() || more.contains("Essential container in task exited");
        if !known && !text.contains(said(more)) {
            text.push_str(&format!("; {}", said(more)));
        }
    }
    if is_out_of_memory(task) {
        text.push_str("; give it more memory_mb");
    }
    text
}

/// What the model server means by an exit status, and whether it would end so each time.
fn meaning(status: i32) -> Option<(&'static str, bool)> {
    Some(match status {
        EXIT_TASK_UNREADABLE => ("this image does not understand how it was started", true),
        EXIT_ARTIFACT_DAMAGED => ("the artifact does not have its digest", true),
        EXIT_ARTIFACT_MISSING => ("the artifact or its bucket is not there", true),
        EXIT_STORE_UNAVAILABLE => ("S3 does not answer", false),
        EXIT_MODELS_UNWRITABLE => ("the model could not be written into its volume", true),
        EXIT_DENIED => (
            "it may not read the artifact; let ecs.task_role_arn do s3:GetObject",
            true,
        ),
        EXIT_INVALID_CONFIG => ("its configuration is refused", true),
        EXIT_MODEL_NOT_LOADED => ("the model cannot be loaded", true),
        EXIT_SMOKE_FAILED => ("the model did not answer its golden request", true),
        _ => return None,
    })
}

fn failed(why: String) -> Verdict {
    Verdict::Failed { why, task: None }
}

fn said(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

#[cfg(test)]
mod tests;
