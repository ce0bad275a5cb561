//! What the local target does of its own before a rollout: lease a port, start a server on it.

mod lease_port;
mod start_server;
mod turns;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use mlops_core::endpoint::spec::TargetSpec;
use mlops_core::records::Records;
use mlops_core::saga::{Slot, wire};
use mlops_core::target::{Provision, ProvisionRequest, ProvisionState, Server};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use self::lease_port::{LeasePort, LeasePortInput};
use self::start_server::{StartServer, StartServerInput};
pub(super) use self::turns::Turns;
use super::layout::{ServerDir, ServerKey};
use super::ports::Wanted;

/// What the steps act on.
pub(super) struct Machine {
    pub(super) records: Arc<dyn Records>,
    /// Servers' directories.
    pub(super) run: PathBuf,
    /// Copies of the program.
    pub(super) bin: PathBuf,
    /// The program that is copied.
    pub(super) program: PathBuf,
    /// Who starts a server, or takes one back.
    pub(super) turns: Turns,
}

impl Machine {
    pub(super) fn dir(&self, key: &ServerKey) -> ServerDir {
        ServerDir::new(&self.run, key)
    }
}

/// How the target knows its server again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handle {
    /// Where its files are.
    pub(super) server: ServerKey,
    /// What it answers when it is asked who it is.
    pub(super) nonce: String,
}

pub(super) fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The state of the steps in the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Bringing {
    server: ServerKey,
    wanted: Wanted,
    drain_seconds: u64,
    #[serde(default)]
    lease_port: Slot<LeasePort>,
    #[serde(default)]
    start_server: Slot<StartServer>,
}

impl ProvisionState for Bringing {
    fn server(&self) -> Option<Server> {
        let started = self.start_server.output()?;
        let handle = Handle {
            server: self.server.clone(),
            nonce: started.nonce.clone(),
        };
        let url = format!("http://{}", address(started.port));
        // A handle of names, numbers and text is always JSON.
        Server::new(url, Some(started.port), &handle).ok()
    }
}

/// The steps for `request`.
pub(super) fn steps(machine: &Arc<Machine>, request: &ProvisionRequest) -> Result<Provision> {
    let TargetSpec::Local(local) = &request.spec.target else {
        return Err(Error::bug(format!(
            "the local target was asked to run an endpoint of target {:?}",
            request.spec.target.kind()
        )));
    };
    let mut wanted = Wanted::new(local);
    if let Some(previous) = &request.previous {
        wanted.preferred = previous.port;
        wanted.replaces = Some(previous.handle::<Handle>()?.server);
    }
    let state = Bringing {
        server: ServerKey {
            id: request.endpoint,
            endpoint: request.spec.name.clone(),
            deployment: request.deployment.clone(),
        },
        wanted,
        drain_seconds: request.spec.drain_seconds,
        lease_port: Slot::default(),
        start_server: Slot::default(),
    };
    Provision::new(
        &state,
        vec![
            wire(
                machine.clone(),
                |state: &Bringing| {
                    Ok(LeasePortInput {
                        server: state.server.clone(),
                        wanted: state.wanted.clone(),
                    })
                },
                |state| &mut state.lease_port,
                |state| &state.lease_port,
            ),
            wire(
                machine.clone(),
                |state: &Bringing| {
                    let leased = state.lease_port.output().ok_or_else(|| {
                        Error::bug("a server was to be started before its port was leased")
                    })?;
                    Ok(StartServerInput {
                        server: state.server.clone(),
                        wanted: state.wanted.clone(),
                        port: leased.port,
                        drain_seconds: state.drain_seconds,
                    })
                },
                |state| &mut state.start_server,
                |state| &state.start_server,
            ),
        ],
    )
}
