//! Values by the attribute's name, where the table has no row.

use std::collections::BTreeMap;

use tfplugin::types::Type;
use tfplugin::value::Value;

use super::{Faker, Wanted};

/// Ids by what the attribute's name ends with, and what they begin with.
const IDS: [(&str, &str); 24] = [
    ("security_group_id", "sg-"),
    ("security_group_ids", "sg-"),
    ("subnet_id", "subnet-"),
    ("subnet_ids", "subnet-"),
    ("vpc_id", "vpc-"),
    ("vpcs", "vpc-"),
    ("route_table_id", "rtb-"),
    ("network_acl_id", "acl-"),
    ("network_interface_id", "eni-"),
    ("network_interface_ids", "eni-"),
    ("dhcp_options_id", "dopt-"),
    ("gateway_id", "igw-"),
    ("allocation_id", "eipalloc-"),
    ("association_id", "eipassoc-"),
    ("image_id", "ami-"),
    ("instance_id", "i-"),
    ("file_system_id", "fs-"),
    ("prefix_list_id", "pl-"),
    ("snapshot_id", "snap-"),
    ("volume_id", "vol-"),
    ("launch_template_id", "lt-"),
    ("network_interface", "eni-"),
    ("carrier_gateway_id", "cagw-"),
    ("endpoint_id", "vpce-"),
];

/// A value of the attribute's type.
pub(crate) fn value(
    faker: &Faker<'_>,
    wanted: &Wanted<'_>,
    siblings: &BTreeMap<String, Value>,
) -> Value {
    match wanted.of {
        Type::String => Value::String(text(faker, wanted, siblings)),
        Type::Number => number(wanted.name).into(),
        Type::Bool => Value::Bool(false),
        Type::List(of) => Value::List(elements(faker, wanted, of)),
        Type::Set(of) => Value::set(elements(faker, wanted, of)),
        Type::Map(_) => Value::Map(BTreeMap::new()),
        Type::Object(fields) => object(faker, fields, &wanted.path),
        Type::Tuple(_) | Type::Dynamic => Value::Null,
    }
}

fn object(faker: &Faker<'_>, fields: &BTreeMap<String, Type>, path: &str) -> Value {
    let mut made = BTreeMap::new();
    for (name, of) in fields {
        let wanted = Wanted {
            name,
            path: format!("{path}.{name}"),
            of,
            optional: false,
            outermost: false,
        };
        let value = super::special::value(faker, &wanted, &made)
            .unwrap_or_else(|| value(faker, &wanted, &made));
        made.insert(name.clone(), value);
    }
    Value::Object(made)
}

/// What the provider alone lists has one object, and names in the plural have three; the rest is empty.
fn elements(faker: &Faker<'_>, wanted: &Wanted<'_>, of: &Type) -> Vec<Value> {
    let count = match of {
        _ if wanted.optional => 0,
        Type::Object(_) => 1,
        Type::String
            if ["ids", "arns", "names", "servers", "vpcs"]
                .iter()
                .any(|end| wanted.name.ends_with(end)) =>
        {
            3
        }
        _ => 0,
    };
    let element = |at: usize| {
        let path = format!("{}[{at}]", wanted.path);
        match of {
            Type::Object(fields) => object(faker, fields, &path),
            _ => {
                let name = match wanted.name {
                    // `ids` are those of what is listed: aws_subnets has ids of subnets.
                    "ids" => {
                        faker
                            .type_name()
                            .trim_start_matches("aws_")
                            .trim_end_matches('s')
                            .to_owned()
                            + "_id"
                    }
                    name => name.strip_suffix('s').unwrap_or(name).to_owned(),
                };
                let wanted = Wanted {
                    name: &name,
                    path,
                    of,
                    optional: false,
                    outermost: false,
                };
                value(faker, &wanted, &BTreeMap::new())
            }
        }
    };
    (0..count).map(element).collect()
}

fn number(name: &str) -> i64 {
    match name {
        "version" | "latest_version" | "default_version" | "revision" | "generation" => 1,
        _ => 0,
    }
}

