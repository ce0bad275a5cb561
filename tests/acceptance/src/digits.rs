//! The quickstart's held-out images as requests of the Open Inference Protocol, and what the answers are worth.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use crate::http::{Client, Response};

/// Images that no model has seen, each with the digit that a person wrote.
#[derive(Clone, Debug)]
pub struct Digits {
    requests: Vec<Request>,
}

/// One image.
#[derive(Clone, Debug)]
pub struct Request {
    /// The body that asks about it.
    pub body: Vec<u8>,
    /// The digit that it shows.
    pub label: i64,
}

#[derive(Deserialize)]
struct HeldOut {
    input: String,
    datatype: String,
    labels: Vec<i64>,
    pixels: Vec<Vec<f64>>,
}

impl Digits {
    /// Reads `heldout.json`.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read(path: &Path) -> Self {
        let text = fs::read(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let held_out: HeldOut = serde_json::from_slice(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let HeldOut {
            input,
            datatype,
            labels,
            pixels,
        } = held_out;
        let requests = labels.into_iter().zip(pixels).map(|(label, pixels)| {
            let tensor = json!({ "name": input, "datatype": datatype, "shape": [1, pixels.len()], "data": pixels });
            let body = json!({ "inputs": [tensor] }).to_string().into_bytes();
            Request { body, label }
        });
        let requests: Vec<_> = requests.collect();
        assert!(!requests.is_empty(), "{} has no images", path.display());
        Self { requests }
    }

    /// Those of the checkout.
    pub fn committed() -> Self {
        Self::read(&crate::builds::root().join("examples/quickstart/heldout.json"))
    }

    /// The images, in the order of the file.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The image asked for as number `n`, starting again at the end.
    pub fn request(&self, n: usize) -> &Request {
        &self.requests[n % self.requests.len()]
    }

    /// Asks about every image once, and returns the share of right answers; an error counts as a wrong one.
    pub fn accuracy(&self, url: &str, model: &str) -> f64 {
        let mut client = Client::new(url);
        let path = infer_path(model);
        let right = |request: &&Request| {
            client
                .post(&path, &request.body)
                .is_ok_and(|answer| label(&answer) == Some(request.label))
        };
        let right = self.requests.iter().filter(right).count();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred images")]
        let accuracy = right as f64 / self.requests.len() as f64;
        accuracy
    }
}

/// Where a model is asked.
pub fn infer_path(model: &str) -> String {
    format!("/v2/models/{model}/infer")
}

/// The digit in an answer, if it is one.
pub fn label(answer: &Response) -> Option<i64> {
    if answer.status != 200 {
        return None;
    }
    let json = answer.json();
    let outputs = json["outputs"].as_array()?;
    outputs.iter().find(|output| output["name"] == "label")?["data"][0].as_i64()
}
