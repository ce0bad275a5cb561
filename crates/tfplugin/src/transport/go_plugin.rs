//! The services that go-plugin expects beside the provider's own.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tfplugin_proto::health::health_check_response::ServingStatus;
use tfplugin_proto::health::health_server::Health;
use tfplugin_proto::health::{HealthCheckRequest, HealthCheckResponse};
use tfplugin_proto::plugin::grpc_broker_server::GrpcBroker;
use tfplugin_proto::plugin::grpc_controller_server::GrpcController;
use tfplugin_proto::plugin::grpc_stdio_server::GrpcStdio;
use tfplugin_proto::plugin::{ConnInfo, Empty, StdioData};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::options::Hook;

/// What all hooks of an orderly shutdown may take together. Terraform waits for the answer that long.
const HOOKS_TIMEOUT: Duration = Duration::from_secs(10);

type Endless<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A stream that yields `first`, then nothing, and ends with the process.
fn endless<T: Send + 'static>(first: Option<T>, closing: &CancellationToken) -> Endless<T> {
    Box::pin(
        stream::iter(first.map(Ok))
            .chain(stream::pending())
            .take_until(closing.clone().cancelled_owned()),
    )
}

/// Ends the process when asked.
pub(super) struct Controller {
    hooks: Mutex<Vec<Hook>>,
    closing: CancellationToken,
    stays: bool,
}

impl Controller {
    /// `stays`: debug mode, where Terraform's end is not the process's.
    pub(super) fn new(hooks: Vec<Hook>, closing: CancellationToken, stays: bool) -> Self {
        Self {
            hooks: Mutex::new(hooks),
            closing,
            stays,
        }
    }
}

#[tonic::async_trait]
impl GrpcController for Controller {
    /// Runs the shutdown hooks, answers, and lets the process end.
    ///
    /// The hooks run before the answer because Terraform waits for the answer, but kills the process two
    /// seconds after it.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        if self.stays {
            return Ok(Response::new(Empty {}));
        }
        let hooks = std::mem::take(&mut *self.hooks.lock().unwrap_or_else(PoisonError::into_inner));
        let run_all = async {
            for hook in hooks {
                hook().await;
            }
        };
        if tokio::time::timeout(HOOKS_TIMEOUT, run_all).await.is_err() {
            tracing::warn!("the provider's shutdown hooks took too long and were cut off");
        }
        self.closing.cancel();
        Ok(Response::new(Empty {}))
    }
}

/// Would carry standard output and error to Terraform. A provider prints nothing there: its log goes to
/// standard error, which Terraform reads itself.
pub(super) struct Stdio {
    pub(super) closing: CancellationToken,
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = Endless<StdioData>;

    /// Stays open for the life of the process: Terraform takes its end for the plugin's.
    async fn stream_stdio(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(endless(None, &self.closing)))
    }
}

/// Would negotiate further connections. Terraform opens the stream and never uses it.
pub(super) struct Broker {
    pub(super) closing: CancellationToken,
}

#[tonic::async_trait]
impl GrpcBroker for Broker {
    type StartStreamStream = Endless<ConnInfo>;

    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        // Read to its end, so that the stream closes when Terraform closes its half.
        let silence = request
            .into_inner()
            .filter_map(|_| std::future::ready(None))
            .take_until(self.closing.clone().cancelled_owned());
        Ok(Response::new(Box::pin(silence)))
    }
}

/// Answers go-plugin's pings.
pub(super) struct Pulse {
    pub(super) closing: CancellationToken,
}

impl Pulse {
    fn answer(&self, request: Request<HealthCheckRequest>) -> Result<HealthCheckResponse, Status> {
        match request.get_ref().service.as_str() {
            // The empty name asks for the process as a whole.
            "plugin" | "" => Ok(HealthCheckResponse {
                status: ServingStatus::Serving.into(),
            }),
            other => Err(Status::not_found(format!(
                "there is no service {other:?} here"
            ))),
        }
    }
}

#[tonic::async_trait]
impl Health for Pulse {
    type WatchStream = Endless<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.answer(request).map(Response::new)
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let answer = self.answer(request)?;
        Ok(Response::new(endless(Some(answer), &self.closing)))
    }
}
