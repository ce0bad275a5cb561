//! What deployments may leave behind, in the words of those who keep it.

use std::collections::BTreeSet;

use super::super::names;
use crate::AwsClients;

/// What is there of a cluster, of the listeners of a load balancer and of the cluster's log groups; of what knows neither, which is `is_own`.
pub(super) async fn listed(
    clients: &AwsClients,
    cluster: &str,
    load_balancer: &str,
    is_own: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let mut left = BTreeSet::new();
    let ecs = clients.ecs().await.expect("a client");
    let services = ecs.list_services().cluster(cluster).send().await;
    let services = services.expect("told").service_arns.unwrap_or_default();
    left.extend(services.into_iter().map(|arn| format!("service {arn}")));
    let tasks = ecs.list_tasks().cluster(cluster).send().await;
    let tasks = tasks.expect("told").task_arns.unwrap_or_default();
    left.extend(tasks.into_iter().map(|arn| format!("task {arn}")));
    for status in ["ACTIVE", "INACTIVE"] {
        let definitions = ecs.list_task_definitions().status(status.into());
        let definitions = definitions.send().await.expect("told").task_definition_arns;
        let definitions = definitions.unwrap_or_default().into_iter();
        let ours = definitions.filter(|arn| is_own(arn));
        left.extend(ours.map(|arn| format!("task definition {arn}")));
    }
    let elb = clients.elbv2().await.expect("a client");
    let listeners = elb.describe_listeners().load_balancer_arn(load_balancer);
    let listeners = listeners.send().await.expect("told").listeners;
    let listeners = listeners.unwrap_or_default().into_iter();
    left.extend(listeners.map(|found| format!("listener {:?}", found.port)));
    let groups = elb.describe_target_groups().send().await.expect("told");
    left.extend(
        (groups.target_groups().iter())
            .filter_map(|group| group.target_group_name())
            .filter(|name| is_own(name))
            .map(|name| format!("target group {name}")),
    );
    let logs = clients.logs().await.expect("a client");
    let groups = logs.describe_log_groups().send().await.expect("told");
    left.extend(
        (groups.log_groups().iter())
            .filter_map(|group| group.log_group_name())
            .filter(|name| name.contains(names::cluster(cluster)))
            .map(|name| format!("log group {name}")),
    );
    left
}
