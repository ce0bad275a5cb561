use super::*;
use crate::resources::convert::ListOf;

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    let entries = entries.iter();
    entries
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn tags(entries: &[(&str, &str)]) -> Tags {
    convert::elements(map(entries)).into()
}

fn texts(items: &[&str]) -> ListOf<String> {
    let items = items.iter().map(|item| Attr::Known((*item).to_owned()));
    Attr::Known(items.collect())
}

fn defaults(tags: Tags) -> Attr<DefaultTags> {
    Attr::Known(DefaultTags { tags })
}

fn ignoring(keys: &[&str], prefixes: &[&str]) -> Attr<IgnoreTags> {
    Attr::Known(IgnoreTags {
        keys: texts(keys),
        key_prefixes: texts(prefixes),
    })
}

fn rules(default: &[(&str, &str)], keys: &[&str], prefixes: &[&str]) -> TagRules {
    TagRules::new(defaults(tags(default)), ignoring(keys, prefixes), []).unwrap()
}

fn none() -> TagRules {
    TagRules::new(Attr::Null, Attr::Null, []).unwrap()
}

fn planned(rules: &TagRules, own: &Tags) -> Tags {
    rules
        .plan(&Context::detached(), own)
        .unwrap()
        .into_exposed()
}

#[test]
fn without_the_blocks_all_tags_are_the_resources_own() {
    assert_eq!(planned(&none(), &Attr::Null), tags(&[]));
    assert_eq!(planned(&none(), &Attr::Unknown), Attr::Unknown);
    let partly = Attr::Known(BTreeMap::from([("team".to_owned(), Attr::Unknown)]));
    assert_eq!(planned(&none(), &partly), partly);
    assert_eq!(
        planned(&none(), &tags(&[("team", "risk")])),
        tags(&[("team", "risk")])
    );
}

#[test]
fn a_resources_own_tags_lie_over_the_defaults() {
    let rules = rules(&[("team", "risk"), ("stage", "prod")], &[], &[]);
    assert_eq!(
        planned(&rules, &Attr::Null),
        tags(&[("stage", "prod"), ("team", "risk")])
    );
    let own = tags(&[("team", "fraud"), ("stage", "prod"), ("own", "1")]);
    assert_eq!(
        planned(&rules, &own),
        tags(&[("own", "1"), ("stage", "prod"), ("team", "fraud")])
    );
}

#[test]
fn one_unknown_default_leaves_all_tags_unknown() {
    let partly = Attr::Known(BTreeMap::from([
        ("team".to_owned(), Attr::Unknown),
        ("stage".to_owned(), Attr::Known("prod".to_owned())),
    ]));
    for default in [defaults(partly), defaults(Attr::Unknown), Attr::Unknown] {
        let rules = TagRules::new(default, Attr::Null, []).unwrap();
        assert_eq!(
            planned(&rules, &tags(&[("team", "fraud")])),
            Attr::Unknown,
            "{rules:?}"
        );
    }
    let rules = rules(&[("team", "risk")], &[], &[]);
    assert_eq!(planned(&rules, &Attr::Unknown), Attr::Unknown);
}

#[test]
fn ignored_keys_are_in_no_plan_and_configured_ones_are_warned_of() {
    let rules = rules(
        &[("team", "risk"), ("ci:run", "7")],
        &["seen"],
        &["ci:", "kubernetes.io/"],
    );
    let cx = Context::detached();
    let own = tags(&[("seen", "no"), ("own", "1"), ("ci", "kept")]);
    assert_eq!(
        rules.plan(&cx, &own).unwrap(),
        tags(&[("ci", "kept"), ("own", "1"), ("team", "risk")]).into()
    );
    rules.warn_of_ignored_defaults(&cx);
    let warnings: Vec<_> = cx.take_warnings().into_iter().collect();
    let texts: Vec<_> = warnings
        .iter()
        .map(|warning| warning.detail.as_str())
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].contains("tags names the tag \"seen\""),
        "{texts:?}"
    );
    assert!(
        texts[1].contains("default_tags names the tag \"ci:run\""),
        "{texts:?}"
    );
}

#[test]
fn too_many_tags_after_merging_name_both_sources() {
    let many = |range: std::ops::Range<usize>| {
        let keys = range.map(|n| (format!("key-{n}"), Attr::Known("x".to_owned())));
        Tags::Known(keys.collect())
    };
    let rules = TagRules::new(defaults(many(0..40)), ignoring(&["key-63"], &[]), []).unwrap();
    let cx = Context::detached();
    // 40 and 24 more, and one that is ignored.
    assert!(rules.plan(&cx, &many(30..65)).is_ok());
    let refused = rules.plan(&cx, &many(30..66)).unwrap_err();
    assert!(
        refused.detail.contains(
            "65 tags: 35 of the attribute tags, and 30 more of the provider's default_tags"
        ),
        "{}",
        refused.detail
    );
    // Too many by itself, whatever the defaults will be.
    let unknown = TagRules::new(defaults(Attr::Unknown), Attr::Null, []).unwrap();
    assert!(unknown.plan(&cx, &many(0..65)).is_err());
}

