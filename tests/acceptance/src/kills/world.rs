//! One configuration under drill: a model, two identical versions, an alias and an endpoint; and what lies around it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::matrix::{Kill, Operation, Victim};
use crate::running::Ended;
use crate::stack::{ENDPOINT, Stack, VERSION};
use crate::{Workspace, process, wait};

/// The second version, whose configuration equals the first one's.
const TWIN: &str = "mlops_model_version.twin";
const ALIAS: &str = "mlops_model_alias.champion";

const MORE: &str = r#"
resource "mlops_model_version" "twin" {
  model  = mlops_model.digits.name
  source = "model.onnx"
  lifecycle {
    create_before_destroy = true
  }
}

resource "mlops_model_alias" "champion" {
  model   = mlops_model.digits.name
  name    = "champion"
  version = mlops_endpoint.digits.target_versions["main"]
}
"#;

const QUICK: &str = r#"
  drain_seconds = 0
  rollout {
    strategy = "CANARY"
    steps    = [{ traffic = 20, bake = "200ms" }, { traffic = 100 }]
  }
"#;

/// Longer than an orphaned provider needs to notice, to give back and to end, on a busy machine.
const ENDS: Duration = Duration::from_secs(60);

/// A workspace with the configuration, and whether it is applied.
#[derive(Debug)]
pub struct World {
    stack: Stack,
    work: Workspace,
    applied: bool,
    updates: usize,
}

/// A row of the registry.
struct Record {
    partition: String,
    sort: String,
    body: Value,
}

/// An object of the state.
#[derive(Debug, PartialEq)]
struct Held {
    address: String,
    attributes: Value,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// With nothing applied.
    pub fn new() -> Self {
        let stack = Stack {
            endpoint: QUICK.to_owned(),
            more: MORE.to_owned(),
            ..Stack::default()
        };
        let mut work = stack.workspace("digits-v1");
        // Half of the time of a short Terraform run is its garbage collector's.
        work.env("GOGC", "off").init();
        Self {
            stack,
            work,
            applied: false,
            updates: 0,
        }
    }

    /// Whether the configuration is applied.
    pub fn is_applied(&self) -> bool {
        self.applied
    }

    /// Makes the world as `operation` wants to find it.
    ///
    /// # Panics
    /// If that fails.
    pub fn prepare(&mut self, operation: Operation) {
        match operation {
            Operation::Create if self.applied => self.finish(Operation::Destroy),
            Operation::Update | Operation::Destroy if !self.applied => {
                self.finish(Operation::Create);
            }
            _ => {}
        }
        if operation == Operation::Update {
            // There and back: both are canaries from one artifact to another.
            self.updates += 1;
            let model = ["digits-v1", "digits-v2"][self.updates % 2];
            self.work.copy_model(model, "model.onnx");
        }
    }

    fn run(&self, operation: Operation) -> Ended {
        let apply: &[&str] = &["apply", "-json", "-input=false", "-auto-approve"];
        let destroy: &[&str] = match operation {
            Operation::Destroy => &["-destroy"],
            Operation::Create | Operation::Update => &[],
        };
        self.work.run(apply.iter().chain(destroy))
    }

    fn count_file(&self) -> PathBuf {
        self.work.path("commits.txt")
    }

    /// Runs the operation undisturbed; the keys that each of its commits changed.
    ///
    /// # Panics
    /// If it fails.
    pub fn count(&mut self, operation: Operation) -> Vec<String> {
        let file = self.count_file();
        // There may be none yet.
        let _ = fs::remove_file(&file);
        self.prepare(operation);
        self.work
            .env("MLOPS_DRILL_COUNT", &file.display().to_string());
        let ended = self.run(operation);
        self.work.env("MLOPS_DRILL_COUNT", "");
        ended.succeeded();
        self.applied = operation != Operation::Destroy;
        lines(&file)
    }

