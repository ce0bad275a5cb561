use std::borrow::Cow;

use super::{Subject, elements};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::schema::{Attribute, AttributeType, Block, Nested, Nesting};
use crate::value::Value;

/// Checks a configuration against everything its schema says. What is unknown is left for later.
pub(crate) fn config(block: &Block, config: &Value, write_only_allowed: bool) -> Diagnostics {
    let mut check = Check {
        path: Path::root(),
        write_only_allowed,
        problems: Diagnostics::new(),
    };
    check.block(block, config);
    check.problems
}

struct Check {
    path: Path,
    write_only_allowed: bool,
    problems: Diagnostics,
}

impl Check {
    fn block(&mut self, block: &Block, config: &Value) {
        if !matches!(config, Value::Object(_)) {
            return;
        }
        if let Some(instead) = block.deprecation() {
            let warning = Diagnostic::warning("Deprecated block", instead);
            self.problems.push(if self.path.is_root() {
                warning
            } else {
                warning.at(self.path.clone())
            });
        }
        let settled = undecided_blocks_unknown(block, config);
        for (name, attribute) in block.attributes() {
            self.attribute(name, attribute, &settled, false);
        }
        for (name, nested) in block.blocks() {
            self.path.push(name.into());
            let value = config.field(name);
            match nested.nesting() {
                Nesting::Single => self.block(nested.block(), value),
                _ => self.each(value, |check, element| check.block(nested.block(), element)),
            }
            self.path.pop();
        }
        let subject = Subject {
            path: &self.path,
            value: &settled,
            object: &settled,
            sensitive: false,
        };
        for rule in block.validators() {
            rule.validate(&subject, &mut self.problems);
        }
    }

    fn object(&mut self, nested: &Nested, config: &Value, sensitive: bool) {
        if !matches!(config, Value::Object(_)) {
            return;
        }
        for (name, attribute) in nested.attributes() {
            self.attribute(name, attribute, config, sensitive);
        }
        let subject = Subject {
            path: &self.path,
            value: config,
            object: config,
            sensitive,
        };
        for rule in nested.validators() {
            rule.validate(&subject, &mut self.problems);
        }
    }

    fn attribute(&mut self, name: &str, attribute: &Attribute, object: &Value, sensitive: bool) {
        self.path.push(name.into());
        self.attribute_here(attribute, object.field(name), object, sensitive);
        self.path.pop();
    }

    fn attribute_here(
        &mut self,
        attribute: &Attribute,
        value: &Value,
        object: &Value,
        sensitive: bool,
    ) {
        let sensitive = sensitive || attribute.is_sensitive() || attribute.is_write_only();
        if value.is_null() {
            if attribute.is_required() {
                self.blame(
                    "Missing required value",
                    format!("{} must be set.", self.path),
                );
            }
            return;
        }
        if !attribute.is_required() && !attribute.is_optional() {
            self.blame(
                "Value for a computed attribute",
                format!(
                    "{} is decided by the provider and cannot be set.",
                    self.path
                ),
            );
        }
        if let Some(instead) = attribute.deprecation() {
            self.problems
                .push(Diagnostic::warning("Deprecated attribute", instead).at(self.path.clone()));
        }
        if attribute.is_write_only() && !self.write_only_allowed {
            let detail = format!(
                "{} is write-only, which takes Terraform 1.11 or later.",
                self.path
            );
            self.blame("Write-only attribute not supported", detail);
        }
        if value.is_unknown() {
            return;
        }
        let subject = Subject {
            path: &self.path,
            value,
            object,
            sensitive,
        };
        for rule in attribute.validators() {
            rule.validate(&subject, &mut self.problems);
        }
        if let AttributeType::Nested(nesting, nested) = attribute.of() {
            match nesting {
                Nesting::Single => self.object(nested, value, sensitive),
                _ => self.each(value, |check, element| {
                    check.object(nested, element, sensitive)
                }),
            }
        }
    }

    fn each(&mut self, value: &Value, mut check: impl FnMut(&mut Self, &Value)) {
        for (step, element) in elements(value) {
            self.path.push(step);
            check(self, element);
            self.path.pop();
        }
    }

    fn blame(&mut self, summary: &str, detail: String) {
        self.problems
            .push(Diagnostic::error(summary, detail).at(self.path.clone()));
    }
}

/// The same object, with each single block unknown that may turn out not to be there.
///
/// A `dynamic` block whose `for_each` is unknown comes as one block in which everything that is set is unknown. A block
/// that is written out with nothing but unknown values looks the same, and is judged when they are known.
fn undecided_blocks_unknown<'a>(block: &Block, config: &'a Value) -> Cow<'a, Value> {
    let undecided: Vec<&str> = (block.blocks())
        .filter(|(_, nested)| matches!(nested.nesting(), Nesting::Single))
        .filter(|(name, nested)| is_undecided(nested.block(), config.field(name)))
        .map(|(name, _)| name)
        .collect();
    let (Value::Object(fields), false) = (config, undecided.is_empty()) else {
        return Cow::Borrowed(config);
    };
    let mut fields = fields.clone();
    for name in undecided {
        fields.insert(name.to_owned(), Value::Unknown);
    }
    Cow::Owned(Value::Object(fields))
}

