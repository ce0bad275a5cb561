//! Every call of an endpoint's life is denied in turn, or fails for a while: what becomes of the operation, and what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::stream::StreamExt as _;
use mlops_core::endpoint::Outcome;

use super::endpoint::{Doing, Endpoint};
use crate::support::proxy::Fault;

/// What became of an operation of which one call was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    /// It was taken back; everything is as before.
    RolledBack,
    /// What was denied is needed to take it back, too: it says so, and `repair` does it once that is allowed.
    Repaired,
    /// It stopped where it was; the same again goes on once that is allowed.
    GoesOn,
    /// It refused to begin.
    Refused,
    /// It succeeded, and what it could not take away goes with the next.
    LeftOver,
    /// It succeeded: what was denied only helps to explain failures.
    Done,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::RolledBack => "rolled back",
            Self::Repaired => "locked, repaired",
            Self::GoesOn => "next one goes on",
            Self::Refused => "refused",
            Self::LeftOver => "done, rest later",
            Self::Done => "done",
        })
    }
}

/// The calls of each operation, where nothing fails, as IAM calls them; on instances of the endpoint's own, or on Fargate.
async fn calls(on_machines: bool) -> Option<BTreeMap<Doing, BTreeSet<String>>> {
    let world = world(on_machines).await?;
    let mut calls = BTreeMap::new();
    for doing in Doing::ALL {
        world.proxy.reset();
        world.done(doing).await.expect("nothing fails");
        calls.insert(doing, world.proxy.actions().into_iter().collect());
    }
    assert_eq!(world.left().await, BTreeSet::new());
    Some(calls)
}

async fn world(on_machines: bool) -> Option<Endpoint> {
    match on_machines {
        true => Endpoint::on_machines().await,
        false => Endpoint::on_paper().await,
    }
}

/// An action without its service.
fn operation(action: &str) -> &str {
    action.rsplit(':').next().unwrap_or(action)
}

/// What a message lacks that tells of a call that was denied.
fn check_told(message: &str, action: &str) -> Result<(), String> {
    let service = match action.split(':').next() {
        Some("ecs") => "ECS",
        Some("logs") => "CloudWatch Logs",
        Some("application-autoscaling") => "Application Auto Scaling",
        Some("cloudwatch") => "CloudWatch",
        Some("ec2") => "EC2",
        Some("autoscaling") => "EC2 Auto Scaling",
        Some("route53") => "Route 53",
        _ => "Elastic Load Balancing",
    };
    let call = format!("{service} {} on ", operation(action));
    let object = message.split(&call).nth(1).unwrap_or_default();
    let is_told = object.starts_with(|first: char| first.is_alphanumeric())
        && message.contains(&format!("do {action},"));
    match is_told {
        true => Ok(()),
        false => Err(format!(
            "service, operation, object or action is not in {message:?}"
        )),
    }
}

/// One operation of which one call is denied each time, and what has to be done afterwards.
async fn denied(doing: Doing, action: &str, on_machines: bool) -> Result<Cell, String> {
    let world = world(on_machines).await.expect("it was there before");
    Box::pin(denied_in(&world, doing, action)).await
}

async fn denied_in(world: &Endpoint, doing: Doing, action: &str) -> Result<Cell, String> {
    if doing != Doing::Create {
        world.done(Doing::Create).await?;
    }
    let before = world.left().await;
    world
        .proxy
        .fail_operation(operation(action), usize::MAX, Fault::Denied);
    let outcome = world.act(&world.process(), doing).await;
    world.proxy.reset();
    let after = world.left().await;
    let told = |message: &str| check_told(message, action);
    let cell = match outcome {
        Ok(Outcome::RolledBack(stopped)) => {
            told(&stopped.stop.map(|stop| stop.message).unwrap_or_default())?;
            if after != before {
                return Err(format!("it was {before:?} and is {after:?}"));
            }
            if matches!(doing, Doing::Rescale | Doing::Update)
                && !world.is_as_after(Doing::Create).await
            {
                return Err("the old version does not serve any more".to_owned());
            }
            Cell::RolledBack
        }
        Ok(outcome @ Outcome::UndoFailed(_)) => {
            told(&outcome.to_string())?;
            let repaired = world.repair().await;
            let repaired = repaired.map_err(|error| error.chain().to_string())?;
            if !matches!(repaired, Outcome::RolledBack(_)) || world.left().await != before {
                return Err(format!("{repaired}; {:?} is left", world.left().await));
            }
            Cell::Repaired
        }
        Ok(outcome) if outcome.is_success() => match world.record().await {
            Some(record) if !record.leftovers.is_empty() => {
                told(&world.told("retire.leftover").await)?;
                told(&record.leftovers.why.unwrap_or_default())?;
                Cell::LeftOver
            }
            _ => Cell::Done,
        },
        Ok(other) => return Err(other.to_string()),
        Err(error) => {
            told(&error.chain().to_string())?;
            match after == before && doing != Doing::Delete {
                true => Cell::Refused,
                false => Cell::GoesOn,
            }
        }
    };
    // Once it is allowed, the same again comes to its end, and after a destroy nothing is left.
    let again = world.done(doing).await;
    again.map_err(|error| format!("{cell}, and again: {error}"))?;
    if cell == Cell::LeftOver {
        // The same again is nothing to do; the next deployment takes away what is left.
        world.done(Doing::Create).await?;
        let (there, served) = (world.left().await, world.is_as_after(Doing::Create).await);
        if there.len() != before.len() || !served {
            return Err(format!("{cell}, and after the next: {there:?}"));
        }
    } else if !world.is_as_after(doing).await {
        return Err(format!("{cell}, and again: it is not as it should be"));
    }
    world.done(Doing::Delete).await?;
    let left = world.left().await;
    match left.is_empty() {
        true => Ok(cell),
        false => Err(format!(
            "{cell}, and after a destroy this is left: {left:?}"
        )),
    }
}

