//! What stands around every RPC of the provider: a task of its own, and a net for panics.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tower_layer::Layer;

use super::panics::{self, Caught};

const PROVIDER: &str = "/tfplugin6.Provider/";

/// Who is guarded, for messages.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) version: String,
}

/// Runs each RPC of the provider as a task of its own, known to `tasks`, and turns a panic in it into a
/// diagnostic.
///
/// The task is what lets an operation outlive its connection: without it, the loss of the connection
/// would drop the operation at whatever point it waits, with its undo never begun. So an operation always
/// runs to its own end, and learns of the loss through the stop signal.
#[derive(Clone, Debug)]
pub(super) struct GuardLayer {
    pub(super) tasks: TaskTracker,
    pub(super) subject: Arc<Subject>,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard {
            inner,
            layer: self.clone(),
        }
    }
}

/// A guarded service.
#[derive(Clone, Debug)]
pub(super) struct Guard<S> {
    inner: S,
    layer: GuardLayer,
}

impl<S> Service<http::Request<Body>> for Guard<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = match request.uri().path().strip_prefix(PROVIDER) {
            Some(method) => method.to_owned(),
            None => return Box::pin(self.inner.call(request)),
        };
        // The clone is taken for later, the instance that was polled ready serves this call.
        let later = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, later);
        let head = Head::default();
        let request = head.watch(request);
        let task = self
            .layer
            .tasks
            .spawn(Caught::new(async move { inner.call(request).await }));
        let subject = self.layer.subject.clone();
        Box::pin(async move {
            match task.await {
                Ok(Ok(response)) => response,
                Ok(Err(panic)) => Ok(panics::response(
                    &method,
                    head.type_name(&method).as_deref(),
                    &panic,
                    &subject,
                )),
                // Only a runtime that is being torn down cancels tasks.
                Err(_) => {
                    Ok(tonic::Status::unavailable("the provider is shutting down").into_http())
                }
            }
        })
    }
}

/// The first bytes of a request, kept to name the resource type in case of a panic.
#[derive(Clone, Debug, Default)]
struct Head(Arc<Mutex<Vec<u8>>>);

impl Head {
    const LENGTH: usize = 128;

    fn watch(&self, request: http::Request<Body>) -> http::Request<Body> {
        let head = self.0.clone();
        request.map(|body| {
            Body::new(body.map_frame(move |frame| {
                if let Some(data) = frame.data_ref() {
                    let mut head = head.lock().unwrap_or_else(PoisonError::into_inner);
                    let wanted = Self::LENGTH.saturating_sub(head.len());
                    head.extend_from_slice(&data[..data.len().min(wanted)]);
                }
                frame
            }))
        })
    }

    fn type_name(&self, method: &str) -> Option<String> {
        type_name(
            method,
            &self.0.lock().unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// The type or function that a request is about: field 1, a string, of every request that has one.
fn type_name(method: &str, head: &[u8]) -> Option<String> {
    if matches!(
        method,
        "ValidateProviderConfig" | "ConfigureProvider" | "MoveResourceState"
    ) {
        return None;
    }
    // gRPC's five bytes (a zero: not compressed), then the tag of field 1 with a length.
    let message = head.strip_prefix(&[0])?.get(4..)?;
    let (&length, rest) = message.strip_prefix(&[0x0a])?.split_first()?;
    let name = std::str::from_utf8(rest.get(..usize::from(length))?).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use tfplugin_proto::tfplugin6::{configure_provider, read_resource};

    use super::type_name;

    fn framed(message: &impl prost::Message) -> Vec<u8> {
        [&[0, 0, 0, 0, 0][..], &message.encode_to_vec()].concat()
    }

    #[test]
    fn the_type_name_is_read_from_the_head_of_a_request() {
        let request = framed(&read_resource::Request {
            type_name: "mlops_model".to_owned(),
            private: vec![7; 500],
            ..Default::default()
        });
        assert_eq!(
            type_name("ReadResource", &request[..128]).as_deref(),
            Some("mlops_model")
        );
        assert_eq!(type_name("ReadResource", &request[..10]), None);
        assert_eq!(type_name("ReadResource", &[]), None);
    }

    #[test]
    fn a_request_without_a_type_names_none() {
        let request = framed(&configure_provider::Request {
            terraform_version: "1".to_owned(),
            ..Default::default()
        });
        assert_eq!(type_name("ConfigureProvider", &request), None);
    }
}
