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
    /// `DynamoDB`, `S3`, `STS`.
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
    /// The service's word for it, if it answered.
    pub(crate) code: Option<String>,
    call: Call,
    message: Option<String>,
    request: Option<String>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Failure {
    /// Reads the SDK's error.
    pub(crate) fn of<E>(call: &Call, error: SdkError<E, Response>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let mut failure = Self {
            kind: Kind::Lost,
            code: error.code().map(str::to_owned),
            call: call.clone(),
            message: error.message().map(str::to_owned),
            request: request_id(&error),
            cause: None,
        };
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        if let SdkError::ServiceError(_) = &error {
            failure.kind = classify(
                failure.code.as_deref(),
                status,
                failure.message.as_deref().unwrap_or_default(),
            );
            if failure.kind == Kind::Credentials {
                // A service that refuses a signature repeats the request, session token and all.
                failure.message = None;
            }
            return failure;
        }
        if let Some(found) = find::<CredentialsError>(&error) {
            failure.kind = Kind::Credentials;
            failure.message = Some(about_credentials(found));
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
        failure.cause = error.into_source().ok();
        failure
    }

    /// A failure that an answer reports inside of itself, as the reasons of a cancelled
    /// transaction are.
    pub(crate) fn inside(call: &Call, code: &str, message: Option<&str>) -> Self {
        Self {
            kind: classify(Some(code), Some(400), message.unwrap_or_default()),
            code: Some(code.to_owned()),
            call: call.clone(),
            message: message.map(str::to_owned),
            request: None,
            cause: None,
        }
    }

    /// The message of the service.
    pub(crate) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// For the user: service, operation, resource, what the service said, what to do.
    pub(crate) fn into_error(self) -> Error {
        let Call {
            service,
            operation,
            resource,
        } = &self.call;
        let mut text = format!("{service} {operation} on {resource} failed");
        if let Some(code) = &self.code {
            text.push_str(&format!(" with {code}"));
        }
        if let Some(message) = self
            .message
            .as_deref()
            .filter(|message| !message.is_empty())
        {
            text.push_str(&format!(": {}", message.trim_end_matches('.')));
        }
        if let Some(request) = &self.request {
            text.push_str(&format!(" (request {request})"));
        }
        text.push_str("; ");
        text.push_str(match self.kind {
            Kind::Throttled => {
                "the service was asked more than it permits for as long as this run waits: raise the limit, or run less at once"
            }
            Kind::Busy => "somebody else kept writing the same object; run the operation again",
            Kind::Condition => "somebody else changed it; run the operation again",
            Kind::Unreachable => {
                "no connection could be made: check region, endpoints, proxy and network"
            }
            Kind::Lost => "no usable answer came: check the network, then run the operation again",
            Kind::Skewed => "set this machine's clock: AWS refuses requests whose time is off",
            Kind::Credentials => {
                "renew or correct the credentials: access keys, profile, environment or role"
            }
            Kind::Denied => "let the identity that runs this do so, or use another one",
            Kind::Missing => "check its name, the region and the account",
            Kind::Refused => "correct the settings; if they are right, report this",
        });
        let error = Error::new(self.kind.class(), text);
        match self.cause {
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
        | "OperationAborted" => Kind::Busy,
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
    match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "no credentials were found in settings, environment, profile, container or instance"
                .to_owned()
        }
        other => {
            // The SDK says what is wrong in the causes, which hold no secret.
            let mut text = "credentials could not be had".to_owned();
            let mut next = other.source();
            while let Some(cause) = next {
                text.push_str(&format!(": {cause}"));
                next = cause.source();
            }
            text
        }
    }
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
