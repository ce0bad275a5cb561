//! The model server against `mlflow models serve` of the same file and the bare call of the runtime.
//!
//! Ours is brought up the way users do it, by one apply of a model, its version and a local endpoint, and destroyed after.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tract_onnx::prelude::*;

use crate::accounting::{self, Tree};
use crate::builds::Builds;
use crate::load::{self, Answers, Connection, Target};
use crate::mlflow;
use crate::table::{Table, at_least, at_most};
use crate::terraform::{Provider, Workspace, requiring};

const CONNECTIONS: [usize; 3] = [1, 8, 32];
const TIMES_MLFLOW: f64 = 10.0;
const CPU_OVER_BARE_US: f64 = 150.0;
const MEMORY_MB: f64 = 40.0;
const MODEL: &str = "models/digits-v2.onnx";

/// The quickstart's held-out images.
#[derive(Deserialize)]
struct HeldOut {
    labels: Vec<i64>,
    pixels: Vec<Vec<f32>>,
}

/// One server under one load.
struct Row {
    server: &'static str,
    connections: usize,
    answers: Answers,
    /// Of the server alone, a request.
    cpu_us: f64,
    resident_mb: f64,
}

/// Measures and prints.
pub(crate) fn run(builds: &Builds, seconds: u64) -> Result<()> {
    let model = builds.quickstart(MODEL)?;
    let held_out = builds.quickstart("heldout.json")?;
    let held_out: HeldOut =
        serde_json::from_slice(&fs::read(&held_out).context("cannot read the held-out images")?)
            .with_context(|| format!("{} is not what train.py writes", held_out.display()))?;
    let duration = Duration::from_secs(seconds);

    let bare = bare_call(&model, &held_out, duration)?;
    let theirs = mlflow_serve(builds, &model, &held_out, duration);
    let own = builds.provider().and_then(|binary| {
        let provider = Provider {
            name: "mlops",
            binary,
        };
        ours(builds, &provider, &model, &held_out, duration)
    });
    // What was measured is printed even if the other side could not be.
    let rows: Vec<&Row> = [&own, &theirs].into_iter().flatten().flatten().collect();
    print(&rows, &bare);
    own.and(theirs).map(drop)
}

/// The runtime called in this process, without a server.
struct Bare {
    rate: f64,
    cpu_us: f64,
}

