//! A second version of a large file: how much of it travels, and an upload that is killed and applied again.
//!
//! Bytes are counted by a proxy before the server, heads of requests among them.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::project::{Project, Servers};
use crate::artifact::{MIB, noise, write_noise};
use crate::builds::Builds;
use crate::table::{Table, at_most, median};
use crate::terraform::Spent;

/// Percent of the file that a small change may send.
const SENT: f64 = 3.0;
/// Percent that a version which changed everywhere may take longer than a first version.
const SLOWER: f64 = 2.0;
/// How often both are timed; even, because they take turns.
const ROUNDS: usize = 6;
/// Calls of the provider that carry bytes at the same time.
const WORKERS: u64 = 10;
/// A part has 8 MiB at least, and a chunk of 4 MiB more at most.
const PART: u64 = 12 * MIB;
const PERCENT: u64 = 100;

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
    let servers = Servers::start(builds, 2 * size)?;
    let project = servers.counted("big")?;
    write_noise(&project.weights, size)?;
    project.apply()?;
    let first = project.place()?;
    let mut row = |what: &str| -> Result<()> {
        let took = project.apply()?;
        let sent = servers.counter.take_bytes();
        project.compare()?;
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
    overwrite(&project.weights, size / 2, size / PERCENT)?;
    row("1 % changed in one place")?;
    servers.forget(&first)?;
    insert(&project.weights, MIB / 3, MIB)?;
    row("1 MiB inserted near the front")
}

/// Nothing is left of what was, against the first large version of another model on the same servers. Which of the two comes
/// first takes turns, so that what makes the later of two uploads slower or faster is not counted.
fn changed_everywhere(builds: &Builds, size: u64, table: &mut Table) -> Result<()> {
    let (mut plain, mut changed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let servers = Servers::start(builds, 3 * size)?;
        let (trained, other) = (servers.project("trained")?, servers.project("other")?);
        for project in [&trained, &other] {
            // The registry and the model are made before.
            write_noise(&project.weights, 1024)?;
            project.apply()?;
        }
        let seed = 3 * round as u64;
        let register = |project: &Project<'_>, seed| {
            write(&project.weights, |file| noise(seed, size, file))?;
            let spent = project.apply()?;
            fs::remove_file(&project.weights).context("a file that was registered")?;
            Ok::<_, anyhow::Error>(spent)
        };
        register(&trained, seed)?;
        let mut both = [(&other, &mut plain), (&trained, &mut changed)];
        if round % 2 == 1 {
            both.reverse();
        }
        for (seed, (project, spent)) in (seed + 1..).zip(both) {
            spent.push(register(project, seed)?);
        }
    }
    let each = |of: fn(&Spent) -> f64| {
        let pairs = changed.iter().zip(&plain);
        let slower: Vec<_> = pairs
            .map(|(one, other)| of(one) / of(other) - 1.0)
            .collect();
        println!("aws: changed everywhere, each pair: {slower:+.3?}");
        let cost = |spent: &[Spent]| median(spent.iter().map(of).collect());
        (
            median(slower) * PERCENT as f64,
            cost(&changed),
            cost(&plain),
        )
    };
    let (slower, changed_wall, plain_wall) = each(|spent| spent.wall.as_secs_f64());
    let (more, changed_cpu, plain_cpu) = each(|spent| spent.provider.cpu);
    table.row(vec![
        "changed everywhere, against a first version".to_owned(),
        format!(
            "{changed_wall:.2} s against {plain_wall:.2} s, {slower:+.1} %; client CPU {changed_cpu:.2} against {plain_cpu:.2} s, {more:+.1} % \
             (medians of {ROUNDS} pairs)"
        ),
        format!("at most +{SLOWER} %"),
        at_most(slower, SLOWER).to_owned(),
    ]);
    Ok(())
}

/// Killed when half of it was sent.
fn killed(builds: &Builds, size: u64, table: &mut Table) -> Result<()> {
    let servers = Servers::start(builds, 2 * size)?;
    let project = servers.counted("big")?;
    write_noise(&project.weights, size)?;
    let sent = || servers.counter.bytes();
    let arguments = ["apply", "-input=false", "-auto-approve"];
    project.workspace.kill(&arguments, || sent() >= size / 2)?;
    let before = sent();
    project.workspace.run(&arguments)?;
    let twice = sent().saturating_sub(size);
    project.compare()?;
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
