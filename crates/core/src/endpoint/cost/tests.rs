use serde_json::{Value, json};

use super::*;
use crate::endpoint::spec::{Architecture, Capacity, EndpointSpec, LaunchType, TargetSpec};

/// An endpoint on Fargate in Ireland: one variant, one task of 1 vCPU and 2 GB.
fn spec() -> EndpointSpec {
    serde_json::from_value(json!({
        "name": "fraud",
        "variants": { "main": {
            "image": format!("own@sha256:{}", "b".repeat(64)),
            "traffic": 100.0,
            "shadow_percentage": 0.0,
            "environment": {},
            "compute": { "cpu": 1024, "memory_mb": 2048 },
            "startup_timeout": "5m",
        } },
        "target": { "ecs": {
            "cluster": "prod",
            "execution_role_arn": "arn:aws:iam::111122223333:role/execution",
            "task_role_arn": "arn:aws:iam::111122223333:role/task",
            "image": "",
            "network": { "subnets": ["subnet-1"] },
            "ingress": { "listener": {
                "load_balancer_arn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/main/50dc6c495c0c9188",
                "port": { "fixed": 8443 },
            } },
        } },
    }))
    .unwrap()
}

fn changed(change: impl FnOnce(&mut Value)) -> EndpointSpec {
    let mut written = serde_json::to_value(spec()).unwrap();
    change(&mut written);
    serde_json::from_value(written).unwrap()
}

fn footprint(spec: &EndpointSpec) -> Footprint {
    Footprint::of(spec).expect("it is on ECS")
}

fn cost(spec: &EndpointSpec) -> Result<Estimate, Missing> {
    footprint(spec).cost(&Prices::built_in())
}

fn missing(spec: &EndpointSpec) -> String {
    cost(spec).unwrap_err().to_string()
}

/// A file with one row, which is changed.
fn file(change: impl FnOnce(&mut Value)) -> Result<Prices, String> {
    let mut file = json!({
        "currency": "USD",
        "sources": { "contract": { "address": "contract 4711", "date": "2026-03-01" } },
        "fargate": [{
            "region": "eu-west-1", "architecture": "X86_64", "vcpu_hour": 0.03, "gb_hour": 0.004, "source": "contract",
        }],
    });
    change(&mut file);
    Prices::parse(&file.to_string(), "own.json").map_err(|error| error.to_string())
}

#[test]
fn each_figure_of_the_programs_own_file_has_an_address_and_a_date() {
    let prices = Prices::built_in();
    assert!(prices.iter().count() >= 20);
    for price in prices.iter() {
        let source = &price.source;
        assert!(source.address.starts_with("https://"), "{price}");
        assert!(source.date.year() >= 2026, "{price}");
        // Another unit, such as seconds, would show here.
        assert!((0.02..0.2).contains(&price.vcpu_hour), "{price}");
        assert!((0.002..0.02).contains(&price.gb_hour), "{price}");
    }
    for region in ["us-east-1", "eu-west-1", "eu-central-1"] {
        assert!(
            prices.fargate(region, Architecture::X86_64).is_some(),
            "{region}"
        );
    }
    assert!(prices.fargate("eu-west-1", Architecture::Arm64).is_some());
}

#[test]
fn a_month_is_730_hours_of_vcpus_and_gigabytes() {
    let known = cost(&spec()).unwrap();
    // (0.04048 + 2 * 0.004445) * 730 = 36.0401
    assert_eq!((known.least, known.most), (36.04, 36.04));
    assert_eq!(known.to_string(), "36.04 USD a month");
    let arm = changed(|spec| {
        let main = &mut spec["variants"]["main"];
        main["container"] = json!({"architecture": "ARM64"});
        main["compute"] = json!({"cpu": 2048, "memory_mb": 4096});
    });
    // (2 * 0.03238 + 4 * 0.00356) * 730 = 57.67
    assert_eq!(cost(&arm).unwrap().to_string(), "57.67 USD a month");
    // A task that says nothing of its size: (0.5 * 0.04048 + 0.004445) * 730 = 18.02005
    let default = changed(|spec| spec["variants"]["main"]["compute"] = json!({}));
    assert_eq!(cost(&default).unwrap().least, 18.02);
}

