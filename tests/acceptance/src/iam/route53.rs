//! Which permissions a call of Route 53 needs.
//!
//! Source: "Actions, resources, and condition keys for Amazon Route 53" in the service authorization reference.

use super::call::Call;

/// Whether a request is one of Route 53.
pub(super) fn is_asked(path: &str) -> bool {
    path.starts_with("/2013-04-01/")
}

/// What a call needs.
///
/// # Panics
/// If the request is not one that the provider makes.
pub(super) fn calls(method: &str, path: &str, body: &str) -> Vec<Call> {
    let parts: Vec<&str> = path.split('/').skip(2).collect();
    match (method, parts.as_slice()) {
        ("GET", ["change", id]) => {
            vec![Call::new(
                "route53:GetChange",
                format!("arn:aws:route53:::change/{id}"),
            )]
        }
        ("GET", ["hostedzone", id]) => vec![of_zone("GetHostedZone", id)],
        ("GET", ["hostedzone", id, "rrset"]) => vec![of_zone("ListResourceRecordSets", id)],
        ("POST", ["hostedzone", id, "rrset", ""]) => {
            let call = of_zone("ChangeResourceRecordSets", id);
            let kinds = |part: &str, key: &str, call: Call| {
                let start = format!("<{part}>");
                let values = body.split(&start).skip(1);
                let values = values.filter_map(|rest| Some(rest.split('<').next()?.to_owned()));
                values.fold(call, |call, value| call.with(key, value))
            };
            let types = "route53:ChangeResourceRecordSetsRecordTypes";
            let actions = "route53:ChangeResourceRecordSetsActions";
            vec![kinds("Action", actions, kinds("Type", types, call))]
        }
        _ => panic!("the provider does not ask Route 53 for {method} {path}"),
    }
}

fn of_zone(operation: &str, id: &str) -> Call {
    let zone = format!("arn:aws:route53:::hostedzone/{id}");
    Call::new(&format!("route53:{operation}"), zone)
}
