//! SIGKILL at every write of the registry: the next run ends what was begun, and nothing is left behind.
//!
//! `MLOPS_KILL_RUNS` is the number of whole matrices of the long test (20 by default), `MLOPS_KILL_WORLDS` how many
//! configurations are killed at the same time (2).

use mlops_acceptance::kills;

fn number(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

fn matrix(kinds: usize, runs: usize) {
    let writes = kills::writes();
    let mut failures = Vec::new();
    for run in 0..runs {
        for report in kills::run(&writes, kinds, run, number("MLOPS_KILL_WORLDS", 2)) {
            println!("{report}");
            assert!(report.kills > 0, "nothing was killed: {report}");
            failures.extend(report.failures);
        }
    }
    assert!(failures.is_empty(), "{:#?}", failures);
}

/// Each write once, with another side and victim from write to write.
#[test]
fn a_kill_at_any_write_leaves_nothing_behind_and_the_next_run_converges() {
    matrix(1, 1);
}

#[test]
#[ignore = "long: every write x both victims x both sides, MLOPS_KILL_RUNS times"]
fn every_write_survives_every_kill() {
    matrix(4, number("MLOPS_KILL_RUNS", 20));
}
