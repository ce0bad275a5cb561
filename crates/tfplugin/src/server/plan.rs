use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::offer::ResourceOffer;
use super::{ProviderServer, wire};
use crate::contract;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::planning::{self, Proposal};
use crate::private::PrivateState;
use crate::provider::Provider;
use crate::resource::{PlanDestroyRequest, PlanRequest, Planned, keep};
use crate::value::Value;

type Response = pb::plan_resource_change::Response;

impl<P: Provider> ProviderServer<P> {
    pub(super) async fn plan(
        &self,
        request: pb::plan_resource_change::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<Response, Diagnostics> {
        let offer = self.resource(&request.type_name)?;
        let schema = offer.schema()?;
        let of = schema.object_type();
        let prior = wire::value(request.prior_state.as_ref(), of)?;
        let proposed = wire::value(request.proposed_new_state.as_ref(), of)?;
        let private = wire::private(&request.prior_private)?;
        if proposed.is_null() {
            return self
                .plan_destroy(offer, prior, private, request, diagnostics)
                .await;
        }
        let config = wire::value(request.config.as_ref(), of)?;
        let cx = self.client_context(request.client_capabilities.as_ref())?;

        let Proposal {
            state,
            requires_replace,
            diagnostics: found,
        } = planning::propose(schema.block(), &config, &prior, proposed);
        found.into_result(()).map(drop)?;

        let checked = cfg!(debug_assertions).then(|| config.clone());
        let plan_request = PlanRequest {
            config,
            prior: (!prior.is_null()).then(|| prior.clone()),
            proposed: state,
            requires_replace: requires_replace.clone(),
            private: private.clone(),
        };
        let doing = Doing("planning", offer.name);
        let planned = doing.guard(offer.it.plan(&cx, plan_request)).await;
        diagnostics.extend(cx.take_warnings());
        let Planned {
            state,
            requires_replace: asked,
            private: answered,
            warnings,
            deferred,
        } = planned??;
        diagnostics.extend(warnings);
        if deferred.is_some() && !cx.may_defer() {
            return Err(Diagnostic::bug(format!(
                "{} deferred its plan, which this run of Terraform does not allow.",
                offer.name
            ))
            .into());
        }

        let mut state = of.conform(state).map_err(|error| wire::mistyped(&error))?;
        planning::normalize(schema.block(), &mut state);
        if let Some(config) = checked {
            let mut broken = contract::plan(schema.block(), &config, &prior, &state);
            if !prior.is_null() {
                broken.extend(contract::replacement(&prior, &state, &asked));
            }
            let broken: Diagnostics = broken
                .iter()
                .map(|violation| violation.diagnostic(&doing.to_string()))
                .collect();
            broken.into_result(())?;
        }
        let planned_identity = identity(offer, &state)?;
        Ok(Response {
            planned_state: Some(wire::dynamic(&state, of)?),
            requires_replace: replacing(&prior, &state, requires_replace, asked),
            planned_private: keep(answered, private).encode(),
            planned_identity,
            deferred: deferred.map(wire::deferred),
            ..Response::default()
        })
    }

    async fn plan_destroy(
        &self,
        offer: &ResourceOffer<P::Client>,
        prior: Value,
        private: PrivateState,
        request: pb::plan_resource_change::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<Response, Diagnostics> {
        if !prior.is_null() {
            let cx = self.client_context(request.client_capabilities.as_ref())?;
            let doing = Doing("planning the destruction of", offer.name);
            let agreed = doing
                .guard(
                    offer
                        .it
                        .plan_destroy(&cx, PlanDestroyRequest { prior, private }),
                )
                .await;
            diagnostics.extend(cx.take_warnings());
            agreed??;
        }
        Ok(Response {
            planned_state: Some(wire::null()),
            planned_private: request.prior_private,
            planned_identity: request.prior_identity,
            ..Response::default()
        })
    }
}

/// The paths that replace: those that exist and change, each once. A create replaces nothing.
fn replacing(
    prior: &Value,
    planned: &Value,
    found: Vec<Path>,
    asked: Vec<Path>,
) -> Vec<pb::AttributePath> {
    if prior.is_null() {
        return Vec::new();
    }
    let mut paths: Vec<Path> = found.into_iter().chain(asked).collect();
    paths.retain(|path| {
        contract::replacement(prior, planned, std::slice::from_ref(path)).is_empty()
    });
    paths.sort();
    paths.dedup();
    paths.iter().map(wire::path).collect()
}

/// The identity of a resource with this state, if it has one and says it.
pub(super) fn identity<C: Send + Sync + 'static>(
    offer: &ResourceOffer<C>,
    state: &Value,
) -> Result<Option<pb::ResourceIdentityData>, Diagnostics> {
    let Some(schema) = offer.identity_schema() else {
        return Ok(None);
    };
    let doing = Doing("telling the identity of", offer.name);
    let identity = doing
        .guard_sync(|| offer.it.identity_of(state.clone()))??
        .unwrap_or(Value::Null);
    if identity.is_null() {
        return Ok(None);
    }
    let of = schema.object_type();
    let identity = of
        .conform(identity)
        .map_err(|error| wire::mistyped(&error))?;
    Ok(Some(pb::ResourceIdentityData {
        identity_data: Some(wire::dynamic(&identity, &of)?),
    }))
}
