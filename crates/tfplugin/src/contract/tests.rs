//! One test for each row of the contract.

use super::*;
use crate::convert::{Attr, FromValue as _, Secret, Shape};
use crate::schema::{Attribute, Block, Nested, Nesting};
use crate::types::Type;
use crate::value::Value;

fn said(violations: Vec<Violation>) -> Vec<String> {
    violations
        .iter()
        .map(|violation| format!("{}: {}", violation.path, violation.rule))
        .collect()
}

fn declared(block: &Block) -> Vec<String> {
    said(schema(block, &Shape::Anything))
}

fn one(attribute: Attribute) -> Block {
    Block::new().attribute("a", attribute)
}

fn nested() -> Nested {
    Nested::new()
        .attribute("size", Attribute::number().optional())
        .attribute("id", Attribute::string().computed())
}

fn element(size: Value, id: Value) -> Value {
    Value::object([("size", size), ("id", id)])
}

fn object(value: Value) -> Value {
    Value::object([("a", value)])
}

fn planned(attribute: Attribute, config: Value, prior: Value, planned: Value) -> Vec<String> {
    said(plan(
        &one(attribute),
        &object(config),
        &object(prior),
        &object(planned),
    ))
}

#[test]
fn an_attribute_is_required_or_optional_or_computed() {
    assert_eq!(
        declared(&one(Attribute::string())),
        ["a: an attribute must be required, optional or computed"]
    );
    assert_eq!(
        declared(&one(Attribute::string().required().optional())),
        ["a: an attribute cannot be required and optional"]
    );
    assert_eq!(
        declared(&one(Attribute::string().required().computed())),
        ["a: an attribute cannot be required and computed, or have a default"]
    );
    assert!(declared(&one(Attribute::string().optional().computed())).is_empty());
    let inner =
        one(Attribute::single_nested(Nested::new().attribute("b", Attribute::string())).optional());
    assert_eq!(
        declared(&inner),
        ["a.b: an attribute must be required, optional or computed"]
    );
}

#[test]
fn a_write_only_attribute_is_not_computed_and_not_in_a_set() {
    assert_eq!(
        declared(&one(Attribute::string().default("x").write_only())),
        ["a: a write-only attribute cannot be computed, or have a default"]
    );
    let inner = Nested::new().attribute("b", Attribute::string().optional().write_only());
    assert_eq!(
        declared(&one(Attribute::set_nested(inner.clone()).optional())),
        ["a.b: nothing inside a set can be write-only"]
    );
    assert!(declared(&one(Attribute::map_nested(inner).optional())).is_empty());
    let block = Block::new().attribute("b", Attribute::string().optional().write_only());
    assert_eq!(
        declared(&Block::new().nested("a", Nesting::Set, block)),
        ["a.b: nothing inside a set can be write-only"]
    );
    assert_eq!(
        declared(&one(Attribute::single_nested(nested())
            .optional()
            .write_only())),
        ["a.id: nothing inside a write-only attribute can be computed"],
    );
}

#[test]
fn nothing_in_a_collection_is_dynamic() {
    assert_eq!(
        declared(&one(Attribute::set(Type::Dynamic).optional())),
        ["a: nothing inside a set, list or map can be of dynamic type"],
    );
    assert!(declared(&one(Attribute::of_type(Type::Dynamic).optional())).is_empty());
    let inner = Nested::new().attribute("b", Attribute::of_type(Type::Dynamic).optional());
    assert_eq!(
        declared(&one(Attribute::set_nested(inner).optional())),
        ["a.b: nothing inside a set, list or map can be of dynamic type"],
    );
}

#[test]
fn names_are_legal_and_not_terraforms_own() {
    assert_eq!(
        declared(&Block::new().attribute("for_each", Attribute::string().optional())),
        ["for_each: the name is Terraform's own"]
    );
    let illegal = declared(&Block::new().attribute("Name", Attribute::string().optional()));
    assert_eq!(illegal.len(), 1, "{illegal:?}");
    let twice = Block::new()
        .attribute("a", Attribute::string().optional())
        .single("a", Block::new());
    assert_eq!(
        declared(&twice),
        ["a: an attribute and a block have the same name"]
    );
}

#[test]
fn a_default_has_the_attributes_type() {
    assert_eq!(
        declared(&one(Attribute::number().default("x"))),
        [
            "a: the default does not have the attribute's type: at the whole object: expected number, found a string"
        ],
    );
    assert_eq!(
        declared(&one(
            Attribute::set(Type::String).default(Value::List(vec![]))
        )),
        ["a: the default must be written exactly in the attribute's type, such as a set for a set"],
    );
    assert_eq!(
        declared(&one(Attribute::number().default(Value::Null))),
        ["a: a default must be known, and not null"]
    );
}