/// PAINS: steps that swallow errors, so that no rollback begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_call_is_denied_the_error_says_so_and_nothing_is_left() {
    let (Some(without), Some(with)) = (calls(false).await, calls(true).await) else {
        return;
    };
    // What instances need no part in is tried without them, in less time. EC2 is asked for templates in any case.
    let is_theirs = |doing: &Doing, call: &String| {
        !without[doing].contains(call) || call == "ec2:DescribeLaunchTemplates"
    };
    let cells = with.iter().flat_map(|(doing, calls)| {
        let cell = move |call: &String| (*doing, call.clone(), is_theirs(doing, call));
        calls.iter().map(cell)
    });
    let verdicts: Vec<_> = futures::stream::iter(cells)
        .map(|(doing, call, on_machines)| async move {
            let cell = Box::pin(denied(doing, &call, on_machines)).await;
            (doing, call, cell)
        })
        .buffer_unordered(3)
        .collect()
        .await;
    let mut table: BTreeMap<&str, BTreeMap<Doing, String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (doing, call, cell) in &verdicts {
        let shown = match cell {
            Ok(cell) => cell.to_string(),
            Err(why) => {
                wrong.push(format!("{doing:?}, {call}: {why}"));
                "WRONG".to_owned()
            }
        };
        table.entry(call).or_default().insert(*doing, shown);
    }
    println!("denied x call, on ECS");
    println!(
        "{:48} {:17} {:17} {:17} {:17}",
        "", "create", "rescale", "update", "delete"
    );
    for (call, cells) in &table {
        let cell = |doing| cells.get(&doing).map_or("-", String::as_str);
        let [create, rescale, update, delete] = Doing::ALL.map(cell);
        println!("{call:48} {create:17} {rescale:17} {update:17} {delete:17}");
    }
    println!("{} cells, {} wrong", verdicts.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Of what was only looked at there is nothing to take back.
    assert_eq!(
        table["ecs:DescribeClusters"][&Doing::Create],
        Cell::RolledBack.to_string()
    );
}

/// What scales a service outlives it, and somebody else may have made it: whoever takes a service away looks, whatever the endpoint asks for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_without_autoscaling_loses_nothing_where_nobody_may_look_what_scales_it() {
    let action = "application-autoscaling:DescribeScalableTargets";
    for (doing, expected) in [
        (Doing::Create, Cell::Done),
        (Doing::Update, Cell::LeftOver),
        (Doing::Delete, Cell::GoesOn),
    ] {
        let Some(mut world) = Endpoint::on_paper().await else {
            return;
        };
        world.is_scaled = false;
        let cell = Box::pin(denied_in(&world, doing, action)).await;
        assert_eq!(cell, Ok(expected), "{doing:?}");
    }
}

/// Each call once, of each operation: throttled three times, then answered; done, and the answer lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_call_is_throttled_or_loses_its_answer_the_operation_succeeds() {
    let Some(calls) = calls(true).await else {
        return;
    };
    println!("faults x operation");
    for (fault, times) in [
        (Fault::Refused("ThrottlingException"), 3),
        (Fault::Refused("RequestLimitExceeded"), 3),
        (Fault::ResetAfter, 1),
        (Fault::ResetBefore, 1),
        (Fault::InternalAfter, 1),
    ] {
        let world = Endpoint::on_machines().await.expect("it was there before");
        for (doing, calls) in &calls {
            world.proxy.reset();
            for call in calls {
                world.proxy.fail_operation(operation(call), times, fault);
            }
            let done = world.done(*doing).await;
            done.unwrap_or_else(|error| panic!("{fault:?} at {doing:?}: {error}"));
            assert!(world.is_as_after(*doing).await, "{fault:?} at {doing:?}");
            let (fault, doing) = (format!("{fault:?}"), format!("{doing:?}"));
            println!("{fault:40} {doing:8} {} calls failed, done", calls.len());
        }
    }
}
