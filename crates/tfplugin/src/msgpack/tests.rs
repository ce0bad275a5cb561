use proptest::prelude::*;

use super::*;
use crate::types::Type;
use crate::value::Value;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().unwrap())
}

/// Written out by hand from the MessagePack specification and the encoding that core uses.
#[test]
fn golden_vectors_are_written_and_read() {
    let object = Type::object([("a", Type::String), ("b", Type::Number)]);
    let vectors: Vec<(&str, Value, Type)> = vec![
        ("c0", Value::Null, Type::String),
        ("d4 00 00", Value::Unknown, Type::list(Type::String)),
        ("c3", Value::Bool(true), Type::Bool),
        ("7f", 127_i64.into(), Type::Number),
        ("ff", (-1_i64).into(), Type::Number),
        ("e0", (-32_i64).into(), Type::Number),
        ("d0 df", (-33_i64).into(), Type::Number),
        ("cc 80", 128_i64.into(), Type::Number),
        ("cd 01 00", 256_i64.into(), Type::Number),
        ("ce 00 01 00 00", 65536_i64.into(), Type::Number),
        ("d1 ff 7f", (-129_i64).into(), Type::Number),
        ("d2 ff ff 7f ff", (-32769_i64).into(), Type::Number),
        ("d3 80 00 00 00 00 00 00 00", i64::MIN.into(), Type::Number),
        (
            "d3 00 00 00 01 00 00 00 00",
            4_294_967_296_i64.into(),
            Type::Number,
        ),
        ("cf ff ff ff ff ff ff ff ff", u64::MAX.into(), Type::Number),
        ("cb 3f e0 00 00 00 00 00 00", number("0.5"), Type::Number),
        ("a3 30 2e 31", number("0.1"), Type::Number),
        (
            "b4 31 38 34 34 36 37 34 34 30 37 33 37 30 39 35 35 31 36 31 37",
            number("18446744073709551617"),
            Type::Number,
        ),
        ("a1 61", "a".into(), Type::String),
        (
            "92 a1 61 c0",
            Value::List(vec!["a".into(), Value::Null]),
            Type::list(Type::String),
        ),
        (
            "92 a1 61 a1 62",
            Value::set(["b".into(), "a".into()]),
            Type::set(Type::String),
        ),
        (
            "81 a1 6b c2",
            Value::map([("k", Value::Bool(false))]),
            Type::map(Type::Bool),
        ),
        (
            "82 a1 61 a1 78 a1 62 d4 00 00",
            Value::object([("a", "x".into()), ("b", Value::Unknown)]),
            object,
        ),
        (
            "92 a1 61 01",
            Value::Tuple(vec!["a".into(), 1_i64.into()]),
            Type::Tuple(vec![Type::String, Type::Number]),
        ),
        (
            "92 c4 08 22 73 74 72 69 6e 67 22 a1 61",
            "a".into(),
            Type::Dynamic,
        ),
    ];
    for (bytes, value, of) in vectors {
        assert_eq!(decode(&hex(bytes), &of).unwrap(), value, "reading {bytes}");
        assert_eq!(
            encode(&value, &of).unwrap(),
            hex(bytes),
            "writing {value:?}"
        );
    }
}

#[test]
fn a_refined_unknown_is_unknown() {
    // Extension 12 with a map that says "not null".
    assert_eq!(
        decode(&hex("c7 03 0c 81 01 c2"), &Type::String).unwrap(),
        Value::Unknown
    );
    assert_eq!(
        decode(&hex("c8 0003 0c 81 01 c2"), &Type::String).unwrap(),
        Value::Unknown
    );
    assert_eq!(
        decode(&hex("c9 00000003 0c 81 01 c2"), &Type::Number).unwrap(),
        Value::Unknown
    );
    assert!(decode(&hex("d4 05 00"), &Type::String).is_err());
}

#[test]
fn numbers_come_as_integer_float_or_text() {
    for bytes in [
        "05",
        "cc 05",
        "d0 05",
        "cb 40 14 00 00 00 00 00 00",
        "ca 40 a0 00 00",
        "a1 35",
        "a3 35 2e 30",
        "a3 35 65 30",
    ] {
        assert_eq!(
            decode(&hex(bytes), &Type::Number).unwrap(),
            5_i64.into(),
            "{bytes}"
        );
    }
    assert!(decode(&hex("cb 7f f0 00 00 00 00 00 00"), &Type::Number).is_err());
}

