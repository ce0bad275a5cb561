use tfplugin_proto::tfplugin6 as pb;

use super::guard::Doing;
use super::{ProviderServer, wire};
use crate::diagnostics::Diagnostics;
use crate::function::{Arguments, FunctionError, Signature};
use crate::provider::Provider;
use crate::value::Value;

impl<P: Provider> ProviderServer<P> {
    pub(super) async fn call(
        &self,
        request: pb::call_function::Request,
    ) -> pb::call_function::Response {
        match self.try_call(request).await {
            Ok(result) => pb::call_function::Response {
                result: Some(result),
                error: None,
            },
            Err(error) => pb::call_function::Response {
                result: None,
                error: Some(wire::function_error(error)),
            },
        }
    }

    async fn try_call(
        &self,
        request: pb::call_function::Request,
    ) -> Result<pb::DynamicValue, FunctionError> {
        let Some((function, signature)) = self.shared.functions.get(&*request.name) else {
            return Err(FunctionError::new(format!(
                "This version of the provider has no function {}.",
                request.name
            )));
        };
        let arguments = arguments(signature, &request.arguments)?;
        let cx = self.context(None);
        let called = Doing("calling", function.name())
            .guard(function.call(&cx, arguments))
            .await;
        let result = called.map_err(said)??;
        let result = signature
            .returns
            .conform(result)
            .map_err(|error| said(wire::mistyped(&error).into()))?;
        wire::dynamic(&result, &signature.returns).map_err(said)
    }
}

fn arguments(signature: &Signature, wire: &[pb::DynamicValue]) -> Result<Arguments, FunctionError> {
    let mut values: Vec<Value> = Vec::with_capacity(wire.len());
    for (index, argument) in wire.iter().enumerate() {
        let position = i64::try_from(index).unwrap_or(i64::MAX);
        let Some(parameter) = signature.parameter_at(index) else {
            return Err(FunctionError::new("There is no such argument.").argument(position));
        };
        values.push(
            wire::value(Some(argument), &parameter.of)
                .map_err(|error| said(error).argument(position))?,
        );
    }
    if values.len() < signature.parameters.len() {
        return Err(FunctionError::new("There are too few arguments."));
    }
    Ok(Arguments::new(values))
}

/// Diagnostics in the one text that a function's error has.
fn said(diagnostics: Diagnostics) -> FunctionError {
    FunctionError::new(diagnostics.to_string())
}
