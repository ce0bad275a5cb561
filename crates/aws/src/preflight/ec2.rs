//! What EC2 says of subnets.

use mlops_core::{Error, Result};

use super::subnets::Subnet;
use crate::clients::AwsClients;
use crate::fault::Failure;
use crate::query::{Element, Form, Service};

/// How it is called.
pub(crate) const SERVICE: Service = Service {
    name: "EC2",
    host: "ec2",
    version: "2016-11-15",
};

/// Those of these subnets that exist.
pub(super) async fn subnets(clients: &AwsClients, ids: &[String]) -> Result<Vec<Subnet>> {
    // Asked for by id, one that does not exist would hide the others.
    let form = Form::default().with("Filter.1.Name", "subnet-id");
    let form = (1..).zip(ids).fold(form, |form, (number, id)| {
        form.with(format!("Filter.1.Value.{number}"), id)
    });
    let about = format!("subnets {}", ids.join(", "));
    let client = clients.ec2().await?;
    let answer = client.ask(clients.retries(), "DescribeSubnets", &form, about);
    let answer = answer.await.map_err(Failure::into_error)?;
    let told = told(&answer)?.into_iter();
    Ok(told.filter(|subnet| ids.contains(&subnet.id)).collect())
}

fn told(answer: &Element) -> Result<Vec<Subnet>> {
    let subnets = answer.items("subnetSet").map(|subnet| {
        Some(Subnet {
            id: subnet.text("subnetId")?.to_owned(),
            vpc: subnet.text("vpcId")?.to_owned(),
            free: subnet.text("availableIpAddressCount")?.parse().ok()?,
        })
    });
    let all: Option<_> = subnets.collect();
    all.ok_or_else(|| {
        Error::corrupt("EC2 DescribeSubnets answered without id, VPC or free addresses of a subnet; report this")
    })
}
