use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::plan::identity;
use super::{ProviderServer, wire};
use crate::contract;
use crate::diagnostics::Diagnostics;
use crate::planning;
use crate::provider::Provider;
use crate::resource::{ReadRequest, Refreshed, keep};
use crate::schema::Schema;
use crate::value::Value;

type Response = pb::read_resource::Response;

impl<P: Provider> ProviderServer<P> {
    pub(super) async fn read(
        &self,
        request: pb::read_resource::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<Response, Diagnostics> {
        let offer = self.resource(&request.type_name)?;
        let schema = offer.schema()?;
        let state = wire::value(request.current_state.as_ref(), schema.object_type())?;
        let gone = || Response {
            new_state: Some(wire::null()),
            ..Response::default()
        };
        if state.is_null() {
            return Ok(gone());
        }
        let private = wire::private(&request.private)?;
        let cx = self.client_context(request.client_capabilities.as_ref())?;
        let doing = Doing("reading", offer.name);
        let found = doing
            .guard(offer.it.read(
                &cx,
                ReadRequest {
                    state,
                    private: private.clone(),
                },
            ))
            .await;
        diagnostics.extend(cx.take_warnings());
        let Some(Refreshed {
            state,
            private: answered,
        }) = found??
        else {
            return Ok(gone());
        };
        let state = storable(doing, schema, state)?;
        Ok(Response {
            new_state: Some(wire::dynamic(&state, schema.object_type())?),
            private: keep(answered, private).encode(),
            new_identity: identity(offer, &state)?,
            ..Response::default()
        })
    }
}

/// A state in the form that Terraform stores.
pub(super) fn storable(
    doing: Doing<'_>,
    schema: &Schema,
    state: Value,
) -> Result<Value, Diagnostics> {
    let mut state = schema
        .object_type()
        .conform(state)
        .map_err(|error| wire::mistyped(&error))?;
    planning::normalize(schema.block(), &mut state);
    if cfg!(debug_assertions) {
        let broken = contract::stored(schema.block(), &state);
        let broken: Diagnostics = broken
            .iter()
            .map(|violation| violation.diagnostic(&doing.to_string()))
            .collect();
        broken.into_result(())?;
    }
    Ok(state)
}
