//! Versions of a model that are images: registered, promoted and run by their digests as those of files are.

use mlops_acceptance::Workspace;
use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld};
use mlops_acceptance::stack::ENDPOINT;
use serde_json::{Value, json};

const VERSION: &str = "mlops_model_version.digits";
const ALIAS: &str = "mlops_model_alias.champion";

/// A model, and a version of it that says this.
fn model(version: &str) -> String {
    format!(
        "resource \"mlops_model\" \"digits\" {{\n  name = \"digits\"\n}}\n\
         resource \"mlops_model_version\" \"digits\" {{\n  model = mlops_model.digits.name\n  {version}\n  \
         lifecycle {{\n    create_before_destroy = true\n  }}\n}}\n"
    )
}

/// A model whose version is this image, an endpoint that runs it, and an alias that follows.
fn served(world: &EcsWorld, uri: &str) -> String {
    let bound =
        "model = mlops_model.digits.name\n model_version = mlops_model_version.digits.version";
    let model = model(&format!("image = {{ uri = {uri:?} }}"));
    let endpoint = world.endpoint("digits", bound, AT_ONCE);
    format!(
        "{model}{endpoint}resource \"mlops_model_alias\" \"champion\" {{\n  model = mlops_model.digits.name\n  name = \"champion\"\n  \
         version = mlops_endpoint.digits.target_versions[\"main\"]\n}}\n"
    )
}

/// What the one service of the world runs.
#[track_caller]
fn container(world: &EcsWorld) -> Value {
    let services = world.services();
    assert_eq!(services.len(), 1, "{services:?}");
    world.task_definition(&services[0])["containerDefinitions"][0].clone()
}

#[track_caller]
fn is_empty(work: &mut Workspace) {
    let plan = work.plan();
    for address in [VERSION, ENDPOINT, ALIAS] {
        assert_eq!(plan.actions(address), ["no-op"], "{address}");
    }
}

#[test]
fn a_version_that_is_an_image_is_registered_run_and_promoted_by_its_digest() {
    let name = "a_version_that_is_an_image_is_registered_run_and_promoted_by_its_digest";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let before = world.everything();
    let one = world.paper_images("own", "v1", &["amd64"], "one");
    let mut work = world.workspace("");
    work.config(&served(&world, &world.tagged("own", "v1")));

    // No model server is named, and the plan knows what will run.
    let plan = work.apply();
    let digest = one.split_once('@').expect("a digest").1;
    assert_eq!(
        *plan.after(VERSION).get("/image"),
        json!({"uri": world.tagged("own", "v1"), "digest": digest, "platforms": ["linux/amd64"]})
    );
    assert_eq!(plan.after(VERSION).text("/framework"), "container");
    assert_eq!(
        *plan.after(ENDPOINT).get("/target_images"),
        json!({"main": one})
    );
    let container = container(&world);
    assert_eq!(container["image"], one.as_str());
    assert_eq!(
        container["command"].as_array().map_or(0, Vec::len),
        0,
        "{container}"
    );
    is_empty(&mut work);

    // A tag that moves is no new version, and neither is another one of the same image.
    let _ = world.paper_images("own", "v1", &["amd64"], "moved");
    is_empty(&mut work);
    assert_eq!(world.paper_images("own", "same", &["amd64"], "one"), one);
    work.config(&served(&world, &world.tagged("own", "same")));
    is_empty(&mut work);

    // Another image is a new version, which the endpoint runs before the alias points to it.
    let two = world.paper_images("own", "v2", &["amd64", "arm64"], "two");
    work.config(&served(&world, &world.tagged("own", "v2")));
    let plan = work.apply();
    assert_eq!(plan.actions(VERSION), ["create", "delete"]);
    assert_eq!(
        *plan.after(ENDPOINT).get("/target_images"),
        json!({"main": two})
    );
    let diff = plan.after(VERSION).text("/model_diff/image").to_owned();
    assert_eq!(diff, format!("{one} -> {two}"));
    assert_eq!(self::container(&world)["image"], two.as_str());
    let state = work.state();
    assert_eq!(*state.object(ALIAS).get("/version"), json!(2));
    is_empty(&mut work);

    read_and_imported(&world, &two);
    work.destroy();
    assert_eq!(world.everything(), before);
}

