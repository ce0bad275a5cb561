//! The blocks `default_tags` and `ignore_tags`, and what a tag may be.

use std::collections::BTreeMap;

use mlops_core::tags;
use tfplugin::schema::{Attribute, Block};
use tfplugin::types::Type;
use tfplugin::validate::{self, Subject, Validator};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path, Secret, Value};

use super::{Ignored, TagRules};
use crate::resources::convert::{self, ListOf, MapOf};

/// Tags by key.
pub(crate) type Tags = MapOf<String>;

/// `tags_all`. A value of `tags` may be sensitive, which Terraform does not tell, so all of them are hidden.
pub(crate) type AllTags = Secret<Tags>;

tfplugin::object! {
    /// The block `default_tags`.
    pub(crate) struct DefaultTags {
        /// Tags of every object.
        pub(crate) tags: Tags,
    }

    /// The block `ignore_tags`.
    pub(crate) struct IgnoreTags {
        /// Keys.
        pub(crate) keys: ListOf<String>,
        /// What keys begin with.
        pub(crate) key_prefixes: ListOf<String>,
    }
}

/// A default tag: `TF_AWS_DEFAULT_TAGS_team=risk`.
const DEFAULT: &str = "TF_AWS_DEFAULT_TAGS_";
/// Ignored keys, separated by commas.
const KEYS: &str = "TF_AWS_IGNORE_TAGS_KEYS";
/// Ignored prefixes, separated by commas.
const PREFIXES: &str = "TF_AWS_IGNORE_TAGS_KEY_PREFIXES";

/// Declares both blocks.
pub(crate) fn declare(block: Block) -> Block {
    block
        .single("default_tags", default_tags())
        .single("ignore_tags", ignore_tags())
}

fn default_tags() -> Block {
    Block::new()
        .describe(
            "Tags of every model, version and endpoint of this provider. A resource's own `tags` win where both name a key; \
             `tags_all` shows the result.",
        )
        .attribute(
            "tags",
            Attribute::map(Type::String)
                .optional()
                .validate(convert::no_nulls())
                .validate(legal())
                .describe(
                    "The tags. Environment: `TF_AWS_DEFAULT_TAGS_<key>` adds the keys that are not named here.",
                ),
        )
}

fn ignore_tags() -> Block {
    Block::new()
        .describe(
            "Tags that belong to others. They are never read, by resources, data sources and imports alike, and they are neither \
             set nor removed, even where `tags` or `default_tags` name them.",
        )
        .attribute(
            "keys",
            names("The keys, letter by letter. Environment: `TF_AWS_IGNORE_TAGS_KEYS` adds more, separated by commas."),
        )
        .attribute(
            "key_prefixes",
            names(
                "What the keys begin with. Environment: `TF_AWS_IGNORE_TAGS_KEY_PREFIXES` adds more, separated by commas.",
            ),
        )
}

fn names(what: &str) -> Attribute {
    Attribute::set(Type::String)
        .optional()
        .validate(convert::no_nulls())
        .validate(validate::each(validate::length(1..=tags::LONGEST_KEY)))
        .describe(what)
}

/// The rule for a map of tags.
pub(crate) fn legal() -> impl Validator {
    Legal
}

struct Legal;

impl Validator for Legal {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        let Value::Map(elements) = subject.value else {
            return;
        };
        for (key, value) in elements {
            let checked = tags::check_key(key).and_then(|()| match value.as_str() {
                Some(value) => tags::check_value(key, value),
                None => Ok(()),
            });
            if let Err(error) = checked {
                let detail = format!("{}: {error}.", subject.path);
                problems.push(Diagnostic::error("Invalid tag", detail).at(subject.path.clone()));
            }
        }
    }
}

/// See [`TagRules::new`].
pub(super) fn rules(
    default: Attr<DefaultTags>,
    ignore: Attr<IgnoreTags>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<TagRules, Diagnostics> {
    let path = Path::attribute("ignore_tags");
    let mut defaults = BTreeMap::new();
    let mut ignored = match ignore {
        Attr::Known(ignore) => Ignored {
            keys: listed(&ignore.keys, path.clone().then("keys"))?,
            prefixes: listed(&ignore.key_prefixes, path.then("key_prefixes"))?,
        },
        Attr::Null => Ignored::default(),
        Attr::Unknown => return Err(unknown(path)),
    };
    for (name, value) in environment {
        if let Some(key) = name.strip_prefix(DEFAULT) {
            let checked = tags::check_key(key).and_then(|()| tags::check_value(key, &value));
            checked.map_err(|error| {
                Diagnostic::error(
                    "Invalid tag",
                    format!("The environment variable {name}: {error}."),
                )
            })?;
            defaults.insert(key.to_owned(), value);
        } else if name == KEYS {
            ignored.keys.extend(separated(&value));
        } else if name == PREFIXES {
            ignored.prefixes.extend(separated(&value));
        }
    }
    let configured = match default {
        Attr::Known(default) => convert::known_map(&default.tags),
        Attr::Null => Some(None),
        Attr::Unknown => None,
    };
    let defaults = match configured {
        Some(configured) => {
            defaults.extend(configured.unwrap_or_default());
            Attr::Known(defaults)
        }
        None => Attr::Unknown,
    };
    Ok(TagRules { defaults, ignored })
}

fn separated(list: &str) -> impl Iterator<Item = String> + '_ {
    let items = list.split(',').map(str::trim);
    items.filter(|item| !item.is_empty()).map(str::to_owned)
}

fn listed(list: &ListOf<String>, path: Path) -> Result<Vec<String>, Diagnostics> {
    match convert::known_list(list) {
        Some(list) => Ok(list.unwrap_or_default()),
        None => Err(unknown(path)),
    }
}

fn unknown(path: Path) -> Diagnostics {
    let detail = format!(
        "{path} must be known at plan: what is read from the registry depends on it. Use a value that no resource of this \
         configuration computes."
    );
    Diagnostic::error("The ignored tags are not known", detail)
        .at(path)
        .into()
}
