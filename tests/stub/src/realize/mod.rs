//! The realizing mode: for some types the real thing is made, read and deleted through an emulator's API.
//!
//! `facts/calls.json` names the calls of each type; the rest of an object is made up as ever, around the real ids.

mod http;
mod response;
mod template;
mod wire;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value as Json;
use tfplugin::value::Value;
use tfplugin::{Diagnostic, Diagnostics};

use self::response::Response;
use crate::transcript::json;

/// Services, and types with their calls.
#[derive(Debug, Deserialize)]
struct Table {
    services: BTreeMap<String, Service>,
    types: BTreeMap<String, Row>,
}

/// How a service is spoken to.
#[derive(Debug, Deserialize)]
struct Service {
    form: Form,
    /// What stands before the operation in the header that names it.
    #[serde(default)]
    target: String,
    #[serde(default)]
    version: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// A form whose lists are `Name.1`, answered in XML.
    Ec2,
    /// A form whose lists are `Name.member.1`, answered in XML.
    Query,
    /// JSON to one address.
    Json,
    /// Methods and paths.
    Rest,
}

/// The calls of one type.
#[derive(Debug, Deserialize)]
struct Row {
    service: String,
    create: Vec<Call>,
    read: Call,
    delete: Vec<Call>,
    /// Whether the calls that create it can be repeated to change it.
    #[serde(default)]
    put: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    /// Only where this attribute is set.
    #[serde(rename = "if")]
    only_if: Option<String>,
    /// An operation; for a service with paths, method and path.
    call: String,
    /// The parameters.
    #[serde(default)]
    body: Json,
    /// The body, where it is no JSON.
    text: Option<String>,
    /// No text where these attributes are just so: a bucket in us-east-1 is made without saying where.
    #[serde(default)]
    textless: BTreeMap<String, Json>,
    /// Attributes, and where the answer has them.
    #[serde(default)]
    out: BTreeMap<String, String>,
    /// What the answer contains if the thing is there, beside a good status.
    has: Option<String>,
    /// Another call, for each of what the answer lists. Both are repeated until it lists nothing.
    each: Option<Each>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Each {
    /// Names of XML elements.
    of: Vec<String>,
    /// Method and path; `{.name}` is what stands in the element.
    call: String,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        // The file is part of the program, and a unit test reads it.
        serde_json::from_str(include_str!("../../facts/calls.json"))
            .expect("facts/calls.json can be read")
    })
}

/// An emulator that things are made in.
#[derive(Debug)]
pub(crate) struct Realizer {
    endpoint: String,
}

impl Realizer {
    /// The emulator that `TFPLUGIN_STUB_ENDPOINT` names; without one nothing is realized.
    pub(crate) fn of_environment() -> Option<Self> {
        let endpoint = std::env::var("TFPLUGIN_STUB_ENDPOINT")
            .ok()
            .filter(|endpoint| !endpoint.is_empty())?;
        Some(Self { endpoint })
    }

    /// Whether things of this type are made for real.
    pub(crate) fn knows(&self, type_name: &str) -> bool {
        table().types.contains_key(type_name)
    }

    /// Whether making a thing of this type again changes it.
    pub(crate) fn puts(&self, type_name: &str) -> bool {
        table().types.get(type_name).is_some_and(|row| row.put)
    }

    /// Makes the thing. The answer is the attributes that only the emulator knows.
    ///
    /// # Errors
    /// What the emulator refused. What was made before is taken back.
    pub(crate) async fn create(
        &self,
        type_name: &str,
        region: &str,
        object: &Value,
    ) -> Result<BTreeMap<String, Value>, Diagnostics> {
        let row = &table().types[type_name];
        let (mut object, mut out) = (json(object), BTreeMap::new());
        for (at, call) in row.create.iter().enumerate() {
            let answer = match self.call(row, call, region, &object).await {
                Ok(Some(answer)) => answer,
                Ok(None) => continue,
                Err(error) => {
                    if at > 0 {
                        // The refusal is the news; the deletion is what can be done about the rest.
                        let _ = self.all(row, &row.delete, region, &object).await;
                    }
                    return Err(refused(type_name, call, &error));
                }
            };
            if !answer.good() {
                if at > 0 {
                    let _ = self.all(row, &row.delete, region, &object).await;
                }
                return Err(refused(type_name, call, &answer.told()));
            }
            for (attribute, place) in &call.out {
                if let Some(found) = answer.find(place) {
                    object[attribute] = found.as_str().into();
                    out.insert(attribute.clone(), found.into());
                }
            }
        }
        Ok(out)
    }