fn bare_call(model: &Path, held_out: &HeldOut, duration: Duration) -> Result<Bare> {
    let loaded = tract_onnx::onnx()
        .model_for_path(model)
        .and_then(|m| m.into_optimized()?.into_runnable());
    let plan = loaded.with_context(|| format!("tract cannot load {}", model.display()))?;
    let before = accounting::myself()?;
    let start = Instant::now();
    let (mut calls, mut correct) = (0_usize, 0_usize);
    while start.elapsed() < duration {
        for (image, label) in held_out.pixels.iter().zip(&held_out.labels) {
            let pixels = tract_ndarray::Array2::from_shape_vec((1, image.len()), image.clone())?
                .into_tensor();
            let answer = plan
                .run(tvec!(pixels.into()))
                .context("tract cannot run the model")?;
            correct +=
                usize::from(answer[0].to_plain_array_view::<i64>()?.iter().next() == Some(label));
            calls += 1;
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    ensure!(
        correct * 10 > calls * 9,
        "the bare call is right for {correct} of {calls} images only"
    );
    let cpu = accounting::myself()?.cpu - before.cpu;
    Ok(Bare {
        rate: calls as f64 / elapsed,
        cpu_us: cpu * 1e6 / calls as f64,
    })
}

fn ours(
    builds: &Builds,
    provider: &Provider,
    model: &Path,
    held_out: &HeldOut,
    duration: Duration,
) -> Result<Vec<Row>> {
    let config = format!(
        r#"{}
resource "mlops_model" "digits" {{
  name = "digits"
}}

resource "mlops_model_version" "digits" {{
  model  = mlops_model.digits.name
  source = {:?}
}}

resource "mlops_endpoint" "digits" {{
  name = "digits"
  variants = {{
    main = {{ model = mlops_model.digits.name, model_version = mlops_model_version.digits.version, traffic = 100 }}
  }}
  local {{ port_range = "18200-18300" }}
}}

output "url" {{ value = mlops_endpoint.digits.invoke_url }}
"#,
        requiring(provider.name),
        model.display().to_string(),
    );
    let workspace = Workspace::new(builds, Some(provider), &config)?;
    let applied = workspace.run(&["apply", "-input=false", "-auto-approve"]).and_then(|_| {
        let address = address_of(&workspace.output("url")?)?;
        let pid = accounting::listener(address.port())?;
        let infer = |image: &Vec<f32>| {
            json!({"inputs": [{"name": "pixels", "shape": [1, image.len()], "datatype": "FP32", "data": image}]})
        };
        let mut rows = under_load("ours, Open Inference Protocol", address, "/v2/models/digits/infer", &infer, held_out, pid, duration)?;
        rows.extend(under_load("ours, /invocations", address, "/invocations", &invocation, held_out, pid, duration)?);
        Ok(rows)
    });
    // Whatever happened: no server stays behind.
    let destroyed = workspace.run(&["destroy", "-input=false", "-auto-approve"]);
    let rows = applied?;
    destroyed.context("cannot destroy the endpoint that was measured")?;
    Ok(rows)
}

fn mlflow_serve(
    builds: &Builds,
    model: &Path,
    held_out: &HeldOut,
    duration: Duration,
) -> Result<Vec<Row>> {
    let server = mlflow::Server::start(builds, model)?;
    under_load(
        "MLflow, /invocations",
        server.address,
        "/invocations",
        &invocation,
        held_out,
        server.pid(),
        duration,
    )
}

/// A request in MLflow's form.
fn invocation(image: &Vec<f32>) -> Value {
    json!({ "inputs": [image] })
}

fn under_load(
    server: &'static str,
    address: SocketAddr,
    path: &str,
    body: &dyn Fn(&Vec<f32>) -> Value,
    held_out: &HeldOut,
    pid: u32,
    duration: Duration,
) -> Result<Vec<Row>> {
    let bodies = held_out
        .pixels
        .iter()
        .map(|image| body(image).to_string().into_bytes())
        .collect();
    let target = Target {
        address,
        path: path.to_owned(),
        bodies,
    };
    check(&target, &held_out.labels).with_context(|| format!("{server} at {address}{path}"))?;
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        println!("{server}: {connections} connections");
        let (answers, before, after) = load::run(&target, connections, duration, || Tree::of(pid))?;
        ensure!(
            answers.requests > answers.failed,
            "{server} failed every request"
        );
        rows.push(Row {
            server,
            connections,
            cpu_us: after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6
                / answers.requests as f64,
            resident_mb: after.resident_bytes as f64 / 1e6,
            answers,
        });
    }
    Ok(rows)
}

/// Asks for a few images and compares with what a person wrote: a fast wrong answer is no answer.
fn check(target: &Target, labels: &[i64]) -> Result<()> {
    const SAMPLE: usize = 50;
    let mut connection = Connection::open(target.address)?;
    let mut correct = 0;
    for (body, label) in target.bodies.iter().zip(labels).take(SAMPLE) {
        let answer = connection.ask(&load::post(target.address, &target.path, body))?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "answered {}: {text}", answer.status);
        let given = serde_json::from_slice(&answer.body)
            .ok()
            .and_then(|v| label_in(&v));
        correct += usize::from(given.with_context(|| format!("no label in {text}"))? == *label);
    }
    ensure!(
        correct * 10 >= SAMPLE * 9,
        "right for {correct} of {SAMPLE} images only"
    );
    Ok(())
}

