//! What changes from one version to another, in short lines. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::registry::{Goal, Lineage, MetricSpec};
use crate::signature::{Signature, Tensor};

/// One side of a comparison; a field that is `None` is not known yet and is not compared.
#[derive(Debug, Clone, Default)]
pub struct Side<'a> {
    /// What to call it: `fraud/3`, or `the new version`.
    pub name: String,
    /// Metrics.
    pub metrics: Option<&'a BTreeMap<String, f64>>,
    /// Size of the artifact in bytes.
    pub size: Option<u64>,
    /// Digest of the artifact, as text.
    pub digest: Option<String>,
    /// The image by its digest; the inner `None`: it is no image.
    pub image: Option<Option<String>>,
    /// Framework.
    pub framework: Option<&'a str>,
    /// Signature; the inner `None`: it has none.
    pub signature: Option<Option<&'a Signature>>,
    /// Parameters.
    pub params: Option<&'a BTreeMap<String, String>>,
    /// Lineage; the inner `None`: it has none.
    pub lineage: Option<Option<&'a Lineage>>,
}

impl<'a> Side<'a> {
    /// A registered version.
    pub fn of(version: &'a crate::registry::Version) -> Self {
        Self {
            name: version.id.to_string(),
            metrics: Some(&version.metrics),
            size: version.size(),
            digest: Some(version.spec.artifact.digest.to_string()),
            image: Some(version.spec.image.as_ref().map(|image| image.uri.clone())),
            framework: Some(&version.spec.framework),
            signature: Some(version.spec.signature.as_ref()),
            params: Some(&version.spec.params),
            lineage: Some(version.spec.lineage.as_ref()),
        }
    }
}

/// What differs, by subject (`metrics.accuracy`, `size`, `signature.inputs.x`, ...); always with a
/// `base` line that names the old side. Equal versions give only that line. Of parameters and lineage, free text that may be
/// sensitive, only the names are told.
pub fn model_diff(
    old: &Side<'_>,
    new: &Side<'_>,
    declared: &BTreeMap<String, MetricSpec>,
) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::from([("base".to_owned(), old.name.clone())]);
    if let (Some(old), Some(new)) = (old.metrics, new.metrics) {
        metrics(old, new, declared, &mut lines);
    }
    if let (Some(old), Some(new)) = (&old.digest, &new.digest)
        && old != new
    {
        lines.insert(
            "artifact".into(),
            format!("{} -> {}", short(old), short(new)),
        );
    }
    if let (Some(old), Some(new)) = (old.size, new.size)
        && old != new
    {
        lines.insert(
            "size".into(),
            format!("{old} -> {new} bytes{}", percent(old, new)),
        );
    }
    if let (Some(old), Some(new)) = (&old.image, &new.image)
        && old != new
    {
        let named = |image: &Option<String>| image.clone().unwrap_or_else(|| "none".to_owned());
        lines.insert("image".into(), format!("{} -> {}", named(old), named(new)));
    }
    if let (Some(old), Some(new)) = (old.framework, new.framework)
        && old != new
    {
        lines.insert("framework".into(), format!("{old} -> {new}"));
    }
    if let (Some(old), Some(new)) = (old.signature, new.signature) {
        signature(old, new, &mut lines);
    }
    if let (Some(old), Some(new)) = (old.params, new.params) {
        texts("params", old, new, named, &mut lines);
    }
    if let (Some(old), Some(new)) = (old.lineage, new.lineage) {
        texts("lineage", &flat(old), &flat(new), named, &mut lines);
    }
    lines
}

fn metrics(
    old: &BTreeMap<String, f64>,
    new: &BTreeMap<String, f64>,
    declared: &BTreeMap<String, MetricSpec>,
    lines: &mut BTreeMap<String, String>,
) {
    for name in union(old, new) {
        let line = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(old), Some(new)) => {
                let delta = round(new - old);
                let judged = match declared.get(name).map(|spec| spec.goal) {
                    Some(Goal::Maximize) if delta > 0.0 => ", better",
                    Some(Goal::Minimize) if delta < 0.0 => ", better",
                    Some(_) => ", worse",
                    None => "",
                };
                format!("{old} -> {new} ({delta:+}{judged})")
            }
            (Some(old), None) => format!("{old} -> none"),
            (None, Some(new)) => format!("none -> {new}"),
            (None, None) => continue,
        };
        lines.insert(format!("metrics.{name}"), line);
    }
}

fn signature(
    old: Option<&Signature>,
    new: Option<&Signature>,
    lines: &mut BTreeMap<String, String>,
) {
    let tensors = |list: &[Tensor]| -> BTreeMap<String, String> {
        list.iter()
            .map(|tensor| {
                (
                    tensor.name.clone(),
                    format!("{}{:?}", tensor.datatype, tensor.shape),
                )
            })
            .collect()
    };
    let (old, new) = match (old, new) {
        (None, None) => return,
        (None, Some(_)) => {
            lines.insert("signature".into(), "none -> known".into());
            return;
        }
        (Some(_), None) => {
            lines.insert("signature".into(), "known -> none".into());
            return;
        }
        (Some(old), Some(new)) => (old, new),
    };
    texts(
        "signature.inputs",
        &tensors(&old.inputs),
        &tensors(&new.inputs),
        shown,
        lines,
    );
    texts(
        "signature.outputs",
        &tensors(&old.outputs),
        &tensors(&new.outputs),
        shown,
        lines,
    );
}

