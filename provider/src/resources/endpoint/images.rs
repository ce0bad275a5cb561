//! Which images variants run: each tag is resolved to a digest by the plan, and the apply runs that digest or nothing: Terraform plans once more before it
//! applies, and stops where a known value comes out otherwise.
//! Why: `docs/decisions/0029-image-tags.md`.

use std::collections::BTreeMap;

use mlops_core::images::Reference;
use mlops_core::{Class, Error};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path, PrivateState, Severity};

use super::bind::Bindings;
use super::model::variant_path;
use super::schema::{Runs, State, Variant};
use crate::client::{Client, unreadable};

/// The key in private state under which the model server's image is kept as it was written.
const SERVER: &str = "server_image";

/// The images of variants, by digest.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// Those that variants run in place of a model.
    pub(crate) own: BTreeMap<String, Attr<String>>,
    /// The model server's; null if none is named, or nobody runs it.
    pub(crate) server: Attr<String>,
    /// What was not found, and may be by the time of the apply.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Resolved {
    /// The attribute `target_images`.
    pub(crate) fn target(
        &self,
        state: &State,
        bindings: &Bindings,
    ) -> Attr<BTreeMap<String, Attr<String>>> {
        if state.ecs.is_null() {
            return Attr::Null;
        }
        let Some(variants) = state.variants.known().filter(|_| state.ecs.is_known()) else {
            return Attr::Unknown;
        };
        let mut images = BTreeMap::new();
        for (name, variant) in variants {
            let image = match variant.runs() {
                Runs::Image => self.own.get(name).cloned().unwrap_or(Attr::Unknown),
                Runs::Version => bindings.image(name).unwrap_or_else(|| self.server.clone()),
                Runs::Undecided => return Attr::Unknown,
            };
            if !image.is_null() {
                images.insert(name.clone(), image);
            }
        }
        Attr::Known(images)
    }
}

/// What the state says of images that nobody can ask about now.
#[derive(Debug, Default)]
pub(crate) struct Held<'a> {
    prior: Option<&'a State>,
    server: Option<String>,
}

impl<'a> Held<'a> {
    /// Reads the state before the plan.
    pub(crate) fn new(
        prior: Option<&'a State>,
        private: &PrivateState,
    ) -> Result<Self, Diagnostics> {
        Ok(Self {
            prior,
            server: private.get(SERVER).map_err(unreadable)?,
        })
    }

    fn target(&self, variant: &str) -> Option<&'a str> {
        self.prior?.target_images.known()?.get(variant)?.as_str()
    }

    /// What `image` of this variant was resolved to, if it is written as it was.
    fn own(&self, name: &str, image: &str) -> Option<&'a str> {
        let variant = self.prior?.variants.known()?.get(name)?;
        let is_same = variant.image.as_str() == Some(image);
        self.target(name).filter(|_| is_same)
    }

    /// What the model server's image was resolved to, if it is written as it was.
    fn server(&self, image: &str) -> Option<&'a str> {
        let is_same = self.server.as_deref() == Some(image);
        let written: Reference = image.parse().ok().filter(|_| is_same)?;
        // A version may be an image of its own.
        let is_server = |name: &String| {
            let target = self.target(name)?;
            let held: Reference = target.parse().ok()?;
            let is_its =
                held.registry() == written.registry() && held.repository() == written.repository();
            is_its.then_some(target)
        };
        let variants = self.prior?.variants.known()?.iter();
        let mut serving = variants.filter(|(_, variant)| variant.runs() == Runs::Version);
        serving.find_map(|(name, _)| is_server(name))
    }
}

/// Resolves the images of a plan. What nobody can be asked about stays as it is held.
pub(crate) async fn resolve(
    client: &Client,
    state: &State,
    bindings: &Bindings,
    held: &Held<'_>,
) -> Result<Resolved, Diagnostics> {
    let mut resolved = Resolved::default();
    let mut problems = Diagnostics::new();
    for (name, variant) in state.variants.known().into_iter().flatten() {
        let Some(image) = variant.image.as_str() else {
            continue;
        };
        // On this machine it is refused, whatever it is.
        let found = match state.ecs.is_null() {
            true => Attr::Known(image.to_owned()),
            false => {
                let at = variant_path(name, "image");
                let held = held.own(name, image);
                let seen = Seen {
                    image,
                    at,
                    held,
                    is_server: false,
                };
                seen.resolve(client, &mut resolved.warnings, &mut problems)
                    .await
            }
        };
        resolved.own.insert(name.clone(), found);
    }
    if let Some(image) = client
        .server_image
        .as_deref()
        .filter(|_| runs_server(state, bindings))
    {
        let at = Path::attribute("ecs");
        let held = held.server(image);
        let seen = Seen {
            image,
            at,
            held,
            is_server: true,
        };
        resolved.server = seen
            .resolve(client, &mut resolved.warnings, &mut problems)
            .await;
    }
    match problems.has_errors() {
        true => Err(problems),
        false => Ok(resolved),
    }
}

