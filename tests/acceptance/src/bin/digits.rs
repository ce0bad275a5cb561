//! Asks a served digit classifier about images that it has never seen. The quickstart's demo runs it.
//!
//! ```text
//! digits accuracy URL MODEL HELDOUT                          the share of right answers
//! digits request HELDOUT N                                   the request for one image
//! digits load URL MODEL HELDOUT CONNECTIONS LEAST REPORT -- COMMAND ...
//! ```
//! `load` asks over so many connections while COMMAND runs, and on until at least LEAST requests are answered. It ends
//! with COMMAND's exit code and writes to REPORT, one `name=value` a line: `requests`, `failed` (no answer, or not 200),
//! `by_version` (answers of each version), `window` (requests from the candidate's first answer to its last) and
//! `exposed` (the candidate's share of that window), and `within` (1 if that is at most a tenth and one request). The candidate is
//! the newest version that answered, unless it answered from the first request on: then no candidate did, and all three say so.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use mlops_acceptance::digits::Digits;
use mlops_acceptance::load::{Exposure, Load};
use mlops_acceptance::wait;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["accuracy", url, model, held_out] => {
            println!(
                "{:.4}",
                Digits::read(Path::new(held_out)).accuracy(url, model)
            );
            ExitCode::SUCCESS
        }
        ["request", held_out, n] => {
            let digits = Digits::read(Path::new(held_out));
            let request = digits.request(n.parse().expect("N is a number"));
            println!("{}", String::from_utf8_lossy(&request.body));
            ExitCode::SUCCESS
        }
        [
            "load",
            url,
            model,
            held_out,
            connections,
            least,
            report,
            "--",
            command @ ..,
        ] if !command.is_empty() => {
            let digits = Digits::read(Path::new(held_out));
            let connections = connections.parse().expect("CONNECTIONS is a number");
            let least = least.parse().expect("LEAST is a number");
            load(
                Load::start(url, model, connections, PAUSE, digits),
                least,
                Path::new(report),
                command,
            )
        }
        _ => {
            eprintln!(
                "digits: accuracy URL MODEL HELDOUT | request HELDOUT N | load URL MODEL HELDOUT CONNECTIONS LEAST REPORT -- COMMAND..."
            );
            ExitCode::from(2)
        }
    }
}

/// Between an answer and the next question: a steady load, not a flood that starves the rollout of the processor.
const PAUSE: Duration = Duration::from_millis(2);

fn load(load: Load, least: usize, report: &Path, command: &[&str]) -> ExitCode {
    wait::until("the endpoint answers", Duration::from_secs(30), || {
        load.asked() > 20
    });
    let status = Command::new(command[0]).args(&command[1..]).status();
    let status = status.unwrap_or_else(|error| panic!("cannot run {}: {error}", command[0]));
    wait::until(
        "enough requests are answered",
        Duration::from_secs(300),
        || load.asked() >= least,
    );
    let outcomes = load.stop();
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.status != 200)
        .collect();
    for outcome in failed.iter().take(3) {
        eprintln!(
            "failed: {} {}",
            outcome.status,
            outcome.error.as_deref().unwrap_or_default().trim()
        );
    }
    let exposure = Exposure::of(&outcomes);
    let by_version = exposure
        .by_version
        .iter()
        .map(|(version, answers)| format!("v{version}:{answers}"))
        .collect::<Vec<_>>();
    let text = format!(
        "requests={}\nfailed={}\nby_version={}\nwindow={}\nexposed={:.4}\nwithin={}\n",
        outcomes.len(),
        failed.len(),
        by_version.join(","),
        exposure.window,
        exposure.share(),
        u8::from(exposure.is_within(0.10)),
    );
    fs::write(report, text)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", report.display()));
    match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    }
}
