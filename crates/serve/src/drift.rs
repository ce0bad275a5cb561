//! Counts of a revision's values by the bins of its reference: what drift is judged by.
//!
//! Counters, and not a measure of drift: how far they are from the reference is asked over a time and over all servers of an
//! endpoint, which no server knows (docs/decisions/0028-drift.md).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use mlops_core::Result;
use mlops_core::reference::{Bins, Feature, MAX_BINS, Reference};
use mlops_core::signature::{Datatype, Side, Signature, Tensor as Declared};
use tract_onnx::prelude::f16;

use crate::engine::Tensor;
use crate::metrics::escape;
use crate::revision::Traffic;
use crate::tensor::slice;

/// Every bin of a feature, with those for what is missing and what is of none.
const ALL_BINS: usize = MAX_BINS + 2;

/// What was counted of one revision.
pub(crate) struct Counts {
    inputs: Vec<Watched>,
    outputs: Vec<Watched>,
    /// Series of copies are told once there are any: most revisions never get one.
    copied: AtomicBool,
}

struct Watched {
    /// Its place among the inputs, or outputs.
    tensor: usize,
    column: usize,
    datatype: Datatype,
    bins: Bins,
    /// The labels of each bin that a scrape writes; they never change.
    labels: Vec<String>,
    live: Vec<AtomicU64>,
    shadow: Vec<AtomicU64>,
}

impl Counts {
    /// Reads a reference of a model of this signature.
    ///
    /// # Errors
    /// `Invalid`, naming the field at fault.
    pub(crate) fn read(bytes: &[u8], signature: &Signature) -> Result<Self> {
        let reference = Reference::read(bytes)?;
        reference.fits(signature)?;
        let watched = |features: &[Feature], tensors: &[Declared], side| {
            let of = |feature: &Feature| {
                let place = |tensor: &Declared| tensor.name == feature.tensor;
                let tensor = tensors.iter().position(place)?;
                Some(Watched::new(
                    tensor,
                    tensors[tensor].datatype,
                    feature,
                    side,
                ))
            };
            features.iter().filter_map(of).collect()
        };
        Ok(Self {
            inputs: watched(&reference.features, &signature.inputs, Side::Input),
            outputs: watched(&reference.predictions, &signature.outputs, Side::Output),
            copied: AtomicBool::new(false),
        })
    }

    /// Counts what a request brought. Nothing is allocated.
    pub(crate) fn saw_inputs(&self, inputs: &[Tensor], traffic: Traffic) {
        if traffic == Traffic::Shadow {
            self.copied.store(true, Relaxed);
        }
        count(&self.inputs, inputs, traffic);
    }

    /// Counts what the model made of it.
    pub(crate) fn saw_outputs(&self, outputs: &[Tensor], traffic: Traffic) {
        count(&self.outputs, outputs, traffic);
    }

    fn all(&self) -> impl Iterator<Item = &Watched> {
        self.inputs.iter().chain(&self.outputs)
    }

    /// Writes the series of `mlops_feature_values_total`; `revision` is the labels that each begins with.
    pub(crate) fn values(&self, out: &mut String, name: &str, revision: &str) {
        let mut of = |traffic: &str, counted: fn(&Watched) -> &[AtomicU64]| {
            for watched in self.all() {
                for (labels, count) in watched.labels.iter().zip(counted(watched)) {
                    let count = count.load(Relaxed);
                    let _ = writeln!(
                        out,
                        "{name}{{{revision},traffic=\"{traffic}\",{labels}}} {count}"
                    );
                }
            }
        };
        of("live", |watched| &watched.live);
        if self.copied.load(Relaxed) {
            of("shadow", |watched| &watched.shadow);
        }
    }

    /// Writes the series of `mlops_feature_reference_ratio`.
    pub(crate) fn expected(&self, out: &mut String, name: &str, revision: &str) {
        for watched in self.all() {
            for (labels, share) in watched.labels.iter().zip(watched.bins.shares()) {
                let _ = writeln!(out, "{name}{{{revision},{labels}}} {share}");
            }
        }
    }
}