#[test]
fn malformed_bytes_are_refused_with_their_place() {
    for (bytes, message) in [
        ("", "malformed MessagePack at byte 0: the value is cut off"),
        (
            "c1",
            "malformed MessagePack at byte 1: the marker c1 is never used",
        ),
        (
            "a5 61",
            "malformed MessagePack at byte 1: the value is cut off",
        ),
        (
            "a1 ff",
            "malformed MessagePack at byte 2: the string is not UTF-8",
        ),
        (
            "a1 61 c0",
            "malformed MessagePack at byte 2: there are bytes after the value",
        ),
        (
            "dd ff ff ff ff",
            "malformed MessagePack at byte 5: the list is cut off",
        ),
        (
            "df ff ff ff ff",
            "malformed MessagePack at byte 5: the map is cut off",
        ),
    ] {
        assert_eq!(
            decode(&hex(bytes), &Type::String).unwrap_err().to_string(),
            message,
            "{bytes}"
        );
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_its_path() {
    let of = Type::object([("a", Type::list(Type::map(Type::Bool)))]);
    let error = decode(&hex("81 a1 61 91 81 a1 6b a1 78"), &of).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"at a[0]["k"]: expected bool, found a string"#
    );
    let error = decode(&hex("81 a1 7a c0"), &of).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at z: expected no such attribute, found one"
    );
    let value = Value::object([("a", Value::List(vec![Value::Bool(true)]))]);
    assert_eq!(
        encode(&value, &of).unwrap_err().to_string(),
        "at a[0]: expected map(bool), found a bool"
    );
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    // Each level of a dynamic value announces its own type, so the bytes decide the depth.
    let mut bytes = Vec::new();
    for _ in 0..200 {
        bytes.extend(hex("92 c4 13"));
        bytes.extend(br#"["tuple",["dynamic"]"#.iter().copied().take(19));
    }
    assert!(decode(&bytes, &Type::Dynamic).is_err());
    let of = (0..MAX_DEPTH + 1).fold(Type::String, |of, _| Type::list(of));
    let mut deep = vec![0x91; MAX_DEPTH + 1];
    deep.push(0xc0);
    assert!(
        decode(&deep, &of)
            .unwrap_err()
            .to_string()
            .ends_with("the value nests too deep")
    );

    let mut many = hex("dd");
    many.extend((MAX_VALUES as u32 + 1).to_be_bytes());
    many.resize(many.len() + MAX_VALUES + 1, 0xc0);
    assert!(
        decode(&many, &Type::list(Type::Bool))
            .unwrap_err()
            .to_string()
            .ends_with("there are too many values")
    );
}

/// A type and a value of it.
pub(crate) fn typed_value() -> impl Strategy<Value = (Type, Value)> {
    types().prop_flat_map(|of| (Just(of.clone()), value_of(&of)))
}

pub(crate) fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            proptest::collection::btree_map("[a-c]", inner.clone(), 0..3).prop_map(Type::Object),
            proptest::collection::vec(inner, 0..3).prop_map(Type::Tuple),
        ]
    })
}

pub(crate) fn value_of(of: &Type) -> BoxedStrategy<Value> {
    let known: BoxedStrategy<Value> = match of {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", |v| crate::value::Number::from_f64_exact(v)
                .map(Value::Number)),
            "-?[0-9]{1,30}(\\.[0-9]{1,20})?".prop_map(|text| number(&text)),
        ]
        .boxed(),
        Type::String => ".{0,40}".prop_map(Value::from).boxed(),
        Type::List(of) => proptest::collection::vec(value_of(of), 0..20)
            .prop_map(Value::List)
            .boxed(),
        Type::Set(of) => proptest::collection::vec(value_of(of), 0..4)
            .prop_map(Value::set)
            .boxed(),
        Type::Map(of) => proptest::collection::btree_map(".{0,5}", value_of(of), 0..20)
            .prop_map(Value::Map)
            .boxed(),
        Type::Object(attributes) => {
            let fields: Vec<_> = attributes
                .iter()
                .map(|(name, of)| {
                    value_of(of).prop_map({
                        let name = name.clone();
                        move |value| (name.clone(), value)
                    })
                })
                .collect();
            fields.prop_map(Value::object).boxed()
        }
        Type::Tuple(types) => types
            .iter()
            .map(value_of)
            .collect::<Vec<_>>()
            .prop_map(Value::Tuple)
            .boxed(),
        Type::Dynamic => Just(Value::Null).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 1 => Just(Value::Unknown), 6 => known].boxed()
}

proptest! {
    #[test]
    fn every_value_survives_the_wire((of, value) in typed_value()) {
        let bytes = encode(&value, &of).unwrap();
        prop_assert_eq!(decode(&bytes, &of).unwrap(), value);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), of in types()) {
        let _ = decode(&bytes, &of);
        let _ = decode(&bytes, &Type::Dynamic);
    }

    #[test]
    fn damaged_messages_never_panic((of, value) in typed_value(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = encode(&value, &of).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes, &of);
        bytes.truncate(cut.index(bytes.len()));
        let _ = decode(&bytes, &of);
    }
}