/// Whether something in a block is unknown, and everything else is null: Terraform's own sign of such a block.
fn is_undecided(block: &Block, value: &Value) -> bool {
    if !matches!(value, Value::Object(_)) {
        return false;
    }
    let mut any_unknown = false;
    for (name, _) in block.attributes() {
        match value.field(name) {
            Value::Null => {}
            Value::Unknown => any_unknown = true,
            _ => return false,
        }
    }
    for (name, nested) in block.blocks() {
        let inner = value.field(name);
        let mut decided =
            elements(inner).map(|(_, element)| !is_undecided(nested.block(), element));
        match inner {
            Value::Object(_) if is_undecided(nested.block(), inner) => any_unknown = true,
            Value::Object(_) => return false,
            Value::Unknown => any_unknown = true,
            _ if decided.any(|decided| decided) => return false,
            _ => {}
        }
    }
    any_unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Type;
    use crate::validate;

    fn schema() -> Block {
        Block::new()
            .attribute(
                "name",
                Attribute::string()
                    .required()
                    .validate(validate::length(1..=3)),
            )
            .attribute("id", Attribute::string().computed())
            .attribute(
                "token",
                Attribute::string()
                    .optional()
                    .write_only()
                    .validate(validate::one_of(["x"])),
            )
            .attribute(
                "old",
                Attribute::string().optional().deprecated("Use name."),
            )
            .attribute(
                "variants",
                Attribute::map_nested(
                    Nested::new()
                        .attribute(
                            "port",
                            Attribute::number()
                                .required()
                                .validate(validate::between(1, 9)),
                        )
                        .attribute("a", Attribute::bool().optional())
                        .attribute("b", Attribute::bool().optional())
                        .validate(validate::at_most_one_of(["a", "b"])),
                )
                .optional()
                .validate(validate::size(1..=2)),
            )
            .single(
                "local",
                Block::new().attribute("port", Attribute::number().required()),
            )
    }

    fn found(fields: &[(&str, Value)], write_only_allowed: bool) -> Vec<String> {
        let schema = schema();
        let config = schema
            .object_type()
            .conform(Value::object(fields.iter().cloned()))
            .unwrap();
        super::config(&schema, &config, write_only_allowed)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn rules_at_every_depth_name_their_path() {
        let variants = Value::map([(
            "x",
            Value::object([
                ("port", 10_i64.into()),
                ("a", true.into()),
                ("b", true.into()),
            ]),
        )]);
        assert_eq!(
            found(
                &[
                    ("name", "long".into()),
                    ("variants", variants),
                    ("local", Value::object([("port", Value::Null)]))
                ],
                true
            ),
            [
                r#"name: Invalid value: name must have 1 to 3 characters, but is "long"."#,
                r#"variants["x"].port: Invalid value: variants["x"].port must be between 1 and 9, but is 10."#,
                r#"variants["x"].b: Invalid combination: Only one of a, b may be set here, but a and b are."#,
                "local.port: Missing required value: local.port must be set.",
            ],
        );
    }

    #[test]
    fn unknown_values_are_left_for_later() {
        let variants = Value::map([
            ("x", Value::object([("port", Value::Unknown)])),
            ("y", Value::Unknown),
        ]);
        assert!(
            found(
                &[
                    ("name", Value::Unknown),
                    ("variants", variants),
                    ("local", Value::Unknown)
                ],
                true
            )
            .is_empty()
        );
    }

    #[test]
    fn blocks_that_may_not_be_there_are_judged_when_they_are_known() {
        let inner = Block::new().attribute("deep", Attribute::string().optional());
        let place = || {
            Block::new()
                .attribute("port", Attribute::number().optional())
                .attribute("names", Attribute::list(Type::String).optional())
                .single("inner", inner.clone())
        };
        let schema = Block::new()
            .validate(validate::exactly_one_of(["here", "there"]))
            .attribute(
                "name",
                Attribute::string()
                    .optional()
                    .validate(validate::conflicts_with(["there"])),
            )
            .single("here", place())
            .single("there", place());
        let found = |fields: &[(&str, Value)]| {
            let config = schema.object_type();
            let config = config.conform(Value::object(fields.iter().cloned()));
            super::config(&schema, &config.unwrap(), true).len()
        };
        let port = |port: Value| Value::object([("port", port)]);
        let deep = |deep: Value| Value::object([("inner", Value::object([("deep", deep)]))]);
        let named = Value::object([("names", Value::List(vec![Value::Unknown]))]);
        let undecided = [port(Value::Unknown), deep(Value::Unknown)];
        let decided = [
            port(1_i64.into()),
            port(Value::Null),
            deep("x".into()),
            named,
            Value::object([("port", Value::Unknown), ("names", Value::List(vec![]))]),
        ];
        for one in &undecided {
            for other in undecided.iter().chain(&decided) {
                let problems = found(&[("here", one.clone()), ("there", other.clone())]);
                assert_eq!(problems, 0, "{one:?} and {other:?}");
            }
            let problems = found(&[("name", "x".into()), ("there", one.clone())]);
            assert_eq!(problems, 0, "{one:?} beside a name");
        }
        for one in &decided {
            for other in &decided {
                let problems = found(&[("here", one.clone()), ("there", other.clone())]);
                assert_eq!(problems, 1, "{one:?} and {other:?}");
            }
            let problems = found(&[("name", "x".into()), ("there", one.clone())]);
            assert_eq!(problems, 1, "{one:?} beside a name");
        }
    }

    #[test]
    fn a_computed_attribute_cannot_be_set_and_a_deprecated_one_warns() {
        assert_eq!(
            found(
                &[
                    ("name", "a".into()),
                    ("id", "1".into()),
                    ("old", "o".into())
                ],
                true
            ),
            [
                "id: Value for a computed attribute: id is decided by the provider and cannot be set.",
                "old: Deprecated attribute: Use name.",
            ],
        );
    }

    #[test]
    fn a_write_only_value_is_refused_where_terraform_would_store_it_and_never_shown() {
        assert_eq!(
            found(&[("name", "a".into()), ("token", "hunter2".into())], false),
            [
                "token: Write-only attribute not supported: token is write-only, which takes Terraform 1.11 or later.",
                "token: Invalid value: token must be one of x.",
            ],
        );
    }
}
