//! A project that registers one large file, and the servers that it is registered with.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::cli::Took;
use super::{BUCKET, cli, head};
use crate::builds::Builds;
use crate::counter::Counter;
use crate::part::Part;
use crate::terraform::{Provider, Spent, Workspace};

/// A registry's servers, which hold nothing yet.
pub(super) struct Servers<'a> {
    builds: &'a Builds,
    records: Part,
    objects: Part,
    /// Sees what a counted project sends to the objects' server.
    pub(super) counter: Counter,
}

impl<'a> Servers<'a> {
    /// Starts them, with room for so many bytes of objects.
    pub(super) fn start(builds: &'a Builds, room: u64) -> Result<Self> {
        let records = Part::start(builds, "ministack")?;
        let objects = Part::start_with_room(builds, "versitygw", room)?;
        cli::make_table(builds, &records.url)?;
        cli::make_bucket(builds, &objects.url)?;
        let counter = Counter::before(&objects.url)?;
        Ok(Self {
            builds,
            records,
            objects,
            counter,
        })
    }

    /// A project whose bytes nobody counts.
    pub(super) fn project(&self, model: &str) -> Result<Project<'_>> {
        Project::new(self, model, &self.objects.url)
    }

    /// A project whose bytes the counter sees.
    pub(super) fn counted(&self, model: &str) -> Result<Project<'_>> {
        Project::new(self, model, &self.counter.url)
    }

    /// `aws s3 ARGUMENT...`, to its end: what it took.
    pub(super) fn s3(&self, arguments: &[&str]) -> Result<Took> {
        let arguments = [&["s3"], arguments].concat();
        cli::timed(&mut cli::aws(self.builds, &self.objects.url, &arguments)?)
    }

    /// Makes room.
    pub(super) fn forget(&self, place: &str) -> Result<()> {
        self.s3(&["rm", "--quiet", "--recursive", place]).map(drop)
    }
}

/// A directory with a configuration that registers versions of one model.
pub(super) struct Project<'a> {
    servers: &'a Servers<'a>,
    pub(super) workspace: Workspace,
    /// The large file; it is not there at first.
    pub(super) weights: PathBuf,
}

impl<'a> Project<'a> {
    fn new(servers: &'a Servers<'a>, model: &str, objects: &str) -> Result<Self> {
        let builds = servers.builds;
        let provider = Provider {
            name: "mlops",
            binary: builds.provider()?,
        };
        let head = head(&servers.records.url, objects);
        let config = format!(
            "{head}resource \"mlops_model\" \"big\" {{\n  name = \"{model}\"\n}}\n\n\
             resource \"mlops_model_version\" \"big\" {{\n  model  = mlops_model.big.name\n  source = \"${{path.module}}/artifact\"\n}}\n\n\
             output \"uri\" {{\n  value = mlops_model_version.big.artifact_uri\n}}\n"
        );
        let workspace = Workspace::new(builds, Some(&provider), &config)?;
        let artifact = workspace.path().join("artifact");
        fs::create_dir(&artifact).with_context(|| format!("cannot make {}", artifact.display()))?;
        let graph = builds.quickstart("models/digits-v2.onnx")?;
        fs::copy(&graph, artifact.join("model.onnx"))
            .with_context(|| format!("cannot copy {}", graph.display()))?;
        let weights = artifact.join("weights.bin");
        Ok(Self {
            servers,
            workspace,
            weights,
        })
    }

    /// Registers what is there: what it cost.
    pub(super) fn apply(&self) -> Result<Spent> {
        // What was written before is not written to the disk during the measurement.
        cli::timed(&mut Command::new("sync"))?;
        self.servers.counter.take_bytes();
        self.workspace
            .run(&["apply", "-input=false", "-auto-approve"])
    }

    /// Where the file of the version that was registered last lies.
    pub(super) fn place(&self) -> Result<String> {
        let uri = self.workspace.output("uri")?;
        ensure!(uri.starts_with(&format!("s3://{BUCKET}/")), "{uri}");
        Ok(format!("{}/", uri.trim_end_matches('/')))
    }

    /// Fails unless what lies there is the file, byte for byte.
    pub(super) fn compare(&self) -> Result<()> {
        let from = format!("{}files/weights.bin", self.place()?);
        let arguments = ["s3", "cp", "--quiet", &from, "-"];
        let mut download = cli::aws(self.servers.builds, &self.servers.objects.url, &arguments)?
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run the AWS command line")?;
        let sent = download.stdout.take().context("no output")?;
        let same = Command::new("cmp")
            .arg("-")
            .arg(&self.weights)
            .stdin(sent)
            .status()
            .context("cannot run cmp")?;
        let done = download.wait()?;
        ensure!(same.success() && done.success(), "{from} is not the file");
        Ok(())
    }
}
