//! The provider's word on tags: `default_tags` and `ignore_tags`, with the names, the meaning and the environment variables of
//! the AWS provider. Everything here is a pure function of what the blocks say.

mod declare;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use mlops_core::tags::MOST;
use tfplugin::{Attr, Context, Diagnostic, Diagnostics, Path};

use crate::resources::convert;
pub(crate) use declare::{AllTags, DefaultTags, IgnoreTags, Tags, declare, legal};

/// Default tags and ignored keys.
#[derive(Debug)]
pub(crate) struct TagRules {
    /// Unknown as a whole while any of them is.
    defaults: Attr<BTreeMap<String, String>>,
    ignored: Ignored,
}

/// Keys that belong to others: never read, set or removed.
#[derive(Debug, Default)]
struct Ignored {
    keys: Vec<String>,
    prefixes: Vec<String>,
}

impl Ignored {
    fn holds(&self, key: &str) -> bool {
        self.keys.iter().any(|ignored| ignored == key)
            || self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }
}

/// The two attributes of a resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    /// `tags`: what the resource's own configuration says.
    pub(crate) tags: Tags,
    /// `tags_all`: what Terraform manages.
    pub(crate) tags_all: AllTags,
}

impl TagRules {
    /// Reads the blocks, and what the environment adds to them.
    ///
    /// # Errors
    /// A tag that may not be one, or ignored keys that are not known yet: what is read depends on them.
    pub(crate) fn new(
        default: Attr<DefaultTags>,
        ignore: Attr<IgnoreTags>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Diagnostics> {
        declare::rules(default, ignore, environment)
    }

    /// `tags_all` for these `tags`, with a warning for each key that is configured and ignored.
    ///
    /// # Errors
    /// More tags than an object takes.
    pub(crate) fn plan(&self, cx: &Context, tags: &Tags) -> Result<AllTags, Diagnostic> {
        for key in self.ignored_of(tags.known().into_iter().flat_map(BTreeMap::keys)) {
            cx.warn(ignored_key(key, "tags").at(Path::attribute("tags").key(key)));
        }
        self.check_count(tags)?;
        Ok(self.all(tags).into())
    }

    /// Warns of default tags that are ignored: they are never set.
    pub(crate) fn warn_of_ignored_defaults(&self, cx: &Context) {
        for key in self.ignored_of(self.defaults.known().into_iter().flat_map(BTreeMap::keys)) {
            cx.warn(ignored_key(key, "default_tags"));
        }
    }

    /// The default tags, overlaid by `tags`, without ignored keys.
    fn all(&self, tags: &Tags) -> Tags {
        let (Attr::Known(_) | Attr::Null, Attr::Known(_) | Attr::Null) = (&self.defaults, tags)
        else {
            return Attr::Unknown;
        };
        let defaults = self.defaults.known().cloned().unwrap_or_default();
        let mut all = convert::elements(defaults);
        all.extend(tags.known().cloned().unwrap_or_default());
        all.retain(|key, _| !self.ignored.holds(key));
        Attr::Known(all)
    }

    /// Counts what is certain to come together.
    fn check_count(&self, tags: &Tags) -> Result<(), Diagnostic> {
        let counted = |key: &&String| !self.ignored.holds(key);
        let own = tags.known().into_iter().flat_map(BTreeMap::keys);
        let own = own.filter(counted).count();
        let defaults = self.defaults.known().into_iter().flat_map(BTreeMap::keys);
        let more = defaults
            .filter(counted)
            .filter(|key| !tags.known().is_some_and(|tags| tags.contains_key(*key)))
            .count();
        let count = own + more;
        if count <= MOST {
            return Ok(());
        }
        let detail = format!(
            "There are {count} tags: {own} of the attribute tags, and {more} more of the provider's default_tags. An object takes at \
             most {MOST}. Take some out of either."
        );
        Err(Diagnostic::error("Too many tags", detail).at(Path::attribute("tags")))
    }

    /// What the attributes say of the tags that are `there`, where they last said `tags` and `all`: keys that others added are
    /// not shown. An ignored key that the configuration names stays in `tags` as it was written, so that it is never a change.
    pub(crate) fn read(
        &self,
        there: &BTreeMap<String, String>,
        tags: &Tags,
        all: &AllTags,
    ) -> Held {
        let mut seen = convert::managed(there, tags);
        if let (Attr::Known(seen), Attr::Known(written)) = (&mut seen, tags) {
            seen.retain(|key, _| !self.ignored.holds(key));
            let kept = written.iter().filter(|(key, _)| self.ignored.holds(key));
            seen.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
        }
        let mut managed = convert::managed(there, all.expose())
            .into_known()
            .unwrap_or_default();
        managed.retain(|key, _| !self.ignored.holds(key));
        Held {
            tags: seen,
            tags_all: Tags::Known(managed).into(),
        }
    }

    /// The same for an object of which nothing was known: all that is there becomes Terraform's, and what the defaults account
    /// for is not the resource's own.
    pub(crate) fn imported(&self, there: &BTreeMap<String, String>) -> Held {
        let there = self.shown(there.clone());
        let defaults = self.defaults.known();
        let is_default = |key: &String, value: &String| {
            defaults.is_some_and(|defaults| defaults.get(key) == Some(value))
        };
        let mut own = there.clone();
        own.retain(|key, value| !is_default(key, value));
        Held {
            tags: if own.is_empty() {
                Attr::Null
            } else {
                convert::elements(own).into()
            },
            tags_all: Tags::Known(convert::elements(there)).into(),
        }
    }

    /// What to set and what to remove between two values of `tags_all`; `None` while one of them is unknown. A key that is
    /// ignored since the prior value was stored is left alone.
    pub(crate) fn changed(
        &self,
        prior: &AllTags,
        planned: &AllTags,
    ) -> Option<BTreeMap<String, Option<String>>> {
        let mut changes = convert::changed(&known(prior)?, &known(planned)?);
        changes.retain(|key, _| !self.ignored.holds(key));
        Some(changes)
    }

    /// The tags of an object that is written as a whole, where `there` is what it has; `None` while something is unknown.
    pub(crate) fn merged(
        &self,
        there: &BTreeMap<String, String>,
        prior: &AllTags,
        planned: &AllTags,
    ) -> Option<BTreeMap<String, String>> {
        let mut merged = there.clone();
        for (key, change) in self.changed(prior, planned)? {
            if change.is_none() {
                merged.remove(&key);
            }
        }
        merged.extend(known(planned)?.unwrap_or_default());
        Some(merged)
    }

    /// What a data source shows of an object's tags: all but the ignored ones.
    pub(crate) fn shown(&self, mut there: BTreeMap<String, String>) -> BTreeMap<String, String> {
        there.retain(|key, _| !self.ignored.holds(key));
        there
    }

    fn ignored_of<'a>(
        &'a self,
        keys: impl Iterator<Item = &'a String>,
    ) -> impl Iterator<Item = &'a String> {
        keys.filter(|key| self.ignored.holds(key))
    }
}

/// The tags of a wholly known `tags_all`, for an object that is created.
pub(crate) fn to_set(tags_all: &AllTags) -> Option<BTreeMap<String, String>> {
    Some(known(tags_all)?.unwrap_or_default())
}

fn known(tags_all: &AllTags) -> Option<Option<BTreeMap<String, String>>> {
    convert::known_map(tags_all.expose())
}

fn ignored_key(key: &str, attribute: &str) -> Diagnostic {
    Diagnostic::warning(
        "A configured tag is ignored",
        format!(
            "{attribute} names the tag {key:?}, and the provider's ignore_tags leaves it to others: it is neither set nor \
             removed. Take it out of one of the two."
        ),
    )
}
