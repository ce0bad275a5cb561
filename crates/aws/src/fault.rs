//! What went wrong in a call, decided once: whether it may have taken effect, whether to try
//! again, and what to tell the user.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId as _;
use aws_smithy_runtime_api::http::Response;
use mlops_core::{Class, Error};

/// A call, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// `DynamoDB`, `S3`, `STS`, `Elastic Load Balancing`.
    pub(crate) service: &'static str,
    /// The operation, as AWS calls it.
    pub(crate) operation: &'static str,
    /// What it was about: `table acme-mlops in eu-west-1`.
    pub(crate) resource: String,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The service asks for less. Nothing was done.
    Throttled,
    /// The service is at something else with the same object. Nothing was done.
    Busy,
    /// A condition of the call did not hold. Nothing was done.
    Condition,
    /// No connection could be made. Nothing was done.
    Unreachable,
    /// No answer came, or one that says nothing: it may have been done.
    Lost,
    /// This machine's clock is wrong. The SDK has learned the right time from the answer.
    Skewed,
    /// There are no credentials, or the service does not know or no longer accepts them.
    Credentials,
    /// The credentials do not permit it.
    Denied,
    /// What the call is about does not exist.
    Missing,
    /// The request is wrong.
    Refused,
}

impl Kind {
    /// Whether the same call may succeed later.
    pub(crate) fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Busy | Self::Unreachable | Self::Lost | Self::Skewed
        )
    }

    /// What the user does next.
    fn advice(self) -> &'static str {
        match self {
            Self::Throttled => {
                "the service was asked more than it permits for as long as this run waits: raise the limit, or run less at once"
            }
            Self::Busy => "somebody else kept writing the same object; run the operation again",
            Self::Condition => "somebody else changed it; run the operation again",
            Self::Unreachable => {
                "no connection could be made: check region, endpoints, proxy and network"
            }
            Self::Lost => "no usable answer came: check the network, then run the operation again",
            Self::Skewed => "set this machine's clock: AWS refuses requests whose time is off",
            Self::Credentials => {
                "renew or correct the credentials: access keys, profile, environment or role"
            }
            Self::Denied => "let the identity that runs this do so, or use another one",
            Self::Missing => "check its name, the region and the account",
            Self::Refused => "correct the settings; if they are right, report this",
        }
    }

    fn class(self) -> Class {
        match self {
            Self::Throttled => Class::Throttled,
            Self::Busy | Self::Condition => Class::Conflict,
            Self::Unreachable | Self::Lost => Class::Unavailable,
            Self::Skewed | Self::Credentials | Self::Denied => Class::Denied,
            Self::Missing => Class::NotFound,
            Self::Refused => Class::Invalid,
        }
    }
}

/// A call that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    about: Box<About>,
}

#[derive(Debug)]
struct About {
    call: Call,
    /// The service's word for it, if it answered.
    code: Option<String>,
    message: Option<String>,
    request: Option<String>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
    /// The attribute at fault, if a single one is.
    attribute: Option<String>,
    /// An error of ours, which says everything already.
    ours: Option<Error>,
}

impl Failure {
    fn new(call: &Call, kind: Kind) -> Self {
        Self {
            kind,
            about: Box::new(About {
                call: call.clone(),
                code: None,
                message: None,
                request: None,
                cause: None,
                attribute: None,
                ours: None,
            }),
        }
    }

    /// The call was not made, for a reason that has its message.
    pub(crate) fn before(call: &Call, error: Error) -> Self {
        let mut failure = Self::new(call, Kind::Refused);
        failure.about.ours = Some(error);
        failure
    }

    /// The call failed in this way, which has its message.
    pub(crate) fn told(call: &Call, kind: Kind, error: Error) -> Self {
        let mut failure = Self::new(call, kind);
        failure.about.ours = Some(error);
        failure
    }

    /// The call could not be put together, which is a fault of this program.
    pub(crate) fn bug(call: &Call, error: impl StdError + Send + Sync + 'static) -> Self {
        let text = format!(
            "{} {} on {} could not be put together; report this",
            call.service, call.operation, call.resource
        );
        Self::before(call, Error::bug(text).because(error))
    }

    /// Reads the SDK's error.
    pub(crate) fn of<E>(call: &Call, error: SdkError<E, Response>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let mut failure = Self::new(call, Kind::Lost);
        let about = &mut *failure.about;
        about.code = error.code().map(str::to_owned);
        about.message = error.message().map(str::to_owned);
        about.request = request_id(&error);
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        if let SdkError::ServiceError(_) = &error {
            let message = about.message.as_deref().unwrap_or_default();
            failure.kind = classify(about.code.as_deref(), status, message);
            if failure.kind == Kind::Credentials {
                // A service that refuses a signature repeats the request, session token and all.
                about.message = None;
            }
            return failure;
        }
        if let Some(found) = find::<CredentialsError>(&error) {
            failure.kind = Kind::Credentials;
            about.message = Some(about_credentials(found));
            about.attribute = find::<Error>(found)
                .and_then(Error::attribute)
                .map(str::to_owned);
            return failure;
        }
        failure.kind = match &error {
            SdkError::ConstructionFailure(_) => Kind::Refused,
            _ if find::<hyper_util::client::legacy::Error>(&error)
                .is_some_and(hyper_util::client::legacy::Error::is_connect) =>
            {
                Kind::Unreachable
            }
            _ => Kind::Lost,
        };
        about.cause = error.into_source().ok();
        failure
    }

