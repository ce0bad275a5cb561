//! A target's own steps, in a form that the endpoint's saga can hold without knowing them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Revision, Server};
use crate::endpoint::deployment::DeploymentRef;
use crate::endpoint::spec::EndpointSpec;
use crate::error::{Error, Result};
use crate::saga::{self, BoxNode};

/// What a target is asked to bring up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProvisionRequest {
    /// The endpoint's id in the registry; every server of the endpoint carries it.
    pub endpoint: uuid::Uuid,
    /// The deployment that asks; the mark by which a half-made server is found again.
    pub deployment: DeploymentRef,
    /// What is asked for.
    pub spec: EndpointSpec,
    /// The server that the registry knows, dead or to be replaced. Its port is to be kept where
    /// `spec` allows and it is free.
    pub previous: Option<Server>,
    /// As which revision that server's one service is taken over: it is [`Foreign::server`](super::Foreign::server), and becomes the endpoint's instead of
    /// being replaced.
    pub takes_over: Option<Revision>,
}

/// The state of a target's own steps: a slot per step, and what they lead to.
pub trait ProvisionState: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The server, once every step is done.
    fn server(&self) -> Option<Server>;
}

/// A target's own steps with their initial state.
pub struct Provision {
    initial: Value,
    nodes: Vec<BoxNode<Value>>,
    server: fn(&Value) -> Result<Option<Server>>,
}

impl Provision {
    /// Steps over the typed state `S`; the state is stored as a document of its own in the journal.
    pub fn new<S: ProvisionState>(initial: &S, nodes: Vec<BoxNode<S>>) -> Result<Self> {
        Ok(Self {
            initial: serde_json::to_value(initial).map_err(|e| {
                Error::bug("a provision state could not be written as JSON").because(e)
            })?,
            nodes: nodes.into_iter().map(saga::as_document).collect(),
            server: |state| Ok(read::<S>(state)?.server()),
        })
    }

    /// The state before the first step, as a document.
    pub fn initial(&self) -> Value {
        self.initial.clone()
    }

    /// What the steps led to.
    pub fn server(&self, state: &Value) -> Result<Option<Server>> {
        (self.server)(state)
    }

    /// The steps.
    pub fn into_nodes(self) -> Vec<BoxNode<Value>> {
        self.nodes
    }

    /// How to read the server out of a state, without the steps.
    pub fn server_reader(&self) -> fn(&Value) -> Result<Option<Server>> {
        self.server
    }
}

fn read<S: DeserializeOwned>(state: &Value) -> Result<S> {
    S::deserialize(state)
        .map_err(|e| Error::corrupt("the journal's provision state is not readable").because(e))
}
