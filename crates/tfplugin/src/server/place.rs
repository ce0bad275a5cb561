//! Where in a configuration Terraform shows a diagnostic.
//!
//! Terraform follows the path of a diagnostic through blocks to an attribute, and one step into the attribute's value. A path that goes further is shown at the
//! header of the block that it ends in, which is the whole resource more often than not. So what is sent ends where Terraform still finds it; the text has the rest.

use tfplugin_proto::tfplugin6 as pb;

use super::offer::Offer;
use super::wire;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::{Path, Step};
use crate::schema::{Block, Schema};
use crate::types::Type;
use crate::value::Value;

/// A configuration that a request is about.
#[derive(Default)]
pub(super) struct Place<'a> {
    /// `None` where there is none; the request is refused for that anyway.
    schema: Option<&'a Schema>,
    config: Option<pb::DynamicValue>,
}

impl<'a> Place<'a> {
    /// The configuration of what is offered.
    pub(super) fn of<T>(offer: Option<&'a Offer<T>>, config: &Option<pb::DynamicValue>) -> Self {
        Self {
            schema: offer.and_then(|offer| offer.schema().ok()),
            config: config.clone(),
        }
    }

    /// The same, each at a path that Terraform finds.
    pub(super) fn show(&self, diagnostics: Diagnostics) -> Diagnostics {
        let Some(schema) = self.schema else {
            return diagnostics;
        };
        if diagnostics.iter().all(|said| said.path.is_none()) {
            return diagnostics;
        }
        // What cannot be read has been told as such.
        let config = wire::value(self.config.as_ref(), schema.object_type());
        let config = config.unwrap_or(Value::Null);
        let shown = diagnostics.into_iter();
        let shown = shown.map(|diagnostic| show(diagnostic, schema.block(), &config));
        shown.collect()
    }
}

fn show(mut diagnostic: Diagnostic, block: &Block, config: &Value) -> Diagnostic {
    let Some(path) = diagnostic.path.take() else {
        return diagnostic;
    };
    let (shown, is_all) = shown(&path, block, config);
    let full = spelled(&path, &block.object_type()).to_string();
    let is_named = [&diagnostic.summary, &diagnostic.detail]
        .into_iter()
        .any(|text| text.contains(&full) || text.contains(&dotted(&path)));
    if !is_all && !is_named {
        let gap = match diagnostic.detail.is_empty() {
            true => "",
            false => "\n\n",
        };
        diagnostic.detail += &format!("{gap}At fault is {full}.");
    }
    diagnostic.path = (!shown.is_root()).then_some(shown);
    diagnostic
}

/// The same with the keys of maps as keys: whoever named it may not know which they are.
fn spelled(path: &Path, of: &Type) -> Path {
    let mut held = Some(of);
    let steps = path.steps().iter().map(|step| {
        let (step, next) = match (step, held) {
            (Step::Attribute(name), Some(Type::Object(fields))) => (step.clone(), fields.get(name)),
            (Step::Attribute(key) | Step::Key(key), Some(Type::Map(element))) => {
                (Step::Key(key.clone()), Some(&**element))
            }
            (_, Some(Type::List(element) | Type::Set(element))) => (step.clone(), Some(&**element)),
            _ => (step.clone(), None),
        };
        held = next;
        step
    });
    steps.fold(Path::root(), Path::step)
}

/// As messages write it: `variants.main.image`.
fn dotted(path: &Path) -> String {
    let steps = path.steps().iter().map(|step| match step {
        Step::Attribute(name) | Step::Key(name) => name.clone(),
        Step::Index(index) => index.to_string(),
        Step::Element => "*".to_owned(),
    });
    steps.collect::<Vec<_>>().join(".")
}

/// As much of `path` as Terraform finds, and whether that is all of it.
fn shown(path: &Path, block: &Block, config: &Value) -> (Path, bool) {
    let mut shown = Path::root();
    let mut block = block;
    let mut steps = path.steps().iter().peekable();
    while let Some(Step::Attribute(name)) = steps.peek() {
        let mut attributes = block.attributes();
        if let Some((_, attribute)) = attributes.find(|(known, _)| known == name) {
            shown.push(Step::from(name.as_str()));
            steps.next();
            let held = attribute.value_type();
            let within = steps.peek().copied();
            if let Some(step) = within.and_then(|step| element(step, &held, shown.find(config))) {
                shown.push(step);
                steps.next();
            }
            return (shown, steps.next().is_none());
        }
        let Some((_, nested)) = block.blocks().find(|(known, _)| known == name) else {
            break;
        };
        shown.push(Step::from(name.as_str()));
        steps.next();
        block = nested.block();
        // Which block it is of several.
        if let Some(step @ (Step::Key(_) | Step::Index(_) | Step::Element)) = steps.peek() {
            if **step != Step::Element {
                shown.push((*step).clone());
            }
            steps.next();
        }
    }
    // A path ends with an attribute; one that is in no block leads to the block's header, a block's own path to that of the block around it.
    if !shown.is_root() {
        shown.push(Step::from(""));
    }
    (shown, steps.next().is_none())
}

