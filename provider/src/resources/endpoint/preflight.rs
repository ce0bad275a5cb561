//! The endpoint's own block `preflight`, which stands above the provider's.

use tfplugin::schema::Block;
use tfplugin::{Attr, validate};

use crate::preflight::{self, Own};
use crate::resources::convert::{self, ListOf, no_nulls};

tfplugin::object! {
    /// The block `preflight`.
    pub(crate) struct Preflight {
        /// `error`, `warn` or `off`.
        pub(crate) mode: Attr<String>,
        /// Checks that are left out.
        pub(crate) skip: ListOf<String>,
    }
}

/// Declares the block.
pub(super) fn block() -> Block {
    Block::new()
        .describe(
            "What plans and applies look at around this endpoint, on ECS. What it says stands above the block of the same name in the provider, attribute by \
             attribute. It is no part of what is deployed.",
        )
        .validate(validate::at_least_one_of(["mode", "skip"]))
        .attribute(
            "mode",
            preflight::mode(
                "Default: the provider's. In plans the environment's `MLOPS_PREFLIGHT_MODE` stands above both.",
            ),
        )
        .attribute(
            "skip",
            preflight::skip()
                .validate(no_nulls())
                .describe(format!(
                    "Checks that are left out, in place of those that the provider leaves out: {}. An empty list leaves out none. Default: the provider's.",
                    preflight::names()
                )),
        )
}

/// What the block says; `None` while some of it is unknown.
pub(super) fn own(block: &Attr<Preflight>) -> Option<Own> {
    let Some(block) = convert::known(block)? else {
        return Some(Own::default());
    };
    Some(Own {
        mode: convert::known(&block.mode)?,
        skip: convert::known_list(&block.skip)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_says_nothing_yet() {
        assert_eq!(own(&Attr::Null), Some(Own::default()));
        assert_eq!(own(&Attr::Unknown), None);
        let block = |skip| {
            Attr::Known(Preflight {
                mode: "warn".to_owned().into(),
                skip: Attr::Known(vec![skip]),
            })
        };
        assert_eq!(own(&block(Attr::Unknown)), None);
        let read = own(&block("roles".to_owned().into())).expect("known");
        assert_eq!(read.mode.as_deref(), Some("warn"));
        assert_eq!(read.skip, Some(vec!["roles".to_owned()]));
    }
}