#[test]
fn autoscaling_and_its_schedules_make_a_range_of_it() {
    let scaled = json!({
        "min": 2, "max": 4,
        "schedules": {
            "night": { "schedule": "cron(0 22 * * ? *)", "min": 1, "max": 2 },
            "sale": { "schedule": "cron(0 6 1 * ? *)", "max": 8 },
        },
    });
    let endpoint = changed(|spec| spec["autoscaling"] = scaled.clone());
    assert_eq!(
        cost(&endpoint).unwrap().to_string(),
        "36.04 to 288.32 USD a month"
    );
    // A variant's own stands above it, and variants add up.
    let two = changed(|spec| {
        spec["autoscaling"] = scaled;
        let mut second = spec["variants"]["main"].clone();
        second["autoscaling"] = json!({"min": 3, "max": 3});
        spec["variants"]["second"] = second;
    });
    assert_eq!(
        cost(&two).unwrap().to_string(),
        "144.16 to 396.44 USD a month"
    );
}

#[test]
fn a_price_that_is_not_there_is_named_and_no_figure_is_made_up() {
    let elsewhere = |spec: &mut Value| {
        let ingress = &mut spec["target"]["ecs"]["ingress"]["listener"]["load_balancer_arn"];
        *ingress = ingress
            .as_str()
            .unwrap()
            .replace("eu-west-1", "mars-north-1")
            .into();
    };
    assert_eq!(
        missing(&changed(elsewhere)),
        "Fargate on X86_64 in mars-north-1"
    );
    let both = changed(|spec| {
        elsewhere(spec);
        let mut arm = spec["variants"]["main"].clone();
        arm["container"] = json!({"architecture": "ARM64"});
        spec["variants"]["arm"] = arm;
    });
    assert_eq!(
        missing(&both),
        "Fargate on ARM64 in mars-north-1, and for Fargate on X86_64 in mars-north-1"
    );
    let machines = changed(|spec| spec["target"]["ecs"]["launch_type"] = json!("EC2"));
    assert_eq!(footprint(&machines).capacity, Capacity::on(LaunchType::Ec2));
    assert!(missing(&machines).contains("launch_type EC2"));
    let on = |providers: Value| {
        changed(|spec| {
            let ecs = spec["target"]["ecs"].as_object_mut().expect("on ECS");
            ecs.remove("launch_type");
            ecs.insert("capacity_providers".to_owned(), providers);
        })
    };
    let share = json!({ "base": 0, "weight": 1 });
    assert_eq!(cost(&on(json!({ "FARGATE": share }))), cost(&spec()));
    let spot = missing(&on(json!({ "FARGATE": share, "FARGATE_SPOT": share })));
    assert!(spot.contains("changes with demand"), "{spot}");
    let own = missing(&on(json!({ "gpu": share })));
    assert!(own.contains("capacity provider gpu"), "{own}");
}

#[test]
fn a_rule_on_a_listener_tells_the_region_and_this_machine_costs_nothing() {
    let rule = changed(|spec| {
        spec["target"]["ecs"]["ingress"] = json!({ "rule": {
            "listener_arn": "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/main/50dc6c495c0c9188/f2f7dc8efc522ab2",
            "priority": { "fixed": 10 },
            "path_patterns": ["/fraud/*"],
        } });
    });
    assert_eq!(footprint(&rule).region, "eu-central-1");
    let nowhere = changed(|spec| {
        let arn = &mut spec["target"]["ecs"]["ingress"]["listener"]["load_balancer_arn"];
        *arn = arn.as_str().unwrap().replace("eu-west-1", "").into();
    });
    assert!(missing(&nowhere).contains("that the load balancer's ARN does not tell"));
    let mut here = spec();
    here.target = TargetSpec::Local(serde_json::from_value(json!({})).unwrap());
    assert_eq!(Footprint::of(&here), None);
}

#[test]
fn only_what_decides_the_cost_is_in_a_footprint() {
    let before = footprint(&spec());
    let other = changed(|spec| {
        spec["variants"]["main"]["environment"] = json!({"A": "b"});
        spec["drain_seconds"] = json!(30);
    });
    assert_eq!(footprint(&other), before);
    let larger = changed(|spec| spec["variants"]["main"]["compute"]["memory_mb"] = json!(4096));
    assert_ne!(footprint(&larger), before);
}

#[test]
fn own_prices_stand_above_the_programs_and_leave_the_others() {
    let own = file(|_| {}).unwrap().or(Prices::built_in());
    let ireland = own.fargate("eu-west-1", Architecture::X86_64).unwrap();
    assert_eq!(
        (ireland.vcpu_hour, ireland.source.address.as_str()),
        (0.03, "contract 4711")
    );
    assert!(own.fargate("eu-west-1", Architecture::Arm64).is_some());
    assert!(own.fargate("us-east-1", Architecture::X86_64).is_some());
}

