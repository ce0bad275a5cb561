//! Images by their tags: a plan says which digest one has, and that digest is what runs.

use mlops_acceptance::Workspace;
use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld, server_image};
use mlops_acceptance::stack::ENDPOINT;
use serde_json::json;

/// An endpoint whose variant runs this.
fn endpoint(world: &EcsWorld, runs: &str) -> String {
    world.endpoint("digits", runs, AT_ONCE)
}

/// The images that services of the world run.
fn run(world: &EcsWorld) -> Vec<String> {
    let services = world.services();
    let images = services.iter().map(|service| {
        let definition = world.task_definition(service);
        let image = &definition["containerDefinitions"][0]["image"];
        image.as_str().unwrap_or_default().to_owned()
    });
    images.collect()
}

fn planned(work: &mut Workspace) -> (Vec<String>, String) {
    let plan = work.plan();
    let after = plan.after(ENDPOINT);
    let actions = plan.actions(ENDPOINT).into_iter().map(str::to_owned);
    (
        actions.collect(),
        after.text("/target_images/main").to_owned(),
    )
}

#[test]
fn a_tag_that_moves_before_the_apply_changes_nothing_that_was_planned() {
    let name = "a_tag_that_moves_before_the_apply_changes_nothing_that_was_planned";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let before = world.everything();
    let one = world.paper_images("own", "live", &["amd64"], "one");
    let tag = world.tagged("own", "live");
    let mut work = world.workspace("");
    work.config(&endpoint(&world, &format!("image = \"{tag}\"")));
    let plan = work.plan();
    assert_eq!(
        *plan.after(ENDPOINT).get("/target_images"),
        json!({"main": one})
    );
    assert_eq!(plan.warnings(), Vec::<String>::new());

    // The tag moves between plan and apply.
    let two = world.paper_images("own", "live", &["amd64", "arm64"], "two");
    assert_ne!(one, two);
    let refused = work.try_apply_saved();
    refused.failed_with(&["inconsistent final plan", "target_images", &one, &two]);
    assert_eq!(world.everything(), before, "nothing is begun");

    // A data source is read by the plan, and holds.
    let read = format!("data \"mlops_image\" \"own\" {{\n  uri = \"{tag}\"\n}}\n");
    let held = format!(
        "{read}{}",
        endpoint(&world, "image = data.mlops_image.own.id")
    );
    let one = two;
    work.config(&held);
    work.plan();
    let two = world.paper_images("own", "live", &["amd64"], "three");
    work.try_apply_saved().succeeded();
    assert_eq!(run(&world), [one.as_str()]);

    // The next plan tells of the tag that has moved, and its apply ends with one that is empty.
    work.config(&endpoint(&world, &format!("image = \"{tag}\"")));
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert_eq!(
        *plan.after(ENDPOINT).get("/target_images"),
        json!({"main": two})
    );
    assert_eq!(
        *plan.after(ENDPOINT).get("/model_diff/main.image"),
        format!("{one} -> {two}")
    );
    assert_eq!(run(&world), [two.as_str()]);
    let state = work.state();
    assert_eq!(state.object(ENDPOINT).text("/variants/main/image"), tag);

    // Nobody can say any more where it points: what runs stays, and a warning says why.
    let images = json!({"repositoryName": "own", "imageIds": [{"imageTag": "live"}]});
    assert_eq!(world.ecr("BatchDeleteImage", &images).status, 200);
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["no-op"]);
    let warned = plan.warnings().join("\n");
    for said in ["no such tag", &format!("stays at {two}")] {
        assert!(warned.contains(said), "{said} is not in {warned}");
    }
    work.destroy();
    assert_eq!(world.everything(), before);
}

#[test]
fn another_model_server_under_the_same_tag_is_a_planned_change() {
    let name = "another_model_server_under_the_same_tag_is_a_planned_change";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let one = world.paper_images("mlops", "1", &["amd64"], "one");
    let mut work = world.workspace(&server_image(&world.tagged("mlops", "1")));
    work.copy_model("digits-v1", "model.onnx");
    let model = "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n\
                 resource \"mlops_model_version\" \"digits\" {\n  model = mlops_model.digits.name\n  source = \"model.onnx\"\n}\n";
    let serving =
        "model = mlops_model.digits.name\n model_version = mlops_model_version.digits.version";
    work.config(&format!("{model}{}", endpoint(&world, serving)));
    work.apply();
    assert_eq!(run(&world), [one.as_str()]);
    let two = world.paper_images("mlops", "1", &["amd64"], "two");
    assert_eq!(planned(&mut work), (vec!["update".to_owned()], two.clone()));
    work.apply();
    assert_eq!(run(&world), [two.as_str()]);
    // Without its tag it stays as it is.
    let images = json!({"repositoryName": "mlops", "imageIds": [{"imageTag": "1"}]});
    assert_eq!(world.ecr("BatchDeleteImage", &images).status, 200);
    assert_eq!(planned(&mut work), (vec!["no-op".to_owned()], two));
    work.destroy();
}

#[test]
fn an_image_that_cannot_run_is_an_error_of_the_plan_that_names_its_attribute() {
    let name = "an_image_that_cannot_run_is_an_error_of_the_plan_that_names_its_attribute";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let arm = world.paper_images("own", "arm", &["arm64"], "arm");
    let both = world.paper_images("own", "both", &["amd64", "arm64"], "both");
    let missing = format!(
        "{}@sha256:{}",
        arm.split('@').next().unwrap_or_default(),
        "a".repeat(64)
    );
    let tag = |tag: &str| world.tagged("own", tag);
    let fails = |runs: &str, said: &[&str]| {
        let mut work = world.workspace("");
        work.config(&endpoint(&world, runs));
        work.plan_fails(said);
    };
    let on_arm = "set architecture = \"ARM64\"";
    fails(
        &format!("image = \"{}\"", tag("arm")),
        &[
            "is for linux/arm64, and the tasks are for linux/amd64",
            on_arm,
            "skip = [\"images\"]",
            "image",
        ],
    );
    fails(
        &format!("image = \"{}\"", tag("none")),
        &["there is no image", "no such tag", "image"],
    );
    fails(
        &format!("image = \"{missing}\""),
        &["its repository does not have it", "image"],
    );
    // Nobody listens there.
    fails(
        "image = \"127.0.0.1:1/own:1\"",
        &["127.0.0.1:1/own:1", "Name the image by its digest"],
    );

    for (image, architecture) in [(&arm, "ARM64"), (&both, "ARM64"), (&both, "X86_64")] {
        let mut work = world.workspace("");
        let runs = format!("image = \"{image}\"\n architecture = \"{architecture}\"");
        work.config(&endpoint(&world, &runs));
        assert_eq!(work.plan().warnings(), Vec::<String>::new());
    }

    // Its repository may be made before the apply, as with Terragrunt's mocks; then it has to be there.
    let mut work = world.workspace("");
    work.config(&endpoint(
        &world,
        &format!("image = \"{}\"", world.tagged("later", "1")),
    ));
    let plan = work.plan();
    assert!(
        plan.warnings()
            .concat()
            .contains("there is no repository later")
    );
    assert!(plan.unknown(ENDPOINT, "/target_images/main"));
    work.apply_fails(&["there is no repository later"]);
    let later = world.paper_images("later", "1", &["amd64"], "later");
    work.apply();
    assert_eq!(run(&world), [later.as_str()]);
    work.destroy();
}
