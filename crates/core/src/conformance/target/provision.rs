//! The memory target's own steps: a port, then a server on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::calls::World;
use super::world::{Handle, Mark};
use crate::endpoint::spec::{LocalSpec, TargetSpec};
use crate::error::{Error, Result};
use crate::saga::{Progress, Slot, Step, StepError, UndoError, wire};
use crate::target::{Provision, ProvisionRequest, ProvisionState, Server};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bringing {
    mark: Mark,
    first: u16,
    last: u16,
    preferred: Option<u16>,
    lease: Slot<LeasePort>,
    start: Slot<StartServer>,
}

impl ProvisionState for Bringing {
    fn server(&self) -> Option<Server> {
        let (id, port) = (*self.start.output()?, *self.lease.output()?);
        Server::new(
            format!("http://127.0.0.1:{port}"),
            Some(port),
            &Handle { id },
        )
        .ok()
    }
}

pub(super) fn steps(world: &Arc<World>, request: &ProvisionRequest) -> Result<Provision> {
    let ports = match &request.spec.target {
        TargetSpec::Local(local) => local.ports(),
        // What differs on ECS is not in this world: a port of its own is all that a front is here.
        TargetSpec::Ecs(_) => LocalSpec::DEFAULT_RANGE,
    };
    let state = Bringing {
        mark: Mark {
            endpoint: request.endpoint,
            deployment: request.deployment.to_string(),
        },
        first: ports.first,
        last: ports.last,
        preferred: request.previous.as_ref().and_then(|server| server.port),
        lease: Slot::default(),
        start: Slot::default(),
    };
    Provision::new(
        &state,
        vec![
            wire(
                world.clone(),
                |state: &Bringing| {
                    let Bringing {
                        mark,
                        first,
                        last,
                        preferred,
                        ..
                    } = state.clone();
                    Ok(LeaseInput {
                        mark,
                        first,
                        last,
                        preferred,
                    })
                },
                |state| &mut state.lease,
                |state| &state.lease,
            ),
            wire(
                world.clone(),
                |state: &Bringing| {
                    let port = state
                        .lease
                        .output()
                        .copied()
                        .ok_or_else(|| Error::bug("no port was leased"))?;
                    Ok(StartInput {
                        mark: state.mark.clone(),
                        port,
                    })
                },
                |state| &mut state.start,
                |state| &state.start,
            ),
        ],
    )
}

#[derive(Debug)]
struct LeasePort;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct LeaseInput {
    mark: Mark,
    first: u16,
    last: u16,
    preferred: Option<u16>,
}

#[async_trait]
impl Step for LeasePort {
    const NAME: &'static str = "lease_port";
    const VERSION: u32 = 1;
    type Ports = World;
    type Input = LeaseInput;
    type Output = u16;
    type Checkpoint = ();

    async fn forward(
        world: &World,
        input: LeaseInput,
        _: Option<()>,
    ) -> Result<Progress<u16>, StepError> {
        let port = world
            .call("lease_port", |state| {
                state.lease_port(&input.mark, input.preferred, input.first, input.last)
            })
            .await?;
        Ok(Progress::Done(port))
    }

    async fn undo(
        world: &World,
        input: LeaseInput,
        _: Option<u16>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        world
            .call("release_port", |state| {
                state.ports.retain(|_, mark| *mark != input.mark);
                Ok(())
            })
            .await?;
        Ok(Progress::Done(()))
    }
}

#[derive(Debug)]
struct StartServer;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StartInput {
    mark: Mark,
    port: u16,
}

#[async_trait]
impl Step for StartServer {
    const NAME: &'static str = "start_server";
    const VERSION: u32 = 1;
    type Ports = World;
    type Input = StartInput;
    type Output = u64;
    /// The server that is starting.
    type Checkpoint = u64;

    async fn forward(
        world: &World,
        input: StartInput,
        checkpoint: Option<u64>,
    ) -> Result<Progress<u64, u64>, StepError> {
        let id = world
            .call("start_server", |state| {
                Ok(state.start_server(&input.mark, input.port))
            })
            .await?;
        Ok(match checkpoint {
            Some(_) => Progress::Done(id),
            None => Progress::Pending {
                poll_after: Duration::from_millis(100),
                deadline: Duration::from_secs(10),
                checkpoint: id,
            },
        })
    }

    async fn undo(
        world: &World,
        input: StartInput,
        _: Option<u64>,
        _: Option<u64>,
    ) -> Result<Progress<(), u64>, UndoError> {
        world
            .call("stop_server", |state| {
                state.servers.retain(|_, server| server.mark != input.mark);
                Ok(())
            })
            .await?;
        Ok(Progress::Done(()))
    }
}
