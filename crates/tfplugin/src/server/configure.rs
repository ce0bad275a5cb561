use std::sync::Arc;

use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::{ProviderServer, unknown_type, wire};
use crate::context::Context;
use crate::convert::FromValue as _;
use crate::diagnostics::Diagnostics;
use crate::provider::Provider;
use crate::schema::Schema;
use crate::validate;
use crate::value::Value;

impl<P: Provider> ProviderServer<P> {
    pub(super) async fn validate_provider(
        &self,
        request: pb::validate_provider_config::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::validate_provider_config::Response, Diagnostics> {
        let schema = self.shared.config.schema()?;
        let config = wire::value(request.config.as_ref(), schema.object_type())?;
        self.check(
            schema,
            config,
            true,
            "the provider",
            diagnostics,
            |cx, config, problems| {
                let Some(rules) = self.shared.provider.validate_config() else {
                    return;
                };
                match P::Config::from_value(config) {
                    Ok(config) => rules.validate_config(cx, &config, problems),
                    Err(error) => problems.push(error.into()),
                }
            },
        )?;
        Ok(Default::default())
    }

    pub(super) async fn validate_resource(
        &self,
        request: pb::validate_resource_config::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::validate_resource_config::Response, Diagnostics> {
        let offer = self.resource(&request.type_name)?;
        let schema = offer.schema()?;
        let config = wire::value(request.config.as_ref(), schema.object_type())?;
        let write_only = request
            .client_capabilities
            .is_some_and(|client| client.write_only_attributes_allowed);
        self.check(
            schema,
            config,
            write_only,
            offer.name,
            diagnostics,
            |cx, config, problems| {
                offer.it.validate_config(cx, config, problems);
            },
        )?;
        Ok(Default::default())
    }

    pub(super) async fn validate_data_source(
        &self,
        request: pb::validate_data_resource_config::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::validate_data_resource_config::Response, Diagnostics> {
        let offer = self.shared.data_sources.get(&*request.type_name);
        let offer = offer.ok_or_else(|| unknown_type("data source", &request.type_name))?;
        let schema = offer.schema()?;
        let config = wire::value(request.config.as_ref(), schema.object_type())?;
        self.check(
            schema,
            config,
            false,
            offer.name,
            diagnostics,
            |cx, config, problems| {
                offer.it.validate_config(cx, config, problems);
            },
        )?;
        Ok(Default::default())
    }

    pub(super) async fn validate_ephemeral(
        &self,
        request: pb::validate_ephemeral_resource_config::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::validate_ephemeral_resource_config::Response, Diagnostics> {
        let offer = self.shared.ephemerals.get(&*request.type_name);
        let offer = offer.ok_or_else(|| unknown_type("ephemeral resource", &request.type_name))?;
        let schema = offer.schema()?;
        let config = wire::value(request.config.as_ref(), schema.object_type())?;
        self.check(
            schema,
            config,
            false,
            offer.name,
            diagnostics,
            |cx, config, problems| {
                offer.it.validate_config(cx, config, problems);
            },
        )?;
        Ok(Default::default())
    }

    /// The schema's rules, and the author's on what they let through.
    fn check(
        &self,
        schema: &Schema,
        config: Value,
        write_only_allowed: bool,
        name: &str,
        diagnostics: &mut Diagnostics,
        author: impl FnOnce(&Context, Value, &mut Diagnostics),
    ) -> Result<(), Diagnostics> {
        let problems = validate::config(schema.block(), &config, write_only_allowed);
        let refused = problems.has_errors();
        diagnostics.extend(problems);
        if !refused {
            let cx = self.context(None);
            Doing("checking the configuration of", name)
                .guard_sync(|| author(&cx, config, diagnostics))?;
            diagnostics.extend(cx.take_warnings());
        }
        Ok(())
    }

    pub(super) async fn configure(
        &self,
        request: pb::configure_provider::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<pb::configure_provider::Response, Diagnostics> {
        let schema = self.shared.config.schema()?;
        let config = wire::value(request.config.as_ref(), schema.object_type())?;
        let config = P::Config::from_value(config)?;
        let version: Arc<str> = Arc::from(request.terraform_version);
        self.configured().terraform_version = version;
        let cx = self.context(request.client_capabilities.as_ref());
        let client = Doing("configuring", "the provider")
            .guard(self.shared.provider.configure(&cx, config))
            .await;
        diagnostics.extend(cx.take_warnings());
        self.configured().client = Some(client??);
        Ok(Default::default())
    }
}
