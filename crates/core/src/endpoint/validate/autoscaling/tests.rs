use serde_json::{Value, json};

use super::*;

fn told(json: Value) -> Vec<(String, String)> {
    let mut wanted =
        json!({ "min": 1, "max": 10, "policies": { "cpu": { "metric": "cpu", "target": 60.0 } } });
    let fields = json.as_object().expect("an object").clone();
    wanted.as_object_mut().expect("an object").extend(fields);
    problems(&serde_json::from_value(wanted).expect("a block"))
}

#[test]
fn policies_and_schedules_of_all_kinds_are_taken() {
    let policies = json!({
        "cpu": { "metric": "cpu", "target": 60.0 },
        "memory": { "metric": "memory", "target": 100.0, "scale_in_cooldown": "10m" },
        "requests": { "metric": "requests_per_target", "target": 1500.0 },
    });
    let schedules = json!({ "night": { "schedule": "cron(0 22 * * ? *)", "timezone": "America/Argentina/Buenos_Aires", "max": 1 } });
    assert_eq!(
        told(json!({ "policies": policies, "schedules": schedules })),
        []
    );
    assert_eq!(
        told(json!({ "min": 3, "max": 3, "policies": {} })),
        [],
        "a fixed number"
    );
}

#[test]
fn a_service_has_no_more_scheduled_actions_than_anybody_gets() {
    let schedules = |number: usize| {
        let one = |index| {
            let one = json!({ "schedule": "cron(0 22 * * ? *)", "max": 1 });
            (format!("s{index}"), one)
        };
        json!({ "schedules": (0..number).map(one).collect::<serde_json::Map<_, _>>() })
    };
    assert_eq!(told(schedules(200)), []);
    let message = "a service has at most 200 scheduled actions, and these are 201";
    let expected = ("schedules".to_owned(), message.to_owned());
    assert_eq!(told(schedules(201)), [expected]);
}

#[test]
fn each_mistake_is_told_with_its_attribute() {
    let policy = |metric: &str, target: f64| json!({ "policies": { "p": { "metric": metric, "target": target } } });
    let schedule = |fields: Value| {
        let mut one = json!({ "schedule": "rate(1 day)" });
        let fields = fields.as_object().expect("an object").clone();
        one.as_object_mut().expect("an object").extend(fields);
        json!({ "schedules": { "s": one } })
    };
    for (json, at, said) in [
        (json!({ "min": 11 }), "min", "min is 11 and max is 10"),
        (
            json!({ "min": 0 }),
            "min",
            "min 0 would leave nobody to answer",
        ),
        (
            json!({ "max": 5001 }),
            "max",
            "max is 1 to 5000 instances, not 5001",
        ),
        (
            json!({ "policies": {} }),
            "policies",
            "nothing says when there are more than 1 instances",
        ),
        (
            json!({ "policies": { "a b": { "metric": "cpu", "target": 1.0 } } }),
            "policies",
            "\"a b\" is not a name here",
        ),
        (
            policy("cpu", 0.0),
            "policies.p.target",
            "percent, above 0 and at most 100, not 0",
        ),
        (
            policy("memory", 100.5),
            "policies.p.target",
            "at most 100, not 100.5",
        ),
        (
            policy("requests_per_target", -1.0),
            "policies.p.target",
            "requests of one instance in a minute, above 0, not -1",
        ),
        (
            json!({ "policies": { "p": { "metric": "cpu", "target": 1.0, "scale_in_cooldown": "1500ms" } } }),
            "policies.p.scale_in_cooldown",
            "in whole seconds, not 1s500ms",
        ),
        (
            policy("other", 1.0),
            "policies.p.metric",
            "use cpu, memory or requests_per_target",
        ),
        (
            json!({ "policies": { "a": { "metric": "cpu", "target": 1.0 }, "b": { "metric": "cpu", "target": 2.0 } } }),
            "policies.b.metric",
            "policies a and b measure the same",
        ),
        (
            schedule(json!({ "max": 5, "schedule": "cron(0 8 * * *)" })),
            "schedules.s.schedule",
            "six fields, not 5",
        ),
        (
            schedule(json!({ "max": 5, "timezone": "Here and there" })),
            "schedules.s.timezone",
            "is not a time zone",
        ),
        (
            schedule(json!({})),
            "schedules.s.min",
            "schedule s changes nothing",
        ),
        (
            schedule(json!({ "min": 0 })),
            "schedules.s.min",
            "1 is the least",
        ),
        (
            schedule(json!({ "max": 6000 })),
            "schedules.s.max",
            "not 6000",
        ),
        (
            schedule(json!({ "min": 11 })),
            "schedules.s.min",
            "from this schedule on min is 11 and max is 10",
        ),
        (
            json!({ "schedules": { "": { "schedule": "rate(1 day)", "min": 2 } } }),
            "schedules",
            "\"\" is not a name here",
        ),
    ] {
        let found = told(json);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, at, "{found:?}");
        assert!(found[0].1.contains(said), "{found:?}");
    }
    // Nothing fits between 1 and 0.
    let found = told(json!({ "max": 0 }));
    let at: Vec<&str> = found.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(at, ["max", "min"], "{found:?}");
}
