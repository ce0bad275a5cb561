//! `mlops artifact gc`: retention, and the bytes that no version names, beside real applies.

use std::path::Path;

use mlops_acceptance::Workspace;
use serde_json::Value;

const NOW: [&str; 2] = ["--grace", "0s"];

/// A model that keeps its newest version, and versions of these sources, by the names of their blocks.
fn config(versions: &[(&str, &str)]) -> String {
    let mut text = String::from(
        "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n  retention {\n    keep_last = 1\n  }\n}\n",
    );
    for (name, source) in versions {
        text += &format!(
            "\nresource \"mlops_model_version\" \"{name}\" {{\n  model  = mlops_model.digits.name\n  source = \"{source}\"\n}}\n"
        );
    }
    text
}

fn workspace() -> Workspace {
    let work = Workspace::new();
    work.copy_model("digits-v1", "one.onnx");
    work.copy_model("digits-v2", "two.onnx");
    work
}

/// What `mlops artifact gc --json` reports.
fn gc(work: &Workspace, arguments: &[&str]) -> Value {
    let ended = work.mlops(["artifact", "gc", "--json"].iter().chain(arguments));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.story());
    serde_json::from_str(&ended.output).expect("the report is JSON")
}

fn count(report: &Value, what: &str) -> usize {
    report[what].as_array().expect("a list").len()
}

/// Whether a file below `directory` has these bytes.
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            holds(&path, bytes)
        } else {
            std::fs::read(&path).is_ok_and(|found| found == bytes)
        }
    })
}

#[test]
fn what_retention_does_not_keep_goes_and_its_bytes_with_it_and_can_come_again() {
    let mut work = workspace();
    let read = |file: &str| std::fs::read(work.path(file)).expect("it is read");
    let (one, two) = (read("one.onnx"), read("two.onnx"));
    work.config(&config(&[("a", "one.onnx"), ("b", "two.onnx")]));
    work.apply();
    assert_eq!(count(&gc(&work, &NOW), "artifacts"), 0);

    // Destroying archives; the newest version is the other.
    let first = work
        .state()
        .object("mlops_model_version.a")
        .number("/version");
    let newest = work
        .state()
        .object("mlops_model_version.b")
        .number("/version");
    let (older, block, source) = if first < newest {
        (first, "b", "two.onnx")
    } else {
        (newest, "a", "one.onnx")
    };
    let (gone, stays) = if source == "two.onnx" {
        (&one, &two)
    } else {
        (&two, &one)
    };
    work.config(&config(&[(block, source)]));
    work.apply();

    let plan = gc(&work, &NOW);
    assert_eq!(plan["deleted"], false);
    assert_eq!(
        plan["versions"],
        serde_json::json!([format!("digits/{older}")])
    );
    assert_eq!(count(&plan, "artifacts"), 1);
    assert!(holds(&work.registry(), gone), "nobody said --delete");

    let waits = gc(&work, &["--delete"]);
    assert_eq!(
        (count(&waits, "versions"), count(&waits, "artifacts")),
        (1, 0)
    );
    assert_eq!(count(&waits, "waiting"), 1, "seven days");
    assert!(holds(&work.registry(), gone));

    let done = gc(&work, &["--delete", "--grace", "0s"]);
    assert_eq!((count(&done, "artifacts"), count(&done, "waiting")), (1, 0));
    assert!(
        done["freed_bytes"].as_u64() >= Some(gone.len() as u64),
        "{done}"
    );
    assert!(!holds(&work.registry(), gone));
    assert!(holds(&work.registry(), stays));
    work.expect_empty_plan();

    work.config(&config(&[("a", "one.onnx"), ("b", "two.onnx")]));
    work.apply();
    assert!(holds(&work.registry(), gone), "it was stored again");
    let pulled = work.mlops(["artifact", "pull", "digits/3", "--to", "pulled"]);
    assert_eq!(pulled.status.code(), Some(0), "{}", pulled.story());
    work.destroy();
    let end = gc(&work, &["--delete", "--grace", "0s"]);
    assert_eq!(count(&end, "artifacts"), 2, "{end}");
    assert!(!holds(&work.registry(), &one) && !holds(&work.registry(), &two));
}

