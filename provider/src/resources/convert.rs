//! Conversions that several resources need between attributes and the domain.
//!
//! Two rules hold throughout. Unknown defers: what is not wholly known yields `None`, and the caller
//! says nothing. Absent, null and empty have one representation each: a collection that the registry
//! holds empty is null in state, unless the user wrote an empty one.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tfplugin::validate::{self, Validator};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path, Value};

/// The value or its absence; `None` while it is unknown.
pub(crate) fn known<T: Clone>(attribute: &Attr<T>) -> Option<Option<T>> {
    match attribute {
        Attr::Known(value) => Some(Some(value.clone())),
        Attr::Null => Some(None),
        Attr::Unknown => None,
    }
}

/// A map whose elements may be unknown one by one, as where one of them comes from a resource.
pub(crate) type MapOf<T> = Attr<BTreeMap<String, Attr<T>>>;

/// A list or set whose elements may be unknown one by one.
pub(crate) type ListOf<T> = Attr<Vec<Attr<T>>>;

/// The map or its absence; `None` while any of it is unknown. Null elements are refused by
/// [`no_nulls`] before.
pub(crate) fn known_map<T: Clone>(map: &MapOf<T>) -> Option<Option<BTreeMap<String, T>>> {
    let Some(map) = known(map)? else {
        return Some(None);
    };
    let elements = map
        .into_iter()
        .map(|(key, value)| Some(known(&value)?.map(|value| (key, value))));
    let elements: Option<Vec<_>> = elements.collect();
    Some(Some(elements?.into_iter().flatten().collect()))
}

/// The same for a list or set.
pub(crate) fn known_list<T: Clone>(list: &ListOf<T>) -> Option<Option<Vec<T>>> {
    let Some(list) = known(list)? else {
        return Some(None);
    };
    let elements: Option<Vec<_>> = list.iter().map(known).collect();
    Some(Some(elements?.into_iter().flatten().collect()))
}

/// The rule that no element of a map, list or set is null: it would mean the same as leaving it out.
pub(crate) fn no_nulls() -> impl Validator {
    validate::check(|value| {
        let null = match value {
            Value::Map(elements) => elements.values().any(Value::is_null),
            Value::List(elements) | Value::Set(elements) => elements.iter().any(Value::is_null),
            _ => false,
        };
        if null {
            return Err("not have a null element: leave it out".into());
        }
        Ok(())
    })
}

/// A map converted entry by entry, empty where it is null; `None` while any entry is unknown.
pub(crate) fn entries<T, U>(
    map: &Attr<BTreeMap<String, T>>,
    convert: impl Fn(&T) -> Option<U>,
) -> Option<BTreeMap<String, U>> {
    match map {
        Attr::Known(map) => map
            .iter()
            .map(|(key, value)| Some((key.clone(), convert(value)?)))
            .collect(),
        Attr::Null => Some(BTreeMap::new()),
        Attr::Unknown => None,
    }
}

/// The enum whose serialised form is `word`.
pub(crate) fn word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(word.into()).ok()
}

/// The same for an attribute, with the default where it is null; `None` while it is unknown.
pub(crate) fn word_or_default<T: DeserializeOwned + Default>(
    attribute: &Attr<String>,
) -> Option<T> {
    match known(attribute)? {
        Some(text) => word(&text),
        None => Some(T::default()),
    }
}

/// The word for an enum, as users write it.
pub(crate) fn text<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        // Only unit variants are passed here, and their names are strings.
        _ => String::new(),
    }
}

/// A name that is known at this point, as the domain's type.
pub(crate) fn name<T>(attribute: &Attr<String>, field: &str) -> Result<T, Diagnostics>
where
    T: std::str::FromStr<Err = mlops_core::Error>,
{
    let text = attribute.require(Path::attribute(field))?;
    text.parse().map_err(|error: mlops_core::Error| {
        Diagnostic::error("Invalid name", format!("{error}."))
            .at(Path::attribute(field))
            .into()
    })
}

