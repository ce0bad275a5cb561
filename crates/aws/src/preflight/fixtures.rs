//! What tests of several checks ask about.

use mlops_core::endpoint::Period;
use mlops_core::endpoint::spec::{IngressSpec, SlotChoice};
use mlops_core::names::EndpointName;
use mlops_core::target::{FrontChange, PreflightAsked};

pub(super) fn name(name: &str) -> EndpointName {
    EndpointName::new(name).expect("legal")
}

/// A listener of an endpoint's own.
pub(super) fn listener(port: SlotChoice) -> IngressSpec {
    IngressSpec::Listener {
        load_balancer_arn: "alb".to_owned(),
        port,
    }
}

/// A rule on a listener that is shared.
pub(super) fn rule(listener: &str) -> IngressSpec {
    IngressSpec::Rule {
        listener_arn: listener.to_owned(),
        priority: SlotChoice::Leased(SlotChoice::PRIORITIES),
        host_headers: Vec::new(),
        path_patterns: Vec::new(),
    }
}

/// A change that one task starts for.
pub(super) fn asked(front: FrontChange, revisions: u64) -> PreflightAsked {
    PreflightAsked {
        checks: Default::default(),
        starts: 1,
        revisions,
        front,
        takes: Period::ZERO,
        loads: Period::ZERO,
    }
}
