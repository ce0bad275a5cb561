//! Which process this is, and whether others still run.
//!
//! A process is its pid and start time, on one machine between two boots. A pid that now belongs
//! to another program, a zombie, and any process from before a reboot are dead; a process of
//! another machine, or of another container whose processes are not visible here, is unknown.
//!
//! What a machine calls itself is believed where only one machine uses the registry. Machines that are made from one image may
//! share a name, so in a registry that many use another boot is another machine.

use mlops_core::registry::sessions::{Liveness, SessionInfo, Sessions};

/// This process's session.
#[derive(Debug)]
pub struct LocalSessions {
    info: SessionInfo,
    /// Whether another boot under the same name is an earlier one of this machine.
    knows_reboots: bool,
}

impl Default for LocalSessions {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalSessions {
    /// A session with a new id.
    pub fn new() -> Self {
        let pid = std::process::id();
        Self {
            info: SessionInfo {
                id: uuid::Uuid::new_v4(),
                pid,
                start_time: system::start_time(pid).unwrap_or(0),
                boot_id: system::boot(),
                host: system::host(),
            },
            knows_reboots: true,
        }
    }

    /// The same, of a registry that other machines use too.
    #[must_use]
    pub fn among_machines(self) -> Self {
        Self {
            knows_reboots: false,
            ..self
        }
    }
}

impl Sessions for LocalSessions {
    fn current(&self) -> SessionInfo {
        self.info.clone()
    }

    fn liveness(&self, session: &SessionInfo) -> Liveness {
        match judge(&self.info, session, system::start_time) {
            Liveness::Dead if !self.knows_reboots && session.boot_id != self.info.boot_id => {
                Liveness::Unknown
            }
            judged => judged,
        }
    }
}

/// `start_time` tells when the process that now has a pid was started, if there is one.
fn judge(
    us: &SessionInfo,
    them: &SessionInfo,
    start_time: impl Fn(u32) -> Option<u64>,
) -> Liveness {
    // An empty host or boot was not to be found out.
    if us.host != them.host || us.host.is_empty() || us.boot_id.is_empty() {
        return Liveness::Unknown;
    }
    let split = |boot: &str| -> (String, String) {
        let (boot, space) = boot.split_once(' ').unwrap_or((boot, ""));
        (boot.to_owned(), space.to_owned())
    };
    let ((our_boot, our_space), (boot, space)) = (split(&us.boot_id), split(&them.boot_id));
    if our_boot != boot {
        return Liveness::Dead;
    }
    if our_space != space {
        return Liveness::Unknown;
    }
    match start_time(them.pid) {
        Some(started) if started == them.start_time => Liveness::Alive,
        _ => Liveness::Dead,
    }
}

#[cfg(target_os = "linux")]
mod system {
    /// In clock ticks since boot; `None` for no process and for a zombie.
    pub(super) fn start_time(pid: u32) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program's name stands in parentheses and may hold anything.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let state = *fields.first()?;
        if matches!(state, "Z" | "X" | "x") {
            return None;
        }
        // The 22nd field of the file is the 20th after the name.
        fields.get(19)?.parse().ok()
    }

    /// The boot, and the pid namespace that this process sees.
    pub(super) fn boot() -> String {
        let read = |path: &str| {
            std::fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let boot = read("/proc/sys/kernel/random/boot_id");
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        if boot.is_empty() {
            boot
        } else {
            format!("{boot} {}", space.display())
        }
    }

    pub(super) fn host() -> String {
        let read = |path: &str| {
            std::fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        format!(
            "{}/{}",
            read("/etc/machine-id"),
            read("/proc/sys/kernel/hostname")
        )
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::process::Command;

    fn run(program: &str, arguments: &[&str]) -> Option<String> {
        let output = Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    }

    /// `ps` tells the start to the second, in words; their digest will do as a number.
    pub(super) fn start_time(pid: u32) -> Option<u64> {
        let line = run("ps", &["-o", "stat=,lstart=", "-p", &pid.to_string()])?;
        let (state, started) = line.trim().split_once(char::is_whitespace)?;
        if state.starts_with('Z') {
            return None;
        }
        let hex = mlops_core::artifacts::Digest::of(started.trim().as_bytes()).hex();
        u64::from_str_radix(&hex[..15], 16).ok()
    }

    pub(super) fn boot() -> String {
        run("sysctl", &["-n", "kern.bootsessionuuid"]).unwrap_or_default()
    }

    pub(super) fn host() -> String {
        run("sysctl", &["-n", "kern.uuid"])
            .or_else(|| run("hostname", &[]))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(boot_id: &str, host: &str, start_time: u64) -> SessionInfo {
        SessionInfo {
            id: uuid::Uuid::new_v4(),
            pid: 7,
            start_time,
            boot_id: boot_id.into(),
            host: host.into(),
        }
    }

    #[test]
    fn this_process_is_alive_and_a_killed_child_is_dead_even_as_a_zombie() {
        let sessions = LocalSessions::new();
        assert_eq!(sessions.liveness(&sessions.current()), Liveness::Alive);

        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        let pid = child.id();
        let session = SessionInfo {
            pid,
            start_time: system::start_time(pid).unwrap(),
            ..sessions.current()
        };
        assert_eq!(sessions.liveness(&session), Liveness::Alive);
        child.kill().unwrap();
        // Not waited for: it is a zombie until then.
        while sessions.liveness(&session) == Liveness::Alive {
            std::thread::yield_now();
        }
        assert_eq!(sessions.liveness(&session), Liveness::Dead);
        child.wait().unwrap();
        assert_eq!(sessions.liveness(&session), Liveness::Dead);
    }

    #[test]
    fn among_many_machines_another_boot_under_the_same_name_is_unknown() {
        let alone = LocalSessions::new();
        let earlier = SessionInfo {
            boot_id: "an earlier boot".into(),
            ..alone.current()
        };
        assert_eq!(alone.liveness(&earlier), Liveness::Dead);
        let gone = SessionInfo {
            start_time: 1,
            ..alone.current()
        };
        let many = alone.among_machines();
        assert_eq!(many.liveness(&earlier), Liveness::Unknown);
        assert_eq!(many.liveness(&gone), Liveness::Dead, "on this one");
    }

    #[test]
    fn a_pid_that_now_belongs_to_another_program_is_dead() {
        let us = info("boot space", "host", 1);
        let them = info("boot space", "host", 100);
        assert_eq!(judge(&us, &them, |_| Some(100)), Liveness::Alive);
        assert_eq!(judge(&us, &them, |_| Some(200)), Liveness::Dead);
        assert_eq!(judge(&us, &them, |_| None), Liveness::Dead);
    }

    #[test]
    fn what_ran_before_a_reboot_is_dead_and_other_machines_and_containers_are_unknown() {
        let us = info("boot space", "host", 1);
        let alive = |_| Some(100);
        assert_eq!(
            judge(&us, &info("earlier space", "host", 100), alive),
            Liveness::Dead
        );
        assert_eq!(
            judge(&us, &info("boot other", "host", 100), alive),
            Liveness::Unknown
        );
        assert_eq!(
            judge(&us, &info("boot space", "elsewhere", 100), alive),
            Liveness::Unknown
        );
    }
}
