//! What runs: the front, its target groups, and the services behind them, in the core's words.

use std::collections::BTreeMap;

use mlops_core::names::VariantName;
use mlops_core::serving::{SmokeReport, WHOLE};
use mlops_core::target::{
    Observation, Probe, RevisionName, RevisionObservation, RevisionState, Routing, VariantRouting,
    Watched,
};
use mlops_core::{Error, Result};

use super::Account;
use super::handle::Handle;
use super::logs;
use super::names;
use super::revision::{self, ENDED_EVERY};
use super::services::{Described, Life, Services};
use super::tags;
use super::verdict;
use crate::elb::{Attached, GroupHealth};

/// Why a server is not alive.
const GONE: &str = "its listener or rule is gone, or no longer the endpoint's";

/// Looks once.
pub(super) async fn observe(account: &Account, handle: &Handle) -> Result<Observation> {
    let endpoint = handle.owner.endpoint;
    let Some(attached) = account.balancers.look(&handle.front, endpoint).await? else {
        return Ok(Observation::dead(GONE));
    };
    let (services, health) = behind(account, handle, &attached).await?;
    Ok(seen(handle, &attached, &attached, &services, &health))
}

/// The same with what its next tasks would lack.
pub(super) async fn examine(account: &Account, handle: &Handle) -> Result<Observation> {
    let seen = observe(account, handle).await?;
    let log = &handle.log_group;
    if !seen.alive || logs::is_there(&account.clients, log).await? {
        return Ok(seen);
    }
    Ok(Observation {
        lacks: Some(format!(
            "log group {log} is gone, without which no task starts"
        )),
        ..seen
    })
}

/// Looks at these revisions, in its turn.
pub(super) async fn watch(
    account: &Account,
    handle: &Handle,
    revisions: &[&RevisionName],
) -> Result<Watched> {
    let mut looked = account
        .look(handle, revisions, revisions.len(), true)
        .await?;
    let seen = match looked.attached {
        None => Observation::dead(GONE),
        Some(attached) => {
            let mut watched = attached.clone();
            watched.retain(|group| revisions.contains(&&group.revision));
            let health = account.balancers.health(&arns(&watched)).await?;
            let endpoint = handle.owner.endpoint;
            (looked.services).retain(|_, service| tags::are_of(&service.tags, endpoint));
            let mut seen = seen(handle, &attached, &watched, &looked.services, &health);
            for group in &watched {
                let name = names::service(&handle.owner, &group.revision);
                let why = match looked.services.get(&name) {
                    Some(service) if service.life == Life::Active => {
                        let health = health.get(&group.group_arn);
                        failing(account, handle, &name, service, health).await?
                    }
                    _ => None,
                };
                if let (Some(why), Some(one)) = (why, seen.revisions.get_mut(&group.revision)) {
                    one.failure = Some(why);
                }
            }
            seen
        }
    };
    Ok(Watched {
        seen,
        age: account.rounds.now().saturating_sub(looked.at),
    })
}

/// Why the tasks that a revision lacks do not come, if that can be told. Of one that is being replaced nothing can.
async fn failing(
    account: &Account,
    handle: &Handle,
    name: &str,
    service: &Described,
    health: Option<&GroupHealth>,
) -> Result<Option<String>> {
    if !verdict::is_lacking(service, health) {
        account.rounds.forget(name);
        return Ok(None);
    }
    if !account.rounds.may_spare(name, ENDED_EVERY) {
        return Ok(None);
    }
    let stopped = revision::stopped(account, handle, name).await?;
    Ok(verdict::keeps_failing(&stopped))
}

/// A front in the core's words, with those of its target groups that are watched.
fn seen(
    handle: &Handle,
    attached: &[Attached],
    watched: &[Attached],
    services: &BTreeMap<String, Described>,
    health: &BTreeMap<String, GroupHealth>,
) -> Observation {
    let revisions = watched.iter().map(|group| {
        let name = handle.service(&group.revision);
        let health = health.get(&group.group_arn);
        let seen = revision(&group.variant, services.get(&name), health);
        (group.revision.clone(), seen)
    });
    Observation {
        alive: true,
        reason: None,
        revisions: revisions.collect(),
        routing: routing(attached),
        ..Observation::default()
    }
}

/// Whether clients are answered: by every target group that gets requests, and whether all is there of one that is to get some.
pub(super) async fn probe(account: &Account, handle: &Handle) -> Result<Probe> {
    let attached = account.look(handle, &[], 1, false).await?.attached;
    let attached = attached.ok_or_else(|| handle.gone())?;
    account.rounds.count(attached.len());
    let (services, health) = behind(account, handle, &attached).await?;
    let desired = |revision: &RevisionName| {
        let service = services.get(&names::service(&handle.owner, revision))?;
        (service.life == Life::Active).then_some(service.desired)
    };
    Ok(judged(&attached, desired, &health))
}

/// What the revision's start has proved: a task listens only after it answered the golden request.
pub(super) async fn smoke(
    account: &Account,
    handle: &Handle,
    revision: &RevisionName,
) -> Result<SmokeReport> {
    let attached = account.attached(handle).await?;
    if !attached.iter().any(|group| group.revision == *revision) {
        return Err(Error::not_found(format!(
            "revision {revision} is not behind {}",
            handle.front.url
        )));
    }
    Ok(SmokeReport {
        passed: true,
        status: 200,
        answer: serde_json::Value::Null,
        mismatch: None,
        duration_micros: 0,
    })
}

