//! A create, beside the calls that make the same, and what ECS itself needs for it.

use anyhow::{Context, Result};

use super::world::{World, said};
use crate::aws::python;
use crate::table::{Table, at_most, median};

/// How often each is timed; they take turns.
const ROUNDS: usize = 3;
/// Seconds that an apply may take on top of what ECS needs.
const ON_TOP: f64 = 3.0;

pub(super) fn run(world: &World<'_>) -> Result<()> {
    let image = world.image("first")?;
    let url = &world.part.url;
    let workspace = world.endpoints(1, url, url)?;
    let variable = format!("-var=image={image}");
    let (mut needs, mut scripts) = (Vec::new(), Vec::new());
    let (mut applies, mut on_top, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        println!("ecs: a create, {round} of {ROUNDS}");
        let needed = by_script(world, &image, "closely")?;
        let ours = workspace.run(&["apply", "-input=false", "-auto-approve", &variable])?;
        workspace.run(&["destroy", "-input=false", "-auto-approve", &variable])?;
        scripts.push(by_script(world, &image, "waiters")?);
        needs.push(needed);
        applies.push(ours.wall.as_secs_f64());
        on_top.push(ours.wall.as_secs_f64() - needed);
        cpu.push(ours.provider.cpu);
    }
    let on_top = median(on_top);
    let mut table = Table::new(
        format!("Endpoints on ECS: a create, median of {ROUNDS}"),
        &["what", "seconds", "at most", ""],
    );
    let mut row = |what: &str, seconds: f64| {
        table.row(vec![
            what.to_owned(),
            format!("{seconds:.2}"),
            "-".to_owned(),
            String::new(),
        ]);
    };
    row(
        "ECS itself: the same calls, looked at without a pause",
        median(needs),
    );
    row(
        "a script: the same calls, the waiters of the AWS libraries",
        median(scripts),
    );
    row("`terraform apply`, start to end", median(applies));
    row("CPU of the provider in it", median(cpu));
    table.row(vec![
        "the apply on top of what ECS needs, in pairs, without a stabilization_window".to_owned(),
        format!("{on_top:.2}"),
        ON_TOP.to_string(),
        at_most(on_top, ON_TOP).to_owned(),
    ]);
    print!("{table}");
    Ok(())
}

/// Seconds that the calls of `benches/ecs/needs.py` take when they wait in this way.
fn by_script(world: &World<'_>, image: &str, how: &str) -> Result<f64> {
    let mut command = python(world.builds, &world.part.url)?;
    command
        .arg(world.builds.root.join("benches/ecs/needs.py"))
        .args([&world.platform.to_string(), image, how]);
    let seconds = said(command.output(), "benches/ecs/needs.py")?;
    let last = seconds.lines().last().unwrap_or_default();
    last.parse().with_context(|| format!("seconds: {seconds}"))
}
