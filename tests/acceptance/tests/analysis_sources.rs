//! Analyses whose source is asked over HTTP, under a real Terraform: a real Prometheus that scrapes the endpoint, and sources that do not answer.

use std::fs;
use std::time::Duration;

use mlops_acceptance::digits::Digits;
use mlops_acceptance::http::Client;
use mlops_acceptance::load::Load;
use mlops_acceptance::part::Part;
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::workspace::free_port;
use mlops_acceptance::{Stack, Workspace, skip, wait};
use serde_json::json;

/// Stands in the environment alone.
const TOKEN: &str = "a-token-that-is-told-to-nobody";

/// A canary with these analyses.
fn canary(analysis: &str) -> String {
    format!(
        r#"
  rollout {{
    strategy = "CANARY"
    steps    = [{{ traffic = 50, bake = "2s" }}, {{ traffic = 100 }}]
    analysis = {{
{analysis}
    }}
  }}
"#
    )
}

/// Has `prometheus` scrape the endpoint, and waits until it has.
fn watch(prometheus: &Part, stack: &Stack) {
    let scraping = json!({
        "global": { "scrape_interval": "100ms", "scrape_timeout": "100ms" },
        "scrape_configs": [{
            "job_name": "digits",
            "static_configs": [{ "targets": [format!("127.0.0.1:{}", stack.port)] }],
        }],
    });
    let file = prometheus.details["configuration"]
        .as_str()
        .expect("a path");
    fs::write(file, scraping.to_string()).expect("the configuration is written");
    wait::until(
        "Prometheus scrapes the endpoint",
        Duration::from_secs(60),
        || {
            let mut client = Client::new(&prometheus.url);
            // Not ready yet, or read already.
            let _ = client.post("/-/reload", b"");
            let answer = client.get("/api/v1/query?query=mlops_requests_total");
            answer.is_ok_and(|answer| answer.text().contains("\"revision\""))
        },
    );
}

fn version(work: &Workspace) -> serde_json::Value {
    let state = work.state();
    state.object(ENDPOINT).get("/target_versions/main").clone()
}

#[test]
fn a_prometheus_judges_the_candidate_that_it_scrapes() {
    let prometheus = match Part::start("prometheus") {
        Ok(part) => part,
        Err(reason) => {
            return skip("a_prometheus_judges_the_candidate_that_it_scrapes", &reason);
        }
    };
    let rate = |name: &str| format!(r#"sum(rate({name}{{revision=\"{{{{revision}}}}\"}}[5s]))"#);
    let stack = Stack::rolling_out(&canary(&format!(
        r#"
      errors = {{
        source           = "prometheus"
        address          = "{url}"
        bearer_token_env = "PROMETHEUS_TOKEN"
        query            = "{errors} / {requests}"
        condition        = "result < 0.02"
        interval         = "500ms"
      }}
      latency = {{
        source    = "prometheus"
        address   = "{url}/"
        query     = "histogram_quantile(0.99, sum by (le) (rate(mlops_request_duration_seconds_bucket{{endpoint=\"{{{{endpoint}}}}\",revision=\"{{{{revision}}}}\"}}[5s])))"
        condition = "result < baseline + 60"
        interval  = "500ms"
      }}"#,
        url = prometheus.url,
        errors = rate("mlops_request_errors_total"),
        requests = rate("mlops_requests_total"),
    )));
    let mut work = stack.workspace("digits-v1");
    work.env("PROMETHEUS_TOKEN", TOKEN);
    work.apply();
    let load = Load::start(
        &stack.url(),
        "digits",
        2,
        Duration::from_millis(5),
        Digits::committed(),
    );
    watch(&prometheus, &stack);

    work.copy_model("digits-v2", "model.onnx");
    work.apply();
    assert_eq!(version(&work), json!(2));

    work.copy_model("digits-v3b", "model.onnx");
    let ended = work.try_apply();
    load.stop();
    ended.failed_with(&[
        "rolled back",
        "analysis \"errors\" failed in step 1",
        "mlops_request_errors_total",
        "does not hold",
    ]);
    assert_eq!(version(&work), json!(2));
    assert_eq!(stack.who_answers(20).keys().collect::<Vec<_>>(), [&2]);

    let state = fs::read_to_string(work.path("terraform.tfstate")).expect("the state");
    assert!(state.contains("PROMETHEUS_TOKEN") && !state.contains(TOKEN));
    let registry = fs::read(work.registry().join("registry.sqlite")).expect("the registry");
    let is_told = |bytes: &[u8]| {
        bytes
            .windows(TOKEN.len())
            .any(|part| part == TOKEN.as_bytes())
    };
    assert!(!is_told(&registry) && !is_told(ended.output.as_bytes()));
    work.destroy();
}

#[test]
fn a_source_that_does_not_answer_rolls_back_and_its_attribute_is_named() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let stack = Stack::rolling_out(&canary(&format!(
        r#"
      errors = {{
        source           = "http"
        address          = "{nobody}/{{{{revision}}}}"
        bearer_token_env = "RATES_TOKEN"
        query            = "/rate"
        condition        = "result < 0.02"
        interval         = "200ms"
        max_wait         = "1s"
      }}"#
    )));
    let mut work = stack.workspace("digits-v1");
    let warned = work.try_plan();
    warned.succeeded();
    let warnings = warned.warnings().join("\n");
    assert!(
        warnings.contains("RATES_TOKEN is not set here"),
        "{warnings}"
    );
    work.apply_fails(&["RATES_TOKEN is not set here", "bearer_token_env"]);
    assert!(!stack.listens(), "nothing was begun");

    work.env("RATES_TOKEN", TOKEN);
    // There is nothing to compare with at a create, so nobody is asked.
    work.apply();
    work.copy_model("digits-v2", "model.onnx");
    let ended = work.try_apply();
    ended.failed_with(&[
        "rolled back",
        "in the 1s that rollout.analysis.errors.max_wait allows",
        &format!("nobody answers at {nobody}"),
        "see rollout.analysis.errors.address",
    ]);
    assert_eq!(version(&work), json!(1));
    assert!(!ended.output.contains(TOKEN));
    work.destroy();
}
