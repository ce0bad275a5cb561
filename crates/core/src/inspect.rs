//! What an artifact is, read from its files without running anything. A plan asks this.

use std::path::Path;

use crate::artifacts::{Artifact, SourceFile, SourceTree};
use crate::error::{Error, Result};
use crate::onnx;
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

/// The file of a source that would be the [`model_file`] of its artifact.
///
/// # Errors
/// Those of [`model_file`].
pub fn model_source(tree: &SourceTree) -> Result<&SourceFile> {
    only_model(&tree.files, |file| &file.path)
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

/// Reads what the model in this file takes and gives. Blocking; skips the weights.
///
/// # Errors
/// `Invalid`, attribute `source`: not ONNX, truncated, corrupt, or with an operator that the model
/// server does not run.
pub fn inspect(model: &SourceFile) -> Result<Inspected> {
    let path = &model.location;
    let bytes = condensed(path).map_err(|error| {
        Error::unavailable(format!("{} could not be read", path.display()))
            .at("source")
            .because(error)
    })?;
    let signature = onnx::inspect(&bytes).map_err(|error| {
        Error::invalid(format!(
            "{} is not a model that can be served",
            path.display()
        ))
        .at("source")
        .because(error)
    })?;
    Ok(Inspected {
        framework: "onnx",
        signature,
    })
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
        let error = inspect(model_source(&tree).unwrap()).unwrap_err();
        assert!(
            error
                .chain()
                .to_string()
                .contains("the file is not an ONNX model"),
            "{}",
            error.chain()
        );
    }
}
