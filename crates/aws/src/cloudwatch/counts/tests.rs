//! Which minutes count, and what their numbers mean.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn only_minutes_that_began_after_the_shift_and_have_been_over_for_another_one_count() {
    let noon = at("2026-01-01T12:00:00Z").as_second();
    for (since, now, from, to) in [
        ("2026-01-01T12:00:00Z", "2026-01-01T12:02:59Z", 0, 1),
        ("2026-01-01T12:00:00.5Z", "2026-01-01T12:04:00Z", 1, 3),
        ("2026-01-01T12:00:59Z", "2026-01-01T12:02:30Z", 1, 1),
    ] {
        let found = minutes(at(since), at(now));
        assert_eq!(
            found,
            (noon + from * MINUTE, noon + to * MINUTE),
            "{since} {now}"
        );
    }
}

fn series(values: &[(i64, f64)]) -> Series {
    values.iter().copied().collect()
}

#[test]
fn errors_are_those_of_targets_and_of_connections_to_them() {
    let requests = series(&[(0, 90.0), (60, 110.0)]);
    let answers = |errors: &[(i64, f64)], lost: &[(i64, f64)]| {
        let all = [requests.clone(), series(errors), series(lost)];
        read(ServerQuery::ErrorRate, &all)
    };
    assert_eq!(answers(&[], &[]), Answer::Number(0.0));
    assert_eq!(answers(&[(60, 30.0)], &[(0, 10.0)]), Answer::Number(0.2));
    // Each try of a connection counts.
    assert_eq!(answers(&[], &[(0, 900.0)]), Answer::Number(1.0));
}

#[test]
fn what_is_not_told_yet_is_no_number() {
    for query in ServerQuery::ALL {
        let nothing = read(query, &[Series::new(), series(&[(0, 3.0)])]);
        assert!(
            matches!(nothing, Answer::Nothing(_)),
            "{query}: {nothing:?}"
        );
    }
    let late = read(
        ServerQuery::LatencyP99,
        &[series(&[(0, 5.0)]), Series::new()],
    );
    assert!(matches!(late, Answer::Nothing(_)), "{late:?}");
}

#[test]
fn latencies_of_minutes_weigh_as_much_as_their_requests() {
    let counts = series(&[(0, 100.0), (60, 300.0)]);
    let values = series(&[(0, 1.0), (60, 2.0)]);
    let answer = read(ServerQuery::LatencyP99, &[counts.clone(), values]);
    assert_eq!(answer, Answer::Number(1.75));
    assert_eq!(
        read(ServerQuery::RequestRate, &[counts]),
        Answer::Number(400.0 / 120.0)
    );
}

#[test]
fn a_metric_knows_things_by_the_end_of_their_arns() {
    let group =
        "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/digits-1/6d0ecf831eec9f09";
    assert_eq!(
        dimension(group, "targetgroup/"),
        "targetgroup/digits-1/6d0ecf831eec9f09"
    );
    let balancer = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/models/50dc6c495c0c9188";
    assert_eq!(dimension(balancer, "app/"), "app/models/50dc6c495c0c9188");
}

/// In any order, and what has no value is left out.
#[test]
fn series_are_read_by_their_ids_and_a_metric_that_cannot_be_told_is_an_error() {
    let answer = |results: &str| {
        let body = format!(
            "<GetMetricDataResponse><GetMetricDataResult><MetricDataResults>{results}</MetricDataResults></GetMetricDataResult></GetMetricDataResponse>"
        );
        told(&Element::read(body.as_bytes()).expect("XML"), 2)
    };
    let read = answer(
        "<member><Id>q2</Id><StatusCode>Complete</StatusCode><Timestamps><member>1970-01-01T00:01:00Z</member><member>1970-01-01T00:00:00Z</member></Timestamps>\
         <Values><member>2.5</member><member>1.0E-1</member></Values></member><member><Id>q1</Id><Timestamps/><Values/></member>",
    );
    assert_eq!(
        read.expect("series"),
        [Series::new(), series(&[(0, 0.1), (60, 2.5)])]
    );
    let refused = answer(
        "<member><Id>q1</Id><StatusCode>InternalError</StatusCode><Messages><member><Code>X</Code><Value>later</Value></member></Messages></member>",
    );
    let refused = refused.expect_err("no series");
    assert_eq!(refused.class(), mlops_core::Class::Unavailable);
    assert!(
        refused.to_string().contains("(InternalError): later"),
        "{refused}"
    );
    for odd in [
        "<member><Id>q3</Id></member>",
        "<member><Id>x</Id></member>",
        "<member><Id>q1</Id><Timestamps><member>now</member></Timestamps><Values><member>1</member></Values></member>",
    ] {
        assert!(answer(odd).is_err(), "{odd}");
    }
}
