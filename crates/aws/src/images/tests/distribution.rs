//! Registries of others than AWS.

use std::sync::Arc;

use mlops_core::Class;
use mlops_core::images::{Images as _, Reference};

use super::server::{Made, Said, Server};
use crate::images::{Registries, digest_of};
use crate::support::table;

const CONFIG: &str = r#"{"os": "linux", "architecture": "arm64"}"#;

/// Registries that know what is in this `config.json`.
pub(super) fn registries(logged_in: &str) -> (Registries, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("config.json"), logged_in).expect("a file");
    let at = directory.path().to_string_lossy().into_owned();
    let mut made = Registries::new(table::settings("http://127.0.0.1:1"));
    made.environment = Arc::new(move |name| (name == "DOCKER_CONFIG").then(|| at.clone()));
    (made, directory)
}

fn image(server: &Server, rest: &str) -> Reference {
    format!("{}/{rest}", server.host).parse().expect("an image")
}

/// An image with a layer of 100 bytes.
fn manifest() -> String {
    let digest = digest_of(CONFIG.as_bytes());
    format!(
        r#"{{"config": {{"digest": "{digest}", "size": {}}}, "layers": [{{"digest": "sha256:l", "size": 100}}]}}"#,
        CONFIG.len()
    )
}

fn index(manifest: &str) -> String {
    let parts = ["amd64", "arm64"].map(|architecture| {
        let digest = digest_of(manifest.as_bytes());
        format!(r#"{{"digest": "{digest}", "size": 1, "platform": {{"os": "linux", "architecture": "{architecture}"}}}}"#)
    });
    format!(r#"{{"manifests": [{}]}}"#, parts.join(", "))
}

/// A registry that shows `document` to whoever has the token that it gives to ann.
fn behind_a_token(document: String) -> impl Fn(&Made, usize) -> Said {
    move |made: &Made, _| {
        let host = made.header("host");
        if made.path.starts_with("/token") {
            // ann:s3cret
            return match made.header("authorization") {
                "Basic YW5uOnMzY3JldA==" => Said::new(200, r#"{"token": "t0ken"}"#),
                _ => Said::error(401, "UNAUTHORIZED"),
            };
        }
        if made.header("authorization") != "Bearer t0ken" {
            let challenge = format!(
                r#"Bearer realm="http://{host}/token",service="it",scope="repository:a/own:pull""#
            );
            return Said::error(401, "UNAUTHORIZED").with("www-authenticate", challenge);
        }
        let digest = digest_of(document.as_bytes());
        Said::new(200, document.clone()).with("docker-content-digest", digest)
    }
}

#[tokio::test]
async fn a_tag_is_resolved_for_who_logged_in_and_asked_for_once() {
    let server = Server::start(behind_a_token(manifest())).await;
    let file = format!(
        r#"{{"auths": {{"{}": {{"auth": "YW5uOnMzY3JldA=="}}}}}}"#,
        server.host
    );
    let (registries, _directory) = registries(&file);
    let own = image(&server, "a/own:1");
    for _ in 0..2 {
        let digest = registries.digest(&own).await.expect("an answer");
        assert_eq!(digest, Some(digest_of(manifest().as_bytes())));
    }
    let all = server.lines();
    assert_eq!(
        all,
        [
            "HEAD /v2/a/own/manifests/1",
            "GET /token?service=it&scope=repository%3Aa%2Fown%3Apull",
            "HEAD /v2/a/own/manifests/1"
        ]
    );
    let accepted = server.made()[2].header("accept").to_owned();
    assert!(accepted.contains("image.index.v1+json"), "{accepted}");

    // By its digest it is known already.
    let pinned = own.with_digest(&digest_of(b"x"));
    let digest = registries.digest(&pinned).await.expect("no question");
    assert_eq!(digest.as_deref(), pinned.digest());
    assert_eq!(server.lines(), all);
}

#[tokio::test]
async fn who_may_not_read_is_told_how_to_log_in_and_no_secret() {
    let server = Server::start(behind_a_token(manifest())).await;
    // bob:hunter2
    let file = format!(
        r#"{{"auths": {{"{}": {{"auth": "Ym9iOmh1bnRlcjI="}}}}}}"#,
        server.host
    );
    for logged_in in [file.as_str(), "{}"] {
        let (registries, _directory) = registries(logged_in);
        let refused = registries.digest(&image(&server, "a/own:1")).await;
        let error = refused.expect_err("not allowed");
        assert_eq!(error.class(), Class::Denied);
        let told = error.chain().to_string();
        for part in [
            "/a/own:1 with status 401",
            "UNAUTHORIZED: so it says",
            "docker login",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
        assert!(
            !told.contains("hunter2") && !told.contains("Ym9i"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_from_a_repository_that_is_not() {
    let server = Server::start(|made, _| match made.path.contains("/own/") {
        true => Said::error(404, "MANIFEST_UNKNOWN"),
        false => Said::error(404, "NAME_UNKNOWN"),
    })
    .await;
    let (registries, _directory) = registries("{}");
    let pinned = image(&server, "own").with_digest(&digest_of(b"x"));
    assert_eq!(
        registries.digest(&image(&server, "own:1")).await.ok(),
        Some(None)
    );
    assert_eq!(registries.look(&pinned, true).await.ok(), Some(None));
    for answer in [
        registries
            .digest(&image(&server, "other:1"))
            .await
            .map(drop),
        registries
            .look(&image(&server, "other:1"), true)
            .await
            .map(drop),
    ] {
        let error = answer.expect_err("no repository");
        assert_eq!(error.class(), Class::NotFound);
        assert!(
            error.to_string().contains("there is no repository other"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_registry_that_asks_for_less_or_stumbles_is_asked_again() {
    let server = Server::start(|_, before| match before {
        0 => Said::error(429, "TOOMANYREQUESTS"),
        1 => Said::new(502, "Bad Gateway"),
        _ => Said::new(200, manifest())
            .with("docker-content-digest", digest_of(manifest().as_bytes())),
    })
    .await;
    let (registries, _directory) = registries("{}");
    let digest = registries.digest(&image(&server, "own:1")).await;
    assert_eq!(
        digest.expect("an answer"),
        Some(digest_of(manifest().as_bytes()))
    );
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn what_does_not_have_its_digest_is_not_believed() {
    // The header says another digest than the bytes have, and the bytes another than they are asked for.
    let server = Server::start(|made, _| {
        let said = Said::new(200, manifest());
        match made.path.contains("sha256") {
            true => said,
            false => said
                .with("docker-content-digest", "sha512:0")
                .with("x", "y"),
        }
    })
    .await;
    let (registries, _directory) = registries("{}");
    let pinned = image(&server, "own").with_digest(&digest_of(b"x"));
    for asked in [&pinned, &image(&server, "own:1")] {
        let error = registries
            .look(asked, false)
            .await
            .expect_err("another one");
        assert_eq!(error.class(), Class::Corrupt);
        assert!(error.to_string().contains(" gave sha256:"), "{error}");
    }
}

#[tokio::test]
async fn a_digest_that_no_header_tells_is_that_of_the_manifest() {
    let server = Server::start(|_, _| Said::new(200, manifest())).await;
    let (registries, _directory) = registries("{}");
    let digest = registries.digest(&image(&server, "own")).await;
    assert_eq!(
        digest.expect("an answer"),
        Some(digest_of(manifest().as_bytes()))
    );
    let lines = [
        "HEAD /v2/own/manifests/latest",
        "GET /v2/own/manifests/latest",
    ];
    assert_eq!(server.lines(), lines);
}

#[tokio::test]
async fn the_platform_of_one_image_is_read_where_its_configuration_lies() {
    let elsewhere = Server::start(|_, _| Said::new(200, CONFIG)).await;
    let at = format!("http://{}/blob?signed=yes", elsewhere.host);
    let server = Server::start(move |made, _| match made.path.contains("/blobs/") {
        true => Said::new(307, "").with("location", at.clone()),
        false => behind_basic(made),
    })
    .await;
    let file = format!(
        r#"{{"auths": {{"{}": {{"auth": "YW5uOnMzY3JldA=="}}}}}}"#,
        server.host
    );
    let (registries, _directory) = registries(&file);
    let found = registries.look(&image(&server, "own:1"), true).await;
    let found = found.expect("an answer").expect("an image");
    assert_eq!(found.digest, digest_of(manifest().as_bytes()));
    assert_eq!(found.platforms[0].to_string(), "linux/arm64");
    assert_eq!(found.size, Some(100 + CONFIG.len() as u64));
    // What is for the registry is not told to whom it sends us.
    let asked = elsewhere.made();
    assert_eq!(asked[0].path, "/blob?signed=yes");
    assert_eq!(asked[0].header("authorization"), "");
}

fn behind_basic(made: &Made) -> Said {
    match made.header("authorization") {
        "Basic YW5uOnMzY3JldA==" => Said::new(200, manifest()),
        _ => Said::error(401, "UNAUTHORIZED").with("www-authenticate", "Basic realm=\"it\""),
    }
}

#[tokio::test]
async fn an_index_tells_all_platforms_and_its_largest_part() {
    let document = index(&manifest());
    let of_index = digest_of(document.as_bytes());
    let server = Server::start(move |made, _| match made.path.ends_with("/1") {
        true => Said::new(200, document.clone()),
        false => Said::new(200, manifest()),
    })
    .await;
    let (registries, _directory) = registries("{}");
    let own = image(&server, "own:1");
    let found = registries
        .look(&own, false)
        .await
        .expect("an answer")
        .expect("an image");
    let told: Vec<String> = found.platforms.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["linux/amd64", "linux/arm64"]);
    assert_eq!((found.digest, found.size), (of_index, None));
    assert_eq!(server.lines().len(), 1);
    let found = registries
        .look(&own, true)
        .await
        .expect("an answer")
        .expect("an image");
    assert_eq!(found.size, Some(100 + CONFIG.len() as u64));
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_told_by_the_image() {
    let (registries, _directory) = registries("{}");
    let nobody: Reference = "127.0.0.1:1/own:1".parse().expect("an image");
    let error = registries.digest(&nobody).await.expect_err("nobody");
    assert_eq!(error.class(), Class::Unavailable);
    assert!(error.to_string().contains("127.0.0.1:1/own:1"), "{error}");
}
