use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::offer::EphemeralOffer;
use super::read::storable;
use super::{ProviderServer, unknown_type, wire};
use crate::diagnostics::Diagnostics;
use crate::ephemeral::{Opened, Renewed};
use crate::provider::Provider;
use crate::resource::keep;

impl<P: Provider> ProviderServer<P> {
    fn ephemeral(&self, name: &str) -> Result<&EphemeralOffer<P::Client>, Diagnostics> {
        self.shared
            .ephemerals
            .get(name)
            .ok_or_else(|| unknown_type("ephemeral resource", name))
    }

    pub(super) async fn open(
        &self,
        request: pb::open_ephemeral_resource::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::open_ephemeral_resource::Response, Diagnostics> {
        let offer = self.ephemeral(&request.type_name)?;
        let schema = offer.schema()?;
        let config = wire::value(request.config.as_ref(), schema.object_type())?;
        let cx = self.client_context(request.client_capabilities.as_ref())?;
        let doing = Doing("opening", offer.name);
        let opened = doing.guard(offer.it.open(&cx, config)).await;
        diagnostics.extend(cx.take_warnings());
        let Opened {
            result,
            renew_at,
            private,
        } = opened??;
        let result = storable(doing, schema, result)?;
        Ok(pb::open_ephemeral_resource::Response {
            result: Some(wire::dynamic(&result, schema.object_type())?),
            renew_at: renew_at.map(wire::timestamp),
            private: Some(private.encode()),
            ..Default::default()
        })
    }

    pub(super) async fn renew(
        &self,
        request: pb::renew_ephemeral_resource::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::renew_ephemeral_resource::Response, Diagnostics> {
        let offer = self.ephemeral(&request.type_name)?;
        let private = wire::private(&request.private.unwrap_or_default())?;
        let cx = self.client_context(None)?;
        let renewed = Doing("renewing", offer.name)
            .guard(offer.it.renew(&cx, private.clone()))
            .await;
        diagnostics.extend(cx.take_warnings());
        let Renewed {
            renew_at,
            private: answered,
        } = renewed??;
        Ok(pb::renew_ephemeral_resource::Response {
            renew_at: renew_at.map(wire::timestamp),
            private: Some(keep(answered, private).encode()),
            ..Default::default()
        })
    }

    pub(super) async fn close(
        &self,
        request: pb::close_ephemeral_resource::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::close_ephemeral_resource::Response, Diagnostics> {
        let offer = self.ephemeral(&request.type_name)?;
        let private = wire::private(&request.private.unwrap_or_default())?;
        let cx = self.client_context(None)?;
        let closed = Doing("closing", offer.name)
            .guard(offer.it.close(&cx, private))
            .await;
        diagnostics.extend(cx.take_warnings());
        closed??;
        Ok(Default::default())
    }
}
