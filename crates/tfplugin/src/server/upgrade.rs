use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::read::storable;
use super::{ProviderServer, wire};
use crate::diagnostics::Diagnostics;
use crate::provider::Provider;

impl<P: Provider> ProviderServer<P> {
    pub(super) async fn upgrade_state(
        &self,
        request: pb::upgrade_resource_state::Request,
        _: &mut Diagnostics,
    ) -> Result<pb::upgrade_resource_state::Response, Diagnostics> {
        let offer = self.resource(&request.type_name)?;
        let schema = offer.schema()?;
        let from = stored_version(offer.name, request.version, schema.version())?;
        let raw = wire::raw_state(request.raw_state)?;
        let doing = Doing("upgrading the state of", offer.name);
        let state = if from == schema.version() {
            raw.decode(schema.object_type())
                .map_err(|error| unreadable(offer.name, from, &error))?
        } else {
            let upgraded = doing.guard_sync(|| offer.it.upgrade_state(from, &raw))?;
            upgraded.ok_or_else(|| {
                Diagnostics::error(
                    "Unsupported state version",
                    format!("The state of {} has schema version {from}, and this provider cannot read versions older than {}. Apply once with an earlier release of the provider.", offer.name, schema.version()),
                )
            })??
        };
        let state = storable(doing, schema, state)?;
        Ok(pb::upgrade_resource_state::Response {
            upgraded_state: Some(wire::dynamic(&state, schema.object_type())?),
            ..Default::default()
        })
    }

    pub(super) async fn upgrade_identity(
        &self,
        request: pb::upgrade_resource_identity::Request,
        _: &mut Diagnostics,
    ) -> Result<pb::upgrade_resource_identity::Response, Diagnostics> {
        let offer = self.resource(&request.type_name)?;
        let schema = offer.identity_schema().ok_or_else(|| {
            Diagnostics::error("Not supported", format!("{} has no identity.", offer.name))
        })?;
        let from = stored_version(offer.name, request.version, schema.version())?;
        let raw = wire::raw_state(request.raw_identity)?;
        // Read tells the identity anew, so parts that an older version did not have may be null here.
        let of = schema.object_type();
        let identity = raw
            .decode(&of)
            .map_err(|error| unreadable(offer.name, from, &error))?;
        let identity_data = Some(wire::dynamic(&identity, &of)?);
        Ok(pb::upgrade_resource_identity::Response {
            upgraded_identity: Some(pb::ResourceIdentityData { identity_data }),
            ..Default::default()
        })
    }
}

/// The version that a state was stored with, if this provider can know it.
fn stored_version(name: &str, stored: i64, current: u64) -> Result<u64, Diagnostics> {
    match u64::try_from(stored) {
        Ok(version) if version <= current => Ok(version),
        _ => Err(Diagnostics::error(
            "State from a newer provider",
            format!(
                "The state of {name} has schema version {stored}, and this provider knows versions up to {current}. Use the provider's release that wrote it, or a newer one."
            ),
        )),
    }
}

fn unreadable(name: &str, version: u64, error: &crate::Error) -> Diagnostics {
    let detail = format!(
        "The state of {name}, schema version {version}, cannot be read: {error}. Restore the state from a backup, or remove the resource from it and import it again."
    );
    Diagnostics::error("Unreadable state", detail)
}