    /// Whether the thing is there.
    ///
    /// # Errors
    /// If the emulator cannot tell.
    pub(crate) async fn exists(
        &self,
        type_name: &str,
        region: &str,
        object: &Value,
    ) -> Result<bool, Diagnostics> {
        let row = &table().types[type_name];
        let object = json(object);
        let answer = self.call(row, &row.read, region, &object).await;
        let answer = answer.map_err(|error| refused(type_name, &row.read, &error))?;
        match answer {
            Some(answer) if answer.good() => {
                let has = row
                    .read
                    .has
                    .as_deref()
                    .map(|has| template::text(has, &object));
                Ok(has.is_none_or(|has| answer.contains(&has)))
            }
            Some(answer) if answer.gone() => Ok(false),
            Some(answer) => Err(refused(type_name, &row.read, &answer.told())),
            None => Ok(true),
        }
    }

    /// Deletes the thing; what is gone already is a success.
    ///
    /// # Errors
    /// What the emulator refused.
    pub(crate) async fn delete(
        &self,
        type_name: &str,
        region: &str,
        object: &Value,
    ) -> Result<(), Diagnostics> {
        let row = &table().types[type_name];
        let deleted = self.all(row, &row.delete, region, &json(object)).await;
        deleted.map_err(|(call, error)| refused(type_name, call, &error))
    }

    async fn all<'a>(
        &self,
        row: &Row,
        calls: &'a [Call],
        region: &str,
        object: &Json,
    ) -> Result<(), (&'a Call, String)> {
        for call in calls {
            while let Some(answer) = self
                .call(row, call, region, object)
                .await
                .map_err(|error| (call, error))?
            {
                if answer.gone() {
                    break;
                }
                if !answer.good() {
                    return Err((call, answer.told()));
                }
                let Some(each) = &call.each else { break };
                let listed = answer.elements(&each.of);
                if listed.is_empty() {
                    break;
                }
                for element in &listed {
                    let done = self.each(row, each, region, object, element).await;
                    done.map_err(|error| (call, error))?;
                }
            }
        }
        Ok(())
    }

    /// What is to be done with one of what was listed.
    async fn each(
        &self,
        row: &Row,
        each: &Each,
        region: &str,
        object: &Json,
        element: &Json,
    ) -> Result<(), String> {
        let service = &table().services[&row.service];
        let asked = template::expand(&each.call, object, element);
        let request = wire::request(service, &row.service, &asked, &Json::Null, None, region);
        let answer = http::send(&self.endpoint, request).await?;
        // What stays would be listed again, without end.
        if answer.good() || answer.gone() {
            Ok(())
        } else {
            Err(answer.told())
        }
    }

    /// One call; `None` if it does not apply.
    async fn call(
        &self,
        row: &Row,
        call: &Call,
        region: &str,
        object: &Json,
    ) -> Result<Option<Response>, String> {
        if let Some(attribute) = &call.only_if
            && !template::is_set(attribute, object, object)
        {
            return Ok(None);
        }
        let service = &table().services[&row.service];
        let body = template::fill(&call.body, object, object)?.unwrap_or(Json::Null);
        let textless = |(attribute, value): (&String, &Json)| object[attribute] == *value;
        let text = call
            .text
            .as_deref()
            .filter(|_| !call.textless.iter().any(textless))
            .map(|text| template::text(text, object));
        let request = wire::request(
            service,
            &row.service,
            &template::text(&call.call, object),
            &body,
            text,
            region,
        );
        http::send(&self.endpoint, request).await.map(Some)
    }
}

fn refused(type_name: &str, call: &Call, why: &str) -> Diagnostics {
    Diagnostic::error(
        "Refused by the emulator",
        format!("{} of {type_name} failed: {why}. The stub realizes this type through TFPLUGIN_STUB_ENDPOINT; without that variable it is faked.", call.call),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;

    #[test]
    fn every_call_is_of_a_known_service_and_takes_attributes_that_its_type_has() {
        let (facts, _) = Facts::about("aws").unwrap();
        let mut wrong = Vec::new();
        for (name, row) in &table().types {
            let block = &facts.resource_schemas[name].block;
            assert!(table().services.contains_key(&row.service), "{name}");
            for call in row.create.iter().chain([&row.read]).chain(&row.delete) {
                let written = [
                    &call.call,
                    &call.body.to_string(),
                    call.text.as_deref().unwrap_or_default(),
                ]
                .concat();
                let attributes = written
                    .split('{')
                    .skip(1)
                    .filter_map(|part| part.split('}').next());
                let attributes =
                    attributes.filter(|name| !name.contains(['"', '.']) && !name.is_empty());
                for attribute in attributes.chain(call.out.keys().map(String::as_str)) {
                    if !block.attributes.contains_key(attribute) {
                        wrong.push(format!("{name}: {} has {attribute}", call.call));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
