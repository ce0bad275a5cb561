//! Endpoints on Amazon ECS, as an emulator plays it that runs real containers: what a create takes on top of what ECS needs, and how often AWS is
//! asked while many endpoints wait.

mod create;
mod waiting;
mod world;

use anyhow::Result;

use self::world::World;
use crate::builds::Builds;

/// Measures and prints; `endpoints` wait at once.
pub(crate) fn run(builds: &Builds, endpoints: usize) -> Result<()> {
    println!("ecs: a world with containers (minutes the first time)");
    let world = World::start(builds)?;
    create::run(&world)?;
    waiting::run(&world, endpoints)
}
