//! Whether a reference says something, and whether it says it of this model.

use std::collections::BTreeSet;

use super::bins::{INFINITE, MISSING, OTHER, whole};
use super::{
    Categorical, Distribution, FORMAT, Feature, MAX_BINS, MAX_CHARACTERS, MAX_FEATURES, Numeric,
    ROUNDING, Reference,
};
use crate::error::{Error, Result};
use crate::signature::{Datatype, Signature, Tensor};

impl Reference {
    pub(super) fn check(&self) -> Result<()> {
        let refused = |message: String| Err(Error::invalid(message));
        if self.format != FORMAT {
            return refused(format!(
                "format is {:?}, and this program reads {FORMAT:?}",
                self.format
            ));
        }
        if self.rows == 0 {
            return refused("rows is 0: it was made of nothing".into());
        }
        let count = self.features.len() + self.predictions.len();
        if count == 0 || count > MAX_FEATURES {
            return refused(format!(
                "features and predictions are {count} together; give 1 to {MAX_FEATURES}"
            ));
        }
        for (list, features) in [
            ("features", &self.features),
            ("predictions", &self.predictions),
        ] {
            let mut names = BTreeSet::new();
            for (at, feature) in features.iter().enumerate() {
                let place = format!("{list}[{at}] {:?}", feature.name);
                feature.check().map_err(|why| fault(&place, &why))?;
                if !names.insert(&feature.name) {
                    return refused(format!("{place}: another one has this name"));
                }
            }
        }
        Ok(())
    }

    /// Whether a model of this signature has what the reference speaks of.
    ///
    /// # Errors
    /// `Invalid`, naming the field at fault.
    pub fn fits(&self, signature: &Signature) -> Result<()> {
        let sides = [
            ("features", "input", &self.features, &signature.inputs),
            (
                "predictions",
                "output",
                &self.predictions,
                &signature.outputs,
            ),
        ];
        for (list, side, features, tensors) in sides {
            for (at, feature) in features.iter().enumerate() {
                let place = format!("{list}[{at}] {:?}", feature.name);
                let tensor = tensors.iter().find(|tensor| tensor.name == feature.tensor);
                let Some(tensor) = tensor else {
                    let known: Vec<&str> = tensors.iter().map(|tensor| &*tensor.name).collect();
                    let why = format!(
                        "tensor is {:?}, and the model has no such {side}; it has {}",
                        feature.tensor,
                        known.join(", ")
                    );
                    return Err(fault(&place, &why));
                };
                feature.fits(tensor).map_err(|why| fault(&place, &why))?;
            }
        }
        Ok(())
    }
}

fn fault(place: &str, why: &str) -> Error {
    Error::invalid(format!("{place}: {why}"))
}

impl Feature {
    fn check(&self) -> Result<(), String> {
        if self.name.is_empty()
            || self.name.chars().count() > MAX_CHARACTERS
            || self.name.chars().any(char::is_control)
        {
            return Err(format!(
                "name has 1 to {MAX_CHARACTERS} characters, none of them a control character"
            ));
        }
        match &self.distribution {
            Distribution::Numeric(numeric) => numeric.check(),
            Distribution::Categorical(categorical) => categorical.check(),
        }
    }

    fn fits(&self, tensor: &Tensor) -> Result<(), String> {
        let Tensor { name, datatype, .. } = tensor;
        if tensor.shape.is_empty() {
            return Err(format!("{name:?} is one value for all rows of a request"));
        }
        if let Some(width) = tensor.row_width()
            && self.column >= width
        {
            return Err(format!(
                "column is {}, and a row of {name:?} has {width} values, from 0",
                self.column
            ));
        }
        match (&self.distribution, datatype) {
            (Distribution::Numeric(_), Datatype::Bytes | Datatype::Bool) => Err(format!(
                "it is numeric, and {name:?} is {datatype}; make it categorical"
            )),
            (Distribution::Categorical(_), Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64) => {
                Err(format!(
                    "it is categorical, and {name:?} is {datatype}; make it numeric"
                ))
            }
            (Distribution::Categorical(_), Datatype::Bytes) => Ok(()),
            (Distribution::Categorical(categorical), datatype) => {
                let wrong = categorical.values.iter().find(|value| {
                    whole(value, *datatype).is_none_or(|(_, written)| written != **value)
                });
                match wrong {
                    Some(wrong) if *datatype == Datatype::Bool => Err(format!(
                        "values holds {wrong:?}, and {name:?} is BOOL: true or false"
                    )),
                    Some(wrong) => Err(format!(
                        "values holds {wrong:?}, which is no {datatype} in decimal, as {name:?} is"
                    )),
                    None => Ok(()),
                }
            }
            (Distribution::Numeric(_), _) => Ok(()),
        }
    }
}

impl Numeric {
    fn check(&self) -> Result<(), String> {
        let bins = self.edges.len() + 1;
        if self.edges.is_empty() || bins > MAX_BINS {
            return Err(format!(
                "edges are {}; give 1 to {}",
                self.edges.len(),
                MAX_BINS - 1
            ));
        }
        // JSON cannot say otherwise, but a program can.
        if self.edges.iter().any(|edge| !edge.is_finite()) {
            return Err("edges are finite numbers".into());
        }
        for (at, pair) in self.edges.windows(2).enumerate() {
            if pair[0] >= pair[1] {
                return Err(format!(
                    "edges ascend, and edges[{}] ({}) is not above edges[{at}] ({})",
                    at + 1,
                    pair[1],
                    pair[0]
                ));
            }
        }
        shares(
            &self.shares,
            bins,
            "one more than edges",
            &[(MISSING, self.missing), (INFINITE, self.infinite)],
        )
    }
}

impl Categorical {
    fn check(&self) -> Result<(), String> {
        if self.values.is_empty() || self.values.len() > MAX_BINS {
            return Err(format!(
                "values are {}; give 1 to {MAX_BINS}",
                self.values.len()
            ));
        }
        let mut seen = BTreeSet::new();
        for (at, value) in self.values.iter().enumerate() {
            if value.is_empty() || value.chars().count() > MAX_CHARACTERS {
                return Err(format!(
                    "values[{at}] has 1 to {MAX_CHARACTERS} characters; what is empty is missing"
                ));
            }
            if [OTHER, MISSING].contains(&&**value) {
                return Err(format!(
                    "values[{at}] is {value:?}, which is the name of another bin"
                ));
            }
            if !seen.insert(value) {
                return Err(format!("values[{at}] ({value:?}) is there twice"));
            }
        }
        shares(
            &self.shares,
            self.values.len(),
            "as many as values",
            &[(OTHER, self.other), (MISSING, self.missing)],
        )
    }
}

fn shares(of: &[f64], wanted: usize, which: &str, more: &[(&str, f64)]) -> Result<(), String> {
    if of.len() != wanted {
        return Err(format!(
            "shares are {}, and must be {wanted}, {which}",
            of.len()
        ));
    }
    let named = |at: usize| format!("shares[{at}]");
    let all = of.iter().enumerate().map(|(at, share)| (named(at), *share));
    let more = more.iter().map(|(bin, share)| {
        let name = bin.trim_matches(['(', ')']);
        (name.to_owned(), *share)
    });
    let mut sum = 0.0;
    for (name, share) in all.chain(more) {
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("{name} is {share}; a share is from 0 to 1"));
        }
        sum += share;
    }
    if (sum - 1.0).abs() > ROUNDING {
        return Err(format!("its shares are {sum} together, and must be 1"));
    }
    Ok(())
}
