//! One call to Elastic Load Balancing: tried again where that may help, and told in the words of an endpoint where it may not.

use std::error::Error as StdError;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use futures::future::BoxFuture;
use mlops_core::endpoint::spec::IngressSpec;
use mlops_core::{Error, Result};

use super::{Front, FrontKind};
use crate::clients::AwsClients;
use crate::fault::{Call, Failure, Kind};

const SERVICE: &str = "Elastic Load Balancing";

/// The attribute that is to blame when a call fails for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    LoadBalancer,
    Listener,
    /// None: it is about what the endpoint made itself.
    Nothing,
}

impl Blame {
    pub(super) fn of(ingress: &IngressSpec) -> Self {
        match ingress {
            IngressSpec::Listener { .. } => Self::LoadBalancer,
            IngressSpec::Rule { .. } => Self::Listener,
        }
    }

    pub(super) fn of_front(front: &Front) -> Self {
        match front.kind {
            FrontKind::Listener => Self::LoadBalancer,
            FrontKind::Rule => Self::Listener,
        }
    }

    fn attribute(self) -> Option<&'static str> {
        match self {
            Self::LoadBalancer => Some("ingress.load_balancer_arn"),
            Self::Listener => Some("ingress.listener_arn"),
            Self::Nothing => None,
        }
    }

    /// What the attribute names.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::LoadBalancer => "load balancer",
            Self::Listener => "listener",
            Self::Nothing => "what",
        }
    }

    fn at(self, error: Error) -> Error {
        match self.attribute() {
            Some(attribute) => error.at(attribute),
            None => error,
        }
    }
}

/// A call, for messages, and what to blame.
pub(super) struct About {
    call: Call,
    blame: Blame,
}

pub(super) fn about(operation: &'static str, resource: impl Into<String>, blame: Blame) -> About {
    About {
        call: Call {
            service: SERVICE,
            operation,
            resource: resource.into(),
        },
        blame,
    }
}

/// Makes a call that may be made twice until it succeeds, fails for good, or time is up.
pub(super) async fn run<'a, T, E>(
    clients: &'a AwsClients,
    about: &'a About,
    once: impl Fn(&'a Client) -> BoxFuture<'a, Result<T, SdkError<E, Response>>>,
) -> Result<T, Refusal>
where
    T: 'a,
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    let call = &about.call;
    let made = async {
        let client = clients
            .elbv2()
            .await
            .map_err(|error| Failure::before(call, error))?;
        let retries = clients.retries();
        retries
            .run(|| {
                let sent = once(client);
                Box::pin(async move { sent.await.map_err(|error| Failure::of(call, error)) })
            })
            .await
    };
    made.await.map_err(|failure| Refusal {
        operation: call.operation,
        resource: call.resource.clone(),
        blame: about.blame,
        failure,
    })
}

/// A call that failed for good.
#[derive(Debug)]
pub(super) struct Refusal {
    operation: &'static str,
    resource: String,
    blame: Blame,
    failure: Failure,
}

impl Refusal {
    /// Whether the service's word for it is this one.
    pub(super) fn is(&self, code: &str) -> bool {
        self.failure.code() == Some(code)
    }

    /// Whether the same call may succeed later.
    pub(super) fn is_passing(&self) -> bool {
        self.failure.kind.is_passing()
    }

    /// Whether what the call is about is gone.
    pub(super) fn is_missing(&self) -> bool {
        self.failure.kind == Kind::Missing
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            operation,
            resource,
            blame,
            failure,
        } = refusal;
        let ours = match failure.kind {
            Kind::Refused
                if failure
                    .code()
                    .is_some_and(|code| code.starts_with("TooMany")) =>
            {
                Error::invalid(format!(
                    "{SERVICE} {operation} on {resource} is beyond a quota of the account; ask AWS for a higher one, or destroy an endpoint that is not needed"
                ))
            }
            _ => return blame.at(failure.into_error()),
        };
        blame.at(ours.because(failure.into_error()))
    }
}

/// `None` where what a call was about does not exist.
pub(super) fn or_missing<T>(answer: Result<T, Refusal>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(refusal) if refusal.is_missing() => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

/// What an ingress names does not exist.
pub(super) fn nowhere(arn: &str, blame: Blame) -> Error {
    let attribute = blame.attribute().unwrap_or("its ARN");
    blame.at(Error::invalid(format!(
        "{} {arn} does not exist in this region and account; correct {attribute}, region or the credentials",
        blame.what()
    )))
}
