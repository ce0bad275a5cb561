use std::collections::{BTreeMap, HashMap};

use tfplugin_proto::tfplugin6::{self as pb, get_metadata};

use super::offer::Offer;
use super::{ProviderServer, wire};
use crate::diagnostics::Diagnostics;
use crate::provider::Provider;

/// Destroys are planned by us; core need not load schemas that it has; `moved` between types is served.
const CAPABILITIES: pb::ServerCapabilities = pb::ServerCapabilities {
    plan_destroy: true,
    get_provider_schema_optional: true,
    move_resource_state: true,
    generate_resource_config: false,
};

impl<P: Provider> ProviderServer<P> {
    pub(super) fn metadata(&self) -> get_metadata::Response {
        let type_name = |name: &&'static str| (*name).to_owned();
        let shared = &self.shared;
        get_metadata::Response {
            server_capabilities: Some(CAPABILITIES),
            resources: shared
                .resources
                .keys()
                .map(type_name)
                .map(|type_name| get_metadata::ResourceMetadata { type_name })
                .collect(),
            data_sources: shared
                .data_sources
                .keys()
                .map(type_name)
                .map(|type_name| get_metadata::DataSourceMetadata { type_name })
                .collect(),
            ephemeral_resources: shared
                .ephemerals
                .keys()
                .map(type_name)
                .map(|type_name| get_metadata::EphemeralResourceMetadata { type_name })
                .collect(),
            functions: shared
                .functions
                .keys()
                .map(type_name)
                .map(|name| get_metadata::FunctionMetadata { name })
                .collect(),
            ..Default::default()
        }
    }

    pub(super) fn schemas(&self) -> pb::get_provider_schema::Response {
        let shared = &self.shared;
        let mut broken = Diagnostics::new();
        let provider = shared
            .config
            .schema()
            .map(wire::schema)
            .map_err(|errors| broken.extend(errors))
            .ok();
        pb::get_provider_schema::Response {
            provider,
            resource_schemas: all(&shared.resources, &mut broken),
            data_source_schemas: all(&shared.data_sources, &mut broken),
            ephemeral_resource_schemas: all(&shared.ephemerals, &mut broken),
            functions: self.function_signatures().functions,
            server_capabilities: Some(CAPABILITIES),
            diagnostics: wire::diagnostics(broken),
            ..Default::default()
        }
    }

    pub(super) fn identity_schemas(&self) -> pb::get_resource_identity_schemas::Response {
        let identified = self.shared.resources.iter().filter_map(|(name, offer)| {
            Some((
                (*name).to_owned(),
                wire::identity_schema(offer.identity_schema()?),
            ))
        });
        pb::get_resource_identity_schemas::Response {
            identity_schemas: identified.collect(),
            diagnostics: Vec::new(),
        }
    }

    pub(super) fn function_signatures(&self) -> pb::get_functions::Response {
        let functions = self
            .shared
            .functions
            .iter()
            .map(|(name, (_, signature))| ((*name).to_owned(), wire::function(signature)));
        pb::get_functions::Response {
            functions: functions.collect(),
            diagnostics: Vec::new(),
        }
    }
}

fn all<T>(
    offers: &BTreeMap<&'static str, Offer<T>>,
    broken: &mut Diagnostics,
) -> HashMap<String, pb::Schema> {
    let mut schemas = HashMap::with_capacity(offers.len());
    for (name, offer) in offers {
        match offer.schema() {
            Ok(schema) => {
                schemas.insert((*name).to_owned(), wire::schema(schema));
            }
            Err(errors) => broken.extend(errors),
        }
    }
    schemas
}
