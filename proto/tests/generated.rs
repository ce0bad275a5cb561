//! The checked-in code is what the protocol files generate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Compiles the protocol files into `out`, as the checked-in code was made.
fn generate(crate_root: &Path, out: &Path) {
    // An RPC of the provider that a server leaves out answers UNIMPLEMENTED, which is what core expects
    // of one; go-plugin's services are served whole.
    for (file, default_stubs) in [
        ("tfplugin6.proto", true),
        ("plugin.proto", false),
        ("health.proto", false),
    ] {
        let descriptors =
            protox::compile([file], [crate_root]).expect("the protocol file compiles");
        tonic_prost_build::configure()
            .build_transport(false)
            .emit_rerun_if_changed(false)
            .generate_default_stubs(default_stubs)
            .out_dir(out)
            .compile_fds(descriptors)
            .expect("code generation succeeds");
    }
}

fn read_all(dir: &Path) -> BTreeMap<PathBuf, String> {
    fs::read_dir(dir)
        .expect("the directory of generated code is there")
        .map(|entry| entry.expect("a readable entry").path())
        .map(|path| {
            let text = fs::read_to_string(&path).expect("generated code is text");
            (PathBuf::from(path.file_name().expect("a file name")), text)
        })
        .collect()
}

#[test]
fn generated_code_matches_the_protocol_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked_in = root.join("src/gen");
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&checked_in).expect("src/gen can be made");
        generate(root, &checked_in);
        return;
    }

    let fresh = tempfile::tempdir().expect("a temporary directory");
    generate(root, fresh.path());
    let (want, have) = (read_all(fresh.path()), read_all(&checked_in));
    assert_eq!(
        want.keys().collect::<Vec<_>>(),
        have.keys().collect::<Vec<_>>(),
        "src/gen holds other files than the protocol generates; run UPDATE=1 cargo test -p tfplugin-proto",
    );
    for (name, text) in &want {
        assert!(
            have[name] == *text,
            "src/gen/{} is out of date; run UPDATE=1 cargo test -p tfplugin-proto",
            name.display(),
        );
    }
}
