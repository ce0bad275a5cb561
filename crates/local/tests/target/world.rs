//! A registry's directory, a store of records, and the endpoint's executor cut down to what a provision needs.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mlops_core::Result;
use mlops_core::records::{Item, Range, Records};
use mlops_core::saga::Progress;
use mlops_core::saga::{Moved, StepError};
use mlops_core::target::{ProvisionRequest, Server, Target};
use mlops_local::artifacts::LocalArtifacts;
use mlops_local::location::Namespace;
use mlops_local::records::LocalRecords;
use mlops_local::target::LocalTarget;
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) dir: PathBuf,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) artifacts: Arc<LocalArtifacts>,
    _own: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::below("")
    }

    /// With the registry so much deeper.
    pub(crate) fn below(path: &str) -> Self {
        let own = tempfile::tempdir().unwrap();
        let mut world = Self::borrowed(own.path().join(path).join(".mlops"));
        world._own = Some(own);
        world
    }

    /// On a directory that somebody else cleans up.
    pub(crate) fn borrowed(dir: PathBuf) -> Self {
        Self {
            records: Arc::new(LocalRecords::new(&dir, Namespace::default())),
            artifacts: Arc::new(LocalArtifacts::new(&dir)),
            dir,
            _own: None,
        }
    }

    /// A target that remembers nothing: as after a kill.
    pub(crate) fn target(&self) -> LocalTarget {
        let program = test_server();
        LocalTarget::new(
            &self.dir,
            program,
            self.records.clone(),
            self.artifacts.clone(),
        )
        .unwrap()
    }

    pub(crate) async fn up(&self, request: &ProvisionRequest) -> Result<Server, StepError> {
        let mut state = self.target().steps(request).unwrap().initial();
        self.forward(request, &mut state).await
    }

    /// Runs every step, each call on a fresh target and on a state that was text in between.
    pub(crate) async fn forward(
        &self,
        request: &ProvisionRequest,
        state: &mut Value,
    ) -> Result<Server, StepError> {
        let count = self.target().steps(request).unwrap().into_nodes().len();
        for at in 0..count {
            let node = &self.target().steps(request).unwrap().into_nodes()[at];
            node.begin(state, Timestamp::now())?;
            self.drive(request, at, state).await?;
        }
        let steps = self.target().steps(request)?;
        Ok(steps.server(state)?.expect("every step is done"))
    }

    /// Runs one step that has begun.
    pub(crate) async fn drive(
        &self,
        request: &ProvisionRequest,
        at: usize,
        state: &mut Value,
    ) -> Result<(), StepError> {
        let begun = Instant::now();
        loop {
            *state = serde_json::from_str(&state.to_string()).unwrap();
            let node = &self.target().steps(request).unwrap().into_nodes()[at];
            match node.forward(state).await? {
                Moved::Done => return Ok(()),
                Moved::Pending {
                    poll_after,
                    deadline,
                    ..
                } => {
                    assert!(begun.elapsed() < deadline, "{} took too long", node.name());
                    tokio::time::sleep(poll_after).await;
                }
            }
        }
    }

    pub(crate) async fn undo(&self, request: &ProvisionRequest, state: &mut Value) {
        let count = self.target().steps(request).unwrap().into_nodes().len();
        for at in (0..count).rev() {
            let begun = Instant::now();
            loop {
                *state = serde_json::from_str(&state.to_string()).unwrap();
                let node = &self.target().steps(request).unwrap().into_nodes()[at];
                match node.undo(state).await.unwrap() {
                    Moved::Done => break,
                    Moved::Pending {
                        poll_after,
                        deadline,
                        ..
                    } => {
                        assert!(begun.elapsed() < deadline, "{} took too long", node.name());
                        tokio::time::sleep(poll_after).await;
                    }
                }
            }
        }
    }

    pub(crate) async fn down(&self, server: &Server) {
        let begun = Instant::now();
        while let Progress::Pending {
            poll_after,
            deadline,
            ..
        } = self.target().teardown(server, 0).await.unwrap()
        {
            assert!(begun.elapsed() < deadline, "the teardown took too long");
            tokio::time::sleep(poll_after).await;
        }
    }

    /// The leases, by port, as the holders' endpoint names.
    pub(crate) async fn leases(&self) -> Vec<(String, String)> {
        let page = self
            .records
            .query("local-port", Range::default())
            .await
            .unwrap();
        let name = |item: &Item| item.body["server"]["endpoint"].as_str().unwrap().to_owned();
        page.items
            .iter()
            .map(|item| (item.key.sort.clone(), name(item)))
            .collect()
    }

    /// Directories of servers.
    pub(crate) fn server_dirs(&self) -> Vec<PathBuf> {
        children(&self.dir.join("run"))
            .iter()
            .filter(|path| path.is_dir())
            .flat_map(|path| children(path))
            .collect()
    }

    pub(crate) fn server_dir(&self) -> PathBuf {
        let dirs = self.server_dirs();
        assert_eq!(dirs.len(), 1, "{dirs:?}");
        dirs.into_iter().next().unwrap()
    }

    /// Every live process that runs a copy of this world's program.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let bin = self.dir.join("bin");
        let mut pids = Vec::new();
        for entry in children(Path::new("/proc")) {
            let runs = std::fs::read_link(entry.join("exe")).is_ok_and(|exe| exe.starts_with(&bin));
            let pid = entry
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            if let (true, Some(pid)) = (runs, pid) {
                pids.push(pid);
            }
        }
        pids
    }

    pub(crate) fn kill_server(&self) {
        let pids = self.processes();
        assert_eq!(pids.len(), 1, "{pids:?}");
        kill(pids[0]);
        while !ended(pids[0]) {
            std::thread::yield_now();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self._own.is_some() {
            for pid in self.processes() {
                kill(pid);
            }
        }
    }
}

