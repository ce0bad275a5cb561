//! Which endpoint has which port of this machine.
//!
//! A lease in the registry keeps two endpoints of one registry apart, however many processes ask at once. It cannot know
//! of other programs: the machine's own answer to a bind is the authority, and a port that somebody else has is passed
//! over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use mlops_core::endpoint::spec::{LocalSpec, PortRange};
use mlops_core::records::{Change, CommitError, Expect, Item, Key, Range, Records, Write};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::layout::ServerKey;

const PARTITION: &str = "local-port";

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

    /// Every port once, the preferred one first.
    fn in_order(&self) -> impl Iterator<Item = u16> + use<> {
        let preferred = self.preferred.filter(|port| self.ports.contains(*port));
        let rest =
            (self.ports.first..=self.ports.last).filter(move |port| Some(*port) != preferred);
        preferred.into_iter().chain(rest)
    }
}

/// A port's holder, as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    port: u16,
    server: ServerKey,
    /// The dead server whose lease this was; it gets it back if the new one is undone.
    #[serde(default)]
    taken_from: Option<ServerKey>,
}

impl Lease {
    fn key(port: u16) -> Key {
        Key::new(PARTITION, format!("{port:05}"))
    }

    fn put(&self, expect: Expect) -> Result<Write> {
        let not_json = || Error::bug("a port's lease could not be written as JSON");
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(body)) => Ok(Write {
                key: Self::key(self.port),
                expect,
                change: Change::Put(body),
            }),
            Ok(_) => Err(not_json()),
            Err(cause) => Err(not_json().because(cause)),
        }
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
    loop {
        match attempt(records, server, wanted, foreign).await? {
            Attempt::Leased(port) => return Ok(port),
            // Somebody was faster with one port. Every turn of this loop is somebody's success.
            Attempt::Outrun => {}
            Attempt::Exhausted(holders) => return Err(exhausted(wanted, &holders)),
        }
    }
}

enum Attempt {
    Leased(u16),
    Outrun,
    Exhausted(Vec<(u16, String)>),
}

async fn attempt(
    records: &dyn Records,
    server: &ServerKey,
    wanted: &Wanted,
    foreign: &BTreeSet<u16>,
) -> Result<Attempt> {
    let leases = leases(records).await?;
    let own = leases.values().map(|(_, lease)| lease).find(|lease| {
        lease.server == *server
            && wanted.ports.contains(lease.port)
            && !foreign.contains(&lease.port)
    });
    if let Some(own) = own {
        return Ok(Attempt::Leased(own.port));
    }
    let mut holders = Vec::new();
    for port in wanted.in_order() {
        if foreign.contains(&port) {
            holders.push((port, ANOTHER_PROGRAM.to_owned()));
            continue;
        }
        let (expect, taken_from) = match leases.get(&port) {
            None => (Expect::Absent, None),
            Some((item, lease)) if wanted.replaces.as_ref() == Some(&lease.server) => {
                (Expect::Revision(item.revision), Some(lease.server.clone()))
            }
            Some((_, lease)) => {
                let name = lease.server.endpoint.as_str();
                holders.push((port, format!("endpoint {name:?}")));
                continue;
            }
        };
        if let Some(holder) = holder_of(port, wanted)? {
            holders.push((port, holder));
            continue;
        }
        let lease = Lease {
            port,
            server: server.clone(),
            taken_from,
        };
        return match records.commit(vec![lease.put(expect)?]).await {
            Ok(_) => Ok(Attempt::Leased(port)),
            Err(CommitError::Condition { .. }) => Ok(Attempt::Outrun),
            Err(CommitError::Store(error)) => Err(error),
        };
    }
    Ok(Attempt::Exhausted(holders))
}

const ANOTHER_PROGRAM: &str = "another program";

fn exhausted(wanted: &Wanted, holders: &[(u16, String)]) -> Error {
    const NAMED: usize = 10;
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
    let mut named: Vec<String> = holders
        .iter()
        .take(NAMED)
        .map(|(port, holder)| format!("{port} by {holder}"))
        .collect();
    if holders.len() > NAMED {
        named.push(format!("and {} more", holders.len() - NAMED));
    }
    Error::conflict(format!(
        "every port of {} is taken ({}); widen local.port_range, or destroy an endpoint that is not needed",
        wanted.ports,
        named.join(", ")
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

/// What happens to leases that were taken over from a dead server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// They end: the server is torn down.
    Free,
    /// They go back: the server is undone, as if it had never been.
    Restore,
}

/// Ends every lease of `server` but the one on `keep`. Nothing to end is success.
pub(super) async fn release(
    records: &dyn Records,
    server: &ServerKey,
    keep: Option<u16>,
    how: Release,
) -> Result<()> {
    loop {
        let mut writes = Vec::new();
        for (item, lease) in leases(records).await?.into_values() {
            if lease.server != *server || Some(lease.port) == keep {
                continue;
            }
            let expect = Expect::Revision(item.revision);
            writes.push(match lease.taken_from.filter(|_| how == Release::Restore) {
                Some(before) => Lease {
                    port: lease.port,
                    server: before,
                    taken_from: None,
                }
                .put(expect)?,
                None => Write {
                    key: item.key,
                    expect,
                    change: Change::Delete,
                },
            });
        }
        if writes.is_empty() {
            return Ok(());
        }
        match records.commit(writes).await {
            Ok(_) => return Ok(()),
            // Only this server's own deployment changes its leases; another process of it was here. Look again.
            Err(CommitError::Condition { .. }) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
    }
}

async fn leases(records: &dyn Records) -> Result<BTreeMap<u16, (Item, Lease)>> {
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let range = Range {
            after: after.take(),
            ..Range::default()
        };
        let page = records.query(PARTITION, range).await?;
        after = page.items.last().map(|item| item.key.sort.clone());
        for item in page.items {
            let lease = Lease::deserialize(serde_json::Value::Object(item.body.clone())).map_err(
                |cause| {
                    Error::corrupt(format!(
                        "the lease of port {} in {} is not readable",
                        item.key.sort,
                        records.location()
                    ))
                    .because(cause)
                },
            )?;
            all.insert(lease.port, (item, lease));
        }
        if !page.more || after.is_none() {
            return Ok(all);
        }
    }
}
