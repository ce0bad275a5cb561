//! The port to what runs models: a local process, ECS, Kubernetes.
//!
//! A target offers primitives only. Shifting, baking, analysing and retiring live in
//! [`crate::rollout`], so that every target rolls out in the same way. What a target does on its
//! own (lease a port, start a process, make a load balancer) are its provision steps: typed,
//! journaled and undone like every other step of the saga.
//!
//! Conformance: [`crate::conformance::target`].

mod foreign;
mod naming;
mod preflight;
mod provision;
pub mod slots;
mod targets;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

pub use foreign::Foreign;
pub use naming::{Announcement, Naming};
pub use preflight::{Asked as PreflightAsked, Check, Finding, FrontChange, Verdict};
pub use provision::{Provision, ProvisionRequest, ProvisionState};
pub use targets::Targets;
pub use types::{
    Alarm, AlarmState, Observation, Probe, Revision, RevisionName, RevisionObservation,
    RevisionState, Routing, Server, VariantRouting, Watched,
};

use crate::endpoint::spec::{Autoscaling, EndpointSpec};
use crate::error::{Error, Result};
use crate::names::EndpointId;
use crate::rollout::Answer;
use crate::rollout::query::ServerQuery;
use crate::saga::Progress;
use crate::serving::{SmokeReport, SmokeRequest};

/// What runs models.
///
/// Rules for every call:
/// * **It never waits** for the world: it starts or reads something and returns within a second (`smoke`: within
///   30 s; `probe`: within its limit; where many endpoints are waited for, a call that is made again and again may
///   wait 15 s for its turn). What takes longer answers [`Progress::Pending`] and is called again.
/// * **It is idempotent**: the caller may have been killed before it read the first answer.
/// * An error of class `Unavailable` or `Throttled` may go away; every other error is final.
/// * A server that does not run (any more) is `NotFound` for `ensure_revision`, `set_weights`,
///   `scale`, `probe` and `smoke`; it is success for `drain`, `remove` and `teardown`, and
///   [`Observation::alive`] `false` for `observe`.
/// * No call does anything to a process or object that it cannot prove to be the endpoint's.
#[async_trait]
pub trait Target: Send + Sync {
    /// The target's name, as in an endpoint's id: `local`.
    fn kind(&self) -> &'static str;

    /// This target in another region of its cloud; `None` where there are no regions, or this is the one. Pure.
    fn in_region(&self, region: &str) -> Option<Arc<dyn Target>> {
        let _ = region;
        None
    }