/// The images that a plan decided on. What it could not know is resolved now.
pub(crate) async fn settle(
    client: &Client,
    planned: &State,
    bindings: &Bindings,
) -> Result<Resolved, Diagnostics> {
    let target = |name: &String| planned.target_images.known()?.get(name)?.as_str();
    let variants = || planned.variants.known().into_iter().flatten();
    let mut settled = Resolved::default();
    for (name, variant) in variants() {
        match (variant.runs(), target(name)) {
            (Runs::Image, Some(image)) => {
                settled.own.insert(name.clone(), image.to_owned().into());
            }
            (_, Some(image)) if bindings.image(name).is_none() => {
                settled.server = image.to_owned().into();
            }
            _ => {}
        }
    }
    let is_settled = |(name, variant): (&String, &Variant)| {
        let is_bound = client.server_image.is_none() || bindings.image(name).is_some();
        target(name).is_some() || variant.runs() == Runs::Version && is_bound
    };
    if planned.ecs.is_null() || !variants().all(is_settled) {
        let found = resolve(client, planned, bindings, &Held::default()).await?;
        if let Some(missing) = found.warnings.into_iter().next() {
            let missing = Diagnostic {
                severity: Severity::Error,
                ..missing
            };
            return Err(missing.into());
        }
        for (name, image) in found.own {
            settled.own.entry(name).or_insert(image);
        }
        if settled.server.is_null() {
            settled.server = found.server;
        }
    }
    Ok(settled)
}

/// Private state after an apply: the registry, and how the model server's image was written.
pub(crate) async fn private(client: &Client) -> Result<PrivateState, Diagnostics> {
    let mut private = client.private().await?;
    if let Some(image) = &client.server_image {
        private.set(SERVER, image).map_err(unreadable)?;
    }
    Ok(private)
}

fn runs_server(state: &State, bindings: &Bindings) -> bool {
    let mut variants = state.variants.known().into_iter().flatten();
    let runs_server = |(name, variant): (&String, &Variant)| {
        variant.runs() != Runs::Image && bindings.image(name).is_none()
    };
    !state.ecs.is_null() && variants.any(runs_server)
}

/// An image as it is written.
struct Seen<'a> {
    image: &'a str,
    /// The attribute at fault.
    at: Path,
    /// What it was resolved to before.
    held: Option<&'a str>,
    is_server: bool,
}

impl Seen<'_> {
    async fn resolve(
        self,
        client: &Client,
        warnings: &mut Vec<Diagnostic>,
        problems: &mut Diagnostics,
    ) -> Attr<String> {
        let error = match self.ask(client).await {
            Ok(found) => return found.into(),
            Err(error) => error,
        };
        let what = match self.is_server {
            true => format!(
                "The provider's server_image {:?}: {}; `mlops image push --to REPOSITORY` publishes one",
                self.image,
                error.chain()
            ),
            false => error.chain().to_string(),
        };
        let told = |summary: &str, rest: String| {
            Diagnostic::error(summary, format!("{what}.{rest}")).at(self.at.clone())
        };
        if let Some(held) = self.held {
            let rest = format!(
                "\n\nThe endpoint stays at {held} until a plan can tell where the tag points."
            );
            warnings.push(told("The image cannot be looked up", rest).into_warning());
            return Attr::Known(held.to_owned());
        }
        if error.class() == Class::NotFound {
            let rest = "\n\nThe apply looks for it again.".to_owned();
            warnings.push(told("The image does not exist", rest).into_warning());
            return Attr::Unknown;
        }
        let rest = match error.class() {
            Class::Denied | Class::Unavailable | Class::Throttled => {
                "\n\nWithout its digest a plan cannot tell what would run. Name the image by its digest, REPOSITORY@sha256:DIGEST, if whoever plans \
                 cannot reach the registry."
            }
            _ => "",
        };
        problems.push(told("The image cannot be resolved", rest.to_owned()));
        Attr::Unknown
    }

    /// The image by its digest.
    async fn ask(&self, client: &Client) -> Result<String, Error> {
        let image: Reference = self.image.parse()?;
        if image.digest().is_some() {
            return Ok(self.image.to_owned());
        }
        match client.images.digest(&image).await? {
            Some(digest) => Ok(image.with_digest(&digest).to_string()),
            None => Err(Error::invalid(format!(
                "there is no image {image}: its repository has no such tag; push it, or correct the tag"
            ))),
        }
    }
}
