//! `data.mlops_deployments`: what was deployed to an endpoint, and how it ended.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mlops_core::endpoint::{self, ClosedDeployment};
use mlops_core::registry::events::Subject;
use tfplugin::schema::{Attribute, Block, Nested, Schema};
use tfplugin::{Attr, DataSource, Diagnostics, ReadContext, validate};

use super::endpoint::{cluster, id};
use super::shared::{failed, number, numbers, text, texts};
use crate::client::Client;
use crate::resources::convert;

tfplugin::object! {
    /// Configuration and result.
    pub(crate) struct State {
        /// The endpoint's name.
        pub(crate) name: Attr<String>,
        /// Its cluster, if it runs on ECS.
        pub(crate) cluster: Attr<String>,
        /// How many.
        pub(crate) limit: Attr<u32>,
        /// The deployments, newest first.
        pub(crate) deployments: Attr<Vec<Deployment>>,
    }

    /// One deployment.
    pub(crate) struct Deployment {
        /// Which, with the attempt.
        pub(crate) id: Attr<String>,
        /// `create`, `update` or `delete`.
        pub(crate) kind: Attr<String>,
        /// How it ended.
        pub(crate) outcome: Attr<String>,
        /// Why it did not succeed.
        pub(crate) reason: Attr<String>,
        /// The versions that it asked for.
        pub(crate) versions: Attr<BTreeMap<String, u64>>,
        /// The images that it asked for.
        pub(crate) images: Attr<BTreeMap<String, String>>,
        /// The endpoint revision that it started from.
        pub(crate) base_revision: Attr<u64>,
        /// Who asked.
        pub(crate) by: Attr<String>,
        /// When it began.
        pub(crate) started_at: Attr<String>,
        /// When it ended.
        pub(crate) ended_at: Attr<String>,
        /// What it told.
        pub(crate) events: Attr<Vec<Event>>,
    }

    /// One event.
    pub(crate) struct Event {
        /// When.
        pub(crate) at: Attr<String>,
        /// What, as a dotted word.
        pub(crate) kind: Attr<String>,
        /// For people.
        pub(crate) message: Attr<String>,
    }
}

/// Deployments returned where the configuration names no limit.
const LIMIT: u32 = 20;

/// The most events of one deployment that are returned; the rest is for `mlops endpoint watch`.
const EVENTS: usize = 200;

/// The data source.
pub(crate) struct DeploymentsData;

#[async_trait]
impl DataSource<Client> for DeploymentsData {
    type State = State;
    const TYPE: &'static str = "mlops_deployments";

    fn schema(&self) -> Schema {
        let event = Nested::new()
            .attribute("at", text("When, RFC 3339."))
            .attribute(
                "kind",
                text("What, as a dotted word such as `rollout.shifted`."),
            )
            .attribute("message", text("What, for people."));
        let deployment = Nested::new()
            .attribute("id", text("The deployment and its attempt."))
            .attribute("kind", text("What it did: `create`, `update` or `delete`."))
            .attribute(
                "outcome",
                text("How it ended: `succeeded`, `rolled_back` or `abandoned`."),
            )
            .attribute("reason", text("Why it did not succeed; null if it did."))
            .attribute(
                "versions",
                numbers("The version that it asked for, by variant that runs a model."),
            )
            .attribute(
                "images",
                texts("The image that it asked for, by variant that runs one of the user's own."),
            )
            .attribute(
                "base_revision",
                number("The endpoint revision that it started from."),
            )
            .attribute("by", text("Who asked."))
            .attribute("started_at", text("When it began, RFC 3339."))
            .attribute("ended_at", text("When it ended, RFC 3339."))
            .attribute(
                "events",
                Attribute::list_nested(event)
                    .computed()
                    .describe("What it told while it ran, oldest first."),
            );
        Schema::new(
            Block::new()
                .describe("The deployments of an endpoint that have ended, newest first, with their events.")
                .attribute("name", Attribute::string().required().describe("The endpoint's name."))
                .attribute("cluster", cluster())
                .attribute(
                    "limit",
                    Attribute::number()
                        .optional()
                        .validate(validate::whole())
                        .validate(validate::between(1, 1000))
                        .describe("How many to return. Default `20`."),
                )
                .attribute("deployments", Attribute::list_nested(deployment).computed().describe("The deployments, newest first.")),
        )
    }

    async fn read(&self, cx: &ReadContext<Client>, config: State) -> Result<State, Diagnostics> {
        let client = cx.client();
        let identity = id(client, &config.name, &config.cluster).await?.to_string();
        let object = format!("the deployments of endpoint {identity}");
        let closed = endpoint::closed_deployments(&client.registry, &identity)
            .await
            .map_err(|error| failed(&object, &error))?;
        let limit = config.limit.to_option().unwrap_or(LIMIT) as usize;
        let mut deployments = Vec::new();
        for closed in closed.into_iter().rev().take(limit) {
            let events = events(client, &identity, &closed)
                .await
                .map_err(|error| failed(&object, &error))?;
            deployments.push(deployment(closed, events));
        }
        Ok(State {
            deployments: deployments.into(),
            ..config
        })
    }
}

async fn events(
    client: &Client,
    identity: &str,
    closed: &ClosedDeployment,
) -> mlops_core::Result<Vec<Event>> {
    let subject = Subject::Endpoint(identity.to_owned());
    let deployment = closed.deployment.to_string();
    let stored = client
        .registry
        .events(&subject, Some(&deployment), None, EVENTS)
        .await?;
    let event = |event: mlops_core::registry::events::Event| Event {
        at: event.at.to_string().into(),
        kind: event.kind.into(),
        message: event.message.into(),
    };
    Ok(stored
        .into_iter()
        .map(|stored| event(stored.event))
        .collect())
}

fn deployment(closed: ClosedDeployment, events: Vec<Event>) -> Deployment {
    let versions = closed
        .versions
        .into_iter()
        .map(|(name, version)| (name.to_string(), version));
    let images = closed.images.into_iter();
    let images = images.map(|(name, image)| (name.to_string(), image));
    Deployment {
        id: closed.deployment.to_string().into(),
        kind: convert::text(&closed.kind).into(),
        outcome: convert::text(&closed.outcome).into(),
        reason: closed.stop.map(|stop| stop.message).into(),
        versions: versions.collect::<BTreeMap<_, _>>().into(),
        images: images.collect::<BTreeMap<_, _>>().into(),
        base_revision: closed.base.into(),
        by: closed.by.into(),
        started_at: closed.opened_at.to_string().into(),
        ended_at: closed.closed_at.to_string().into(),
        events: events.into(),
    }
}
