//! A registry on a part, for tests in which its names do not matter.

use super::{Part, provider};
use crate::Workspace;

/// Its table.
pub const TABLE: &str = "acme-mlops";
/// Its bucket.
pub const BUCKET: &str = "acme-models";
/// With which `mlops` finds it.
pub const OPTIONS: [&str; 5] = ["--table", TABLE, "--bucket", BUCKET, "--s3-use-path-style"];

impl Part {
    /// Makes its table and its bucket.
    ///
    /// # Panics
    /// If the part refuses.
    pub fn make_registry(&self) {
        self.make_table(TABLE);
        self.make_bucket(BUCKET);
    }
}

/// A workspace on the registry that is reached at this URL, with `more` in its provider block.
#[must_use]
pub fn workspace(url: &str, more: &str) -> Workspace {
    let registry = format!("table = {TABLE:?}\n    bucket = {BUCKET:?}");
    let mut work = Workspace::new();
    work.provider(&format!("{}\n  {more}", provider(url, &registry)));
    work
}
