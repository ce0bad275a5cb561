//! What AWS's data sources find, where that follows from the region, the account or the configuration.

use std::collections::BTreeMap;

use tfplugin::Diagnostics;
use tfplugin::value::Value;

use crate::account::Account;
use crate::policy;

type Fields = BTreeMap<String, Value>;

/// Fills in what is known of a data source; the rest stays unknown, for the fakes.
pub(crate) fn find(account: &Account, name: &str, fields: &mut Fields) -> Result<(), Diagnostics> {
    let region = fields
        .get("region")
        .and_then(Value::as_str)
        .unwrap_or(&account.region)
        .to_owned();
    let accelerated = fields
        .get("instance_type")
        .and_then(Value::as_str)
        .is_some_and(|name| name.starts_with('g') || name.starts_with('p'));
    let mut set = |name: &str, value: Value| {
        if fields.get(name) == Some(&Value::Unknown) {
            fields.insert(name.to_owned(), value);
        }
    };
    if name.starts_with("aws_") {
        set("region", region.as_str().into());
    }
    match name {
        "aws_region" => {
            for name in ["id", "name"] {
                set(name, region.as_str().into());
            }
            set("endpoint", format!("ec2.{region}.amazonaws.com").into());
            set("description", format!("{region} (stub)").into());
        }
        "aws_regions" => set(
            "names",
            words(
                &["us-east-1", "us-west-2", "eu-central-1", "eu-west-1"],
                Value::set,
            ),
        ),
        "aws_partition" => {
            let suffix = if account.partition == "aws-cn" {
                "amazonaws.com.cn"
            } else {
                "amazonaws.com"
            };
            set("id", account.partition.into());
            set("partition", account.partition.into());
            set("dns_suffix", suffix.into());
            let reversed: Vec<_> = suffix.split('.').rev().collect();
            set("reverse_dns_prefix", reversed.join(".").into());
        }
        "aws_availability_zones" => {
            let excluded = match fields.get("exclude_names") {
                Some(Value::Set(names)) => names.clone(),
                _ => Vec::new(),
            };
            let zones: Vec<_> = ["a", "b", "c", "d"]
                .into_iter()
                .map(|zone| format!("{region}{zone}"))
                .filter(|zone| !excluded.iter().any(|name| name.as_str() == Some(zone)))
                .collect();
            let ids = zones.iter().map(|zone| Value::from(format!("az-{zone}")));
            fields.insert("zone_ids".into(), Value::List(ids.collect()));
            fields.insert(
                "names".into(),
                Value::List(zones.into_iter().map(Value::from).collect()),
            );
            fields.insert("group_names".into(), Value::set([region.as_str().into()]));
            fields.insert("id".into(), region.into());
        }
        "aws_default_tags" => set("tags", Value::Map(account.default_tags.clone())),
        "aws_service_principal" => {
            let service = fields
                .get("service_name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let principal = format!("{service}.amazonaws.com");
            fields.insert("name".into(), principal.as_str().into());
            fields.insert(
                "id".into(),
                format!("{service}.{region}.amazonaws.com").into(),
            );
            fields.insert("suffix".into(), "amazonaws.com".into());
        }
        "aws_arn" => {
            let arn = fields
                .get("arn")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let mut parts = arn.splitn(6, ':').skip(1);
            for name in ["partition", "service", "region", "account", "resource"] {
                let Some(part) = parts.next() else {
                    return Err(Diagnostics::error(
                        "Invalid ARN",
                        format!("{arn:?} has less than six parts between colons."),
                    ));
                };
                fields.insert(name.into(), part.into());
            }
            fields.insert("id".into(), arn.into());
        }
        "aws_ec2_instance_type" => {
            if !accelerated {
                set("gpus", Value::set([]));
            }
            set("supported_architectures", words(&["x86_64"], Value::List));
        }
        "aws_ec2_instance_type_offerings" => {
            // Whatever is asked for is offered.
            let asked = filtered(fields, "instance-type");
            let asked = if asked.is_empty() {
                vec!["m7i.large".into()]
            } else {
                asked
            };
            let places = asked.iter().map(|_| Value::from(region.as_str()));
            let kinds = asked.iter().map(|_| Value::from("region"));
            fields.insert("locations".into(), Value::List(places.collect()));
            fields.insert("location_types".into(), Value::List(kinds.collect()));
            fields.insert("instance_types".into(), Value::List(asked));
        }
        "aws_ecr_lifecycle_policy_document" => {
            fields.insert("json".into(), super::ecr::lifecycle_policy(fields).into());
        }
        "aws_iam_policy_document" => {
            let (json, minified) = policy::render(fields)?;
            fields.insert("id".into(), policy::checksum(&json).into());
            fields.insert("json".into(), json.into());
            fields.insert("minified_json".into(), minified.into());
        }
        _ => {}
    }
    Ok(())
}

/// The values of the filter of this name.
fn filtered(fields: &Fields, name: &str) -> Vec<Value> {
    let Some(Value::Set(filters)) = fields.get("filter") else {
        return Vec::new();
    };
    let filter = filters
        .iter()
        .find(|filter| filter.field("name").as_str() == Some(name));
    match filter.map(|filter| filter.field("values")) {
        Some(Value::List(values) | Value::Set(values)) => values.clone(),
        _ => Vec::new(),
    }
}

fn words(words: &[&str], collect: impl FnOnce(Vec<Value>) -> Value) -> Value {
    collect(words.iter().map(|word| Value::from(*word)).collect())
}
