//! The services of one cluster, and what became of their tasks.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_ecs::operation::create_service::builders::CreateServiceInputBuilder;
use aws_sdk_ecs::types::{DesiredStatus, Service, ServiceField};
use aws_smithy_types::DateTime;
use futures::future::join_all;
use mlops_core::{Class, Error, Result};

use super::calls;
use super::names;
use super::tags;
use super::verdict::{Stopped, Why};
use crate::clients::AwsClients;
use crate::fault::{Call, Failure};

/// The most services of one `DescribeServices`.
pub(super) const BATCH: usize = 10;
/// Stopped tasks that are read; two decide.
const STOPPED: i32 = 10;

/// The services of a cluster.
#[derive(Clone, Copy)]
pub(super) struct Services<'a> {
    clients: &'a AwsClients,
    cluster: &'a str,
}

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It keeps its tasks running.
    Active,
    /// It was deleted, and its last tasks end.
    Draining,
}

/// A service as ECS describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Described {
    pub(super) life: Life,
    pub(super) task_definition: String,
    pub(super) desired: u32,
    pub(super) running: u32,
    pub(super) pending: u32,
    /// Tasks that it could not bring to run.
    pub(super) failed: u32,
    /// One, unless ECS replaces tasks by others.
    pub(super) deployments: usize,
    pub(super) created: Option<SystemTime>,
    /// Since when as many tasks are asked for as now.
    pub(super) updated: Option<SystemTime>,
    /// What it says of itself, newest first.
    pub(super) events: Vec<Event>,
    pub(super) tags: BTreeMap<String, String>,
}

/// What a service says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Option<SystemTime>,
    pub(super) message: String,
}

impl<'a> Services<'a> {
    pub(super) fn new(clients: &'a AwsClients, cluster: &'a str) -> Self {
        Self { clients, cluster }
    }

    fn call(&self, operation: &'static str, service: &str) -> Call {
        let cluster = names::cluster(self.cluster);
        calls::ecs(operation, format!("service {service} of cluster {cluster}"))
    }

    /// The services of these names that are not gone, by name. A cluster that is gone has none.
    pub(super) async fn describe(&self, names: &[String]) -> Result<BTreeMap<String, Described>> {
        let mut all = BTreeMap::new();
        for batch in names.chunks(BATCH) {
            all.extend(self.batch(batch).await?);
        }
        Ok(all)
    }

    /// The same of services of several endpoints: each has its own answer. How many calls it took beyond one for each ten.
    pub(super) async fn describe_each(
        &self,
        names: &[String],
    ) -> (BTreeMap<String, Result<Option<Described>>>, usize) {
        let one = |name: &String| {
            let name = name.clone();
            async move {
                let found = self.find(&name).await;
                (name, found)
            }
        };
        let mut extra = 0;
        let mut all = BTreeMap::new();
        let batches = join_all(names.chunks(BATCH).map(|batch| self.batch(batch))).await;
        for (batch, found) in names.chunks(BATCH).zip(batches) {
            match found {
                Ok(mut found) => {
                    let each = batch
                        .iter()
                        .map(|name| (name.clone(), Ok(found.remove(name))));
                    all.extend(each);
                }
                // What one of them may not be asked for says nothing of the others.
                Err(error) if batch.len() > 1 && !is_passing(&error) => {
                    extra += batch.len();
                    all.extend(join_all(batch.iter().map(one)).await);
                }
                Err(error) => {
                    let each = batch.iter().map(|name| (name.clone(), Err(error.copy())));
                    all.extend(each);
                }
            }
        }
        (all, extra)
    }

