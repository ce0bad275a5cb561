use std::sync::{Arc, OnceLock};

use crate::contract;
use crate::convert::Shape;
use crate::data_source::AnyDataSource;
use crate::diagnostics::Diagnostics;
use crate::ephemeral::AnyEphemeral;
use crate::resource::{AnyResource, IdentitySchema};
use crate::schema::Schema;

pub(super) type ResourceOffer<C> = Offer<Arc<dyn AnyResource<C>>>;
pub(super) type SourceOffer<C> = Offer<Arc<dyn AnyDataSource<C>>>;
pub(super) type EphemeralOffer<C> = Offer<Arc<dyn AnyEphemeral<C>>>;

/// How a thing declares itself.
type Declare<T> = Box<dyn Fn(&T) -> (Schema, Shape) + Send + Sync>;

/// One thing that the provider offers, with its schema, which is made once.
pub(super) struct Offer<T> {
    pub(super) it: T,
    pub(super) name: &'static str,
    make: Declare<T>,
    schema: OnceLock<Result<Schema, Diagnostics>>,
    identity: OnceLock<Option<IdentitySchema>>,
}

impl Offer<()> {
    pub(super) fn new(it: (), schema: Schema, shape: Shape, name: &'static str) -> Self {
        Self::lazily(it, name, move |()| (schema.clone(), shape.clone()))
    }
}

impl<C: Send + Sync + 'static> ResourceOffer<C> {
    pub(super) fn of(resource: Arc<dyn AnyResource<C>>) -> Self {
        let name = resource.type_name();
        Self::lazily(resource, name, |it| (it.schema(), it.shape()))
    }

    pub(super) fn identity_schema(&self) -> Option<&IdentitySchema> {
        self.identity
            .get_or_init(|| self.it.identity_schema())
            .as_ref()
    }
}

impl<C: Send + Sync + 'static> SourceOffer<C> {
    pub(super) fn of(source: Arc<dyn AnyDataSource<C>>) -> Self {
        let name = source.type_name();
        Self::lazily(source, name, |it| (it.schema(), it.shape()))
    }
}

impl<C: Send + Sync + 'static> EphemeralOffer<C> {
    pub(super) fn of(ephemeral: Arc<dyn AnyEphemeral<C>>) -> Self {
        let name = ephemeral.type_name();
        Self::lazily(ephemeral, name, |it| (it.schema(), it.shape()))
    }
}

impl<T> Offer<T> {
    fn lazily(
        it: T,
        name: &'static str,
        make: impl Fn(&T) -> (Schema, Shape) + Send + Sync + 'static,
    ) -> Self {
        Self {
            it,
            name,
            make: Box::new(make),
            schema: OnceLock::new(),
            identity: OnceLock::new(),
        }
    }

    /// The schema; in debug builds the reasons why it is none.
    pub(super) fn schema(&self) -> Result<&Schema, Diagnostics> {
        let made = self.schema.get_or_init(|| {
            let (schema, shape) = (self.make)(&self.it);
            if cfg!(debug_assertions) {
                let what = format!("declaring {}", self.name);
                let broken = contract::schema(schema.block(), &shape);
                let broken: Diagnostics = broken
                    .iter()
                    // A path into a declaration is no path into a configuration, so it is text only.
                    .map(|violation| crate::Diagnostic {
                        path: None,
                        ..violation.diagnostic(&what)
                    })
                    .collect();
                broken.into_result(schema)
            } else {
                Ok(schema)
            }
        });
        made.as_ref().map_err(Clone::clone)
    }
}