crate::object! {
    struct Inner {
        size: Attr<String>,
    }

    struct Holder {
        a: Attr<bool>,
        token: Attr<String>,
        items: Attr<Vec<Inner>>,
        extra: Attr<String>,
    }

    struct Good {
        token: Attr<Secret<String>>,
        r#type: Attr<String>,
    }
}

#[test]
fn a_struct_agrees_with_its_schema_and_hides_what_is_sensitive() {
    let block = Block::new()
        .attribute("a", Attribute::number().optional())
        .attribute("token", Attribute::string().optional().sensitive())
        .attribute("items", Attribute::list_nested(nested()).optional())
        .single("local", Block::new());
    let found = said(schema(&block, &Holder::shape()));
    assert_eq!(
        found,
        [
            "a: is number in the schema, but a bool in the struct",
            "items.id: is in the schema, but no field of the struct",
            "items.size: is number in the schema, but a string in the struct",
            "token: is sensitive or write-only, so its field must be a Secret",
            "local: is a block of the schema, but no field of the struct",
            "extra: is a field of the struct, but not in the schema",
        ],
    );
    let block = Block::new()
        .attribute("token", Attribute::string().optional().write_only())
        .attribute("type", Attribute::string().optional());
    assert!(said(schema(&block, &Good::shape())).is_empty());
}

#[test]
fn a_planned_value_is_the_configured_one_or_the_prior_one() {
    let (c, p, x) = (
        Value::from("config"),
        Value::from("prior"),
        Value::from("other"),
    );
    let attribute = || Attribute::string().optional();
    assert!(planned(attribute(), c.clone(), p.clone(), c.clone()).is_empty());
    assert!(planned(attribute(), c.clone(), p.clone(), p.clone()).is_empty());
    let rule = ["a: the planned value must be the configured one, or the prior one"];
    assert_eq!(planned(attribute(), c.clone(), p.clone(), x.clone()), rule);
    assert_eq!(
        planned(attribute(), c.clone(), Value::Null, Value::Null),
        rule
    );
    assert_eq!(
        planned(attribute(), c.clone(), Value::Null, Value::Unknown),
        rule
    );
    assert_eq!(planned(attribute().computed(), c, p, x), rule);
}

#[test]
fn only_a_computed_attribute_is_planned_where_the_configuration_is_silent() {
    let (p, x) = (Value::from("prior"), Value::from("other"));
    assert!(
        planned(
            Attribute::string().optional().computed(),
            Value::Null,
            p.clone(),
            x.clone()
        )
        .is_empty()
    );
    assert!(
        planned(
            Attribute::string().computed(),
            Value::Null,
            Value::Null,
            Value::Unknown
        )
        .is_empty()
    );
    let rule =
        ["a: the configuration does not set it and it is not computed, so it must be planned null"];
    assert_eq!(
        planned(Attribute::string().optional(), Value::Null, Value::Null, x),
        rule
    );
    assert_eq!(
        planned(Attribute::string().optional(), Value::Null, p.clone(), p),
        rule
    );
}

