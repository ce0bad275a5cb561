//! A registry outgrows a machine, or its region, and Terraform's state goes on with it.

use mlops_acceptance::running::Ended;
use mlops_acceptance::{Part, Workspace, part, skip};

const TABLE: &str = "acme-mlops";
const BUCKET: &str = "acme-models";

/// Flags that name the registry on AWS as the source, and as the target.
const FROM: [&str; 5] = ["--table", TABLE, "--bucket", BUCKET, "--s3-use-path-style"];
const TO: [&str; 5] = [
    "--to-table",
    TABLE,
    "--to-bucket",
    BUCKET,
    "--to-s3-use-path-style",
];

const CONFIG: &str = r#"
resource "mlops_model" "digits" {
  name = "digits"
}

resource "mlops_model_version" "digits" {
  model  = mlops_model.digits.name
  source = "model.onnx"
}

resource "mlops_model_alias" "champion" {
  model   = mlops_model.digits.name
  name    = "champion"
  version = mlops_model_version.digits.version
}
"#;

fn emulator(test: &str) -> Option<Part> {
    match Part::start("ministack") {
        Ok(part) => {
            part.make_table(TABLE);
            part.make_bucket(BUCKET);
            Some(part)
        }
        Err(reason) => {
            skip(test, &reason);
            None
        }
    }
}

fn workspace(part: &Part) -> Workspace {
    let mut work = Workspace::new();
    let cache = work.path("cache").display().to_string();
    work.env("XDG_CACHE_HOME", &cache);
    for (variable, value) in part::environment(&part.url) {
        work.env(variable, &value);
    }
    work.copy_model("digits-v1", "model.onnx");
    work
}

fn on_aws(part: &Part) -> String {
    part::provider(
        &part.url,
        &format!("table = {TABLE:?}\n    bucket = {BUCKET:?}"),
    )
}

/// Nothing is made, changed or destroyed; only the artifact's place, which refresh tells, is another one.
fn changes_nothing(work: &mut Workspace) {
    let plan = work.plan();
    for resource in [
        "mlops_model.digits",
        "mlops_model_version.digits",
        "mlops_model_alias.champion",
    ] {
        assert_eq!(plan.actions(resource), ["no-op"], "{resource}");
    }
    work.apply();
}

fn migrate(work: &Workspace, arguments: &[&[&str]]) -> Ended {
    let verb = ["registry", "migrate"];
    work.mlops(verb.iter().chain(arguments.iter().copied().flatten()))
}

fn done(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.status.code(), Some(code), "{}", ended.story());
    let story = ended.story();
    for word in words {
        assert!(story.contains(word), "no {word:?} in {story}");
    }
}

#[test]
fn a_registry_moves_to_aws_and_back_and_the_next_plan_is_empty() {
    let name = "a_registry_moves_to_aws_and_back_and_the_next_plan_is_empty";
    let Some(part) = emulator(name) else { return };
    let mut work = workspace(&part);
    work.provider("local {\n    path = \"here\"\n  }")
        .config(CONFIG);
    work.apply();
    let here = ["--registry", "here"];

    let asked = migrate(&work, &[&here, &TO]);
    done(&asked, 0, &["would move", "--confirm"]);
    work.apply();
    let moved = migrate(&work, &[&here, &TO, &["--confirm"]]);
    done(
        &moved,
        0,
        &["moved", "1 artifacts, 1 of them now", "read-only"],
    );
    let again = migrate(&work, &[&here, &TO, &["--confirm", "--json"]]);
    done(&again, 0, &["\"already\":true"]);
    let late = migrate(&work, &[&here, &TO, &["--take-back"]]);
    done(&late, 5, &["lives at", TABLE]);

    // Where it was it is read, and not written.
    work.copy_model("digits-v2", "model.onnx");
    work.apply_fails(&["moved to", TABLE]);
    work.copy_model("digits-v1", "model.onnx");

    work.provider(&on_aws(&part)).config(CONFIG);
    changes_nothing(&mut work);
    let moved = work.state().object("mlops_model_version.digits").clone();
    assert_eq!(moved.number("/version"), 1);
    let uri = moved.text("/artifact_uri");
    assert!(uri.starts_with(&format!("s3://{BUCKET}/")), "{uri}");
    work.copy_model("digits-v2", "model.onnx");
    work.apply();
    let next = work.state().object("mlops_model_version.digits").clone();
    assert_eq!(next.number("/version"), 2, "numbers go on");

    // Not to where it was: its old records lie there.
    let old = migrate(&work, &[&FROM, &["--to-registry", "here", "--confirm"]]);
    done(&old, 5, &["before it moved", "empty"]);
    let back = ["--to-registry", "back", "--confirm"];
    done(
        &migrate(&work, &[&FROM, &back]),
        0,
        &["moved", "2 artifacts"],
    );
    work.provider("local {\n    path = \"back\"\n  }")
        .config(CONFIG);
    changes_nothing(&mut work);
    let pulled = work.mlops([
        "artifact",
        "pull",
        "digits/1",
        "--to",
        "one",
        "--registry",
        "back",
    ]);
    done(&pulled, 0, &[]);
    work.destroy();
}

