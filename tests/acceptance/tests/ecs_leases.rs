//! Many processes lease priorities of one listener at the same time.

use std::collections::BTreeSet;
use std::thread;

use mlops_acceptance::Workspace;
use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::workspace::free_port;

const PROCESSES: usize = 8;
/// Of each process.
const ENDPOINTS: usize = 25;
/// Priorities of rules that were there before.
const FOREIGN: [u16; 3] = [1, 57, 203];

/// A workspace with this many endpoints that run an image, each behind a rule: there are just enough priorities for all.
fn workspace(world: &EcsWorld, listener: &str, process: usize) -> Workspace {
    // More rules and target groups than a load balancer has until AWS is asked for more, which the emulator has no say in.
    let mut work = world.workspace("preflight {\n    skip = [\"load_balancer\"]\n  }");
    let last = PROCESSES * ENDPOINTS + FOREIGN.len();
    let blocks = world.blocks(&format!(
        "listener_arn = \"{listener}\"\n    path_patterns = [\"/p{process}-${{count.index}}/*\"]\n    priority_range = \"1-{last}\""
    ));
    let image = world.paper_image("any");
    work.config(&format!(
        r#"
resource "mlops_endpoint" "each" {{
  count         = {ENDPOINTS}
  name          = "p{process}-${{count.index}}"
  drain_seconds = 1
  variants = {{
    main = {{
      image   = "{image}"
      traffic = 100
    }}
  }}
  {blocks}
}}
"#
    ));
    work
}

/// The rules that are there; one that is there twice is an error.
#[track_caller]
fn rules(world: &EcsWorld) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for thing in world.everything() {
        if let Some(priority) = thing.strip_prefix("rule ") {
            let priority = priority.parse().expect("a priority");
            assert!(found.insert(priority), "rule {priority} is there twice");
        }
    }
    found
}

#[test]
#[ignore = "long: two hundred endpoints take minutes"]
fn two_hundred_endpoints_of_eight_processes_share_one_listener() {
    let name = "two_hundred_endpoints_of_eight_processes_share_one_listener";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let listener = world.listener(free_port());
    for priority in FOREIGN {
        world.rule(&listener, priority);
    }
    let before = world.everything();
    let mut works: Vec<_> = (0..PROCESSES)
        .map(|process| workspace(&world, &listener, process))
        .collect();
    let all = |works: &mut [Workspace], act: fn(&mut Workspace)| {
        thread::scope(|scope| {
            for work in works {
                scope.spawn(move || act(work));
            }
        });
    };
    let apply = |work: &mut Workspace| {
        work.apply();
    };
    let every: BTreeSet<u16> = (1..).take(PROCESSES * ENDPOINTS + FOREIGN.len()).collect();

    all(&mut works, apply);
    assert_eq!(rules(&world), every);

    // What some give back, the others' successors get: there is nothing else.
    all(&mut works[2..5], Workspace::destroy);
    assert_eq!(rules(&world).len(), every.len() - 3 * ENDPOINTS);
    all(&mut works[2..5], apply);
    assert_eq!(rules(&world), every);

    all(&mut works, Workspace::destroy);
    assert_eq!(world.everything(), before);
    println!(
        "{} endpoints of {PROCESSES} processes on one listener: 0 collisions, gaps used again, nothing left",
        PROCESSES * ENDPOINTS
    );
}
