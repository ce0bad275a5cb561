//! Whose credentials are used, and what is said about those that cannot be.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mlops_aws::dynamodb::DynamoRecords;
use mlops_aws::{
    AssumeRole, AssumeRoleWithWebIdentity, AwsClients, AwsSettings, Endpoints, Secret,
};
use mlops_core::records::Records as _;
use mlops_core::{Class, Error};

use crate::support::proxy::Proxy;
use crate::support::{part, table};

macro_rules! ministack {
    () => {
        match part::ministack() {
            Some(part) => part.url.as_str(),
            None => return,
        }
    };
}

/// Settings whose services are the part at `url`, and whose account is asked for.
fn settings(url: &str) -> AwsSettings {
    AwsSettings {
        endpoints: Endpoints {
            dynamodb: Some(url.to_owned()),
            s3: Some(url.to_owned()),
            sts: Some(url.to_owned()),
            ..Endpoints::default()
        },
        skip_credentials_validation: false,
        ..table::settings(url)
    }
}

fn clients(settings: AwsSettings) -> AwsClients {
    AwsClients::with_patience(settings, table::patience()).expect("settings")
}

/// Settings that find nothing but what lies in `directory`.
fn alone_with(directory: &Path) -> AwsSettings {
    let file = |name: &str| directory.join(name);
    AwsSettings {
        region: Some(table::REGION.to_owned()),
        shared_config_files: vec![file("config")],
        shared_credentials_files: vec![file("credentials")],
        skip_metadata_api_check: true,
        ..AwsSettings::default()
    }
}

