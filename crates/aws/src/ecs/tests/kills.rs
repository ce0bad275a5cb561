//! The process dies at writes of the registry, one after the other, while an endpoint on ECS is created, updated and deleted: the
//! next process comes to the end, and nothing is orphaned.

use futures::stream::StreamExt as _;
use mlops_core::conformance::saga::When;

use super::endpoint::{Doing, Endpoint};

/// One kill and what came after; false once the operation has fewer writes.
async fn killed(doing: Doing, commit: u64, when: When) -> Result<bool, String> {
    let world = Endpoint::on_machines().await.expect("it was there before");
    if doing != Doing::Create {
        world.done(Doing::Create).await?;
    }
    let (deps, killed) = world.process_killed_at(commit, when);
    drop(world.act(&deps, doing).await);
    let died = killed.is_dead();
    world.done(doing).await?;
    if !world.is_as_after(doing).await {
        return Err(format!("{:?} is there", world.left().await));
    }
    world.done(Doing::Delete).await?;
    let left = world.left().await;
    match left.is_empty() {
        true => Ok(died),
        false => Err(format!("{left:?} is orphaned")),
    }
}

/// Kills at every so many writes of an operation, called `what`, until `killed` finds that it has fewer. How many there were, and what went wrong.
pub(super) async fn row<F>(
    what: &str,
    stride: u64,
    killed: impl Fn(u64) -> F,
) -> (usize, Vec<String>)
where
    F: Future<Output = Result<bool, String>>,
{
    let killed = &killed;
    let (mut kills, mut wrong, mut commit) = (0, Vec::new(), 1);
    loop {
        // Two worlds at once; the last one may ask for a write that does not exist.
        let some = [commit, commit + stride];
        let ended: Vec<_> = futures::stream::iter(some)
            .map(|commit| async move { (commit, Box::pin(killed(commit)).await) })
            .buffered(2)
            .collect()
            .await;
        let mut is_over = false;
        for (commit, ended) in ended {
            match ended {
                Ok(true) => kills += 1,
                Ok(false) => is_over = true,
                Err(why) => {
                    kills += 1;
                    wrong.push(format!("{what} write {commit}: {why}"));
                }
            }
        }
        // A world that fails before the process dies would fail for ever.
        if is_over || !wrong.is_empty() {
            return (kills, wrong);
        }
        commit += 2 * stride;
    }
}

async fn matrix(stride: u64) {
    if Endpoint::on_machines().await.is_none() {
        return;
    }
    let (mut all, mut wrong) = (0, Vec::new());
    println!("kill x write of the registry, on ECS");
    for doing in Doing::ALL {
        for when in [When::Before, When::After] {
            let what = format!("{doing:?} killed {when:?}");
            let (kills, failed) = row(&what, stride, |commit| killed(doing, commit, when)).await;
            let (doing, when) = (format!("{doing:?}"), format!("{when:?}"));
            println!(
                "{doing:8} {when:6} its commit: {kills:3} kills, {:3} converged, {} wrong",
                kills - failed.len(),
                failed.len()
            );
            assert!(kills > 1, "{doing} {when}: {kills} kills, {failed:#?}");
            all += kills;
            wrong.extend(failed);
        }
    }
    println!(
        "{all} kills, {} wrong, orphans {}",
        wrong.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// PAINS: an undo that calls a function which does not exist. Each undo runs here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_some_writes_of_an_endpoint_on_ecs_orphans_nothing() {
    matrix(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: minutes; every write, before and after its commit"]
async fn a_kill_at_any_write_of_an_endpoint_on_ecs_orphans_nothing() {
    matrix(1).await;
}
