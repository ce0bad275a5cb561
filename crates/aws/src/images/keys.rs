//! Names and secrets of registries, where `docker login` keeps them: the file `config.json`, and the programs that it names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlops_core::{Error, Result};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::settings::Secret;

/// How long a program may take to tell a secret.
const LIMIT: Duration = Duration::from_secs(20);
/// What Docker Hub is called in the file.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// The name of one who has a token in place of a secret; it takes another exchange, and is left out.
const TOKEN: &str = "<token>";

/// Tells an environment variable.
pub(super) type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A name and a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) secret: Secret,
}

impl Key {
    /// As it stands in a header.
    pub(super) fn header(&self) -> String {
        let pair = format!("{}:{}", self.name, self.secret.expose());
        format!("Basic {}", STANDARD.encode(pair))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    username: String,
    secret: String,
}

/// What is known of `registry`; `None` if nobody logged in.
///
/// # Errors
/// `Invalid` for a file that cannot be read as what it is.
pub(super) async fn find(registry: &str, environment: &Environment) -> Result<Option<Key>> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let Some(directory) = set("DOCKER_CONFIG").map(PathBuf::from).or_else(home) else {
        return Ok(None);
    };
    let path = directory.join("config.json");
    let wrong = |why: &str| {
        Error::invalid(format!(
            "{}, where credentials of registries are kept, {why}; `docker login` writes it",
            path.display()
        ))
    };
    let text = match tokio::fs::read(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong("cannot be read").because(error)),
    };
    let file: File = serde_json::from_slice(&text).map_err(|_| wrong("is no such file"))?;
    let names = names(registry);
    let helper = names.iter().find_map(|name| file.cred_helpers.get(name));
    if let Some(program) = helper.or(file.creds_store.as_ref())
        && let Some(key) = ask(program, &names[0]).await?
    {
        return Ok(Some(key));
    }
    let kept = names
        .iter()
        .find_map(|name| file.auths.get(name)?.auth.as_ref());
    let Some(kept) = kept.filter(|kept| !kept.is_empty()) else {
        return Ok(None);
    };
    let pair = STANDARD.decode(kept).ok();
    let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
    let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
    let (name, secret) =
        pair.ok_or_else(|| wrong(&format!("holds credentials of {registry} that are none")))?;
    Ok(Some(Key {
        name: name.to_owned(),
        secret: Secret::new(secret.trim_end_matches('\0')),
    }))
}

/// What a registry is called in the file, most likely first.
fn names(registry: &str) -> Vec<String> {
    if registry == "docker.io" {
        return vec![DOCKER_HUB.to_owned(), registry.to_owned()];
    }
    let mut names = vec![registry.to_owned()];
    names.extend(["", "/", "/v1/", "/v2/"].map(|rest| format!("https://{registry}{rest}")));
    names
}

/// Asks the program that keeps secrets, as `docker` does; `None` if it knows none of this registry, or is not there.
async fn ask(program: &str, registry: &str) -> Result<Option<Key>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if program.is_empty() || !program.chars().all(is_name) {
        return Ok(None);
    }
    run(&format!("docker-credential-{program}"), registry).await
}

async fn run(program: &str, registry: &str) -> Result<Option<Key>> {
    let started = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What it says may be a secret.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = started else {
        return Ok(None);
    };
    if let Some(mut input) = child.stdin.take() {
        // One that does not listen answers with its status.
        drop(input.write_all(registry.as_bytes()).await);
    }
    let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let ended = ended.map_err(|_| {
        Error::unavailable(format!(
            "{program}, which keeps the credentials of {registry}, did not answer within {LIMIT:?}"
        ))
    })?;
    let said = ended.ok().filter(|ended| ended.status.success());
    let told = said.and_then(|said| serde_json::from_slice::<Told>(&said.stdout).ok());
    Ok(told.filter(|told| told.username != TOKEN).map(|told| Key {
        name: told.username,
        secret: Secret::new(told.secret),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found for `registry` in a file of this content.
    async fn found(content: &str, registry: &str) -> Result<Option<Key>> {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("config.json"), content).expect("a file");
        let at = directory.path().to_string_lossy().into_owned();
        let environment: Environment =
            Arc::new(move |name| (name == "DOCKER_CONFIG").then(|| at.clone()));
        find(registry, &environment).await
    }

    fn key(name: &str, secret: &str) -> Key {
        Key {
            name: name.to_owned(),
            secret: Secret::new(secret),
        }
    }

    #[tokio::test]
    async fn who_logged_in_is_found_by_each_name_of_a_registry() {
        // ann:s3cret
        let file = r#"{"auths": {
            "ghcr.io": {"auth": "YW5uOnMzY3JldA=="},
            "https://index.docker.io/v1/": {"auth": "YW5uOnMzY3JldA=="},
            "https://example.com:5000/v2/": {"auth": "YW5uOnMzY3JldA=="},
            "kept.example.com": {}
        }, "HttpHeaders": {}}"#;
        let ann = Some(key("ann", "s3cret"));
        for registry in ["ghcr.io", "docker.io", "example.com:5000"] {
            assert_eq!(
                found(file, registry).await.expect("a file"),
                ann,
                "{registry}"
            );
        }
        for registry in ["kept.example.com", "example.com"] {
            assert_eq!(
                found(file, registry).await.expect("a file"),
                None,
                "{registry}"
            );
        }
        // A program that is not there knows nothing, and the file is looked into after it.
        let file = r#"{"credsStore": "there-is-no-such", "auths": {"ghcr.io": {"auth": "YW5uOnMzY3JldA=="}}}"#;
        assert_eq!(found(file, "ghcr.io").await.expect("a file"), ann);
        let nowhere: Environment = Arc::new(|_| None);
        assert_eq!(find("ghcr.io", &nowhere).await.expect("no file"), None);
    }

    #[tokio::test]
    async fn a_file_that_is_none_is_an_error_that_repeats_nothing_of_it() {
        for content in ["s3cret", r#"{"auths": {"ghcr.io": {"auth": "s3cret"}}}"#] {
            let error = found(content, "ghcr.io").await.expect_err("no credentials");
            let told = error.chain().to_string();
            assert!(
                told.contains("config.json") && !told.contains("s3cret"),
                "{told}"
            );
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_is_asked_for_a_registry_and_may_not_know_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        for (name, says, expected) in [
            (
                "knows",
                r#"read -r registry; printf '{"ServerURL": "x", "Username": "ann", "Secret": "%s"}' "$registry""#,
                Some(key("ann", "ghcr.io")),
            ),
            (
                "token",
                r#"printf '{"Username": "<token>", "Secret": "x"}'"#,
                None,
            ),
            ("none", "echo credentials not found; exit 1", None),
        ] {
            let program = directory.path().join(name);
            std::fs::write(&program, format!("#!/bin/sh\n{says}\n")).expect("a program");
            let may_run = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&program, may_run).expect("its permissions");
            let told = run(&program.to_string_lossy(), "ghcr.io").await;
            assert_eq!(told.expect("an answer"), expected, "{name}");
        }
    }
}
