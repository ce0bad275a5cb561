//! What processes cost: CPU time and resident memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// CPU time and peak memory of finished processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// User and system time, in seconds.
    pub(crate) cpu: f64,
    /// Largest resident set of any of them, in bytes.
    pub(crate) peak_bytes: u64,
}

/// Of every child of this process that has been waited for, with their own such children.
pub(crate) fn children() -> Result<Usage> {
    of(UsageWho::RUSAGE_CHILDREN)
}

/// Of this process.
pub(crate) fn myself() -> Result<Usage> {
    of(UsageWho::RUSAGE_SELF)
}

fn of(who: UsageWho) -> Result<Usage> {
    let usage = getrusage(who).context("getrusage")?;
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    Ok(Usage {
        cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
        // Linux counts it in KiB.
        peak_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
    })
}

/// A running process and its descendants, read from `/proc` at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tree {
    /// User and system time of those that still run, to a hundredth of a second each.
    pub(crate) cpu: Duration,
    /// Sum of their resident sets, in bytes. Shared pages count once for each.
    pub(crate) resident_bytes: u64,
}

/// One line of `/proc/PID/stat`, as far as it is used here.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    parent: u32,
    /// User and system time in ticks of a hundredth of a second (`USER_HZ`, fixed on Linux).
    ticks: u64,
    resident_pages: u64,
}

impl Stat {
    /// `None` where the text is not such a line. The command's name is in parentheses and may contain anything.
    fn parse(line: &str) -> Option<Self> {
        let (_, after_name) = line.rsplit_once(')')?;
        // The first of these is field 3 of proc(5), the state.
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let number = |proc5: usize| fields.get(proc5 - 3)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(4)?).ok()?,
            ticks: number(14)? + number(15)?,
            resident_pages: number(24)?,
        })
    }
}

impl Tree {
    /// Reads the tree below `root`, which must be running.
    pub(crate) fn of(root: u32) -> Result<Self> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc").context("cannot list /proc")? {
            let entry = entry.context("cannot list /proc")?;
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            // A process may end between the listing and the read.
            if let Some(stat) = fs::read_to_string(entry.path().join("stat"))
                .ok()
                .and_then(|s| Stat::parse(&s))
            {
                all.insert(pid, stat);
            }
        }
        all.get(&root)
            .with_context(|| format!("process {root} is not running"))?;
        let page = rustix::param::page_size() as u64;
        let mut tree = Self::default();
        for pid in descendants(root, &all) {
            let stat = all[&pid];
            tree.cpu += Duration::from_millis(stat.ticks * 10);
            tree.resident_bytes += stat.resident_pages * page;
        }
        Ok(tree)
    }
}

/// `root` and everything below it.
fn descendants(root: u32, all: &BTreeMap<u32, Stat>) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            all.iter()
                .filter(|(_, stat)| stat.parent == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
}

/// The process that listens on a TCP port of this machine.
pub(crate) fn listener(port: u16) -> Result<u32> {
    let inode = fs::read_to_string("/proc/net/tcp")
        .context("cannot read /proc/net/tcp")?
        .lines()
        .find_map(|line| listening_inode(line, port))
        .with_context(|| format!("nothing listens on port {port}"))?;
    let socket = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc")
        .context("cannot list /proc")?
        .flatten()
    {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // Other users' processes cannot be looked into; ours can.
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let mut links = descriptors
            .flatten()
            .filter_map(|fd| fs::read_link(fd.path()).ok());
        if links.any(|link| link.as_os_str() == socket.as_str()) {
            return Ok(pid);
        }
    }
    anyhow::bail!("the process that listens on port {port} is not ours to look into")
}

/// The socket's inode, if a line of `/proc/net/tcp` is a listener on `port`.
fn listening_inode(line: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.split_once(':')?;
    let matches = u16::from_str_radix(local_port, 16) == Ok(port) && *fields.get(3)? == LISTEN;
    matches.then(|| fields.get(9)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_command_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 0 0 0 11 22 0 0 20 0 1 0 5 1000 42 184";
        assert_eq!(
            Stat::parse(line),
            Some(Stat {
                parent: 3,
                ticks: 33,
                resident_pages: 42
            })
        );
    }

    #[test]
    fn descendants_are_found_through_several_levels_and_strangers_are_not() {
        let stat = |parent| Stat {
            parent,
            ticks: 0,
            resident_pages: 0,
        };
        let all = BTreeMap::from([
            (1, stat(0)),
            (5, stat(1)),
            (3, stat(5)),
            (9, stat(1)),
            (4, stat(3)),
        ]);
        assert_eq!(descendants(5, &all), [5, 3, 4]);
    }

    #[test]
    fn the_process_that_listens_on_a_port_is_found() {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listener(port).unwrap(), std::process::id());
        drop(socket);
        assert!(listener(port).is_err());
    }

    #[test]
    fn this_process_has_memory_and_a_tree() {
        let tree = Tree::of(std::process::id()).unwrap();
        assert!(tree.resident_bytes > 100_000, "{tree:?}");
        assert!(myself().unwrap().peak_bytes >= tree.resident_bytes / 2);
    }
}
