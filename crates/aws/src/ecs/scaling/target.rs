//! The scalable target of one service: the calls.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTarget,
    ScalableTargetAction, ScalingPolicy as TheirPolicy, ServiceNamespace, SuspendedState,
    TargetTrackingScalingPolicyConfiguration,
};
use futures::future::BoxFuture;
use mlops_core::endpoint::Period;
use mlops_core::endpoint::spec::{ScalingMetric, ScalingPolicy, ScalingSchedule};
use mlops_core::{Error, Result};

use super::read;
use crate::clients::AwsClients;
use crate::ecs::calls;
use crate::fault::{Call, Failure, Kind};

/// Between which numbers a service moves, and what does not move it for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) min: u32,
    pub(super) max: u32,
    /// Tasks are only added: policies take none away, and no schedule acts.
    pub(super) held: bool,
    /// Something else is suspended, which is never asked for here.
    pub(super) odd: bool,
}

/// What Application Auto Scaling knows of a service.
pub(super) struct Scalable<'a> {
    clients: &'a AwsClients,
    /// `service/CLUSTER/SERVICE`.
    resource: String,
}

const NAMESPACE: ServiceNamespace = ServiceNamespace::Ecs;
const DIMENSION: ScalableDimension = ScalableDimension::EcsServiceDesiredCount;

impl<'a> Scalable<'a> {
    pub(super) fn new(clients: &'a AwsClients, cluster: &str, service: &str) -> Self {
        Self {
            clients,
            resource: format!("service/{cluster}/{service}"),
        }
    }

    fn call(&self, operation: &'static str) -> Call {
        calls::scaling(operation, self.resource.clone())
    }

    fn call_about(&self, operation: &'static str, what: &str, name: &str) -> Call {
        calls::scaling(operation, format!("{what} {name} of {}", self.resource))
    }

    /// Its bounds, if it is registered.
    pub(super) async fn find(&self) -> Result<Option<Bounds>> {
        Ok(self.described().await?.as_ref().map(read::bounds))
    }

