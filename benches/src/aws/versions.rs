//! A second version of a large file: how much of it travels, and an upload that is killed and applied again.
//!
//! Bytes are counted by a proxy before the server, heads of requests among them.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::counter::Counter;
use super::part::Part;
use super::{BUCKET, cli, head};
use crate::artifact::{MIB, noise, write_noise};
use crate::builds::Builds;
use crate::table::{Table, at_most, median};
use crate::terraform::{Provider, Spent, Workspace};

/// Percent of the file that a small change may send.
const SENT: f64 = 3.0;
/// Percent that a version which changed everywhere may take longer than the first.
const SLOWER: f64 = 2.0;
/// Versions that the server holds at the same time, at most.
const VERSIONS: u64 = 2;
/// How often both are timed.
const ROUNDS: usize = 5;
/// Calls of the provider that carry bytes at the same time.
const WORKERS: u64 = 10;
/// A part has 8 MiB at least, and a chunk of 4 MiB more at most.
const PART: u64 = 12 * MIB;
const PERCENT: u64 = 100;

/// Servers, and a registered artifact with one large file.
struct World {
    _records: Part,
    objects: Part,
    counter: Counter,
    workspace: Workspace,
    weights: PathBuf,
}

impl World {
    /// Everything is there, and nothing is registered yet of a file of this size.
    fn new(builds: &Builds, size: u64, counted: bool) -> Result<Self> {
        let provider = Provider {
            name: "mlops",
            binary: builds.provider()?,
        };
        let records = Part::start(builds, "ministack")?;
        let objects = Part::start_with_room(builds, "versitygw", VERSIONS * size)?;
        cli::make_table(builds, &records.url)?;
        cli::make_bucket(builds, &objects.url)?;
        let counter = Counter::before(&objects.url)?;
        let url = if counted { &counter.url } else { &objects.url };
        let head = head(&records.url, url);
        let config = format!(
            "{head}resource \"mlops_model\" \"big\" {{\n  name = \"big\"\n}}\n\n\
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
            _records: records,
            objects,
            counter,
            workspace,
            weights,
        })
    }

    /// Registers what is there: what it cost.
    fn apply(&self) -> Result<Spent> {
        // What was written before is not written to the disk during the measurement.
        cli::timed(&mut Command::new("sync"))?;
        self.counter.take_bytes();
        self.workspace
            .run(&["apply", "-input=false", "-auto-approve"])
    }

    /// Where the file of the version that was registered last lies.
    fn place(&self) -> Result<String> {
        let uri = self.workspace.output("uri")?;
        ensure!(uri.starts_with(&format!("s3://{BUCKET}/")), "{uri}");
        Ok(format!("{}/", uri.trim_end_matches('/')))
    }

    /// Fails unless what lies there is the file, byte for byte.
    fn compare(&self, builds: &Builds) -> Result<()> {
        let from = format!("{}files/weights.bin", self.place()?);
        let arguments = ["s3", "cp", "--quiet", &from, "-"];
        let mut download = cli::aws(builds, &self.objects.url, &arguments)?
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

    /// Makes room on the disk.
    fn forget(&self, builds: &Builds, place: &str) -> Result<()> {
        let arguments = ["s3", "rm", "--quiet", "--recursive", place];
        cli::timed(&mut cli::aws(builds, &self.objects.url, &arguments)?).map(drop)
    }
}

/// Measures and prints.
pub(super) fn run(builds: &Builds, size_mib: u64) -> Result<()> {
    println!("aws: versions of {size_mib} MiB");
    let size = size_mib * MIB;
    let mut table = Table::new(
        format!(
            "Registry on AWS: a second version of {size_mib} MiB, to versitygw on this machine"
        ),
        &["what", "measured", "bound", ""],
    );
    changed(builds, size, &mut table)?;
    changed_everywhere(builds, size, &mut table)?;
    killed(builds, size, &mut table)?;
    print!("{table}");
    Ok(())
}

/// Small changes.
fn changed(builds: &Builds, size: u64, table: &mut Table) -> Result<()> {
    let world = World::new(builds, size, true)?;
    write_noise(&world.weights, size)?;
    world.apply()?;
    let first = world.place()?;
    let mut row = |what: &str| -> Result<()> {
        let took = world.apply()?;
        let sent = world.counter.take_bytes();
        world.compare(builds)?;
        let percent = (sent * PERCENT) as f64 / size as f64;
        table.row(vec![
            what.to_owned(),
            format!(
                "{:.1} MB sent, {percent:.2} %, in {:.2} s; the same bytes come back",
                sent as f64 / 1e6,
                took.wall.as_secs_f64()
            ),
            format!("less than {SENT} %"),
            at_most(percent, SENT).to_owned(),
        ]);
        Ok(())
    };
    overwrite(&world.weights, size / 2, size / PERCENT)?;
    row("1 % changed in one place")?;
    world.forget(builds, &first)?;
    insert(&world.weights, MIB / 3, MIB)?;
    row("1 MiB inserted near the front")
}

