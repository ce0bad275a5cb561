//! The target port on processes of this machine.
//!
//! An endpoint's server is a copy of this program, started again as a model server that belongs to nobody: it outlives
//! terraform and the provider. Its files lie in `run/ENDPOINT/` beside the registry, the program's copy in `bin/`.
//! Why it is built so: `docs/decisions/0008-local-processes.md`.

pub mod binary;
pub mod child;
mod health;
mod launch;
mod layout;
mod logs;
mod ports;
mod process;
mod programs;
mod revision;
mod routing;
mod server;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::artifacts::ArtifactStore;
use mlops_core::endpoint::spec::{EndpointSpec, TargetSpec};
use mlops_core::records::Records;
use mlops_core::saga::Progress;
use mlops_core::serving::{RemovalState, RevisionLimits, SmokeReport, SmokeRequest};
use mlops_core::target::slots::Release;
use mlops_core::target::{
    Observation, Probe, Provision, ProvisionRequest, Revision, RevisionName, Routing, Server,
    Target,
};
use mlops_core::{Error, Result};

use self::server::Found;
use self::steps::{Handle, Machine, Turns};
use crate::admin::AdminClient;

/// How often something that takes its time is asked after.
const POLL: Duration = Duration::from_millis(20);
/// Time past a drain limit in which the server's answer must say that the revision is gone.
const REMOVAL_MARGIN: Duration = Duration::from_secs(10);
/// The longest a golden request may take; the server's own limit ends it before.
const SMOKE_LIMIT: Duration = Duration::from_secs(30);

/// Runs endpoints as processes of this machine.
pub struct LocalTarget {
    machine: Arc<Machine>,
    artifacts: Arc<dyn ArtifactStore>,
}

impl std::fmt::Debug for LocalTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalTarget")
            .field("run", &self.machine.run)
            .field("program", &self.machine.program)
            .finish_non_exhaustive()
    }
}

impl LocalTarget {
    /// A target that keeps its files in `directory` (the registry's, `.mlops`), its leases in `records`, and finds models
    /// in `artifacts`. Servers run `program`, which must call [`child::dispatch`]; it is this program:
    /// [`binary::this_program`]. Nothing is touched before the first step.
    pub fn new(
        directory: &Path,
        program: impl Into<PathBuf>,
        records: Arc<dyn Records>,
        artifacts: Arc<dyn ArtifactStore>,
    ) -> Result<Self> {
        // Servers run in another directory, so no path may be relative.
        let directory = std::path::absolute(directory).map_err(|cause| {
            Error::invalid(format!(
                "{:?} is not a directory's path",
                directory.display()
            ))
            .because(cause)
        })?;
        Ok(Self {
            machine: Arc::new(Machine {
                records,
                run: directory.join("run"),
                bin: directory.join("bin"),
                program: program.into(),
                turns: Turns::default(),
            }),
            artifacts,
        })
    }

    /// The server behind `server`, if it runs and is that one; else why not.
    async fn find(&self, server: &Server) -> Result<Result<AdminClient, &'static str>> {
        let handle: Handle = server.handle()?;
        Ok(
            match server::find(&self.machine.dir(&handle.server)).await? {
                Found::Running { nonce, admin, .. } if nonce == handle.nonce => Ok(admin),
                Found::Running { .. } => Err("another server runs in its place"),
                Found::Silent => Err("its process lives but does not answer"),
                Found::Dead { exit: Some(_), .. } => Err("its process has ended"),
                Found::Dead { exit: None, .. } => Err("its process was killed"),
                Found::Nothing => Err("it was taken away"),
            },
        )
    }

    async fn running(&self, server: &Server) -> Result<AdminClient> {
        self.find(server).await?.map_err(|why| {
            Error::not_found(format!(
                "the model server at {} does not serve: {why}; apply again to start it",
                server.invoke_url
            ))
        })
    }

    /// Ends a revision; success where there is none.
    async fn take_away(
        &self,
        server: &Server,
        revision: &RevisionName,
        drain: Duration,
    ) -> Result<Progress<()>> {
        let Ok(admin) = self.find(server).await? else {
            return Ok(Progress::Done(()));
        };
        let removal = admin.delete_revision(revision.as_str(), drain).await?;
        Ok(match removal.state {
            RemovalState::Gone => Progress::Done(()),
            RemovalState::Draining => Progress::again(POLL, drain + REMOVAL_MARGIN),
        })
    }
}

