//! The matrix: every write of an operation, both sides of its commit, both victims.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::world::World;

/// What is killed while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// The first apply.
    Create,
    /// New bytes: both versions are replaced, the endpoint moves by a canary, the alias follows.
    Update,
    /// `destroy`.
    Destroy,
}

/// Whom SIGKILL hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// Terraform; the provider goes on alone and notices.
    Terraform,
    /// The provider; Terraform goes on and notices.
    Provider,
}

/// On which side of the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nothing of it is on the disk.
    Before,
    /// It is on the disk, and nobody was told.
    After,
}

/// One kill; displayed as the drill's variable takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// At which commit, from 1.
    pub at: usize,
    /// On which side.
    pub side: Side,
    /// Whom.
    pub victim: Victim,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Destroy => "destroy",
        })
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        let victim = match self.victim {
            Victim::Terraform => "terraform",
            Victim::Provider => "provider",
        };
        write!(f, "{}:{side}:{victim}", self.at)
    }
}

/// The kinds of kill at one write: two pairs, each with both victims, on opposite sides.
const KINDS: [(Side, Victim); 4] = [
    (Side::Before, Victim::Provider),
    (Side::After, Victim::Terraform),
    (Side::After, Victim::Provider),
    (Side::Before, Victim::Terraform),
];

/// The operations, in the order in which one world can go through them.
const OPERATIONS: [Operation; 3] = [Operation::Create, Operation::Update, Operation::Destroy];

/// The writes of each operation, counted in a run that nothing disturbs.
///
/// # Panics
/// If an operation fails, or writes nothing.
pub fn writes() -> Vec<(Operation, usize)> {
    let mut world = World::new();
    let count = |operation| {
        let keys = world.count(operation);
        assert!(keys.len() > 1, "{operation} writes: {keys:?}");
        (operation, keys.len())
    };
    OPERATIONS.map(count).to_vec()
}

/// What became of an operation's kills.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which operation.
    pub operation: Operation,
    /// How many writes it has.
    pub writes: usize,
    /// How many kinds of kill were tried at each write.
    pub extent: Extent,
    /// Kills that took place. A run may end before the last of the writes that were counted.
    pub kills: usize,
    /// Things left behind.
    pub orphans: usize,
    /// Kills after which the next run and an empty plan ended it.
    pub converged: usize,
    /// What was wrong, kill by kill.
    pub failures: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            writes,
            kills,
            orphans,
            converged,
            ..
        } = self;
        let kinds = match self.extent {
            Extent::Whole => "2 victims",
            Extent::Sample => "1 of 4 (victim, side)",
        };
        write!(
            f,
            "kill matrix: {operation}: {writes} writes x {kinds}: {kills} kills, orphans {orphans}, converged {converged}"
        )
    }
}

type Job = (Operation, Kill);

/// How much of the matrix one run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Each write once, with another side and victim from write to write.
    Sample,
    /// Each write with both victims. The sides change from write to write and from run to run, so that two runs have every
    /// combination once.
    Whole,
}

impl Extent {
    fn kinds(self, run: usize, at: usize) -> &'static [(Side, Victim)] {
        match self {
            Self::Sample => {
                let kind = (run + at) % KINDS.len();
                &KINDS[kind..=kind]
            }
            Self::Whole => {
                let pair = (run + at) % 2 * 2;
                &KINDS[pair..pair + 2]
            }
        }
    }
}

/// Kills at every write, as far as run number `run` goes. So many worlds run at the same time.
pub fn run(
    writes: &[(Operation, usize)],
    extent: Extent,
    run: usize,
    worlds: usize,
) -> Vec<Report> {
    let report = |&(operation, writes)| Report {
        operation,
        writes,
        extent,
        kills: 0,
        orphans: 0,
        converged: 0,
        failures: Vec::new(),
    };
    let reports = Mutex::new(writes.iter().map(report).collect::<Vec<Report>>());
    let jobs = writes.iter().flat_map(|&(operation, writes)| {
        (1..=writes).flat_map(move |at| {
            let kill = move |&(side, victim)| (operation, Kill { at, side, victim });
            extent.kinds(run, at).iter().map(kill)
        })
    });
    let jobs = Mutex::new(jobs.collect::<VecDeque<Job>>());
    thread::scope(|scope| {
        for _ in 0..worlds {
            scope.spawn(|| work(&jobs, &reports));
        }
    });
    reports.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn work(jobs: &Mutex<VecDeque<Job>>, reports: &Mutex<Vec<Report>>) {
    let mut world = World::new();
    while let Some((operation, kill)) = next(jobs, world.is_applied()) {
        let outcome = catch_unwind(AssertUnwindSafe(|| one(&mut world, operation, kill)));
        let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
        let report = reports
            .iter_mut()
            .find(|report| report.operation == operation)
            .expect("jobs are made of the reports' operations");
        match outcome {
            Ok(None) => {}
            Ok(Some(orphans)) => {
                report.kills += 1;
                report.converged += 1;
                report.orphans += orphans.len();
                if orphans.is_empty() {
                    continue;
                }
                let failure = format!("{operation} {kill}: {}", orphans.join("; "));
                println!("{failure}");
                report.failures.push(failure);
            }
            Err(panic) => {
                report.kills += 1;
                let text = panic.downcast_ref::<String>().cloned();
                let failure = format!("{operation} {kill}: {}", text.unwrap_or_default());
                println!("{failure}");
                report.failures.push(failure);
            }
        }
        // Whatever is wrong with this one must not count for the next kill.
        world = World::new();
    }
}

/// One kill and the way back: what was left behind, or nothing where the run ended before the write.
fn one(world: &mut World, operation: Operation, kill: Kill) -> Option<Vec<String>> {
    world.prepare(operation);
    let killed = world.kill(operation, kill);
    let is_killed = killed.is_some();
    world.finish(operation);
    let orphans = world.orphans();
    is_killed.then_some(orphans)
}

/// A job that fits the world as it is, else any.
fn next(jobs: &Mutex<VecDeque<Job>>, applied: bool) -> Option<Job> {
    let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |(operation, _): &Job| (*operation != Operation::Create) == applied;
    let place = jobs.iter().position(fits).unwrap_or(0);
    jobs.remove(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_whole_runs_have_every_combination_at_every_write_once() {
        for at in 1..5 {
            let runs = (6..8).flat_map(|run| Extent::Whole.kinds(run, at));
            let runs: Vec<_> = runs.copied().collect();
            assert_eq!(runs.len(), KINDS.len());
            assert!(KINDS.iter().all(|kind| runs.contains(kind)), "{runs:?}");
        }
    }

    #[test]
    fn a_whole_run_kills_both_victims_at_every_write() {
        for at in 1..5 {
            let [(_, one), (_, other)] = Extent::Whole.kinds(3, at) else {
                panic!("there are two victims");
            };
            assert_ne!(one, other);
        }
    }
}
