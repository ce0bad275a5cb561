use tfplugin_proto::tfplugin6::{self as pb, provider_server};
use tonic::{Request, Response, Status, async_trait};

use super::ProviderServer;
use super::place::Place;
use crate::diagnostics::Diagnostics;
use crate::provider::Provider;

type Answer<T> = Result<Response<T>, Status>;

/// The answer to an RPC whose failures and warnings travel in the response; they are shown in the configuration that the request is about, if it is about one.
macro_rules! answer {
    ($self:ident.$method:ident($request:ident) => $message:ident) => {
        answer!($self.$method($request) => $message, in Place::default())
    };
    ($self:ident.$method:ident($request:ident) => $message:ident, in $place:expr) => {{
        let $request = $request.into_inner();
        let place = $place;
        let mut diagnostics = Diagnostics::new();
        let mut response: pb::$message::Response =
            match $self.$method($request, &mut diagnostics).await {
                Ok(response) => response,
                Err(errors) => {
                    diagnostics.extend(errors);
                    Default::default()
                }
            };
        response.diagnostics = super::wire::diagnostics(place.show(diagnostics));
        Ok(Response::new(response))
    }};
}

#[async_trait]
impl<P: Provider> provider_server::Provider for ProviderServer<P> {
    async fn get_metadata(
        &self,
        _: Request<pb::get_metadata::Request>,
    ) -> Answer<pb::get_metadata::Response> {
        Ok(Response::new(self.metadata()))
    }

    async fn get_provider_schema(
        &self,
        _: Request<pb::get_provider_schema::Request>,
    ) -> Answer<pb::get_provider_schema::Response> {
        Ok(Response::new(self.schemas()))
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<pb::get_resource_identity_schemas::Request>,
    ) -> Answer<pb::get_resource_identity_schemas::Response> {
        Ok(Response::new(self.identity_schemas()))
    }

    async fn get_functions(
        &self,
        _: Request<pb::get_functions::Request>,
    ) -> Answer<pb::get_functions::Response> {
        Ok(Response::new(self.function_signatures()))
    }

    async fn validate_provider_config(
        &self,
        request: Request<pb::validate_provider_config::Request>,
    ) -> Answer<pb::validate_provider_config::Response> {
        answer!(self.validate_provider(request) => validate_provider_config, in Place::of(Some(&self.shared.config), &request.config))
    }

    async fn validate_resource_config(
        &self,
        request: Request<pb::validate_resource_config::Request>,
    ) -> Answer<pb::validate_resource_config::Response> {
        answer!(self.validate_resource(request) => validate_resource_config, in Place::of(self.shared.resources.get(request.type_name.as_str()), &request.config))
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<pb::validate_data_resource_config::Request>,
    ) -> Answer<pb::validate_data_resource_config::Response> {
        answer!(self.validate_data_source(request) => validate_data_resource_config, in Place::of(self.shared.data_sources.get(request.type_name.as_str()), &request.config))
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<pb::validate_ephemeral_resource_config::Request>,
    ) -> Answer<pb::validate_ephemeral_resource_config::Response> {
        answer!(self.validate_ephemeral(request) => validate_ephemeral_resource_config, in Place::of(self.shared.ephemerals.get(request.type_name.as_str()), &request.config))
    }

    async fn configure_provider(
        &self,
        request: Request<pb::configure_provider::Request>,
    ) -> Answer<pb::configure_provider::Response> {
        answer!(self.configure(request) => configure_provider, in Place::of(Some(&self.shared.config), &request.config))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<pb::upgrade_resource_state::Request>,
    ) -> Answer<pb::upgrade_resource_state::Response> {
        answer!(self.upgrade_state(request) => upgrade_resource_state)
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<pb::upgrade_resource_identity::Request>,
    ) -> Answer<pb::upgrade_resource_identity::Response> {
        answer!(self.upgrade_identity(request) => upgrade_resource_identity)
    }

    async fn read_resource(
        &self,
        request: Request<pb::read_resource::Request>,
    ) -> Answer<pb::read_resource::Response> {
        answer!(self.read(request) => read_resource, in Place::of(self.shared.resources.get(request.type_name.as_str()), &None))
    }

    async fn plan_resource_change(
        &self,
        request: Request<pb::plan_resource_change::Request>,
    ) -> Answer<pb::plan_resource_change::Response> {
        answer!(self.plan(request) => plan_resource_change, in Place::of(self.shared.resources.get(request.type_name.as_str()), &request.config))
    }

    async fn apply_resource_change(
        &self,
        request: Request<pb::apply_resource_change::Request>,
    ) -> Answer<pb::apply_resource_change::Response> {
        answer!(self.apply(request) => apply_resource_change, in Place::of(self.shared.resources.get(request.type_name.as_str()), &request.config))
    }

    async fn import_resource_state(
        &self,
        request: Request<pb::import_resource_state::Request>,
    ) -> Answer<pb::import_resource_state::Response> {
        answer!(self.import(request) => import_resource_state)
    }

    async fn move_resource_state(
        &self,
        request: Request<pb::move_resource_state::Request>,
    ) -> Answer<pb::move_resource_state::Response> {
        answer!(self.move_state(request) => move_resource_state)
    }

    async fn read_data_source(
        &self,
        request: Request<pb::read_data_source::Request>,
    ) -> Answer<pb::read_data_source::Response> {
        answer!(self.read_source(request) => read_data_source, in Place::of(self.shared.data_sources.get(request.type_name.as_str()), &request.config))
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<pb::open_ephemeral_resource::Request>,
    ) -> Answer<pb::open_ephemeral_resource::Response> {
        answer!(self.open(request) => open_ephemeral_resource, in Place::of(self.shared.ephemerals.get(request.type_name.as_str()), &request.config))
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<pb::renew_ephemeral_resource::Request>,
    ) -> Answer<pb::renew_ephemeral_resource::Response> {
        answer!(self.renew(request) => renew_ephemeral_resource)
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<pb::close_ephemeral_resource::Request>,
    ) -> Answer<pb::close_ephemeral_resource::Response> {
        answer!(self.close(request) => close_ephemeral_resource)
    }

    async fn call_function(
        &self,
        request: Request<pb::call_function::Request>,
    ) -> Answer<pb::call_function::Response> {
        Ok(Response::new(self.call(request.into_inner()).await))
    }

    async fn stop_provider(
        &self,
        _: Request<pb::stop_provider::Request>,
    ) -> Answer<pb::stop_provider::Response> {
        self.shared.stop.stop();
        Ok(Response::new(pb::stop_provider::Response {
            error: String::new(),
        }))
    }
}
