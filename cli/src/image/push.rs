//! `mlops image push`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use mlops_core::images::{Publisher, Reference, Sent};
use mlops_core::{Error, Result};

use super::layout::Layouts;
use crate::exit::Exit;

/// What `make image` writes to.
const BUILT: &str = "target/image";

/// `mlops image push`.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// Where to: REPOSITORY, or REPOSITORY:TAG. Default of the tag: this program's version.
    #[arg(long, value_name = "REPOSITORY")]
    to: String,
    /// The tarballs of `make image`, one for each architecture: of several an index is made. Default: those of this version in
    /// target/image.
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Profile of the shared configuration files, for ECR. Default: AWS_PROFILE.
    #[arg(long)]
    pub(crate) profile: Option<String>,
}

/// What sends images, with a profile.
pub(crate) type Publish = fn(Option<&str>) -> Arc<dyn Publisher>;

/// Sends it.
pub(crate) async fn run(asked: &Push, publisher: Publish) -> Result<Exit> {
    let to = destination(&asked.to)?;
    let files = match asked.from.is_empty() {
        true => built(Path::new(BUILT))?,
        false => asked.from.clone(),
    };
    let layouts = Layouts::open(&files)?;
    let told = |sent: Sent| match sent {
        Sent::Kept(digest) => eprintln!("{digest} is there"),
        Sent::Sent(digest, size) => eprintln!("{digest} sent, {size} bytes"),
    };
    let publisher = publisher(asked.profile.as_deref());
    let named = publisher
        .publish(layouts.parcel(), &layouts, &to, &told)
        .await?;
    println!("{named}");
    Ok(Exit::Ok)
}

/// Where to, with a tag.
fn destination(text: &str) -> Result<Reference> {
    let to: Reference = text.parse()?;
    if to.digest().is_some() {
        return Err(Error::invalid(format!(
            "--to {text} names a digest, which is made of what is sent: name a repository, and a tag"
        )));
    }
    // A colon before the last slash is that of a port.
    let has_tag = text
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'));
    match has_tag {
        true => Ok(to),
        false => format!("{text}:{}", env!("CARGO_PKG_VERSION")).parse(),
    }
}

/// What `make image` left there of this version.
fn built(directory: &Path) -> Result<Vec<PathBuf>> {
    let begins = concat!("mlops-", env!("CARGO_PKG_VERSION"), "-linux-");
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(begins) && name.ends_with(".tar")
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
    found.sort();
    if found.is_empty() {
        return Err(Error::not_found(format!(
            "there is no image of version {} in {}: run `make image` in a checkout first, or name its tarballs with --from",
            env!("CARGO_PKG_VERSION"),
            directory.display()
        )));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_without_a_tag_gets_that_of_the_version() {
        let version = env!("CARGO_PKG_VERSION");
        for (to, named) in [
            (
                "localhost:5000/mlops",
                format!("localhost:5000/mlops:{version}"),
            ),
            ("example.com/mlops:new", "example.com/mlops:new".to_owned()),
        ] {
            assert_eq!(destination(to).unwrap().to_string(), named);
        }
        let digest = format!("example.com/mlops@sha256:{}", "a".repeat(64));
        let error = destination(&digest).unwrap_err();
        assert!(
            error.to_string().contains("name a repository, and a tag"),
            "{error}"
        );
        assert!(destination("Not a name").is_err());
    }

    #[test]
    fn images_of_this_version_are_found_and_none_is_an_error_that_says_how_to_build_one() {
        let directory = tempfile::tempdir().unwrap();
        let error = built(directory.path()).unwrap_err();
        assert!(error.to_string().contains("make image"), "{error}");
        let version = env!("CARGO_PKG_VERSION");
        for name in [
            format!("mlops-{version}-linux-arm64.tar"),
            format!("mlops-{version}-linux-amd64.tar"),
            format!("mlops-{version}-linux-amd64.cdx.json"),
            "mlops-9.9.9-linux-amd64.tar".to_owned(),
        ] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let found = built(directory.path()).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        let expected = ["amd64", "arm64"]
            .map(|architecture| format!("mlops-{version}-linux-{architecture}.tar"));
        assert_eq!(names, expected);
    }
}