    /// Runs the operation with the kill. Returns what it said, or nothing where it ended before the chosen commit.
    ///
    /// # Panics
    /// If a provider does not end after Terraform was killed.
    pub fn kill(&mut self, operation: Operation, kill: Kill) -> Option<Ended> {
        let file = self.count_file();
        let _ = fs::remove_file(&file);
        self.work
            .env("MLOPS_DRILL_COUNT", &file.display().to_string())
            .env("MLOPS_DRILL_KILL", &kill.to_string());
        let ended = self.run(operation);
        self.work
            .env("MLOPS_DRILL_COUNT", "")
            .env("MLOPS_DRILL_KILL", "");
        if kill.victim == Victim::Terraform {
            wait::until("a provider without Terraform ends", ENDS, || {
                !process::within(self.work.dir())
                    .iter()
                    .any(process::Process::is_provider)
            });
        }
        if kill.victim == Victim::Terraform {
            self.work.mend_torn_state(self.applied);
        }
        lines(&file)
            .iter()
            .any(|line| line == "kill")
            .then_some(ended)
    }

    /// Runs the operation, and asserts that nothing is left to do.
    ///
    /// # Panics
    /// If it fails, or a plan is not empty after it.
    pub fn finish(&mut self, operation: Operation) {
        self.run(operation).succeeded();
        self.applied = operation != Operation::Destroy;
        if self.applied {
            self.work.expect_empty_plan();
        } else {
            assert_eq!(self.state(), Vec::<Held>::new(), "the state is empty");
        }
    }

    /// What is there and should not be, in words.
    ///
    /// # Panics
    /// If the registry cannot be read, or the endpoint does not answer.
    pub fn orphans(&self) -> Vec<String> {
        let mut orphans = Vec::new();
        let records = self.records();
        let servers = process::servers(&self.work.registry());
        let expected = usize::from(self.applied);
        if servers.len() != expected {
            orphans.push(format!("{} servers run, not {expected}", servers.len()));
        }
        for process in process::within(self.work.dir()) {
            if !servers.contains(&process) {
                orphans.push(format!("process {} runs: {:?}", process.pid, process.exe));
            }
        }
        let ports = records
            .iter()
            .filter(|record| record.partition == "local-port");
        let ports: Vec<_> = ports.map(|record| record.sort.as_str()).collect();
        if ports.len() != expected {
            orphans.push(format!("ports {ports:?} are leased, not {expected}"));
        }
        for record in &records {
            let kind = record.partition.split('#').next().unwrap_or_default();
            match (kind, record.sort.as_str()) {
                // Without a holder it is the counter of fencing tokens, and stays.
                ("lease", "lease") if !record.body["holder"].is_null() => {
                    orphans.push(format!("{} is held", record.partition));
                }
                ("journal", "open") => orphans.push(format!("{} is open", record.partition)),
                _ => {}
            }
        }
        self.lost_versions(&records, &mut orphans);
        if self.applied {
            self.idle_revisions(&mut orphans);
        } else if self.stack.listens() {
            orphans.push(format!("something listens on port {}", self.stack.port));
        }
        orphans.extend(self.left_files());
        orphans
    }

