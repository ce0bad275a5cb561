use super::Violation;
use crate::path::{Path, Step};
use crate::schema::{Attribute, AttributeType, Block, Nested, Nesting};
use crate::value::Value;

/// Checks a planned state against the configuration and the prior state (null for a create).
pub fn plan(block: &Block, config: &Value, prior: &Value, planned: &Value) -> Vec<Violation> {
    let mut check = Check {
        path: Path::root(),
        found: Vec::new(),
    };
    check.block(block, config, prior, planned);
    check.found
}

/// Checks the paths that are to replace the resource: each must exist before or after, and change.
pub fn replacement(prior: &Value, planned: &Value, paths: &[Path]) -> Vec<Violation> {
    let mut found = Vec::new();
    for path in paths {
        let (before, after) = (path.find(prior), path.find(planned));
        if path.is_root() || path.steps().contains(&Step::Element) {
            found.push(Violation::new(
                path,
                "a path that replaces must name an attribute, and cannot lead into a set",
            ));
        } else if before.is_none() && after.is_none() {
            found.push(Violation::new(
                path,
                "a path that replaces must exist in the prior or in the planned state",
            ));
        } else if before.unwrap_or(&Value::Null) == after.unwrap_or(&Value::Null) {
            found.push(Violation::new(
                path,
                "a path that replaces must be one whose value changes, or Terraform drops it",
            ));
        }
    }
    found
}

struct Check {
    path: Path,
    found: Vec<Violation>,
}

impl Check {
    fn broken(&mut self, rule: &str) {
        self.found.push(Violation::new(&self.path, rule));
    }

    fn within(&mut self, step: impl Into<Step>, check: impl FnOnce(&mut Self)) {
        self.path.push(step.into());
        check(self);
        self.path.pop();
    }

    /// Whether both exist, so that their parts can be compared.
    fn both_exist(&mut self, config: &Value, planned: &Value) -> bool {
        match (config.is_null(), planned.is_null()) {
            (false, true) => self.broken("the configuration has it, so the plan must too"),
            (true, false) => {
                self.broken("the configuration does not have it, so the plan must not either")
            }
            (true, true) => {}
            (false, false) => return true,
        }
        false
    }

    fn block(&mut self, block: &Block, config: &Value, prior: &Value, planned: &Value) {
        if !self.both_exist(config, planned) {
            return;
        }
        for (name, attribute) in block.attributes() {
            self.within(name, |check| {
                check.attribute(
                    attribute,
                    config.field(name),
                    prior.field(name),
                    planned.field(name),
                );
            });
        }
        for (name, nested) in block.blocks() {
            let (config, prior, planned) =
                (config.field(name), prior.field(name), planned.field(name));
            self.within(name, |check| {
                check.nested_block(nested.nesting(), nested.block(), config, prior, planned)
            });
        }
    }

    fn nested_block(
        &mut self,
        nesting: Nesting,
        block: &Block,
        config: &Value,
        prior: &Value,
        planned: &Value,
    ) {
        if nesting != Nesting::Single && planned.is_null() {
            return self.broken(
                "a list, set or map of blocks must be empty where there are none, not null",
            );
        }
        if planned == config {
            return;
        }
        if config.is_unknown() {
            return self
                .broken("the configuration is unknown here, so the plan must be unknown too");
        }
        if planned.is_unknown() {
            return self
                .broken("a block cannot be planned unknown; make the attributes in it unknown");
        }
        if nesting == Nesting::Single {
            return self.block(block, config, prior, planned);
        }
        self.elements(
            nesting,
            config,
            prior,
            planned,
            |check, config, prior, planned| {
                check.block(block, config, prior, planned);
            },
        );
    }