/// The last lines that the server's tasks wrote: those of tasks that ended, if some did; else the latest.
pub(super) async fn last_logs(
    account: &Account,
    handle: &Handle,
    lines: usize,
) -> Result<Vec<String>> {
    let endpoint = handle.owner.endpoint;
    let attached = account.balancers.look(&handle.front, endpoint).await?;
    let services = Services::new(&account.clients, &handle.cluster);
    let mut streams = Vec::new();
    for group in attached.unwrap_or_default() {
        let name = handle.service(&group.revision);
        let stopped = services.stopped(&name).await?;
        // The two that ended last: what one says, the other repeats.
        streams.extend(
            stopped
                .iter()
                .take(2)
                .map(|task| names::log_stream(&task.task)),
        );
    }
    if streams.is_empty() {
        streams = logs::latest_streams(&account.clients, &handle.log_group).await?;
    }
    logs::last_lines(&account.clients, &handle.log_group, &streams, lines).await
}

fn judged(
    attached: &[Attached],
    desired: impl Fn(&RevisionName) -> Option<u32>,
    health: &BTreeMap<String, GroupHealth>,
) -> Probe {
    let mut good = 0;
    for group in attached {
        let health = health.get(&group.group_arn);
        let idle = health.is_none_or(|h| h.healthy + h.unhealthy + h.initial == 0);
        if group.weight == 0 && idle {
            // What is left of an old revision asks nobody.
            continue;
        }
        let (healthy, unhealthy) = health.map_or((0, 0), |h| (h.healthy, h.unhealthy));
        // What serves may be what is mended: as long as it answers, that it is not whole stops nobody.
        let needed = match group.weight {
            0 => desired(&group.revision).unwrap_or(0),
            _ => 1,
        };
        if healthy < needed {
            let reasons = health.map(|h| h.reasons.join("; ")).unwrap_or_default();
            return Probe {
                healthy: false,
                answer: format!(
                    "{healthy} healthy and {unhealthy} unhealthy targets of revision {}, which needs {needed}{}{reasons}",
                    group.revision,
                    if reasons.is_empty() { "" } else { ": " },
                ),
            };
        }
        good += 1;
    }
    Probe {
        healthy: true,
        answer: format!("{good} target groups have as many healthy targets as they need"),
    }
}

/// The services and target groups behind a front.
async fn behind(
    account: &Account,
    handle: &Handle,
    attached: &[Attached],
) -> Result<(BTreeMap<String, Described>, BTreeMap<String, GroupHealth>)> {
    let names: Vec<String> = attached
        .iter()
        .map(|group| handle.service(&group.revision))
        .collect();
    let mut services = Services::new(&account.clients, &handle.cluster)
        .describe(&names)
        .await?;
    services.retain(|_, service| tags::are_of(&service.tags, handle.owner.endpoint));
    let health = account.balancers.health(&arns(attached)).await?;
    Ok((services, health))
}

fn arns(attached: &[Attached]) -> Vec<String> {
    let arns = attached.iter().map(|group| group.group_arn.clone());
    arns.collect()
}

fn revision(
    variant: &VariantName,
    service: Option<&Described>,
    health: Option<&GroupHealth>,
) -> RevisionObservation {
    let healthy = health.map_or(0, |health| health.healthy);
    let (state, failure) = match service {
        None => (
            RevisionState::Failed,
            Some("its service is gone; apply again".to_owned()),
        ),
        Some(service) if service.life == Life::Draining => (RevisionState::Draining, None),
        Some(_) if healthy > 0 => (RevisionState::Ready, None),
        Some(service) if service.desired == 0 => (
            RevisionState::Failed,
            Some("its service is scaled to 0 tasks".to_owned()),
        ),
        Some(service) => (
            RevisionState::Loading,
            Some(verdict::counts(service, health)),
        ),
    };
    RevisionObservation {
        variant: variant.clone(),
        state,
        instances: if state == RevisionState::Ready {
            healthy
        } else {
            0
        },
        wanted: service.map_or(0, |service| service.desired),
        in_flight: 0,
        failure,
    }
}

/// The routing that the weights of target groups amount to.
fn routing(attached: &[Attached]) -> Routing {
    let mut by_variant: BTreeMap<&VariantName, Vec<&Attached>> = BTreeMap::new();
    for group in attached.iter().filter(|group| group.weight > 0) {
        by_variant.entry(&group.variant).or_default().push(group);
    }
    let sum = |groups: &Vec<&Attached>| groups.iter().map(|group| group.weight).sum();
    let traffic = parts(&by_variant.values().map(sum).collect::<Vec<u32>>());
    let variants = by_variant.into_iter().zip(traffic);
    Routing {
        variants: variants
            .map(|((variant, groups), traffic)| {
                let weights = groups.iter().map(|group| group.weight).collect::<Vec<_>>();
                let shares = groups.iter().map(|group| group.revision.clone());
                let routing = VariantRouting {
                    traffic,
                    shadow: 0,
                    weights: shares.zip(parts(&weights)).collect(),
                };
                (variant.clone(), routing)
            })
            .collect(),
    }
}

/// Weights as shares of [`WHOLE`], which they add up to.
fn parts(weights: &[u32]) -> Vec<u32> {
    let whole = u64::from(WHOLE);
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: u32| u64::from(weight) * whole;
    let mut shares: Vec<u64> = weights.iter().map(|weight| exact(*weight) / sum).collect();
    let rest = whole - shares.iter().sum::<u64>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(exact(weights[*at]) % sum));
    for at in order.into_iter().take(usize::try_from(rest).unwrap_or(0)) {
        shares[at] += 1;
    }
    let small = |share| u32::try_from(share).unwrap_or(WHOLE);
    shares.into_iter().map(small).collect()
}

#[cfg(test)]
mod tests;
