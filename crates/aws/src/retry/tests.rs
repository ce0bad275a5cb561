use super::*;
use mlops_core::memory::ManualClock;

fn retries(settings: AwsSettings) -> (Retries, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let retries = Retries::with_clock(&settings, Patience::default(), clock.clone());
    (retries, clock)
}

async fn spent(retries: &Retries, clock: &ManualClock, kind: Kind) -> (Duration, u32) {
    let started = clock.elapsed();
    let mut attempts = retries.attempts();
    while attempts.again(kind).await {}
    (clock.elapsed() - started, attempts.retried)
}

#[tokio::test]
async fn what_passes_is_tried_until_time_is_up_and_no_longer() {
    let (retries, clock) = retries(AwsSettings::default());
    for kind in [Kind::Throttled, Kind::Busy, Kind::Lost, Kind::Skewed] {
        let (time, count) = spent(&retries, &clock, kind).await;
        assert_eq!(time, Patience::default().total, "{kind:?}");
        // Sixty seconds with pauses of two and a half on average.
        assert!((12..100).contains(&count), "{kind:?}: {count}");
    }
    let (time, _) = spent(&retries, &clock, Kind::Unreachable).await;
    assert_eq!(time, Patience::default().unreachable);
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    let (retries, clock) = retries(AwsSettings::default());
    for kind in [
        Kind::Condition,
        Kind::Credentials,
        Kind::Denied,
        Kind::Missing,
        Kind::Refused,
    ] {
        let (time, count) = spent(&retries, &clock, kind).await;
        assert_eq!((time, count), (Duration::ZERO, 0), "{kind:?}");
    }
}

#[tokio::test]
async fn max_retries_counts_within_the_time() {
    let settings = AwsSettings {
        max_retries: Some(3),
        ..AwsSettings::default()
    };
    let (retries, clock) = retries(settings);
    let (time, count) = spent(&retries, &clock, Kind::Throttled).await;
    assert_eq!(count, 3);
    assert!(time <= BASE * 7, "{time:?}");
}

#[tokio::test]
async fn many_failures_make_every_call_pause_longer() {
    let (retries, clock) = retries(AwsSettings::default());
    let first = async || {
        let before = clock.elapsed();
        for _ in 0..50 {
            assert!(retries.attempts().again(Kind::Throttled).await);
        }
        clock.elapsed() - before
    };
    let early = first().await;
    assert!(early <= BASE * 50, "{early:?}");
    first().await;
    let late = first().await;
    assert!(late > CAP * 10, "the budget is spent: {late:?}");
    for _ in 0..400 {
        retries.attempts().succeeded();
    }
    let after = first().await;
    assert!(after <= BASE * 50, "successes fill it again: {after:?}");
}

#[tokio::test]
async fn in_adaptive_mode_a_throttled_process_calls_at_a_slower_rate_and_recovers() {
    let adaptive = AwsSettings {
        retry_mode: Some(RetryMode::Adaptive),
        ..AwsSettings::default()
    };
    for (settings, slows) in [(adaptive, true), (AwsSettings::default(), false)] {
        let (retries, clock) = retries(settings);
        for _ in 0..4 {
            retries.attempts().again(Kind::Throttled).await;
        }
        let before = clock.elapsed();
        for _ in 0..10 {
            retries.attempts().permit().await;
        }
        let took = clock.elapsed() - before;
        // The distance has doubled three times.
        let least = if slows {
            FIRST_DISTANCE * 8 * 9
        } else {
            Duration::ZERO
        };
        assert!(took >= least && took <= least * 2, "{took:?}");
        for _ in 0..100 {
            retries.attempts().succeeded();
        }
        let before = clock.elapsed();
        retries.attempts().permit().await;
        retries.attempts().permit().await;
        assert_eq!(clock.elapsed(), before);
    }
}