    /// A failure that an answer reports inside of itself, as the reasons of a cancelled
    /// transaction are.
    pub(crate) fn inside(call: &Call, code: &str, message: Option<&str>) -> Self {
        let kind = classify(Some(code), Some(400), message.unwrap_or_default());
        let mut failure = Self::new(call, kind);
        failure.about.code = Some(code.to_owned());
        failure.about.message = message.map(str::to_owned);
        failure
    }

    /// The same call, with what its answer gave as the reason.
    pub(crate) fn with_reason(self, mut reason: Self) -> Self {
        reason.about.request = self.about.request;
        reason
    }

    /// The service's word for it, if it answered.
    pub(crate) fn code(&self) -> Option<&str> {
        self.about.code.as_deref()
    }

    /// For the user: service, operation, resource, what the service said, what to do.
    pub(crate) fn into_error(self) -> Error {
        let about = *self.about;
        if let Some(ours) = about.ours {
            return ours;
        }
        let advice = match self.kind {
            Kind::Denied => missing_action(&about.call, about.message.as_deref()),
            _ => None,
        };
        let Call {
            service,
            operation,
            resource,
        } = about.call;
        let mut text = format!("{service} {operation} on {resource} failed");
        if let Some(code) = about.code {
            text.push_str(&format!(" with {code}"));
        }
        if let Some(message) = about.message.filter(|message| !message.is_empty()) {
            text.push_str(&format!(": {}", message.trim_end_matches('.')));
        }
        if let Some(request) = about.request {
            text.push_str(&format!(" (request {request})"));
        }
        text.push_str("; ");
        match advice {
            Some(action) => text.push_str(&format!(
                "let the identity that runs this do {action}, or use another one"
            )),
            None => text.push_str(self.kind.advice()),
        }
        let mut error = Error::new(self.kind.class(), text);
        if let Some(attribute) = about.attribute {
            error = error.at(attribute);
        }
        match about.cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    }
}

fn request_id<E>(error: &SdkError<E, Response>) -> Option<String> {
    let response = error.raw_response()?;
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    response
        .request_id()
        .map(str::to_owned)
        .or_else(|| header("x-amzn-requestid"))
        .or_else(|| header("x-amz-request-id"))
}

/// What IAM has to allow: the action that the service misses, which may be another one than the call's own (of tags, of roles).
fn missing_action(call: &Call, message: Option<&str>) -> Option<String> {
    let said = message.and_then(|message| message.split_once("is not authorized to perform: "));
    let said = said.and_then(|(_, rest)| rest.split([' ', ',']).next());
    if let Some(action) = said.filter(|action| action.contains(':')) {
        return Some(action.to_owned());
    }
    // Of these services every operation is an action of its own.
    let prefix = match call.service {
        "ACM" => "acm",
        "ECS" => "ecs",
        "Elastic Load Balancing" => "elasticloadbalancing",
        "CloudWatch" => "cloudwatch",
        "CloudWatch Logs" => "logs",
        "EC2" => "ec2",
        "EC2 Auto Scaling" => "autoscaling",
        "ECR" => "ecr",
        "IAM" => "iam",
        "KMS" => "kms",
        "Route 53" => "route53",
        "ServiceQuotas" => "servicequotas",
        "SecretsManager" => "secretsmanager",
        "Application Auto Scaling" => "application-autoscaling",
        _ => return None,
    };
    Some(format!("{prefix}:{}", call.operation))
}

