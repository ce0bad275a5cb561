//! Whether a load balancer can have an endpoint's front.

use mlops_core::endpoint::spec::IngressSpec;
use mlops_core::target::{Check, Finding};
use mlops_core::{Class, Error};

use super::{Around, Preflight};
use crate::elb::Balancer;

impl Preflight {
    pub(super) async fn look_at_balancer(&self, around: &Around<'_>) -> Vec<Finding> {
        let ingress = &around.ecs.ingress;
        let found = match self.balancer(ingress).await {
            Ok(found) => found,
            Err(error) => return vec![unseen(error)],
        };
        if let Some(finding) = judge(ingress, &found) {
            return vec![finding];
        }
        match self.room(&found.arn, around).await {
            Ok(findings) => findings,
            Err(error) => vec![Finding::possible(Check::LoadBalancer, error)],
        }
    }

    pub(super) async fn balancer(&self, ingress: &IngressSpec) -> Result<Balancer, Error> {
        let found = self.balancers.of_ingress(ingress);
        self.places.get(ingress.parent_arn(), found).await
    }
}

/// What is wrong with the load balancer of `ingress`. One that is still being made will be there at the apply.
pub(super) fn judge(ingress: &IngressSpec, found: &Balancer) -> Option<Finding> {
    let attribute = match ingress {
        IngressSpec::Listener { .. } => "ingress.load_balancer_arn",
        IngressSpec::Rule { .. } => "ingress.listener_arn",
    };
    let Balancer {
        arn, kind, state, ..
    } = found;
    let text = if kind != "application" {
        format!(
            "load balancer {arn} is one of type {kind}, and an endpoint needs an Application Load Balancer; name one of those in {attribute}"
        )
    } else if state == "failed" {
        format!(
            "load balancer {arn} is in state {state}; repair it, or name another one in {attribute}"
        )
    } else {
        return None;
    };
    let error = Error::invalid(text).at(attribute);
    Some(Finding::certain(Check::LoadBalancer, error))
}

/// What a load balancer that was not found means.
pub(super) fn unseen(error: Error) -> Finding {
    match error.class() {
        // There is none, or no such listener.
        Class::Invalid | Class::NotFound => Finding::as_it_is(Check::LoadBalancer, error),
        _ => Finding::possible(Check::LoadBalancer, error),
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::endpoint::spec::SlotChoice;
    use mlops_core::target::Verdict;

    use super::*;

    #[test]
    fn one_that_is_not_there_may_be_made_and_one_that_cannot_be_seen_may_be_there() {
        for (error, verdict) in [
            (Error::invalid("there is none"), Verdict::FailsUnlessChanged),
            (Error::denied("not you"), Verdict::MayFail),
            (Error::unavailable("no answer"), Verdict::MayFail),
        ] {
            assert_eq!(unseen(error).verdict, verdict);
        }
    }

    #[test]
    fn an_application_load_balancer_that_did_not_fail_is_good() {
        let ingress = IngressSpec::Listener {
            load_balancer_arn: "alb".to_owned(),
            port: SlotChoice::Leased(SlotChoice::PORTS),
        };
        for (kind, state, said) in [
            ("application", "active", None),
            ("application", "provisioning", None),
            ("application", "active_impaired", None),
            ("application", "failed", Some("is in state failed")),
            ("network", "active", Some("is one of type network")),
        ] {
            let found = Balancer {
                arn: "alb".to_owned(),
                vpc_id: "vpc-1".to_owned(),
                kind: kind.to_owned(),
                state: state.to_owned(),
                certificate: None,
            };
            let told = judge(&ingress, &found).map(|finding| finding.error);
            let attribute = told.as_ref().and_then(Error::attribute);
            assert_eq!(attribute, said.map(|_| "ingress.load_balancer_arn"));
            let told = told.map(|error| error.to_string());
            match (told, said) {
                (None, None) => {}
                (Some(told), Some(said)) => assert!(told.contains(said), "{told}"),
                (told, _) => panic!("{kind} {state}: {told:?}"),
            }
        }
    }
}
