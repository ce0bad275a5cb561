//! What the stub makes up: well-formed, and the same for the same configuration.

mod generic;
mod special;
mod table;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use tfplugin::schema::Block;
use tfplugin::types::Type;
use tfplugin::value::Value;

use crate::account::Account;

pub(crate) use special::certificate_names;

/// Makes up the unknown parts of one object.
pub(crate) struct Faker<'a> {
    account: &'a Account,
    /// The type, with `data.` before that of a data source.
    kind: &'a str,
    region: String,
    /// A digest of what is known of the object, and of how many equal ones there were.
    content: String,
}

/// An attribute, as the rules by name see it.
pub(crate) struct Wanted<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Where it is, for the digest.
    pub(crate) path: String,
    /// Its type.
    pub(crate) of: &'a Type,
    /// Whether the configuration could have set it.
    pub(crate) optional: bool,
    /// Whether it is in the outermost block.
    pub(crate) outermost: bool,
}

impl<'a> Faker<'a> {
    /// A faker for this object. `kind` is its type, with `data.` before that of a data source.
    pub(crate) fn new(account: &'a Account, kind: &'a str, object: &Value) -> Self {
        let known = crate::transcript::json(object).to_string();
        let mut content = format!("{}\n{kind}\n{known}", account.seed);
        // A data source is read again and again, and always finds the same.
        if !kind.starts_with("data.") {
            let twin = account.twin(&content);
            content = format!("{content}\n{twin}");
        }
        let region = object.field("region").as_str().unwrap_or(&account.region);
        Self {
            account,
            kind,
            region: region.to_owned(),
            content,
        }
    }

    /// The type without `data.`.
    fn type_name(&self) -> &str {
        self.kind.strip_prefix("data.").unwrap_or(self.kind)
    }

    /// The object with nothing unknown in it.
    pub(crate) fn fill(&self, block: &Block, object: Value) -> Value {
        match object {
            Value::Object(fields) => Value::Object(self.block(block, fields, "", true)),
            other => other,
        }
    }

    fn block(
        &self,
        block: &Block,
        mut fields: BTreeMap<String, Value>,
        path: &str,
        outermost: bool,
    ) -> BTreeMap<String, Value> {
        for (name, attribute) in block.attributes() {
            let value = fields.remove(name).unwrap_or(Value::Null);
            fields.insert(name.to_owned(), value.clone());
            if value.is_wholly_known() {
                continue;
            }
            let of = attribute.value_type();
            let wanted = Wanted {
                name,
                path: format!("{path}.{name}"),
                of: &of,
                optional: attribute.is_optional(),
                outermost,
            };
            let made = if value.is_unknown() {
                self.wanted(block, &wanted, &mut fields)
            } else {
                self.known(&of, value, &wanted.path)
            };
            fields.insert(name.to_owned(), made);
        }
        for (name, nested) in block.blocks() {
            let Some(value) = fields.remove(name) else {
                continue;
            };
            let path = format!("{path}.{name}");
            let one = |value: Value, path: String| match value {
                Value::Object(fields) => {
                    Value::Object(self.block(nested.block(), fields, &path, false))
                }
                other => other,
            };
            let filled = match value {
                Value::Unknown => nested
                    .value_type()
                    .conform(Value::Null)
                    .unwrap_or(Value::Null),
                Value::List(elements) => Value::List(
                    elements
                        .into_iter()
                        .enumerate()
                        .map(|(at, value)| one(value, format!("{path}{at}")))
                        .collect(),
                ),
                Value::Set(elements) => Value::set(
                    elements
                        .into_iter()
                        .enumerate()
                        .map(|(at, value)| one(value, format!("{path}{at}"))),
                ),
                Value::Map(elements) => Value::Map(
                    elements
                        .into_iter()
                        .map(|(key, value)| (key.clone(), one(value, format!("{path}.{key}"))))
                        .collect(),
                ),
                value => one(value, path),
            };
            fields.insert(name.to_owned(), filled);
        }
        fields
    }

    /// A value for an attribute that is unknown as a whole: of the table, else by what it is, else by its name.
    fn wanted(
        &self,
        block: &Block,
        wanted: &Wanted<'_>,
        fields: &mut BTreeMap<String, Value>,
    ) -> Value {
        if wanted.outermost {
            // In case that templates go round in a circle.
            fields.insert(wanted.name.to_owned(), Value::Null);
            if let Some(template) = table::template(self.kind, wanted.name) {
                let text = self.expand(template, block, &wanted.path, fields);
                return table::typed(wanted.of, text);
            }
        }
        if let Some(value) = special::value(self, wanted, fields) {
            return value;
        }
        generic::value(self, wanted, fields)
    }

