use serde_json::{Value, json};

use super::*;
use crate::signature::{Signature, Tensor};

fn numeric(edges: &[f64], shares: &[f64]) -> Value {
    json!({"numeric": {"edges": edges, "shares": shares}})
}

fn document(distribution: Value) -> Value {
    json!({
        "format": FORMAT, "rows": 10,
        "features": [{"name": "age", "tensor": "x", "distribution": distribution}],
    })
}

fn said(document: &Value) -> String {
    let read = Reference::read(document.to_string().as_bytes());
    read.unwrap_err().chain().to_string()
}

fn signature(datatype: Datatype, shape: &[i64]) -> Signature {
    let tensor = Tensor {
        name: "x".into(),
        datatype,
        shape: shape.to_vec(),
    };
    Signature {
        inputs: vec![tensor],
        outputs: Vec::new(),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let texts = ["a", "b", "a", "", "c"];
    let reference = Reference {
        format: FORMAT.into(),
        rows: 5,
        features: vec![Feature {
            name: "country".into(),
            tensor: "country".into(),
            column: 0,
            distribution: of_texts(texts.into_iter(), 2).unwrap(),
        }],
        predictions: vec![Feature {
            name: "score".into(),
            tensor: "score".into(),
            column: 3,
            distribution: of_numbers(&[1.0, 2.0, f64::NAN, 0.1, 5.5], 3).unwrap(),
        }],
    };
    assert_eq!(Reference::read(&reference.write()).unwrap(), reference);
}

#[test]
fn a_bad_file_is_refused_naming_the_field() {
    let good = document(numeric(&[1.0, 2.0], &[0.2, 0.3, 0.5]));
    Reference::read(good.to_string().as_bytes()).unwrap();
    let with = |field: &str, value: Value| {
        let mut document = good.clone();
        document[field] = value;
        document
    };
    let twice = json!([good["features"][0], good["features"][0]]);
    let categorical = |values: Value, shares: Value| {
        document(json!({"categorical": {"values": values, "shares": shares}}))
    };
    for (document, expected) in [
        (
            with("format", json!("v2")),
            "format is \"v2\", and this program reads",
        ),
        (with("rows", json!(0)), "rows is 0"),
        (with("nonsense", json!(0)), "unknown field `nonsense`"),
        (
            with("features", json!([])),
            "features and predictions are 0 together",
        ),
        (
            with("features", twice),
            "features[1] \"age\": another one has this name",
        ),
        (document(numeric(&[], &[1.0])), "edges are 0; give 1 to 19"),
        (
            document(numeric(&[1.0, 1.0], &[0.2, 0.3, 0.5])),
            "features[0] \"age\": edges ascend, and edges[1] (1) is not above edges[0] (1)",
        ),
        (
            document(numeric(&[1.0], &[1.0])),
            "shares are 1, and must be 2, one more than edges",
        ),
        (
            document(numeric(&[1.0], &[0.5, 0.4])),
            "its shares are 0.9 together, and must be 1",
        ),
        (
            document(numeric(&[1.0], &[1.5, -0.5])),
            "shares[0] is 1.5; a share is from 0 to 1",
        ),
        (
            document(json!({"numeric": {"edges": [1], "shares": [0.5, 0.5], "missing": 2}})),
            "missing is 2; a share is",
        ),
        (
            document(json!({"normal": {"mean": 1}})),
            "unknown variant `normal`",
        ),
        (
            categorical(json!(["a", "a"]), json!([0.5, 0.5])),
            "values[1] (\"a\") is there twice",
        ),
        (
            categorical(json!(["(other)"]), json!([1])),
            "the name of another bin",
        ),
        (
            categorical(json!([""]), json!([1])),
            "values[0] has 1 to 128 characters",
        ),
    ] {
        let found = said(&document);
        assert!(found.contains(expected), "{found}\nlacks {expected}");
    }
    let long = vec![b' '; MAX_BYTES as usize + 1];
    let error = Reference::read(&long).unwrap_err().to_string();
    assert!(error.contains("longer than"), "{error}");
}

#[test]
fn a_feature_must_suit_the_type_of_its_tensor() {
    let categorical = |values: &[&str]| {
        let share = 1.0 / values.len() as f64;
        document(json!({"categorical": {"values": values, "shares": vec![share; values.len()]}}))
    };
    let numbers = document(numeric(&[1.0], &[0.5, 0.5]));
    let row = &[-1, 2];
    for (document, datatype, shape, expected) in [
        (&numbers, Datatype::Fp32, &row[..], None),
        (
            &numbers,
            Datatype::Bytes,
            row,
            Some("it is numeric, and \"x\" is BYTES"),
        ),
        (
            &numbers,
            Datatype::Fp32,
            &[],
            Some("one value for all rows"),
        ),
        (
            &categorical(&["a"]),
            Datatype::Fp32,
            row,
            Some("it is categorical, and \"x\" is FP32"),
        ),
        (&categorical(&["a"]), Datatype::Bytes, row, None),
        (&categorical(&["-3", "7"]), Datatype::Int64, row, None),
        (
            &categorical(&["300"]),
            Datatype::Uint8,
            row,
            Some("no UINT8 in decimal"),
        ),
        (
            &categorical(&["07"]),
            Datatype::Int64,
            row,
            Some("values holds \"07\""),
        ),
        (&categorical(&["true"]), Datatype::Bool, row, None),
        (
            &categorical(&["1"]),
            Datatype::Bool,
            row,
            Some("BOOL: true or false"),
        ),
    ] {
        let reference = Reference::read(document.to_string().as_bytes()).unwrap();
        let fits = reference.fits(&signature(datatype, shape));
        match (fits, expected) {
            (Ok(()), None) => {}
            (Err(error), Some(expected)) => assert!(
                error.to_string().contains(expected),
                "{error}\nlacks {expected}"
            ),
            (fits, expected) => panic!("{fits:?}, and not {expected:?}"),
        }
    }
}

#[test]
fn a_value_is_in_one_bin_and_a_value_at_an_edge_is_below_it() {
    let ages = of_numbers(&(1..=100).map(f64::from).collect::<Vec<_>>(), 4).unwrap();
    let bins = Bins::new(&ages, Datatype::Fp32);
    assert_eq!(
        bins.labels(),
        [
            "-Inf..25",
            "25..50",
            "50..75",
            "75..+Inf",
            "(infinite)",
            "(missing)"
        ]
    );
    assert_eq!(bins.shares(), [0.25, 0.25, 0.25, 0.25, 0.0, 0.0]);
    let of = |value: f64| bins.labels()[bins.of_number(value)].as_str();
    assert_eq!(
        [
            -5.0,
            25.0,
            25.1,
            75.0,
            1e9,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN
        ]
        .map(of),
        [
            "-Inf..25",
            "-Inf..25",
            "25..50",
            "50..75",
            "75..+Inf",
            "(infinite)",
            "(infinite)",
            "(missing)"
        ]
    );
    assert_eq!(bins.of_whole(26), 1, "a whole number is a number");

    let single = of_numbers(&[0.1_f32, 0.2, 0.3].map(f64::from), 10).unwrap();
    assert_eq!(
        Bins::new(&single, Datatype::Fp32).labels()[1],
        "0.1..0.2",
        "edges of single precision are written as such"
    );
}

#[test]
fn categories_without_a_bin_of_their_own_are_others() {
    let texts = ["de", "fr", "de", "", "fr", "de", "it", "at"];
    let countries = of_texts(texts.into_iter(), 2).unwrap();
    let bins = Bins::new(&countries, Datatype::Bytes);
    assert_eq!(bins.labels(), ["de", "fr", "(other)", "(missing)"]);
    assert_eq!(bins.shares(), [0.375, 0.25, 0.25, 0.125]);
    assert_eq!(
        ["fr", "de", "it", "xx", ""].map(|text| bins.of_text(text)),
        [1, 0, 2, 2, 3]
    );
    let codes = of_texts(["10", "9", "10"].into_iter(), 5).unwrap();
    let bins = Bins::new(&codes, Datatype::Int32);
    assert_eq!([9, 10, 11].map(|code| bins.of_whole(code)), [1, 0, 2]);
}

#[test]
fn what_nearly_all_rows_have_gets_a_bin_of_its_own() {
    let edges = |values: &[f64]| match of_numbers(values, 10).unwrap() {
        Distribution::Numeric(numeric) => (numeric.edges, numeric.shares),
        other => panic!("{other:?}"),
    };
    let mut zeros = vec![0.0; 95];
    zeros.extend((1..=100).map(f64::from).take(5));
    assert_eq!(
        edges(&zeros),
        (
            vec![0.0, 1.0, 2.0, 3.0, 4.0],
            vec![0.95, 0.01, 0.01, 0.01, 0.01, 0.01]
        )
    );
    let mut greatest = vec![50.0; 985];
    greatest.extend((1..=15).map(f64::from));
    assert_eq!(edges(&greatest), (vec![15.0], vec![0.015, 0.985]));
    let (edges, shares) = edges(&(0..1000).map(|n| f64::from(n * n)).collect::<Vec<_>>());
    assert_eq!(edges.len(), 9);
    assert_eq!(shares, [0.1; 10]);
}

#[test]
fn a_column_that_says_nothing_is_refused() {
    for values in [&[7.0, 7.0][..], &[f64::NAN, 7.0], &[f64::NAN], &[0.0, -0.0]] {
        let error = of_numbers(values, 10).unwrap_err().to_string();
        assert!(
            error.contains("every row") || error.contains("no row"),
            "{error}"
        );
    }
    for values in [&["a", "a"][..], &["", ""]] {
        assert!(of_texts(values.iter().copied(), 10).is_err());
    }
    let sometimes_there = of_texts(["a", "", "a"].into_iter(), 10).unwrap();
    assert_eq!(
        Bins::new(&sometimes_there, Datatype::Bytes).labels()[0],
        "a"
    );
}
