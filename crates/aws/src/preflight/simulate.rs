//! What IAM says a role may do, by its simulator. It goes by the role's own policies, its permissions boundary and the organization's policies.

use mlops_core::{Error, Result};

use crate::clients::AwsClients;
use crate::fault::{Failure, Kind};
use crate::query::{Element, Form};

/// What comes of one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// A policy allows it, or what it depends on was not told: conditions are not simulated.
    Allowed,
    /// No policy of the role allows it.
    NotAllowed,
    /// A policy denies it.
    Denied,
    /// The permissions boundary of the role does not allow it.
    BeyondBoundary,
    /// A policy of the organization does not allow it.
    BeyondOrganization,
}

/// What is asked of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The role's ARN.
    pub(super) role: String,
    /// Actions of one service.
    pub(super) actions: Vec<&'static str>,
    /// What they are on: one ARN, or `*`.
    pub(super) resource: String,
}

impl Question {
    /// By which its answer is kept.
    pub(super) fn key(&self) -> String {
        format!("{} {} {}", self.role, self.actions.join(" "), self.resource)
    }
}

/// The answer for each action; `None` if there is no such role.
pub(super) async fn simulate(
    clients: &AwsClients,
    question: &Question,
) -> Result<Option<Vec<(&'static str, Decision)>>> {
    let form = Form::default()
        .with("PolicySourceArn", &question.role)
        .with_list("ActionNames", question.actions.iter().copied())
        .with_list("ResourceArns", [question.resource.as_str()]);
    let client = clients.iam().await?;
    let about = format!("role {}", question.role);
    let answer = client.ask(clients.retries(), "SimulatePrincipalPolicy", &form, about);
    match answer.await {
        Err(failure) if failure.kind == Kind::Missing => Ok(None),
        answer => read(&answer.map_err(Failure::into_error)?, &question.actions).map(Some),
    }
}

fn read(answer: &Element, actions: &[&'static str]) -> Result<Vec<(&'static str, Decision)>> {
    let results = answer.child("SimulatePrincipalPolicyResult");
    let decided = actions.iter().map(|action| {
        let mut results = results
            .into_iter()
            .flat_map(|all| all.members("EvaluationResults"));
        let result = results.find(|one| {
            let name = one.text("EvalActionName");
            name.is_some_and(|name| name.eq_ignore_ascii_case(action))
        })?;
        Some((*action, decision(result)?))
    });
    let all: Option<_> = decided.collect();
    all.ok_or_else(|| {
        Error::corrupt("IAM SimulatePrincipalPolicy answered without a decision; report this")
    })
}

fn decision(result: &Element) -> Option<Decision> {
    let forbidden_by = |detail: &str, word: &str| {
        let detail = result.child(detail);
        detail.and_then(|detail| detail.text(word)) == Some("false")
    };
    Some(match result.text("EvalDecision")? {
        "allowed" => Decision::Allowed,
        // It would depend on what nobody knows before the call.
        _ if result.texts("MissingContextValues").next().is_some() => Decision::Allowed,
        _ if forbidden_by("OrganizationsDecisionDetail", "AllowedByOrganizations") => {
            Decision::BeyondOrganization
        }
        _ if forbidden_by(
            "PermissionsBoundaryDecisionDetail",
            "AllowedByPermissionsBoundary",
        ) =>
        {
            Decision::BeyondBoundary
        }
        "explicitDeny" => Decision::Denied,
        _ => Decision::NotAllowed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(results: &str) -> Element {
        let text = format!(
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>\
             <IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        );
        Element::read(text.as_bytes()).expect("XML")
    }

    fn member(decision: &str, more: &str) -> String {
        format!(
            "<member><EvalActionName>s3:GetObject</EvalActionName><EvalDecision>{decision}</EvalDecision>{more}</member>"
        )
    }

    #[test]
    fn a_decision_is_told_with_whose_it_is() {
        let missing =
            "<MissingContextValues><member>aws:SourceVpce</member></MissingContextValues>";
        let boundary = "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>";
        let organization = "<OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations></OrganizationsDecisionDetail>";
        let allowed_by = boundary.replace("false", "true");
        for (said, more, decision) in [
            ("allowed", "<MissingContextValues/>", Decision::Allowed),
            (
                "implicitDeny",
                "<MissingContextValues/>",
                Decision::NotAllowed,
            ),
            ("implicitDeny", allowed_by.as_str(), Decision::NotAllowed),
            ("explicitDeny", "", Decision::Denied),
            ("implicitDeny", missing, Decision::Allowed),
            ("implicitDeny", boundary, Decision::BeyondBoundary),
            ("explicitDeny", organization, Decision::BeyondOrganization),
        ] {
            let answer = answer(&member(said, more));
            let read = read(&answer, &["s3:GetObject"]).expect("decisions");
            assert_eq!(read, [("s3:GetObject", decision)], "{said} {more}");
        }
    }

    #[test]
    fn an_action_that_nobody_decided_is_no_permission() {
        let answer = answer(&member("allowed", ""));
        let read = read(&answer, &["s3:GetObject", "s3:PutObject"]);
        let error = read.expect_err("one is not decided");
        assert!(error.to_string().contains("without a decision"), "{error}");
    }
}
