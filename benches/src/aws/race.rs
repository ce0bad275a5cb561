//! Many processes that register versions of one model at once: each number is given once, and none is left out.
//!
//! A process is `mlops registry serve`, asked over MLflow's REST API: it allocates a number in the same way as an apply, and
//! knows nothing of the others.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{BUCKET, TABLE, cli};
use crate::builds::Builds;
use crate::counter::Counter;
use crate::load::{Connection, post};
use crate::part::{ACCESS_KEY, Part, SECRET_KEY};
use crate::table::Table;

const PROCESSES: usize = 64;
/// What each of them registers, one after another.
const EACH: usize = 20;
const MODEL: &str = "race";
/// How long MLflow's client waits for an answer (`MLFLOW_HTTP_REQUEST_TIMEOUT`).
const ANSWER: Duration = Duration::from_secs(120);

pub(super) fn run(builds: &Builds) -> Result<()> {
    let mut table = Table::new(
        format!(
            "Registry on AWS: {PROCESSES} processes register {EACH} versions each of one model"
        ),
        &["DynamoDB", "numbers", "", "calls for each", "time"],
    );
    for part in ["dynamodb-local", "ministack"] {
        println!("aws: {PROCESSES} processes on {part}");
        table.row(race(builds, part)?);
    }
    print!("{table}");
    Ok(())
}

fn race(builds: &Builds, part: &str) -> Result<Vec<String>> {
    let graph = builds.quickstart("models/digits-v1.onnx")?;
    let (records, objects) = (
        Part::start(builds, part)?,
        Part::start(builds, "ministack")?,
    );
    cli::make_table(builds, &records.url)?;
    cli::make_bucket(builds, &objects.url)?;
    let dynamodb = Counter::before(&records.url)?;
    let servers = (0..PROCESSES)
        .map(|_| Server::start(&builds.mlops()?, &dynamodb.url, &objects.url))
        .collect::<Result<Vec<_>>>()?;
    servers[0].ask("registered-models/create", &json!({ "name": MODEL }))?;
    dynamodb.take();
    let start = Instant::now();
    let numbers: Vec<Result<Vec<u64>>> = thread::scope(|scope| {
        let clients: Vec<_> = servers
            .iter()
            .map(|server| scope.spawn(|| server.register(&graph)))
            .collect();
        let ended = clients.into_iter().map(|client| client.join());
        ended
            .map(|ended| ended.unwrap_or_else(|_| bail!("a client panicked")))
            .collect()
    });
    let took = start.elapsed();
    let calls: usize = dynamodb.take().values().sum();
    let mut numbers: Vec<u64> = numbers
        .into_iter()
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    numbers.sort_unstable();
    let count = PROCESSES * EACH;
    let is_whole = numbers.iter().copied().eq(1..=count as u64);
    Ok(vec![
        part.to_owned(),
        format!("1 to {count}"),
        if is_whole { "ok" } else { "MISS" }.to_owned(),
        format!("{:.1}", calls as f64 / count as f64),
        format!("{took:.1?}"),
    ])
}

/// A process that registers; it ends when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(mlops: &Path, dynamodb: &str, s3: &str) -> Result<Self> {
        let mut child = Command::new(mlops)
            .args(["registry", "serve", "--listen", "127.0.0.1:0"])
            .args(["--table", TABLE, "--bucket", BUCKET, "--s3-use-path-style"])
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ENDPOINT_URL_DYNAMODB", dynamodb)
            .env("AWS_ENDPOINT_URL", s3)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", mlops.display()))?;
        let out = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(out)
            .read_line(&mut line)
            .context("cannot read where a server listens")?;
        let address = line
            .trim()
            .rsplit('/')
            .next()
            .and_then(|address| address.parse().ok());
        let address = address.with_context(|| format!("{line:?} names no address"))?;
        Ok(Self { child, address })
    }

    /// Asks one thing of the registry's API, and again where that says that it was too busy, as MLflow's client does.
    fn ask(&self, what: &str, body: &Value) -> Result<Value> {
        let path = format!("/api/2.0/mlflow/{what}");
        let request = post(self.address, &path, &serde_json::to_vec(body)?);
        loop {
            let answer = Connection::patient(self.address, ANSWER)?.ask(&request)?;
            let said = String::from_utf8_lossy(&answer.body);
            match answer.status {
                200 => {
                    return serde_json::from_slice(&answer.body)
                        .with_context(|| format!("{what}: {said}"));
                }
                503 => println!("aws: {what} is asked again: {said}"),
                status => bail!("{what}: {status} {said}"),
            }
        }
    }

    /// Registers [`EACH`] versions; their numbers.
    fn register(&self, graph: &Path) -> Result<Vec<u64>> {
        let body = json!({ "name": MODEL, "source": graph });
        (0..EACH)
            .map(|_| {
                let made = self.ask("model-versions/create", &body)?;
                let number = made["model_version"]["version"].as_str();
                let number = number.and_then(|number| number.parse().ok());
                number.with_context(|| format!("no number in {made}"))
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
