//! SIGKILL at every write of the registry, before and after its commit: the next run ends what was begun, and nothing is
//! left behind. The provider kills itself, or Terraform, at the chosen write (`crates/local/src/records/drill.rs`).
//!
//! `MLOPS_KILL_RUNS` is the number of whole matrices of the long test (20 by default), `MLOPS_KILL_WORLDS` how many
//! configurations are killed at the same time (2). In a whole matrix each write meets both victims; the side of the commit
//! changes from write to write and from run to run.

use mlops_acceptance::kills::Extent;
use mlops_acceptance::stack::VERSION;
use mlops_acceptance::{Stack, builds, kills};

fn number(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

fn matrix(extent: Extent, runs: usize) {
    let writes = kills::writes();
    let (mut kills, mut orphans, mut converged) = (0, 0, 0);
    let mut failures = Vec::new();
    for run in 0..runs {
        for report in kills::run(&writes, extent, run, number("MLOPS_KILL_WORLDS", 2)) {
            println!("{report}");
            assert!(report.kills > 0, "nothing was killed: {report}");
            kills += report.kills;
            orphans += report.orphans;
            converged += report.converged;
            failures.extend(report.failures);
        }
    }
    println!("kill matrix: {runs} runs, {kills} kills, orphans {orphans}, converged {converged}");
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Each write once, with another side and victim from write to write.
#[test]
fn a_kill_at_any_write_leaves_nothing_behind_and_the_next_run_converges() {
    matrix(Extent::Sample, 1);
}

#[test]
#[ignore = "long: every write x both victims, the sides in turn, MLOPS_KILL_RUNS times"]
fn every_write_survives_every_kill() {
    matrix(Extent::Whole, number("MLOPS_KILL_RUNS", 20));
}

/// The drill is for debug builds; a release build, where there is one, must not even know its name.
#[test]
fn a_release_build_of_the_provider_has_no_drill() {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| builds::root().join("target"), Into::into);
    let release = target.join("release/terraform-provider-mlops");
    let Ok(bytes) = std::fs::read(&release) else {
        return;
    };
    let name = b"MLOPS_DRILL_KILL";
    let found = bytes.windows(name.len()).any(|window| window == name);
    assert!(!found, "{} can be drilled", release.display());
}

/// What a kill between the archive of a version and the end of its destroy leaves: the state holds a version that nobody
/// may bind any more.
#[test]
fn an_archived_version_that_nothing_uses_is_gone_for_its_owner() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    let version = "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\nresource \"mlops_model_version\" \"digits\" {\n  \
                   model = mlops_model.digits.name\n  source = \"model.onnx\"\n}\n";
    work.config(version);
    work.apply();
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_version\" \"digits\" {\n  model = \"digits\"\n}\n");
    outsider.import(VERSION, "digits/1");
    outsider.destroy();

    stack.configure(&mut work);
    work.apply();
    assert_eq!(work.state().object(VERSION).number("/version"), 2);
    work.destroy();
}
