//! The AWS command line: it makes the table and the bucket, and it is the peer of an upload.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{BUCKET, TABLE};
use crate::accounting;
use crate::builds::Builds;
use crate::part::{ACCESS_KEY, SECRET_KEY};

/// What a command took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) wall: Duration,
    pub(super) cpu: f64,
}

/// Runs a command to its end, and says what it took.
pub(super) fn timed(command: &mut Command) -> Result<Took> {
    let before = accounting::children()?;
    let start = Instant::now();
    let output = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let wall = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {said}");
    Ok(Took {
        wall,
        cpu: accounting::children()?.cpu - before.cpu,
    })
}

/// `aws ARGUMENT...` at this URL.
pub(super) fn aws(builds: &Builds, url: &str, arguments: &[&str]) -> Result<Command> {
    let program = venv(builds)?.join("bin/aws");
    let mut command = python(builds, url)?;
    command.arg(program).args(arguments);
    Ok(command)
}

fn venv(builds: &Builds) -> Result<PathBuf> {
    Ok(builds.scratch()?.with_file_name("bench-aws-venv"))
}

/// Python with the libraries of the AWS command line, at this URL.
pub(crate) fn python(builds: &Builds, url: &str) -> Result<Command> {
    let mut command = Command::new(builds.root.join("benches/aws/python.sh"));
    command
        .arg(venv(builds)?)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    Ok(command)
}

pub(super) fn make_table(builds: &Builds, url: &str) -> Result<()> {
    let arguments = [
        "dynamodb",
        "create-table",
        "--table-name",
        TABLE,
        "--billing-mode=PAY_PER_REQUEST",
        "--attribute-definitions",
        "AttributeName=PK,AttributeType=S",
        "AttributeName=SK,AttributeType=S",
        "--key-schema",
        "AttributeName=PK,KeyType=HASH",
        "AttributeName=SK,KeyType=RANGE",
    ];
    timed(&mut aws(builds, url, &arguments)?).map(drop)
}

pub(super) fn make_bucket(builds: &Builds, url: &str) -> Result<()> {
    let arguments = [
        "s3api",
        "create-bucket",
        "--bucket",
        BUCKET,
        "--create-bucket-configuration",
        "LocationConstraint=eu-west-1",
    ];
    timed(&mut aws(builds, url, &arguments)?).map(drop)
}