/// The first label of an answer: of the Open Inference Protocol, or of MLflow by column or by record.
fn label_in(answer: &Value) -> Option<i64> {
    if let Some(outputs) = answer.get("outputs").and_then(Value::as_array) {
        return outputs.iter().find(|o| o["name"] == "label")?["data"]
            .get(0)?
            .as_i64();
    }
    let predictions = answer.get("predictions")?;
    match predictions.get("label") {
        Some(column) => column.get(0)?.as_i64(),
        None => predictions.get(0)?.get("label")?.as_i64(),
    }
}

/// Host and port of a URL.
fn address_of(url: &str) -> Result<SocketAddr> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let mut found = authority
        .to_socket_addrs()
        .with_context(|| format!("{url:?} has no host and port"))?;
    found
        .next()
        .with_context(|| format!("{authority:?} has no address"))
}

fn print(rows: &[&Row], bare: &Bare) {
    let mut speed = Table::new(
        "Server: one digit a request",
        &[
            "server",
            "connections",
            "requests/s",
            "of MLflow's",
            "at least",
            "",
            "p50 µs",
            "p99 µs",
            "failed",
        ],
    );
    let mut cost = Table::new(
        "Server: CPU a request and resident memory",
        &[
            "server",
            "connections",
            "CPU µs",
            "over the bare call",
            "below",
            "",
            "MB",
            "below",
            "",
        ],
    );
    let dash = || "-".to_owned();
    speed.row(vec![
        "bare tract call".into(),
        dash(),
        format!("{:.0}", bare.rate),
        dash(),
        dash(),
        String::new(),
        dash(),
        dash(),
        dash(),
    ]);
    cost.row(vec![
        "bare tract call".into(),
        dash(),
        format!("{:.1}", bare.cpu_us),
        dash(),
        dash(),
        String::new(),
        dash(),
        dash(),
        String::new(),
    ]);
    for row in rows {
        let own = row.server.starts_with("ours");
        let peer = rows
            .iter()
            .find(|r| !r.server.starts_with("ours") && r.connections == row.connections);
        let times = peer.map_or(f64::NAN, |p| row.answers.rate() / p.answers.rate());
        let over = row.cpu_us - bare.cpu_us;
        let judged = |text: String| if own { text } else { dash() };
        let verdict = |v: &str| if own { v.to_owned() } else { String::new() };
        speed.row(vec![
            row.server.into(),
            row.connections.to_string(),
            format!("{:.0}", row.answers.rate()),
            judged(format!("{times:.1} x")),
            judged(format!("{TIMES_MLFLOW} x")),
            verdict(at_least(times, TIMES_MLFLOW)),
            row.answers.quantile(0.5).as_micros().to_string(),
            row.answers.quantile(0.99).as_micros().to_string(),
            row.answers.failed.to_string(),
        ]);
        cost.row(vec![
            row.server.into(),
            row.connections.to_string(),
            format!("{:.0}", row.cpu_us),
            format!("{over:.0}"),
            judged(CPU_OVER_BARE_US.to_string()),
            verdict(at_most(over, CPU_OVER_BARE_US)),
            format!("{:.1}", row.resident_mb),
            judged(MEMORY_MB.to_string()),
            verdict(at_most(row.resident_mb, MEMORY_MB)),
        ]);
    }
    print!("{speed}{cost}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_found_in_every_protocol_and_nowhere_else() {
        let oip = json!({"outputs": [{"name": "probabilities", "data": [0.1]}, {"name": "label", "data": [7]}]});
        let columns = json!({"predictions": {"label": [7], "probabilities": [[0.1]]}});
        let records = json!({"predictions": [{"label": 7}]});
        for answer in [oip, columns, records] {
            assert_eq!(label_in(&answer), Some(7), "{answer}");
        }
        assert_eq!(label_in(&json!({"error": "no"})), None);
    }

    #[test]
    fn the_address_of_a_url_is_its_host_and_port() {
        assert_eq!(
            address_of("http://127.0.0.1:18080/v2/models/digits")
                .unwrap()
                .to_string(),
            "127.0.0.1:18080"
        );
        assert!(address_of("http://nowhere").is_err());
    }
}
