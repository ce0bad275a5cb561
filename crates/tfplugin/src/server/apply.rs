use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::offer::ResourceOffer;
use super::plan::identity;
use super::{ProviderServer, wire};
use crate::contract;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::planning;
use crate::private::PrivateState;
use crate::provider::Provider;
use crate::resource::{Applied, ApplyFailed, CreateRequest, DeleteRequest, UpdateRequest, keep};
use crate::schema::Schema;
use crate::value::Value;

type Response = pb::apply_resource_change::Response;

/// What there is after an apply, whatever became of it.
struct Outcome {
    state: Value,
    private: PrivateState,
}

impl<P: Provider> ProviderServer<P> {
    /// Always answers with a state: what it says is there is what Terraform stores, errors or not.
    pub(super) async fn apply(
        &self,
        request: pb::apply_resource_change::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<Response, Diagnostics> {
        let untouched = Response {
            new_state: request.prior_state.clone(),
            private: request.planned_private.clone(),
            ..Response::default()
        };
        match self.try_apply(request, diagnostics).await {
            Ok(response) => Ok(response),
            Err(errors) => {
                diagnostics.extend(errors);
                Ok(untouched)
            }
        }
    }

    async fn try_apply(
        &self,
        request: pb::apply_resource_change::Request,
        diagnostics: &mut Diagnostics,
    ) -> Result<Response, Diagnostics> {
        let offer = self.resource(&request.type_name)?;
        let schema = offer.schema()?;
        let of = schema.object_type();
        let prior = wire::value(request.prior_state.as_ref(), of)?;
        let planned = wire::value(request.planned_state.as_ref(), of)?;
        let config = wire::value(request.config.as_ref(), of)?;
        let private = wire::private(&request.planned_private)?;
        let cx = self.client_context(None)?;

        let before = Outcome {
            state: prior.clone(),
            private: private.clone(),
        };
        let (doing, result) = match (prior.is_null(), planned.is_null()) {
            (_, true) => {
                let doing = Doing("deleting", offer.name);
                let deleted = doing
                    .guard(offer.it.delete(&cx, DeleteRequest { prior, private }))
                    .await;
                let gone = || Applied {
                    private: Some(PrivateState::new()),
                    ..Applied::new(Value::Null)
                };
                (doing, deleted.map(|deleted| deleted.map(|()| gone())))
            }
            (true, false) => {
                let doing = Doing("creating", offer.name);
                let request = CreateRequest {
                    config,
                    planned: planned.clone(),
                    private,
                };
                (doing, doing.guard(offer.it.create(&cx, request)).await)
            }
            (false, false) => {
                let doing = Doing("updating", offer.name);
                let request = UpdateRequest {
                    config,
                    prior,
                    planned: planned.clone(),
                    private,
                };
                (doing, doing.guard(offer.it.update(&cx, request)).await)
            }
        };
        diagnostics.extend(cx.take_warnings());
        let outcome = match result {
            Ok(Ok(applied)) => succeeded(doing, schema, &planned, before, applied, diagnostics),
            Ok(Err(failed)) => self::failed(doing, schema, before, failed, diagnostics),
            Err(panicked) => {
                diagnostics.extend(panicked);
                before
            }
        };
        response(offer, schema, outcome, diagnostics)
    }
}

fn succeeded(
    doing: Doing<'_>,
    schema: &Schema,
    planned: &Value,
    before: Outcome,
    applied: Applied<Value>,
    diagnostics: &mut Diagnostics,
) -> Outcome {
    let Applied {
        state,
        private,
        warnings,
    } = applied;
    diagnostics.extend(warnings);
    let private = keep(private, before.private);
    match schema.object_type().conform(state) {
        Ok(mut state) => {
            planning::normalize(schema.block(), &mut state);
            if cfg!(debug_assertions) && !planned.is_null() {
                let mut broken = contract::completes(planned, &state);
                broken.extend(contract::stored(schema.block(), &state));
                diagnostics.extend(
                    broken
                        .iter()
                        .map(|violation| violation.diagnostic(&doing.to_string())),
                );
            }
            Outcome { state, private }
        }
        Err(error) => {
            // Something was made, so Terraform must know of it: what was planned is the best guess.
            diagnostics.push(wire::mistyped(&error));
            Outcome {
                state: planned.clone(),
                private,
            }
        }
    }
}

fn failed(
    doing: Doing<'_>,
    schema: &Schema,
    before: Outcome,
    failed: ApplyFailed<Value>,
    diagnostics: &mut Diagnostics,
) -> Outcome {
    let ApplyFailed {
        diagnostics: errors,
        state,
        private,
    } = failed;
    if !errors.has_errors() {
        diagnostics.push(Diagnostic::bug(format!(
            "The provider failed while {doing}, but gave no reason."
        )));
    }
    diagnostics.extend(errors);
    let private = keep(private, before.private);
    let state = match state.map(|state| schema.object_type().conform(*state)) {
        None => before.state,
        Some(Ok(mut state)) => {
            planning::normalize(schema.block(), &mut state);
            state
        }
        Some(Err(error)) => {
            diagnostics.push(wire::mistyped(&error));
            before.state
        }
    };
    Outcome { state, private }
}

fn response<C: Send + Sync + 'static>(
    offer: &ResourceOffer<C>,
    schema: &Schema,
    outcome: Outcome,
    diagnostics: &mut Diagnostics,
) -> Result<Response, Diagnostics> {
    // Nothing unknown can be stored. After a failure that is expected; after a success it was reported.
    let state = if outcome.state.is_wholly_known() {
        outcome.state
    } else {
        outcome.state.unknown_as_null()
    };
    let new_identity = match state.is_null() {
        true => None,
        // The state matters more than what can be told about it.
        false => identity(offer, &state).unwrap_or_else(|errors| {
            diagnostics.extend(errors);
            None
        }),
    };
    Ok(Response {
        private: if state.is_null() {
            Vec::new()
        } else {
            outcome.private.encode()
        },
        new_state: Some(wire::dynamic(&state, schema.object_type())?),
        new_identity,
        ..Response::default()
    })
}
