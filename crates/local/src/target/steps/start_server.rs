//! Starts the server on the leased port, and waits until it answers there.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::saga::{Progress, Step, StepError, UndoError};
use mlops_core::serving::EXIT_ADDRESS_IN_USE;
use mlops_core::target::slots::Release;
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Machine, address};
use crate::target::layout::{ServerDir, ServerKey};
use crate::target::ports::{self, Wanted};
use crate::target::server::{self, Found, STOP_MARGIN, Started};
use crate::target::{binary, health, logs, programs};

/// How long a server may take from its start to its first answer. It loads no model in that time.
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Starts after which a port that is free whenever we look, and taken whenever the server looks, is given up.
const START_ATTEMPTS: u32 = 4;
/// Log lines that go along with a failure.
const EVIDENCE_LINES: usize = 200;

pub(super) enum StartServer {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StartServerInput {
    pub(super) server: ServerKey,
    pub(super) wanted: Wanted,
    pub(super) port: u16,
    pub(super) drain_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StartedServer {
    pub(super) port: u16,
    pub(super) nonce: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StartServerCheckpoint {
    /// The port that the last start was for.
    port: u16,
    /// The server that was started last; one of this nonce that is dead will not come.
    nonce: Option<String>,
    /// Ports that turned out to be another program's.
    foreign: BTreeSet<u16>,
    /// Starts so far.
    attempts: u32,
}

#[async_trait]
impl Step for StartServer {
    const NAME: &'static str = "local_start_server";
    const VERSION: u32 = 1;
    type Ports = Machine;
    type Input = StartServerInput;
    type Output = StartedServer;
    type Checkpoint = StartServerCheckpoint;

    async fn forward(
        machine: &Machine,
        input: StartServerInput,
        checkpoint: Option<StartServerCheckpoint>,
    ) -> Result<Progress<StartedServer, StartServerCheckpoint>, StepError> {
        let dir = machine.dir(&input.server);
        let mut checkpoint = checkpoint.unwrap_or_else(|| StartServerCheckpoint {
            port: input.port,
            nonce: None,
            foreign: BTreeSet::new(),
            attempts: 0,
        });
        match server::find(&dir).await? {
            Found::Running { nonce, config, .. } => {
                // A call that was killed before its checkpoint was kept may have moved on to another port.
                checkpoint.port = config.listen.port();
                if health::is_live(config.listen).await {
                    // Leases of ports that were given up on the way.
                    ports::release(
                        machine.records.as_ref(),
                        &input.server,
                        Some(checkpoint.port),
                        Release::Restore,
                    )
                    .await?;
                    return Ok(Progress::Done(StartedServer {
                        port: checkpoint.port,
                        nonce,
                    }));
                }
            }
            Found::Silent => {}
            Found::Dead { nonce, exit } if checkpoint.nonce.as_ref() == Some(&nonce) => {
                checkpoint.nonce = None;
                after_end(machine, &input, &dir, &mut checkpoint, exit.map(i32::from)).await?;
            }
            Found::Dead { .. } | Found::Nothing => {
                start(machine, &input, &dir, &mut checkpoint).await?;
            }
        }
        Ok(Progress::Pending {
            poll_after: POLL,
            deadline: START_LIMIT,
            checkpoint,
        })
    }

    async fn undo(
        machine: &Machine,
        input: StartServerInput,
        _: Option<StartedServer>,
        checkpoint: Option<StartServerCheckpoint>,
    ) -> Result<Progress<(), StartServerCheckpoint>, UndoError> {
        let dir = machine.dir(&input.server);
        let _turn = machine.turns.wait(dir.path()).await;
        // Its revisions were drained by the steps above, or never had weight.
        if server::stop(&dir, Duration::ZERO).await? {
            return Ok(Progress::Done(()));
        }
        Ok(Progress::Pending {
            poll_after: POLL,
            deadline: STOP_MARGIN,
            checkpoint: checkpoint.unwrap_or(StartServerCheckpoint {
                port: input.port,
                nonce: None,
                foreign: BTreeSet::new(),
                attempts: 0,
            }),
        })
    }
}

async fn start(
    machine: &Machine,
    input: &StartServerInput,
    dir: &ServerDir,
    checkpoint: &mut StartServerCheckpoint,
) -> Result<(), StepError> {
    let started = {
        let (bin, program, dir) = (machine.bin.clone(), machine.program.clone(), dir.clone());
        let (endpoint, drain) = (input.server.endpoint.to_string(), input.drain_seconds);
        let listen = address(checkpoint.port);
        let turn = machine.turns.wait(dir.path()).await;
        tokio::task::spawn_blocking(move || {
            // Also when nobody waits for us any more.
            let _turn = turn;
            // Until the server's directory names the copy, only this keeps it.
            let _shared = programs::share(&bin)?;
            let copy = binary::stage(&bin, &program)?;
            server::start(&dir, &copy, &endpoint, listen, drain)
        })
        .await
        .map_err(|cause| Error::bug("the start of a model server panicked").because(cause))??
    };
    checkpoint.attempts += 1;
    match started {
        Started::Launched { nonce } => checkpoint.nonce = Some(nonce),
        Started::Busy => {}
        Started::Ended(code) => after_end(machine, input, dir, checkpoint, code).await?,
    }
    Ok(())
}

/// Decides what the end of a server that was just started means: another port, another try, or failure.
async fn after_end(
    machine: &Machine,
    input: &StartServerInput,
    dir: &ServerDir,
    checkpoint: &mut StartServerCheckpoint,
    code: Option<i32>,
) -> Result<(), StepError> {
    let evidence =
        || Some(json!({ "log": logs::last_lines(dir, EVIDENCE_LINES).unwrap_or_default() }));
    let again = checkpoint.attempts < START_ATTEMPTS;
    if code == Some(EXIT_ADDRESS_IN_USE) {
        // The machine's word against the lease's. If the port is free now, whoever had it was only looking, as we do.
        if !again || !ports::is_free(checkpoint.port) {
            checkpoint.foreign.insert(checkpoint.port);
            checkpoint.attempts = 0;
        }
        let wanted = Wanted {
            replaces: None,
            ..input.wanted.clone()
        };
        checkpoint.port = ports::acquire(
            machine.records.as_ref(),
            &input.server,
            &wanted,
            &checkpoint.foreign,
        )
        .await
        .map_err(|error| StepError::Failed {
            error,
            evidence: evidence(),
        })?;
        return Ok(());
    }
    let how = match code {
        Some(code) => format!("with exit status {code}"),
        None => "by a signal, or without a word".to_owned(),
    };
    let error = Error::bug(format!(
        "the model server of endpoint {:?} ended {how} before it answered on port {}; its log says why, and so does {}",
        input.server.endpoint.as_str(),
        checkpoint.port,
        dir.stderr().display(),
    ));
    Err(StepError::Failed {
        error,
        evidence: evidence(),
    })
}
