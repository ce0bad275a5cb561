//! Room on a disk that nobody else cleans: what was not used for longest goes first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mlops_core::artifacts::Digest;

/// What a disk has for users without rights, in bytes: as `df` tells it, without what is reserved.
#[derive(Clone, Copy, Debug)]
struct Disk {
    total: u64,
    free: u64,
}

impl Disk {
    /// The one that `place` lies on.
    fn of(place: &Path) -> io::Result<Self> {
        let told = rustix::fs::statvfs(place)?;
        let used = told.f_blocks.saturating_sub(told.f_bfree);
        Ok(Self {
            total: (used + told.f_bavail).saturating_mul(told.f_frsize),
            free: told.f_bavail.saturating_mul(told.f_frsize),
        })
    }

    /// How many bytes have to go so that `percent` of it are free once `size` more are written.
    fn lacks(self, size: u64, percent: u8) -> u64 {
        let stays = self.total / 100 * u64::from(percent);
        stays.saturating_add(size).saturating_sub(self.free)
    }
}

/// A file that may go.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    used: SystemTime,
    size: u64,
}

/// What has to go so that a file fits.
#[derive(Debug)]
pub(super) struct Sweep {
    percent: u8,
    lacks: u64,
    goes: Vec<Kept>,
}

impl Sweep {
    /// For a file of this name and size. Of what was kept under that name nothing goes.
    pub(super) fn plan(place: &Path, name: &str, size: u64, percent: u8) -> io::Result<Self> {
        Self::on(Disk::of(place)?, place, name, size, percent)
    }

    /// What a file takes is counted by its size and not asked of the disk again: a disk may be slow to tell what became free, and then all would go.
    fn on(disk: Disk, place: &Path, name: &str, size: u64, percent: u8) -> io::Result<Self> {
        let mut sweep = Self {
            percent,
            lacks: disk.lacks(size, percent),
            goes: Vec::new(),
        };
        if sweep.lacks == 0 {
            return Ok(sweep);
        }
        for kept in by_use(place, name)? {
            if sweep.is_enough() {
                break;
            }
            sweep.goes.push(kept);
        }
        Ok(sweep)
    }

    /// Whether the file fits then.
    pub(super) fn is_enough(&self) -> bool {
        self.bytes() >= self.lacks
    }

    /// Why it is not kept.
    pub(super) fn refusal(&self) -> io::Error {
        let message = format!(
            "less than {} % of the disk would be free, of which models leave so much",
            self.percent
        );
        io::Error::new(io::ErrorKind::StorageFull, message)
    }

    /// Takes it away. Whoever reads one of them goes on; whoever comes too late fetches it.
    pub(super) fn run(self) -> io::Result<()> {
        if self.goes.is_empty() {
            return Ok(());
        }
        eprintln!(
            "mlops: takes away {} files ({} bytes) of other models, not used for longest, since {} % of the disk are to be free",
            self.goes.len(),
            self.bytes(),
            self.percent
        );
        for kept in &self.goes {
            match fs::remove_file(&kept.path) {
                // Another task was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.goes.iter().map(|kept| kept.size).sum()
    }
}

/// The files in `place` that are named by a digest, but for `name`: the one that was not used for longest comes first.
fn by_use(place: &Path, name: &str) -> io::Result<Vec<Kept>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let file = entry.file_name();
        let is_digest = file
            .to_str()
            .is_some_and(|file| format!("sha256:{file}").parse::<Digest>().is_ok());
        if !is_digest || file == name {
            continue;
        }
        // Not followed: what a link points to is not kept here.
        match entry.metadata() {
            Ok(about) if about.is_file() => found.push(Kept {
                path: entry.path(),
                used: about.modified()?,
                size: about.len(),
            }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A directory with files of ten bytes, of which the first was not used for longest.
    fn kept(names: &[&str]) -> tempfile::TempDir {
        let place = tempfile::tempdir().expect("a directory");
        for (seconds, name) in (1_000_000_u64..).zip(names) {
            let path = place.path().join(name);
            fs::write(&path, b"0123456789").expect("written");
            let file = fs::File::options().write(true).open(&path).expect("there");
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(used).expect("set");
        }
        place
    }

    fn name(of: &[u8]) -> String {
        Digest::of(of).hex()
    }

    fn there(place: &Path, names: &[String]) -> Vec<bool> {
        names.iter().map(|name| place.join(name).exists()).collect()
    }

    #[test]
    fn the_least_used_go_until_enough_of_the_disk_is_free_and_no_further() {
        let names = [b"c", b"a", b"b"].map(|of| name(of));
        let other = name(b"d");
        let place = kept(&[
            &names[0],
            "notes.txt",
            &names[1],
            ".unfinished-1",
            &names[2],
        ]);
        let place = place.path();
        let plan = |free: u64, for_whom: &str| {
            let disk = Disk { total: 200, free };
            Sweep::on(disk, place, for_whom, 10, 15).expect("planned")
        };
        // 30 of 200 stay free, and ten come.
        for (free, files) in [
            (100, 0),
            (40, 0),
            (39, 1),
            (30, 1),
            (29, 2),
            (11, 3),
            (0, 3),
        ] {
            assert_eq!(plan(free, &other).goes.len(), files, "{free}");
        }
        assert!(plan(10, &other).is_enough() && !plan(9, &other).is_enough());
        let refusal = plan(9, &other).refusal();
        assert_eq!(refusal.kind(), io::ErrorKind::StorageFull);
        assert!(refusal.to_string().contains("15 %"), "{refusal}");

        // What was kept of the file itself stays, though it was not used for longest.
        plan(30, &names[0]).run().expect("swept");
        assert_eq!(there(place, &names), [true, false, true]);
        plan(30, &other).run().expect("swept");
        assert_eq!(there(place, &names), [false, false, true]);
        let sweep = plan(0, &other);
        fs::remove_file(place.join(&names[2])).expect("another task was faster");
        sweep.run().expect("swept");
        let rest = ["notes.txt", ".unfinished-1"].map(str::to_owned);
        assert_eq!(there(place, &rest), [true, true], "no models");
    }

    #[test]
    fn a_disk_tells_what_it_has() {
        let place = tempfile::tempdir().expect("a directory");
        let disk = Disk::of(place.path()).expect("told");
        assert!(disk.total > 0 && disk.free <= disk.total, "{disk:?}");
        assert_eq!(disk.lacks(0, 0), 0);
        assert!(disk.lacks(1, 100) > 0, "there is a file on it");
        Disk::of(&place.path().join("missing")).expect_err("no such place");
    }
}