    async fn described(&self) -> Result<Option<ScalableTarget>> {
        let client = self.clients.scaling().await?;
        let call = self.call("DescribeScalableTargets");
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .describe_scalable_targets()
                    .service_namespace(NAMESPACE)
                    .scalable_dimension(DIMENSION)
                    .resource_ids(&self.resource)
                    .send(),
            )
        })
        .await
        .map_err(Failure::into_error)?;
        Ok(answer
            .scalable_targets
            .unwrap_or_default()
            .into_iter()
            .next())
    }

    /// Its ARN and its bounds, if it is registered.
    pub(super) async fn tell(&self) -> Result<Option<(String, Bounds)>> {
        let found = self.described().await?;
        let told = found.map(|found| {
            let arn = found.scalable_target_arn().unwrap_or_default().to_owned();
            (arn, read::bounds(&found))
        });
        Ok(told)
    }

    /// Registers it, or changes what it is registered with.
    pub(super) async fn register(
        &self,
        bounds: Bounds,
        tags: Option<BTreeMap<&'static str, String>>,
    ) -> Result<()> {
        let tags: Option<HashMap<String, String>> = tags.map(|tags| {
            let tags = tags.into_iter();
            tags.map(|(key, value)| (key.to_owned(), value)).collect()
        });
        let suspended = SuspendedState::builder()
            .dynamic_scaling_in_suspended(bounds.held)
            .dynamic_scaling_out_suspended(false)
            .scheduled_scaling_suspended(bounds.held)
            .build();
        let client = self.clients.scaling().await?;
        let call = self.call("RegisterScalableTarget");
        let is_new = tags.is_some();
        let once = || -> BoxFuture<'_, _> {
            Box::pin(
                client
                    .register_scalable_target()
                    .service_namespace(NAMESPACE)
                    .scalable_dimension(DIMENSION)
                    .resource_id(&self.resource)
                    .min_capacity(number(bounds.min))
                    .max_capacity(number(bounds.max))
                    .suspended_state(suspended.clone())
                    .set_tags(tags.clone())
                    .send(),
            )
        };
        // If it may have been made, somebody looks first: a second call must bring no tags.
        let answer = match is_new {
            true => calls::run_once(self.clients, &call, once).await,
            false => calls::run(self.clients, &call, once).await,
        };
        answer.map(|_| ()).map_err(refused)
    }

    /// Success if it is not registered.
    pub(super) async fn deregister(&self) -> Result<()> {
        let client = self.clients.scaling().await?;
        let call = self.call("DeregisterScalableTarget");
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .deregister_scalable_target()
                    .service_namespace(NAMESPACE)
                    .scalable_dimension(DIMENSION)
                    .resource_id(&self.resource)
                    .send(),
            )
        })
        .await
        .map(|_| ());
        calls::or_missing(answer, ())
    }

    /// Its policies, as they are told: what they say depends on how its requests are counted.
    pub(super) async fn policies(&self) -> Result<Vec<TheirPolicy>> {
        let client = self.clients.scaling().await?;
        let call = self.call("DescribeScalingPolicies");
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let page = calls::run(self.clients, &call, || {
                Box::pin(
                    client
                        .describe_scaling_policies()
                        .service_namespace(NAMESPACE)
                        .scalable_dimension(DIMENSION)
                        .resource_id(&self.resource)
                        .set_next_token(next.clone())
                        .send(),
                )
            })
            .await
            .map_err(Failure::into_error)?;
            all.extend(page.scaling_policies.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// Makes a policy, or makes it this one.
    pub(super) async fn put_policy(
        &self,
        name: &str,
        policy: &ScalingPolicy,
        label: Option<&str>,
    ) -> Result<()> {
        let (metric, label) = match policy.metric {
            ScalingMetric::Cpu => (MetricType::EcsServiceAverageCpuUtilization, None),
            ScalingMetric::Memory => (MetricType::EcsServiceAverageMemoryUtilization, None),
            ScalingMetric::RequestsPerTarget => (MetricType::AlbRequestCountPerTarget, label),
            ScalingMetric::Other => {
                return Err(Error::bug(format!(
                    "policy {name} measures nothing that is known"
                )));
            }
        };
        let metric = PredefinedMetricSpecification::builder()
            .predefined_metric_type(metric)
            .set_resource_label(label.map(str::to_owned))
            .build()
            .map_err(|cause| Error::bug("a policy's metric lacks its type").because(cause))?;
        let configuration = TargetTrackingScalingPolicyConfiguration::builder()
            .target_value(policy.target)
            .predefined_metric_specification(metric)
            .scale_in_cooldown(seconds(policy.scale_in_cooldown))
            .scale_out_cooldown(seconds(policy.scale_out_cooldown))
            .build()
            .map_err(|cause| Error::bug("a policy lacks its value").because(cause))?;
        let client = self.clients.scaling().await?;
        let call = self.call_about("PutScalingPolicy", "policy", name);
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .put_scaling_policy()
                    .service_namespace(NAMESPACE)
                    .scalable_dimension(DIMENSION)
                    .resource_id(&self.resource)
                    .policy_name(name)
                    .policy_type(PolicyType::TargetTrackingScaling)
                    .target_tracking_scaling_policy_configuration(configuration.clone())
                    .send(),
            )
        })
        .await;
        answer.map(|_| ()).map_err(refused)
    }

    /// Success if there is none of this name.
    pub(super) async fn delete_policy(&self, name: &str) -> Result<()> {
        let client = self.clients.scaling().await?;
        let call = self.call_about("DeleteScalingPolicy", "policy", name);
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .delete_scaling_policy()
                    .service_namespace(NAMESPACE)
                    .scalable_dimension(DIMENSION)
                    .resource_id(&self.resource)
                    .policy_name(name)
                    .send(),
            )
        })
        .await
        .map(|_| ());
        calls::or_missing(answer, ())
    }

    /// Its scheduled actions, by name.
    pub(super) async fn schedules(&self) -> Result<BTreeMap<String, ScalingSchedule>> {
        let client = self.clients.scaling().await?;
        let call = self.call("DescribeScheduledActions");
        let (mut all, mut next) = (BTreeMap::new(), None);
        loop {
            let page = calls::run(self.clients, &call, || {
                Box::pin(
                    client
                        .describe_scheduled_actions()
                        .service_namespace(NAMESPACE)
                        .scalable_dimension(DIMENSION)
                        .resource_id(&self.resource)
                        .set_next_token(next.clone())
                        .send(),
                )
            })
            .await
            .map_err(Failure::into_error)?;
            let actions = page.scheduled_actions().iter();
            all.extend(
                actions.map(|one| (one.scheduled_action_name().to_owned(), read::schedule(one))),
            );
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// Makes a scheduled action, or makes it this one.
    pub(super) async fn put_schedule(&self, name: &str, schedule: &ScalingSchedule) -> Result<()> {
        let action = ScalableTargetAction::builder()
            .set_min_capacity(schedule.min.map(number))
            .set_max_capacity(schedule.max.map(number))
            .build();
        let client = self.clients.scaling().await?;
        let call = self.call_about("PutScheduledAction", "scheduled action", name);
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .put_scheduled_action()
                    .service_namespace(NAMESPACE)
                    .scalable_dimension(DIMENSION)
                    .resource_id(&self.resource)
                    .scheduled_action_name(name)
                    .schedule(&schedule.schedule)
                    .timezone(&schedule.timezone)
                    .scalable_target_action(action.clone())
                    .send(),
            )
        })
        .await;
        answer.map(|_| ()).map_err(refused)
    }

    /// Success if there is none of this name.
    pub(super) async fn delete_schedule(&self, name: &str) -> Result<()> {
        let client = self.clients.scaling().await?;
        let call = self.call_about("DeleteScheduledAction", "scheduled action", name);
        let answer = calls::run(self.clients, &call, || {
            Box::pin(
                client
                    .delete_scheduled_action()
                    .service_namespace(NAMESPACE)
                    .scalable_dimension(DIMENSION)
                    .resource_id(&self.resource)
                    .scheduled_action_name(name)
                    .send(),
            )
        })
        .await
        .map(|_| ());
        calls::or_missing(answer, ())
    }
}