    fn attribute(&mut self, attribute: &Attribute, config: &Value, prior: &Value, planned: &Value) {
        if attribute.is_write_only() {
            if !planned.is_null() {
                self.broken("a write-only attribute must be null in the plan");
            }
            return;
        }
        if planned == config {
            return;
        }
        if planned == prior && !prior.is_null() && !config.is_null() {
            return;
        }
        if attribute.is_computed() && (!attribute.is_optional() || config.is_null()) {
            return;
        }
        if config.is_null() {
            return self.broken("the configuration does not set it and it is not computed, so it must be planned null");
        }
        match attribute.of() {
            AttributeType::Nested(nesting, nested) => {
                self.nested(*nesting, nested, config, prior, planned)
            }
            AttributeType::Plain(_) => {
                self.broken("the planned value must be the configured one, or the prior one")
            }
        }
    }

    fn nested(
        &mut self,
        nesting: Nesting,
        nested: &Nested,
        config: &Value,
        prior: &Value,
        planned: &Value,
    ) {
        if !self.both_exist(config, planned) {
            return;
        }
        if config.is_unknown() {
            return self
                .broken("the configuration is unknown here, so the plan must be unknown too");
        }
        if planned.is_unknown() {
            return self.broken(
                "a configured object cannot be planned unknown; make the attributes in it unknown",
            );
        }
        if nesting == Nesting::Single {
            return self.object(nested, config, prior, planned);
        }
        self.elements(
            nesting,
            config,
            prior,
            planned,
            |check, config, prior, planned| {
                check.nested(Nesting::Single, nested, config, prior, planned);
            },
        );
    }

    fn object(&mut self, nested: &Nested, config: &Value, prior: &Value, planned: &Value) {
        for (name, attribute) in nested.attributes() {
            self.within(name, |check| {
                check.attribute(
                    attribute,
                    config.field(name),
                    prior.field(name),
                    planned.field(name),
                );
            });
        }
    }

    fn elements(
        &mut self,
        nesting: Nesting,
        config: &Value,
        prior: &Value,
        planned: &Value,
        mut each: impl FnMut(&mut Self, &Value, &Value, &Value),
    ) {
        match (config, planned) {
            (Value::List(config), Value::List(planned)) => {
                if config.len() != planned.len() {
                    return self.broken(
                        "there must be as many elements in the plan as in the configuration",
                    );
                }
                for (index, (config, planned)) in config.iter().zip(planned).enumerate() {
                    let prior = match prior {
                        Value::List(prior) => prior.get(index).unwrap_or(&Value::Null),
                        _ => &Value::Null,
                    };
                    self.within(Step::Index(index as u64), |check| {
                        check.known_element(config, planned);
                        each(check, config, prior, planned);
                    });
                }
            }
            (Value::Map(config), Value::Map(planned)) => {
                if !config.keys().eq(planned.keys()) {
                    return self.broken("the plan must have the keys that the configuration has");
                }
                for ((key, config), planned) in config.iter().zip(planned.values()) {
                    let prior = match prior {
                        Value::Map(prior) => prior.get(key).unwrap_or(&Value::Null),
                        _ => &Value::Null,
                    };
                    self.within(Step::Key(key.clone()), |check| {
                        check.known_element(config, planned);
                        each(check, config, prior, planned);
                    });
                }
            }
            // Elements of a set have no names, so core cannot compare them one by one either.
            (Value::Set(config), Value::Set(planned)) => {
                let unknown =
                    planned.iter().any(Value::is_unknown) && !config.iter().any(Value::is_unknown);
                if unknown {
                    self.broken("an element of a set cannot be planned unknown; make the attributes in it unknown");
                }
                if planned.len() > config.len() {
                    self.broken(
                        "there cannot be more elements in the plan than in the configuration",
                    );
                }
            }
            _ => self.broken(match nesting {
                Nesting::List => "the plan must have a list here",
                Nesting::Set => "the plan must have a set here",
                Nesting::Map | Nesting::Single => "the plan must have a map here",
            }),
        }
    }

    fn known_element(&mut self, config: &Value, planned: &Value) {
        if planned.is_unknown() && !config.is_unknown() {
            self.broken(
                "a configured element cannot be planned unknown; make the attributes in it unknown",
            );
        }
    }
}