/// The step into an attribute's value, as Terraform takes it: in what is written as an object, all names are keys.
fn element(step: &Step, held: &Type, config: Option<&Value>) -> Option<Step> {
    match (step, held) {
        (Step::Index(_), Type::List(_) | Type::Tuple(_)) => Some(step.clone()),
        (Step::Attribute(name), Type::Object(fields)) => {
            fields.contains_key(name).then(|| Step::Key(name.clone()))
        }
        (Step::Attribute(key) | Step::Key(key), Type::Map(_)) => {
            // Terraform takes each key that it comes across for text, and crashes where one is written as a number.
            let is_text = |key: &String| key.parse::<f64>().is_err();
            match config {
                Some(Value::Map(elements)) if elements.keys().all(is_text) => {
                    Some(Step::Key(key.clone()))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Attribute, Nested, Nesting};

    fn block() -> Block {
        let variant = Nested::new()
            .attribute("image", Attribute::string().optional())
            .attribute("traffic", Attribute::number().optional());
        let source = Nested::new().attribute("path", Attribute::string().required());
        let machines = Block::new().attribute("instance_type", Attribute::string().required());
        let cluster = Block::new()
            .attribute("cluster_arn", Attribute::string().optional())
            .attribute("subnets", Attribute::set(Type::String).optional())
            .single("asg", machines);
        let mount = Block::new().attribute("path", Attribute::string().required());
        Block::new()
            .attribute("name", Attribute::string().required())
            .attribute("tags", Attribute::map(Type::String).optional())
            .attribute("variants", Attribute::map_nested(variant).required())
            .attribute("source", Attribute::single_nested(source).optional())
            .attribute("steps", Attribute::list(Type::map(Type::String)).optional())
            .single("ecs", cluster)
            .nested("mount", Nesting::List, mount.clone())
            .nested("label", Nesting::Set, mount)
    }

    fn config(keys: &[&str]) -> Value {
        let elements = keys.iter().map(|key| (*key, Value::Null));
        Value::object([("variants", Value::map(elements))])
    }

    #[track_caller]
    fn at(path: Path, expected: Path, is_all: bool) {
        let found = shown(&path, &block(), &config(&["main", "next"]));
        assert_eq!(found, (expected, is_all), "{path}");
    }

    #[test]
    fn a_path_ends_one_step_into_an_attribute() {
        let variants = || Path::attribute("variants").key("main");
        at("name".into(), "name".into(), true);
        at(variants(), variants(), true);
        at(variants().then("image"), variants(), false);
        // Named as a core names it that does not know which are keys.
        let named = Path::attribute("variants").then("main");
        at(named.then("image"), variants(), false);
        let source = Path::attribute("source");
        at(source.clone().then("path"), source.key("path"), true);
        let steps = || Path::attribute("steps").index(1);
        at(steps(), steps(), true);
        at(steps().key("traffic"), steps(), false);
        let tags = Path::attribute("tags");
        at(tags.clone().key("a"), tags, false);
    }

    #[test]
    fn a_path_goes_through_blocks_and_a_blocks_own_leads_to_its_header() {
        let ecs = || Path::attribute("ecs");
        let machine = ecs().then("asg").then("instance_type");
        at(machine.clone(), machine, true);
        at(ecs(), ecs().then(""), true);
        at(ecs().then("asg"), ecs().then("asg").then(""), true);
        at(ecs().then("gone"), ecs().then(""), false);
        let subnets = ecs().then("subnets");
        at(subnets.clone().step(Step::Element), subnets, false);
        let mount = || Path::attribute("mount").index(1);
        at(mount().then("path"), mount().then("path"), true);
        at(mount(), mount().then(""), true);
        // Terraform finds a set's block if it is the only one.
        let label = || Path::attribute("label");
        let within = label().step(Step::Element).then("path");
        at(within, label().then("path"), true);
        at("gone".into(), Path::root(), false);
    }

    #[test]
    fn no_step_goes_into_a_map_with_keys_that_may_be_numbers() {
        let path = Path::attribute("variants").key("main");
        for keys in [&["1", "main"][..], &["main", "2e3"]] {
            let (shown, is_all) = shown(&path, &block(), &config(keys));
            assert_eq!((shown, is_all), ("variants".into(), false), "{keys:?}");
        }
        for config in [
            Value::Null,
            Value::Unknown,
            Value::object([("variants", Value::Unknown)]),
        ] {
            let (shown, _) = shown(&path, &block(), &config);
            assert_eq!(shown, "variants".into(), "{config:?}");
        }
    }

    #[test]
    fn the_text_names_what_is_not_shown_unless_it_does_already() {
        let path = || Path::attribute("variants").key("main").then("image");
        let told = |detail: &str, path: Path| {
            let diagnostic = Diagnostic::error("Cannot plan", detail).at(path);
            show(diagnostic, &block(), &config(&["main"]))
        };
        let shown = told("there is no image a", path());
        assert_eq!(
            shown.detail,
            "there is no image a\n\nAt fault is variants[\"main\"].image."
        );
        let to = Path::attribute("variants").key("main");
        assert_eq!(shown.path, Some(to));
        for named in ["correct variants.main.image", "variants[\"main\"].image is"] {
            assert_eq!(told(named, path()).detail, named);
        }
        let named = Path::attribute("variants").then("main").then("image");
        assert_eq!(
            told("x", named).detail,
            "x\n\nAt fault is variants[\"main\"].image."
        );
        assert_eq!(told("x", "name".into()).detail, "x", "it is underlined");
        assert_eq!(told("x", Path::root()).path, None);
        assert_eq!(
            told("", path()).detail,
            "At fault is variants[\"main\"].image."
        );
    }
}
