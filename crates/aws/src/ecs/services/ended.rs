//! The tasks of a service that ended.

use aws_sdk_ecs::types::DesiredStatus;
use mlops_core::Result;

use super::Services;
use super::described::time;
use crate::ecs::calls;
use crate::ecs::names;
use crate::ecs::verdict::{Stopped, Why};
use crate::fault::Failure;

/// Stopped tasks that are read; two decide.
const STOPPED: i32 = 10;

impl Services<'_> {
    /// The tasks of the service that ended within the last hour or so, latest first.
    pub(in crate::ecs) async fn stopped(&self, name: &str) -> Result<Vec<Stopped>> {
        let call = self.call("ListTasks", name);
        let client = self.clients.ecs().await?;
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .list_tasks()
                    .cluster(self.cluster)
                    .service_name(name)
                    .desired_status(DesiredStatus::Stopped)
                    .max_results(STOPPED)
                    .send(),
            )
        })
        .await
        .map(Some);
        let found = calls::or_missing(answer, None)?.and_then(|answer| answer.task_arns);
        let arns = found.unwrap_or_default();
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.call("DescribeTasks", name);
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .describe_tasks()
                    .cluster(self.cluster)
                    .set_tasks(Some(arns.clone()))
                    .send(),
            )
        })
        .await
        .map_err(Failure::into_error)?;
        let mut tasks: Vec<Stopped> = answer
            .tasks
            .unwrap_or_default()
            .iter()
            .filter_map(stopped)
            .collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.at));
        Ok(tasks)
    }
}

fn stopped(task: &aws_sdk_ecs::types::Task) -> Option<Stopped> {
    // ListTasks goes by what is wanted of a task; one that still ends has no exit code yet.
    if task.last_status() != Some("STOPPED") {
        return None;
    }
    let container = task
        .containers()
        .iter()
        .find(|container| container.name() == Some(names::CONTAINER))
        .or_else(|| task.containers().first());
    Some(Stopped {
        task: names::last(task.task_arn().unwrap_or_default()).to_owned(),
        at: task.stopped_at().and_then(time),
        why: Why::read(task.stop_code().map(|code| code.as_str())),
        reason: task.stopped_reason().unwrap_or_default().to_owned(),
        exit: container.and_then(|container| container.exit_code()),
        container: container
            .and_then(|container| container.reason())
            .unwrap_or_default()
            .to_owned(),
    })
}
