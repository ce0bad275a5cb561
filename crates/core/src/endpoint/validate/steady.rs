//! What contradicts a deployment that waits for nobody.

use crate::endpoint::spec::{EndpointSpec, OnFailure, Strategy, TargetSpec};
use crate::error::Error;
use crate::names::VariantName;

/// The attribute.
const AT: &str = "wait_for_steady_state";
/// What it would mean.
const UNSEEN: &str = "with wait_for_steady_state = false an apply ends before the new revision is healthy, so nobody";

/// Everything of `spec` that asks to be waited for, where nothing is.
pub(super) fn steady(spec: &EndpointSpec) -> Vec<Error> {
    if spec.wait_for_steady_state {
        return Vec::new();
    }
    if let TargetSpec::Local(_) = spec.target {
        let message = "on this machine a version is loaded within the apply, and there is nothing else to wait for; leave wait_for_steady_state out, which is \
                       for endpoints on ECS";
        return vec![Error::invalid(message).at(AT)];
    }
    let rollout = &spec.rollout;
    let mut problems = Vec::new();
    let mut refuse = |attribute: &str, message: String| {
        problems.push(Error::invalid(message).at(attribute));
    };
    if rollout.strategy != Strategy::AllAtOnce {
        refuse(
            AT,
            format!(
                "{UNSEEN} is there to take rollout.strategy = {:?} from step to step; use ALL_AT_ONCE, or leave wait_for_steady_state out",
                rollout.strategy.as_str()
            ),
        );
    }
    let window = spec.health_check.stabilization_window;
    for (attribute, is_set, does) in [
        (
            "health_check.stabilization_window",
            window.is_some_and(|window| !window.is_zero()),
            "watches it for a while",
        ),
        (
            "rollout.analysis",
            !rollout.analysis.is_empty(),
            "measures it",
        ),
        (
            "rollout.alarms",
            !rollout.alarms.is_empty(),
            "looks at alarms",
        ),
        (
            "rollout.terminate_after",
            !rollout.terminate_after.is_zero(),
            "watches while the old revision stands by, which it does until the next deployment",
        ),
        (
            "rollout.on_failure",
            rollout.on_failure == OnFailure::Pause,
            "sees it fail",
        ),
    ] {
        if is_set {
            refuse(
                attribute,
                format!("{UNSEEN} {does}; leave it out, or wait_for_steady_state"),
            );
        }
    }
    if spec.variants.len() > 1 {
        refuse(
            AT,
            format!(
                "{UNSEEN} can take the old revisions away, and a load balancer divides among five target groups: too few for {} variants with a new, a running \
                 and an old revision each; keep one variant, or leave wait_for_steady_state out",
                spec.variants.len()
            ),
        );
    }
    problems
}

/// The same of golden requests: whose versions have one.
pub fn unproved<'a>(
    spec: &EndpointSpec,
    asked: impl Iterator<Item = &'a VariantName>,
) -> Vec<Error> {
    let refused = |name: &VariantName| {
        let message = format!(
            "version {} has a golden request (smoke), and {UNSEEN} hears what the server answers; leave wait_for_steady_state out, or bind a version without one",
            spec.variants
                .get(name)
                .map(|variant| variant.workload.to_string())
                .unwrap_or_default()
        );
        Error::invalid(message).at(format!("variants.{name}.model"))
    };
    match spec.wait_for_steady_state {
        true => Vec::new(),
        false => asked.map(refused).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::endpoint::validate::tests::{messages, on_ecs};

    fn told(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
        let variant = json!({"image": "example.com/a@sha256:1", "traffic": 100.0});
        let mut spec = json!({
            "name": "digits", "wait_for_steady_state": false,
            "variants": {"main": variant},
            "rollout": {},
            "target": {"ecs": on_ecs()},
        });
        change(&mut spec);
        let spec: EndpointSpec = serde_json::from_value(spec).expect("a specification");
        messages(&steady(&spec))
    }

    #[test]
    fn what_asks_to_be_waited_for_is_told_with_its_attribute() {
        assert_eq!(told(|_| {}), []);
        type Change = fn(&mut Value);
        let wrong: [(Change, &str, &str); 8] = [
            (
                |spec| spec["health_check"] = json!({"stabilization_window": "5s"}),
                "health_check.stabilization_window",
                "nobody watches it for a while",
            ),
            (
                |spec| spec["target"] = json!({"local": {}}),
                AT,
                "for endpoints on ECS",
            ),
            (
                |spec| spec["rollout"]["strategy"] = "ROLLING".into(),
                AT,
                "rollout.strategy = \"ROLLING\"",
            ),
            (
                |spec| {
                    let cpu = json!({"source": "cloudwatch", "query": "error_rate", "condition": "result < 1"});
                    spec["rollout"]["analysis"] = json!({ "errors": cpu });
                },
                "rollout.analysis",
                "nobody measures it",
            ),
            (
                |spec| spec["rollout"]["alarms"] = json!(["errors"]),
                "rollout.alarms",
                "nobody looks at alarms",
            ),
            (
                |spec| spec["rollout"]["terminate_after"] = "5m".into(),
                "rollout.terminate_after",
                "until the next deployment",
            ),
            (
                |spec| spec["rollout"]["on_failure"] = "pause".into(),
                "rollout.on_failure",
                "nobody sees it fail",
            ),
            (
                |spec| spec["variants"]["other"] = spec["variants"]["main"].clone(),
                AT,
                "five target groups",
            ),
        ];
        for (change, attribute, said) in wrong {
            let found = told(change);
            let [(at, text)] = &found[..] else {
                panic!("{attribute}: {found:?}")
            };
            assert_eq!(at, attribute);
            assert!(text.contains(said), "{text}");
            let waited = told(|spec| {
                change(spec);
                spec["wait_for_steady_state"] = true.into();
            });
            assert_eq!(waited, [], "{attribute}");
        }
    }
}