/// Whether nothing of a process is left but its exit status. Its program is gone from `/proc` before its locks and ports are
/// free, and its first thread may have ended before the others.
fn ended(pid: u32) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let Ok(stat) = std::fs::read_to_string(process.join("stat")) else {
        return true;
    };
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, fields)| fields.chars().next());
    state == Some('Z') && children(&process.join("task")).len() <= 1
}

fn kill(pid: u32) {
    Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .unwrap();
}

pub(crate) fn children(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).map_or_else(
        |_| Vec::new(),
        |dir| dir.flatten().map(|e| e.path()).collect(),
    )
}

/// The example that cargo built beside this test.
pub(crate) fn test_server() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/local_server");
    assert!(
        path.exists(),
        "{} is missing: run cargo test for the whole package",
        path.display()
    );
    path
}

pub(crate) fn request(name: &str, local: Value) -> ProvisionRequest {
    serde_json::from_value(json!({
        "endpoint": uuid::Uuid::new_v4(),
        "deployment": {"id": "5e6f7a8b00000000", "attempt": 1},
        "spec": {"name": name, "variants": {}, "target": {"local": local}},
        "previous": null,
    }))
    .unwrap()
}

/// The same endpoint's next try.
pub(crate) fn next(request: &ProvisionRequest, previous: Option<&Server>) -> ProvisionRequest {
    let mut next = request.clone();
    next.deployment.attempt += 1;
    next.previous = previous.cloned();
    next
}

/// So many free ports in a row that no other test of this process gets, below the range that the system hands out.
pub(crate) fn ports(count: u16) -> (u16, Value) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 12_000 + (std::process::id() % 1000) as u16 * 20;
    for _ in 0..2000 {
        let first = start + NEXT.fetch_add(count, Ordering::Relaxed) % 1000;
        let free =
            (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
        if free {
            return (
                first,
                json!({"port_range": format!("{first}-{}", first + count - 1)}),
            );
        }
    }
    panic!("no {count} free ports in a row");
}

/// Waits for a condition; fails loudly if it never comes.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{what} did not come to pass"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
