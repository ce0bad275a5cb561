//! The container image that `make image` writes, made of a file that stands for the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::{Ended, builds};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a command printed.
fn said(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// The image and its SBOM, written to `to`; what the script prints.
fn write(to: &Path, architecture: &str) -> String {
    let program = to.join("program");
    let certificates = to.join("certificates");
    fs::write(&program, b"no program at all").expect("a file is written");
    fs::write(&certificates, b"no certificates").expect("a file is written");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let script = builds::root().join("scripts/parts/image.py");
    let mut command = Command::new("python3");
    command
        .arg(script)
        .args(["--target", &target, "--architecture", architecture]);
    said(
        command
            .arg("--binary")
            .arg(&program)
            .arg("--certificates")
            .arg(&certificates)
            .arg("--to")
            .arg(to),
    )
}

/// An unpacked image.
struct Layout {
    dir: TempDir,
}

impl Layout {
    fn of(image: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        said(
            Command::new("tar")
                .arg("-xf")
                .arg(image)
                .arg("-C")
                .arg(dir.path()),
        );
        Self { dir }
    }

    fn json(&self, path: &str) -> Value {
        let text =
            fs::read(self.dir.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_slice(&text).expect("JSON")
    }

    /// Where the blob of this descriptor lies, once its digest and its size are known to be right.
    fn blob(&self, descriptor: &Value) -> PathBuf {
        let digest = descriptor["digest"].as_str().expect("a digest");
        let hex = digest.strip_prefix("sha256:").expect("SHA-256");
        let path = self.dir.path().join("blobs/sha256").join(hex);
        assert_eq!(sha256(&format!("cat {}", path.display())), hex);
        assert_eq!(
            fs::metadata(&path).expect("a blob").len(),
            descriptor["size"].as_u64().expect("a size")
        );
        path
    }
}

/// The SHA-256 of what a shell command prints.
fn sha256(shell: &str) -> String {
    let line =
        said(Command::new("bash").args(["-c", &format!("set -o pipefail; {shell} | sha256sum")]));
    line.split(' ').next().expect("a digest").to_owned()
}

#[test]
fn an_image_holds_a_program_certificates_and_a_volume_and_the_same_inputs_make_the_same_one() {
    let version = env!("CARGO_PKG_VERSION");
    let (one, two) = (
        tempfile::tempdir().expect("a directory"),
        tempfile::tempdir().expect("a directory"),
    );
    let printed = write(one.path(), "amd64");
    let again = write(two.path(), "amd64");
    let digest = |printed: &str| {
        printed
            .lines()
            .find(|line| line.starts_with("digest: "))
            .map(str::to_owned)
    };
    assert_eq!(digest(&printed), digest(&again));
    let name = format!("mlops-{version}-linux-amd64");
    let image = one.path().join(format!("{name}.tar"));
    let bytes = |dir: &TempDir| fs::read(dir.path().join(format!("{name}.tar"))).expect("an image");
    assert!(bytes(&one) == bytes(&two), "the same bytes");

    let layout = Layout::of(&image);
    assert_eq!(
        layout.json("oci-layout"),
        json!({"imageLayoutVersion": "1.0.0"})
    );
    let descriptor = layout.json("index.json")["manifests"][0].clone();
    assert_eq!(
        digest(&printed),
        Some(format!(
            "digest: {}",
            descriptor["digest"].as_str().expect("a digest")
        ))
    );
    let manifest = fs::read(layout.blob(&descriptor)).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let config = fs::read(layout.blob(&manifest["config"])).expect("a configuration");
    let config: Value = serde_json::from_slice(&config).expect("JSON");
    let runs = &config["config"];
    assert_eq!(runs["User"], "10001:10001");
    assert_eq!(
        (&runs["Entrypoint"], &runs["Cmd"]),
        (&json!(["/mlops"]), &json!(["serve", "--task"]))
    );
    assert_eq!(runs["Volumes"], json!({"/models": {}}));

    let mut held = String::new();
    let layers = manifest["layers"].as_array().expect("layers");
    let plain = config["rootfs"]["diff_ids"].as_array().expect("digests");
    assert_eq!(layers.len(), plain.len());
    for (layer, plain) in layers.iter().zip(plain) {
        let path = layout.blob(layer);
        assert_eq!(
            plain,
            &json!(format!(
                "sha256:{}",
                sha256(&format!("gzip -dc {}", path.display()))
            ))
        );
        held += &said(
            Command::new("tar")
                .args(["--numeric-owner", "-tvzf"])
                .arg(&path),
        );
    }
    for entry in [
        "drwxr-xr-x 10001/10001 cache/",
        "drwxr-xr-x 10001/10001 models/",
        "-rwxr-xr-x 0/0 mlops",
        "-rw-r--r-- 0/0 etc/ssl/certs/ca-certificates.crt",
    ] {
        let (about, name) = entry.rsplit_once(' ').expect("a name");
        let told = held
            .lines()
            .any(|line| line.starts_with(about) && line.ends_with(&format!(" {name}")));
        assert!(told, "no {entry} in:\n{held}");
    }
    let files = held.lines().filter(|line| line.starts_with('-')).count();
    assert_eq!(files, 2, "{held}");

    // A docker that reads no layouts finds the same blobs.
    let docker = layout.json("manifest.json")[0].clone();
    assert_eq!(docker["RepoTags"], json!([format!("mlops:{version}")]));
    let named = |digest: &Value| {
        json!(
            digest
                .as_str()
                .expect("a digest")
                .replace("sha256:", "blobs/sha256/")
        )
    };
    assert_eq!(docker["Config"], named(&manifest["config"]["digest"]));
    let layers: Vec<Value> = layers.iter().map(|layer| named(&layer["digest"])).collect();
    assert_eq!(docker["Layers"], json!(layers));

    let sbom = fs::read(one.path().join(format!("{name}.cdx.json"))).expect("an SBOM");
    let sbom: Value = serde_json::from_slice(&sbom).expect("JSON");
    let components = sbom["components"].as_array().expect("components");
    let has = |name: &str| components.iter().any(|component| component["name"] == name);
    for (name, inside) in [
        ("tract-onnx", true),
        ("aws-sdk-s3", true),
        ("tonic", false),
        ("proptest", false),
    ] {
        assert_eq!(has(name), inside, "{name}");
    }
    for component in components {
        let licence = &component["licenses"][0]["expression"];
        assert!(licence.is_string(), "{component}");
    }
    // Ours are in it, too.
    assert!(has("mlops-serve"), "{components:?}");
}

#[test]
fn an_image_of_two_architectures_is_pushed_once_and_named_by_its_digest() {
    let name = "an_image_of_two_architectures_is_pushed_once_and_named_by_its_digest";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let registry = world.part.url.trim_start_matches("http://");
    let repository = format!("{registry}/a/mlops");
    let work = world.workspace("");
    // What `make image` writes where it is run, on each of two machines.
    let built = work.path("target/image");
    fs::create_dir_all(&built).expect("a directory");
    let single = ["amd64", "arm64"].map(|architecture| {
        let printed = write(&built, architecture);
        let line = printed
            .lines()
            .find_map(|line| line.strip_prefix("digest: "));
        line.expect("a digest").to_owned()
    });
    let push = |more: &[&str]| {
        let to = ["image", "push", "--to", &repository];
        work.mlops(to.iter().chain(more))
    };
    let refused = push(&[]);
    assert_eq!(refused.status.code(), Some(3), "{}", refused.story());
    assert!(
        refused.story().contains("there is no repository a/mlops"),
        "{}",
        refused.story()
    );

    let repositories = json!({"repositoryName": "a/mlops"});
    assert_eq!(world.ecr("CreateRepository", &repositories).status, 200);
    // What it says of pieces is on standard error, and among it here.
    let named = |ended: &Ended| {
        let mut lines = ended.succeeded().output.lines();
        let line = lines.find(|line| line.starts_with(&repository));
        line.unwrap_or_default().to_owned()
    };
    let first = push(&[]);
    let pinned = named(&first);
    assert!(
        pinned.starts_with(&format!("{repository}@sha256:")),
        "{pinned}"
    );
    let image = work.ask(
        "mlops_image",
        &format!("uri = \"{repository}:{}\"", env!("CARGO_PKG_VERSION")),
    );
    assert_eq!(image.text("/id"), pinned);
    assert_eq!(
        *image.get("/platforms"),
        json!(["linux/amd64", "linux/arm64"])
    );

    let again = push(&[]);
    assert_eq!(named(&again), pinned);
    let told = again.story();
    assert!(
        told.contains(" is there") && !told.contains(" sent, "),
        "{told}"
    );

    // One of them alone has the digest that it was built with.
    let file = format!(
        "target/image/mlops-{}-linux-arm64.tar",
        env!("CARGO_PKG_VERSION")
    );
    let one = push(&["--from", &file]);
    assert_eq!(named(&one), format!("{repository}@{}", single[1]));

    for (arguments, said) in [
        (vec!["--from", "Cargo.toml"], "cannot be read"),
        (
            vec!["--from", "target/image/program"],
            "is no image that `make image` writes",
        ),
    ] {
        let refused = push(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{}", refused.story());
        assert!(refused.story().contains(said), "{}", refused.story());
    }
}