#[test]
fn a_configured_nested_object_is_not_planned_unknown() {
    let attribute = || Attribute::map_nested(nested()).optional().computed();
    let config = Value::map([("k", element(1_i64.into(), Value::Null))]);
    let good = Value::map([("k", element(1_i64.into(), Value::Unknown))]);
    assert!(planned(attribute(), config.clone(), Value::Null, good).is_empty());
    assert_eq!(
        planned(attribute(), config.clone(), Value::Null, Value::Unknown),
        ["a: a configured object cannot be planned unknown; make the attributes in it unknown"],
    );
    assert_eq!(
        planned(
            attribute(),
            config.clone(),
            Value::Null,
            Value::map([("k", Value::Unknown)])
        )
        .first()
        .map(String::as_str),
        Some(
            r#"a["k"]: a configured element cannot be planned unknown; make the attributes in it unknown"#
        ),
    );
    assert_eq!(
        planned(
            attribute(),
            config,
            Value::Null,
            Value::map([("k", element(2_i64.into(), Value::Unknown))])
        ),
        [r#"a["k"].size: the planned value must be the configured one, or the prior one"#],
    );
}

#[test]
fn there_are_as_many_planned_objects_as_configured_ones() {
    let e = || element(1_i64.into(), Value::Null);
    let list = || Attribute::list_nested(nested()).optional();
    assert_eq!(
        planned(
            list(),
            Value::List(vec![e()]),
            Value::Null,
            Value::List(vec![e(), e()])
        ),
        ["a: there must be as many elements in the plan as in the configuration"],
    );
    let map = || Attribute::map_nested(nested()).optional();
    assert_eq!(
        planned(
            map(),
            Value::map([("k", e())]),
            Value::Null,
            Value::map([("l", e())])
        ),
        ["a: the plan must have the keys that the configuration has"],
    );
    let set = || Attribute::set_nested(nested()).optional();
    let two = Value::set([e(), element(2_i64.into(), Value::Null)]);
    assert_eq!(
        planned(set(), Value::set([e()]), Value::Null, two),
        ["a: there cannot be more elements in the plan than in the configuration"],
    );
}

#[test]
fn collections_of_blocks_are_never_null_or_unknown_and_a_single_block_may_be_null() {
    let inner = Block::new().attribute("size", Attribute::number().optional());
    for (nesting, empty) in [
        (Nesting::List, Value::List(vec![])),
        (Nesting::Set, Value::Set(vec![])),
        (Nesting::Map, Value::Map(Default::default())),
    ] {
        let block = Block::new().nested("a", nesting, inner.clone());
        let rule = ["a: a list, set or map of blocks must be empty where there are none, not null"];
        assert_eq!(
            said(plan(
                &block,
                &object(empty.clone()),
                &Value::Null,
                &object(Value::Null)
            )),
            rule
        );
        assert_eq!(said(stored(&block, &object(Value::Null))), rule);
        assert_eq!(
            said(plan(
                &block,
                &object(empty.clone()),
                &Value::Null,
                &object(Value::Unknown)
            )),
            ["a: a block cannot be planned unknown; make the attributes in it unknown"],
        );
        assert!(
            said(plan(
                &block,
                &object(empty.clone()),
                &Value::Null,
                &object(empty.clone())
            ))
            .is_empty()
        );
        assert!(said(stored(&block, &object(empty))).is_empty());
    }
    let single = Block::new().single("a", inner);
    let some = || Value::object([("size", Value::Null)]);
    assert!(
        said(plan(
            &single,
            &object(Value::Null),
            &Value::Null,
            &object(Value::Null)
        ))
        .is_empty()
    );
    assert!(said(stored(&single, &object(Value::Null))).is_empty());
    assert_eq!(
        said(plan(
            &single,
            &object(some()),
            &Value::Null,
            &object(Value::Null)
        )),
        ["a: the configuration has it, so the plan must too"],
    );
    assert_eq!(
        said(plan(
            &single,
            &object(Value::Null),
            &object(some()),
            &object(some())
        )),
        ["a: the configuration does not have it, so the plan must not either"],
    );
    assert_eq!(
        said(plan(
            &single,
            &object(Value::Unknown),
            &Value::Null,
            &object(some())
        )),
        ["a: the configuration is unknown here, so the plan must be unknown too"],
    );
}

#[test]
fn write_only_values_are_null_in_plan_and_state() {
    let attribute = || Attribute::string().optional().write_only();
    let secret = Value::from("hunter2");
    assert_eq!(
        planned(attribute(), secret.clone(), Value::Null, secret.clone()),
        ["a: a write-only attribute must be null in the plan"]
    );
    assert!(planned(attribute(), secret.clone(), Value::Null, Value::Null).is_empty());
    assert_eq!(
        said(stored(&one(attribute()), &object(secret))),
        ["a: a write-only value must never be stored"]
    );
    let inner = one(Attribute::map_nested(Nested::new().attribute("b", attribute())).optional());
    let state = object(Value::map([(
        "k",
        Value::object([("b", Value::from("hunter2"))]),
    )]));
    assert_eq!(
        said(stored(&inner, &state)),
        [r#"a["k"].b: a write-only value must never be stored"#]
    );
}

#[test]
fn a_path_that_replaces_exists_and_changes() {
    let prior = Value::object([("a", Value::from("old")), ("same", Value::from("s"))]);
    let plan = Value::object([("a", Value::from("new")), ("same", Value::from("s"))]);
    assert!(said(replacement(&prior, &plan, &["a".into()])).is_empty());
    assert_eq!(
        said(replacement(&prior, &plan, &["same".into()])),
        ["same: a path that replaces must be one whose value changes, or Terraform drops it"],
    );
    assert_eq!(
        said(replacement(&prior, &plan, &["gone".into()])),
        ["gone: a path that replaces must exist in the prior or in the planned state"],
    );
    assert_eq!(
        said(replacement(
            &prior,
            &plan,
            &[Path::attribute("a").step(crate::path::Step::Element)]
        )),
        ["a[*]: a path that replaces must name an attribute, and cannot lead into a set"],
    );
    // An element that is added or removed changes.
    let grown = Value::object([("a", Value::map([("k", Value::from("x"))]))]);
    assert!(
        said(replacement(
            &object(Value::Map(Default::default())),
            &grown,
            &[Path::attribute("a").key("k")]
        ))
        .is_empty()
    );
}

#[test]
fn what_was_planned_known_does_not_change() {
    let check = |planned: Value, actual: Value| said(completes(&object(planned), &object(actual)));
    assert!(check("x".into(), "x".into()).is_empty());
    assert!(check(Value::Unknown, "x".into()).is_empty());
    assert!(check(Value::Unknown, Value::Null).is_empty());
    assert_eq!(
        check("x".into(), "y".into()),
        ["a: it was planned with another value"]
    );
    assert_eq!(
        check("x".into(), Value::Null),
        ["a: it was planned to have a value, and now is null"]
    );
    assert_eq!(
        check(Value::Null, "x".into()),
        ["a: it was planned null, and now has a value"]
    );
    assert_eq!(
        check("x".into(), Value::Unknown),
        ["a: it was planned known, and now is unknown"]
    );
    let list = |elements: Vec<Value>| Value::List(elements);
    assert_eq!(
        check(list(vec!["x".into()]), list(vec![])),
        ["a: the number of elements is not the planned one"]
    );
    assert_eq!(
        check(
            list(vec!["x".into(), Value::Unknown]),
            list(vec!["z".into(), "y".into()])
        ),
        ["a[0]: it was planned with another value"]
    );
    assert_eq!(
        check(
            Value::map([("k", "x".into())]),
            Value::map([("l", "x".into())])
        ),
        ["a: the keys are not the planned ones"]
    );
    // Numbers are compared by value, however they are written.
    assert!(check(Value::Number("1.0".parse().unwrap()), 1_i64.into()).is_empty());
}

#[test]
fn sets_correlate_both_ways_and_never_grow() {
    let check = |planned: Vec<Value>, actual: Vec<Value>| {
        said(completes(
            &object(Value::set(planned)),
            &object(Value::set(actual)),
        ))
    };
    assert!(
        check(
            vec!["a".into(), Value::Unknown],
            vec!["a".into(), "b".into()]
        )
        .is_empty()
    );
    // The unknown turned out equal to a known one.
    assert!(check(vec!["a".into(), Value::Unknown], vec!["a".into()]).is_empty());
    assert_eq!(
        check(vec!["a".into()], vec!["a".into(), "b".into()]),
        ["a: the set has grown"]
    );
    assert_eq!(
        check(vec!["a".into(), "b".into()], vec!["a".into()]),
        ["a: a planned element of the set is missing"]
    );
    assert_eq!(
        check(vec!["a".into(), "b".into()], vec!["a".into(), "c".into()]),
        ["a: a planned element of the set is missing"]
    );
    let part = |id: Value| Value::object([("k", "a".into()), ("id", id)]);
    assert!(check(vec![part(Value::Unknown)], vec![part("1".into())]).is_empty());
}

#[test]
fn nothing_in_a_stored_state_is_unknown() {
    let block = one(Attribute::map(Type::String).computed());
    let state = object(Value::map([("k", Value::Unknown)]));
    assert_eq!(
        said(stored(&block, &state)),
        [r#"a["k"]: a stored value must be known"#]
    );
}

#[test]
fn a_violation_blames_the_provider_and_shows_no_value() {
    let attribute = Attribute::string().optional();
    let found = plan(
        &one(attribute),
        &object("hunter2".into()),
        &Value::Null,
        &object("hunter3".into()),
    );
    let diagnostic = found[0].diagnostic("planning mlops_model");
    assert_eq!(diagnostic.summary, "This is a bug in the provider");
    assert_eq!(diagnostic.path, Some("a".into()));
    assert!(
        diagnostic.detail.contains("While planning mlops_model"),
        "{}",
        diagnostic.detail
    );
    assert!(!format!("{diagnostic:?}").contains("hunter"));
}

#[test]
fn a_limit_that_no_number_of_blocks_meets_is_found() {
    let of = |least, most| {
        let inner = Block::new().attribute("a", Attribute::string().optional());
        declared(&Block::new().nested_times("rule", Nesting::List, least, Some(most), inner))
    };
    assert_eq!(of(0, 1), [""; 0]);
    assert_eq!(of(2, 2), [""; 0]);
    for (least, most) in [(2, 1), (0, 0)] {
        assert_eq!(
            of(least, most),
            ["rule: the greatest number of blocks is less than the least, or 0"]
        );
    }
}
