//! More tasks for a revision that is there.

use mlops_core::saga::Progress;
use mlops_core::target::RevisionName;
use mlops_core::{Error, Result};

use super::{PATIENCE, POLL, missing};
use crate::ecs::handle::Handle;
use crate::ecs::services::{Event, Life, Services};
use crate::ecs::{Account, machines, tags, verdict};

/// Asks for `instances` tasks at least: an autoscaler may have more, and none of them is taken away.
pub(in crate::ecs) async fn scale(
    account: &Account,
    handle: &Handle,
    revision: &RevisionName,
    instances: u32,
) -> Result<Progress<()>> {
    let mut seen = account.look(handle, &[revision], 1, false).await?;
    let front = seen.attached.ok_or_else(|| handle.gone())?;
    let missing = || missing(handle, revision);
    let group = front.iter().find(|group| group.revision == *revision);
    let group = &group.ok_or_else(missing)?.group_arn;
    let name = handle.service(revision);
    let service = (seen.services.remove(&name))
        .filter(|service| tags::are_of(&service.tags, handle.owner.endpoint))
        .filter(|service| service.life == Life::Active)
        .ok_or_else(missing)?;
    if service.desired < instances {
        let services = Services::new(&account.clients, &handle.cluster);
        if !services.ask_for(&name, instances).await? {
            return Err(missing());
        }
        return Ok(Progress::again(POLL, PATIENCE));
    }
    let health = account
        .balancers
        .health(std::slice::from_ref(group))
        .await?;
    let healthy = health.get(group).map_or(0, |health| health.healthy);
    if healthy >= instances {
        return Ok(Progress::Done(()));
    }
    let recent = |event: &&Event| event.at >= service.updated;
    let event = service
        .events
        .iter()
        .filter(recent)
        .filter(|event| !(machines::has(handle, &service) && verdict::is_about_place(event)))
        .find(|event| verdict::is_final(event));
    match event {
        Some(event) => Err(Error::invalid(format!(
            "revision {revision} has {healthy} healthy tasks and needs {instances}: {}",
            event.message.trim()
        ))),
        None => Ok(Progress::again(POLL, PATIENCE)),
    }
}
