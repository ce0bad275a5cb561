use super::*;

fn messages(rule: &dyn Validator, value: Value) -> Vec<String> {
    messages_in(rule, value, Value::Object(Default::default()), false)
}

fn messages_in(rule: &dyn Validator, value: Value, object: Value, sensitive: bool) -> Vec<String> {
    let path = Path::attribute("a");
    let mut problems = Diagnostics::new();
    rule.validate(
        &Subject {
            path: &path,
            value: &value,
            object: &object,
            sensitive,
        },
        &mut problems,
    );
    problems
        .iter()
        .map(|problem| problem.detail.clone())
        .collect()
}

#[test]
fn a_word_outside_the_list_is_refused_with_the_list() {
    assert_eq!(
        messages(&one_of(["x", "y"]), "z".into()),
        [r#"a must be one of x, y, but is "z"."#]
    );
    assert!(messages(&one_of(["x", "y"]), "y".into()).is_empty());
}

#[test]
fn a_sensitive_value_is_in_no_message() {
    let found = messages_in(&one_of(["x"]), "hunter2".into(), Value::Null, true);
    assert_eq!(found, ["a must be one of x."]);
}

#[test]
fn lengths_count_characters_not_bytes() {
    assert!(messages(&length(1..=2), "äö".into()).is_empty());
    assert_eq!(
        messages(&length(1..=2), "äöü".into()),
        [r#"a must have 1 to 2 characters, but is "äöü"."#]
    );
    assert_eq!(
        messages(&length(1..=usize::MAX), "".into()),
        [r#"a must have at least 1 character, but is ""."#]
    );
}

#[test]
fn a_class_has_ranges_and_single_characters() {
    let name = chars("A-Za-z0-9._-");
    assert!(messages(&name, "Fraud_v1.2-b".into()).is_empty());
    assert_eq!(
        messages(&name, "a/b".into()),
        [r#"a must consist of the characters A-Za-z0-9._-, but is "a/b"."#]
    );
    assert!(messages(&chars("-a"), "-a".into()).is_empty());
}

#[test]
fn bounds_belong_to_their_range() {
    for inside in [1_i64, 65535] {
        assert!(messages(&between(1, 65535), inside.into()).is_empty());
    }
    assert_eq!(
        messages(&between(1, 65535), 0_i64.into()),
        ["a must be between 1 and 65535, but is 0."]
    );
    assert_eq!(
        messages(&at_least(0), (-1_i64).into()),
        ["a must be at least 0, but is -1."]
    );
    assert_eq!(
        messages(&at_most(7), 8_i64.into()),
        ["a must be at most 7, but is 8."]
    );
    let half = Value::Number("0.5".parse().unwrap());
    assert_eq!(
        messages(&whole(), half),
        ["a must be a whole number, but is 0.5."]
    );
}

#[test]
fn keys_and_elements_are_each_named_in_the_message() {
    let map = Value::map([("ok", "x".into()), ("b d", Value::Unknown)]);
    assert_eq!(
        messages(&keys(chars("a-z")), map.clone()),
        [r#"a["b d"] must consist of the characters a-z, but is "b d"."#]
    );
    assert_eq!(
        messages(&each(one_of(["y"])), map),
        [r#"a["ok"] must be one of y, but is "x"."#]
    );
    assert_eq!(
        messages(&size(2..=3), Value::List(vec![Value::Null])),
        ["a must have 2 to 3 elements, but has 1."]
    );
}

#[test]
fn one_of_several_attributes_is_chosen_and_unknown_defers() {
    let rule = exactly_one_of(["x", "y"]);
    let set = |x: Value, y: Value| Value::object([("x", x), ("y", y)]);
    assert!(messages(&rule, set(1_i64.into(), Value::Null)).is_empty());
    assert_eq!(
        messages(&rule, set(1_i64.into(), 2_i64.into())),
        ["Only one of x, y may be set here, but x and y are."]
    );
    assert_eq!(
        messages(&rule, set(Value::Null, Value::Null)),
        ["Exactly one of x, y must be set here, but none is."]
    );
    assert!(messages(&rule, set(Value::Unknown, Value::Null)).is_empty());
    assert!(messages(&rule, set(Value::Unknown, 1_i64.into())).is_empty());
    assert!(messages(&at_most_one_of(["x", "y"]), set(Value::Null, Value::Null)).is_empty());
    assert_eq!(
        messages(&at_least_one_of(["x", "y"]), set(Value::Null, Value::Null)),
        ["At least one of x, y must be set here, but none is."]
    );
}

#[test]
fn neighbours_exclude_or_need_each_other_unless_unknown() {
    let with = |b: Value| Value::object([("b", b)]);
    let found = |rule: &dyn Validator, b: Value| messages_in(rule, "v".into(), with(b), false);
    assert_eq!(
        found(&conflicts_with(["b"]), 1_i64.into()),
        ["a and b cannot both be set."]
    );
    assert!(found(&conflicts_with(["b"]), Value::Null).is_empty());
    assert!(found(&conflicts_with(["b"]), Value::Unknown).is_empty());
    assert_eq!(
        found(&requires(["b"]), Value::Null),
        ["a needs b to be set as well."]
    );
    assert!(found(&requires(["b"]), 1_i64.into()).is_empty());
    assert!(found(&requires(["b"]), Value::Unknown).is_empty());
}

#[test]
fn json_and_durations_are_parsed() {
    assert!(messages(&json(), r#"{"a": [1]}"#.into()).is_empty());
    assert_eq!(
        messages(&json(), "{".into()),
        ["a must be a JSON document; line 1, column 1 is not."]
    );
    assert!(messages(&duration(), "1h30m".into()).is_empty());
    assert_eq!(
        messages(&duration(), "5".into()),
        [r#"a must be a duration such as "30s", "5m" or "1h30m", but is "5"."#]
    );
}

#[test]
fn a_function_can_be_a_rule() {
    let rule = check(|value| match value.as_str() {
        Some(text) if text.ends_with('/') => Ok(()),
        _ => Err("end with a slash".to_owned()),
    });
    assert!(messages(&rule, "x/".into()).is_empty());
    assert_eq!(
        messages(&rule, "x".into()),
        [r#"a must end with a slash, but is "x"."#]
    );
}
