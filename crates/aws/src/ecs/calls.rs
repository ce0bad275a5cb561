//! How ECS, CloudWatch Logs and Application Auto Scaling are called, and what their words mean.

use std::error::Error as StdError;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use futures::future::BoxFuture;
use mlops_core::Error;

use crate::clients::AwsClients;
use crate::fault::{Call, Failure, Kind};

/// A call of ECS about `resource`.
pub(super) fn ecs(operation: &'static str, resource: impl Into<String>) -> Call {
    Call {
        service: "ECS",
        operation,
        resource: resource.into(),
    }
}

/// A call of CloudWatch Logs about the group `name`.
pub(super) fn logs(operation: &'static str, name: &str) -> Call {
    Call {
        service: "CloudWatch Logs",
        operation,
        resource: format!("log group {name}"),
    }
}

/// A call of Application Auto Scaling about `resource`.
pub(super) fn scaling(operation: &'static str, resource: impl Into<String>) -> Call {
    Call {
        service: "Application Auto Scaling",
        operation,
        resource: resource.into(),
    }
}

/// Reads the SDK's error. Some codes mean something else here than in other services.
fn failure<E>(call: &Call, error: SdkError<E, Response>) -> Failure
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut failure = Failure::of(call, error);
    let kind = match failure.code().unwrap_or_default() {
        "ServiceNotFoundException" | "ServiceNotActiveException" | "ClusterNotFoundException" => {
            Kind::Missing
        }
        "ObjectNotFoundException" => Kind::Missing,
        "UpdateInProgressException" | "OperationAbortedException" | "ConcurrentUpdateException" => {
            Kind::Busy
        }
        "InternalServiceException" => Kind::Lost,
        // A quota of things that exist, which no waiting makes larger.
        "LimitExceededException" => Kind::Refused,
        _ => return failure,
    };
    failure.kind = kind;
    failure
}

/// Makes a call that may be made twice.
pub(super) async fn run<'a, T, E>(
    clients: &AwsClients,
    call: &'a Call,
    mut once: impl FnMut() -> BoxFuture<'a, Result<T, SdkError<E, Response>>>,
) -> Result<T, Failure>
where
    T: 'a,
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    clients
        .retries()
        .run(|| {
            let sent = once();
            Box::pin(async move { sent.await.map_err(|error| failure(call, error)) })
        })
        .await
}

/// Makes a call that must not be made twice: if no answer came, somebody has to look whether it took effect.
pub(super) async fn run_once<'a, T, E>(
    clients: &AwsClients,
    call: &Call,
    mut once: impl FnMut() -> BoxFuture<'a, Result<T, SdkError<E, Response>>>,
) -> Result<T, Failure>
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut attempts = clients.retries().attempts();
    loop {
        attempts.permit().await;
        match once().await.map_err(|error| failure(call, error)) {
            Ok(value) => {
                attempts.succeeded();
                return Ok(value);
            }
            Err(failure) if failure.kind != Kind::Lost && attempts.again(failure.kind).await => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// Success where what a call was about does not exist.
pub(super) fn or_missing<T>(answer: Result<T, Failure>, missing: T) -> Result<T, Error> {
    match answer {
        Err(failure) if failure.kind == Kind::Missing => Ok(missing),
        other => other.map_err(Failure::into_error),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::error::ErrorMetadata;
    use aws_sdk_ecs::operation::create_service::CreateServiceError;
    use aws_smithy_types::body::SdkBody;
    use mlops_core::Class;

    use super::*;

    fn answered(code: &str) -> Failure {
        let metadata = ErrorMetadata::builder().code(code).message("no").build();
        let response = Response::new(400.try_into().expect("a status"), SdkBody::empty());
        let error = SdkError::service_error(CreateServiceError::generic(metadata), response);
        failure(&ecs("CreateService", "service digits"), error)
    }

    #[test]
    fn what_is_gone_is_told_from_what_is_refused_and_what_passes() {
        for (code, class, passes) in [
            ("ServiceNotFoundException", Class::NotFound, false),
            ("ClusterNotFoundException", Class::NotFound, false),
            ("ServiceNotActiveException", Class::NotFound, false),
            ("ResourceNotFoundException", Class::NotFound, false),
            ("ObjectNotFoundException", Class::NotFound, false),
            ("UpdateInProgressException", Class::Conflict, true),
            ("ConcurrentUpdateException", Class::Conflict, true),
            ("InternalServiceException", Class::Unavailable, true),
            ("OperationAbortedException", Class::Conflict, true),
            // Waiting makes no quota larger.
            ("LimitExceededException", Class::Invalid, false),
            ("InvalidParameterException", Class::Invalid, false),
            ("AccessDeniedException", Class::Denied, false),
            ("ThrottlingException", Class::Throttled, true),
        ] {
            let failure = answered(code);
            assert_eq!(failure.kind.is_passing(), passes, "{code}");
            assert_eq!(failure.into_error().class(), class, "{code}");
        }
    }
}
