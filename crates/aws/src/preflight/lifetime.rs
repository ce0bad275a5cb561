//! Whether the credentials of a run live as long as the rollout that it plans.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mlops_core::Error;
use mlops_core::endpoint::Period;
use mlops_core::target::{Check, Finding, PreflightAsked};
use serde_json::Value;

use super::{Around, Preflight};
use crate::settings::{AwsSettings, Secret};

/// Until when the credentials in the environment are good, as those write it who put them there.
pub(super) const VARIABLE: &str = "AWS_CREDENTIAL_EXPIRATION";

/// How long a role's credentials last if nobody says.
const HOUR: Duration = Duration::from_secs(3600);

impl Preflight {
    pub(super) fn look_at_credentials(&self, around: &Around<'_>) -> Vec<Finding> {
        let now = Timestamp::now();
        let environment = |name: &str| std::env::var(name).ok();
        let end = end(self.clients.settings(), environment, now);
        end.and_then(|end| judge(end, around.asked, now))
            .into_iter()
            .collect()
    }
}

/// When the last credentials run out that can be had by then; `None` if that is not known, or if they are renewed for ever.
pub(super) fn end(
    settings: &AwsSettings,
    environment: impl Fn(&str) -> Option<String>,
    now: Timestamp,
) -> Option<Timestamp> {
    let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
    let is_ours = settings.access_key.is_some() || settings.profile.is_some();
    let in_environment =
        environment("AWS_ACCESS_KEY_ID").and_then(|_| environment("AWS_SESSION_TOKEN"));
    let mut end = match (is_ours, in_environment) {
        (false, Some(_)) => environment(VARIABLE)?.parse().ok(),
        _ => None,
    };
    if let Some(role) = &settings.assume_role_with_web_identity {
        // A file may be written anew.
        let token = role.web_identity_token.as_ref();
        end = token
            .and_then(expiry)
            .map(|until| last(now, role.duration, until));
    }
    if let Some(role) = &settings.assume_role {
        end = end.map(|until| last(now, role.duration, until));
    }
    end
}

/// When a role's credentials run out that are taken anew, one lifetime after the other, by something that is good until then.
fn last(now: Timestamp, duration: Option<Duration>, until: Timestamp) -> Timestamp {
    let duration = SignedDuration::try_from(duration.unwrap_or(HOUR)).unwrap_or_default();
    if until <= now || duration.is_zero() {
        return until;
    }
    let mut end = now;
    while end < until {
        match end.checked_add(duration) {
            Ok(next) => end = next,
            Err(_) => return until,
        }
    }
    end
}

/// When a token of an identity provider runs out, as it says itself.
fn expiry(token: &Secret) -> Option<Timestamp> {
    let payload = token.expose().split('.').nth(1)?;
    let padding = "=".repeat((4 - payload.len() % 4) % 4);
    let encoded = payload.replace('-', "+").replace('_', "/") + &padding;
    let claims: Value =
        serde_json::from_slice(&aws_smithy_types::base64::decode(encoded).ok()?).ok()?;
    Timestamp::from_second(claims["exp"].as_i64()?).ok()
}

/// What is wrong with credentials that run out then. An apply may have others than its plan.
pub(super) fn judge(end: Timestamp, asked: &PreflightAsked, now: Timestamp) -> Option<Finding> {
    let PreflightAsked { takes, loads, .. } = asked;
    let left = end.duration_since(now);
    let fits = |needed: &Period| {
        left >= SignedDuration::try_from(needed.duration()).unwrap_or(SignedDuration::MAX)
    };
    // Where nothing bakes, nothing is known of how long it takes.
    if *takes == Period::ZERO || fits(&takes.plus(*loads)) {
        return None;
    }
    let left = Period::seconds(u64::try_from(left.as_secs()).unwrap_or(0));
    let text = format!(
        "the credentials run out at {end:.0}, in {left}, and cannot be renewed; the rollout takes {takes} (bakes, drain and terminate_after) after its \
         tasks have started, which may take {loads}; use credentials that last longer, or a profile or a role that is taken on anew, or shorten rollout"
    );
    let error = Error::denied(text).at("rollout");
    Some(match fits(takes) {
        false => Finding::as_it_is(Check::Credentials, error),
        true => Finding::possible(Check::Credentials, error),
    })
}

