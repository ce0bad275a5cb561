//! The built binary from outside: what it prints, how it ends.

mod support;

use std::process::Command;

use serde_json::json;
use support::{digits, ended, mlops, post, serve};

#[test]
fn a_model_file_is_served_until_the_terminal_says_stop() {
    let model = digits();
    let (mut served, address) = serve(&["--model", model.to_str().unwrap(), "--port", "0"]);
    let answer = post(
        &address,
        "/invocations",
        &json!({"inputs": [vec![0.0; 64]]}),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("predictions"), "{answer}");
    let pid = served.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(served.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_name_of_a_served_model_is_its_files_or_the_given_one() {
    let model = digits();
    let (_served, address) = serve(&[
        "--model",
        model.to_str().unwrap(),
        "--port",
        "0",
        "--name",
        "fraud",
    ]);
    let body = json!({"inputs": [{"name": "x", "shape": [1, 64], "datatype": "FP32", "data": vec![0; 64]}]});
    let given = post(&address, "/v2/models/fraud/infer", &body);
    let other = post(&address, "/v2/models/digits-v1/infer", &body);
    assert!(!given.starts_with("HTTP/1.1 404"), "{given}");
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
}

#[test]
fn a_port_in_use_ends_with_98() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let model = digits();
    let output = mlops(&[
        "serve",
        "--foreground",
        "--model",
        model.to_str().unwrap(),
        "--port",
        &port,
    ]);
    let (code, text) = ended(&{ output }.output().unwrap());
    assert_eq!(code, 98, "{text}");
    assert!(text.contains(&port), "{text}");
}

#[test]
fn a_file_that_is_missing_or_no_configuration_is_an_error_of_the_caller() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.json");
    std::fs::write(&config, "{}").unwrap();
    let config = config.to_str().unwrap();
    for (arguments, message) in [
        (
            ["--model", "/nowhere/m.onnx"],
            "/nowhere/m.onnx could not be read",
        ),
        (["--config", config], "is not a server's configuration"),
    ] {
        let output = mlops(&["serve", "--foreground"])
            .args(arguments)
            .output()
            .unwrap();
        let (code, text) = ended(&output);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn a_task_that_is_not_described_ends_with_2_and_names_the_variable() {
    for (task, said) in [
        (None, "MLOPS_TASK is not set"),
        (Some("{}"), "MLOPS_TASK cannot be used"),
        (Some("{}"), "missing field `endpoint`"),
    ] {
        let mut command = mlops(&["serve", "--task"]);
        command.env_remove("MLOPS_TASK");
        command.envs(task.map(|task| ("MLOPS_TASK", task)));
        let (code, text) = ended(&command.output().unwrap());
        assert_eq!(code, 2, "{text}");
        assert!(text.starts_with("mlops: "), "{text}");
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [
        &["serve", "--model", "x.onnx"][..],
        &["serve", "--foreground"],
        &["serve", "--foreground", "--task"],
        &["serve", "--task", "--model", "x.onnx"],
        &["serve", "--task", "--port", "1"],
        &["endpoint", "status"],
        &["endpoint", "explode", "digits"],
        &["endpoint", "status", "ecs/digits"],
        &["endpoint", "status", "a name with spaces"],
    ] {
        let (code, text) = ended(&mlops(arguments).output().unwrap());
        assert_eq!(code, 2, "{arguments:?}: {text}");
    }
}

#[test]
fn the_exit_codes_are_documented() {
    let output = mlops(&["--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "3  no such endpoint",
        "4  paused, or locked",
        "5  somebody else is deploying",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let output = mlops(&["serve", "--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in ["65  the artifact is damaged", "98  the port is in use"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn every_verb_on_a_registry_that_is_not_there_ends_with_3_and_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let registry = dir.path().join(".mlops");
    for verb in ["status", "watch", "pause", "resume", "repair"] {
        let place = registry.to_str().unwrap();
        let output = mlops(&["endpoint", verb, "digits", "--registry", place])
            .output()
            .unwrap();
        let (code, text) = ended(&output);
        assert_eq!(code, 3, "{verb}: {text}");
        assert!(text.contains("there is no registry at"), "{verb}: {text}");
        assert!(!registry.exists(), "{verb} made a registry");
    }
}

#[test]
fn the_registry_of_the_working_directory_is_refused_where_it_would_not_last() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join(".terragrunt-cache/a/b");
    std::fs::create_dir_all(&cache).unwrap();
    let status = |registry: &[&str]| {
        let mut command = mlops(&["endpoint", "status", "digits"]);
        ended(&command.args(registry).current_dir(&cache).output().unwrap())
    };
    let (code, text) = status(&[]);
    assert_eq!(code, 2, "{text}");
    for part in ["--registry", "Terragrunt's cache"] {
        assert!(text.contains(part), "{text}");
    }
    let (code, text) = status(&["--registry", "../lasting"]);
    assert_eq!(code, 3, "{text}");
    let mut command = mlops(&["endpoint", "status", "digits"]);
    command.env("ATLANTIS_TERRAFORM_VERSION", "1.11.4");
    let (code, text) = ended(&command.current_dir(dir.path()).output().unwrap());
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("Atlantis"), "{text}");
}