    /// A known value with unknown parts in it.
    fn known(&self, of: &Type, value: Value, path: &str) -> Value {
        match (of, value) {
            (Type::Object(types), Value::Object(mut fields)) => {
                for (name, of) in types {
                    let path = format!("{path}.{name}");
                    let value = fields.get(name).cloned().unwrap_or(Value::Null);
                    let made = if value.is_unknown() {
                        let wanted = Wanted {
                            name,
                            path,
                            of,
                            optional: false,
                            outermost: false,
                        };
                        special::value(self, &wanted, &fields)
                            .unwrap_or_else(|| generic::value(self, &wanted, &fields))
                    } else {
                        self.known(of, value, &path)
                    };
                    fields.insert(name.clone(), made);
                }
                Value::Object(fields)
            }
            (Type::List(of), Value::List(elements)) => {
                Value::List(self.elements(of, elements, path))
            }
            (Type::Set(of), Value::Set(elements)) => Value::set(self.elements(of, elements, path)),
            (Type::Map(of), Value::Map(elements)) => Value::Map(
                elements
                    .into_iter()
                    .map(|(key, value)| {
                        let made = self.element(of, value, &format!("{path}.{key}"));
                        (key, made)
                    })
                    .collect(),
            ),
            (_, Value::Unknown) => Value::Null,
            (_, value) => value,
        }
    }

    fn elements(&self, of: &Type, elements: Vec<Value>, path: &str) -> Vec<Value> {
        let made = elements.into_iter().enumerate();
        made.map(|(at, value)| self.element(of, value, &format!("{path}[{at}]")))
            .collect()
    }

    fn element(&self, of: &Type, value: Value, path: &str) -> Value {
        if value.is_unknown() {
            let wanted = Wanted {
                name: "",
                path: path.to_owned(),
                of,
                optional: false,
                outermost: false,
            };
            generic::value(self, &wanted, &BTreeMap::new())
        } else {
            self.known(of, value, path)
        }
    }

    /// A template with its placeholders filled in.
    fn expand(
        &self,
        template: &str,
        block: &Block,
        path: &str,
        fields: &mut BTreeMap<String, Value>,
    ) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            text.push_str(before);
            text.push_str(&self.placeholder(name, block, path, fields));
            rest = after;
        }
        text.push_str(rest);
        text
    }

    fn placeholder(
        &self,
        name: &str,
        block: &Block,
        path: &str,
        fields: &mut BTreeMap<String, Value>,
    ) -> String {
        match name {
            "region" => return self.region.clone(),
            "account" => return self.account.id.clone(),
            "partition" => return self.account.partition.to_owned(),
            "lb_kind" => {
                return match fields.get("load_balancer_type").and_then(Value::as_str) {
                    Some("network") => "net".to_owned(),
                    Some("gateway") => "gwy".to_owned(),
                    _ => "app".to_owned(),
                };
            }
            _ => {}
        }
        if let Some((name, text)) = name.split_once('>') {
            let whole = self.placeholder(name, block, path, fields);
            return whole
                .split_once(text)
                .map(|(_, rest)| rest.to_owned())
                .unwrap_or(whole);
        }
        if let Some(made) = self.made_up(name, path) {
            return made;
        }
        if fields.get(name) == Some(&Value::Unknown)
            && let Some((_, attribute)) = block.attributes().find(|(known, _)| *known == name)
        {
            let of = attribute.value_type();
            let wanted = Wanted {
                name,
                path: format!(".{name}"),
                of: &of,
                optional: attribute.is_optional(),
                outermost: true,
            };
            let made = self.wanted(block, &wanted, fields);
            fields.insert(name.to_owned(), made);
        }
        match fields.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            // IAM's names lie at the root unless a path is set.
            _ if name == "path" => "/".to_owned(),
            _ => String::new(),
        }
    }

    /// `hex17`, `digits12`, `upper20`, `lower6` or `uuid`, of the object's content and the attribute's place.
    fn made_up(&self, what: &str, path: &str) -> Option<String> {
        let bytes = self.bytes(path);
        if what == "uuid" {
            let hex = letters(&bytes, "0123456789abcdef", 32);
            return Some(format!(
                "{}-{}-4{}-8{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[13..16],
                &hex[17..20],
                &hex[20..]
            ));
        }
        let (alphabet, count) = [
            ("hex", "0123456789abcdef"),
            ("digits", "0123456789"),
            ("upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
            ("lower", "abcdefghijklmnopqrstuvwxyz234567"),
        ]
        .into_iter()
        .find_map(|(name, alphabet)| Some((alphabet, what.strip_prefix(name)?.parse().ok()?)))?;
        let made = letters(&bytes, alphabet, count);
        // No number begins with a zero, as none of AWS's does.
        Some(if alphabet.len() == 10 {
            format!("1{}", &made[1..])
        } else {
            made
        })
    }

    /// Made-up text for the attribute at this place.
    fn text(&self, what: &str, path: &str) -> String {
        self.made_up(what, path).unwrap_or_default()
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        for block in 0..3_u8 {
            let mut digest = Sha256::new();
            digest.update([block]);
            digest.update(self.content.as_bytes());
            digest.update(path.as_bytes());
            bytes.extend(digest.finalize());
        }
        bytes
    }
}

fn letters(bytes: &[u8], alphabet: &str, count: usize) -> String {
    let alphabet = alphabet.as_bytes();
    let letter = |byte: u8| char::from(alphabet[usize::from(byte) % alphabet.len()]);
    bytes
        .iter()
        .copied()
        .cycle()
        .take(count)
        .map(letter)
        .collect()
}
