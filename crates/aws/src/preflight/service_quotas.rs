//! What Service Quotas says that the account may have in a region.

use std::collections::BTreeMap;

use mlops_core::{Error, Result};
use serde_json::{Value, json};

use crate::clients::AwsClients;
use crate::fault::Failure;
use crate::query::JsonService;

/// How it is called.
pub(crate) static SERVICE: JsonService = JsonService {
    name: "ServiceQuotas",
    host: "servicequotas",
    signer: "servicequotas",
    target: "ServiceQuotasV20190624",
};

/// What the account may have of a service, by the names that AWS gives its quotas.
pub(super) type Quotas = BTreeMap<String, f64>;

/// The quotas of a service, `ecs` or `fargate`.
pub(super) async fn quotas(clients: &AwsClients, service: &str) -> Result<Quotas> {
    let client = clients.quotas().await?;
    let mut all = Quotas::new();
    let mut asked = json!({ "ServiceCode": service });
    loop {
        let about = format!("service {service}");
        let page = client.ask(clients.retries(), "ListServiceQuotas", &asked, about);
        let page = page.await.map_err(Failure::into_error)?;
        read(&page, &mut all)?;
        match page["NextToken"].as_str() {
            Some(next) if !next.is_empty() => asked["NextToken"] = next.into(),
            _ => return Ok(all),
        }
    }
}

fn read(page: &Value, all: &mut Quotas) -> Result<()> {
    let told = page["Quotas"].as_array().ok_or_else(|| {
        Error::corrupt("ServiceQuotas ListServiceQuotas answered without quotas; report this")
    })?;
    let told = told.iter().filter_map(|quota| {
        let name = quota["QuotaName"].as_str()?;
        Some((name.to_owned(), quota["Value"].as_f64()?))
    });
    all.extend(told);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_by_their_names() {
        let mut all = Quotas::new();
        let page = json!({"Quotas": [
            {"QuotaName": "Services per cluster", "Value": 5000.0},
            {"QuotaName": "without a value"},
            {"QuotaName": "vCPU", "Value": 6},
        ]});
        read(&page, &mut all).expect("quotas");
        let expected = [("Services per cluster", 5000.0), ("vCPU", 6.0)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(all, expected.into());
        read(&json!({}), &mut all).expect_err("no answer");
    }
}
