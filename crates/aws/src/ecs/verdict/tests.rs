use super::super::services::Life;
use super::*;

const FAMILY: &str = "digits-0123456789abcdef";

fn service() -> Described {
    Described {
        life: Life::Active,
        task_definition: format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/{FAMILY}:1"),
        desired: 1,
        running: 1,
        pending: 0,
        failed: 0,
        deployments: 1,
        created: Some(SystemTime::UNIX_EPOCH),
        updated: Some(SystemTime::UNIX_EPOCH),
        events: Vec::new(),
        providers: Vec::new(),
        tags: Default::default(),
    }
}

fn health(healthy: u32, unhealthy: u32, initial: u32) -> GroupHealth {
    GroupHealth {
        healthy,
        unhealthy,
        initial,
        draining: 0,
        unused: 0,
        reasons: Vec::new(),
    }
}

fn task(why: Why, exit: Option<i32>, reason: &str) -> Stopped {
    Stopped {
        task: "t1".to_owned(),
        at: None,
        why,
        reason: reason.to_owned(),
        exit,
        container: String::new(),
    }
}

fn event(message: &str) -> Event {
    Event {
        at: None,
        message: message.to_owned(),
    }
}

/// Ten seconds after the service was made.
fn judged(service: &Described, stopped: &[Stopped], health: Option<&GroupHealth>) -> Verdict {
    judged_at(10, service, stopped, health)
}

fn judged_at(
    second: u64,
    service: &Described,
    stopped: &[Stopped],
    health: Option<&GroupHealth>,
) -> Verdict {
    judge(&Seen {
        service,
        family: FAMILY,
        runs_server: true,
        stopped,
        health,
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
        limit: Duration::from_secs(60),
    })
}

#[track_caller]
fn fails(verdict: Verdict, words: &[&str]) {
    let Verdict::Failed { why, .. } = verdict else {
        panic!("{verdict:?}");
    };
    for word in words {
        assert!(why.contains(word), "{word:?} is not in {why:?}");
    }
}

/// PAINS: hashicorp/terraform-provider-aws#20858, aws/containers-roadmap#2853.
#[test]
fn only_as_many_healthy_targets_as_tasks_are_asked_for_is_steady() {
    assert_eq!(
        judged(&service(), &[], Some(&health(1, 0, 0))),
        Verdict::Steady
    );
    for (what, service, health) in [
        (
            "a target without an answer yet",
            service(),
            Some(health(0, 0, 1)),
        ),
        ("an unhealthy target", service(), Some(health(0, 1, 0))),
        ("no target at all", service(), Some(health(0, 0, 0))),
        ("a target group that is gone", service(), None),
        (
            "a task less than asked for",
            Described {
                desired: 2,
                ..service()
            },
            Some(health(1, 0, 0)),
        ),
        (
            "a healthy target less than tasks",
            Described {
                desired: 2,
                running: 2,
                ..service()
            },
            Some(health(1, 0, 1)),
        ),
        (
            "tasks that are being replaced",
            Described {
                deployments: 2,
                ..service()
            },
            Some(health(1, 0, 0)),
        ),
    ] {
        assert_eq!(
            judged(&service, &[], health.as_ref()),
            Verdict::Starting,
            "{what}"
        );
    }
}

