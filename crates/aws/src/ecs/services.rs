//! The services of one cluster, and what became of their tasks.

mod described;
mod ended;
mod found;
mod refused;

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::create_service::builders::CreateServiceInputBuilder;
use aws_sdk_ecs::types::{Service, ServiceField};
use futures::future::join_all;
use mlops_core::{Class, Error, Result};

use self::described::described;
pub(super) use self::described::{Described, Event, Life};
use self::refused::refused;
use super::calls;
use super::names;
use crate::clients::AwsClients;
use crate::fault::{Call, Failure};

/// The most services of one `DescribeServices`.
pub(super) const BATCH: usize = 10;

/// The services of a cluster.
#[derive(Clone, Copy)]
pub(super) struct Services<'a> {
    clients: &'a AwsClients,
    cluster: &'a str,
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
        let services = calls::or_missing(self.told(names).await, Vec::new())?;
        Ok(services.into_iter().filter_map(described).collect())
    }

    /// What ECS tells of the services of these names, of those that are gone as well.
    async fn told(&self, names: &[String]) -> Result<Vec<Service>, Failure> {
        let call = self.call("DescribeServices", &names.join(", "));
        let client = (self.clients.ecs().await).map_err(|error| Failure::before(&call, error))?;
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
        .await;
        Ok(answer?.services.unwrap_or_default())
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
}

/// Whether the same call may succeed later.
fn is_passing(error: &Error) -> bool {
    matches!(error.class(), Class::Unavailable | Class::Throttled)
}