fn flat(lineage: Option<&Lineage>) -> BTreeMap<String, String> {
    let Some(lineage) = lineage else {
        return BTreeMap::new();
    };
    let single = [
        ("run_id", &lineage.run_id),
        ("git_repo", &lineage.git_repo),
        ("git_commit", &lineage.git_commit),
        ("parent_version", &lineage.parent_version),
    ];
    single
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .chain(
            lineage
                .datasets
                .iter()
                .map(|(name, value)| (format!("datasets.{name}"), value.clone())),
        )
        .collect()
}

/// Lines for the names whose values are not the same.
fn texts(
    subject: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    say: fn(Option<&String>, Option<&String>) -> String,
    lines: &mut BTreeMap<String, String>,
) {
    for name in union(old, new) {
        let (old, new) = (old.get(name), new.get(name));
        if old != new {
            lines.insert(format!("{subject}.{name}"), say(old, new));
        }
    }
}

fn shown(old: Option<&String>, new: Option<&String>) -> String {
    let show = |value: Option<&String>| value.cloned().unwrap_or_else(|| "none".to_owned());
    format!("{} -> {}", show(old), show(new))
}

/// What became of a value that somebody may have marked as sensitive: a provider is not told, and a plan shows what a
/// provider computed from it in clear.
fn named(old: Option<&String>, new: Option<&String>) -> String {
    match (old, new) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    }
    .to_owned()
}

fn union<'a, T>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> BTreeSet<&'a String> {
    old.keys().chain(new.keys()).collect()
}

/// Cuts the noise that a subtraction of decimals leaves.
fn round(delta: f64) -> f64 {
    let rounded = (delta * 1e9).round() / 1e9;
    if rounded == 0.0 || !rounded.is_finite() {
        delta
    } else {
        rounded
    }
}

fn short(digest: &str) -> &str {
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}

fn percent(old: u64, new: u64) -> String {
    if old == 0 {
        return String::new();
    }
    format!(" ({:+.1}%)", (new as f64 - old as f64) / old as f64 * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Datatype;

    #[test]
    fn a_diff_names_metrics_size_signature_params_and_lineage() {
        let declared = BTreeMap::from([(
            "accuracy".to_owned(),
            MetricSpec {
                goal: Goal::Maximize,
                min: None,
                max: None,
                unit: None,
            },
        )]);
        let old_metrics =
            BTreeMap::from([("accuracy".to_owned(), 0.912), ("loss".to_owned(), 0.4)]);
        let new_metrics = BTreeMap::from([("accuracy".to_owned(), 0.981)]);
        let tensor = |shape: i64| Signature {
            inputs: vec![Tensor {
                name: "x".into(),
                datatype: Datatype::Fp32,
                shape: vec![-1, shape],
            }],
            outputs: vec![],
        };
        let (old_signature, new_signature) = (tensor(64), tensor(65));
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let old_params = map(&[("epochs", "3"), ("seed", "1"), ("same", "x")]);
        let params = map(&[("epochs", "4"), ("note", "two\nlines"), ("same", "x")]);
        let lineage = Lineage {
            git_commit: Some("abc".into()),
            ..Lineage::default()
        };
        let old = Side {
            name: "fraud/3".into(),
            metrics: Some(&old_metrics),
            size: Some(1000),
            framework: Some("onnx"),
            signature: Some(Some(&old_signature)),
            params: Some(&old_params),
            lineage: Some(None),
            digest: None,
            image: Some(None),
        };
        let new = Side {
            name: "the new version".into(),
            metrics: Some(&new_metrics),
            size: Some(1500),
            framework: Some("onnx"),
            signature: Some(Some(&new_signature)),
            params: Some(&params),
            lineage: Some(Some(&lineage)),
            digest: None,
            image: Some(Some("fraud@sha256:aa".to_owned())),
        };
        let diff = model_diff(&old, &new, &declared);
        let expected = [
            ("base", "fraud/3"),
            ("lineage.git_commit", "added"),
            ("metrics.accuracy", "0.912 -> 0.981 (+0.069, better)"),
            ("metrics.loss", "0.4 -> none"),
            ("params.epochs", "changed"),
            ("params.note", "added"),
            ("params.seed", "removed"),
            ("signature.inputs.x", "FP32[-1, 64] -> FP32[-1, 65]"),
            ("size", "1000 -> 1500 bytes (+50.0%)"),
            ("image", "none -> fraud@sha256:aa"),
        ];
        assert_eq!(diff, map(&expected));
    }

    #[test]
    fn what_is_unknown_is_not_compared() {
        let metrics = BTreeMap::from([("accuracy".to_owned(), 0.9)]);
        let old = Side {
            name: "fraud/3".into(),
            metrics: Some(&metrics),
            ..Side::default()
        };
        let diff = model_diff(&old, &Side::default(), &BTreeMap::new());
        assert_eq!(diff.into_keys().collect::<Vec<_>>(), ["base"]);
    }
}
