//! The demo on ECS: it ends with its line, is skipped by name, takes itself down when it is ended, and leaves nothing.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use mlops_acceptance::{builds, process, skip, wait};

/// A run of it.
struct Demo {
    make: Child,
    pid: i32,
    /// Where it works.
    place: PathBuf,
}

/// How a run ended.
struct Ended {
    status: ExitStatus,
    told: String,
    errors: String,
}

impl Ended {
    /// Why it was skipped, if it was.
    fn skipped(&self) -> Option<&str> {
        self.last().strip_prefix("demo-ecs: skipped: ")
    }

    fn last(&self) -> &str {
        self.told.lines().last().unwrap_or_default()
    }
}

/// Where runs work, each in a place that is named after its process.
fn places() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| "target".into());
    builds::root().join(target).join("demo-ecs")
}

impl Demo {
    fn start(path: Option<OsString>) -> Self {
        let mut command = Command::new("make");
        command.arg("demo-ecs").current_dir(builds::root());
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let make = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("make starts");
        let parent = i32::try_from(make.id()).expect("a process id");
        let script = builds::root().join("examples/ecs/demo");
        let demo = wait::for_some("the demo", Duration::from_secs(60), || {
            let mut children = process::children(parent).into_iter();
            children.find(|child| {
                let mut arguments = child.arguments.iter().map(Path::new);
                arguments.any(|argument| script.ends_with(argument))
            })
        });
        let place = places().join(demo.pid.to_string());
        Self {
            make,
            pid: demo.pid,
            place,
        }
    }

    /// Waits until it ended; nothing is left then.
    #[track_caller]
    fn end(self) -> Ended {
        let output = self.make.wait_with_output().expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ended = Ended {
            status: output.status,
            told: text(&output.stdout),
            errors: text(&output.stderr),
        };
        assert!(!self.place.exists(), "{} is left", self.place.display());
        assert_eq!(process::within(&self.place), []);
        ended
    }
}

#[test]
fn the_demo_on_ecs_ends_with_its_line_and_leaves_nothing() {
    let name = "the_demo_on_ecs_ends_with_its_line_and_leaves_nothing";
    // What a run left that was killed: its place, named after a process that cannot be, and somebody who works in it.
    let left = places().join(format!("9999{}", std::process::id()));
    fs::create_dir_all(left.join("ecs")).expect("a directory");
    let mut idle = Command::new("sleep")
        .arg("600")
        .current_dir(left.join("ecs"))
        .spawn()
        .expect("sleep starts");

    let ended = Demo::start(None).end();
    let stopped = idle.try_wait().expect("the status of sleep");
    let _ = idle.kill();
    assert!(
        stopped.is_some(),
        "a process of a run that was killed goes on"
    );
    assert!(!left.exists(), "{} is left", left.display());
    let (told, errors) = (&ended.told, &ended.errors);
    assert!(ended.status.success(), "{told}\n{errors}");
    if let Some(reason) = ended.skipped() {
        skip(name, reason);
        return;
    }
    let last = ended.last();
    assert!(last.starts_with("demo: ok accuracy_v1=0.88"), "{last}");
    for part in [
        "accuracy_v2=0.97",
        "failed=0",
        "refused=1",
        "rolled_back=1",
        "exposed=0.0000",
    ] {
        assert!(last.contains(part), "{last} lacks {part}");
    }
    // Why it was rolled back. Lines of an error are broken.
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["ended with status 80", "failed its golden request"] {
        assert!(words.contains(part), "not told: {part}\n{told}");
    }
}

#[test]
fn the_demo_on_ecs_takes_itself_down_when_it_is_ended() {
    let name = "the_demo_on_ecs_takes_itself_down_when_it_is_ended";
    let mut demo = Demo::start(None);
    // In the middle of an apply.
    let place = demo.place.clone();
    let applies = || {
        let within = process::within(&place);
        within.iter().any(process::Process::is_provider)
    };
    wait::until("it applies", Duration::from_secs(600), || {
        applies() || demo.make.try_wait().is_ok_and(|status| status.is_some())
    });
    // Not as Ctrl-C does: what is started in the background of a shell is deaf to it, as may be this test.
    process::terminate(demo.pid);
    let ended = demo.end();
    if let Some(reason) = ended.skipped() {
        skip(name, reason);
        return;
    }
    let (told, errors) = (&ended.told, &ended.errors);
    assert!(!ended.status.success(), "{told}\n{errors}");
    let last = ended.last();
    assert_eq!(
        last, "demo-ecs: ended by a signal; taking it down",
        "{told}"
    );
}

#[test]
fn the_demo_on_ecs_is_skipped_by_name_where_containers_cannot_run() {
    let programs = tempfile::tempdir().expect("a directory");
    // As on a machine that lets nobody make namespaces.
    let unshare = programs.path().join("unshare");
    fs::write(&unshare, "#!/bin/sh\necho 'refused here' >&2\nexit 1\n").expect("a script");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&unshare, executable).expect("a program");
    let mut path = programs.path().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").expect("PATH"));
    let ended = Demo::start(Some(path)).end();
    assert!(ended.status.success(), "{}\n{}", ended.told, ended.errors);
    let reason = ended.skipped().unwrap_or_default();
    assert!(reason.starts_with("missing: "), "{}", ended.told);
}