#[test]
fn a_registry_does_not_move_to_a_place_that_is_taken_or_away_from_its_endpoints() {
    let mut work = Workspace::new();
    work.copy_model("digits-v1", "model.onnx");
    work.provider("local {\n    path = \"taken\"\n  }")
        .config(CONFIG);
    work.apply();
    let taken = migrate(
        &work,
        &[&["--registry", "taken", "--to-registry", "taken", "--confirm"]],
    );
    assert_ne!(taken.status.code(), Some(0), "{}", taken.story());

    let mut other = Workspace::new();
    other.copy_model("digits-v1", "model.onnx");
    let path = work.path("taken").display().to_string();
    other
        .provider("local {\n    path = \"mine\"\n  }")
        .config(CONFIG);
    other.apply();
    let full = migrate(
        &other,
        &[&["--registry", "mine", "--to-registry", &path, "--confirm"]],
    );
    done(&full, 5, &["empty"]);
    let nothing = migrate(
        &other,
        &[&["--registry", "nowhere", "--to-registry", "new", "--confirm"]],
    );
    done(&nothing, 3, &["there is no registry"]);
    let nowhere = migrate(&other, &[&["--registry", "mine", "--confirm"]]);
    done(&nowhere, 2, &["--to-registry"]);
    other.destroy();
    work.destroy();
}

#[test]
fn the_home_of_a_table_is_told_and_not_moved_to_where_it_is() {
    let name = "the_home_of_a_table_is_told_and_not_moved_to_where_it_is";
    let Some(part) = emulator(name) else { return };
    let mut work = workspace(&part);
    let failover = |work: &Workspace, more: &[&str]| {
        let verb = ["registry", "failover", "--table", TABLE];
        work.mlops(verb.iter().chain(more))
    };
    let empty = failover(&work, &["--to", "eu-west-1"]);
    done(
        &empty,
        3,
        &["there is no registry in DynamoDB table acme-mlops"],
    );
    work.provider(&on_aws(&part)).config(CONFIG);
    work.apply();
    let told = failover(&work, &["--to", "eu-west-1"]);
    done(&told, 0, &["is eu-west-1 (fence 1)", "--confirm"]);
    let told = failover(&work, &["--to", "eu-west-1", "--json"]);
    done(&told, 0, &["\"home_region\":\"eu-west-1\""]);
    let there = failover(&work, &["--to", "eu-west-1", "--confirm"]);
    done(
        &there,
        5,
        &["eu-west-1 is the home of table acme-mlops already"],
    );
    let arn = "arn:aws:dynamodb:eu-west-1:000000000000:table/acme-mlops";
    let arn = work.mlops(["registry", "failover", "--table", arn, "--to", "eu-west-1"]);
    done(&arn, 2, &["names one replica"]);
    work.destroy();
}
