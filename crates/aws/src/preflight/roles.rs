//! Whether ECS can take on a role.

use futures::future::join_all;
use jiff::Timestamp;
use mlops_core::Error;
use mlops_core::target::{Check, Finding};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{Around, Preflight, iam, once_unseen};

/// Who takes it on, in every partition.
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// A role, as IAM tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    /// Who may take it on: a policy, as it is sent.
    pub(super) trust: String,
    /// When it was made, if that is told.
    pub(super) made: Option<Timestamp>,
}

/// The ARN of a role, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arn {
    pub(super) text: String,
    pub(super) account: String,
    /// Without its path.
    pub(super) name: String,
}

impl Arn {
    /// `None` for what is no ARN of a role.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let is_iam = parts.next()? == "arn" && parts.next().is_some() && parts.next()? == "iam";
        let account = parts.nth(1)?;
        let path = parts.next()?.strip_prefix("role/")?;
        let name = path.rsplit('/').next()?;
        is_iam.then(|| Self {
            text: text.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl Preflight {
    pub(super) async fn look_at_roles(&self, around: &Around<'_>) -> Vec<Finding> {
        let roles = [
            ("ecs.execution_role_arn", &around.ecs.execution_role_arn),
            ("ecs.task_role_arn", &around.ecs.task_role_arn),
        ];
        let looks = roles.map(|(attribute, arn)| async move {
            match self.role(arn).await {
                Ok(None) => Ok(None),
                Ok(Some((arn, found))) => Ok(judge(&arn, found.as_ref(), attribute)),
                Err(error) => Err(Finding::possible(Check::Roles, error.at(attribute))),
            }
        });
        let looked = join_all(looks).await;
        once_unseen(looked)
    }

    /// The role of an ARN, if it is there; `None` if it is another account's, of which nothing can be asked.
    pub(super) async fn role(&self, arn: &str) -> Result<Option<(Arn, Option<Role>)>, Error> {
        let Some(arn) = Arn::read(arn) else {
            return Ok(None);
        };
        let account = self.clients.account_id().await?;
        if account.is_some_and(|account| account != arn.account) {
            return Ok(None);
        }
        let found = iam::role(&self.clients, &arn.name);
        let found = self.roles.find(&arn.text, found).await?;
        let is_foreign = found
            .as_ref()
            .and_then(|found| Arn::read(&found.arn))
            .is_some_and(|found| found.account != arn.account);
        Ok((!is_foreign).then_some((arn, found)))
    }
}

/// What is wrong with the role that `attribute` names.
pub(super) fn judge(arn: &Arn, found: Option<&Role>, attribute: &str) -> Option<Finding> {
    let text = &arn.text;
    let Some(found) = found else {
        let error =
            format!("role {text} does not exist; make it before the apply, or correct {attribute}");
        return Some(Finding::as_it_is(
            Check::Roles,
            Error::invalid(error).at(attribute),
        ));
    };
    if found.arn != *text {
        let error = format!(
            "role {text} does not exist: the role {} has the ARN {}; correct {attribute}",
            arn.name, found.arn
        );
        return Some(Finding::as_it_is(
            Check::Roles,
            Error::invalid(error).at(attribute),
        ));
    }
    if lets_tasks_in(&found.trust) {
        return None;
    }
    let error = format!(
        "role {text} exists, and its trust policy does not let {TASKS} take it on; allow sts:AssumeRole to that service there, or name another \
         role in {attribute}"
    );
    Some(Finding::certain(
        Check::Roles,
        Error::invalid(error).at(attribute),
    ))
}

/// Whether a trust policy lets tasks take the role on. What depends on conditions, and what cannot be read, counts as yes: a plan is refused for what
/// is certain alone.
fn lets_tasks_in(trust: &str) -> bool {
    let decoded = percent_decode_str(trust).decode_utf8_lossy();
    let policy: Option<Value> = serde_json::from_str(trust)
        .or_else(|_| serde_json::from_str(&decoded))
        .ok();
    let Some(policy) = policy else { return true };
    let statements = each(&policy["Statement"]);
    let about_tasks = statements.filter(|statement| is_about_tasks(statement));
    let (mut allowed, mut denied) = (false, false);
    for statement in about_tasks {
        match statement["Effect"].as_str() {
            Some("Deny") => {
                denied |= statement["Condition"].is_null()
                    && statement["NotAction"].is_null()
                    && statement["NotPrincipal"].is_null()
            }
            _ => allowed = true,
        }
    }
    allowed && !denied
}

fn is_about_tasks(statement: &Value) -> bool {
    let any = |value: &Value, is_it: &dyn Fn(&str) -> bool| {
        each(value).any(|value| value.as_str().is_some_and(is_it))
    };
    let action = !statement["NotAction"].is_null()
        || any(&statement["Action"], &|action| {
            let action = action.to_ascii_lowercase();
            // Patterns are rare here: those that end in one are taken for it.
            match action.split_once('*') {
                Some((start, _)) => "sts:assumerole".starts_with(start),
                None => action == "sts:assumerole",
            }
        });
    let who = &statement["Principal"];
    let principal = !statement["NotPrincipal"].is_null()
        || who == "*"
        || any(&who["AWS"], &|name| name == "*")
        || any(&who["Service"], &|name| name == "*" || name == TASKS);
    action && principal
}

/// The elements of what is a list, or one element by itself.
pub(super) fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Value::Array(list) => (list.as_slice(), None),
        one => (&[] as &[Value], Some(one)),
    };
    list.iter().chain(one)
}

#[cfg(test)]
mod tests {
    use mlops_core::target::Verdict;
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:iam::111122223333:role/teams/ml/task";

