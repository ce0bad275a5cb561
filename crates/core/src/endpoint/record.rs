//! What the registry says runs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::deployment::DeploymentRef;
use super::spec::EndpointSpec;
use crate::names::{EndpointName, VariantName};
use crate::target::{
    Observation, Revision, RevisionName, RevisionState, Routing, Server, VariantRouting,
};

/// An endpoint in the registry: written once per successful deployment, in the commit that closes
/// its journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// Minted at create; a deleted endpoint's successor has another.
    pub id: uuid::Uuid,
    /// Its name.
    pub name: EndpointName,
    /// Grows by one with each successful deployment, across deletes too. The base revision of the
    /// next deployment.
    pub revision: u64,
    /// What was asked for.
    pub spec: EndpointSpec,
    /// What runs, by variant.
    pub running: BTreeMap<VariantName, Revision>,
    /// The server that runs it, as its target knows it.
    pub server: Server,
    /// The deployment that made it so.
    pub deployment: DeploymentRef,
    /// When the endpoint was created.
    pub created_at: Timestamp,
    /// When it was last deployed.
    pub updated_at: Timestamp,
    /// Revisions and servers that the last deployment could not take away; the next one tries again.
    #[serde(default)]
    pub leftovers: Leftovers,
    /// What served before, by variant, and stands by because nobody waited for what took over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub standby: BTreeMap<VariantName, Revision>,
    /// The registry session of the process that deployed it last.
    #[serde(default)]
    pub session: Option<uuid::Uuid>,
}

impl EndpointRecord {
    /// The endpoint's id in a configuration, `local/digits`.
    pub fn identity(&self) -> String {
        self.spec.id().to_string()
    }

    /// Variant -> version that runs. A variant that runs an image has none.
    pub fn target_versions(&self) -> BTreeMap<VariantName, u64> {
        self.running
            .iter()
            .filter_map(|(name, revision)| Some((name.clone(), revision.workload.number()?)))
            .collect()
    }

    /// Whether the variant's revision serves, or may still come to: one that nobody waited for has the time that it may take to start.
    pub fn answers(&self, seen: &Observation, variant: &VariantName, now: Timestamp) -> bool {
        self.running.get(variant).is_some_and(|revision| {
            seen.serves(&revision.name) || self.may_start(seen, revision, now)
        })
    }

    /// Whether nobody waited for `revision`, and it may still come to serve.
    pub(super) fn may_start(
        &self,
        seen: &Observation,
        revision: &Revision,
        now: Timestamp,
    ) -> bool {
        let is_loading = (seen.revisions.get(&revision.name))
            .is_some_and(|seen| seen.state == RevisionState::Loading);
        let since = Duration::try_from(now.duration_since(self.updated_at)).unwrap_or_default();
        seen.alive
            && is_loading
            && !self.spec.wait_for_steady_state
            && since < revision.patience().duration()
    }

    /// Revisions of the last deployment for which nobody waited.
    pub fn unseen(&self) -> impl Iterator<Item = &Revision> {
        let all = self.running.values();
        let waited = self.spec.wait_for_steady_state;
        all.filter(move |one| !waited && one.name.is_of(&self.deployment))
    }

    /// The routing in which each variant's running revision has all of the variant's share.
    pub fn routing(&self) -> Routing {
        settled(&self.spec, &self.running)
    }
}

/// The routing of `spec` when each variant is served by one revision.
pub fn settled(spec: &EndpointSpec, running: &BTreeMap<VariantName, Revision>) -> Routing {
    let variants = running
        .iter()
        .filter_map(|(name, revision)| {
            let variant = spec.variants.get(name)?;
            let routing = VariantRouting {
                traffic: variant.traffic.shares(),
                shadow: variant.shadow_percentage.shares(),
                weights: BTreeMap::from([(revision.name.clone(), crate::serving::WHOLE)]),
            };
            Some((name.clone(), routing))
        })
        .collect();
    Routing { variants }
}

/// What a deployment could not take away.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Leftovers {
    /// Revisions still loaded on the endpoint's server.
    #[serde(default)]
    pub revisions: Vec<RevisionName>,
    /// Servers still running.
    #[serde(default)]
    pub servers: Vec<Server>,
    /// Why they could not be taken away, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Leftovers {
    /// Whether nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.revisions.is_empty() && self.servers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_was_written_before_there_were_images_is_read_and_written_as_it_was() {
        let variant = serde_json::json!({
            "model": "digits", "version": 3, "artifact_digest": "sha256:aa", "traffic": 100.0,
            "shadow_percentage": 0.0, "environment": {}, "startup_timeout": "5m",
        });
        let before = serde_json::json!({
            "id": "00000000-0000-0000-0000-000000000001",
            "name": "digits",
            "revision": 4,
            "spec": {
                "name": "digits", "variants": { "main": variant }, "target": { "local": { "port": null, "port_range": null } },
                "health_check": {
                    "path": null, "interval": null, "timeout": null, "healthy_threshold": null,
                    "unhealthy_threshold": null, "start_period": null,
                },
                "rollout": {
                    "strategy": "ALL_AT_ONCE", "steps": [], "analysis": {}, "on_failure": "rollback",
                    "on_interrupt": "rollback", "max_duration": "1h", "terminate_after": "0s",
                },
                "drain_seconds": 5, "deletion_policy": "DELETE", "tags": {},
            },
            "running": { "main": {
                "name": "main-v3-01234567.1", "variant": "main", "model": "digits", "version": 3,
                "artifact_digest": "sha256:aa", "environment": {}, "startup_timeout": "5m",
            } },
            "server": { "invoke_url": "http://127.0.0.1:18080", "port": 18080, "handle": {} },
            "deployment": { "id": "0123456789abcdef0123456789abcdef", "attempt": 1 },
            "created_at": "2026-11-01T00:00:00Z",
            "updated_at": "2026-11-02T00:00:00Z",
            "leftovers": { "revisions": [], "servers": [] },
            "session": null,
        });
        let record: EndpointRecord = serde_json::from_value(before.clone()).unwrap();
        assert_eq!(
            record.target_versions().into_values().collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(serde_json::to_value(&record).unwrap(), before);
    }
}
