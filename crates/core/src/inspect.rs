//! What an artifact is, read from its files without running anything. A plan asks this.

use std::io::Read as _;
use std::path::Path;

use crate::artifacts::{Artifact, SourceFile, SourceTree};
use crate::error::{Error, Result};
use crate::onnx;
use crate::reference::{self, Reference};
use crate::signature::Signature;

/// What was found in an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// The framework that wrote it: `onnx`.
    pub framework: &'static str,
    /// Its inputs and outputs.
    pub signature: Signature,
}

/// The file of an artifact that the model server loads: the only file that ends in `.onnx`.
/// Other files of a directory (a tokenizer, a label map) travel along.
///
/// # Errors
/// `Invalid`, attribute `source`, if there is none or more than one.
pub fn model_file(artifact: &Artifact) -> Result<&str> {
    only_model(&artifact.files, |file| &file.path).map(|file| file.path.as_str())
}

/// The file of an artifact that says what its values are expected to look like, if there is one: the only file that is named
/// [`reference::FILE_NAME`].
///
/// # Errors
/// `Invalid`, attribute `source`, if there is more than one.
pub fn reference_file(artifact: &Artifact) -> Result<Option<&str>> {
    only_reference(&artifact.files, |file| &file.path)
        .map(|file| file.map(|file| file.path.as_str()))
}

/// The files of a source that [`inspect`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// It would be the [`model_file`] of the artifact.
    pub model: &'a SourceFile,
    /// It would be the [`reference_file`].
    pub reference: Option<&'a SourceFile>,
}

/// Finds them, and reads nothing.
///
/// # Errors
/// Those of [`model_file`] and [`reference_file`].
pub fn looked(tree: &SourceTree) -> Result<Looked<'_>> {
    Ok(Looked {
        model: only_model(&tree.files, |file| &file.path)?,
        reference: only_reference(&tree.files, |file| &file.path)?,
    })
}

fn only_model<T>(files: &[T], path: impl Fn(&T) -> &str) -> Result<&T> {
    let mut models = files.iter().filter(|file| path(file).ends_with(".onnx"));
    match (models.next(), models.next()) {
        (Some(model), None) => Ok(model),
        (None, _) => Err(Error::invalid(
            "the source holds no file that ends in .onnx; export the model as ONNX and name that file or its directory",
        )
        .at("source")),
        (Some(first), Some(second)) => Err(Error::invalid(format!(
            "the source holds more than one model ({}, {}); keep one .onnx file in it",
            path(first),
            path(second)
        ))
        .at("source")),
    }
}

fn only_reference<T>(files: &[T], path: impl Fn(&T) -> &str) -> Result<Option<&T>> {
    let named = |file: &&T| path(file).rsplit('/').next() == Some(reference::FILE_NAME);
    let mut found = files.iter().filter(named);
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => Err(Error::invalid(format!(
            "the source holds more than one {} ({}, {}); keep the one of its model",
            reference::FILE_NAME,
            path(first),
            path(second)
        ))
        .at("source")),
        (found, _) => Ok(found),
    }
}

/// Reads what the model in a source takes and gives, and its reference, if it has one. Blocking; skips the weights.
///
/// # Errors
/// `Invalid`, attribute `source`: not ONNX, truncated, corrupt, or with an operator that the model
/// server does not run; a reference that the model server would not start with; or those of [`looked`].
pub fn inspect(tree: &SourceTree) -> Result<Inspected> {
    let Looked { model, reference } = looked(tree)?;
    let path = &model.location;
    let bytes = condensed(path).map_err(|error| unread(path, error))?;
    let signature = onnx::inspect(&bytes).map_err(|error| {
        Error::invalid(format!(
            "{} is not a model that can be served",
            path.display()
        ))
        .at("source")
        .because(error)
    })?;
    if let Some(file) = reference {
        let path = &file.location;
        let bytes = short(path).map_err(|error| unread(path, error))?;
        let checked = Reference::read(&bytes).and_then(|reference| reference.fits(&signature));
        checked.map_err(|error| {
            Error::invalid(format!(
                "{} is no reference of this model; `mlops reference` makes one",
                path.display()
            ))
            .at("source")
            .because(error)
        })?;
    }
    Ok(Inspected {
        framework: "onnx",
        signature,
    })
}

