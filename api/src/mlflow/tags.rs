//! Tags, and the metrics that travel as tags: an MLflow client can set nothing else on a version.

use std::collections::BTreeMap;

use super::wire::Tag;
use crate::answer::Refusal;

/// A tag whose key begins so is the metric named by the rest: `mlops.metric.accuracy`.
pub(super) const METRIC: &str = "mlops.metric.";

/// What tags mean: sets (`Some`) or removes (`None`).
#[derive(Debug, Default, PartialEq)]
pub(super) struct Meant {
    pub(super) tags: BTreeMap<String, Option<String>>,
    pub(super) metrics: BTreeMap<String, Option<f64>>,
}

impl Meant {
    /// One tag that is set or removed.
    pub(super) fn of(key: &str, value: Option<&str>) -> Result<Self, Refusal> {
        let mut meant = Self::default();
        match key.strip_prefix(METRIC) {
            None => drop(meant.tags.insert(key.to_owned(), value.map(str::to_owned))),
            Some("") => {
                return Err(Refusal::invalid(format!(
                    "tag {key:?} names no metric; write {METRIC}NAME"
                )));
            }
            Some(metric) => {
                let value = value.map(|value| number(key, value)).transpose()?;
                meant.metrics.insert(metric.to_owned(), value);
            }
        }
        Ok(meant)
    }

    /// Several that are set; the last of equal keys counts.
    pub(super) fn all(tags: &[(String, String)]) -> Result<Self, Refusal> {
        let mut all = Self::default();
        for (key, value) in tags {
            let one = Self::of(key, Some(value))?;
            all.tags.extend(one.tags);
            all.metrics.extend(one.metrics);
        }
        Ok(all)
    }

    /// What is set, for something new.
    pub(super) fn set(self) -> (BTreeMap<String, String>, BTreeMap<String, f64>) {
        let tags = self
            .tags
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        let metrics = self
            .metrics
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        (tags.collect(), metrics.collect())
    }
}

fn number(key: &str, value: &str) -> Result<f64, Refusal> {
    let number: Option<f64> = value.trim().parse().ok();
    number.filter(|number| number.is_finite()).ok_or_else(|| {
        Refusal::invalid(format!(
            "tag {key:?} is a metric and {value:?} is not a number"
        ))
    })
}

/// Tags as they are shown, metrics among them.
pub(super) fn shown(tags: &BTreeMap<String, String>, metrics: &BTreeMap<String, f64>) -> Vec<Tag> {
    let metrics = metrics.iter().map(|(name, value)| Tag {
        key: format!("{METRIC}{name}"),
        value: value.to_string(),
    });
    plain(tags).into_iter().chain(metrics).collect()
}

/// Tags as they are.
pub(super) fn plain(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag {
        key: key.clone(),
        value: value.clone(),
    };
    tags.iter().map(tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_the_prefix_is_a_metric_and_must_be_a_number() {
        let meant = Meant::of("mlops.metric.accuracy", Some(" 0.98 ")).unwrap();
        assert_eq!(meant.metrics["accuracy"], Some(0.98));
        assert!(meant.tags.is_empty());
        for wrong in ["", "good", "NaN", "inf"] {
            assert!(
                Meant::of("mlops.metric.accuracy", Some(wrong)).is_err(),
                "{wrong}"
            );
        }
        assert!(Meant::of("mlops.metric.", Some("1")).is_err());
        let removed = Meant::of("mlops.metric.accuracy", None).unwrap();
        assert_eq!(removed.metrics["accuracy"], None);
    }
}
