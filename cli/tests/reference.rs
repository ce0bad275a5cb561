//! `mlops reference` from outside: from rows to the file, and from the file to what a server counts by it.

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{digits, ended, get, mlops, post, serve};

/// The quickstart's held-out images as a table: the label, then the pixels.
fn rows() -> (String, Vec<Vec<f64>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart/heldout.json");
    let held_out: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let images: Vec<Vec<f64>> = serde_json::from_value(held_out["pixels"].clone()).unwrap();
    let mut text = String::from("label");
    for pixel in 0..64 {
        text.push_str(&format!(",p{pixel}"));
    }
    for (label, image) in held_out["labels"].as_array().unwrap().iter().zip(&images) {
        text.push_str(&format!("\n{label}"));
        for pixel in image {
            text.push_str(&format!(",{pixel}"));
        }
    }
    (text, images)
}

/// Runs the command on these rows; its exit code, and what it said of its errors.
fn made(directory: &Path, rows: impl AsRef<[u8]>, more: &[&str]) -> (i32, String) {
    let (model, file) = (directory.join("model.onnx"), directory.join("rows.csv"));
    std::fs::copy(digits(), &model).unwrap();
    std::fs::write(&file, rows).unwrap();
    let mut command = mlops(&["reference"]);
    command.arg("--model").arg(model).arg("--rows").arg(file);
    ended(&command.args(more).output().unwrap())
}

/// The columns that an error offers to leave out.
fn offered(said: &str) -> String {
    let from = said.find("--skip ").unwrap_or_else(|| panic!("{said}")) + "--skip ".len();
    let rest = &said[from..];
    rest[..rest.find(':').unwrap()].to_owned()
}

#[test]
fn the_rows_that_a_reference_was_made_of_are_served_with_its_own_shares() {
    let directory = tempfile::tempdir().unwrap();
    let (text, images) = rows();
    let (code, said) = made(directory.path(), &text, &["--drop", "label"]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("\"p0\": every row that has a value has 0"),
        "{said}"
    );
    let constant = offered(&said);
    let skipped = constant.split(',').count();
    assert!(skipped > 1, "all of them at once: {said}");
    let options = ["--drop", "label", "--skip", &constant, "--bins", "5"];
    let (code, said) = made(directory.path(), &text, &options);
    assert_eq!(code, 0, "{said}");
    let file = directory.path().join("mlops-reference.json");
    let bytes = std::fs::read(&file).unwrap();
    let (code, said) = made(directory.path(), &text, &options);
    assert_eq!((code, &*said), (0, ""));
    assert_eq!(bytes, std::fs::read(&file).unwrap(), "the same every time");
    let reference: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(reference["rows"], images.len());
    let features = reference["features"].as_array().unwrap();
    assert_eq!(features.len(), 64 - skipped);
    assert_eq!(reference["predictions"][0]["name"], "label");

    let model = directory.path().join("model.onnx");
    let (_served, address) = serve(&[
        "--model",
        model.to_str().unwrap(),
        "--reference",
        file.to_str().unwrap(),
        "--port",
        "0",
    ]);
    let answer = post(&address, "/invocations", &json!({"inputs": images}));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let scrape = get(&address, "/metrics");
    let of = |name: &str| -> Vec<(String, f64)> {
        let series = |line: &str| {
            let labels = &line[line.find("side=")?..line.find('}')?];
            Some((labels.to_owned(), line.rsplit(' ').next()?.parse().ok()?))
        };
        let lines = scrape.lines().filter(|line| line.starts_with(name));
        lines.map(|line| series(line).unwrap()).collect()
    };
    let counted = of("mlops_feature_values_total{");
    let expected = of("mlops_feature_reference_ratio{");
    assert!(counted.len() > 5 * features.len() / 2, "{scrape}");
    let shares: Vec<_> = counted
        .into_iter()
        .map(|(labels, count)| (labels, count / images.len() as f64))
        .collect();
    assert_eq!(shares, expected, "of the same rows");
}

#[test]
fn rows_that_make_no_reference_are_refused_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (text, _) = rows();
    let first = text.lines().take(5).collect::<Vec<_>>().join("\n");
    let cell = first.replacen(",12,", ",NaN,", 1);
    let ragged = format!("{first},1");
    let header = text.lines().next().unwrap();
    let drop: &[&str] = &["--drop", "label"];
    for (rows, more, parts) in [
        (header, drop, &["rows.csv cannot be used", "no rows"][..]),
        ("", drop, &["first line is empty"]),
        (
            &*ragged,
            drop,
            &["line 5 has 66 values, and 65 columns are named"],
        ),
        (
            &*cell,
            drop,
            &["line 2, column \"p3\": \"NaN\" is no finite FP32"],
        ),
        (
            &*first,
            &[],
            &[
                "takes 64 values a row, and the file has 65 columns",
                "--drop",
            ],
        ),
        (
            &*first,
            &["--drop", "labels"],
            &["--drop names \"labels\", and the file has no such column"],
        ),
        (
            &*first,
            &["--drop", "label", "--prediction", "x"],
            &["--prediction names \"x\"", "it has label"],
        ),
        (&*first, &["--drop", "label", "--bins", "1"], &["--bins"]),
    ] {
        let (code, said) = made(directory.path(), rows, more);
        assert_eq!(code, 2, "{said}");
        for part in parts {
            assert!(said.contains(part), "{said}\nlacks {part}");
        }
        assert!(!directory.path().join("mlops-reference.json").exists());
    }
    let wide = ["--drop", "label", "--prediction", "probabilities,label"];
    let mut many = rows_that_differ();
    many.insert_str(0, &format!("{header}\n"));
    let (code, said) = made(directory.path(), &many, &wide);
    assert_eq!(code, 0, "{said}");
}

/// Rows of which no column is constant.
fn rows_that_differ() -> String {
    let row = |at: usize| {
        let cells: Vec<String> = (0..65)
            .map(|n| ((at * 7 + n * 3) % 16).to_string())
            .collect();
        cells.join(",")
    };
    (0..40).map(row).collect::<Vec<_>>().join("\n")
}
