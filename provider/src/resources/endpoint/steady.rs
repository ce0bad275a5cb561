//! `wait_for_steady_state`: whether an apply waits until what it made is healthy.

use mlops_core::endpoint::spec::EndpointSpec;
use mlops_core::endpoint::{EndpointRecord, validate};
use mlops_core::names::VariantName;
use tfplugin::schema::Attribute;
use tfplugin::{Diagnostic, Diagnostics};

use super::bind::Bindings;
use super::schema::State;
use crate::diagnose;
use crate::resources::convert;

/// Declares it.
pub(super) fn attribute() -> Attribute {
    Attribute::bool().default(true).describe(
        "On ECS, whether an apply waits until the new revision is healthy. With `false` it gives the revision all traffic once its service is made, and ends: \
         **until the tasks are healthy, clients get errors**, and nobody goes back if they never are. What served before stands by, with its tasks, \
         until the next deployment. Only with `rollout.strategy = \"ALL_AT_ONCE\"`, one variant, and nothing that judges the new revision. Default `true`.",
    )
}

/// Whether it waits. `None` while that is unknown.
pub(super) fn waits(state: &State) -> Option<bool> {
    Some(convert::known(&state.wait_for_steady_state)?.unwrap_or(true))
}

/// Refuses golden requests that nobody would hear the answer of, as far as a plan knows of them.
pub(super) fn check(spec: &EndpointSpec, bindings: &Bindings) -> Result<(), Diagnostics> {
    let asked = bindings.bound.iter();
    let asked = asked.filter(|(_, version)| version.spec.smoke.is_some());
    let names: Vec<VariantName> = asked.filter_map(|(name, _)| name.parse().ok()).collect();
    let problems = validate::unproved(spec, names.iter());
    match problems.is_empty() {
        true => Ok(()),
        false => Err(diagnose::all_failed("Invalid endpoint", &problems)),
    }
}

/// What whoever applied should know: that nobody has seen what takes all requests now.
pub(super) fn told(record: &EndpointRecord) -> Option<Diagnostic> {
    let unseen: Vec<_> = record.unseen().map(|one| one.name.to_string()).collect();
    if unseen.is_empty() {
        return None;
    }
    let standby: Vec<_> = (record.standby.values())
        .map(|one| one.name.to_string())
        .collect();
    let standby = match standby.is_empty() {
        true => String::new(),
        false => format!(
            " Revision {} stands by with its tasks, which cost: if the new one does not come up, apply what it was made of again, and it has everything at \
             once. The next deployment of the variant takes it away.",
            standby.join(", ")
        ),
    };
    let detail = format!(
        "Revision {} of endpoint {} has all requests, and nobody waited until it is healthy (wait_for_steady_state = false): until it is, clients get \
         errors. `mlops endpoint status {}` tells how far it is.{standby}",
        unseen.join(", "),
        record.identity(),
        record.identity(),
    );
    Some(Diagnostic::warning(
        "Nobody has seen the new revision serve",
        detail,
    ))
}
