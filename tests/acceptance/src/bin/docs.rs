//! Writes the pages of `docs/` anew, from the provider's schema and the examples.

use std::fs;

use mlops_acceptance::{builds, docs};

fn main() {
    let root = builds::root();
    for (path, text) in docs::pages(&root) {
        let path = root.join("docs").join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .unwrap_or_else(|error| panic!("cannot make {}: {error}", parent.display()));
        }
        fs::write(&path, text)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
}
