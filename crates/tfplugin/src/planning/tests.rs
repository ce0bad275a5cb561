use super::*;
use crate::schema::{Attribute, Block, Nested, Nesting};
use crate::types::Type;

fn schema() -> Block {
    Block::new()
        .attribute("name", Attribute::string().required().requires_replace())
        .attribute("id", Attribute::string().computed().use_state_for_unknown())
        .attribute("etag", Attribute::string().computed())
        .attribute("size", Attribute::number().default(5))
        .attribute("region", Attribute::string().optional().computed())
        .attribute("secret", Attribute::string().optional().write_only())
        .attribute(
            "variants",
            Attribute::map_nested(
                Nested::new()
                    .attribute("traffic", Attribute::number().default(100))
                    .attribute("revision", Attribute::string().computed())
                    .attribute("model", Attribute::string().optional().requires_replace()),
            )
            .optional(),
        )
        .single(
            "local",
            Block::new().attribute("port", Attribute::number().optional().computed()),
        )
        .nested(
            "rule",
            Nesting::List,
            Block::new().attribute("path", Attribute::string().optional()),
        )
}

fn value(of: &Block, fields: &[(&str, Value)]) -> Value {
    let mut value = of
        .object_type()
        .conform(Value::object(fields.iter().cloned()))
        .unwrap();
    if let Value::Object(fields) = &mut value
        && fields.get("rule") == Some(&Value::Null)
    {
        fields.insert("rule".into(), Value::List(Vec::new()));
    }
    value
}

#[test]
fn a_create_leaves_computed_values_unknown_and_fills_defaults() {
    let of = schema();
    let config = value(&of, &[("name", "a".into())]);
    let plan = propose(&of, &config, &Value::Null, config.clone());
    assert_eq!(plan.state.field("id"), &Value::Unknown);
    assert_eq!(plan.state.field("region"), &Value::Unknown);
    assert_eq!(plan.state.field("size"), &5_i64.into());
    assert_eq!(plan.state.field("variants"), &Value::Null);
    assert_eq!(plan.state.field("local"), &Value::Null);
    assert!(plan.requires_replace.is_empty());
}

#[test]
fn an_unchanged_configuration_plans_exactly_the_prior_state() {
    let of = schema();
    let config = value(&of, &[("name", "a".into()), ("secret", "hunter2".into())]);
    let prior = value(
        &of,
        &[
            ("name", "a".into()),
            ("id", "1".into()),
            ("etag", "e".into()),
            ("size", 5_i64.into()),
            ("region", "r".into()),
        ],
    );
    let proposed = value(
        &of,
        &[
            ("name", "a".into()),
            ("id", "1".into()),
            ("etag", "e".into()),
            ("size", 5_i64.into()),
            ("region", "r".into()),
            ("secret", "hunter2".into()),
        ],
    );
    let plan = propose(&of, &config, &prior, proposed);
    assert_eq!(plan.state, prior);
    assert!(plan.requires_replace.is_empty());
}

#[test]
fn any_change_makes_computed_values_unknown_except_those_kept_from_state() {
    let of = schema();
    let config = value(&of, &[("name", "a".into()), ("size", 7_i64.into())]);
    let prior = value(
        &of,
        &[
            ("name", "a".into()),
            ("id", "1".into()),
            ("etag", "e".into()),
            ("size", 5_i64.into()),
            ("region", "r".into()),
        ],
    );
    let proposed = value(
        &of,
        &[
            ("name", "a".into()),
            ("id", "1".into()),
            ("etag", "e".into()),
            ("size", 7_i64.into()),
            ("region", "r".into()),
        ],
    );
    let plan = propose(&of, &config, &prior, proposed);
    assert_eq!(plan.state.field("id"), &"1".into());
    assert_eq!(plan.state.field("etag"), &Value::Unknown);
    assert_eq!(plan.state.field("size"), &7_i64.into());
    assert!(plan.requires_replace.is_empty());
}

#[test]
fn a_removed_value_goes_back_to_its_default() {
    let of = schema();
    let config = value(&of, &[("name", "a".into())]);
    let prior = value(&of, &[("name", "a".into()), ("size", 7_i64.into())]);
    // Core proposes the prior value, because the attribute is computed and not configured.
    let plan = propose(&of, &config, &prior, prior.clone());
    assert_eq!(plan.state.field("size"), &5_i64.into());
}

#[test]
fn a_changed_name_replaces_and_names_its_path() {
    let of = schema();
    let config = value(&of, &[("name", "b".into())]);
    let prior = value(
        &of,
        &[
            ("name", "a".into()),
            ("id", "1".into()),
            ("size", 5_i64.into()),
        ],
    );
    let proposed = value(
        &of,
        &[
            ("name", "b".into()),
            ("id", "1".into()),
            ("size", 5_i64.into()),
        ],
    );
    let plan = propose(&of, &config, &prior, proposed);
    assert_eq!(plan.requires_replace, [Path::attribute("name")]);
}

