//! How often AWS is asked while many endpoints wait for their bakes, and how long no one looked at a candidate.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::world::World;
use crate::counter::{Call, Counter};
use crate::table::{Table, at_most};

/// How long a candidate bakes: more than fifty of them take to start, one after the other.
pub(super) const BAKE: Duration = Duration::from_secs(300);
/// Percent of the traffic that it has meanwhile.
pub(super) const CANDIDATE: u8 = 10;
/// Calls a second while all wait.
const CALLS: f64 = 5.0;
/// Seconds that a group under bake may be unseen.
const UNSEEN: f64 = 15.0;

pub(super) fn run(world: &World<'_>, count: usize) -> Result<()> {
    let (first, second) = (world.image("first")?, world.image("second")?);
    let aws = Counter::before(&world.part.url)?;
    let registry = Counter::before(&world.part.url)?;
    let workspace = world.endpoints(count, &aws.url, &registry.url)?;
    let parallel = format!("-parallelism={count}");
    let apply = |verb: &str, image: &str| {
        let variable = format!("-var=image={image}");
        let arguments = [verb, "-input=false", "-auto-approve", &parallel, &variable];
        workspace.run(&arguments)
    };
    println!("ecs: {count} endpoints are made");
    apply("apply", &first)?;
    aws.calls();
    registry.calls();
    println!("ecs: {count} candidates bake for {} s", BAKE.as_secs());
    let spent = apply("apply", &second)?;
    let (asked, kept) = (aws.calls(), registry.calls());
    println!("ecs: {count} endpoints are destroyed");
    apply("destroy", &second)?;

    let bakes = bakes(&asked);
    ensure!(
        bakes.len() == count,
        "{} of {count} endpoints had a bake",
        bakes.len()
    );
    let from = bakes.iter().map(|bake| bake.from).max();
    let to = bakes.iter().map(|bake| bake.to).min();
    let (from, to) = from.zip(to).context("no bake")?;
    ensure!(
        from < to,
        "never did all {count} bake at once: some began after others had ended"
    );
    let window = (to - from).as_secs_f64();
    let within = |calls: &[Call]| {
        let mut counts = BTreeMap::<String, usize>::new();
        for call in calls.iter().filter(|call| call.at > from && call.at < to) {
            *counts.entry(call.request.operation.clone()).or_default() += 1;
        }
        counts
    };
    let mut table = Table::new(
        format!("Endpoints on ECS: {count} bake at once, for {window:.0} s"),
        &["what", "measured", "at most", "", "of which"],
    );
    let counts = within(&asked);
    let rate = counts.values().sum::<usize>() as f64 / window;
    let told: Vec<_> = counts
        .iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    let verdict =
        |measured: f64, bound: f64| (bound.to_string(), at_most(measured, bound).to_owned());
    let (bound, judged) = verdict(rate, CALLS);
    table.row(vec![
        "calls of AWS a second".to_owned(),
        format!("{rate:.2}"),
        bound,
        judged,
        told.join(", "),
    ]);
    let unseen = bakes
        .iter()
        .map(|bake| bake.unseen(&asked, from, to).as_secs_f64());
    let unseen = unseen.fold(0.0, f64::max);
    let (bound, judged) = verdict(unseen, UNSEEN);
    table.row(vec![
        "longest time that a candidate was unseen, in seconds".to_owned(),
        format!("{unseen:.1}"),
        bound,
        judged,
        String::new(),
    ]);
    let counts = within(&kept);
    let rate = counts.values().sum::<usize>() as f64 / window;
    let told: Vec<_> = counts
        .iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    table.row(vec![
        "calls of the registry a second".to_owned(),
        format!("{rate:.2}"),
        "-".to_owned(),
        String::new(),
        told.join(", "),
    ]);
    table.row(vec![
        "CPU of the provider in the whole apply, in seconds".to_owned(),
        format!("{:.2}", spent.provider.cpu),
        "-".to_owned(),
        String::new(),
        format!(
            "{:.0} s long, {:.0} MB at most",
            spent.wall.as_secs_f64(),
            spent.provider.peak_bytes as f64 / 1e6
        ),
    ]);
    print!("{table}");
    Ok(())
}

/// The time between a candidate's first traffic and the next change of its listener.
#[derive(Debug, PartialEq)]
struct Bake {
    /// The candidate's target group.
    group: String,
    from: Instant,
    to: Instant,
}

impl Bake {
    /// The longest time within these bounds in which nobody asked for the group's health.
    fn unseen(&self, calls: &[Call], from: Instant, to: Instant) -> Duration {
        let looks = calls.iter().filter(|call| {
            call.request.operation == "describetargethealth"
                && call.request.parameters.get("TargetGroupArn") == Some(&self.group)
        });
        let times = looks
            .map(|call| call.at)
            .filter(|at| *at > from && *at < to);
        let (mut last, mut longest) = (from, Duration::ZERO);
        for at in times.chain([to]) {
            longest = longest.max(at - last);
            last = at;
        }
        longest
    }
}

/// The bakes that these calls show, in the order of their listeners.
fn bakes(calls: &[Call]) -> Vec<Bake> {
    let mut open = BTreeMap::<&str, (String, Instant)>::new();
    let mut bakes = BTreeMap::new();
    for call in calls {
        if call.request.operation != "modifylistener" {
            continue;
        }
        let Some(listener) = call.request.parameters.get("ListenerArn") else {
            continue;
        };
        if let Some((group, from)) = open.remove(listener.as_str()) {
            let to = call.at;
            bakes.insert(listener, Bake { group, from, to });
        }
        if let Some(group) = candidate(&call.request.parameters) {
            open.insert(listener, (group, call.at));
        }
    }
    bakes.into_values().collect()
}

/// The target group that gets a candidate's share of the traffic.
fn candidate(parameters: &BTreeMap<String, String>) -> Option<String> {
    let weight = CANDIDATE.to_string();
    let mut weights = parameters
        .iter()
        .filter(|(name, value)| name.ends_with(".Weight") && **value == weight);
    let (name, _) = weights.next()?;
    let group = name.replace(".Weight", ".TargetGroupArn");
    parameters.get(&group).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::Request;

    #[test]
    fn a_bake_is_between_two_changes_of_a_listener_and_unseen_for_the_longest_pause() {
        let start = Instant::now();
        let call = |second: u64, operation: &str, parameters: &[(&str, &str)]| Call {
            at: start + Duration::from_secs(second),
            request: Request {
                operation: operation.to_owned(),
                parameters: parameters
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            },
        };
        let shift = |second, weight| {
            let parameters = [
                ("ListenerArn", "l"),
                ("A.1.TargetGroupArn", "old"),
                ("A.1.Weight", "90"),
                ("A.2.TargetGroupArn", "new"),
                ("A.2.Weight", weight),
            ];
            call(second, "modifylistener", &parameters)
        };
        let look =
            |second, group| call(second, "describetargethealth", &[("TargetGroupArn", group)]);
        let calls = [
            shift(0, "0"),
            shift(10, "10"),
            look(12, "new"),
            look(20, "old"),
            look(25, "new"),
            shift(30, "100"),
            look(31, "new"),
        ];
        let bakes = bakes(&calls);
        let (from, to) = (calls[1].at, calls[5].at);
        let group = "new".to_owned();
        assert_eq!(bakes, [Bake { group, from, to }]);
        assert_eq!(bakes[0].unseen(&calls, from, to), Duration::from_secs(13));
    }
}
