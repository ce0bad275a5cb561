//! Whether the roles of an endpoint may do what its tasks need.

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use mlops_core::target::{Check, Finding};
use mlops_core::{Class, Error};

use super::grants::{self, Grant};
use super::needs::{self, Need, Place};
use super::policies::Holder;
use super::simulate::{self, Decision, Question};
use super::{Around, NO_BUCKET, Preflight, once_unseen};

/// A role that is younger may get its policies at this very moment: whoever makes both makes them one after the other.
const YOUNG: Duration = Duration::from_secs(600);

impl Preflight {
    pub(super) async fn look_at_permissions(&self, around: &Around<'_>) -> Vec<Finding> {
        let possible = |error| vec![Finding::possible(Check::Permissions, error)];
        let region = match self.clients.region().await {
            Ok(region) => region,
            Err(error) => return possible(error),
        };
        let (execution, task, keys) = futures::join!(
            self.role(&around.ecs.execution_role_arn),
            self.role(&around.ecs.task_role_arn),
            self.keys_of_secrets(around.spec)
        );
        let place = Place {
            region: &region,
            bucket: Some(self.bucket.as_str()).filter(|bucket| *bucket != NO_BUCKET),
            prefix: &self.prefix,
            key: self.key.as_deref(),
            keys: &keys,
        };
        let needs = needs::needs(around.spec, around.ecs, &place);
        let is_told = around.asked.checks.contains(&Check::Roles);
        let asked = needs.iter().filter_map(|need| {
            let role = match need.attribute {
                needs::TASK => &task,
                _ => &execution,
            };
            match role {
                Ok(Some((_, Some(role)))) => Some((need, role.made)),
                Ok(_) => None,
                // One warning that nobody answers is enough.
                Err(error) if is_told && error.class() == Class::Unavailable => None,
                // Whoever may not look at a role may still ask what it may do.
                Err(_) => Some((need, None)),
            }
        });
        let looks = asked.map(|(need, made)| async move {
            let looked = self.permission(need, made).await;
            looked.map_err(|error| Finding::possible(Check::Permissions, error.at(need.attribute)))
        });
        once_unseen(join_all(looks).await)
    }

    /// What is wrong with what a role may do that was made then.
    async fn permission(
        &self,
        need: &Need,
        made: Option<Timestamp>,
    ) -> Result<Option<Finding>, Error> {
        let question = &need.question;
        let answers = async {
            // Never closed.
            let _turn = self.simulations.acquire().await;
            simulate::simulate(&self.clients, question).await
        };
        let is_good = |answers: &Option<Vec<(_, Decision)>>| {
            let mut all = answers.iter().flatten();
            answers.is_some() && all.all(|(_, decision)| *decision == Decision::Allowed)
        };
        // Boxed: calls are deep.
        let key = question.key();
        let answers = Box::pin(self.permissions.get_good(&key, answers, is_good)).await?;
        let Some(answers) = answers else {
            return Ok(None);
        };
        let other = self.other_side(question, &answers).await;
        Ok(judge(need, &answers, other, made, Timestamp::now()))
    }

