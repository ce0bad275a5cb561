//! `data.mlops_image`: an image as its registry has it.

use async_trait::async_trait;
use mlops_core::Error;
use mlops_core::images::Reference;
use tfplugin::schema::{Attribute, Block, Schema};
use tfplugin::types::Type;
use tfplugin::{Attr, DataSource, Diagnostics, ReadContext};

use super::shared::{failed, number, text};
use crate::client::Client;
use crate::resources::convert::{self, ListOf};
use crate::resources::shared;

tfplugin::object! {
    /// Configuration and result.
    pub(crate) struct State {
        /// The image by its digest.
        pub(crate) id: Attr<String>,
        /// The image as it is written.
        pub(crate) uri: Attr<String>,
        /// Its digest.
        pub(crate) digest: Attr<String>,
        /// What it runs on.
        pub(crate) platforms: ListOf<String>,
        /// What one machine pulls.
        pub(crate) size_bytes: Attr<u64>,
    }
}

/// The data source.
pub(crate) struct ImageData;

#[async_trait]
impl DataSource<Client> for ImageData {
    type State = State;
    const TYPE: &'static str = "mlops_image";

    fn schema(&self) -> Schema {
        Schema::new(
            Block::new()
                .describe(
                    "An image as its registry has it: which digest a tag has, and what it runs on. ECR is asked with the provider's credentials, any other \
                     registry with what `docker login` left.",
                )
                .attribute("id", text("The image by its digest, `REPOSITORY@sha256:DIGEST`: as an endpoint's `image` takes it, and a task definition too."))
                .attribute(
                    "uri",
                    Attribute::string().required().describe("The image, `REPOSITORY:TAG` or `REPOSITORY@sha256:DIGEST`."),
                )
                .attribute("digest", text("Its digest, `sha256:DIGEST`; of its index if it is for several platforms."))
                .attribute(
                    "platforms",
                    Attribute::list(Type::String).computed().describe("What it runs on, sorted, such as `linux/amd64` and `linux/arm64`."),
                )
                .attribute("size_bytes", number("What a machine pulls that has none of its layers, packed as it is; of several platforms the largest.")),
        )
    }

    async fn read(&self, cx: &ReadContext<Client>, config: State) -> Result<State, Diagnostics> {
        let uri = convert::known(&config.uri).flatten();
        let uri = uri.ok_or_else(shared::unknown_at_apply)?;
        let object = format!("image {uri}");
        let told = |error: Error| failed(&object, &error.at("uri"));
        let image: Reference = uri.parse().map_err(told)?;
        let found = cx.client().images.look(&image, true).await.map_err(told)?;
        let found = found.ok_or_else(|| {
            told(Error::not_found(format!(
                "there is no image {image}: its repository does not have it; push it, or correct the name"
            )))
        })?;
        let platforms = found.platforms.iter().map(ToString::to_string);
        Ok(State {
            id: image.with_digest(&found.digest).to_string().into(),
            uri: config.uri,
            digest: found.digest.into(),
            platforms: Attr::Known(platforms.map(Attr::Known).collect()),
            size_bytes: found.size.into(),
        })
    }
}
