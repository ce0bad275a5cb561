//! A registry whose place is not known yet, because the same configuration makes it.

use async_trait::async_trait;
use mlops_core::records::{CommitError, Identity, Item, Key, Page, Range, Records, Write};
use mlops_core::{Error, Result};

/// Records of a store that does not exist, and of which nobody can tell where it will be. It reads as empty, as the port asks of
/// a store that is not there yet; so a plan of what is new is the one of a fresh registry, and what a state holds is missing.
///
/// Terraform configures a provider once more before an apply, after whatever its block refers to was made. So nothing is ever
/// written here.
#[derive(Debug)]
pub(crate) struct Unborn;

#[async_trait]
impl Records for Unborn {
    async fn identity(&self) -> Result<Option<Identity>> {
        Ok(None)
    }

    fn location(&self) -> String {
        "a place that is not known before apply, because this configuration makes or replaces what the provider's registry block \
         refers to (apply that first, by -target, if the registry itself stays)"
            .to_owned()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        Ok(vec![None; keys.len()])
    }

    async fn query(&self, _partition: &str, _range: Range) -> Result<Page> {
        Ok(Page::default())
    }

    async fn commit(&self, _writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        let error = Error::unavailable(
            "the place of the registry is not known, and nothing can be written to it; apply what makes it first",
        );
        Err(CommitError::Store(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    #[test]
    fn it_reads_as_empty_and_takes_nothing() {
        let key = Key::new("model#fraud", "model");
        assert_eq!(ready(Unborn.identity()).expect("read"), None);
        assert_eq!(
            ready(Unborn.get(&[key.clone(), key])).expect("read"),
            [None, None]
        );
        assert_eq!(
            ready(Unborn.query("models", Range::default())).expect("read"),
            Page::default()
        );
        let refused = ready(Unborn.commit(Vec::new()));
        assert!(
            matches!(refused, Err(CommitError::Store(error)) if error.to_string().contains("not known"))
        );
    }
}