fn says(error: &Error, class: Class, attribute: Option<&str>, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.class(), class, "{text}");
    assert_eq!(error.attribute(), attribute, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

const ACCOUNT: &str = "000000000000";

#[tokio::test]
async fn the_account_is_asked_for_once_and_compared() {
    let url = ministack!();
    let proxy = Proxy::before(url).await;
    let name = table::create(url).await;
    let allowed = clients(AwsSettings {
        allowed_account_ids: vec![ACCOUNT.to_owned()],
        ..settings(&proxy.url)
    });
    let store = DynamoRecords::new(allowed.clone(), &name).expect("a name");
    for _ in 0..2 {
        store.identity().await.expect("allowed");
    }
    let account = allowed.account_id().await.expect("allowed");
    assert_eq!(account.as_deref(), Some(ACCOUNT));
    assert_eq!(proxy.calls(), ["GetCallerIdentity", "GetItem", "GetItem"]);

    let other = "111122223333".to_owned();
    for (settings, attribute) in [
        (
            AwsSettings {
                allowed_account_ids: vec![other.clone()],
                ..settings(url)
            },
            "allowed_account_ids",
        ),
        (
            // Compared even where validation is skipped.
            AwsSettings {
                forbidden_account_ids: vec![other, ACCOUNT.to_owned()],
                skip_credentials_validation: true,
                ..settings(url)
            },
            "forbidden_account_ids",
        ),
    ] {
        let store = DynamoRecords::new(clients(settings), &name).expect("a name");
        let error = store.identity().await.expect_err("another account");
        says(
            &error,
            Class::Denied,
            Some(attribute),
            &[ACCOUNT, attribute],
        );
    }
}

#[tokio::test]
async fn a_role_is_taken_on_with_what_the_settings_say() {
    let url = ministack!();
    let role = AssumeRole {
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/mlops"),
        duration: Some(Duration::from_secs(1800)),
        external_id: Some("ours".to_owned()),
        session_name: Some("nightly".to_owned()),
        tags: BTreeMap::from([("team".to_owned(), "risk".to_owned())]),
        ..AssumeRole::default()
    };
    let proxy = Proxy::before(url).await;
    let assumed = clients(AwsSettings {
        assume_role: Some(role),
        ..settings(&proxy.url)
    });
    assert!(assumed.account_id().await.expect("assumed").is_some());
    let asked = &proxy.bodies()[0];
    for word in [
        "Action=AssumeRole",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fmlops",
        "DurationSeconds=1800",
        "ExternalId=ours",
        "RoleSessionName=nightly",
        "Tags.member.1.Key=team",
    ] {
        assert!(asked.contains(word), "{word} is not in {asked}");
    }
    assert!(proxy.bodies()[1].contains("Action=GetCallerIdentity"));
}

#[tokio::test]
async fn a_token_is_read_from_its_file_when_credentials_are_asked_for() {
    let url = ministack!();
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("token");
    let with = |url: &str| {
        clients(AwsSettings {
            access_key: None,
            secret_key: None,
            assume_role_with_web_identity: Some(AssumeRoleWithWebIdentity {
                role_arn: Some(format!("arn:aws:iam::{ACCOUNT}:role/ci")),
                web_identity_token_file: Some(path.clone()),
                ..AssumeRoleWithWebIdentity::default()
            }),
            ..settings(url)
        })
    };
    let error = with(url).account_id().await.expect_err("no file yet");
    let words = [&*path.to_string_lossy(), "cannot be read"];
    let attribute = "assume_role_with_web_identity.web_identity_token_file";
    says(&error, Class::Denied, Some(attribute), &words);

    std::fs::write(&path, "header.claims.signature\n").expect("file");
    let proxy = Proxy::before(url).await;
    assert!(
        with(&proxy.url)
            .account_id()
            .await
            .expect("taken")
            .is_some()
    );
    let asked = &proxy.bodies()[0];
    assert!(
        asked.contains("Action=AssumeRoleWithWebIdentity"),
        "{asked}"
    );
    assert!(
        asked.ends_with("WebIdentityToken=header.claims.signature"),
        "{asked}"
    );
}

#[tokio::test]
async fn no_credentials_is_one_message_that_says_where_was_looked() {
    let kept = [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_PROFILE",
    ];
    if kept.iter().any(|name| std::env::var_os(name).is_some()) {
        crate::support::skip("this machine's environment has AWS credentials");
        return;
    }
    let directory = tempfile::tempdir().expect("directory");
    for name in ["config", "credentials"] {
        std::fs::write(directory.path().join(name), "").expect("file");
    }
    let error = clients(alone_with(directory.path()))
        .account_id()
        .await
        .expect_err("none");
    let words = [
        "STS GetCallerIdentity",
        "no credentials were found in settings, environment",
    ];
    says(&error, Class::Denied, None, &words);
}

#[tokio::test]
async fn a_profile_gives_region_and_credentials_and_a_missing_one_is_named() {
    let url = ministack!();
    let directory = tempfile::tempdir().expect("directory");
    std::fs::write(
        directory.path().join("config"),
        "[profile risk]\nregion = eu-north-1\n",
    )
    .expect("file");
    let keys = "[risk]\naws_access_key_id = 222233334444\naws_secret_access_key = x\n";
    std::fs::write(directory.path().join("credentials"), keys).expect("file");
    let of = |name: &str| AwsSettings {
        region: None,
        profile: Some(name.to_owned()),
        endpoints: settings(url).endpoints,
        ..alone_with(directory.path())
    };
    let risk = clients(of("risk"));
    if std::env::var_os("AWS_REGION").is_none() {
        assert_eq!(risk.region().await.expect("of the profile"), "eu-north-1");
    }
    // The part takes a key of twelve digits for the account.
    let account = risk.account_id().await.expect("credentials");
    assert_eq!(account.as_deref(), Some("222233334444"));

    let missing = clients(AwsSettings {
        region: Some(table::REGION.to_owned()),
        ..of("nobody")
    });
    let error = missing.account_id().await.expect_err("no such profile");
    says(&error, Class::Denied, None, &["nobody"]);
}

#[tokio::test]
async fn without_a_region_the_message_says_how_to_set_one() {
    if ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
    {
        crate::support::skip("this machine's environment has a region");
        return;
    }
    let directory = tempfile::tempdir().expect("directory");
    let nowhere = clients(AwsSettings {
        region: None,
        ..alone_with(directory.path())
    });
    let error = nowhere.region().await.expect_err("none");
    says(&error, Class::Invalid, Some("region"), &["AWS_REGION"]);
}

#[tokio::test]
async fn a_host_that_is_not_there_ends_soon_and_says_what_to_check() {
    // Nothing listens on a port that was just given back.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    let started = std::time::Instant::now();
    let error = table::records(&url, "registry")
        .identity()
        .await
        .expect_err("nobody answers");
    says(
        &error,
        Class::Unavailable,
        None,
        &["no connection could be made", "endpoints"],
    );
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn no_secret_is_in_errors() {
    let url = ministack!();
    let settings = AwsSettings {
        secret_key: Some(Secret::new("hunter2")),
        token: Some(Secret::new("hunter2")),
        ..settings(url)
    };
    let proxy = Proxy::before(url).await;
    proxy.fail_always(crate::support::proxy::Fault::Refused(
        "InvalidSignatureException",
    ));
    let refused = clients(AwsSettings {
        endpoints: Endpoints {
            sts: Some(proxy.url.clone()),
            ..Endpoints::default()
        },
        ..settings
    });
    let error = refused.account_id().await.expect_err("refused");
    let told = error.chain().to_string();
    assert!(!told.contains("hunter2"), "{told}");
    let printed = format!("{refused:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
}
