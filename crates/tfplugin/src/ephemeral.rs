//! Ephemeral resources: values that exist while Terraform runs and are stored nowhere.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

use crate::context::{Context, ReadContext};
use crate::convert::{FromValue, IntoValue, Object, Shape};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::private::PrivateState;
use crate::resource::ValidateConfig;
use crate::schema::Schema;
use crate::value::Value;

/// An ephemeral resource. `C` is the provider's client.
#[async_trait]
pub trait Ephemeral<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Configuration and result, declared with [`object!`](crate::object).
    type State: Object;

    /// The type name as users write it.
    const TYPE: &'static str;

    /// The schema. Called once for each process.
    fn schema(&self) -> Schema;

    /// Makes the values.
    ///
    /// # Errors
    /// Diagnostics if they cannot be had.
    async fn open(
        &self,
        cx: &ReadContext<C>,
        config: Self::State,
    ) -> Result<Opened<Self::State>, Diagnostics>;

    /// Extends their life. Called when [`Opened::renew_at`] has come.
    ///
    /// # Errors
    /// Diagnostics if they can no longer be used.
    async fn renew(
        &self,
        cx: &ReadContext<C>,
        private: PrivateState,
    ) -> Result<Renewed, Diagnostics> {
        let _ = (cx, private);
        let detail = format!("{} asked to be renewed, but cannot be.", Self::TYPE);
        Err(Diagnostic::bug(detail).into())
    }

    /// Ends their life. Called once Terraform needs them no more.
    ///
    /// # Errors
    /// Diagnostics if that fails.
    async fn close(&self, cx: &ReadContext<C>, private: PrivateState) -> Result<(), Diagnostics> {
        let _ = (cx, private);
        Ok(())
    }

    /// Rules over the whole configuration, beyond the schema's.
    fn validate_config(&self) -> Option<&dyn ValidateConfig<Self::State>> {
        None
    }
}

/// An opened ephemeral resource.
#[derive(Clone, Debug)]
pub struct Opened<S> {
    /// The configured values unchanged and the computed ones filled in.
    pub result: S,
    /// When to renew it; `None` for never.
    pub renew_at: Option<SystemTime>,
    /// What renew and close need to know.
    pub private: PrivateState,
}

impl<S> Opened<S> {
    /// A result that needs no renewal.
    pub fn new(result: S) -> Self {
        Self {
            result,
            renew_at: None,
            private: PrivateState::new(),
        }
    }
}

/// A renewed ephemeral resource.
#[derive(Clone, Debug, Default)]
pub struct Renewed {
    /// When to renew it again; `None` for never.
    pub renew_at: Option<SystemTime>,
    /// What renew and close need to know; `None` keeps what there was.
    pub private: Option<PrivateState>,
}

/// An ephemeral resource as [`Provider::ephemerals`](crate::Provider::ephemerals) lists it.
pub fn ephemeral<C: Send + Sync + 'static, E: Ephemeral<C>>(
    ephemeral: E,
) -> Arc<dyn AnyEphemeral<C>> {
    Arc::new(Typed(ephemeral))
}

/// An ephemeral resource whose Rust types are out of sight, as the server holds it.
///
/// Made by [`ephemeral`]; not meant to be implemented by hand.
#[async_trait]
#[allow(missing_docs)]
pub trait AnyEphemeral<C: Send + Sync + 'static>: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn shape(&self) -> Shape;
    fn validate_config(&self, cx: &Context, config: Value, problems: &mut Diagnostics);
    async fn open(&self, cx: &ReadContext<C>, config: Value) -> Result<Opened<Value>, Diagnostics>;
    async fn renew(
        &self,
        cx: &ReadContext<C>,
        private: PrivateState,
    ) -> Result<Renewed, Diagnostics>;
    async fn close(&self, cx: &ReadContext<C>, private: PrivateState) -> Result<(), Diagnostics>;
}

struct Typed<E>(E);

#[async_trait]
impl<C: Send + Sync + 'static, E: Ephemeral<C>> AnyEphemeral<C> for Typed<E> {
    fn type_name(&self) -> &'static str {
        E::TYPE
    }

    fn schema(&self) -> Schema {
        self.0.schema()
    }

    fn shape(&self) -> Shape {
        E::State::shape()
    }

    fn validate_config(&self, cx: &Context, config: Value, problems: &mut Diagnostics) {
        let Some(rules) = self.0.validate_config() else {
            return;
        };
        match E::State::from_value(config) {
            Ok(config) => rules.validate_config(cx, &config, problems),
            Err(error) => problems.push(error.into()),
        }
    }

    async fn open(&self, cx: &ReadContext<C>, config: Value) -> Result<Opened<Value>, Diagnostics> {
        let config = E::State::from_value(config)?;
        let Opened {
            result,
            renew_at,
            private,
        } = self.0.open(cx, config).await?;
        Ok(Opened {
            result: result.into_value(),
            renew_at,
            private,
        })
    }

    async fn renew(
        &self,
        cx: &ReadContext<C>,
        private: PrivateState,
    ) -> Result<Renewed, Diagnostics> {
        self.0.renew(cx, private).await
    }

    async fn close(&self, cx: &ReadContext<C>, private: PrivateState) -> Result<(), Diagnostics> {
        self.0.close(cx, private).await
    }
}
