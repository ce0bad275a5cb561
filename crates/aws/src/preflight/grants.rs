//! What the policy of a resource allows a role of the same account by itself.
//!
//! IAM's simulator takes such a policy for users alone, not for roles ("Simulation of resource-based policies isn't supported for IAM roles":
//! `SimulatePrincipalPolicy` in its API reference), so it is read here. Nothing that depends on a condition is decided.

use mlops_core::wildcard;
use serde_json::Value;

use super::roles::each;

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grant {
    /// It allows it to nobody whom the role could be, or denies it.
    No,
    /// It depends on what is not known here.
    Maybe,
    /// It allows it.
    Yes,
}

/// Who asks for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// The role's ARN.
    pub(super) role: &'a str,
    /// All of them.
    pub(super) actions: &'a [&'static str],
    /// The ARN of what they are on.
    pub(super) resource: &'a str,
}

/// What `policy` makes of it.
pub(super) fn grants(policy: &str, asked: &Asked<'_>) -> Grant {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return Grant::Maybe;
    };
    let actions = asked.actions.iter();
    let each = actions.map(|action| one(&policy, asked, action));
    each.min().unwrap_or(Grant::No)
}

fn one(policy: &Value, asked: &Asked<'_>, action: &str) -> Grant {
    let (mut allowed, mut denied) = (Grant::No, Grant::No);
    for statement in each(&policy["Statement"]) {
        let is_deny = statement["Effect"] == "Deny";
        let fits = principal(statement, asked.role, is_deny)
            .min(fits(
                statement,
                "Action",
                &action.to_ascii_lowercase(),
                true,
            ))
            .min(fits(statement, "Resource", asked.resource, false))
            .min(condition(&statement["Condition"]));
        let what = if is_deny { &mut denied } else { &mut allowed };
        *what = fits.max(*what);
    }
    match denied {
        Grant::Yes => Grant::No,
        Grant::Maybe => allowed.min(Grant::Maybe),
        Grant::No => allowed,
    }
}

/// Whether a statement is about the role.
fn principal(statement: &Value, role: &str, is_deny: bool) -> Grant {
    if !statement["NotPrincipal"].is_null() {
        return Grant::Maybe;
    }
    let who = &statement["Principal"];
    if who == "*" {
        return Grant::Yes;
    }
    let mut parts = role.split(':');
    let account = parts.nth(4).unwrap_or_default();
    let name = role.rsplit('/').next().unwrap_or_default();
    let named = each(&who["AWS"]).filter_map(Value::as_str).map(|one| {
        let is_account = one == account || one.ends_with(&format!(":{account}:root"));
        let is_session = one.contains(":assumed-role/") && one.contains(&format!("/{name}/"));
        match one {
            "*" => Grant::Yes,
            one if one == role => Grant::Yes,
            // What an account is allowed, its own policies pass on, and the role's do not; what it is denied, its roles are denied.
            _ if is_account && is_deny => Grant::Yes,
            // The session is named after the task. The id of a role, into which its ARN turns when the role is deleted, is nobody's that is known here.
            one if is_session || one.starts_with("AROA") => Grant::Maybe,
            _ => Grant::No,
        }
    });
    named.max().unwrap_or(Grant::No)
}

/// Whether an element of a statement is about `what`. Where there is none it is: the policy of a repository is about the repository.
fn fits(statement: &Value, element: &str, what: &str, is_caseless: bool) -> Grant {
    if !statement[format!("Not{element}")].is_null() {
        return Grant::Maybe;
    }
    let patterns = &statement[element];
    if patterns.is_null() {
        return Grant::Yes;
    }
    let one = |pattern: &str| match pattern {
        pattern if pattern.contains("${") => Grant::Maybe,
        pattern if is_caseless && wildcard::matches(&pattern.to_ascii_lowercase(), what) => {
            Grant::Yes
        }
        pattern if wildcard::matches(pattern, what) => Grant::Yes,
        _ => Grant::No,
    };
    let all = each(patterns).filter_map(Value::as_str).map(one);
    all.max().unwrap_or(Grant::No)
}