#[async_trait]
impl Target for LocalTarget {
    fn kind(&self) -> &'static str {
        "local"
    }

    fn validate(&self, spec: &EndpointSpec) -> Vec<Error> {
        let checked = spec.variants.iter().map(|(name, variant)| {
            RevisionLimits::from_environment(&variant.environment)
                .map_err(|error| error.at(format!("variants.{name}.environment")))
        });
        checked.filter_map(Result::err).collect()
    }

    fn satisfies(&self, server: &Server, spec: &EndpointSpec) -> bool {
        match &spec.target {
            TargetSpec::Local(local) => {
                server.port.is_some_and(|port| local.ports().contains(port))
            }
            _ => false,
        }
    }

    fn steps(&self, request: &ProvisionRequest) -> Result<Provision> {
        steps::steps(&self.machine, request)
    }

    async fn ensure_revision(&self, server: &Server, revision: &Revision) -> Result<Progress<()>> {
        let admin = self.running(server).await?;
        revision::ensure(&admin, self.artifacts.as_ref(), revision).await
    }

    async fn set_weights(&self, server: &Server, routing: &Routing) -> Result<()> {
        routing::apply(&self.running(server).await?, routing).await
    }

    async fn scale(
        &self,
        server: &Server,
        revision: &RevisionName,
        _: u32,
    ) -> Result<Progress<()>> {
        // One process is one instance of everything that it has loaded; there is nothing to add.
        let admin = self.running(server).await?;
        match admin.revision(revision.as_str()).await? {
            Some(_) => Ok(Progress::Done(())),
            None => Err(Error::not_found(format!(
                "the model server at {} does not know revision {revision}",
                server.invoke_url
            ))),
        }
    }

    async fn drain(
        &self,
        server: &Server,
        revision: &RevisionName,
        drain_seconds: u64,
    ) -> Result<Progress<()>> {
        // The server drains and unloads in one call, so nothing is left for `remove`.
        self.take_away(server, revision, Duration::from_secs(drain_seconds))
            .await
    }

    async fn remove(&self, server: &Server, revision: &RevisionName) -> Result<Progress<()>> {
        self.take_away(server, revision, Duration::ZERO).await
    }

    async fn observe(&self, server: &Server) -> Result<Observation> {
        let seen = async {
            let admin = match self.find(server).await? {
                Ok(admin) => admin,
                Err(why) => return Ok(Observation::dead(why)),
            };
            routing::observation(&admin.status().await?, admin.metrics().await?)
        };
        match seen.await {
            // It died between two questions.
            Err(error) if error.class() == mlops_core::Class::Unavailable => {
                Ok(Observation::dead("it stopped answering"))
            }
            other => other,
        }
    }

    async fn probe(&self, server: &Server, path: &str, limit: Duration) -> Result<Probe> {
        // Another program may listen on the port of a server that is gone.
        self.running(server).await?;
        let port = server.port.ok_or_else(|| {
            Error::corrupt(format!(
                "the registry's record of the server at {} lacks its port",
                server.invoke_url
            ))
        })?;
        Ok(health::probe(steps::address(port), path, limit).await)
    }

    async fn smoke(
        &self,
        server: &Server,
        revision: &RevisionName,
        request: &SmokeRequest,
    ) -> Result<SmokeReport> {
        let admin = self.running(server).await?;
        admin.smoke(revision.as_str(), request, SMOKE_LIMIT).await
    }

    async fn teardown(&self, server: &Server, drain_seconds: u64) -> Result<Progress<()>> {
        let handle: Handle = server.handle()?;
        let drain = Duration::from_secs(drain_seconds);
        if !server::stop(&self.machine.dir(&handle.server), drain).await? {
            return Ok(Progress::again(POLL, drain + server::STOP_MARGIN));
        }
        // Only now: a lease that ended earlier could go to another endpoint while this server has the port.
        ports::release(
            self.machine.records.as_ref(),
            &handle.server,
            None,
            Release::Free,
        )
        .await?;
        Ok(Progress::Done(()))
    }

    async fn tidy(&self) -> Result<()> {
        let machine = self.machine.clone();
        tokio::task::spawn_blocking(move || programs::collect(&machine.bin, &machine.run))
            .await
            .map_err(|cause| Error::bug("the collection of programs panicked").because(cause))?
    }

    async fn last_logs(&self, server: &Server, lines: usize) -> Result<Vec<String>> {
        let handle: Handle = server.handle()?;
        let dir = self.machine.dir(&handle.server);
        logs::last_lines(&dir, lines).map_err(|cause| {
            Error::unavailable(format!(
                "the log in {} could not be read",
                dir.path().display()
            ))
            .because(cause)
        })
    }
}
