//! Data sources: what a configuration can look up.

use std::sync::Arc;

use async_trait::async_trait;

use crate::context::{Context, ReadContext};
use crate::convert::{FromValue, IntoValue, Object, Shape};
use crate::diagnostics::Diagnostics;
use crate::resource::ValidateConfig;
use crate::schema::Schema;
use crate::value::Value;

/// A data source. `C` is the provider's client.
#[async_trait]
pub trait DataSource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Configuration and result, declared with [`object!`](crate::object).
    type State: Object;

    /// The type name as users write it.
    const TYPE: &'static str;

    /// The type name that this one goes by. A data source whose type is known only when it runs, with
    /// [`Value`] for its state, answers with a name of its own, and `TYPE` is never read.
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    /// The schema. Called once for each process.
    fn schema(&self) -> Schema;

    /// Looks up what the configuration asks for. Terraform calls it once the configuration is wholly
    /// known. The answer holds the configured values unchanged and the computed ones filled in.
    ///
    /// # Errors
    /// Diagnostics if it cannot be found.
    async fn read(
        &self,
        cx: &ReadContext<C>,
        config: Self::State,
    ) -> Result<Self::State, Diagnostics>;

    /// Rules over the whole configuration, beyond the schema's.
    fn validate_config(&self) -> Option<&dyn ValidateConfig<Self::State>> {
        None
    }
}

/// A data source as [`Provider::data_sources`](crate::Provider::data_sources) lists it.
pub fn data_source<C: Send + Sync + 'static, D: DataSource<C>>(
    source: D,
) -> Arc<dyn AnyDataSource<C>> {
    Arc::new(Typed(source))
}

/// A data source whose Rust types are out of sight, as the server holds it.
///
/// Made by [`data_source`]; not meant to be implemented by hand.
#[async_trait]
#[allow(missing_docs)]
pub trait AnyDataSource<C: Send + Sync + 'static>: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn shape(&self) -> Shape;
    fn validate_config(&self, cx: &Context, config: Value, problems: &mut Diagnostics);
    async fn read(&self, cx: &ReadContext<C>, config: Value) -> Result<Value, Diagnostics>;
}

struct Typed<D>(D);

#[async_trait]
impl<C: Send + Sync + 'static, D: DataSource<C>> AnyDataSource<C> for Typed<D> {
    fn type_name(&self) -> &'static str {
        self.0.type_name()
    }

    fn schema(&self) -> Schema {
        self.0.schema()
    }

    fn shape(&self) -> Shape {
        D::State::shape()
    }

    fn validate_config(&self, cx: &Context, config: Value, problems: &mut Diagnostics) {
        let Some(rules) = self.0.validate_config() else {
            return;
        };
        match D::State::from_value(config) {
            Ok(config) => rules.validate_config(cx, &config, problems),
            Err(error) => problems.push(error.into()),
        }
    }

    async fn read(&self, cx: &ReadContext<C>, config: Value) -> Result<Value, Diagnostics> {
        let config = D::State::from_value(config)?;
        self.0.read(cx, config).await.map(IntoValue::into_value)
    }
}
