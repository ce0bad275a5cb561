//! How often AWS is asked while many endpoints wait for their bakes, and how long no one looked at a candidate.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::world::World;
use crate::counter::{Call, Counter};
use crate::table::{Table, at_most};
use crate::terraform::Spent;

/// How long a candidate bakes: more than fifty of them take to start, one after the other.
pub(super) const BAKE: Duration = Duration::from_secs(300);
/// Percent of the traffic that it has meanwhile.
pub(super) const CANDIDATE: u8 = 10;
/// Calls a second while all wait, of AWS and of the registry.
const CALLS: f64 = 5.0;
/// So long before and after a bake its run does not wait: it shifts, checks the shift, and records both.
const SHIFTS: Duration = Duration::from_secs(5);
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
    let table = table(count, &asked, &kept, &spent)?;
    print!("{table}");
    Ok(())
}

fn table(count: usize, asked: &[Call], kept: &[Call], spent: &Spent) -> Result<Table> {
    let bakes = bakes(asked);
    ensure!(
        bakes.len() == count,
        "{} of {count} endpoints had a bake",
        bakes.len()
    );
    let all = While::all(&bakes).with_context(|| {
        format!("never did all {count} bake at once: some began after others had ended")
    })?;
    let unseen = bakes.iter().map(|bake| all.unseen(&bake.group, asked));
    let unseen = unseen.max().unwrap_or_default().as_secs_f64();
    let waits = all.waits();
    let mut table = Table::new(
        format!(
            "Endpoints on ECS: {count} bake at once, for {:.0} s",
            waits.seconds()
        ),
        &["what", "measured", "at most", "", "of which"],
    );
    let mut row = |what: &str, measured: f64, bound: Option<f64>, more: String| {
        table.row(vec![
            what.to_owned(),
            format!("{measured:.2}"),
            bound.map_or_else(|| "-".to_owned(), |bound| bound.to_string()),
            bound
                .map_or("", |bound| at_most(measured, bound))
                .to_owned(),
            more,
        ]);
    };
    let (of_aws, told) = waits.calls(asked);
    row("calls of AWS a second", of_aws, None, told);
    let (of_registry, told) = waits.calls(kept);
    row("calls of the registry a second", of_registry, None, told);
    row(
        "both together",
        of_aws + of_registry,
        Some(CALLS),
        String::new(),
    );
    row(
        "longest time that a candidate was unseen, in seconds",
        unseen,
        Some(UNSEEN),
        String::new(),
    );
    row(
        "CPU of the provider in the whole apply, in seconds",
        spent.provider.cpu,
        None,
        format!(
            "{:.0} s long, {:.0} MB at most",
            spent.wall.as_secs_f64(),
            spent.provider.peak_bytes as f64 / 1e6
        ),
    );
    Ok(table)
}

/// The time in which all bake.
struct While {
    from: Instant,
    to: Instant,
}

impl While {
    /// Nothing if some began after others had ended, or shortly before.
    fn all(bakes: &[Bake]) -> Option<Self> {
        let from = bakes.iter().map(|bake| bake.from).max()?;
        let to = bakes.iter().map(|bake| bake.to).min()?;
        (from + SHIFTS * 2 < to).then_some(Self { from, to })
    }

    /// Without the shift of the one who began last, and of the one who ends first.
    fn waits(&self) -> Self {
        Self {
            from: self.from + SHIFTS,
            to: self.to - SHIFTS,
        }
    }

    fn seconds(&self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }

    fn holds(&self, at: Instant) -> bool {
        self.from < at && at < self.to
    }

    /// How many of these calls there were in a second, and which.
    fn calls(&self, calls: &[Call]) -> (f64, String) {
        let mut counts = BTreeMap::<&str, usize>::new();
        for call in calls.iter().filter(|call| self.holds(call.at)) {
            *counts.entry(&call.request.operation).or_default() += 1;
        }
        let told: Vec<_> = counts
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let all: usize = counts.values().sum();
        (all as f64 / self.seconds(), told.join(", "))
    }

    /// The longest time in which nobody asked for the group's health.
    fn unseen(&self, group: &str, calls: &[Call]) -> Duration {
        let looks = calls.iter().filter(|call| {
            let asked = call.request.parameters.get("TargetGroupArn");
            call.request.operation == "describetargethealth"
                && asked.is_some_and(|asked| asked == group)
        });
        let times = looks.map(|call| call.at).filter(|at| self.holds(*at));
        let (mut last, mut longest) = (self.from, Duration::ZERO);
        for at in times.chain([self.to]) {
            longest = longest.max(at - last);
            last = at;
        }
        longest
    }
}

/// The time between a candidate's first traffic and the next change of its listener.
#[derive(Debug, PartialEq)]
struct Bake {
    /// The candidate's target group.
    group: String,
    from: Instant,
    to: Instant,
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
        let all = While::all(&bakes).unwrap();
        assert_eq!(all.unseen("new", &calls), Duration::from_secs(13));
        let counted = "3 describetargethealth".to_owned();
        assert_eq!(all.calls(&calls), (0.15, counted));
        let counted = "1 describetargethealth".to_owned();
        assert_eq!(all.waits().calls(&calls), (0.1, counted));
    }
}
