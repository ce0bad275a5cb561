//! Panics in an RPC, turned into diagnostics that Terraform can show.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tfplugin_proto::tfplugin6 as pb;
use tonic::body::Body;
use tonic::codegen::http;

use super::guard::Subject;

/// A panic, as far as it can be told.
#[derive(Debug)]
pub(super) struct Panic {
    message: String,
    location: Option<String>,
}

thread_local! {
    /// True while this thread polls a guarded operation.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic of a guarded operation was, until it is caught.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics of guarded operations go to the log, with their backtrace, and leaves all others to the
/// hook that was there before.
pub(super) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                return before(info);
            }
            let location = info.location().map(ToString::to_string);
            tracing::error!(
                message = text(info.payload()),
                location = location.as_deref(),
                backtrace = %Backtrace::capture(),
                "panic in a provider operation",
            );
            LOCATION.set(location);
        }));
    });
}

/// A future whose panics are values.
pub(super) struct Caught<F: ?Sized>(Pin<Box<F>>);

impl<F: Future> Caught<F> {
    pub(super) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        GUARDED.set(true);
        // Unwind safe in effect: the future is dropped after a panic, never polled again.
        let polled = panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx)));
        GUARDED.set(false);
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(Panic {
                message: text(&*payload).to_owned(),
                location: LOCATION.take(),
            })),
        }
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

/// The answer to the RPC `method` that panicked.
pub(super) fn response(
    method: &str,
    type_name: Option<&str>,
    panic: &Panic,
    subject: &Subject,
) -> http::Response<Body> {
    let Subject { name, version } = subject;
    let about = type_name.map_or_else(String::new, |name| format!(" for {name}"));
    let at = panic
        .location
        .as_deref()
        .map_or_else(String::new, |location| format!(" at {location}"));
    let diagnostic = pb::Diagnostic {
        severity: pb::diagnostic::Severity::Error.into(),
        summary: format!("The provider failed in {method}{about}"),
        detail: format!(
            "The provider panicked{at}: {}\n\n\
             This is a bug in the provider {name} {version}, not in the configuration. Please report it with \
             this text. What the operation had done by then may not be in the state: run a plan before \
             anything else.",
            panic.message,
        ),
        attribute: None,
    };
    match encode(method, diagnostic) {
        Some(message) => reply(&message),
        None => {
            tonic::Status::internal(format!("{method} panicked{at}: {}", panic.message)).into_http()
        }
    }
}

/// The response of `method` that carries nothing but `diagnostic`.
#[expect(
    clippy::needless_update,
    reason = "some responses hold nothing but diagnostics"
)]
fn encode(method: &str, diagnostic: pb::Diagnostic) -> Option<Vec<u8>> {
    macro_rules! with_diagnostics {
        ($($name:literal => $module:ident),* $(,)?) => {
            match method {
                $($name => pb::$module::Response {
                    diagnostics: vec![diagnostic],
                    ..Default::default()
                }
                .encode_to_vec(),)*
                "CallFunction" => pb::call_function::Response {
                    error: Some(pb::FunctionError {
                        text: format!("{}. {}", diagnostic.summary, diagnostic.detail),
                        function_argument: None,
                    }),
                    result: None,
                }
                .encode_to_vec(),
                "StopProvider" => pb::stop_provider::Response {
                    error: diagnostic.detail,
                }
                .encode_to_vec(),
                "ListResource" => pb::list_resource::Event {
                    diagnostic: vec![diagnostic],
                    ..Default::default()
                }
                .encode_to_vec(),
                "InvokeAction" => pb::invoke_action::Event {
                    r#type: Some(pb::invoke_action::event::Type::Completed(
                        pb::invoke_action::event::Completed {
                            diagnostics: vec![diagnostic],
                        },
                    )),
                }
                .encode_to_vec(),
                "ReadStateBytes" => pb::read_state_bytes::ResponseChunk {
                    diagnostics: vec![diagnostic],
                    ..Default::default()
                }
                .encode_to_vec(),
                _ => return None,
            }
        };
    }
    Some(with_diagnostics! {
        "GetMetadata" => get_metadata,
        "GetProviderSchema" => get_provider_schema,
        "GetResourceIdentitySchemas" => get_resource_identity_schemas,
        "GetFunctions" => get_functions,
        "ValidateProviderConfig" => validate_provider_config,
        "ValidateResourceConfig" => validate_resource_config,
        "ValidateDataResourceConfig" => validate_data_resource_config,
        "ValidateEphemeralResourceConfig" => validate_ephemeral_resource_config,
        "ValidateListResourceConfig" => validate_list_resource_config,
        "ValidateActionConfig" => validate_action_config,
        "ValidateStateStoreConfig" => validate_state_store_config,
        "ConfigureProvider" => configure_provider,
        "UpgradeResourceState" => upgrade_resource_state,
        "UpgradeResourceIdentity" => upgrade_resource_identity,
        "ReadResource" => read_resource,
        "PlanResourceChange" => plan_resource_change,
        "ApplyResourceChange" => apply_resource_change,
        "ImportResourceState" => import_resource_state,
        "MoveResourceState" => move_resource_state,
        "GenerateResourceConfig" => generate_resource_config,
        "ReadDataSource" => read_data_source,
        "OpenEphemeralResource" => open_ephemeral_resource,
        "RenewEphemeralResource" => renew_ephemeral_resource,
        "CloseEphemeralResource" => close_ephemeral_resource,
        "PlanAction" => plan_action,
        "ConfigureStateStore" => configure_state_store,
        "WriteStateBytes" => write_state_bytes,
        "LockState" => lock_state,
        "UnlockState" => unlock_state,
        "GetStates" => get_states,
        "DeleteState" => delete_state,
    })
}

/// A successful gRPC response with one message.
fn reply(message: &[u8]) -> http::Response<Body> {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a diagnostic is far below 4 GiB"));
    frame.put_slice(message);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let body =
        Full::<Bytes>::from(frame.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = http::Response::new(Body::new(body));
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/grpc"),
    );
    response
}