/// ECS starts a task beside the one that it replaces, and that one drains.
#[test]
fn a_replacement_beside_as_many_healthy_targets_as_tasks_are_asked_for_changes_nothing() {
    let three = Described {
        desired: 3,
        running: 3,
        ..service()
    };
    let draining = GroupHealth {
        draining: 1,
        ..health(3, 0, 0)
    };
    for (what, running, pending, health) in [
        ("nothing is replaced", 3, 0, health(3, 0, 0)),
        ("a task comes", 3, 1, health(3, 0, 0)),
        ("it is not asked yet", 4, 0, health(3, 0, 1)),
        ("what it replaces is unhealthy", 4, 0, health(3, 1, 0)),
        ("and drains", 3, 0, draining),
        ("more than are asked for", 4, 0, health(4, 0, 0)),
    ] {
        let service = Described {
            running,
            pending,
            ..three.clone()
        };
        assert_eq!(
            judged(&service, &[], Some(&health)),
            Verdict::Steady,
            "{what}"
        );
    }
    // The task that is replaced was one of those that are asked for.
    for health in [health(2, 1, 0), health(2, 0, 1)] {
        let exited = task(Why::Exited, Some(1), "");
        assert_eq!(judged(&three, &[], Some(&health)), Verdict::Starting);
        assert!(is_lacking(&three, Some(&health)));
        let once = std::slice::from_ref(&exited);
        assert_eq!(judged(&three, once, Some(&health)), Verdict::Starting);
        assert_eq!(keeps_failing(once), None);
        let twice = [exited.clone(), exited];
        fails(
            judged(&three, &twice, Some(&health)),
            &["ended with status 1"],
        );
        let why = keeps_failing(&twice).expect("two tasks ended");
        assert!(why.contains("ended with status 1"), "{why}");
    }
    assert!(!is_lacking(&three, Some(&health(3, 1, 0))));
}

/// PAINS: hashicorp/terraform-provider-aws#20858, hashicorp/terraform-provider-aws#632.
#[test]
fn a_service_that_runs_another_task_definition_has_failed_however_healthy_it_is() {
    let other = Described {
        task_definition: "arn:aws:ecs:eu-west-1:111122223333:task-definition/other:7".to_owned(),
        ..service()
    };
    fails(
        judged(&other, &[], Some(&health(1, 0, 0))),
        &["somebody else", "task-definition/other:7"],
    );
}

/// PAINS: hashicorp/terraform-provider-aws#335.
#[test]
fn a_service_that_was_scaled_to_nothing_is_not_steady() {
    let none = Described {
        desired: 0,
        running: 0,
        ..service()
    };
    fails(judged(&none, &[], Some(&health(0, 0, 0))), &["0 tasks"]);
}

#[test]
fn one_task_that_ended_for_no_known_reason_may_come_again_and_two_may_not() {
    let exited = task(Why::Exited, Some(1), "Essential container in task exited");
    let initial = health(0, 0, 1);
    assert_eq!(
        judged(&service(), std::slice::from_ref(&exited), Some(&initial)),
        Verdict::Starting
    );
    let verdict = judged(&service(), &[exited.clone(), exited], Some(&initial));
    let Verdict::Failed { task, .. } = &verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(task.as_deref(), Some("t1"), "its log is read");
    fails(verdict, &["ended with status 1"]);
}

#[test]
fn one_task_that_ended_by_its_own_refusal_decides() {
    for (status, said) in [
        (EXIT_ARTIFACT_DAMAGED, "digest"),
        (EXIT_ARTIFACT_MISSING, "not there"),
        (EXIT_DENIED, "ecs.task_role_arn"),
        (EXIT_INVALID_CONFIG, "configuration"),
        (EXIT_MODEL_NOT_LOADED, "cannot be loaded"),
        (EXIT_SMOKE_FAILED, "golden request"),
    ] {
        let stopped = [task(Why::Exited, Some(status), "")];
        fails(
            judged(&service(), &stopped, None),
            &[said, &format!("status {status}")],
        );
    }
}

#[test]
fn an_image_of_the_users_own_has_exit_statuses_of_its_own() {
    let ended = task(Why::Exited, Some(EXIT_TASK_UNREADABLE), "");
    let judged = |stopped: &[Stopped]| {
        judge(&Seen {
            service: &service(),
            family: FAMILY,
            runs_server: false,
            stopped,
            health: None,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
            limit: Duration::from_secs(60),
        })
    };
    assert_eq!(judged(std::slice::from_ref(&ended)), Verdict::Starting);
    let Verdict::Failed { why, .. } = judged(&[ended.clone(), ended]) else {
        panic!("two tasks ended");
    };
    assert_eq!(why, "its container ended with status 2");
}

