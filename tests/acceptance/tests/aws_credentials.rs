//! Where the provider finds credentials for AWS: each place in turn, played by a server of this test or by files. The
//! emulator takes an access key of twelve digits for the account, so the account tells whose credentials were used.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use mlops_acceptance::{Part, Workspace, skip};
use serde_json::{Value, json};

const INSTANCE: &str = "111111111111";
const CONTAINER: &str = "222222222222";
const SSO: &str = "333333333333";
const PROCESS: &str = "444444444444";

/// Plays the metadata service of an instance, the credentials endpoint of a container, and the portal of IAM Identity Center.
fn issuer() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Who went away was not interested.
            let _ = answer(stream.expect("a connection"));
        }
    });
    url
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut headers = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        headers.push_str(&line.to_lowercase());
        headers.push('\n');
    }
    let target = first.rsplit_once(' ').map_or("", |(target, _)| target);
    let body = body(target, &headers);
    let (status, body) = body.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nconnection: close\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What is told to whom shows what it was given to show.
fn body(target: &str, headers: &str) -> Option<String> {
    let (path, _) = target.split_once('?').unwrap_or((target, ""));
    let told = |header: &str| headers.contains(header);
    let body = match path {
        "PUT /latest/api/token" => "metadata-token".to_owned(),
        _ if path.starts_with("GET /latest/")
            && !told("x-aws-ec2-metadata-token: metadata-token") =>
        {
            return None;
        }
        "GET /latest/meta-data/iam/security-credentials/" => "trainer".to_owned(),
        "GET /latest/meta-data/iam/security-credentials/trainer" => keys(INSTANCE).to_string(),
        "GET /latest/meta-data/placement/region" => "eu-central-1".to_owned(),
        "GET /container" if told("authorization: container-token") => keys(CONTAINER).to_string(),
        "GET /federation/credentials" if told("x-amz-sso_bearer_token: sso-token") => {
            let role = json!({
                "accessKeyId": SSO, "secretAccessKey": "hush-hush-hush", "sessionToken": "session", "expiration": 4_102_444_800_000_u64,
            });
            json!({ "roleCredentials": role }).to_string()
        }
        _ => return None,
    };
    Some(body)
}

fn keys(account: &str) -> Value {
    json!({
        "Version": 1, "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z", "AccessKeyId": account,
        "SecretAccessKey": "hush-hush-hush", "Token": "session", "SessionToken": "session", "Expiration": "2100-01-01T00:00:00Z",
    })
}

/// A workspace whose provider has no credentials in its block, and says whose the found ones are when it refuses them.
fn world(test: &str) -> Option<(Part, Workspace, String)> {
    let part = match Part::start("ministack") {
        Ok(part) => part,
        Err(reason) => {
            skip(test, &reason);
            return None;
        }
    };
    let mut work = Workspace::new();
    provider(&mut work, &part, "");
    work.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    let config = work.write("config", "").display().to_string();
    let credentials = work.write("credentials", "").display().to_string();
    work.env("AWS_CONFIG_FILE", &config)
        .env("AWS_SHARED_CREDENTIALS_FILE", &credentials);
    Some((part, work, issuer()))
}

fn provider(work: &mut Workspace, part: &Part, more: &str) {
    let url = &part.url;
    work.provider(&format!(
        "allowed_account_ids = [\"999999999999\"]\n  {more}\n  endpoints {{\n    dynamodb = {url:?}\n    s3 = {url:?}\n    sts = {url:?}\n  }}\n  \
         registry {{\n    table = \"acme-mlops\"\n    bucket = \"acme-models\"\n  }}"
    ));
}

fn belongs_to(work: &mut Workspace, account: &str) {
    let whose = format!("the credentials belong to account {account}");
    work.plan_fails(&[&whose, "allowed_account_ids excludes"]);
}

#[test]
fn an_instance_gives_its_role_and_its_region() {
    let Some((_part, mut work, issuer)) = world("an_instance_gives_its_role_and_its_region") else {
        return;
    };
    work.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &issuer);
    belongs_to(&mut work, INSTANCE);
    work.env("AWS_EC2_METADATA_DISABLED", "true");
    work.plan_fails(&["no region is set"]);
}

#[test]
fn a_container_gives_its_role_before_its_instance_does() {
    let Some((_part, mut work, issuer)) =
        world("a_container_gives_its_role_before_its_instance_does")
    else {
        return;
    };
    let token = work.write("token", "container-token").display().to_string();
    work.env("AWS_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &issuer)
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{issuer}/container"),
        )
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token);
    belongs_to(&mut work, CONTAINER);
}

#[test]
fn a_profile_signs_in_through_identity_center_with_the_token_that_the_command_line_left() {
    let name =
        "a_profile_signs_in_through_identity_center_with_the_token_that_the_command_line_left";
    let Some((part, mut work, issuer)) = world(name) else {
        return;
    };
    let profile = "[profile risk]\nsso_session = acme\nsso_account_id = 333333333333\nsso_role_name = Trainer\nregion = eu-west-1\n\
                   [sso-session acme]\nsso_region = eu-west-1\nsso_start_url = https://acme.example/start\n";
    work.write("config", profile);
    work.env("AWS_ENDPOINT_URL_SSO", &issuer);
    let home = work.path("home");
    work.env("HOME", &home.display().to_string());
    provider(&mut work, &part, "profile = \"risk\"");
    work.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    work.plan_fails(&["SSO", "credentials"]);

    let cached = json!({
        "accessToken": "sso-token", "expiresAt": "2100-01-01T00:00:00Z", "region": "eu-west-1", "startUrl": "https://acme.example/start",
    });
    // Named for the SHA-1 of "acme", as `aws sso login` does.
    let cache = "home/.aws/sso/cache/293abb6b76d7791c0732cc517d38c4b5c734b87f.json";
    work.write(cache, cached.to_string());
    belongs_to(&mut work, SSO);
}

#[test]
fn a_profile_asks_a_process() {
    let Some((part, mut work, _)) = world("a_profile_asks_a_process") else {
        return;
    };
    let keys = work.write("keys.json", keys(PROCESS).to_string());
    let profile = format!(
        "[profile risk]\nregion = eu-west-1\ncredential_process = cat {}\n",
        keys.display()
    );
    work.write("config", profile);
    provider(&mut work, &part, "profile = \"risk\"");
    work.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    belongs_to(&mut work, PROCESS);
    work.env("AWS_PROFILE", "risk");
    provider(&mut work, &part, "");
    work.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    belongs_to(&mut work, PROCESS);
}
