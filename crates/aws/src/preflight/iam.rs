//! What IAM says of roles, and of certificates that are kept there. It is one service for all regions of a partition.

use mlops_core::{Error, Result};

use super::certificate::Certificate;
use super::roles::Role;
use crate::clients::AwsClients;
use crate::fault::{Failure, Kind};
use crate::query::{Element, Form, Service};

/// How it is called.
pub(crate) const SERVICE: Service = Service {
    name: "IAM",
    host: "iam",
    version: "2010-05-08",
};

/// Where it answers, and for which region a request is signed: what a region begins with, host, region.
const PLACES: [(&str, &str, &str); 7] = [
    ("cn-", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("us-gov-", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
    ("us-iso-", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    (
        "us-isob-",
        "iam.us-isob-east-1.sc2s.sgov.gov",
        "us-isob-east-1",
    ),
    (
        "eu-isoe-",
        "iam.eu-isoe-west-1.cloud.adc-e.uk",
        "eu-isoe-west-1",
    ),
    (
        "us-isof-",
        "iam.us-isof-south-1.csp.hci.ic.gov",
        "us-isof-south-1",
    ),
    ("", "iam.amazonaws.com", "us-east-1"),
];

/// URL and region for whoever works in `region`; `own` is a URL that was set.
///
/// # Errors
/// `Invalid` for a partition of whose place nothing is known.
pub(crate) fn place(region: &str, use_fips: bool, own: Option<&str>) -> Result<(String, String)> {
    // Of a partition that is newer than this.
    let is_other = region.starts_with("eusc-");
    let found = PLACES.iter().find(|(start, ..)| region.starts_with(start));
    let found = found.filter(|_| !is_other);
    let (url, signed) = match found {
        Some((start, host, signed)) => {
            // The others have no host of their own for it, or it is the same.
            let host = match start.is_empty() && use_fips {
                true => "iam-fips.amazonaws.com",
                false => host,
            };
            (Some(format!("https://{host}")), (*signed).to_owned())
        }
        None => (None, region.to_owned()),
    };
    let url = own.map(str::to_owned).or(url).ok_or_else(|| {
        let text = format!(
            "there is no address of IAM in {region} with these settings; name one in endpoints.iam"
        );
        Error::invalid(text).at("region")
    })?;
    Ok((url, signed))
}

/// The role of this name; `None` if there is none.
pub(super) async fn role(clients: &AwsClients, name: &str) -> Result<Option<Role>> {
    let form = Form::default().with("RoleName", name);
    let client = clients.iam().await?;
    let answer = client.ask(clients.retries(), "GetRole", &form, format!("role {name}"));
    let answer = match answer.await {
        Err(failure) if failure.kind == Kind::Missing => return Ok(None),
        answer => answer.map_err(Failure::into_error)?,
    };
    let result = answer.child("GetRoleResult");
    let role = result
        .and_then(|result| result.child("Role"))
        .and_then(|role| {
            Some(Role {
                arn: role.text("Arn")?.to_owned(),
                trust: role.text("AssumeRolePolicyDocument")?.to_owned(),
                made: role.text("CreateDate").and_then(|made| made.parse().ok()),
            })
        });
    role.map(Some).ok_or_else(|| {
        Error::corrupt(
            "IAM GetRole answered without the ARN or the trust policy of a role; report this",
        )
    })
}

/// The certificate of this name; `None` if there is none. What is in it nobody reads here, so whom it is for is not known.
pub(super) async fn certificate(clients: &AwsClients, name: &str) -> Result<Option<Certificate>> {
    let form = Form::default().with("ServerCertificateName", name);
    let client = clients.iam().await?;
    let about = format!("certificate {name}");
    let answer = client.ask(clients.retries(), "GetServerCertificate", &form, about);
    match answer.await {
        Err(failure) if failure.kind == Kind::Missing => Ok(None),
        answer => read_certificate(&answer.map_err(Failure::into_error)?).map(Some),
    }
}

fn read_certificate(answer: &Element) -> Result<Certificate> {
    let result = answer.child("GetServerCertificateResult");
    let found = result
        .and_then(|result| result.child("ServerCertificate"))
        .and_then(|found| found.child("ServerCertificateMetadata"));
    let found = found.ok_or_else(|| {
        Error::corrupt("IAM GetServerCertificate answered without a certificate; report this")
    })?;
    Ok(Certificate {
        // IAM keeps what somebody issued.
        status: "ISSUED".to_owned(),
        until: (found.text("Expiration")).and_then(|until| until.parse().ok()),
        names: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read_with_the_time_of_its_end() {
        let answer = |within: &str| {
            let text = format!(
                "<GetServerCertificateResponse><GetServerCertificateResult>{within}</GetServerCertificateResult></GetServerCertificateResponse>"
            );
            read_certificate(&Element::read(text.as_bytes()).expect("XML"))
        };
        let read = answer(
            "<ServerCertificate><ServerCertificateMetadata><ServerCertificateName>own</ServerCertificateName>\
             <Expiration>2026-01-01T13:05:00Z</Expiration></ServerCertificateMetadata></ServerCertificate>",
        )
        .expect("a certificate");
        assert_eq!(read.until, "2026-01-01T13:05:00Z".parse().ok());
        assert_eq!((read.status.as_str(), read.names), ("ISSUED", None));
        answer("").expect_err("no certificate");
    }

    #[test]
    fn each_partition_has_its_own() {
        for (region, fips, url, signed) in [
            ("eu-west-1", false, "https://iam.amazonaws.com", "us-east-1"),
            (
                "us-east-2",
                true,
                "https://iam-fips.amazonaws.com",
                "us-east-1",
            ),
            (
                "us-gov-east-1",
                true,
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
            (
                "cn-northwest-1",
                false,
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "us-iso-west-1",
                false,
                "https://iam.us-iso-east-1.c2s.ic.gov",
                "us-iso-east-1",
            ),
        ] {
            let found = place(region, fips, None).expect(region);
            assert_eq!(found, (url.to_owned(), signed.to_owned()), "{region}");
        }
        let unheard = place("eusc-de-east-1", false, None).expect_err("not known");
        assert!(unheard.to_string().contains("endpoints.iam"), "{unheard}");
        let own = place("eusc-de-east-1", false, Some("http://own")).expect("it is set");
        assert_eq!(own.0, "http://own");
    }
}