/// Gives a scalable target these tags.
pub(super) async fn tag(
    clients: &AwsClients,
    arn: &str,
    tags: BTreeMap<&'static str, String>,
) -> Result<()> {
    let tags: HashMap<String, String> = tags
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    let client = clients.scaling().await?;
    let call = calls::scaling("TagResource", arn);
    let answer = calls::run(clients, &call, || {
        let request = client.tag_resource().resource_arn(arn);
        Box::pin(request.set_tags(Some(tags.clone())).send())
    })
    .await;
    answer.map(|_| ()).map_err(Failure::into_error)
}

/// Takes the tags of endpoints from it. Success if it is gone.
pub(super) async fn untag(clients: &AwsClients, arn: &str) -> Result<()> {
    let client = clients.scaling().await?;
    let call = calls::scaling("UntagResource", arn);
    let answer = calls::run(clients, &call, || {
        let request = client.untag_resource().resource_arn(arn);
        let keys = crate::elb::tags::ALL.map(str::to_owned).into();
        Box::pin(request.set_tag_keys(Some(keys)).send())
    })
    .await
    .map(|_| ());
    calls::or_missing(answer, ())
}

/// The service is seen, and a target that was registered a moment ago, a little later than they are there.
fn refused(failure: Failure) -> Error {
    let (kind, error) = (failure.kind, failure.into_error());
    if kind == Kind::Missing || error.to_string().contains("service doesn't exist") {
        return Error::unavailable(
            "Application Auto Scaling does not see yet what was made a moment ago",
        )
        .because(error);
    }
    match kind {
        Kind::Refused => error.at("autoscaling"),
        _ => error,
    }
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn seconds(period: Period) -> i32 {
    i32::try_from(period.duration().as_secs()).unwrap_or(i32::MAX)
}