    /// The region that is its own where nobody names one, if it has regions.
    ///
    /// # Errors
    /// `Invalid` where its settings, and what completes them, name none.
    async fn home_region(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// What this target cannot serve as `spec` asks for, each with its attribute. Pure: a plan asks
    /// it, beside [`crate::endpoint::validate`].
    fn validate(&self, spec: &EndpointSpec) -> Vec<Error> {
        let _ = spec;
        Vec::new()
    }

    /// What is wrong around an endpoint that `spec` asks for: objects of others that it names, and that a change would fail of. It only reads. What
    /// cannot be read is a finding too, and never an error.
    async fn preflight(&self, spec: &EndpointSpec, asked: &PreflightAsked) -> Vec<Finding> {
        let _ = (spec, asked);
        Vec::new()
    }

    /// Whether a running `server` satisfies `spec`, or has to be replaced (another port asked for).
    /// Pure.
    fn satisfies(&self, server: &Server, spec: &EndpointSpec) -> bool;

    /// What clients reach `server` by, as its cloud names it, where there is such a thing. Pure.
    fn arn(&self, server: &Server) -> Option<String> {
        let _ = server;
        None
    }

    /// What runs under this id and is no endpoint's, described as an endpoint of one variant. It only reads.
    ///
    /// # Errors
    /// `NotFound` if nothing runs there; `Conflict` if it is an endpoint's, or changes now; `Invalid` if no endpoint can be what it is.
    async fn foreign(&self, id: &EndpointId) -> Result<Foreign> {
        Err(Error::not_found(format!(
            "there is no endpoint {id}, and nothing else on {} can become one",
            self.kind()
        )))
    }

    /// The target's own steps that bring up a server for `request`, in order. Pure: nothing is
    /// started, looked up or leased here. [`Server`] is their outcome.
    fn steps(&self, request: &ProvisionRequest) -> Result<Provision>;

    /// How the name that clients know `server` by differs from what `spec` asks for. Pure. A target that knows no names says nothing.
    fn naming(&self, spec: &EndpointSpec, server: Option<&Server>) -> Naming {
        let _ = (spec, server);
        Naming {
            is_same: true,
            ..Naming::default()
        }
    }

    /// Makes the name that is asked for lead to the server, and answers the server as clients know it then. What has the name and is not the endpoint's is
    /// left, and a conflict. `checkpoint` is that of the last call; it is never null.
    async fn announce(
        &self,
        asked: &Announcement,
        checkpoint: Option<&Value>,
    ) -> Result<Progress<Server, Value>> {
        let _ = checkpoint;
        Ok(Progress::Done(asked.server.clone()))
    }

    /// Takes back what [`Target::announce`] did for the same deployment: the name leads to where it led before. `has_begun` is whether that came beyond
    /// looking.
    async fn withdraw(&self, asked: &Announcement, has_begun: bool) -> Result<Progress<()>> {
        let _ = (asked, has_begun);
        Ok(Progress::Done(()))
    }

    /// Why clients do not find the server by its name any more; `None` while they do, and for one without a name. It only reads.
    async fn unnamed(&self, server: &Server) -> Result<Option<String>> {
        let _ = server;
        Ok(None)
    }

    /// Loads `revision` beside those that run, without weight. `Done` once it answers smoke
    /// requests. A revision that can never load is an error of class `Invalid` whose message is
    /// the server's reason.
    async fn ensure_revision(&self, server: &Server, revision: &Revision) -> Result<Progress<()>>;

    /// Makes what `revision` needs, like [`Target::ensure_revision`], and does not wait until it has started: `Done` once nothing is left to be made. A
    /// target on which that is the same waits.
    async fn make_revision(&self, server: &Server, revision: &Revision) -> Result<Progress<()>> {
        self.ensure_revision(server, revision).await
    }

    /// Makes the whole routing what `routing` says, in one step as far as clients can see.
    /// Variants and revisions that it does not name get nothing. It is also the emergency call
    /// that gives traffic back to the old revision.
    async fn set_weights(&self, server: &Server, routing: &Routing) -> Result<()>;

    /// Asks for `instances` instances of `revision`; `Done` once so many take requests. A target
    /// with one process has one instance of everything.
    async fn scale(
        &self,
        server: &Server,
        revision: &RevisionName,
        instances: u32,
    ) -> Result<Progress<()>>;

    /// Has the number of instances of `revision` follow `wanted`; with `None` nothing moves it any more. Policies and schedules
    /// that `wanted` does not have are taken away.
    ///
    /// With `hold`, while traffic moves, instances become more and never fewer, and may be so many whatever `wanted.max` is.
    /// A target with one process has nothing to follow.
    async fn autoscale(
        &self,
        server: &Server,
        revision: &RevisionName,
        wanted: Option<&Autoscaling>,
        hold: Option<u32>,
    ) -> Result<Progress<()>> {
        let _ = (server, revision, wanted, hold);
        Ok(Progress::Done(()))
    }

    /// What moves the number of instances of `revision` now, as [`Target::autoscale`] set it or somebody else.
    async fn autoscaling(
        &self,
        server: &Server,
        revision: &RevisionName,
    ) -> Result<Option<Autoscaling>> {
        let _ = (server, revision);
        Ok(None)
    }

    /// Takes no new request for `revision` and lets those in flight end, `drain_seconds` at most.
    async fn drain(
        &self,
        server: &Server,
        revision: &RevisionName,
        drain_seconds: u64,
    ) -> Result<Progress<()>>;

    /// Unloads `revision`. Its counters may go with it.
    async fn remove(&self, server: &Server, revision: &RevisionName) -> Result<Progress<()>>;

    /// What runs, and the counters since each revision began. Reports, never acts.
    async fn observe(&self, server: &Server) -> Result<Observation>;

    /// The same with what the server lacks ([`Observation::lacks`]), which may take more calls: for whoever decides what has to be done, and not for those
    /// who look again and again.
    async fn examine(&self, server: &Server) -> Result<Observation> {
        self.observe(server).await
    }

    /// Looks at `revisions` again, for somebody who waits: what [`Target::observe`] tells, but of no other revision. Where many
    /// endpoints are waited for at the same time, a look may wait its turn first; what it tells was asked for after that.
    async fn watch(&self, server: &Server, revisions: &[&RevisionName]) -> Result<Watched> {
        let _ = revisions;
        Ok(Watched {
            seen: self.observe(server).await?,
            age: Duration::ZERO,
        })
    }

    /// Asks the server for its health as a client would: `GET path` on its public address, once. It
    /// is healthy if a status from 200 to 299 arrives within `limit`; every other answer, and none,
    /// is a bad probe and no error.
    async fn probe(&self, server: &Server, path: &str, limit: Duration) -> Result<Probe>;

    /// Whether [`Target::probe`] goes by each revision that gets requests, and not by the server as a whole. Then one that
    /// serves no more fails it until the rollout, while [`Target::ensure_revision`] has proved the one in its place. What it
    /// answers is then the judgement of a load balancer, which has counted probes by the endpoint's check already.
    fn probes_revisions(&self) -> bool {
        false
    }

    /// Whether a server asks [`Revision::smoke`] itself before it is ready, because nobody outside can reach a revision
    /// that has no weight. [`Target::smoke`] then answers what [`Target::ensure_revision`] has proved.
    fn smokes_at_start(&self) -> bool {
        false
    }

    /// Asks `revision` a golden request, whatever its weight.
    async fn smoke(
        &self,
        server: &Server,
        revision: &RevisionName,
        request: &SmokeRequest,
    ) -> Result<SmokeReport>;

    /// Takes the server and everything of it away: process, port, files. Requests in flight have
    /// `drain_seconds` to end.
    async fn teardown(&self, server: &Server, drain_seconds: u64) -> Result<Progress<()>>;

    /// How long it may take, beyond draining, until something that is taken away is gone.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// Takes away what no server of this target uses any more and no deployment owns, such as old
    /// copies of a program. Called after a successful deployment, without any lease: it must be safe
    /// beside every other call, of other processes too, and leaves what it cannot be sure of.
    async fn tidy(&self) -> Result<()> {
        Ok(())
    }

    /// Those of the alarms of these names that exist, as they are, or were a few seconds ago. It only reads.
    async fn alarms(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Alarm>> {
        let _ = names;
        let message = format!("endpoints on {} have no alarms", self.kind());
        Err(Error::invalid(message).at("rollout.alarms"))
    }

    /// Whether [`Target::measure`] may be asked from here. It only reads.
    async fn can_measure(&self) -> Result<()> {
        let message = format!("endpoints on {} have no metrics store", self.kind());
        Err(Error::invalid(message).at("source"))
    }

    /// What the target's own metrics store says of `revision`, from `since` to `now`: whole minutes of them, as late as they come.
    async fn measure(
        &self,
        server: &Server,
        revision: &RevisionName,
        query: ServerQuery,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Answer> {
        let _ = (server, revision, query, since, now);
        let message = format!("endpoints on {} have no metrics store", self.kind());
        Err(Error::invalid(message).at("source"))
    }

    /// The last log lines of the server, oldest first, secrets redacted; they go to the event log
    /// before a failed deployment is undone. Empty where nothing is known of the server.
    async fn last_logs(&self, server: &Server, lines: usize) -> Result<Vec<String>>;
}
