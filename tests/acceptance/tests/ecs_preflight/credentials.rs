//! The check `credentials`.

use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::part::registry;
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Workspace, part};

use super::{endpoint, provider};

#[test]
fn credentials_that_run_out_before_the_rollout_ends_are_told_at_plan_and_fail_the_apply() {
    let name =
        "credentials_that_run_out_before_the_rollout_ends_are_told_at_plan_and_fail_the_apply";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let mut work = Workspace::new();
    let (table, bucket) = (registry::TABLE, registry::BUCKET);
    let lies = format!("table = {table:?}\n    bucket = {bucket:?}");
    let told = part::provider(&world.part.url, &lies);
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| !line.contains("_key "))
        .collect();
    work.provider(&format!("{}\n  {}", lines.join("\n"), provider(&world, "")));
    for (variable, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush-hush"),
        ("AWS_SESSION_TOKEN", "hush-hush"),
        ("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z"),
    ] {
        work.env(variable, value);
    }
    let canary = "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 10, bake = \"20m\" }, { traffic = 100 }]\n  }";
    let first = endpoint(&world, canary);
    work.config(&first);
    // Nothing bakes where nothing serves yet.
    work.apply();
    let before = world.everything();
    let own = world.paper_image("own");
    let second = world.paper_images("own", "second", &["amd64"], "second");
    work.config(&first.replace(&own, &second));
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    let warned = plan.warnings().concat();
    let said = [
        "run out at 2020-01-01T00:00:00Z",
        "the rollout takes 25m",
        "skip = [\"credentials\"]",
    ];
    for said in said {
        assert!(warned.contains(said), "{said} is not in {warned}");
    }
    let failed = work.apply_fails(&said);
    assert!(!failed.errors().concat().contains("rolled back"));
    assert_eq!(world.everything(), before);
    work.env("AWS_CREDENTIAL_EXPIRATION", "2100-01-01T00:00:00Z");
    assert_eq!(work.plan().warnings(), Vec::<String>::new());
}
