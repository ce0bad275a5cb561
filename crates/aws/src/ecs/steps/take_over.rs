//! Makes a service that is there the endpoint's, with its target group and its listener or rule: by their tags, which is all that changes of them.

use async_trait::async_trait;
use mlops_core::saga::{Progress, Step, StepError, UndoError};
use mlops_core::target::Revision;
use serde::{Deserialize, Serialize};

use crate::ecs::foreign::Found;
use crate::ecs::services::Services;
use crate::ecs::{Account, scaling, tags};
use crate::elb::Owner;

pub(super) enum TakeOver {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TakeOverInput {
    pub(super) owner: Owner,
    pub(super) found: Found,
    pub(super) revision: Revision,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TakenOver {
    /// Where it is.
    pub(super) region: String,
}

#[async_trait]
impl Step for TakeOver {
    const NAME: &'static str = "ecs_take_over";
    const VERSION: u32 = 1;
    type Ports = Account;
    type Input = TakeOverInput;
    type Output = TakenOver;
    type Checkpoint = ();

    async fn forward(
        account: &Account,
        input: TakeOverInput,
        _: Option<()>,
    ) -> Result<Progress<TakenOver>, StepError> {
        let TakeOverInput {
            owner,
            found,
            revision,
        } = &input;
        let clients = &account.clients;
        account
            .balancers
            .take(owner, revision, &found.front)
            .await?;
        let services = Services::new(clients, &found.cluster);
        services
            .tag(
                &found.service,
                &found.service_arn,
                tags::list(owner, revision),
            )
            .await?;
        if let Some(arn) = &found.scalable_arn {
            scaling::take(clients, owner, &revision.name, arn).await?;
        }
        let region = clients.region().await?;
        Ok(Progress::Done(TakenOver { region }))
    }

    /// What it was before: whoever is asked whose it is says nobody's endpoint.
    async fn undo(
        account: &Account,
        input: TakeOverInput,
        _: Option<TakenOver>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        let TakeOverInput { owner, found, .. } = &input;
        let clients = &account.clients;
        if let Some(arn) = &found.scalable_arn {
            scaling::let_go(clients, arn).await?;
        }
        let services = Services::new(clients, &found.cluster);
        if let Some(service) = services.find(&found.service).await?
            && tags::are_of(&service.tags, owner.endpoint)
        {
            services.untag(&found.service, &found.service_arn).await?;
        }
        account
            .balancers
            .let_go(owner.endpoint, &found.front)
            .await?;
        Ok(Progress::Done(()))
    }
}