#[test]
fn a_task_that_could_not_reach_its_artifact_is_tried_once_more() {
    let stopped = [task(Why::Exited, Some(EXIT_STORE_UNAVAILABLE), "")];
    assert_eq!(judged(&service(), &stopped, None), Verdict::Starting);
    let twice = [stopped[0].clone(), stopped[0].clone()];
    fails(judged(&service(), &twice, None), &["S3 does not answer"]);
}

#[test]
fn an_image_that_cannot_be_pulled_is_named_at_once() {
    for reason in [
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
        "ResourceInitializationError: unable to pull secrets or registry auth",
    ] {
        let stopped = [task(Why::NeverStarted, None, reason)];
        fails(
            judged(&service(), &stopped, Some(&health(0, 0, 0))),
            &["its task did not start", reason],
        );
    }
}

#[test]
fn a_task_that_runs_out_of_memory_is_told_what_to_change() {
    let mut killed = task(Why::Exited, Some(137), "Essential container in task exited");
    killed.container = "OutOfMemoryError: Container killed due to memory usage".to_owned();
    fails(
        judged(&service(), &[killed], None),
        &["status 137", "OutOfMemoryError", "memory_mb"],
    );
}

#[test]
fn tasks_that_others_ended_say_nothing_of_the_revision() {
    let stopped = [
        task(Why::Others, Some(143), "Task stopped by user"),
        task(Why::Others, Some(143), "Your Spot Task was interrupted."),
        task(
            Why::Scheduler,
            Some(143),
            "Scaling activity initiated by deployment",
        ),
    ];
    assert_eq!(
        judged(&service(), &stopped, Some(&health(0, 0, 1))),
        Verdict::Starting
    );
}

#[test]
fn tasks_that_the_service_ends_because_they_are_unhealthy_count() {
    let unhealthy = task(
        Why::Scheduler,
        Some(143),
        "Task failed ELB health checks in (target-group arn:tg)",
    );
    fails(
        judged(&service(), &[unhealthy.clone(), unhealthy], None),
        &["failed ELB health checks"],
    );
}

/// PAINS: aws/amazon-sagemaker-examples#3432, aws/amazon-vpc-cni-k8s#123.
#[test]
fn a_service_that_cannot_place_its_task_is_told_at_once() {
    let said = "(service digits) was unable to place a task because no container instance met all of its requirements.";
    let stuck = Described {
        running: 0,
        pending: 0,
        events: vec![event("(service digits) registered 1 targets"), event(said)],
        ..service()
    };
    fails(
        judged(&stuck, &[], Some(&health(0, 0, 0))),
        &["no container instance met all of its requirements"],
    );
}

#[test]
fn what_is_healthy_now_outweighs_how_it_came_there() {
    let stopped = [
        task(Why::Exited, Some(1), ""),
        task(Why::Exited, Some(1), ""),
    ];
    assert_eq!(
        judged(&service(), &stopped, Some(&health(1, 0, 0))),
        Verdict::Steady
    );
}

/// PAINS: hashicorp/terraform-provider-aws#29252. A wait has an end.
#[test]
fn past_its_time_a_start_fails_and_names_the_failing_health_check() {
    let unhealthy = GroupHealth {
        reasons: vec![
            "Target.ResponseCodeMismatch: Health checks failed with these codes: [503]".to_owned(),
        ],
        ..health(0, 1, 0)
    };
    assert_eq!(
        judged_at(59, &service(), &[], Some(&unhealthy)),
        Verdict::Starting
    );
    fails(
        judged_at(60, &service(), &[], Some(&unhealthy)),
        &["startup_timeout_seconds", "1 of 1 tasks run", "[503]"],
    );
}