/// The service's word, else the status, decides.
fn classify(code: Option<&str>, status: Option<u16>, message: &str) -> Kind {
    match code.unwrap_or_default() {
        "Throttling"
        | "ThrottlingException"
        | "ThrottlingError"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceeded"
        | "ProvisionedThroughputExceededException"
        | "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "PriorRequestNotComplete"
        | "SlowDown" => Kind::Throttled,
        "TransactionConflict"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException"
        | "ConditionalRequestConflict"
        | "OperationAborted"
        // versitygw's, while another call makes or removes a directory of the same path.
        | "ExistingObjectIsDirectory" => Kind::Busy,
        "ConditionalCheckFailed" | "ConditionalCheckFailedException" | "PreconditionFailed" => {
            Kind::Condition
        }
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => Kind::Skewed,
        // DynamoDB has one word for a wrong key and a wrong clock.
        "InvalidSignatureException" | "SignatureDoesNotMatch"
            if message.contains("Signature expired")
                || message.contains("Signature not yet current") =>
        {
            Kind::Skewed
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "TokenRefreshRequired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "InvalidIdentityToken"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => Kind::Credentials,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "KMSAccessDeniedException"
        | "KMS.DisabledException"
        | "AllAccessDisabled"
        | "AccountProblem" => Kind::Denied,
        "ResourceNotFoundException"
        | "TableNotFoundException"
        | "RepositoryNotFoundException"
        | "LoadBalancerNotFound"
        | "ListenerNotFound"
        | "RuleNotFound"
        | "TargetGroupNotFound"
        | "NoSuchEntity"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "NoSuchUpload"
        | "NotFound" => Kind::Missing,
        "RequestTimeout"
        | "RequestTimeoutException"
        | "InternalServerError"
        | "InternalError"
        | "InternalFailure"
        | "ServiceUnavailable" => Kind::Lost,
        _ => match status {
            Some(429) => Kind::Throttled,
            Some(412) => Kind::Condition,
            Some(401 | 403) => Kind::Denied,
            Some(404) => Kind::Missing,
            Some(status) if status >= 500 => Kind::Lost,
            Some(_) => Kind::Refused,
            None => Kind::Lost,
        },
    }
}

fn about_credentials(error: &CredentialsError) -> String {
    if let Some(ours) = find::<Error>(error) {
        return ours.to_string();
    }
    let mut text = match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "no credentials were found in settings, environment, profile, container or instance"
        }
        _ => "credentials could not be had",
    }
    .to_owned();
    // The SDK says what is wrong in the causes, which hold no secret.
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// The first cause of type `T`.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            service: "DynamoDB",
            operation: "GetItem",
            resource: "table acme".to_owned(),
        }
    }

    #[test]
    fn the_services_words_decide_and_else_the_status() {
        for (code, status, kind) in [
            ("ThrottlingException", 400, Kind::Throttled),
            (
                "ProvisionedThroughputExceededException",
                400,
                Kind::Throttled,
            ),
            ("SlowDown", 503, Kind::Throttled),
            ("TransactionInProgressException", 400, Kind::Busy),
            ("ExistingObjectIsDirectory", 409, Kind::Busy),
            ("ConditionalCheckFailedException", 400, Kind::Condition),
            ("ExpiredTokenException", 400, Kind::Credentials),
            ("AccessDeniedException", 400, Kind::Denied),
            ("ResourceNotFoundException", 400, Kind::Missing),
            ("LoadBalancerNotFound", 400, Kind::Missing),
            ("ListenerNotFound", 400, Kind::Missing),
            ("RuleNotFound", 400, Kind::Missing),
            ("TargetGroupNotFound", 400, Kind::Missing),
            ("ValidationException", 400, Kind::Refused),
            ("InternalServerError", 500, Kind::Lost),
            ("", 429, Kind::Throttled),
            ("", 403, Kind::Denied),
            ("", 404, Kind::Missing),
            ("", 412, Kind::Condition),
            ("Unheard", 502, Kind::Lost),
            ("Unheard", 400, Kind::Refused),
        ] {
            assert_eq!(
                classify(Some(code), Some(status), ""),
                kind,
                "{code} {status}"
            );
        }
        assert_eq!(classify(None, None, ""), Kind::Lost);
    }

    #[test]
    fn a_wrong_clock_is_told_from_a_wrong_key() {
        let code = Some("InvalidSignatureException");
        let late = "Signature expired: 20261121T050000Z is now earlier than 20261121T060000Z";
        assert_eq!(classify(code, Some(400), late), Kind::Skewed);
        let wrong = "The request signature we calculated does not match";
        assert_eq!(classify(code, Some(400), wrong), Kind::Credentials);
    }

    #[test]
    fn what_is_denied_is_named_as_a_policy_names_it() {
        let ecs = Call {
            service: "ECS",
            operation: "RegisterTaskDefinition",
            resource: "family f".to_owned(),
        };
        let role = "User: arn:aws:iam::1:user/a is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/b";
        for (call, message, advised) in [
            (&ecs, Some(role), "do iam:PassRole,"),
            (&ecs, Some("no"), "do ecs:RegisterTaskDefinition,"),
            (&ecs, None, "do ecs:RegisterTaskDefinition,"),
            (&call(), Some("no"), "do so,"),
        ] {
            let failure = Failure::inside(call, "AccessDeniedException", message);
            let text = failure.into_error().to_string();
            assert!(text.contains(advised), "{advised} is not in {text}");
        }
    }

    #[test]
    fn the_message_names_service_operation_resource_and_what_to_do() {
        let failure = Failure::inside(&call(), "AccessDenied", Some("not authorized."));
        let error = failure.into_error();
        assert_eq!(
            error.to_string(),
            "DynamoDB GetItem on table acme failed with AccessDenied: not authorized; let the identity that runs this do so, or use another one"
        );
        assert_eq!(error.class(), Class::Denied);
    }
}
