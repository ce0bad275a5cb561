//! ECR, by its own API.

use std::sync::Arc;

use mlops_core::Class;
use mlops_core::clock::SystemClock;
use mlops_core::images::{Images as _, Reference};
use serde_json::{Value, json};

use super::server::{Said, Server};
use crate::images::{Registries, digest_of};
use crate::support::table;
use crate::{AwsClients, AwsSettings, Endpoints, transport};

const HOST: &str = "111122223333.dkr.ecr.us-east-2.amazonaws.com";
const CONFIG: &str = r#"{"os": "linux", "architecture": "amd64"}"#;

fn registries(server: &Server) -> Registries {
    Registries::new(AwsSettings {
        endpoints: Endpoints {
            ecr: Some(format!("http://{}", server.host)),
            ..Endpoints::default()
        },
        ..table::settings("http://127.0.0.1:1")
    })
}

fn image(rest: &str) -> Reference {
    format!("{HOST}/{rest}").parse().expect("an image")
}

fn manifest() -> String {
    let config = digest_of(CONFIG.as_bytes());
    json!({"config": {"digest": config, "size": 40}, "layers": [{"digest": "sha256:l", "size": 60}]})
        .to_string()
}

fn has(manifest: &str, digest: &str) -> Said {
    let found =
        json!({"imageId": {"imageDigest": digest, "imageTag": "1"}, "imageManifest": manifest});
    Said::new(200, json!({"images": [found], "failures": []}).to_string())
}

#[tokio::test]
async fn an_image_is_asked_for_in_the_region_and_the_account_of_its_registry() {
    let server = Server::start(|made, _| match made.path.as_str() {
        "/layer?X-Amz-Signature=a%2Fb" => Said::new(200, CONFIG),
        _ if made
            .header("x-amz-target")
            .ends_with(".GetDownloadUrlForLayer") =>
        {
            let at = format!("http://{}/layer?X-Amz-Signature=a%2Fb", made.header("host"));
            Said::new(200, json!({ "downloadUrl": at }).to_string())
        }
        _ => has(&manifest(), &digest_of(manifest().as_bytes())),
    })
    .await;
    let registries = registries(&server);
    let digest = registries
        .digest(&image("a/own:1"))
        .await
        .expect("an answer");
    assert_eq!(digest, Some(digest_of(manifest().as_bytes())));
    let found = registries.look(&image("a/own:1"), true).await;
    let found = found.expect("an answer").expect("an image");
    assert_eq!(found.platforms[0].to_string(), "linux/amd64");
    assert_eq!(found.size, Some(100));

    let made = server.made();
    let asked = &made[0];
    assert_eq!(
        asked.header("x-amz-target"),
        "AmazonEC2ContainerRegistry_V20150921.BatchGetImage"
    );
    assert_eq!(asked.header("content-type"), "application/x-amz-json-1.1");
    let signed = asked.header("authorization");
    assert!(signed.contains("/us-east-2/ecr/aws4_request"), "{signed}");
    let body: Value = serde_json::from_str(&asked.body).expect("JSON");
    assert_eq!(body["registryId"], "111122223333");
    assert_eq!(body["repositoryName"], "a/own");
    assert_eq!(body["imageIds"], json!([{"imageTag": "1"}]));
    // The manifest is asked for once.
    let layer: Value = serde_json::from_str(&made[1].body).expect("JSON");
    assert_eq!(layer["layerDigest"], digest_of(CONFIG.as_bytes()));
    // The address is a secret of its own.
    assert_eq!(made[2].header("authorization"), "");
    assert_eq!(made.len(), 3);
    let pinned = format!("a/own@{}", digest_of(manifest().as_bytes()));
    let by_digest = registries.look(&image(&pinned), true).await;
    assert_eq!(by_digest.expect("an answer"), Some(found));
    let again = server.made().into_iter().skip(3);
    let again: Vec<String> = again
        .map(|made| made.header("x-amz-target").to_owned())
        .collect();
    assert!(
        !again.iter().any(|target| target.ends_with("BatchGetImage")),
        "{again:?}"
    );
}

#[tokio::test]
async fn an_image_is_found_where_no_region_is_set() {
    let server = Server::start(|_, _| has(&manifest(), &digest_of(manifest().as_bytes()))).await;
    let settings = AwsSettings {
        region: None,
        // No file of the machine names one.
        shared_config_files: vec!["/dev/null".into()],
        shared_credentials_files: vec!["/dev/null".into()],
        endpoints: Endpoints {
            ecr: Some(format!("http://{}", server.host)),
            ..Endpoints::default()
        },
        ..table::settings("http://127.0.0.1:1")
    };
    let http = transport::http_client(&settings).expect("a client");
    // Not completed from the environment.
    let clients = AwsClients::over(http, Arc::new(SystemClock::default()), settings);
    let none = clients.region().await.expect_err("none is set");
    assert!(none.to_string().contains("no region is set"), "{none}");
    let registries = Registries::with_clients(clients);
    for tag in ["1", "2"] {
        let digest = registries.digest(&image(&format!("a/own:{tag}"))).await;
        assert!(digest.expect("an answer").is_some());
    }
    for made in server.made() {
        let signed = made.header("authorization");
        assert!(signed.contains("/us-east-2/ecr/aws4_request"), "{signed}");
    }
}

#[tokio::test]
async fn what_ecr_does_not_have_or_does_not_tell_is_told_by_its_kind() {
    let failure = |code: &str| {
        let failure = json!({"failureCode": code, "failureReason": "so it is"});
        Said::new(
            200,
            json!({"images": [], "failures": [failure]}).to_string(),
        )
    };
    let refused = |status: u16, code: &str| {
        let body = json!({"__type": format!("com.amazonaws.ecr#{code}"), "message": "so it is"});
        Said::new(status, body.to_string())
    };
    for (said, class, told) in [
        (
            failure("KmsError"),
            Some(Class::Unavailable),
            "failed with KmsError: so it is",
        ),
        (
            refused(400, "RepositoryNotFoundException"),
            Some(Class::NotFound),
            "there is no repository own in registry 111122223333.dkr.ecr",
        ),
        (
            refused(400, "AccessDeniedException"),
            Some(Class::Denied),
            "let the identity that runs this do ecr:BatchGetImage",
        ),
        (
            has(&manifest(), &digest_of(b"another")),
            Some(Class::Corrupt),
            "gave sha256:",
        ),
        (failure("ImageNotFound"), None, ""),
    ] {
        let server = Server::start(move |_, _| said.clone()).await;
        let answer = registries(&server).digest(&image("own:1")).await;
        match class {
            Some(class) => {
                let error = answer.expect_err(told);
                assert_eq!(error.class(), class, "{error}");
                assert!(error.to_string().contains(told), "{error}");
            }
            None => assert_eq!(answer.expect("an answer"), None),
        }
    }
}

#[tokio::test]
async fn a_throttled_call_is_made_again() {
    let server = Server::start(|_, before| match before {
        0 => Said::new(
            400,
            r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#,
        ),
        _ => has(&manifest(), &digest_of(manifest().as_bytes())),
    })
    .await;
    let digest = registries(&server).digest(&image("own:1")).await;
    assert!(digest.expect("an answer").is_some());
}