    /// What the policy of the other side makes of what no policy of the role allows.
    async fn other_side(&self, question: &Question, answers: &[(&'static str, Decision)]) -> Other {
        let lacking = answers.iter();
        let lacking = lacking.filter(|(_, decision)| *decision == Decision::NotAllowed);
        let lacking: Vec<&'static str> = lacking.map(|(action, _)| *action).collect();
        let account = question.role.split(':').nth(4).unwrap_or_default();
        let holder = Holder::of(&question.resource, account);
        let Some(holder) = holder.filter(|_| !lacking.is_empty()) else {
            return Other::None;
        };
        let asked = grants::Asked {
            role: &question.role,
            actions: &lacking,
            resource: &question.resource,
        };
        match self.policy(&holder).await {
            Ok(policy) => Other::Says(
                holder.words(),
                policy.map_or(Grant::No, |policy| grants::grants(&policy, &asked)),
            ),
            Err(error) => Other::Unread(holder.words(), error),
        }
    }
}

/// What the policy of the other side says: that of a bucket, a secret, a repository, a key.
#[derive(Debug)]
enum Other {
    /// There is none, or it would not be enough.
    None,
    /// Whose it is, and what it says of all that the role's do not allow.
    Says(String, Grant),
    /// Whose could not be read.
    Unread(String, Error),
}

/// What is wrong with a role that gets these answers. `other` is about what no policy of the role allows. `made` is when the role was made, if that is known.
fn judge(
    need: &Need,
    answers: &[(&'static str, Decision)],
    other: Other,
    made: Option<Timestamp>,
    now: Timestamp,
) -> Option<Finding> {
    let is_of_key = need
        .question
        .actions
        .iter()
        .all(|it| it.starts_with("kms:"));
    let is_granted = match &other {
        Other::Says(_, Grant::Yes) => true,
        // A key's policy is where most say who may use it: of one that cannot be judged nothing is said.
        Other::Says(_, Grant::Maybe) | Other::Unread(..) => is_of_key,
        Other::Says(_, Grant::No) | Other::None => false,
    };
    let (_, first) = answers.iter().find(|(_, decision)| match decision {
        Decision::Allowed => false,
        Decision::NotAllowed => !is_granted,
        _ => true,
    })?;
    let actions: Vec<&str> = answers
        .iter()
        .filter(|(_, decision)| decision == first)
        .map(|(action, _)| *action)
        .collect();
    let Need {
        attribute,
        question: Question { role, resource, .. },
        what,
    } = need;
    let actions = actions.join(" and ");
    let (mut is_certain, mut cause) = (true, None);
    let (why, advice) = match first {
        Decision::Denied => (
            "a policy denies it".to_owned(),
            format!("take it out of that policy, or name another role in {attribute}"),
        ),
        Decision::BeyondBoundary => (
            "its permissions boundary does not allow it".to_owned(),
            format!("allow it there, or name another role in {attribute}"),
        ),
        Decision::BeyondOrganization => (
            "a policy of the organization does not allow it".to_owned(),
            "ask those who keep that policy".to_owned(),
        ),
        Decision::NotAllowed | Decision::Allowed => {
            let no = "no policy of the role allows it";
            let advice = format!("allow it there, or name another role in {attribute}");
            match other {
                Other::None => (no.to_owned(), advice),
                Other::Says(whose, Grant::No | Grant::Yes) => (
                    format!("{no}, nor does that of {whose}"),
                    format!("allow it in one of them, or name another role in {attribute}"),
                ),
                Other::Says(whose, Grant::Maybe) => {
                    is_certain = false;
                    let why = format!(
                        "{no}; whether that of {whose} does depends on conditions that are not known here"
                    );
                    (why, format!("if it does not, {advice}"))
                }
                Other::Unread(whose, error) => {
                    is_certain = false;
                    cause = Some(error);
                    let why = format!("{no}; that of {whose} may, and could not be read");
                    (why, format!("if it does not, {advice}"))
                }
            }
        }
    };
    // A key may be lent by a grant, which nobody asks for here.
    let is_lent = is_of_key && *first == Decision::NotAllowed;
    let lent = match is_lent {
        true => ", unless a grant of the key does",
        false => "",
    };
    let age = made.map(|made| now.duration_since(made).unsigned_abs());
    let is_young = *first == Decision::NotAllowed && age.is_none_or(|age| age < YOUNG);
    let young = match is_young {
        true => " (the role is so new that its policies may be on their way)",
        false => "",
    };
    let text = format!(
        "role {role} needs {actions} on {resource} {what}, and {why}{lent}{young}; {advice}"
    );
    let error = Error::invalid(text).at(*attribute);
    let error = match cause {
        Some(cause) => error.because(cause),
        None => error,
    };
    Some(match is_certain && !is_young && !is_lent {
        true => Finding::certain(Check::Permissions, error),
        false => Finding::possible(Check::Permissions, error),
    })
}

#[cfg(test)]
mod tests {
    use mlops_core::target::Verdict;

    use super::super::needs::TASK;
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/teams/execution";

    fn need(actions: &[&'static str]) -> Need {
        Need {
            attribute: TASK,
            question: Question {
                role: ROLE.to_owned(),
                actions: actions.to_vec(),
                resource: "bucket/key".to_owned(),
            },
            what: "to fetch models".to_owned(),
        }
    }

    #[test]
    fn a_key_that_a_role_may_not_use_is_told_if_its_policy_was_read() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
        let yesterday = "2026-01-01T00:00:00Z".parse().ok();
        let need = need(&["kms:Decrypt"]);
        let says = |grant| Other::Says("key a".to_owned(), grant);
        let judged = |other, decision| {
            let answers = [("kms:Decrypt", decision)];
            let found = judge(&need, &answers, other, yesterday, now)?;
            Some((found.verdict, found.error.to_string()))
        };
        let unread = Other::Unread("key a".to_owned(), Error::denied("not you"));
        for other in [says(Grant::Yes), says(Grant::Maybe), unread] {
            assert_eq!(judged(other, Decision::NotAllowed), None);
        }
        let (told, text) = judged(says(Grant::No), Decision::NotAllowed).expect("a finding");
        assert_eq!(told, Verdict::MayFail);
        let said = "nor does that of key a, unless a grant of the key does; allow it";
        assert!(text.contains(said), "{text}");
        let denied = judged(says(Grant::Maybe), Decision::Denied).expect("a finding");
        assert_eq!(denied.0, Verdict::Fails, "no grant is stronger than that");
        let elsewhere = judged(Other::None, Decision::NotAllowed).expect("a finding");
        assert_eq!(elsewhere.0, Verdict::MayFail);
    }

    #[test]
    fn what_a_role_may_not_do_is_certain_unless_the_role_is_new() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
        let yesterday = "2026-01-01T00:00:00Z".parse().ok();
        let need = need(&["s3:A", "s3:B"]);
        let judged = |decision, made| {
            let answers = [("s3:A", Decision::Allowed), ("s3:B", decision)];
            let found = judge(&need, &answers, Other::None, made, now)?;
            assert_eq!(found.error.attribute(), Some(TASK));
            let text = found.error.to_string();
            assert!(
                text.starts_with(&format!(
                    "role {ROLE} needs s3:B on bucket/key to fetch models, and "
                )),
                "{text}"
            );
            Some((found.verdict, text))
        };
        assert_eq!(judged(Decision::Allowed, yesterday), None);
        for (decision, made, verdict, said) in [
            (
                Decision::NotAllowed,
                yesterday,
                Verdict::Fails,
                "no policy of the role allows it; allow it",
            ),
            (
                Decision::NotAllowed,
                Some(now),
                Verdict::MayFail,
                "may be on their way",
            ),
            (
                Decision::NotAllowed,
                None,
                Verdict::MayFail,
                "may be on their way",
            ),
            (
                Decision::Denied,
                Some(now),
                Verdict::Fails,
                "a policy denies it",
            ),
            (
                Decision::BeyondBoundary,
                None,
                Verdict::Fails,
                "its permissions boundary",
            ),
            (
                Decision::BeyondOrganization,
                None,
                Verdict::Fails,
                "a policy of the organization",
            ),
        ] {
            let (told, text) = judged(decision, made).expect("a finding");
            assert_eq!(told, verdict, "{text}");
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn the_other_side_may_allow_what_no_policy_of_the_role_does() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
        let yesterday = "2026-01-01T00:00:00Z".parse().ok();
        let need = need(&["s3:A", "s3:B"]);
        let says = |grant| Other::Says("bucket a".to_owned(), grant);
        let judged = |other, decision| {
            let answers = [("s3:A", Decision::NotAllowed), ("s3:B", decision)];
            let found = judge(&need, &answers, other, yesterday, now)?;
            Some((found.verdict, found.error.chain().to_string()))
        };
        let none = Decision::Allowed;
        assert_eq!(judged(says(Grant::Yes), none), None);
        let unread = Other::Unread("bucket a".to_owned(), Error::denied("not you"));
        for (other, verdict, said) in [
            (says(Grant::No), Verdict::Fails, "nor does that of bucket a"),
            (
                says(Grant::Maybe),
                Verdict::MayFail,
                "that of bucket a does depends",
            ),
            (
                unread,
                Verdict::MayFail,
                "that of bucket a may, and could not be read",
            ),
        ] {
            let is_unread = matches!(other, Other::Unread(..));
            let (told, text) = judged(other, none).expect("a finding");
            assert_eq!(told, verdict, "{text}");
            assert!(text.contains(said), "{text}");
            assert_eq!(text.contains("not you"), is_unread, "{text}");
        }
        // It cannot allow what is denied.
        let (told, text) = judged(says(Grant::Yes), Decision::Denied).expect("a finding");
        assert_eq!(told, Verdict::Fails);
        assert!(text.contains("needs s3:B on"), "{text}");
    }
}
