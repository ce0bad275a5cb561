//! Client of the model server's admin side: HTTP/1.1 over a unix socket, as [`mlops_core::serving`] writes it down.
//!
//! A call opens a connection, asks once and ends within its time limit. It never retries: whoever calls knows whether
//! asking again makes sense. Every call is idempotent, so it does.

mod transport;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use mlops_core::serving::{
    Identity, MetricsSnapshot, Removal, RevisionSpec, RevisionStatus, RoutingTable, Shutdown,
    SmokeReport, SmokeRequest, Status, path,
};
use mlops_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest that any call but smoke may take. The protocol promises an answer within a second; a machine under load
/// gets twice that.
pub const CALL_LIMIT: Duration = Duration::from_secs(2);

/// Speaks to one server.
///
/// Errors have the class of the refusal: [`mlops_core::Class::Unavailable`] also when nobody listens on the socket,
/// [`mlops_core::Class::NotFound`], [`mlops_core::Class::Conflict`], [`mlops_core::Class::Invalid`] as the server says.
#[derive(Debug, Clone)]
pub struct AdminClient {
    socket: PathBuf,
}

impl AdminClient {
    /// A client of the server that listens on `socket`. Nothing is opened yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket's path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Who answers.
    pub async fn identity(&self) -> Result<Identity> {
        self.ask(Method::GET, path::IDENTITY, None::<&()>).await
    }

    /// What runs.
    pub async fn status(&self) -> Result<Status> {
        self.ask(Method::GET, path::STATUS, None::<&()>).await
    }

    /// Replaces the whole routing at once.
    pub async fn put_routing(&self, table: &RoutingTable) -> Result<Status> {
        self.ask(Method::PUT, path::ROUTING, Some(table)).await
    }

    /// Begins to load a revision, or tells how far it is.
    pub async fn put_revision(
        &self,
        revision: &str,
        spec: &RevisionSpec,
    ) -> Result<RevisionStatus> {
        self.ask(Method::PUT, &path::revision(revision), Some(spec))
            .await
    }

    /// One revision; `None` if the server does not know it.
    pub async fn revision(&self, revision: &str) -> Result<Option<RevisionStatus>> {
        match self
            .ask(Method::GET, &path::revision(revision), None::<&()>)
            .await
        {
            Ok(status) => Ok(Some(status)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks a golden request of a revision; it may take as long as `limit`.
    pub async fn smoke(
        &self,
        revision: &str,
        request: &SmokeRequest,
        limit: Duration,
    ) -> Result<SmokeReport> {
        self.call(Method::POST, &path::smoke(revision), Some(request), limit)
            .await
    }

    /// The counters of every revision.
    pub async fn metrics(&self) -> Result<MetricsSnapshot> {
        self.ask(Method::GET, path::METRICS_SNAPSHOT, None::<&()>)
            .await
    }

    /// Drains and removes a revision; a repeated call tells how far it is.
    pub async fn delete_revision(&self, revision: &str, drain: Duration) -> Result<Removal> {
        let path = path::revision_removal(revision, whole_seconds(drain));
        self.ask(Method::DELETE, &path, None::<&()>).await
    }

    /// Begins to drain the whole server, which then exits.
    pub async fn shutdown(&self, drain: Duration) -> Result<Shutdown> {
        let path = path::shutdown(whole_seconds(drain));
        self.ask(Method::POST, &path, None::<&()>).await
    }

    async fn ask<B: Serialize, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<A> {
        self.call(method, path, body, CALL_LIMIT).await
    }

    async fn call<B: Serialize, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        limit: Duration,
    ) -> Result<A> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|cause| {
                Error::bug(format!("the body of {method} {path} could not be written"))
                    .because(cause)
            })?,
            None => Vec::new(),
        };
        let answer = transport::exchange(&self.socket, &method, path, body, limit).await?;
        serde_json::from_slice(&answer).map_err(|cause| {
            Error::bug(format!(
                "the model server answered {method} {path} with something that is not the protocol's answer; \
                 is it of another version?"
            ))
            .because(cause)
        })
    }
}

/// Drain limits travel as whole seconds; a part of one counts as one, so that a short limit is not none.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