    async fn batch(&self, names: &[String]) -> Result<BTreeMap<String, Described>> {
        let call = self.call("DescribeServices", &names.join(", "));
        let client = self.clients.ecs().await?;
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .describe_services()
                    .cluster(self.cluster)
                    .set_services(Some(names.to_vec()))
                    .include(ServiceField::Tags)
                    .send(),
            )
        })
        .await
        .map(Some);
        let found = calls::or_missing(answer, None)?.and_then(|answer| answer.services);
        let services = found.unwrap_or_default().into_iter();
        Ok(services.filter_map(described).collect())
    }

    /// The service of this name, if it is not gone.
    pub(super) async fn find(&self, name: &str) -> Result<Option<Described>> {
        let mut found = self.describe(&[name.to_owned()]).await?;
        Ok(found.remove(name))
    }

    /// The names of every service in the cluster.
    pub(super) async fn names(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let mut next = None;
        loop {
            let call = calls::ecs(
                "ListServices",
                format!("cluster {}", names::cluster(self.cluster)),
            );
            let client = self.clients.ecs().await?;
            let answer = calls::run(self.clients, &call, || {
                Box::pin(
                    client
                        .list_services()
                        .cluster(self.cluster)
                        .max_results(100)
                        .set_next_token(next.clone())
                        .send(),
                )
            })
            .await
            .map(Some);
            let Some(page) = calls::or_missing(answer, None)? else {
                return Ok(all);
            };
            let arns = page.service_arns.unwrap_or_default();
            all.extend(arns.iter().map(|arn| names::last(arn).to_owned()));
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// Makes a service. False if another call made it meanwhile: [`Services::find`] tells whose it is.
    pub(super) async fn create(&self, input: CreateServiceInputBuilder) -> Result<bool> {
        let name = input.get_service_name().clone().unwrap_or_default();
        let call = self.call("CreateService", &name);
        let client = self.clients.ecs().await?;
        let answer = calls::run(self.clients, &call, || {
            Box::pin(input.clone().send_with(client))
        })
        .await;
        match answer {
            Ok(_) => Ok(true),
            Err(failure) => {
                let missing = failure.code() == Some("ClusterNotFoundException");
                let error = failure.into_error();
                let text = error.to_string();
                if missing {
                    return Err(self.no_cluster().because(error));
                }
                if text.contains("not idempotent") {
                    return Ok(false);
                }
                Err(refused(error, &text))
            }
        }
    }

    fn no_cluster(&self) -> Error {
        Error::invalid(format!(
            "cluster {} does not exist in this region and account; make it, or correct ecs.cluster_arn",
            self.cluster
        ))
        .at("ecs.cluster_arn")
    }

    /// Asks for so many tasks. False if the service is gone.
    pub(super) async fn ask_for(&self, name: &str, tasks: u32) -> Result<bool> {
        let call = self.call("UpdateService", name);
        let client = self.clients.ecs().await?;
        let count = i32::try_from(tasks).unwrap_or(i32::MAX);
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .update_service()
                    .cluster(self.cluster)
                    .service(name)
                    .desired_count(count)
                    .send(),
            )
        })
        .await
        .map(|_| true);
        calls::or_missing(answer, false)
    }

    /// Deletes the service with what tasks it may still have. Success if it is gone.
    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let call = self.call("DeleteService", name);
        let client = self.clients.ecs().await?;
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .delete_service()
                    .cluster(self.cluster)
                    .service(name)
                    .force(true)
                    .send(),
            )
        })
        .await
        .map(|_| ());
        calls::or_missing(answer, ())
    }

    /// The tasks of the service that ended within the last hour or so, latest first.
    pub(super) async fn stopped(&self, name: &str) -> Result<Vec<Stopped>> {
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

/// Whether the same call may succeed later.
fn is_passing(error: &Error) -> bool {
    matches!(error.class(), Class::Unavailable | Class::Throttled)
}

/// What a service could not be made of, and the attribute that says it.
fn refused(error: Error, text: &str) -> Error {
    // It joined the front a moment ago, and ECS has not seen it yet.
    if text.contains("does not have an associated load balancer") {
        return Error::unavailable(
            "ECS does not see yet that the target group is behind the load balancer",
        )
        .because(error);
    }
    let lower = text.to_ascii_lowercase();
    let attribute = if lower.contains("subnet") {
        "network.subnets"
    } else if lower.contains("security group") {
        "network.security_groups"
    } else if lower.contains("capacity provider") {
        "ecs.capacity_providers"
    } else {
        return error;
    };
    error.at(attribute)
}

fn described(service: Service) -> Option<(String, Described)> {
    let life = match service.status()? {
        "ACTIVE" => Life::Active,
        "DRAINING" => Life::Draining,
        // ECS still tells of it for a while.
        _ => return None,
    };
    let events = service.events().iter().map(|event| Event {
        at: event.created_at().and_then(time),
        message: event.message().unwrap_or_default().to_owned(),
    });
    let primary = service
        .deployments()
        .iter()
        .find(|deployment| deployment.status() == Some("PRIMARY"));
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let found = Described {
        life,
        task_definition: service.task_definition().unwrap_or_default().to_owned(),
        desired: count(service.desired_count()),
        running: count(service.running_count()),
        pending: count(service.pending_count()),
        failed: primary.map_or(0, |primary| count(primary.failed_tasks())),
        deployments: service.deployments().len(),
        created: service.created_at().and_then(time),
        updated: primary
            .and_then(|primary| primary.updated_at())
            .and_then(time),
        events: events.collect(),
        tags: tags::read(service.tags()),
    };
    Some((service.service_name?, found))
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

fn time(at: &DateTime) -> Option<SystemTime> {
    SystemTime::try_from(*at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_cannot_be_made_of_is_blamed_on_its_attribute() {
        for (said, attribute) in [
            ("The subnet ID 'subnet-9' does not exist", "network.subnets"),
            (
                "The Security Group 'sg-9' does not exist",
                "network.security_groups",
            ),
            (
                "The specified capacity provider 'gpu' was not found",
                "ecs.capacity_providers",
            ),
        ] {
            let error = refused(Error::invalid(said), said);
            assert_eq!(error.attribute(), Some(attribute), "{said}");
        }
        let other = refused(Error::invalid("no"), "no");
        assert_eq!(other.attribute(), None);
    }
}
