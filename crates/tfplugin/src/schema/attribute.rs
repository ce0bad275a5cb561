use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Nesting;
use super::modifier::{
    AttributeChange, PlanModifier, RequiresReplace, RequiresReplaceIf, UseStateForUnknown,
};
use crate::types::Type;
use crate::validate::Validator;
use crate::value::Value;

/// One attribute of a schema.
///
/// Without [`required`](Self::required), [`optional`](Self::optional), [`computed`](Self::computed) or
/// a [`default`](Self::default) an attribute breaks the contract, and debug builds refuse it.
#[derive(Clone)]
pub struct Attribute {
    of: AttributeType,
    required: bool,
    optional: bool,
    computed: bool,
    sensitive: bool,
    write_only: bool,
    default: Option<Value>,
    validators: Vec<Arc<dyn Validator>>,
    modifiers: Vec<Arc<dyn PlanModifier>>,
    description: String,
    deprecation: Option<String>,
}

/// What an attribute holds.
#[derive(Clone, Debug)]
pub enum AttributeType {
    /// A value of a type.
    Plain(Type),
    /// Objects whose attributes have rules of their own.
    Nested(Nesting, Nested),
}

/// The attributes of each object in a nested attribute.
#[derive(Clone, Default)]
pub struct Nested {
    attributes: BTreeMap<String, Attribute>,
    validators: Vec<Arc<dyn Validator>>,
}

impl Nested {
    /// An object without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute; one of the same name is replaced.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: Attribute) -> Self {
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// Adds a rule over each object, such as [`exactly_one_of`](crate::validate::exactly_one_of).
    #[must_use]
    pub fn validate(mut self, validator: impl Validator) -> Self {
        self.validators.push(Arc::new(validator));
        self
    }

    /// The attributes by name, in order.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = (&str, &Attribute)> {
        self.attributes
            .iter()
            .map(|(name, attribute)| (name.as_str(), attribute))
    }

    /// The rules over each object.
    pub fn validators(&self) -> &[Arc<dyn Validator>] {
        &self.validators
    }

    /// The type of one object.
    pub fn object_type(&self) -> Type {
        Type::object(
            self.attributes
                .iter()
                .map(|(name, attribute)| (name.as_str(), attribute.value_type())),
        )
    }
}

impl fmt::Debug for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attributes.fmt(f)
    }
}

impl Attribute {
    /// An attribute of any type.
    pub fn of_type(of: Type) -> Self {
        Self::new(AttributeType::Plain(of))
    }

    /// A string.
    pub fn string() -> Self {
        Self::of_type(Type::String)
    }

    /// A number.
    pub fn number() -> Self {
        Self::of_type(Type::Number)
    }

    /// A bool.
    pub fn bool() -> Self {
        Self::of_type(Type::Bool)
    }

    /// A list of `element`.
    pub fn list(element: Type) -> Self {
        Self::of_type(Type::list(element))
    }

    /// A set of `element`.
    pub fn set(element: Type) -> Self {
        Self::of_type(Type::set(element))
    }

    /// A map of `element`.
    pub fn map(element: Type) -> Self {
        Self::of_type(Type::map(element))
    }

    /// An object with these attributes, all of which a configuration must name. Where some are
    /// optional use [`Attribute::single_nested`].
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Type)>) -> Self {
        Self::of_type(Type::object(attributes))
    }

    /// One object with rules for its attributes.
    pub fn single_nested(nested: Nested) -> Self {
        Self::new(AttributeType::Nested(Nesting::Single, nested))
    }

    /// A list of such objects.
    pub fn list_nested(nested: Nested) -> Self {
        Self::new(AttributeType::Nested(Nesting::List, nested))
    }

    /// A set of such objects. Prefer a map: elements of a set cannot be named in a path.
    ///
    /// Computed attributes and defaults inside are found again by the rest of the object's content. That
    /// is a guess while some of it is unknown, so a set's objects are best without them.
    pub fn set_nested(nested: Nested) -> Self {
        Self::new(AttributeType::Nested(Nesting::Set, nested))
    }

    /// A map of such objects.
    pub fn map_nested(nested: Nested) -> Self {
        Self::new(AttributeType::Nested(Nesting::Map, nested))
    }

    fn new(of: AttributeType) -> Self {
        Self {
            of,
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            write_only: false,
            default: None,
            validators: Vec::new(),
            modifiers: Vec::new(),
            description: String::new(),
            deprecation: None,
        }
    }

    /// The configuration must set it. It may still be unknown at plan.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The configuration may set it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The provider sets it where the configuration does not.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// What the plan says where the configuration is silent. The attribute becomes optional and
    /// computed.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self.optional = true;
        self.computed = true;
        self
    }

    /// Terraform hides it, and so does this crate: the struct's field must be a
    /// [`Secret`](crate::Secret).
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// It is in the configuration only, never in plan or state; the framework keeps it null there.
    /// The struct's field must be a [`Secret`](crate::Secret).
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// Adds a rule for a known, non-null value.
    #[must_use]
    pub fn validate(mut self, validator: impl Validator) -> Self {
        self.validators.push(Arc::new(validator));
        self
    }

    /// A change of the value replaces the resource.
    #[must_use]
    pub fn requires_replace(self) -> Self {
        self.modify_plan(RequiresReplace)
    }

    /// A change of the value replaces the resource if `condition` says so.
    #[must_use]
    pub fn requires_replace_if(
        self,
        condition: impl Fn(&AttributeChange<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.modify_plan(RequiresReplaceIf::new(condition))
    }

    /// Where the plan would say "known after apply", it keeps the prior value. Only for values that no
    /// change of the configuration can alter, such as an id.
    #[must_use]
    pub fn use_state_for_unknown(self) -> Self {
        self.modify_plan(UseStateForUnknown)
    }

    /// Adds a plan modifier; they run in the order in which they were added.
    #[must_use]
    pub fn modify_plan(mut self, modifier: impl PlanModifier) -> Self {
        self.modifiers.push(Arc::new(modifier));
        self
    }

    /// Says what the attribute means, in Markdown: meaning, default, unit, since when.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Marks it deprecated; `message` says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, message: impl Into<String>) -> Self {
        self.deprecation = Some(message.into());
        self
    }

    /// What it holds.
    pub fn of(&self) -> &AttributeType {
        &self.of
    }

    /// The type of its values.
    pub fn value_type(&self) -> Type {
        match &self.of {
            AttributeType::Plain(of) => of.clone(),
            AttributeType::Nested(nesting, nested) => nesting.wrap(nested.object_type()),
        }
    }

    /// Whether a configuration must set it.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether a configuration may set it.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// Whether the provider may set it.
    pub fn is_computed(&self) -> bool {
        self.computed
    }

    /// Whether it is hidden.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether it is in the configuration only.
    pub fn is_write_only(&self) -> bool {
        self.write_only
    }

    /// The default, if there is one.
    pub fn default_value(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// The rules for its value.
    pub fn validators(&self) -> &[Arc<dyn Validator>] {
        &self.validators
    }

    /// The plan modifiers.
    pub fn modifiers(&self) -> &[Arc<dyn PlanModifier>] {
        &self.modifiers
    }

    /// What it means.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What to use instead, if it is deprecated.
    pub fn deprecation(&self) -> Option<&str> {
        self.deprecation.as_deref()
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attribute")
            .field("of", &self.of)
            .field("required", &self.required)
            .field("optional", &self.optional)
            .field("computed", &self.computed)
            .field("sensitive", &self.sensitive)
            .field("write_only", &self.write_only)
            .finish_non_exhaustive()
    }
}
