//! The cluster that an endpoint makes for itself.

use crate::endpoint::arn::Arn;
use crate::names::EndpointName;

/// What the names of such clusters begin with, so that a policy can tell them from others.
const PREFIX: &str = "mlops-";

/// The cluster that endpoint `name` makes, in the account and region of the load balancer or listener that it is behind: its ARN, or its name where
/// `balancer_arn` is no ARN of either.
///
/// It is a pure function of the configuration, so a plan knows the cluster, and with it the endpoint's id, before anything is made.
pub fn own_cluster(balancer_arn: &str, name: &EndpointName) -> String {
    let cluster = format!("{PREFIX}{name}");
    match Arn::read(balancer_arn).filter(|arn| arn.service == "elasticloadbalancing") {
        Some(arn) => format!(
            "arn:{}:ecs:{}:{}:cluster/{cluster}",
            arn.partition, arn.region, arn.account
        ),
        None => cluster,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_of_its_own_is_where_its_load_balancer_is() {
        let name = EndpointName::new("fraud_eu").unwrap();
        for arn in [
            "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:loadbalancer/app/main/50dc6c495c0c9188",
            "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:listener/app/main/50dc6c495c0c9188/f2f7dc8efc522ab2",
        ] {
            assert_eq!(
                own_cluster(arn, &name),
                "arn:aws-cn:ecs:cn-north-1:111122223333:cluster/mlops-fraud_eu"
            );
        }
        for wrong in ["", "main", "arn:aws:s3:::bucket"] {
            assert_eq!(own_cluster(wrong, &name), "mlops-fraud_eu", "{wrong}");
        }
    }
}
