//! What dockerd knows, asked on its socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use super::{EcsWorld, api};

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// The ARN of its task.
    pub task: String,
}

impl EcsWorld {
    /// The containers that run; none on paper.
    ///
    /// # Panics
    /// If dockerd does not answer.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        if self.docker.as_os_str().is_empty() {
            return Vec::new();
        }
        let listed = self.docker("GET", "/containers/json");
        let listed: Value = serde_json::from_str(&listed).expect("dockerd answers JSON");
        let listed = listed.as_array().cloned().unwrap_or_default();
        listed
            .iter()
            .map(|container| Container {
                id: api::text(&container["Id"]),
                task: api::text(&container["Labels"]["com.amazonaws.ecs.task-arn"]),
            })
            .collect()
    }

    /// What dockerd says of the container of a task.
    ///
    /// # Panics
    /// If none runs.
    #[must_use]
    pub fn inspect_container(&self, task: &str) -> Value {
        let container = self.container_of(task);
        let told = self.docker("GET", &format!("/containers/{}/json", container.id));
        serde_json::from_str(&told).expect("dockerd answers JSON")
    }

    /// Kills the container of a task, as a crash would.
    ///
    /// # Panics
    /// If none runs.
    pub fn kill_container(&self, task: &str) {
        let container = self.container_of(task);
        self.docker("POST", &format!("/containers/{}/kill", container.id));
    }

    fn container_of(&self, task: &str) -> Container {
        let containers = self.containers();
        let container = containers.iter().find(|container| container.task == task);
        (container.cloned())
            .unwrap_or_else(|| panic!("no container runs for {task}: {containers:?}"))
    }

    /// Where this machine finds what is in a volume of dockerd's: its data lies beside its socket (`scripts/parts/run_dockerd.py`).
    ///
    /// # Panics
    /// On paper, where there is no dockerd.
    #[must_use]
    pub fn volume(&self, name: &str) -> PathBuf {
        let beside = self.docker.parent().expect("a dockerd");
        beside.join("data/volumes").join(name).join("_data")
    }

    /// The body of an answer.
    fn docker(&self, method: &str, path: &str) -> String {
        let mut socket = UnixStream::connect(&self.docker).expect("dockerd listens");
        // HTTP/1.0: the answer is not cut into chunks, and ends with the connection.
        let asked = format!("{method} {path} HTTP/1.0\r\nhost: docker\r\n\r\n");
        socket
            .write_all(asked.as_bytes())
            .expect("dockerd is asked");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("dockerd answers");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{method} {path}: {answer}");
        body.to_owned()
    }
}
