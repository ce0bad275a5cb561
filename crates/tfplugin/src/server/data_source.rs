use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::read::storable;
use super::{ProviderServer, unknown_type, wire};
use crate::diagnostics::Diagnostics;
use crate::provider::Provider;

impl<P: Provider> ProviderServer<P> {
    pub(super) async fn read_source(
        &self,
        request: pb::read_data_source::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::read_data_source::Response, Diagnostics> {
        let offer = self.shared.data_sources.get(&*request.type_name);
        let offer = offer.ok_or_else(|| unknown_type("data source", &request.type_name))?;
        let schema = offer.schema()?;
        let config = wire::value(request.config.as_ref(), schema.object_type())?;
        let cx = self.client_context(request.client_capabilities.as_ref())?;
        let doing = Doing("reading data source", offer.name);
        let found = doing.guard(offer.it.read(&cx, config)).await;
        diagnostics.extend(cx.take_warnings());
        let state = storable(doing, schema, found??)?;
        let state = Some(wire::dynamic(&state, schema.object_type())?);
        Ok(pb::read_data_source::Response {
            state,
            ..Default::default()
        })
    }
}
