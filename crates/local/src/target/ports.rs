//! Which endpoint has which port of this machine: [slots] whose authority is the machine's own answer to a bind.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use mlops_core::endpoint::spec::{LocalSpec, PortRange};
use mlops_core::names::EndpointName;
use mlops_core::records::Records;
use mlops_core::target::slots::{self, Choice, Holder, Leased, Release, Slots};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::layout::ServerKey;

/// What a server asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// The ports that will do.
    pub(super) ports: PortRange,
    /// Whether the configuration names one port; it is the attribute at fault if that one is taken.
    pub(super) fixed: bool,
    /// The port to try first.
    pub(super) preferred: Option<u16>,
    /// A server of the same endpoint that does not run any more and whose lease may be taken over.
    pub(super) replaces: Option<ServerKey>,
}

impl Wanted {
    pub(super) fn new(spec: &LocalSpec) -> Self {
        Self {
            ports: spec.ports(),
            fixed: spec.port.is_some(),
            preferred: None,
            replaces: None,
        }
    }

    fn attribute(&self) -> &'static str {
        if self.fixed {
            "local.port"
        } else {
            "local.port_range"
        }
    }
}

impl Holder for ServerKey {
    fn is(&self, other: &Self) -> bool {
        self == other
    }

    fn endpoint(&self) -> &EndpointName {
        &self.endpoint
    }
}

fn ports(records: &dyn Records) -> Slots<'_> {
    Slots {
        records,
        partition: "local-port",
        what: "port of this machine",
    }
}

/// Leases a port that nobody uses. Called again by the same server it answers the same, unless that port is in
/// `foreign`: those are known to be somebody else's.
pub(super) async fn acquire(
    records: &dyn Records,
    server: &ServerKey,
    wanted: &Wanted,
    foreign: &BTreeSet<u16>,
) -> Result<u16> {
    let choice = Choice {
        range: wanted.ports,
        preferred: wanted.preferred,
        foreign,
    };
    let is_gone = |holder: &ServerKey| wanted.replaces.as_ref() == Some(holder);
    let leased = ports(records)
        .acquire(server, choice, is_gone, |port| holder_of(port, wanted))
        .await?;
    match leased {
        Leased::Slot(port) => Ok(port),
        Leased::None(holders) => Err(exhausted(wanted, &holders)),
    }
}

/// Ends every lease of `server` but the one on `keep`. Nothing to end is success.
pub(super) async fn release(
    records: &dyn Records,
    server: &ServerKey,
    keep: Option<u16>,
    how: Release,
) -> Result<()> {
    ports(records).release(server, keep, how).await
}

const ANOTHER_PROGRAM: &str = "another program";

fn exhausted(wanted: &Wanted, holders: &[(u16, String)]) -> Error {
    if wanted.fixed {
        let holder = holders
            .first()
            .map_or(ANOTHER_PROGRAM, |(_, holder)| holder);
        return Error::conflict(format!(
            "port {} of this machine is taken by {holder}; free it, choose another local.port, or give a local.port_range",
            wanted.ports.first
        ))
        .at(wanted.attribute());
    }
    Error::conflict(format!(
        "every port of {} is taken ({}); widen local.port_range, or destroy an endpoint that is not needed",
        wanted.ports,
        slots::named(holders)
    ))
    .at(wanted.attribute())
}

/// Asks the machine: `None` if the port can be bound.
fn holder_of(port: u16, wanted: &Wanted) -> Result<Option<String>> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Ok(Some(ANOTHER_PROGRAM.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !wanted.fixed => {
            Ok(Some("the system (a privileged port)".to_owned()))
        }
        Err(cause) => Err(Error::invalid(format!(
            "port {port} of this machine cannot be used; choose one above 1023"
        ))
        .at(wanted.attribute())
        .because(cause)),
    }
}

/// Whether a port can be bound now.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
