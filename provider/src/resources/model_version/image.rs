//! A version that is an image: what a plan can say of it, and its way into the store at apply.

use mlops_core::Error;
use mlops_core::artifacts::{Digest, NoDigestCache};
use mlops_core::images::{ContainerImage, Reference};
use tfplugin::{Attr, Diagnostics};

use super::schema::{Image, State};
use super::source::{Content, Source, Stored};
use crate::client::Client;
use crate::diagnose;
use crate::resources::convert;
use crate::siblings::PlannedVersion;

/// Looks at the image that is configured. One that is written as it was is not looked at again: what its tag pointed to then is the version.
///
/// # Errors
/// Its registry does not have it, or cannot be asked.
pub(super) async fn look(
    image: &Image,
    prior: Option<&State>,
    client: &Client,
) -> Result<Source, Diagnostics> {
    let Attr::Known(uri) = &image.uri else {
        return Ok(Source::Unknown);
    };
    let prior_image = prior.and_then(|prior| prior.image.known());
    if prior_image.is_some_and(|prior| prior.uri.as_str() == Some(uri)) {
        return Ok(Source::Unchanged);
    }
    let found = find(uri, client).await.map_err(refused)?;
    let artifact = found.artifact().map_err(refused)?;
    let digest = artifact.digest.to_string();
    if prior.is_some_and(|prior| prior.artifact_digest.as_str() == Some(&digest)) {
        return Ok(Source::Unchanged);
    }
    Ok(Source::Read(Box::new((artifact, Content::Image(found)))))
}

/// What is planned of the attribute while its image is not known.
pub(super) fn unknown(image: &Attr<Image>) -> Attr<Image> {
    image.clone().map(|image| Image {
        digest: Attr::Unknown,
        platforms: Attr::Unknown,
        ..image
    })
}

/// What a version with this attribute will be, for endpoints of the same plan.
pub(super) fn planned(image: &Attr<Image>) -> PlannedVersion {
    match image {
        Attr::Null => PlannedVersion::Files,
        Attr::Unknown => PlannedVersion::Unknown,
        Attr::Known(image) => {
            by_digest(image).map_or(PlannedVersion::Unknown, PlannedVersion::Image)
        }
    }
}

/// The image by its digest, if that is known.
pub(super) fn by_digest(image: &Image) -> Option<String> {
    let written: Reference = image.uri.as_str()?.parse().ok()?;
    Some(written.with_digest(image.digest.as_str()?).to_string())
}

/// The attribute, written as `uri`.
pub(super) fn state(image: &ContainerImage, uri: Attr<String>) -> Image {
    let platforms = image.platforms.iter().cloned().map(Attr::Known).collect();
    Image {
        uri,
        digest: image.digest().map(str::to_owned).ok().into(),
        platforms: Attr::Known(platforms),
    }
}

/// Stores the document that names the image: the one that was planned, where that is known, and otherwise the one that its tag points to now.
pub(super) async fn store(
    image: &Image,
    digest: Option<&Digest>,
    planned: &State,
    client: &Client,
) -> Result<Stored, Error> {
    let uri = image.uri.as_str().unwrap_or_default();
    let found = match pinned(image, planned)? {
        Some(pinned) => pinned,
        None => find(uri, client).await?,
    };
    let unwritable = |error: std::io::Error| {
        Error::unavailable(format!(
            "image {uri} needs a file below {}, which cannot be written; set TMPDIR to a directory with room",
            std::env::temp_dir().display()
        ))
        .because(error)
    };
    let directory = tempfile::tempdir().map_err(unwritable)?;
    let path = directory.path();
    let document = path.join(ContainerImage::FILE_NAME);
    std::fs::write(document, found.document()).map_err(unwritable)?;
    let artifacts = client.registry.artifacts();
    let artifact = match digest {
        Some(planned) => artifacts.put_planned(path, planned, &NoDigestCache).await?,
        None => artifacts.put_tree(path, &NoDigestCache).await?,
    };
    Ok(Stored {
        artifact,
        content: Content::Image(found),
        seen: None,
    })
}

/// The image that was planned; `None` where the plan could not know it.
fn pinned(image: &Image, planned: &State) -> Result<Option<ContainerImage>, Error> {
    let (Some(uri), Some(digest)) = (image.uri.as_str(), image.digest.as_str()) else {
        return Ok(None);
    };
    let written: Reference = uri.parse()?;
    let platforms = convert::known_list(&image.platforms).flatten();
    let size = planned.artifact_size_bytes.to_option();
    let platforms = platforms.unwrap_or_default();
    Ok(Some(ContainerImage::new(&written, digest, platforms, size)))
}

async fn find(uri: &str, client: &Client) -> Result<ContainerImage, Error> {
    let written: Reference = uri.parse::<Reference>().map_err(at)?;
    let found = client.images.look(&written, true).await.map_err(at)?;
    let found = found.ok_or_else(|| {
        at(Error::not_found(format!(
            "there is no image {written}: its repository does not have it; push it, or correct the name"
        )))
    })?;
    let platforms = found.platforms.iter().map(ToString::to_string).collect();
    Ok(ContainerImage::new(
        &written,
        &found.digest,
        platforms,
        found.size,
    ))
}

fn at(error: Error) -> Error {
    error.at("image.uri")
}

fn refused(error: Error) -> Diagnostics {
    diagnose::failed("The image cannot be registered", &error).into()
}
