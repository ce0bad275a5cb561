//! A service as ECS describes it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_ecs::types::Service;
use aws_smithy_types::DateTime;

use crate::ecs::tags;

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ecs) enum Life {
    /// It keeps its tasks running.
    Active,
    /// It was deleted, and its last tasks end.
    Draining,
}

/// A service as ECS describes it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ecs) struct Described {
    pub(in crate::ecs) life: Life,
    pub(in crate::ecs) task_definition: String,
    pub(in crate::ecs) desired: u32,
    pub(in crate::ecs) running: u32,
    pub(in crate::ecs) pending: u32,
    /// Tasks that it could not bring to run.
    pub(in crate::ecs) failed: u32,
    /// One, unless ECS replaces tasks by others.
    pub(in crate::ecs) deployments: usize,
    pub(in crate::ecs) created: Option<SystemTime>,
    /// Since when as many tasks are asked for as now.
    pub(in crate::ecs) updated: Option<SystemTime>,
    /// What it says of itself, newest first.
    pub(in crate::ecs) events: Vec<Event>,
    /// The capacity providers that its tasks are divided among.
    pub(in crate::ecs) providers: Vec<String>,
    pub(in crate::ecs) tags: BTreeMap<String, String>,
}

/// What a service says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ecs) struct Event {
    pub(in crate::ecs) at: Option<SystemTime>,
    pub(in crate::ecs) message: String,
}

/// Reads it, by its name; `None` of one that is gone.
pub(super) fn described(service: Service) -> Option<(String, Described)> {
    let life = match service.status()? {
        "ACTIVE" => Life::Active,
        "DRAINING" => Life::Draining,
        // ECS still tells of it for a while.
        _ => return None,
    };
    let events = service.events().iter().map(|event| Event {
        at: event.created_at().and_then(time),
        message: event.message().unwrap_or_default().to_owned(),
    });
    let primary = service
        .deployments()
        .iter()
        .find(|deployment| deployment.status() == Some("PRIMARY"));
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let found = Described {
        life,
        task_definition: service.task_definition().unwrap_or_default().to_owned(),
        desired: count(service.desired_count()),
        running: count(service.running_count()),
        pending: count(service.pending_count()),
        failed: primary.map_or(0, |primary| count(primary.failed_tasks())),
        deployments: service.deployments().len(),
        created: service.created_at().and_then(time),
        updated: primary
            .and_then(|primary| primary.updated_at())
            .and_then(time),
        events: events.collect(),
        providers: (service.capacity_provider_strategy().iter())
            .map(|share| share.capacity_provider().to_owned())
            .collect(),
        tags: tags::read(service.tags()),
    };
    Some((service.service_name?, found))
}

pub(super) fn time(at: &DateTime) -> Option<SystemTime> {
    SystemTime::try_from(*at).ok()
}
