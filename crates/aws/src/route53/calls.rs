//! Calls of Route 53.

use mlops_core::{Error, Result};

use super::batch::Change;
use super::records::{RecordSet, plain};
use super::{Record, Seen, mark};
use crate::clients::AwsClients;
use crate::fault::{Failure, Kind};
use crate::query::{Asked, Element};

/// What all paths begin with: the version of the interface.
const VERSION: &str = "/2013-04-01";
const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// The types that decide where a name leads. Others, such as those of mail, are beside the point.
const ADDRESSES: [&str; 3] = ["A", "AAAA", "CNAME"];

/// A hosted zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zone {
    /// The domain, without the dot at its end.
    pub(crate) name: String,
    /// The VPCs that it is for; `None`: everybody.
    pub(crate) vpcs: Option<Vec<String>>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Batch {
    /// There was nothing to change.
    Needless,
    /// It is done, and on its way to all name servers under this id.
    Done(String),
    /// Something else is there than was seen: nothing was done, and this is why.
    Stale(String),
}

/// The hosted zone of this id; `None` if there is none.
pub(crate) async fn zone(clients: &AwsClients, id: &str) -> Result<Option<Zone>> {
    let path = format!("{VERSION}/hostedzone/{id}");
    let answer = match read(clients, "GetHostedZone", path, id).await {
        Err(failure) if failure.kind == Kind::Missing => return Ok(None),
        answer => answer.map_err(at_zone)?,
    };
    let zone = answer.child("HostedZone");
    let name = zone.and_then(|zone| zone.text("Name")).ok_or_else(|| {
        Error::corrupt("Route 53 GetHostedZone answered without a name; report this")
    })?;
    let config = zone.and_then(|zone| zone.child("Config"));
    let is_private = config.and_then(|config| config.text("PrivateZone")) == Some("true");
    let vpcs = answer.listed("VPCs", "VPC");
    let vpcs = vpcs.filter_map(|vpc| vpc.text("VPCId")).map(str::to_owned);
    Ok(Some(Zone {
        name: plain(name),
        vpcs: is_private.then(|| vpcs.collect()),
    }))
}

/// What is there of a name; `None` if there is no such zone.
pub(crate) async fn look(clients: &AwsClients, zone_id: &str, name: &str) -> Result<Option<Seen>> {
    let list = async |from: &str, most: u8| {
        // They come by name from the right to the left, and so the mark comes soon after the name.
        let path = format!("{VERSION}/hostedzone/{zone_id}/rrset?name={from}&maxitems={most}");
        match read(clients, "ListResourceRecordSets", path, zone_id).await {
            Err(failure) if failure.kind == Kind::Missing => Ok(None),
            answer => answer.map(Some).map_err(at_zone),
        }
    };
    let Some(answer) = list(name, 20).await? else {
        return Ok(None);
    };
    let read = |answer: &Element| -> Vec<RecordSet> {
        let all = answer.listed("ResourceRecordSets", "ResourceRecordSet");
        all.filter_map(RecordSet::read).collect()
    };
    let mut all = read(&answer);
    let own = mark::name(name);
    let is_mark = |one: &RecordSet| one.name == own && one.kind == "TXT";
    if answer.text("IsTruncated") == Some("true") && !all.iter().any(is_mark) {
        let Some(answer) = list(&own, 20).await? else {
            return Ok(None);
        };
        all.extend(read(&answer).into_iter().filter(is_mark));
    }
    let mark = all.iter().find(|one| is_mark(one)).cloned();
    all.retain(|one| one.name == name && ADDRESSES.contains(&one.kind.as_str()));
    Ok(Some(Seen {
        addresses: all,
        mark,
    }))
}

/// Makes of what was seen what is `wanted`; of the endpoint's own, with `None`, nothing.
///
/// # Errors
/// `Conflict` at `ingress.domain_name` if the name is somebody else's.
pub(crate) async fn change(
    clients: &AwsClients,
    zone_id: &str,
    name: &str,
    seen: &Seen,
    wanted: Option<&Record>,
) -> Result<Batch> {
    let changes = match wanted {
        Some(wanted) => seen.to_become(wanted)?,
        None => seen.to_end(),
    };
    if changes.is_empty() {
        return Ok(Batch::Needless);
    }
    let changes: String = changes.iter().map(Change::xml).collect();
    let asked = Asked {
        path: format!("{VERSION}/hostedzone/{zone_id}/rrset/"),
        body: Some(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ChangeResourceRecordSetsRequest xmlns=\"{NAMESPACE}\"><ChangeBatch>\
             <Comment>an endpoint's name, by terraform-provider-mlops</Comment><Changes>{changes}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        )),
    };
    let client = clients.route53().await?;
    let about = format!("{name} in zone {zone_id}");
    // Sent twice, if an answer was lost, it is refused the second time: what is there tells.
    let sent = client.ask(clients.retries(), "ChangeResourceRecordSets", asked, about);
    match sent.await {
        Err(failure) if failure.code() == Some("InvalidChangeBatch") => {
            Ok(Batch::Stale(failure.into_error().to_string()))
        }
        answer => {
            let answer = answer.map_err(at_zone)?;
            let info = answer.child("ChangeInfo");
            let id = info.and_then(|info| info.text("Id")).unwrap_or_default();
            Ok(Batch::Done(
                id.strip_prefix("/change/").unwrap_or(id).to_owned(),
            ))
        }
    }
}

/// Whether all name servers know of a change.
pub(crate) async fn in_sync(clients: &AwsClients, change: &str) -> Result<bool> {
    let path = format!("{VERSION}/change/{change}");
    let client = clients.route53().await?;
    let asked = Asked { path, body: None };
    let about = format!("change {change}");
    let answer = client.ask(clients.retries(), "GetChange", asked, about);
    let answer = match answer.await {
        // It is forgotten after a while.
        Err(failure) if failure.kind == Kind::Missing => return Ok(true),
        answer => answer.map_err(Failure::into_error)?,
    };
    let info = answer.child("ChangeInfo");
    Ok(info.and_then(|info| info.text("Status")) == Some("INSYNC"))
}

async fn read(
    clients: &AwsClients,
    operation: &'static str,
    path: String,
    zone_id: &str,
) -> Result<Element, Failure> {
    let client = clients.route53().await.map_err(|error| {
        let call = crate::fault::Call {
            service: super::SERVICE.name,
            operation,
            resource: format!("zone {zone_id}"),
        };
        Failure::before(&call, error)
    })?;
    let asked = Asked { path, body: None };
    let about = format!("zone {zone_id}");
    client.ask(clients.retries(), operation, asked, about).await
}

fn at_zone(failure: Failure) -> Error {
    let error = failure.into_error();
    match error.attribute() {
        None => error.at("ingress.zone_id"),
        Some(_) => error,
    }
}
