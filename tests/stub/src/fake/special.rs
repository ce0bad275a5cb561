//! Values that follow from the object's own others.

use std::collections::BTreeMap;

use tfplugin::value::Value;

use super::{Faker, Wanted};

/// A value for an attribute of which more is known than its name.
pub(crate) fn value(
    faker: &Faker<'_>,
    wanted: &Wanted<'_>,
    siblings: &BTreeMap<String, Value>,
) -> Option<Value> {
    let text = |name: &str| siblings.get(name).and_then(Value::as_str);
    let count = |name: &str| {
        siblings
            .get(name)
            .and_then(Value::as_number)
            .and_then(|number| number.as_u64())
    };
    let made = |what: &str| faker.text(what, &wanted.path);
    match (faker.kind, wanted.name) {
        ("aws_acm_certificate", "resource_record_name") => {
            let domain = text("domain_name")?.trim_start_matches("*.");
            Some(format!("_{}.{domain}.", made("hex32")).into())
        }
        ("aws_acm_certificate", "resource_record_value") => Some(
            format!(
                "_{}.{}.acm-validations.aws.",
                made("hex32"),
                made("lower10")
            )
            .into(),
        ),
        ("aws_acm_certificate", "domain_validation_options") => Some(Value::set([])),
        ("aws_vpc", "ipv6_cidr_block")
            if siblings.get("assign_generated_ipv6_cidr_block") == Some(&true.into()) =>
        {
            Some(format!("2600:1f13:{}:{}00::/56", made("hex3"), made("hex2")).into())
        }
        // Images are looked up in parameters: one alone, or with what else is known of it.
        ("data.aws_ssm_parameter", "value") => {
            let image = format!("ami-{}", made("hex17"));
            let whole = text("name").is_some_and(|name| name.ends_with("/recommended"));
            Some(if whole {
                format!(r#"{{"image_id":"{image}","image_version":"1.0.0"}}"#).into()
            } else {
                image.into()
            })
        }
        // Subnets that are looked up by id lie in more than one zone.
        ("data.aws_subnet", "availability_zone") => {
            let id = text("id").unwrap_or_default();
            let zone = ["a", "b", "c"][id.bytes().map(usize::from).sum::<usize>() % 3];
            Some(format!("{}{zone}", faker.region).into())
        }
        ("aws_subnet" | "data.aws_subnet", "availability_zone_id") => {
            let zone = text("availability_zone")?.chars().last()?;
            Some(format!("use1-az{}", u32::from(zone) - u32::from('a') + 1).into())
        }
        ("aws_iam_openid_connect_provider", "thumbprint_list") => {
            Some(Value::List(vec![made("hex40").into()]))
        }
        ("aws_lb" | "data.aws_lb", "zone_id") => Some("Z35SXDOTRQ7X7K".into()),
        ("aws_route53_zone" | "data.aws_route53_zone", "name_servers") => {
            let server = |at: u32| Value::from(format!("ns-{at}.awsdns-{at:02}.com"));
            Some(Value::List((1..=4).map(server).collect()))
        }
        ("random_password" | "random_string", "result") => {
            let length = usize::try_from(count("length")?).ok()?;
            let text = made(&format!("lower{length}"));
            Some(text.into())
        }
        ("random_password" | "random_string", "id") => Some("none".into()),
        ("random_integer", "result") => siblings.get("min").cloned(),
        ("random_shuffle", "result") => siblings.get("input").cloned(),
        ("random_id", "hex") => Some(made(&format!("hex{}", 2 * count("byte_length")?)).into()),
        ("kubernetes_manifest", "object") => siblings.get("manifest").cloned(),
        ("tls_private_key", name) if name.contains("pem") || name.contains("openssh") => {
            let kind = if name.contains("public") {
                "PUBLIC"
            } else {
                "PRIVATE"
            };
            // Says itself that it is none, so that no scanner of secrets takes it for one.
            Some(
                format!(
                    "-----BEGIN STUB {kind} KEY-----\n{}\n-----END STUB {kind} KEY-----\n",
                    made("lower64")
                )
                .into(),
            )
        }
        _ => None,
    }
}

/// The names that a certificate is for, if they are all known and it is validated by DNS.
pub(crate) fn certificate_names(fields: &BTreeMap<String, Value>) -> Option<Vec<String>> {
    if fields.get("validation_method")?.as_str()? != "DNS" {
        return None;
    }
    let mut names = vec![fields.get("domain_name")?.as_str()?.to_owned()];
    match fields.get("subject_alternative_names") {
        Some(Value::Set(others)) => {
            for other in others {
                names.push(other.as_str()?.to_owned());
            }
        }
        // Not set: the provider makes it the name alone.
        Some(Value::Unknown | Value::Null) | None => {}
        Some(_) => return None,
    }
    names.sort();
    names.dedup();
    Some(names)
}
