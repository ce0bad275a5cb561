use crate::diagnostics::Diagnostic;
use crate::path::Path;
use crate::value::Value;

/// Changes what is planned for one attribute, after defaults are in and computed values that may
/// change are unknown.
pub trait PlanModifier: Send + Sync + 'static {
    /// Looks at the change and alters `change.planned` or asks for a replacement.
    ///
    /// # Errors
    /// A diagnostic; the framework blames the attribute. It must not repeat a sensitive value.
    fn modify(&self, change: &mut AttributeChange<'_>) -> Result<(), Diagnostic>;
}

/// What is about to happen to one attribute.
#[derive(Debug)]
pub struct AttributeChange<'a> {
    /// Where the attribute is.
    pub path: &'a Path,
    /// What the configuration says.
    pub config: &'a Value,
    /// What the state says; null where the resource, or the object around the attribute, is new.
    pub prior: &'a Value,
    /// What the plan will say.
    pub planned: &'a mut Value,
    /// Whether the resource is being created.
    pub creating: bool,
    /// Whether this change replaces the resource.
    pub requires_replace: bool,
}

/// See [`Attribute::requires_replace`](super::Attribute::requires_replace).
#[derive(Clone, Copy, Debug)]
pub struct RequiresReplace;

impl PlanModifier for RequiresReplace {
    fn modify(&self, change: &mut AttributeChange<'_>) -> Result<(), Diagnostic> {
        if !change.creating && change.planned != change.prior {
            change.requires_replace = true;
        }
        Ok(())
    }
}

/// See [`Attribute::requires_replace_if`](super::Attribute::requires_replace_if).
pub struct RequiresReplaceIf {
    condition: Box<dyn Fn(&AttributeChange<'_>) -> bool + Send + Sync>,
}

impl RequiresReplaceIf {
    /// The condition is asked only if the value changes.
    pub fn new(condition: impl Fn(&AttributeChange<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self {
            condition: Box::new(condition),
        }
    }
}

impl PlanModifier for RequiresReplaceIf {
    fn modify(&self, change: &mut AttributeChange<'_>) -> Result<(), Diagnostic> {
        if !change.creating && change.planned != change.prior && (self.condition)(change) {
            change.requires_replace = true;
        }
        Ok(())
    }
}

/// See [`Attribute::use_state_for_unknown`](super::Attribute::use_state_for_unknown).
#[derive(Clone, Copy, Debug)]
pub struct UseStateForUnknown;

impl PlanModifier for UseStateForUnknown {
    fn modify(&self, change: &mut AttributeChange<'_>) -> Result<(), Diagnostic> {
        // An unknown in the configuration is the user's, and must stay unknown.
        if change.planned.is_unknown() && !change.config.is_unknown() && !change.prior.is_null() {
            *change.planned = change.prior.clone();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        modifier: &dyn PlanModifier,
        config: &Value,
        prior: &Value,
        planned: Value,
        creating: bool,
    ) -> (Value, bool) {
        let mut planned = planned;
        let path = Path::attribute("a");
        let mut change = AttributeChange {
            path: &path,
            config,
            prior,
            planned: &mut planned,
            creating,
            requires_replace: false,
        };
        modifier.modify(&mut change).unwrap();
        let replace = change.requires_replace;
        (planned, replace)
    }

    #[test]
    fn only_a_change_of_an_existing_resource_replaces() {
        let (old, new) = (Value::from("old"), Value::from("new"));
        assert!(run(&RequiresReplace, &new, &old, new.clone(), false).1);
        assert!(
            run(
                &RequiresReplace,
                &Value::Unknown,
                &old,
                Value::Unknown,
                false
            )
            .1
        );
        assert!(!run(&RequiresReplace, &old, &old, old.clone(), false).1);
        assert!(!run(&RequiresReplace, &new, &Value::Null, new.clone(), true).1);
    }

    #[test]
    fn a_condition_can_spare_the_resource() {
        let spare = RequiresReplaceIf::new(|change| change.planned.as_str() == Some("new"));
        assert!(run(&spare, &Value::Null, &"old".into(), "new".into(), false).1);
        assert!(!run(&spare, &Value::Null, &"old".into(), "other".into(), false).1);
    }

    #[test]
    fn the_prior_value_fills_an_unknown_that_the_user_did_not_write() {
        let prior = Value::from("id");
        assert_eq!(
            run(
                &UseStateForUnknown,
                &Value::Null,
                &prior,
                Value::Unknown,
                false
            )
            .0,
            prior
        );
        assert_eq!(
            run(
                &UseStateForUnknown,
                &Value::Unknown,
                &prior,
                Value::Unknown,
                false
            )
            .0,
            Value::Unknown
        );
        assert_eq!(
            run(
                &UseStateForUnknown,
                &Value::Null,
                &Value::Null,
                Value::Unknown,
                true
            )
            .0,
            Value::Unknown
        );
    }
}