#[test]
fn nested_objects_get_defaults_unknowns_and_modifiers_by_key() {
    let of = schema();
    let variant = |fields: &[(&str, Value)]| {
        let of = Type::object([
            ("traffic", Type::Number),
            ("revision", Type::String),
            ("model", Type::String),
        ]);
        of.conform(Value::object(fields.iter().cloned())).unwrap()
    };
    let config = value(
        &of,
        &[
            ("name", "a".into()),
            (
                "variants",
                Value::map([("x", variant(&[("model", "new".into())]))]),
            ),
        ],
    );
    let prior = value(
        &of,
        &[
            ("name", "a".into()),
            ("size", 5_i64.into()),
            (
                "variants",
                Value::map([(
                    "x",
                    variant(&[
                        ("model", "old".into()),
                        ("traffic", 100_i64.into()),
                        ("revision", "r".into()),
                    ]),
                )]),
            ),
        ],
    );
    let proposed = value(
        &of,
        &[
            ("name", "a".into()),
            (
                "variants",
                Value::map([(
                    "x",
                    variant(&[
                        ("model", "new".into()),
                        ("traffic", 100_i64.into()),
                        ("revision", "r".into()),
                    ]),
                )]),
            ),
        ],
    );
    let plan = propose(&of, &config, &prior, proposed);
    let path = Path::attribute("variants").key("x");
    assert_eq!(
        path.clone().then("traffic").find(&plan.state),
        Some(&100_i64.into())
    );
    assert_eq!(
        path.clone().then("revision").find(&plan.state),
        Some(&Value::Unknown)
    );
    assert_eq!(plan.requires_replace, [path.then("model")]);
}

#[test]
fn inside_a_configured_block_computed_values_are_unknown_and_an_unknown_block_stays_so() {
    let of = schema();
    let config = value(
        &of,
        &[
            ("name", "a".into()),
            ("local", Value::object([("port", Value::Null)])),
            ("variants", Value::Unknown),
        ],
    );
    let plan = propose(&of, &config, &Value::Null, config.clone());
    assert_eq!(
        plan.state.field("local"),
        &Value::object([("port", Value::Unknown)])
    );
    assert_eq!(plan.state.field("variants"), &Value::Unknown);
}

#[test]
fn write_only_values_are_never_planned() {
    let of = schema();
    let config = value(&of, &[("name", "a".into()), ("secret", "hunter2".into())]);
    let plan = propose(&of, &config, &Value::Null, config.clone());
    assert_eq!(plan.state.field("secret"), &Value::Null);
}

#[test]
fn an_author_may_leave_collections_of_blocks_null() {
    let of = schema();
    let mut state = of
        .object_type()
        .conform(Value::object([("secret", Value::from("hunter2"))]))
        .unwrap();
    normalize(&of, &mut state);
    assert_eq!(state.field("rule"), &Value::List(Vec::new()));
    assert_eq!(state.field("local"), &Value::Null);
    assert_eq!(state.field("secret"), &Value::Null);
}

#[test]
fn objects_in_a_set_find_their_configuration_by_what_it_sets() {
    let of = Block::new().attribute(
        "items",
        Attribute::set_nested(
            Nested::new()
                .attribute("name", Attribute::string().required())
                .attribute("depth", Attribute::number().default(3))
                .attribute("id", Attribute::string().computed()),
        )
        .optional(),
    );
    let item = |key: &str, size: Value| {
        Value::object([("name", key.into()), ("depth", size), ("id", Value::Null)])
    };
    let config = Value::object([(
        "items",
        Value::set([item("b", 2_i64.into()), item("a", Value::Null)]),
    )]);
    let plan = propose(&of, &config, &Value::Null, config.clone());
    let made = |key: &str, size: i64| {
        Value::object([
            ("name", key.into()),
            ("depth", size.into()),
            ("id", Value::Unknown),
        ])
    };
    assert_eq!(
        plan.state.field("items"),
        // In order again, although a default has moved an element.
        &Value::set([made("a", 3), made("b", 2)])
    );
}

#[test]
fn what_the_provider_made_as_a_whole_gets_no_defaults() {
    let inner = Nested::new()
        .attribute("size", Attribute::number().default(3))
        .attribute("id", Attribute::string().computed());
    let of = Block::new().attribute(
        "made",
        Attribute::single_nested(inner).optional().computed(),
    );
    let config = Value::object([("made", Value::Null)]);
    let made = Value::object([("size", 42_i64.into()), ("id", "1".into())]);
    let prior = Value::object([("made", made)]);
    assert_eq!(propose(&of, &config, &prior, prior.clone()).state, prior);
}