    /// Versions that may be bound and that no state holds, and twins that are one.
    fn lost_versions(&self, records: &[Record], orphans: &mut Vec<String>) {
        let active = records.iter().filter(|record| {
            record.sort.starts_with("version#") && record.body["status"] != "archived"
        });
        let number = |record: &Record| record.sort["version#".len()..].parse::<u64>().ok();
        let active: BTreeSet<u64> = active.filter_map(number).collect();
        let mut held = BTreeSet::new();
        if self.applied {
            let state = self.state();
            let number = |address: &str, pointer: &str| {
                let mut found = state.iter().filter(|held| held.address == address);
                let (held, more) = (found.next(), found.next());
                assert!(more.is_none(), "the state holds {address} twice");
                let number = held.and_then(|held| held.attributes.pointer(pointer)?.as_u64());
                number.unwrap_or_else(|| panic!("no whole number at {pointer} of {address}"))
            };
            let (one, two) = (number(VERSION, "/version"), number(TWIN, "/version"));
            if one == two {
                orphans.push(format!("both resources hold version {one}"));
            }
            held.extend([one, two]);
            let (runs, points) = (
                number(ENDPOINT, "/target_versions/main"),
                number(ALIAS, "/version"),
            );
            if (runs, points) != (one, one) {
                orphans.push(format!(
                    "the endpoint runs {runs} and the alias is at {points}, not {one}"
                ));
            }
            let answers = self.stack.who_answers(5);
            if answers.keys().copied().collect::<Vec<_>>() != [one] {
                orphans.push(format!("{answers:?} answer, not version {one}"));
            }
        }
        if active != held {
            orphans.push(format!(
                "versions {active:?} are active, and the state holds {held:?}"
            ));
        }
    }

    /// The objects that the state holds, deposed ones too. Read from the file: to show a state, Terraform starts the
    /// provider.
    fn state(&self) -> Vec<Held> {
        let file = self.work.path("terraform.tfstate");
        let text = fs::read(&file).unwrap_or_else(|error| panic!("no state: {error}"));
        let json: Value = serde_json::from_slice(&text)
            .unwrap_or_else(|error| panic!("the state cannot be read: {error}"));
        let resources = json["resources"].as_array().into_iter().flatten();
        let held = resources.flat_map(|resource| {
            let part = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
            let address = format!("{}.{}", part("type"), part("name"));
            let instances = resource["instances"].as_array().into_iter().flatten();
            instances.map(move |instance| Held {
                address: address.clone(),
                attributes: instance["attributes"].clone(),
            })
        });
        held.collect()
    }

    /// Revisions that are loaded beside the one that serves.
    fn idle_revisions(&self, orphans: &mut Vec<String>) {
        let status = self.work.mlops(["endpoint", "status", "digits", "--json"]);
        let told = status.output.lines().find(|line| line.starts_with('{'));
        let json: Value = told
            .and_then(|line| serde_json::from_str(line).ok())
            .or_else(|| serde_json::from_str(&status.output).ok())
            .unwrap_or_else(|| panic!("no JSON: {}", status.output));
        let revisions = json
            .pointer("/variants/main/revisions")
            .and_then(Value::as_object);
        let weights: Vec<_> = revisions
            .into_iter()
            .flatten()
            .map(|(_, revision)| revision["weight_percent"].as_f64().unwrap_or(0.0))
            .collect();
        if weights != [100.0] {
            orphans.push(format!("revisions are loaded with weights {weights:?}"));
        }
    }

    /// Directories of servers beyond those that run.
    fn left_files(&self) -> Option<String> {
        let mut dirs = Vec::new();
        for endpoint in entries(&self.work.registry().join("run")) {
            if endpoint.is_dir() {
                dirs.extend(entries(&endpoint));
            }
        }
        let expected = usize::from(self.applied);
        (dirs.len() != expected).then(|| format!("{dirs:?} lie there, not {expected}"))
    }

    fn records(&self) -> Vec<Record> {
        let file = self.work.registry().join("registry.sqlite");
        let read = || -> rusqlite::Result<Vec<Record>> {
            let connection = Connection::open_with_flags(
                &file,
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            connection.busy_timeout(Duration::from_secs(10))?;
            let mut statement = connection.prepare("SELECT partition, sort, body FROM records")?;
            let rows = statement.query_map([], |row| {
                let body: String = row.get(2)?;
                Ok(Record {
                    partition: row.get(0)?,
                    sort: row.get(1)?,
                    body: serde_json::from_str(&body).unwrap_or_default(),
                })
            })?;
            rows.collect()
        };
        read().unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()))
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).collect()
}

fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