#[test]
fn what_a_killed_upload_left_is_found_and_then_removed() {
    let mut work = workspace();
    work.config(&config(&[("a", "one.onnx")]));
    work.apply();
    let left = work.registry().join("artifacts/tmp/left");
    std::fs::write(&left, b"half of a model").expect("it is written");
    let place = serde_json::json!([left.display().to_string()]);
    assert_eq!(count(&gc(&work, &[]), "uploads"), 0, "seven days");
    assert_eq!(gc(&work, &NOW)["uploads"], place);
    assert!(left.exists(), "nobody said --delete");
    let told = work.mlops(["artifact", "gc", "--delete", "--grace", "0s"]);
    let line = format!("upload of {}: ended, nobody finished it", left.display());
    assert!(told.output.contains(&line), "{}", told.story());
    assert!(
        told.output.contains(", 1 uploads ended"),
        "{}",
        told.story()
    );
    assert!(!left.exists());
    assert_eq!(count(&gc(&work, &NOW), "uploads"), 0);
}

#[test]
fn bytes_that_another_namespace_names_stay() {
    let mut work = workspace();
    let one = std::fs::read(work.path("one.onnx")).expect("it is read");
    work.config(&config(&[("a", "one.onnx")]));
    work.apply();

    let mut other = work.outsider();
    let shared = work.registry().display().to_string();
    other.copy_model("digits-v1", "one.onnx");
    other.provider(&format!(
        "local {{\n    path      = {shared:?}\n    namespace = \"other\"\n  }}"
    ));
    other.config(&config(&[("a", "one.onnx")]));
    other.apply();

    work.destroy();
    let report = gc(&work, &["--delete", "--grace", "0s"]);
    assert_eq!(count(&report, "artifacts"), 0, "{report}");
    assert!(holds(&work.registry(), &one));

    other.destroy();
    let report = gc(&work, &["--delete", "--grace", "0s"]);
    assert_eq!(count(&report, "artifacts"), 1, "{report}");
    assert!(!holds(&work.registry(), &one));
}

#[test]
fn applies_beside_a_sweep_that_never_rests_all_keep_what_they_registered() {
    const MODEL: &str = "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n";
    let version = format!(
        "{MODEL}\nresource \"mlops_model_version\" \"a\" {{\n  model           = mlops_model.digits.name\n  \
         source          = \"one.onnx\"\n  deletion_policy = \"DELETE\"\n}}\n"
    );
    let mut work = workspace();
    work.config(MODEL);
    work.apply();
    let (sweeper, registry) = (work.outsider(), work.registry());
    let now = ["--delete", "--grace", "0s", "--registry"];
    let sweep = || {
        let now = now.into_iter().chain(registry.to_str());
        count(&gc(&sweeper, &now.collect::<Vec<_>>()), "artifacts")
    };
    let removed = std::thread::scope(|scope| {
        // They end also if one fails, and the sweeps with them.
        let applies = scope.spawn(|| {
            for round in 1..=5 {
                work.config(&version);
                work.apply();
                let (id, to) = (format!("digits/{round}"), format!("pulled-{round}"));
                let pulled = work.mlops(["artifact", "pull", &id, "--to", &to]);
                assert_eq!(pulled.status.code(), Some(0), "{}", pulled.story());
                work.config(MODEL);
                work.apply();
            }
        });
        let mut removed = 0;
        while !applies.is_finished() {
            removed += sweep();
        }
        applies.join().expect("the applies succeed");
        removed + sweep()
    });
    assert!(removed > 0, "it swept nothing");
}

#[test]
fn a_sweep_of_nothing_and_rules_that_say_nothing_are_told_so() {
    let mut work = workspace();
    for (arguments, code, parts) in [
        (vec!["--delete"], 3, ["there is no registry", "--registry"]),
        (vec!["--grace", "soon"], 2, ["--grace", "7d"]),
        (vec!["--grace=-1d"], 2, ["--grace", "7d"]),
    ] {
        let ended = work.mlops(["artifact", "gc"].iter().chain(&arguments));
        assert_eq!(ended.status.code(), Some(code), "{}", ended.story());
        for part in parts {
            assert!(ended.story().contains(part), "{part:?}: {}", ended.story());
        }
    }
    assert!(!work.registry().exists());
    let model = |rule: &str| {
        format!(
            "resource \"mlops_model\" \"m\" {{\n  name = \"m\"\n  retention {{\n{rule}  }}\n}}\n"
        )
    };
    for (rule, parts) in [
        ("", ["keep_last", "keep_days"]),
        ("    keep_last = 0\n", ["keep_last", "1"]),
        ("    keep_days = 1.5\n", ["keep_days", "whole"]),
    ] {
        work.config(&model(rule));
        work.plan_fails(&parts);
    }
}