#[test]
fn a_file_whose_figures_could_mislead_is_refused_and_the_row_is_named() {
    let row = |name: &'static str, value: Value| {
        file(move |file| file["fargate"][0][name] = value).unwrap_err()
    };
    let without = |name: &'static str| {
        file(move |file| {
            file["fargate"][0].as_object_mut().unwrap().remove(name);
        })
        .unwrap_err()
    };
    for (said, part) in [
        (
            without("source"),
            "(eu-west-1, X86_64) has figures without a source",
        ),
        (
            row("source", json!("hearsay")),
            "\"hearsay\", which is not among sources",
        ),
        (
            row("vcpu_hour", json!(-0.04)),
            "vcpu_hour = -0.04; a price is above zero",
        ),
        (
            row("gb_hour", json!(0)),
            "gb_hour = 0; a price is above zero",
        ),
        (row("gb_hour", json!("NaN")), "invalid type: string \"NaN\""),
        (without("vcpu_hour"), "has no vcpu_hour"),
        (
            without("region"),
            "row 1 of fargate in own.json names no region",
        ),
        (
            row("architecture", json!("arm")),
            "\"arm\"; it is X86_64 or ARM64",
        ),
        (row("vcpu_month", json!(1)), "unknown field `vcpu_month`"),
        (
            file(|file| file["currency"] = json!("EUR")).unwrap_err(),
            "are in \"EUR\"",
        ),
        (
            file(|file| file["sources"]["contract"]["address"] = json!(" ")).unwrap_err(),
            "\"contract\" in own.json has no address",
        ),
        (
            file(|file| {
                file["sources"]["contract"]
                    .as_object_mut()
                    .unwrap()
                    .remove("date");
            })
            .unwrap_err(),
            "missing field `date`",
        ),
        (
            file(|file| file["sources"]["contract"]["date"] = json!("March")).unwrap_err(),
            "own.json is not a price file",
        ),
        (
            file(|file| {
                let row = file["fargate"][0].clone();
                file["fargate"].as_array_mut().unwrap().push(row);
            })
            .unwrap_err(),
            "two prices for X86_64 in eu-west-1",
        ),
    ] {
        assert!(said.contains(part), "{said}");
        assert!(said.contains("own.json"), "{said}");
    }
    let huge = r#"{"currency":"USD","fargate":[{"region":"r","architecture":"ARM64","vcpu_hour":1e999,"gb_hour":1}]}"#;
    let said = Prices::parse(huge, "own.json").unwrap_err().to_string();
    assert!(said.contains("number out of range"), "{said}");
}

#[test]
fn a_limit_is_compared_with_the_most_that_autoscaling_may_make_of_it() {
    let scaled = changed(|spec| spec["autoscaling"] = json!({"min": 1, "max": 4}));
    let known = cost(&scaled).unwrap();
    let limit = |max| Limits {
        max_monthly_usd: Some(max),
        ..Limits::default()
    };
    assert!(limit(144.16).exceeded(&known).is_none());
    let error = limit(144.15).exceeded(&known).unwrap();
    assert_eq!(error.attribute(), Some("cost.max_monthly_usd"));
    for part in [
        "may cost 144.16 USD",
        "(36.04 with the fewest)",
        "allows 144.15",
        "https://",
        "2026-09-29",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(Limits::default().exceeded(&known).is_none());
}

#[test]
fn an_increase_of_either_end_of_the_range_is_told_with_both_figures() {
    let old = cost(&spec()).unwrap();
    let new = cost(&changed(|spec| {
        spec["autoscaling"] = json!({"min": 1, "max": 4})
    }))
    .unwrap();
    let limit = |percent| Limits {
        warn_increase_percent: Some(percent),
        ..Limits::default()
    };
    let told = limit(299.0).grown(&old, &new).unwrap();
    assert_eq!(told.attribute(), Some("cost.warn_increase_percent"));
    for part in [
        "costs 36.04 USD a month now",
        "36.04 to 144.16 USD a month after",
        "300 % more",
    ] {
        assert!(told.to_string().contains(part), "{told}");
    }
    assert!(limit(300.0).grown(&old, &new).is_none());
    assert!(limit(0.0).grown(&old, &old).is_none());
    assert!(limit(0.0).grown(&new, &old).is_none());
    assert!(Limits::default().grown(&old, &new).is_none());
}
