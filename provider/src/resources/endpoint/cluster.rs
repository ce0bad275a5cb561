//! The cluster of an endpoint on ECS: one that is there, or one of its own.

use mlops_core::endpoint::spec;
use mlops_core::names::EndpointName;
use tfplugin::schema::Attribute;
use tfplugin::validate::{self, Validator};
use tfplugin::{Attr, Value};

use super::schema::State;

/// Declares `cluster_arn`.
pub(super) fn cluster_arn() -> Attribute {
    Attribute::string().optional().computed().describe(
        "The cluster that tasks run in. It exists already, unless `create_cluster` is `true`; then this is the endpoint's own, and is not set. \
         Changing it replaces the endpoint.",
    )
}

/// Declares `create_cluster`.
pub(super) fn create_cluster() -> Attribute {
    Attribute::bool().optional().describe(
        "Whether the endpoint makes a cluster for itself, `mlops-NAME`, with `FARGATE` and `FARGATE_SPOT`: before anything else, and deleted last. \
         It is not deleted while others have services in it. Default `false`. Changing it replaces the endpoint.",
    )
}

/// The rule that there is exactly one cluster.
pub(super) fn exactly_one() -> impl Validator {
    validate::check(|block| {
        let Value::Object(fields) = block else {
            return Ok(());
        };
        let field = |name: &str| fields.get(name).unwrap_or(&Value::Null);
        let (arn, own) = (field("cluster_arn"), field("create_cluster"));
        match own {
            Value::Bool(true) if !arn.is_null() => Err(
                "have no cluster_arn beside create_cluster = true: the endpoint makes a cluster of its own".to_owned(),
            ),
            Value::Bool(false) | Value::Null if arn.is_null() => {
                Err("have a cluster_arn, or create_cluster = true".to_owned())
            }
            _ => Ok(()),
        }
    })
}

/// Fills in the cluster that the endpoint makes for itself, once its name and its load balancer are known.
pub(super) fn foretell(state: &mut State) {
    let named = match &state.ingress {
        Attr::Known(ingress) => match &ingress.load_balancer_arn {
            Attr::Null => &ingress.listener_arn,
            arn => arn,
        },
        _ => &Attr::Unknown,
    };
    let name = state
        .name
        .as_str()
        .and_then(|name| EndpointName::new(name).ok());
    let (Some(named), Some(name), Attr::Known(ecs)) = (named.as_str(), name, &mut state.ecs) else {
        return;
    };
    if ecs.create_cluster == Attr::Known(true) {
        ecs.cluster_arn = spec::own_cluster(named, &name).into();
    }
}
