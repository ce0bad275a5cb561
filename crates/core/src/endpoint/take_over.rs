//! What ran before an endpoint, as the record of one: so that everything that is planned, and the first deployment, find it where they find an old revision.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::deployment::{DeploymentId, DeploymentRef};
use super::record::{EndpointRecord, Leftovers};
use super::spec::EndpointSpec;
use crate::error::{Error, Result};
use crate::target::{Foreign, Revision, RevisionName, Target};

/// The record of an endpoint that is what `found` is. It is in no registry, and its revision is on no target: nothing that is asked for is the same.
pub fn as_record(found: &Foreign) -> Result<EndpointRecord> {
    let id = DeploymentId::new(&found.spec.id().to_string(), Some(&found.spec), 0)?;
    let deployment = DeploymentRef { id, attempt: 0 };
    Ok(record(
        found,
        Uuid::nil(),
        deployment,
        Timestamp::UNIX_EPOCH,
    ))
}

/// The same for the deployment that takes it over, for an endpoint of this id.
pub(super) fn record(
    found: &Foreign,
    id: Uuid,
    deployment: DeploymentRef,
    now: Timestamp,
) -> EndpointRecord {
    let spec = &found.spec;
    let revisions = spec.variants.iter().map(|(name, variant)| {
        let revision = Revision {
            name: RevisionName::found(name, &deployment),
            variant: name.clone(),
            workload: variant.workload.clone(),
            environment: variant.environment.clone(),
            compute: variant.compute,
            container: variant.container.clone(),
            // An endpoint's own revisions are placed: so this one is never what is asked for.
            placement: None,
            smoke: None,
            instances: spec.autoscaling(name).map_or(1, |scaled| scaled.min),
            startup_timeout: variant.startup_timeout,
        };
        (name.clone(), revision)
    });
    EndpointRecord {
        id,
        name: spec.name.clone(),
        revision: 0,
        spec: spec.clone(),
        running: revisions.collect::<BTreeMap<_, _>>(),
        server: found.server.clone(),
        deployment,
        created_at: now,
        updated_at: now,
        leftovers: Leftovers::default(),
        standby: BTreeMap::new(),
        session: None,
    }
}

/// Refuses an endpoint that would be somewhere else than what it takes over: requests come there until it has moved them.
pub fn check(target: &dyn Target, found: &EndpointRecord, spec: &EndpointSpec) -> Result<()> {
    if target.satisfies(&found.server, spec) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the service that was imported as {} is reached in another way than ingress says, and the first apply takes it over where it is; write ingress \
         as the import did (terraform state show tells it), and change it afterwards",
        spec.id()
    ))
    .at("ingress"))
}
