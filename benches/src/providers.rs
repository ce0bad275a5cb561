//! CPU and memory of a provider that plans, applies, refreshes and destroys simple resources.
//!
//! Ours, the Go peer and the builtin `terraform_data` run the same steps on resources with the same content, one after the
//! other. A step's cost is that of every process it takes; the provider's own is what the provider processes took,
//! start-up included (Terraform starts one for each phase).

use anyhow::Result;

use crate::builds::Builds;
use crate::table::{Table, at_most};
use crate::terraform::{Provider, Workspace, requiring};

/// Own CPU a resource, in milliseconds, where the project has set itself a bound.
const PLAN_MS: f64 = 0.3;
const APPLY_MS: f64 = 1.5;
/// Own CPU as a part of the Go peer's.
const OF_PEER: f64 = 0.25;
/// Peak memory at the largest number of resources.
const MEMORY_MB: f64 = 20.0;
/// Below this, start-up is most of the cost and a figure for one resource says nothing.
const MANY: usize = 100;

/// The steps in their order: heading, and Terraform's arguments.
const STEPS: [(&str, &[&str]); 4] = [
    ("plan", &["plan", "-input=false", "-out=planned"]),
    ("apply", &["apply", "-input=false", "planned"]),
    ("refresh", &["plan", "-input=false", "-refresh-only"]),
    ("destroy", &["destroy", "-input=false", "-auto-approve"]),
];

/// CPU seconds of one step, the least of several runs.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    total: f64,
    own: f64,
}

/// All steps of one kind of resource at one number.
#[derive(Clone, Debug, Default)]
struct Measured {
    steps: [Cost; STEPS.len()],
    peak_bytes: u64,
}

/// Measures and prints.
pub(crate) fn run(builds: &Builds, largest: usize) -> Result<()> {
    let ours = Provider {
        name: "mlops",
        binary: builds.provider()?,
    };
    let peer = Provider {
        name: "peer",
        binary: builds.peer()?,
    };
    let mut table = Table::new(
        "Provider: CPU seconds of plan, apply, refresh and destroy (own: the provider's processes)",
        &[
            "N",
            "step",
            "builtin",
            "Go all",
            "Go own",
            "ours all",
            "ours own",
            "ours own ms each",
            "at most",
            "",
            "of Go's own",
            "below",
            "",
        ],
    );
    let mut memory = Table::new(
        "Provider: peak resident memory",
        &["N", "Go MB", "ours MB", "below", ""],
    );
    for (count, repeats) in [(1, 9), (MANY, 5), (largest, 1)] {
        println!("providers: {count} resources, {repeats} times");
        let [mut builtin, mut go, mut rust] = <[Measured; 3]>::default();
        // In turn, so that a machine that slows down does so for all.
        for _ in 0..repeats {
            builtin.add(measure(builds, None, count)?);
            go.add(measure(builds, Some(&peer), count)?);
            rust.add(measure(builds, Some(&ours), count)?);
        }
        for (i, (step, _)) in STEPS.iter().enumerate() {
            let (base, theirs, own) = (builtin.steps[i], go.steps[i], rust.steps[i]);
            let each = own.own * 1000.0 / count as f64;
            let bound = match *step {
                "plan" if count >= MANY => Some(PLAN_MS),
                "apply" if count >= MANY => Some(APPLY_MS),
                _ => None,
            };
            let part = own.own / theirs.own.max(1e-6);
            table.row(vec![
                count.to_string(),
                (*step).to_owned(),
                format!("{:.2}", base.total),
                format!("{:.2}", theirs.total),
                format!("{:.3}", theirs.own),
                format!("{:.2}", own.total),
                format!("{:.3}", own.own),
                format!("{each:.3}"),
                bound.map_or_else(|| "-".to_owned(), |b| b.to_string()),
                bound.map_or("", |b| at_most(each, b)).to_owned(),
                format!("{part:.2}"),
                OF_PEER.to_string(),
                at_most(part, OF_PEER).to_owned(),
            ]);
        }
        let mb = |m: &Measured| m.peak_bytes as f64 / 1e6;
        let asked = count == largest;
        memory.row(vec![
            count.to_string(),
            format!("{:.1}", mb(&go)),
            format!("{:.1}", mb(&rust)),
            if asked {
                MEMORY_MB.to_string()
            } else {
                "-".to_owned()
            },
            if asked {
                at_most(mb(&rust), MEMORY_MB).to_owned()
            } else {
                String::new()
            },
        ]);
    }
    print!("{table}{memory}");
    Ok(())
}

impl Measured {
    /// Keeps the least of each step, and the peak of all: what else runs on a machine only adds to a process's CPU time.
    fn add(&mut self, more: Self) {
        for (step, more) in self.steps.iter_mut().zip(more.steps) {
            let first = step.total == 0.0;
            if first || (more.own, more.total) < (step.own, step.total) {
                *step = more;
            }
        }
        self.peak_bytes = self.peak_bytes.max(more.peak_bytes);
    }
}

fn measure(builds: &Builds, provider: Option<&Provider>, count: usize) -> Result<Measured> {
    let mut measured = Measured::default();
    let workspace = Workspace::new(builds, provider, &config(provider.map(|p| p.name), count))?;
    for (step, (_, arguments)) in measured.steps.iter_mut().zip(STEPS) {
        let spent = workspace.run(arguments)?;
        *step = Cost {
            total: spent.total_cpu,
            own: spent.provider.cpu,
        };
        measured.peak_bytes = measured.peak_bytes.max(spent.provider.peak_bytes);
    }
    Ok(measured)
}

/// `count` resources with the same content, of the provider or builtin.
fn config(provider: Option<&str>, count: usize) -> String {
    let body = "description = \"Reads handwritten digits, number ${count.index}\"\n\
                owner       = \"team-risk\"\n\
                task        = \"classification\"\n\
                tags        = { team = \"risk\", stage = \"bench\" }\n\
                metrics     = { accuracy = { goal = \"maximize\" }, log_loss = { goal = \"minimize\", max = 1.5 } }\n";
    match provider {
        Some(name) => format!(
            "{}resource \"{name}_model\" \"each\" {{\ncount = {count}\nname = \"bench-${{count.index}}\"\n{body}}}\n",
            requiring(name)
        ),
        None => format!(
            "resource \"terraform_data\" \"each\" {{\ncount = {count}\ninput = {{\nname = \"bench-${{count.index}}\"\n{body}}}\n}}\n"
        ),
    }
}
