use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::private::PrivateState;

/// What a resource plans.
#[derive(Clone, Debug)]
pub struct Planned<S> {
    /// The planned state; what apply will decide is unknown.
    pub state: S,
    /// Paths whose change replaces the resource, beside those that the schema's plan modifiers found.
    /// A path whose value does not change is without effect.
    pub requires_replace: Vec<Path>,
    /// Private state for apply; `None` keeps what there was.
    pub private: Option<PrivateState>,
    /// Warnings to show.
    pub warnings: Vec<Diagnostic>,
    /// Defer the change to a later run, if Terraform allows it.
    pub deferred: Option<Deferred>,
}

impl<S> Planned<S> {
    /// A plan with this state and nothing else to say.
    pub fn new(state: S) -> Self {
        Self {
            state,
            requires_replace: Vec::new(),
            private: None,
            warnings: Vec::new(),
            deferred: None,
        }
    }

    /// A change at `path` replaces the resource.
    #[must_use]
    pub fn requires_replace(mut self, path: impl Into<Path>) -> Self {
        self.requires_replace.push(path.into());
        self
    }

    /// Leaves private state for apply.
    #[must_use]
    pub fn private(mut self, private: PrivateState) -> Self {
        self.private = Some(private);
        self
    }

    /// Shows a warning.
    #[must_use]
    pub fn warning(mut self, warning: Diagnostic) -> Self {
        self.warnings.push(warning);
        self
    }

    /// Defers the change; only where [`Context::may_defer`](crate::Context::may_defer) says so.
    #[must_use]
    pub fn defer(mut self, why: Deferred) -> Self {
        self.deferred = Some(why);
        self
    }
}

/// Why a change is left to a later run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferred {
    /// The resource's configuration is not known well enough.
    ResourceConfigUnknown,
    /// The provider's configuration is not known well enough.
    ProviderConfigUnknown,
    /// Something that must exist before does not exist yet.
    AbsentPrerequisite,
}

/// What a create or update made.
#[derive(Clone, Debug)]
pub struct Applied<S> {
    /// The new state, wholly known.
    pub state: S,
    /// Private state to store; `None` keeps what the plan left.
    pub private: Option<PrivateState>,
    /// Warnings to show.
    pub warnings: Vec<Diagnostic>,
}

impl<S> Applied<S> {
    /// A success with this state and nothing else to say.
    pub fn new(state: S) -> Self {
        Self {
            state,
            private: None,
            warnings: Vec::new(),
        }
    }

    /// Stores private state.
    #[must_use]
    pub fn private(mut self, private: PrivateState) -> Self {
        self.private = Some(private);
        self
    }

    /// Shows a warning.
    #[must_use]
    pub fn warning(mut self, warning: Diagnostic) -> Self {
        self.warnings.push(warning);
        self
    }
}

/// A create, update or delete that failed, and what it leaves.
///
/// `?` makes one from [`Diagnostics`] or a [`Diagnostic`]: nothing changed.
#[derive(Clone, Debug)]
pub struct ApplyFailed<S> {
    /// What happened; at least one error.
    pub diagnostics: Diagnostics,
    /// What is there now. `None`: what was there before the call, so nothing after a create and the
    /// prior state after an update or delete.
    pub state: Option<Box<S>>,
    /// Private state to store; `None` keeps what there was.
    pub private: Option<PrivateState>,
}

impl<S> ApplyFailed<S> {
    /// A failure that left everything as it was, by undoing what it did or by not beginning.
    pub fn unchanged(diagnostics: impl Into<Diagnostics>) -> Self {
        Self {
            diagnostics: diagnostics.into(),
            state: None,
            private: None,
        }
    }

    /// A failure that left `state` behind. After a create Terraform marks it tainted and replaces it.
    pub fn partial(diagnostics: impl Into<Diagnostics>, state: S) -> Self {
        Self {
            diagnostics: diagnostics.into(),
            state: Some(Box::new(state)),
            private: None,
        }
    }

    /// Stores private state.
    #[must_use]
    pub fn private(mut self, private: PrivateState) -> Self {
        self.private = Some(private);
        self
    }
}

impl<S> From<Diagnostics> for ApplyFailed<S> {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::unchanged(diagnostics)
    }
}

impl<S> From<Diagnostic> for ApplyFailed<S> {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::unchanged(diagnostic)
    }
}

/// What a read found.
#[derive(Clone, Debug)]
pub struct Refreshed<S> {
    /// The state, wholly known.
    pub state: S,
    /// Private state to store; `None` keeps what there was.
    pub private: Option<PrivateState>,
}

impl<S> Refreshed<S> {
    /// This state, and the private state there was.
    pub fn new(state: S) -> Self {
        Self {
            state,
            private: None,
        }
    }

    /// Stores private state.
    #[must_use]
    pub fn private(mut self, private: PrivateState) -> Self {
        self.private = Some(private);
        self
    }
}

impl<S> From<S> for Refreshed<S> {
    fn from(state: S) -> Self {
        Self::new(state)
    }
}

/// What an import or a move found. Terraform reads the resource right after it, so the state need not
/// be complete: it must hold what [`Resource::read`](super::Resource::read) needs.
#[derive(Clone, Debug)]
pub struct Imported<S> {
    /// The state, wholly known.
    pub state: S,
    /// Private state to store.
    pub private: PrivateState,
}

impl<S> Imported<S> {
    /// This state, without private state.
    pub fn new(state: S) -> Self {
        Self {
            state,
            private: PrivateState::new(),
        }
    }

    /// Stores private state.
    #[must_use]
    pub fn private(mut self, private: PrivateState) -> Self {
        self.private = private;
        self
    }
}
