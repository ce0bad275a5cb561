//! Where in a value something is: `variants["a"].steps[0].traffic`.

use std::fmt;

use crate::value::Value;

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// An attribute or block of an object.
    Attribute(String),
    /// The element of a map under a key.
    Key(String),
    /// The element of a list or tuple at a position, counted from 0.
    Index(u64),
    /// Some element of a set. The protocol has no name for one; a path sent to Terraform ends before it.
    Element,
}

impl From<&str> for Step {
    /// An attribute's name.
    fn from(name: &str) -> Self {
        Self::Attribute(name.to_owned())
    }
}

impl From<String> for Step {
    /// An attribute's name.
    fn from(name: String) -> Self {
        Self::Attribute(name)
    }
}

/// A place in a configuration, plan or state. The empty path is the whole.
///
/// ```
/// use tfplugin::path::Path;
///
/// let path = Path::attribute("variants").key("blue").then("traffic");
/// assert_eq!(path.to_string(), r#"variants["blue"].traffic"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// Innermost step last.
    steps: Vec<Step>,
}

impl Path {
    /// The path of the whole object.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of a top-level attribute or block.
    pub fn attribute(name: impl Into<String>) -> Self {
        Self::root().then(name)
    }

    /// The attribute `name` of the object here.
    #[must_use]
    pub fn then(self, name: impl Into<String>) -> Self {
        self.step(Step::Attribute(name.into()))
    }

    /// The element under `key` of the map here.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// The element at `index` of the list here.
    #[must_use]
    pub fn index(self, index: u64) -> Self {
        self.step(Step::Index(index))
    }

    /// One step further down.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The same place seen from one level further out.
    #[must_use]
    pub fn within(mut self, step: impl Into<Step>) -> Self {
        self.steps.insert(0, step.into());
        self
    }

    /// The same place, seen from where `outer` leads.
    #[must_use]
    pub fn under(&self, outer: &Self) -> Self {
        Self {
            steps: outer.steps.iter().chain(&self.steps).cloned().collect(),
        }
    }

    /// The steps from the outermost to the innermost.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether this is the path of the whole object.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds a step in place, for a walk that pops it again.
    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(crate) fn pop(&mut self) {
        self.steps.pop();
    }

    /// The value at this path.
    ///
    /// `None` where the path leads nowhere: a missing key, or a step below a null. A step below an
    /// unknown is unknown. Steps into sets lead nowhere, because elements have no names.
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.steps
            .iter()
            .try_fold(value, |value, step| match (step, value) {
                (_, Value::Unknown) => Some(value),
                (Step::Attribute(name), Value::Object(fields)) => fields.get(name),
                (Step::Key(key), Value::Map(elements)) => elements.get(key),
                (Step::Index(index), Value::List(elements) | Value::Tuple(elements)) => {
                    elements.get(usize::try_from(*index).ok()?)
                }
                _ => None,
            })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str("the whole object");
        }
        for (depth, step) in self.steps.iter().enumerate() {
            match step {
                Step::Attribute(name) if depth == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Element => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

impl From<&str> for Path {
    /// The path of a top-level attribute.
    fn from(name: &str) -> Self {
        Self::attribute(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_expression_that_a_user_would_write() {
        let path = Path::attribute("a")
            .index(2)
            .then("b")
            .key("x\"y")
            .step(Step::Element);
        assert_eq!(path.to_string(), r#"a[2].b["x\"y"][*]"#);
    }

    #[test]
    fn steps_are_followed_into_the_value() {
        let value = Value::object([(
            "a",
            Value::List(vec![Value::map([("k", Value::from(7_i64))])]),
        )]);
        let path = Path::attribute("a").index(0).key("k");
        assert_eq!(path.find(&value), Some(&Value::from(7_i64)));
        assert_eq!(Path::attribute("a").index(1).find(&value), None);
        assert_eq!(Path::attribute("b").find(&value), None);
    }

    #[test]
    fn below_an_unknown_everything_is_unknown_and_below_null_there_is_nothing() {
        let value = Value::object([("u", Value::Unknown), ("n", Value::Null)]);
        assert_eq!(
            Path::attribute("u").key("k").find(&value),
            Some(&Value::Unknown)
        );
        assert_eq!(Path::attribute("n").key("k").find(&value), None);
    }

    #[test]
    fn a_path_found_inside_is_named_from_outside() {
        let inner = Path::attribute("traffic")
            .within(Step::Key("a".into()))
            .within("variants");
        assert_eq!(inner, Path::attribute("variants").key("a").then("traffic"));
        assert_eq!(
            Path::attribute("x")
                .under(&Path::attribute("y").index(0))
                .to_string(),
            "y[0].x"
        );
    }
}
