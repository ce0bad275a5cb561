//! Where the binaries under test lie, and how Terraform finds the provider.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// Debug builds of the provider and of `mlops`, and a plugin directory with the provider in it.
#[derive(Debug)]
pub struct Builds {
    /// The checkout.
    pub root: PathBuf,
    /// The provider's binary.
    pub provider: PathBuf,
    /// The command `mlops`.
    pub cli: PathBuf,
    /// What `terraform init -plugin-dir` takes.
    pub plugins: PathBuf,
}

impl Builds {
    /// The builds, made once in this process. `MLOPS_PREBUILT=1` says that the binaries are already up to date.
    ///
    /// # Panics
    /// If they cannot be built.
    pub fn get() -> &'static Self {
        static BUILDS: OnceLock<Builds> = OnceLock::new();
        BUILDS.get_or_init(Self::make)
    }

    fn make() -> Self {
        let root = root();
        if env::var_os("MLOPS_PREBUILT").is_none() {
            let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args([
                    "build",
                    "--quiet",
                    "-p",
                    "terraform-provider-mlops",
                    "-p",
                    "mlops-cli",
                ])
                .current_dir(&root)
                .status()
                .expect("cannot run cargo");
            assert!(
                built.success(),
                "the provider and the command line do not build"
            );
        }
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        let provider = target.join("debug/terraform-provider-mlops");
        let cli = target.join("debug/mlops");
        for binary in [&provider, &cli] {
            assert!(
                binary.is_file(),
                "{} is missing: cargo build --workspace --bins",
                binary.display()
            );
        }
        let plugins = target.join("acceptance/plugins");
        install(&provider, &plugins);
        Self {
            root,
            provider,
            cli,
            plugins,
        }
    }
}

/// The checkout that this crate belongs to.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .find(|dir| dir.join("Cargo.lock").is_file())
        .unwrap_or_else(|| panic!("{} is not in the workspace", here.display()))
        .to_owned()
}

/// The word that Terraform has for this platform.
pub fn platform() -> String {
    let os = if env::consts::OS == "macos" {
        "darwin"
    } else {
        env::consts::OS
    };
    let arch = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}_{arch}")
}

/// Puts the provider where both engines look, under their default hosts.
fn install(provider: &Path, plugins: &Path) {
    for host in ["registry.terraform.io", "registry.opentofu.org"] {
        let dir = plugins
            .join(host)
            .join("mlops-rs/mlops/0.1.0")
            .join(platform());
        fs::create_dir_all(&dir)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", dir.display()));
        let place = dir.join("terraform-provider-mlops_v0.1.0");
        if is_newer(&place, provider) {
            continue;
        }
        // Other test processes may be running it: a new file takes its place.
        let new = dir.join(format!(".new-{}", std::process::id()));
        copy_stripped(provider, &new);
        fs::rename(&new, &place)
            .unwrap_or_else(|error| panic!("cannot move to {}: {error}", place.display()));
    }
}

/// Terraform hashes the provider at every command, and every registry keeps a copy as its server: without debug
/// information and names it is half the size.
fn copy_stripped(from: &Path, to: &Path) {
    let stripped = Command::new("strip").arg("-o").arg(to).arg(from).output();
    if !stripped.is_ok_and(|output| output.status.success()) {
        fs::copy(from, to)
            .unwrap_or_else(|error| panic!("cannot copy to {}: {error}", to.display()));
    }
}

fn is_newer(copy: &Path, original: &Path) -> bool {
    let modified = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    modified(copy) > modified(original)
}