#[cfg(test)]
mod tests {
    use mlops_core::target::{FrontChange, Verdict};

    use super::*;
    use crate::settings::{AssumeRole, AssumeRoleWithWebIdentity};

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    const NOW: &str = "2026-01-01T12:00:00Z";

    fn until(settings: &AwsSettings, variables: &[(&str, &str)]) -> Option<String> {
        let environment = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        end(settings, environment, time(NOW)).map(|end| end.to_string())
    }

    const SESSION: [(&str, &str); 3] = [
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SESSION_TOKEN", "token"),
        (VARIABLE, "2026-01-01T12:20:00Z"),
    ];

    #[test]
    fn credentials_of_the_environment_end_when_it_says() {
        let plain = AwsSettings::default();
        assert_eq!(
            until(&plain, &SESSION).as_deref(),
            Some("2026-01-01T12:20:00Z")
        );
        assert_eq!(until(&plain, &SESSION[..2]), None, "nobody said");
        let keys = [SESSION[0], SESSION[2]];
        assert_eq!(
            until(&plain, &keys),
            None,
            "keys without a session do not end"
        );
        let profile = AwsSettings {
            profile: Some("ci".to_owned()),
            ..AwsSettings::default()
        };
        assert_eq!(until(&profile, &SESSION), None, "they are not used");
    }

    #[test]
    fn a_role_outlives_what_it_is_taken_on_with_by_one_lifetime_at_most() {
        let role = |minutes: u64| AwsSettings {
            assume_role: Some(AssumeRole {
                role_arn: "role".to_owned(),
                duration: Some(Duration::from_secs(minutes * 60)),
                ..AssumeRole::default()
            }),
            ..AwsSettings::default()
        };
        for (minutes, end) in [(15, "2026-01-01T12:30:00Z"), (60, "2026-01-01T13:00:00Z")] {
            assert_eq!(until(&role(minutes), &SESSION).as_deref(), Some(end));
        }
        assert_eq!(until(&role(15), &SESSION[..2]), None);
    }

    #[test]
    fn a_token_tells_when_it_ends_and_a_file_may_be_written_anew() {
        let role = |token: Option<&str>| AwsSettings {
            assume_role_with_web_identity: Some(AssumeRoleWithWebIdentity {
                web_identity_token: token.map(Secret::new),
                ..AssumeRoleWithWebIdentity::default()
            }),
            ..AwsSettings::default()
        };
        // {"exp":1767272700}, which is five past one, and something that needs the alphabet of URLs.
        let token = "e30.eyJleHAiOjE3NjcyNzI3MDAsImEiOiI_Pz8-In0.sig";
        assert_eq!(
            until(&role(Some(token)), &SESSION).as_deref(),
            Some("2026-01-01T14:00:00Z")
        );
        assert_eq!(until(&role(Some("not a token")), &SESSION), None);
        assert_eq!(until(&role(None), &SESSION), None);
    }

    #[test]
    fn a_rollout_that_outlives_its_credentials_is_told_with_both_times() {
        let asked = |takes| PreflightAsked {
            checks: [Check::Credentials].into(),
            starts: 1,
            revisions: 1,
            front: FrontChange::Keep,
            takes: Period::seconds(takes),
            loads: Period::seconds(300),
        };
        let judged = |takes| {
            let found = judge(time("2026-01-01T12:20:00Z"), &asked(takes), time(NOW))?;
            Some((found.verdict, found.error.to_string()))
        };
        assert_eq!(judged(0), None);
        assert_eq!(judged(900), None);
        assert_eq!(judged(901).map(|told| told.0), Some(Verdict::MayFail));
        let (verdict, text) = judged(1201).expect("a finding");
        assert_eq!(verdict, Verdict::FailsUnlessChanged);
        for said in ["at 2026-01-01T12:20:00Z, in 20m", "takes 20m1s"] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
    }
}