fn count(watched: &[Watched], tensors: &[Tensor], traffic: Traffic) {
    for watched in watched {
        watched.count(&tensors[watched.tensor], traffic);
    }
}

impl Watched {
    fn new(tensor: usize, datatype: Datatype, feature: &Feature, side: Side) -> Self {
        let bins = feature.bins(datatype);
        let name = escape(&feature.name);
        let labels = bins.labels().iter();
        let labels: Vec<String> = labels
            .map(|bin| {
                let bin = escape(bin);
                format!("side=\"{side}\",feature=\"{name}\",bin=\"{bin}\"")
            })
            .collect();
        let none = || labels.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            tensor,
            column: feature.column,
            datatype,
            live: none(),
            shadow: none(),
            bins,
            labels,
        }
    }

    fn count(&self, tensor: &Tensor, traffic: Traffic) {
        macro_rules! of {
            ($t:ty, $bin:expr) => {
                self.add(
                    slice::<$t>(tensor),
                    tensor.shape(),
                    traffic,
                    $bin as fn(&Bins, &$t) -> usize,
                )
            };
        }
        match self.datatype {
            Datatype::Bool => of!(bool, |bins, v| bins.of_whole(i128::from(*v))),
            Datatype::Uint8 => of!(u8, |bins, v| bins.of_whole((*v).into())),
            Datatype::Uint16 => of!(u16, |bins, v| bins.of_whole((*v).into())),
            Datatype::Uint32 => of!(u32, |bins, v| bins.of_whole((*v).into())),
            Datatype::Uint64 => of!(u64, |bins, v| bins.of_whole((*v).into())),
            Datatype::Int8 => of!(i8, |bins, v| bins.of_whole((*v).into())),
            Datatype::Int16 => of!(i16, |bins, v| bins.of_whole((*v).into())),
            Datatype::Int32 => of!(i32, |bins, v| bins.of_whole((*v).into())),
            Datatype::Int64 => of!(i64, |bins, v| bins.of_whole((*v).into())),
            Datatype::Fp16 => of!(f16, |bins, v| bins.of_number(v.to_f64())),
            Datatype::Fp32 => of!(f32, |bins, v| bins.of_number((*v).into())),
            Datatype::Fp64 => of!(f64, |bins, v| bins.of_number(*v)),
            Datatype::Bytes => of!(String, |bins, v| bins.of_text(v)),
        }
    }

    /// Adds this column of all rows.
    fn add<T>(&self, values: &[T], shape: &[usize], traffic: Traffic, bin: fn(&Bins, &T) -> usize) {
        let Some(rows) = shape.first().copied().filter(|rows| *rows > 0) else {
            return;
        };
        let width = values.len() / rows;
        // A model that leaves the width open may be asked with fewer columns than its reference knows.
        if self.column >= width {
            return;
        }
        let counts = match traffic {
            Traffic::Live => &self.live,
            Traffic::Shadow => &self.shadow,
        };
        if rows == 1 {
            counts[bin(&self.bins, &values[self.column])].fetch_add(1, Relaxed);
            return;
        }
        // Of a large batch the threads would otherwise fight over the counters, value by value.
        let mut seen = [0_u32; ALL_BINS];
        for value in values[self.column..].iter().step_by(width) {
            seen[bin(&self.bins, value)] += 1;
        }
        for (count, seen) in counts.iter().zip(seen).filter(|(_, seen)| *seen > 0) {
            count.fetch_add(seen.into(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::reference::FORMAT;
    use serde_json::{Value, json};
    use tract_onnx::prelude::{tensor1, tensor2};

    use super::*;

    fn signature() -> Signature {
        let tensor = |name: &str, datatype, shape: &[i64]| Declared {
            name: name.into(),
            datatype,
            shape: shape.to_vec(),
        };
        Signature {
            inputs: vec![
                tensor("x", Datatype::Fp32, &[-1, -1]),
                tensor("country", Datatype::Bytes, &[-1]),
            ],
            outputs: vec![tensor("label", Datatype::Int64, &[-1])],
        }
    }

    fn feature(name: &str, tensor: &str, column: usize, distribution: &Value) -> Value {
        json!({"name": name, "tensor": tensor, "column": column, "distribution": distribution})
    }

    fn counts() -> Counts {
        let ages = json!({"numeric": {"edges": [20, 40.5], "shares": [0.25, 0.5, 0.25]}});
        let countries = json!({"categorical": {"values": ["de", "a\"b"], "shares": [0.5, 0.25], "other": 0.25}});
        let labels = json!({"categorical": {"values": ["0", "1"], "shares": [0.5, 0.5]}});
        let reference = json!({
            "format": FORMAT, "rows": 100,
            "features": [feature("age", "x", 1, &ages), feature("country", "country", 0, &countries)],
            "predictions": [feature("label", "label", 0, &labels)],
        });
        Counts::read(reference.to_string().as_bytes(), &signature()).unwrap()
    }

    fn told(counts: &Counts) -> String {
        let mut out = String::new();
        counts.values(&mut out, "v", "r=\"1\"");
        out
    }

    /// The counts of a feature's bins, in the order of a scrape.
    fn of(counts: &Counts, traffic: &str, feature: &str) -> Vec<u64> {
        let (traffic, feature) = (
            format!("traffic=\"{traffic}\""),
            format!("feature=\"{feature}\""),
        );
        told(counts)
            .lines()
            .filter(|line| line.contains(&traffic) && line.contains(&feature))
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn each_value_is_counted_in_its_bin_whatever_the_batch() {
        let counts = counts();
        let (nan, infinite) = (f32::NAN, f32::INFINITY);
        let rows = tensor2(&[
            [0., 20.],
            [0., 20.5],
            [0., nan],
            [99., 41.],
            [0., infinite],
            [0., 30.],
        ]);
        let texts = ["de", "fr", "", "de", "a\"b", "at"].map(String::from);
        counts.saw_inputs(&[rows, tensor1(&texts)], Traffic::Live);
        counts.saw_outputs(&[tensor1(&[0_i64, 1, 1, 2, 0, 1])], Traffic::Live);
        assert_eq!(of(&counts, "live", "age"), [1, 2, 1, 1, 1]);
        assert_eq!(of(&counts, "live", "country"), [2, 1, 2, 1]);
        assert_eq!(of(&counts, "live", "label"), [2, 3, 1, 0]);

        let one = || [tensor2(&[[7_f32, 41.]]), tensor1(&["fr".to_owned()])];
        counts.saw_inputs(&one(), Traffic::Live);
        assert_eq!(of(&counts, "live", "age"), [1, 2, 2, 1, 1]);
        assert_eq!(of(&counts, "live", "country"), [2, 1, 3, 1]);
        assert!(!told(&counts).contains("shadow"), "there were no copies");
        counts.saw_inputs(&one(), Traffic::Shadow);
        assert_eq!(of(&counts, "shadow", "age"), [0, 0, 1, 0, 0]);
        assert_eq!(of(&counts, "live", "age"), [1, 2, 2, 1, 1]);

        let narrow = [tensor2(&[[7_f32], [8.]]), tensor1(&texts[..2])];
        counts.saw_inputs(&narrow, Traffic::Live);
        assert_eq!(
            of(&counts, "live", "age"),
            [1, 2, 2, 1, 1],
            "rows without this column have no value of it"
        );
    }

    #[test]
    fn labels_are_escaped_and_the_reference_is_told_with_the_same_ones() {
        let counts = counts();
        let mut expected = String::new();
        counts.expected(&mut expected, "e", "r=\"1\"");
        assert!(
            expected.contains("e{r=\"1\",side=\"input\",feature=\"age\",bin=\"20..40.5\"} 0.5\n"),
            "{expected}"
        );
        assert!(
            expected.contains("feature=\"country\",bin=\"a\\\"b\"} 0.25\n"),
            "{expected}"
        );
        let labels = |text: &str| -> Vec<String> {
            let side =
                |line: &str| line[line.find("side=").unwrap()..line.rfind(' ').unwrap()].to_owned();
            text.lines().map(side).collect()
        };
        assert_eq!(labels(&expected), labels(&told(&counts)));
    }
}