#[test]
fn what_others_added_is_not_shown_and_what_they_took_is_missed() {
    let rules = rules(&[("team", "risk"), ("stage", "prod")], &[], &[]);
    let there = map(&[("team", "theirs"), ("own", "1"), ("added-by", "ci")]);
    let held = rules.read(
        &there,
        &tags(&[("own", "1")]),
        &tags(&[("own", "1"), ("stage", "prod"), ("team", "risk")]).into(),
    );
    assert_eq!(held.tags, tags(&[("own", "1")]));
    assert_eq!(
        held.tags_all,
        tags(&[("own", "1"), ("team", "theirs")]).into()
    );

    let held = rules.read(&there, &Attr::Null, &AllTags::default());
    assert_eq!((held.tags, held.tags_all), (Attr::Null, tags(&[]).into()));
}

#[test]
fn an_ignored_key_is_not_read_and_stays_in_tags_as_it_was_written() {
    let rules = rules(&[], &["seen"], &[]);
    let there = map(&[("seen", "yes"), ("own", "1")]);
    let known = tags(&[("seen", "no"), ("own", "1")]);
    let held = rules.read(&there, &known, &known.clone().into());
    assert_eq!(held.tags, known);
    assert_eq!(held.tags_all, tags(&[("own", "1")]).into());
}

#[test]
fn an_import_takes_all_but_ignored_keys_and_leaves_defaults_out_of_tags() {
    let rules = rules(&[("team", "risk"), ("stage", "prod")], &["seen"], &["ci:"]);
    let there = map(&[
        ("team", "risk"),
        ("stage", "old"),
        ("seen", "yes"),
        ("ci:run", "7"),
    ]);
    let held = rules.imported(&there);
    assert_eq!(held.tags, tags(&[("stage", "old")]));
    assert_eq!(
        held.tags_all,
        tags(&[("stage", "old"), ("team", "risk")]).into()
    );
    assert_eq!(
        rules.imported(&map(&[("team", "risk")])).tags,
        Attr::Null,
        "nothing of its own is null, as a configuration without tags is"
    );
}

#[test]
fn a_key_that_is_ignored_from_now_on_is_not_removed() {
    let rules = rules(&[], &["seen"], &[]);
    let prior = tags(&[("seen", "yes"), ("old", "1")]).into();
    let planned = tags(&[("new", "2")]).into();
    let changes = rules.changed(&prior, &planned).unwrap();
    let expected = [
        ("new".to_owned(), Some("2".to_owned())),
        ("old".to_owned(), None),
    ];
    assert_eq!(changes, BTreeMap::from(expected));
    assert_eq!(rules.changed(&prior, &Tags::Unknown.into()), None);
}

#[test]
fn an_object_that_is_written_as_a_whole_keeps_what_others_added() {
    let rules = rules(&[], &["seen"], &[]);
    let there = map(&[("seen", "yes"), ("old", "1"), ("added-by", "ci")]);
    let prior = tags(&[("seen", "yes"), ("old", "1"), ("team", "risk")]).into();
    let merged = rules.merged(&there, &prior, &tags(&[("team", "risk")]).into());
    assert_eq!(
        merged,
        Some(map(&[
            ("added-by", "ci"),
            ("seen", "yes"),
            ("team", "risk")
        ]))
    );
}

#[test]
fn the_environment_adds_what_the_blocks_leave_out() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = [
        pair("TF_AWS_DEFAULT_TAGS_team", "theirs"),
        pair("TF_AWS_DEFAULT_TAGS_Cost Centre", "42"),
        pair("TF_AWS_IGNORE_TAGS_KEYS", "seen, last"),
        pair("TF_AWS_IGNORE_TAGS_KEY_PREFIXES", "ci:,"),
        pair("AWS_REGION", "eu-west-1"),
    ];
    let rules = TagRules::new(
        defaults(tags(&[("team", "risk")])),
        ignoring(&["own"], &[]),
        environment,
    )
    .unwrap();
    assert_eq!(
        planned(&rules, &Attr::Null),
        tags(&[("Cost Centre", "42"), ("team", "risk")])
    );
    let there = map(&[
        ("own", ""),
        ("seen", ""),
        ("last", ""),
        ("ci:run", ""),
        ("kept", ""),
    ]);
    assert_eq!(rules.shown(there), map(&[("kept", "")]));

    let refused =
        TagRules::new(Attr::Null, Attr::Null, [pair("TF_AWS_DEFAULT_TAGS_", "x")]).unwrap_err();
    let refused = refused.into_iter().next().unwrap().detail;
    assert!(
        refused.contains("TF_AWS_DEFAULT_TAGS_: a tag's key is empty"),
        "{refused}"
    );
}

#[test]
fn ignored_keys_must_be_known_at_plan() {
    let unknown = IgnoreTags {
        keys: Attr::Null,
        key_prefixes: Attr::Known(vec![Attr::Unknown]),
    };
    let refused = TagRules::new(Attr::Null, Attr::Known(unknown), []).unwrap_err();
    let refused = refused.into_iter().next().unwrap();
    assert!(
        refused
            .detail
            .starts_with("ignore_tags.key_prefixes must be known at plan"),
        "{}",
        refused.detail
    );
}
