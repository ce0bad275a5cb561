//! A drill for the tests that kill: dies, or kills Terraform, at a chosen commit. Debug builds only.
//!
//! | variable | meaning |
//! |---|---|
//! | `MLOPS_DRILL_KILL` | `N:before:provider`: SIGKILL of this process when its N-th commit (from 1) is complete but not on the disk; `after`: once it is; `terraform` instead of `provider`: SIGKILL of the parent, after which this process goes on |
//! | `MLOPS_DRILL_COUNT` | a file to which each commit appends a line with the keys that it changes, and a kill the line `kill` |
//!
//! A commit whose condition fails writes nothing and is not counted.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use mlops_core::records::Write;
use rustix::process::{Pid, Signal, getpid, getppid, kill_process};

/// When to kill whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kill {
    /// The number of the commit, from 1.
    at: u64,
    after: bool,
    parent: bool,
}

#[derive(Debug, Default)]
struct Drill {
    kill: Option<Kill>,
    count: Option<PathBuf>,
}

static DRILL: OnceLock<Drill> = OnceLock::new();
static COMMITS: AtomicU64 = AtomicU64::new(0);

fn parse(text: &str) -> Option<Kill> {
    let mut parts = text.split(':');
    let at = parts.next()?.parse().ok().filter(|at| *at > 0)?;
    let after = match parts.next()? {
        "before" => false,
        "after" => true,
        _ => return None,
    };
    let parent = match parts.next()? {
        "provider" => false,
        "terraform" => true,
        _ => return None,
    };
    parts.next().is_none().then_some(Kill { at, after, parent })
}

fn drill() -> &'static Drill {
    DRILL.get_or_init(|| {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let kill = set("MLOPS_DRILL_KILL").map(|text| {
            let kill = text.to_str().and_then(parse);
            // A drill that silently kills nobody would let every test pass.
            kill.expect("MLOPS_DRILL_KILL is N:before|after:provider|terraform")
        });
        let count = set("MLOPS_DRILL_COUNT").map(PathBuf::from);
        Drill { kill, count }
    })
}

/// The commits of one transaction, between their last statement and COMMIT, and after it.
pub(super) struct Commits<'a> {
    writes: Vec<&'a [Write]>,
    last: u64,
}

impl<'a> Commits<'a> {
    /// Counts them, and kills if the chosen one is among them.
    pub(super) fn before(writes: impl Iterator<Item = &'a [Write]>) -> Self {
        let writes: Vec<_> = writes.collect();
        let number = writes.len() as u64;
        let last = COMMITS.fetch_add(number, Ordering::Relaxed) + number;
        let commits = Self { writes, last };
        commits.kill(false);
        commits
    }

    /// They are on the disk.
    pub(super) fn after(self) {
        self.tell();
        self.kill(true);
    }

    fn tell(&self) {
        let changed = |writes: &[Write]| {
            let keys = writes
                .iter()
                .map(|write| format!("{}/{}", write.key.partition, write.key.sort));
            keys.collect::<Vec<_>>().join(" ") + "\n"
        };
        let lines: String = self.writes.iter().map(|writes| changed(writes)).collect();
        append(&lines);
    }

    fn kill(&self, after: bool) {
        let Some(kill) = drill().kill.filter(|kill| kill.after == after) else {
            return;
        };
        let first = self.last - self.writes.len() as u64;
        if kill.at <= first || kill.at > self.last {
            return;
        }
        append("kill\n");
        if kill.parent {
            kill_parent();
        } else {
            // Nothing of this process runs after the call returns, if it returns at all.
            let _ = kill_process(getpid(), Signal::KILL);
            std::thread::park();
        }
    }
}

fn append(lines: &str) {
    let Some(path) = &drill().count else { return };
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(lines.as_bytes()))
        .expect("MLOPS_DRILL_COUNT names a file that can be written");
}

/// Kills Terraform, and waits until it is gone: this process goes on as an orphan.
fn kill_parent() {
    let Some(parent) = getppid().filter(|parent| *parent != Pid::INIT) else {
        return;
    };
    let _ = kill_process(parent, Signal::KILL);
    while getppid() == Some(parent) {
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_names_the_commit_the_side_and_the_victim() {
        let kill = |at, after, parent| Some(Kill { at, after, parent });
        assert_eq!(parse("1:before:provider"), kill(1, false, false));
        assert_eq!(parse("12:after:terraform"), kill(12, true, true));
        for wrong in [
            "",
            "0:before:provider",
            "1:during:provider",
            "1:after",
            "1:after:server",
            "1:after:provider:x",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
