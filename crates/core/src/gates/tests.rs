use super::*;

fn declared(goal: Goal) -> BTreeMap<String, MetricSpec> {
    let spec = MetricSpec {
        goal,
        min: None,
        max: None,
        unit: None,
    };
    [("accuracy".to_owned(), spec)].into()
}

fn candidate(value: f64) -> Candidate {
    Candidate {
        id: Some("fraud/4".parse().unwrap()),
        metrics: Known::Known([("accuracy".to_owned(), Known::Known(value))].into()),
    }
}

fn champion(id: &str, value: f64) -> Baseline {
    Baseline::Version {
        id: id.parse().unwrap(),
        metrics: [("accuracy".to_owned(), value)].into(),
    }
}

fn baseline_gate() -> Gate {
    Gate {
        baseline: Some("champion".parse().unwrap()),
        ..Gate::default()
    }
}

fn one(gate: Gate, goal: Goal, candidate: &Candidate, base: Baseline) -> GateResult {
    let gates = [("accuracy".to_owned(), gate)].into();
    let report = check_gates(&gates, &declared(goal), candidate, |_| base.clone());
    report.results.into_iter().next().unwrap()
}

#[test]
fn a_better_candidate_passes_and_the_line_says_against_what() {
    let gate = Gate {
        min_delta: Some(0.0),
        ..baseline_gate()
    };
    let gates = [("accuracy".to_owned(), gate)].into();
    let report = check_gates(&gates, &declared(Goal::Maximize), &candidate(0.981), |_| {
        champion("fraud/3", 0.912)
    });
    assert_eq!(
        report.to_string(),
        "accuracy: 0.981 >= champion 0.912 + 0 (fraud/3): pass"
    );
    assert_eq!(
        report.to_map()["accuracy"],
        "0.981 >= champion 0.912 + 0 (fraud/3): pass"
    );
}

#[test]
fn a_worse_candidate_fails() {
    let result = one(
        baseline_gate(),
        Goal::Maximize,
        &candidate(0.9),
        champion("fraud/3", 0.912),
    );
    assert_eq!(result.outcome, Outcome::Failed);
    assert_eq!(result.text, "0.9 >= champion 0.912 + 0 (fraud/3): fail");
}

#[test]
fn less_is_better_for_a_metric_to_minimize() {
    let gate = Gate {
        min_delta: Some(0.1),
        ..baseline_gate()
    };
    let better = one(
        gate.clone(),
        Goal::Minimize,
        &candidate(0.2),
        champion("fraud/3", 0.3),
    );
    assert_eq!(better.text, "0.2 <= champion 0.3 - 0.1 (fraud/3): pass");
    let worse = one(
        gate,
        Goal::Minimize,
        &candidate(0.21),
        champion("fraud/3", 0.3),
    );
    assert_eq!(worse.outcome, Outcome::Failed);
}

#[test]
fn a_regression_within_the_percentage_passes() {
    let gate = Gate {
        max_regression_percent: Some(1.0),
        ..baseline_gate()
    };
    let within = one(
        gate.clone(),
        Goal::Maximize,
        &candidate(0.99),
        champion("fraud/3", 1.0),
    );
    assert_eq!(within.text, "0.99 >= champion 1 - 1% (fraud/3): pass");
    let beyond = one(
        gate,
        Goal::Maximize,
        &candidate(0.98),
        champion("fraud/3", 1.0),
    );
    assert_eq!(beyond.outcome, Outcome::Failed);
}

#[test]
fn a_baseline_that_does_not_exist_yet_passes_with_a_note() {
    let result = one(
        baseline_gate(),
        Goal::Maximize,
        &candidate(0.1),
        Baseline::Missing,
    );
    assert_eq!(result.outcome, Outcome::NoBaseline);
    assert!(result.text.contains("no baseline"), "{}", result.text);
}

#[test]
fn a_version_is_never_its_own_baseline() {
    let result = one(
        baseline_gate(),
        Goal::Maximize,
        &candidate(0.1),
        champion("fraud/4", 0.9),
    );
    assert_eq!(result.outcome, Outcome::Passed);
    assert_eq!(result.text, "is champion itself (fraud/4): pass");
    let min = Gate {
        min: Some(0.5),
        ..Gate::default()
    };
    let result = one(
        min,
        Goal::Maximize,
        &candidate(0.1),
        champion("fraud/4", 0.9),
    );
    assert_eq!(
        result.outcome,
        Outcome::Failed,
        "min counts for the champion too"
    );
}

#[test]
fn unknown_inputs_are_never_a_refusal() {
    let unknown = Candidate {
        id: None,
        metrics: Known::Unknown,
    };
    let base = champion("fraud/3", 0.9);
    let result = one(baseline_gate(), Goal::Maximize, &unknown, base);
    assert_eq!(result.outcome, Outcome::Unknown);
    let result = one(
        baseline_gate(),
        Goal::Maximize,
        &candidate(0.1),
        Baseline::Unknown,
    );
    assert_eq!(result.outcome, Outcome::Unknown);
}

#[test]
fn a_metric_that_nobody_has_follows_on_missing() {
    let none = Candidate {
        id: None,
        metrics: Known::Known(BTreeMap::new()),
    };
    let min = Gate {
        min: Some(0.5),
        ..Gate::default()
    };
    let failed = one(min.clone(), Goal::Maximize, &none, Baseline::Missing);
    assert_eq!(failed.text, "the version has no such metric: fail");
    let warn = Gate {
        on_missing: OnMissing::Warn,
        ..min
    };
    let warned = one(warn, Goal::Maximize, &none, Baseline::Missing);
    assert_eq!(warned.outcome, Outcome::Warned);

    let gates = [("accuracy".to_owned(), baseline_gate())].into();
    let report = check_gates(&gates, &BTreeMap::new(), &candidate(0.9), |_| {
        champion("fraud/3", 0.1)
    });
    assert!(report.has_failed(), "{report}");
    assert!(
        report.to_string().contains("declares no such metric"),
        "{report}"
    );
}

#[test]
fn a_gate_names_exactly_one_of_min_max_and_baseline() {
    let error = Gate::default().validate("accuracy").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the gate on metric \"accuracy\" sets none of min, max and baseline; set exactly one"
    );
    assert_eq!(error.attribute(), Some("promotion.gates.accuracy"));
    let two = Gate {
        min: Some(0.0),
        max: Some(1.0),
        ..Gate::default()
    };
    assert!(
        two.validate("accuracy")
            .unwrap_err()
            .to_string()
            .contains("more than one")
    );
    let delta_alone = Gate {
        min: Some(0.0),
        min_delta: Some(1.0),
        ..Gate::default()
    };
    assert!(
        delta_alone
            .validate("a")
            .unwrap_err()
            .to_string()
            .contains("without a baseline")
    );
    assert!(baseline_gate().validate("accuracy").is_ok());
}