/// Nothing is left of what was.
fn changed_everywhere(builds: &Builds, size: u64, table: &mut Table) -> Result<()> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let world = World::new(builds, size, false)?;
        // The registry and the model are made before.
        write_noise(&world.weights, 1024)?;
        world.apply()?;
        for (seed, spent) in [(1, &mut first), (2, &mut second)] {
            let seed = seed + 2 * round as u64;
            write(&world.weights, |file| noise(seed, size, file))?;
            spent.push(world.apply()?);
        }
    }
    let each = |of: fn(&Spent) -> f64| {
        let ratios = second.iter().zip(&first);
        let slower = median(
            ratios
                .map(|(second, first)| of(second) / of(first) - 1.0)
                .collect(),
        );
        let cost = |spent: &[Spent]| median(spent.iter().map(of).collect());
        (slower * PERCENT as f64, cost(&second), cost(&first))
    };
    let (slower, second_wall, first_wall) = each(|spent| spent.wall.as_secs_f64());
    let (more, second_cpu, first_cpu) = each(|spent| spent.provider.cpu);
    table.row(vec![
        "changed everywhere, against the first version".to_owned(),
        format!(
            "{second_wall:.2} s against {first_wall:.2} s, {slower:+.1} %; client CPU {second_cpu:.2} against {first_cpu:.2} s, {more:+.1} % \
             (medians of {ROUNDS} pairs)"
        ),
        format!("at most +{SLOWER} %"),
        at_most(slower, SLOWER).to_owned(),
    ]);
    Ok(())
}

/// Killed when half of it was sent.
fn killed(builds: &Builds, size: u64, table: &mut Table) -> Result<()> {
    let world = World::new(builds, size, true)?;
    write_noise(&world.weights, size)?;
    let sent = || world.counter.bytes();
    let arguments = ["apply", "-input=false", "-auto-approve"];
    world.workspace.kill(&arguments, || sent() >= size / 2)?;
    let before = sent();
    world.workspace.run(&arguments)?;
    let twice = sent().saturating_sub(size);
    world.compare(builds)?;
    let bound = WORKERS * PART;
    table.row(vec![
        "kill -9 amid the upload, applied again".to_owned(),
        format!(
            "{:.0} MB before, {:.1} MB sent twice; the same bytes come back",
            before as f64 / 1e6,
            twice as f64 / 1e6
        ),
        format!("{WORKERS} parts, {:.0} MB", bound as f64 / 1e6),
        at_most(twice as f64, bound as f64).to_owned(),
    ]);
    Ok(())
}

/// Writes a file anew, down to the disk.
fn write(path: &Path, fill: impl Fn(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
    let about = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(about)?;
    let mut file = BufWriter::with_capacity(MIB as usize, file);
    fill(&mut file).with_context(about)?;
    file.flush().with_context(about)?;
    file.get_ref().sync_all().with_context(about)
}

/// Changes so many bytes of a file.
fn overwrite(path: &Path, at: u64, size: u64) -> Result<()> {
    let about = || format!("cannot change {}", path.display());
    let mut other = Vec::new();
    noise(77, size, &mut other)?;
    let file = File::options().write(true).open(path).with_context(about)?;
    file.write_all_at(&other, at).with_context(about)?;
    file.sync_all().with_context(about)
}

/// Puts so many bytes into a file.
fn insert(path: &Path, at: u64, size: u64) -> Result<()> {
    let old = path.with_extension("old");
    fs::rename(path, &old).with_context(|| format!("cannot move {}", path.display()))?;
    write(path, |file| {
        let mut from = File::open(&old)?;
        std::io::copy(&mut std::io::Read::take(&mut from, at), file)?;
        noise(78, size, file)?;
        std::io::copy(&mut from, file).map(drop)
    })?;
    fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_changed_and_grows_where_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights.bin");
        write(&path, |file| noise(1, 4096, file)).unwrap();
        let first = fs::read(&path).unwrap();
        overwrite(&path, 2048, 64).unwrap();
        let second = fs::read(&path).unwrap();
        assert_eq!(second.len(), 4096);
        assert_eq!(second[..2048], first[..2048]);
        assert_ne!(second[2048..2112], first[2048..2112]);
        assert_eq!(second[2112..], first[2112..]);
        insert(&path, 100, 16).unwrap();
        let third = fs::read(&path).unwrap();
        assert_eq!(third.len(), 4112);
        assert_eq!(
            (&third[..100], &third[116..]),
            (&second[..100], &second[100..])
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