/// Whether a condition holds. One is known: that a call is not made by TLS, which most buckets deny; tasks and ECS make theirs by TLS.
fn condition(condition: &Value) -> Grant {
    let operators = condition.as_object();
    let Some(operators) = operators.filter(|operators| !operators.is_empty()) else {
        return Grant::Yes;
    };
    let mut pairs = operators.iter().flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, value)| (operator.as_str(), key.to_ascii_lowercase(), value))
    });
    let is_without_tls = |(operator, key, value): (&str, String, &Value)| {
        operator == "Bool"
            && key == "aws:securetransport"
            && (value == "false" || *value == Value::Bool(false))
    };
    match pairs.any(is_without_tls) {
        // All conditions of a statement have to hold.
        true => Grant::No,
        false => Grant::Maybe,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/teams/task";
    const KEY: &str = "arn:aws:s3:::acme-models/sha256/0/manifest";

    fn granted(statements: Value) -> Grant {
        let policy = json!({ "Statement": statements }).to_string();
        let asked = Asked {
            role: ROLE,
            actions: &["s3:GetObject"],
            resource: KEY,
        };
        grants(&policy, &asked)
    }

    fn allow(principal: Value, more: Value) -> Value {
        let mut statement = json!({
            "Effect": "Allow", "Principal": principal, "Action": "s3:Get*", "Resource": "arn:aws:s3:::acme-models/*",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            statement[name] = value.clone();
        }
        statement
    }

    #[test]
    fn a_policy_allows_what_it_names_the_role_for() {
        let role = || json!({ "AWS": [ROLE, "arn:aws:iam::111122223333:user/a"] });
        let session = "arn:aws:sts::111122223333:assumed-role/task/1";
        for (principal, more, grant) in [
            (role(), json!({}), Grant::Yes),
            (json!("*"), json!({}), Grant::Yes),
            (json!({ "AWS": "*" }), json!({}), Grant::Yes),
            (
                role(),
                json!({"Action": ["s3:PutObject", "S3:GETOBJECT"]}),
                Grant::Yes,
            ),
            (role(), json!({"Action": "s3:PutObject"}), Grant::No),
            (
                role(),
                json!({"Resource": KEY.replace("manifest", "?anifest")}),
                Grant::Yes,
            ),
            (
                role(),
                json!({"Resource": "arn:aws:s3:::acme-models"}),
                Grant::No,
            ),
            (
                role(),
                json!({"Resource": "arn:aws:s3:::${aws:PrincipalTag/a}/*"}),
                Grant::Maybe,
            ),
            (
                role(),
                json!({"Resource": null, "NotResource": KEY}),
                Grant::Maybe,
            ),
            (
                role(),
                json!({"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}),
                Grant::Maybe,
            ),
            (role(), json!({"Condition": {}}), Grant::Yes),
            (
                json!({ "AWS": ROLE.replace("task", "other") }),
                json!({}),
                Grant::No,
            ),
            (json!({ "AWS": session }), json!({}), Grant::Maybe),
            (json!({ "AWS": "AROAEXAMPLE" }), json!({}), Grant::Maybe),
            // Its own account: that needs a policy of the role.
            (
                json!({ "AWS": "arn:aws:iam::111122223333:root" }),
                json!({}),
                Grant::No,
            ),
            (json!({ "AWS": "111122223333" }), json!({}), Grant::No),
            (
                json!({ "Service": "ecs-tasks.amazonaws.com" }),
                json!({}),
                Grant::No,
            ),
            (
                Value::Null,
                json!({"NotPrincipal": {"AWS": "111122223333"}}),
                Grant::Maybe,
            ),
        ] {
            let statement = allow(principal, more);
            assert_eq!(granted(statement.clone()), grant, "{statement}");
        }
        assert_eq!(granted(json!([])), Grant::No);
        let asked = Asked {
            role: ROLE,
            actions: &["s3:GetObject"],
            resource: KEY,
        };
        assert_eq!(grants("no JSON", &asked), Grant::Maybe);
    }

    #[test]
    fn what_is_denied_is_not_allowed_and_every_action_has_to_be() {
        let role = || json!({ "AWS": ROLE });
        let deny = |more: Value| {
            let mut both = more;
            both["Effect"] = json!("Deny");
            json!([allow(role(), json!({})), both])
        };
        let tls = json!({"Bool": {"aws:SecureTransport": "false"}});
        for (denied, grant) in [
            (
                json!({"Principal": "*", "Action": "s3:*", "Resource": "*"}),
                Grant::No,
            ),
            (
                json!({"Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "*"}),
                Grant::No,
            ),
            (
                json!({"Principal": "*", "Action": "s3:Put*", "Resource": "*"}),
                Grant::Yes,
            ),
            (
                json!({"Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": tls}),
                Grant::Yes,
            ),
            (
                json!({"Principal": "*", "Action": "*", "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}}),
                Grant::Maybe,
            ),
        ] {
            assert_eq!(granted(deny(denied.clone())), grant, "{denied}");
        }
        let policy = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}});
        let of = |actions| {
            let asked = Asked {
                role: ROLE,
                actions,
                resource: "arn:aws:ecr:eu-west-1:1:repository/a",
            };
            grants(&policy.to_string(), &asked)
        };
        assert_eq!(of(&["ecr:BatchGetImage"]), Grant::Yes);
        assert_eq!(
            of(&["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]),
            Grant::No
        );
    }
}
