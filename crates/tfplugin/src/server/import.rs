use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::plan::identity;
use super::read::storable;
use super::{ProviderServer, wire};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::provider::Provider;
use crate::resource::{ImportRequest, Imported, MoveRequest};

impl<P: Provider> ProviderServer<P> {
    pub(super) async fn import(
        &self,
        request: pb::import_resource_state::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::import_resource_state::Response, Diagnostics> {
        let offer = self.resource(&request.type_name)?;
        let schema = offer.schema()?;
        let by = match request.identity {
            Some(wire) if request.id.is_empty() => {
                let of = offer.identity_schema().map(|schema| schema.object_type());
                let of =
                    of.ok_or_else(|| cannot(offer.name, "imported by identity; import it by id"))?;
                ImportRequest::Identity(wire::value(wire.identity_data.as_ref(), &of)?)
            }
            _ => ImportRequest::Id(request.id),
        };
        let cx = self.client_context(request.client_capabilities.as_ref())?;
        let doing = Doing("importing", offer.name);
        let imported = doing.guard(offer.it.import(&cx, by)).await;
        diagnostics.extend(cx.take_warnings());
        let Imported { state, private } =
            imported??.ok_or_else(|| cannot(offer.name, "imported"))?;
        let state = storable(doing, schema, state)?;
        let resource = pb::import_resource_state::ImportedResource {
            type_name: request.type_name,
            state: Some(wire::dynamic(&state, schema.object_type())?),
            private: private.encode(),
            identity: identity(offer, &state)?,
        };
        Ok(pb::import_resource_state::Response {
            imported_resources: vec![resource],
            ..Default::default()
        })
    }

    pub(super) async fn move_state(
        &self,
        request: pb::move_resource_state::Request,
        _: &mut Diagnostics,
    ) -> Result<pb::move_resource_state::Response, Diagnostics> {
        let offer = self.resource(&request.target_type_name)?;
        let schema = offer.schema()?;
        let refused = || {
            cannot(
                offer.name,
                &format!("moved to from {}", request.source_type_name),
            )
        };
        if !offer.it.can_move() {
            return Err(refused());
        }
        let source = wire::raw_state(request.source_state.clone())?;
        let version = u64::try_from(request.source_schema_version).map_err(|_| refused())?;
        let doing = Doing("moving a state to", offer.name);
        let moved = doing.guard_sync(|| {
            offer.it.move_state(&MoveRequest {
                source_provider: &request.source_provider_address,
                source_type: &request.source_type_name,
                source_version: version,
                source: &source,
                source_private: &request.source_private,
            })
        })?;
        let Imported { state, private } = moved?.ok_or_else(refused)?;
        let state = storable(doing, schema, state)?;
        Ok(pb::move_resource_state::Response {
            target_state: Some(wire::dynamic(&state, schema.object_type())?),
            target_private: private.encode(),
            target_identity: identity(offer, &state)?,
            ..Default::default()
        })
    }
}

fn cannot(name: &str, what: &str) -> Diagnostics {
    Diagnostic::error("Not supported", format!("{name} cannot be {what}.")).into()
}