    fn arn() -> Arn {
        Arn::read(ARN).expect("an ARN")
    }

    fn role(trust: impl Into<String>) -> Role {
        Role {
            arn: ARN.to_owned(),
            trust: trust.into(),
            made: None,
        }
    }

    #[test]
    fn an_arn_has_an_account_and_a_name_without_its_path() {
        assert_eq!((&*arn().account, &*arn().name), ("111122223333", "task"));
        for text in ["task", "arn:aws:iam::1:user/a", "arn:aws:s3:::role/a"] {
            assert_eq!(Arn::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_role_is_good_if_tasks_may_take_it_on() {
        let allow = |action: Value, principal: Value| json!({"Statement": {"Effect": "Allow", "Action": action, "Principal": principal}});
        let tasks = || json!({"Service": ["lambda.amazonaws.com", TASKS]});
        let assume = || json!("sts:AssumeRole");
        let deny = |condition: Value| {
            json!({"Statement": [
                {"Effect": "Allow", "Action": assume(), "Principal": tasks()},
                {"Effect": "Deny", "Action": assume(), "Principal": tasks(), "Condition": condition}
            ]})
        };
        for (trust, good) in [
            (allow(assume(), tasks()), true),
            (
                allow(json!(["sts:TagSession", "sts:Assume*"]), tasks()),
                true,
            ),
            (allow(json!("*"), json!("*")), true),
            (allow(assume(), json!({"AWS": "*"})), true),
            (
                allow(assume(), json!({"Service": "ec2.amazonaws.com"})),
                false,
            ),
            (
                allow(assume(), json!({"AWS": "arn:aws:iam::111122223333:root"})),
                false,
            ),
            (allow(json!("sts:TagSession"), tasks()), false),
            (json!({"Statement": []}), false),
            (deny(Value::Null), false),
            (
                deny(json!({"Bool": {"aws:SecureTransport": "false"}})),
                true,
            ),
        ] {
            let found = judge(&arn(), Some(&role(trust.to_string())), "ecs.task_role_arn");
            assert_eq!(found.is_none(), good, "{trust}");
            assert!(found.is_none_or(|found| found.verdict == Verdict::Fails));
        }
    }

    #[test]
    fn a_policy_is_read_as_iam_sends_it() {
        let sent = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22sts%3AAssumeRole%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%7D%5D%7D";
        assert!(!lets_tasks_in(sent));
        assert!(lets_tasks_in(&sent.replace("ec2.", "ecs-tasks.")));
        assert!(lets_tasks_in("not JSON"));
    }

    #[test]
    fn what_does_not_exist_may_still_be_made() {
        let missing = judge(&arn(), None, "ecs.task_role_arn").expect("a finding");
        assert_eq!(missing.verdict, Verdict::FailsUnlessChanged);
        assert_eq!(missing.error.attribute(), Some("ecs.task_role_arn"));
        let elsewhere = Role {
            arn: ARN.replace("teams/ml/", ""),
            ..role("{}")
        };
        let found = judge(&arn(), Some(&elsewhere), "ecs.task_role_arn").expect("a finding");
        assert_eq!(found.verdict, Verdict::FailsUnlessChanged);
        assert!(found.error.to_string().contains("has the ARN"));
    }
}