fn unread(path: &Path, cause: std::io::Error) -> Error {
    Error::unavailable(format!("{} could not be read", path.display()))
        .at("source")
        .because(cause)
}

/// A reference's bytes: one more than it may have at most, so that a file of any size is refused without being read.
fn short(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(reference::MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The model without its weights: a plan looks at files of any size.
fn condensed(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    onnx::condense(file, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::{Digest, FileEntry, describe_source};

    fn artifact(paths: &[&str]) -> Artifact {
        let file = |path: &&str| FileEntry {
            path: (*path).into(),
            size: 1,
            digest: Digest::of(path.as_bytes()),
        };
        Artifact::new(paths.iter().map(file).collect()).unwrap()
    }

    #[test]
    fn the_only_onnx_file_is_the_model() {
        assert_eq!(
            model_file(&artifact(&["labels.json", "m.onnx"])).unwrap(),
            "m.onnx"
        );
        let error = model_file(&artifact(&["labels.json"])).unwrap_err();
        assert!(
            error.to_string().contains("no file that ends in .onnx"),
            "{error}"
        );
        assert_eq!(error.attribute(), Some("source"));
        let error = model_file(&artifact(&["a.onnx", "b.onnx"])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("more than one model (a.onnx, b.onnx)"),
            "{error}"
        );
    }

    #[test]
    fn bytes_that_are_no_model_are_refused_naming_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.onnx");
        std::fs::write(path, b"not a model").unwrap();
        let tree = describe_source(directory.path()).unwrap();
        let error = inspect(&tree).unwrap_err();
        assert!(
            error
                .chain()
                .to_string()
                .contains("the file is not an ONNX model"),
            "{}",
            error.chain()
        );
    }

    #[test]
    fn a_reference_lies_anywhere_in_the_artifact_and_there_is_one_at_most() {
        let found = |paths: &[&str]| reference_file(&artifact(paths)).map(|p| p.map(String::from));
        assert_eq!(found(&["m.onnx", "my-mlops-reference.json"]).unwrap(), None);
        assert_eq!(
            found(&["data/m.onnx", "data/mlops-reference.json"]).unwrap(),
            Some("data/mlops-reference.json".into())
        );
        let error = found(&["mlops-reference.json", "old/mlops-reference.json"]).unwrap_err();
        assert!(error.to_string().contains("more than one"), "{error}");
        assert_eq!(error.attribute(), Some("source"));
    }

    #[test]
    fn a_reference_of_another_model_is_refused_naming_file_and_field() {
        let directory = tempfile::tempdir().unwrap();
        let digits = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples/quickstart/models/digits-v1.onnx");
        std::fs::copy(digits, directory.path().join("model.onnx")).unwrap();
        let look = |reference: serde_json::Value| {
            let path = directory.path().join(reference::FILE_NAME);
            std::fs::write(path, reference.to_string()).unwrap();
            inspect(&describe_source(directory.path()).unwrap())
        };
        let feature = |tensor: &str, column: usize| {
            serde_json::json!({
                "format": reference::FORMAT, "rows": 2,
                "features": [{
                    "name": "ink", "tensor": tensor, "column": column,
                    "distribution": {"numeric": {"edges": [0], "shares": [0.5, 0.5]}},
                }],
            })
        };
        look(feature("pixels", 63)).unwrap();
        for (reference, said) in [
            (
                feature("pixels", 64),
                "features[0] \"ink\": column is 64, and a row of \"pixels\" has 64 values",
            ),
            (
                feature("x", 0),
                "features[0] \"ink\": tensor is \"x\", and the model has no such input; it has pixels",
            ),
            (
                serde_json::json!({}),
                "it is no reference: missing field `format`",
            ),
        ] {
            let error = look(reference).unwrap_err();
            assert_eq!(error.attribute(), Some("source"));
            let chain = error.chain().to_string();
            assert!(
                chain.contains("mlops-reference.json is no reference of this model")
                    && chain.contains(said),
                "{chain}"
            );
        }
    }
}