/// What changes between two maps: keys set or, with `None`, removed.
pub(crate) fn changed<T: Clone + PartialEq>(
    prior: &Option<BTreeMap<String, T>>,
    planned: &Option<BTreeMap<String, T>>,
) -> BTreeMap<String, Option<T>> {
    let empty = BTreeMap::new();
    let (prior, planned) = (
        prior.as_ref().unwrap_or(&empty),
        planned.as_ref().unwrap_or(&empty),
    );
    let removed = prior
        .keys()
        .filter(|key| !planned.contains_key(*key))
        .map(|key| (key.clone(), None));
    let set = planned
        .iter()
        .filter(|(key, value)| prior.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    removed.chain(set).collect()
}

/// Of all that is there, the keys that Terraform manages: those it last knew of.
pub(crate) fn managed<T: Clone>(there: &BTreeMap<String, T>, known: &MapOf<T>) -> MapOf<T> {
    let Some(known) = known.known() else {
        return Attr::Null;
    };
    let kept = there.iter().filter(|(key, _)| known.contains_key(*key));
    Attr::Known(
        kept.map(|(key, value)| (key.clone(), Attr::Known(value.clone())))
            .collect(),
    )
}

/// A collection for state: null if empty, unless the user wrote an empty one.
pub(crate) fn collection<T>(
    there: BTreeMap<String, T>,
    known: &Attr<BTreeMap<String, T>>,
) -> Attr<BTreeMap<String, T>> {
    if there.is_empty() && !known.is_known() {
        Attr::Null
    } else {
        Attr::Known(there)
    }
}

/// A map of plain elements for state: null if empty, unless the user wrote an empty one.
pub(crate) fn map_of<T>(there: BTreeMap<String, T>, known: &MapOf<T>) -> MapOf<T> {
    collection(elements(there), known)
}

/// The elements of a map, all known.
pub(crate) fn elements<T>(map: BTreeMap<String, T>) -> BTreeMap<String, Attr<T>> {
    map.into_iter()
        .map(|(key, value)| (key, Attr::Known(value)))
        .collect()
}

/// The same for a list or set.
pub(crate) fn list_of<T>(there: Vec<T>, known: Option<&ListOf<T>>) -> ListOf<T> {
    let written = known.is_some_and(Attr::is_known);
    if there.is_empty() && !written {
        Attr::Null
    } else {
        Attr::Known(there.into_iter().map(Attr::Known).collect())
    }
}

/// A value for state: null if it is the default, unless the user wrote the default.
pub(crate) fn unless_default<T: Default + PartialEq>(there: T, known: Option<&Attr<T>>) -> Attr<T> {
    let written = known.is_some_and(Attr::is_known);
    if there == T::default() && !written {
        Attr::Null
    } else {
        Attr::Known(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn only_keys_that_terraform_named_are_changed_or_shown() {
        let prior = Some(map(&[("team", "risk"), ("old", "1")]));
        let planned = Some(map(&[("team", "fraud"), ("new", "2")]));
        let changes = changed(&prior, &planned);
        assert_eq!(changes["old"], None);
        assert_eq!(changes["team"].as_deref(), Some("fraud"));
        assert_eq!(changes["new"].as_deref(), Some("2"));

        let there = map(&[("team", "risk"), ("added-by", "ci")]);
        let shown = managed(&there, &Attr::Known(elements(map(&[("team", "")]))));
        assert_eq!(shown, Attr::Known(elements(map(&[("team", "risk")]))));
        assert_eq!(managed(&there, &Attr::Null), Attr::Null);
    }

    #[test]
    fn unknown_defers_and_null_is_absent() {
        assert_eq!(known(&Attr::<u8>::Unknown), None);
        assert_eq!(known(&Attr::<u8>::Null), Some(None));
        let unknown = Attr::Known(BTreeMap::from([("a".to_owned(), Attr::<u8>::Unknown)]));
        assert_eq!(entries(&unknown, |value| known(value)?), None);
        assert_eq!(known_map(&unknown), None);
        assert_eq!(known_list(&Attr::Known(vec![Attr::<u8>::Unknown])), None);
        assert_eq!(known_map(&MapOf::<u8>::Null), Some(None));
    }

    #[test]
    fn an_empty_collection_is_null_unless_it_was_written() {
        assert_eq!(collection(map(&[]), &Attr::Null), Attr::Null);
        assert_eq!(
            collection(map(&[]), &Attr::Known(map(&[]))),
            Attr::Known(map(&[]))
        );
    }
}
