//! What Certificate Manager says of certificates.

use jiff::Timestamp;
use mlops_core::{Error, Result};
use serde_json::{Value, json};

use super::certificate::Certificate;
use crate::clients::AwsClients;
use crate::fault::{Failure, Kind};
use crate::query::JsonService;

/// How it is called.
pub(crate) static SERVICE: JsonService = JsonService {
    name: "ACM",
    host: "acm",
    signer: "acm",
    target: "CertificateManager",
};

/// The certificate of this ARN; `None` if there is none.
pub(super) async fn certificate(clients: &AwsClients, arn: &str) -> Result<Option<Certificate>> {
    let client = clients.acm().await?;
    let asked = json!({ "CertificateArn": arn });
    let about = format!("certificate {arn}");
    let answer = client.ask(clients.retries(), "DescribeCertificate", &asked, about);
    match answer.await {
        Err(failure) if failure.kind == Kind::Missing => Ok(None),
        answer => told(&answer.map_err(Failure::into_error)?["Certificate"]).map(Some),
    }
}

fn told(certificate: &Value) -> Result<Certificate> {
    let text = |name: &str| certificate[name].as_str().map(str::to_owned);
    let names = certificate["SubjectAlternativeNames"].as_array();
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    let status = text("Status").ok_or_else(|| {
        Error::corrupt("ACM DescribeCertificate answered without a status; report this")
    })?;
    Ok(Certificate {
        status,
        names: Some(names.map(str::to_owned).chain(text("DomainName")).collect()),
        // In seconds, and as a fraction.
        until: certificate["NotAfter"]
            .as_f64()
            .and_then(|seconds| Timestamp::from_second(seconds as i64).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read_with_the_time_of_its_end() {
        let read = told(&json!({
            "Status": "ISSUED",
            "DomainName": "example.com",
            "SubjectAlternativeNames": ["example.com", "*.example.com"],
            "NotAfter": 1_767_272_700.5,
        }))
        .expect("a certificate");
        assert_eq!(read.status, "ISSUED");
        let names = ["example.com", "*.example.com", "example.com"];
        assert_eq!(read.names, Some(names.map(str::to_owned).to_vec()));
        assert_eq!(read.until, "2026-01-01T13:05:00Z".parse().ok());
        assert!(told(&json!({})).is_err());
    }
}