/// Data sources and imports tell of the image.
#[track_caller]
fn read_and_imported(world: &EcsWorld, image: &str) {
    let mut reader = world.workspace("");
    reader.config(
        "data \"mlops_model_version\" \"it\" {\n  model = \"digits\"\n  alias = \"champion\"\n}\n\
         output \"it\" {\n  value = data.mlops_model_version.it\n}\n",
    );
    reader.apply();
    let seen = reader.state();
    let seen = seen.output("it");
    assert_eq!(seen["framework"], "container");
    assert_eq!(seen["image"]["uri"], image);
    assert_eq!(
        seen["image"]["platforms"],
        json!(["linux/amd64", "linux/arm64"])
    );

    // By a tag of the same image the imported version stays.
    let mut importer = world.workspace("");
    let tag = world.tagged("own", "v2");
    importer.config(&model(&format!("image = {{ uri = {tag:?} }}")));
    importer.import("mlops_model.digits", "digits");
    importer.import(VERSION, "digits/2");
    assert_eq!(importer.state().object(VERSION).text("/image/uri"), image);
    assert_eq!(importer.plan().actions(VERSION), ["no-op"]);
}

#[test]
fn a_tag_that_moves_before_the_apply_registers_nothing() {
    let name = "a_tag_that_moves_before_the_apply_registers_nothing";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let one = world.paper_images("own", "live", &["amd64"], "one");
    let mut work = world.workspace("");
    let tag = world.tagged("own", "live");
    work.config(&model(&format!("image = {{ uri = {tag:?} }}")));
    work.plan();
    let two = world.paper_images("own", "live", &["amd64"], "two");
    let digest = |image: &str| image.split_once('@').expect("a digest").1.to_owned();
    let refused = work.try_apply_saved();
    refused.failed_with(&[
        "inconsistent final plan",
        "image.digest",
        &digest(&one),
        &digest(&two),
    ]);
    // The next plan takes what is there now, as the first version.
    work.apply();
    let state = work.state();
    assert_eq!(*state.object(VERSION).get("/version"), json!(1));
    assert_eq!(
        *state.object(VERSION).get("/image/digest"),
        json!(digest(&two))
    );
    work.destroy();
}

#[test]
fn what_is_wrong_with_a_version_that_is_an_image_is_an_error_of_the_plan() {
    let name = "what_is_wrong_with_a_version_that_is_an_image_is_an_error_of_the_plan";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let _ = world.paper_images("own", "v1", &["amd64"], "one");
    let image = |uri: &str, more: &str| format!("image = {{ uri = {uri:?} }}\n  {more}");
    let there = world.tagged("own", "v1");
    let mut work = world.workspace("");
    let smoke = "smoke = { inputs = jsonencode({ inputs = [] }) }";
    for (version, said) in [
        (
            image(&world.tagged("own", "v9"), ""),
            &["there is no image", "own:v9", "push it"][..],
        ),
        (image(&world.tagged("nobodys", "v1"), ""), &["nobodys"][..]),
        (
            image("Not An Image", ""),
            &["names no image", "REPOSITORY:TAG"][..],
        ),
        (
            image(&there, "source = \"model.onnx\""),
            &["image and source cannot both be set"][..],
        ),
        (
            image(&there, "framework = \"onnx\""),
            &["image and framework cannot both be set"][..],
        ),
        (
            image(&there, smoke),
            &["image and smoke cannot both be set"][..],
        ),
        (
            String::new(),
            &["A version needs a source", "or image to an image"][..],
        ),
    ] {
        work.config(&model(&version));
        work.plan_fails(said);
    }

    // On this machine nothing runs images, which a plan knows once the version is there.
    let registered = model(&image(&there, ""));
    work.config(&registered);
    work.apply();
    let local = "resource \"mlops_endpoint\" \"digits\" {\n  name = \"digits\"\n  local {}\n  variants = {\n    \
                 main = { model = \"digits\", model_version = 1, traffic = 100 }\n  }\n}\n";
    work.config(&format!("{registered}{local}"));
    work.plan_fails(&["version digits/1 is an image", "runs on this machine"]);
    // Its processors are those of the tasks, or it is refused.
    let arm = world.paper_images("own", "arm", &["arm64"], "arm");
    let bound = "model = \"digits\"\n model_version = mlops_model_version.digits.version";
    let endpoint = world.endpoint("digits", bound, AT_ONCE);
    work.config(&format!("{}{endpoint}", model(&image(&arm, ""))));
    work.plan_fails(&[
        "is for linux/arm64, and the tasks are for linux/amd64",
        "set architecture = \"ARM64\"",
    ]);
    work.config(&registered);
    work.destroy();
}