fn text(faker: &Faker<'_>, wanted: &Wanted<'_>, siblings: &BTreeMap<String, Value>) -> String {
    let (name, path) = (wanted.name, wanted.path.as_str());
    let (region, account) = (&faker.region, &faker.account.id);
    let made = |what: &str| faker.text(what, path);
    let prefix = siblings
        .get(&format!("{name}_prefix"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    if let Some((_, begin)) = IDS.iter().find(|(end, _)| name.ends_with(end)) {
        // What the user could have named and did not stays empty, but for where things are put.
        if !wanted.optional || name == "vpc_id" || name == "network_interface_id" {
            return format!("{begin}{}", made("hex17"));
        }
        return String::new();
    }
    match name {
        "id" => format!(
            "{}-{}",
            faker.type_name().split('_').next_back().unwrap_or("id"),
            made("hex17")
        ),
        "owner_id" | "account_id" | "registry_id" | "owner" | "owner_account_id" => account.clone(),
        "region" => region.clone(),
        "availability_zone" => format!("{region}a"),
        "availability_zone_id" => "use1-az1".to_owned(),
        "zone_id" | "hosted_zone_id" | "hosted_zone" => format!("Z{}", made("upper20")),
        "issuer" => format!(
            "https://oidc.eks.{region}.amazonaws.com/id/{}",
            made("upper32")
        ),
        "data" | "certificate_authority_data" => {
            "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==".to_owned()
        }
        "policy" => r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
        "name_server" | "primary_name_server" => {
            format!("ns-{}.awsdns-{}.com", made("digits3"), made("digits2"))
        }
        "resource_record_type" => "CNAME".to_owned(),
        "public_ip" | "ip_address" if !wanted.optional => "203.0.113.10".to_owned(),
        "private_ip" => "10.0.0.10".to_owned(),
        "description" => String::new(),
        _ if !prefix.is_empty() => format!("{prefix}{}", made("digits26")),
        _ if name.contains("ipv6") || name.ends_with("_prefix") => String::new(),
        _ if (name == "name"
            || name.ends_with("_name")
            || name == "bucket"
            || name == "identifier")
            && (wanted.outermost || !wanted.optional) =>
        {
            format!("terraform-{}", made("digits20"))
        }
        _ if name == "arn" || name.ends_with("_arn") && !wanted.optional => {
            let type_name = faker.type_name();
            let mut words = type_name.split('_').skip(1);
            let service = words.next().unwrap_or("stub");
            let what = name.strip_suffix("_arn").map(|what| what.replace('_', "-"));
            let what = what
                .or_else(|| words.last().map(str::to_owned))
                .unwrap_or_else(|| "object".to_owned());
            format!(
                "arn:{}:{service}:{region}:{account}:{what}/{}",
                faker.account.partition,
                made("hex17")
            )
        }
        // What the user could have set, and the provider would not have.
        _ if wanted.optional => String::new(),
        _ if name.ends_with("cidr_block") || name.ends_with("cidr") => "10.0.0.0/16".to_owned(),
        _ if name.ends_with("dns_name") || name.ends_with("fqdn") || name.ends_with("domain") => {
            format!("{}.example.com", made("lower12"))
        }
        _ if name.ends_with("endpoint") || name.ends_with("url") || name.ends_with("uri") => {
            format!("https://{}.{region}.example.com", made("lower12"))
        }
        _ if ["_at", "date", "time", "timestamp", "created", "modified"]
            .iter()
            .any(|end| name.ends_with(end)) =>
        {
            "2026-01-01T00:00:00Z".to_owned()
        }
        "status" | "state" => "ACTIVE".to_owned(),
        "endpoint_network_interface_state" => "available".to_owned(),
        _ if [
            "etag",
            "hash",
            "fingerprint",
            "md5",
            "sha1",
            "sha256",
            "sha512",
            "checksum",
        ]
        .iter()
        .any(|end| name.contains(end)) =>
        {
            made("hex40")
        }
        _ => made("lower12"),
    }
}
