//! `data.mlops_endpoint_status`: what an endpoint does at this moment.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mlops_core::target::Observation;
use tfplugin::schema::{Attribute, Block, Nested, Schema};
use tfplugin::{Attr, DataSource, Diagnostics, ReadContext};

use super::endpoint::{cluster, find};
use super::shared::{failed, flag, number, text};
use crate::client::Client;
use crate::resources::convert;

tfplugin::object! {
    /// Configuration and result.
    pub(crate) struct State {
        /// The endpoint's name.
        pub(crate) name: Attr<String>,
        /// Its cluster, if it runs on ECS.
        pub(crate) cluster: Attr<String>,
        /// Whether its server runs.
        pub(crate) running: Attr<bool>,
        /// Why it does not.
        pub(crate) reason: Attr<String>,
        /// Whether every variant serves what it should.
        pub(crate) healthy: Attr<bool>,
        /// The revisions that are loaded.
        pub(crate) revisions: Attr<BTreeMap<String, Revision>>,
    }

    /// One revision.
    pub(crate) struct Revision {
        /// The variant that it belongs to.
        pub(crate) variant: Attr<String>,
        /// Where it is in its life.
        pub(crate) state: Attr<String>,
        /// Its share of the endpoint's requests, in percent.
        pub(crate) traffic: Attr<f64>,
        /// Instances that take requests.
        pub(crate) instances: Attr<u32>,
        /// Requests in it.
        pub(crate) in_flight: Attr<u64>,
        /// Why it failed.
        pub(crate) failure: Attr<String>,
    }
}

/// The data source.
pub(crate) struct EndpointStatusData;

#[async_trait]
impl DataSource<Client> for EndpointStatusData {
    type State = State;
    const TYPE: &'static str = "mlops_endpoint_status";

    fn schema(&self) -> Schema {
        let revision = Nested::new()
            .attribute("variant", text("The variant that it belongs to."))
            .attribute("state", text("`loading`, `ready`, `failed` or `draining`."))
            .attribute(
                "traffic",
                number("Its share of the endpoint's requests, in percent."),
            )
            .attribute("instances", number("Instances that take requests."))
            .attribute(
                "in_flight",
                number("Requests that it has not answered yet."),
            )
            .attribute("failure", text("Why it failed; null if it did not."));
        Schema::new(
            Block::new()
                .describe("What an endpoint does at this moment: its server, its revisions, their traffic and health.")
                .attribute("name", Attribute::string().required().describe("The endpoint's name."))
                .attribute("cluster", cluster())
                .attribute("running", flag("Whether its server runs."))
                .attribute("reason", text("Why the server does not run; null if it does."))
                .attribute("healthy", flag("Whether every variant serves what the last deployment made it serve."))
                .attribute("revisions", Attribute::map_nested(revision).computed().describe("The revisions that are loaded, by name.")),
        )
    }

    async fn read(&self, cx: &ReadContext<Client>, config: State) -> Result<State, Diagnostics> {
        let client = cx.client();
        let record = find(client, &config.name, &config.cluster).await?;
        let seen = client.observe(&record).await;
        let seen =
            seen.map_err(|error| failed(&format!("endpoint {}", record.identity()), &error))?;
        Ok(State {
            name: config.name,
            cluster: config.cluster,
            running: seen.alive.into(),
            healthy: record
                .running
                .values()
                .all(|revision| seen.serves(&revision.name))
                .into(),
            revisions: revisions(&seen).into(),
            reason: seen.reason.into(),
        })
    }
}

fn revisions(seen: &Observation) -> BTreeMap<String, Revision> {
    let whole = f64::from(mlops_core::serving::WHOLE);
    let revisions = seen.revisions.iter().map(|(name, revision)| {
        let revision = Revision {
            variant: revision.variant.to_string().into(),
            state: convert::text(&revision.state).into(),
            traffic: (seen.routing.share_of(name) as f64 / (whole * whole) * 100.0).into(),
            instances: revision.instances.into(),
            in_flight: revision.in_flight.into(),
            failure: revision.failure.clone().into(),
        };
        (name.to_string(), revision)
    });
    revisions.collect()
}
