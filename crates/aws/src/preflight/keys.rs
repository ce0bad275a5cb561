//! Under which keys of KMS lies what tasks read.
//!
//! Whoever reads a secret, or an object of a bucket, under a customer's key has to be allowed `kms:Decrypt` on that too. A key of AWS's own anybody of the account may use by the
//! service that it is for. ECR, CloudWatch Logs and EFS use the keys of theirs themselves, whoever asks.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use mlops_core::Result;
use mlops_core::endpoint::region_of_arn;
use mlops_core::endpoint::spec::EndpointSpec;
use serde_json::json;

use super::{Preflight, needs};
use crate::clients::AwsClients;
use crate::fault::Failure;
use crate::query::JsonService;

/// How KMS is called.
pub(crate) static SERVICE: JsonService = JsonService {
    name: "KMS",
    host: "kms",
    signer: "kms",
    target: "TrentService",
};

impl Preflight {
    /// The keys of the endpoint's secrets, by the secrets' ARNs. Of what nobody tells, nothing is asked.
    pub(super) async fn keys_of_secrets(&self, spec: &EndpointSpec) -> BTreeMap<String, String> {
        let secrets: BTreeSet<String> = needs::secrets(spec).collect();
        let looks = secrets.into_iter().map(|arn| async move {
            let clients = in_region_of(&self.clients, &arn);
            let key = of_secret(&clients, &arn);
            let key = self.keys.get(&arn, key).await.ok().flatten()?;
            Some((arn, key))
        });
        // Boxed: calls are deep.
        Box::pin(join_all(looks))
            .await
            .into_iter()
            .flatten()
            .collect()
    }
}

/// The clients in the region of what an ARN names: the registry's key is in the registry's, and a secret may be in any.
pub(super) fn in_region_of(clients: &AwsClients, arn: &str) -> AwsClients {
    match region_of_arn(arn) {
        Some(region) => clients.in_region(region),
        None => clients.clone(),
    }
}

async fn of_secret(clients: &AwsClients, arn: &str) -> Result<Option<String>> {
    let client = clients.secrets().await?;
    let asked = json!({ "SecretId": arn });
    let about = format!("secret {arn}");
    let answer = client.ask(clients.retries(), "DescribeSecret", &asked, about);
    let answer = answer.await.map_err(Failure::into_error)?;
    let named = answer["KmsKeyId"].as_str();
    Ok(named.and_then(|named| key(named, arn)))
}

/// The policy of a key.
pub(super) async fn policy(clients: &AwsClients, arn: &str) -> Result<Option<String>> {
    let client = clients.kms().await?;
    let asked = json!({ "KeyId": arn, "PolicyName": "default" });
    let about = format!("key {arn}");
    let answer = client.ask(clients.retries(), "GetKeyPolicy", &asked, about);
    let answer = answer.await.map_err(Failure::into_error)?;
    Ok(answer["Policy"].as_str().map(str::to_owned))
}

/// The ARN of a key that `owner`, another ARN, names. What has an alias may be one of AWS's own, and policies are about keys.
pub(super) fn key(named: &str, owner: &str) -> Option<String> {
    if named.contains("alias/") {
        return None;
    }
    if named.starts_with("arn:") {
        return Some(named.to_owned());
    }
    let parts: Vec<&str> = owner.splitn(6, ':').collect();
    let [_, partition, _, region, account, _] = parts[..] else {
        return None;
    };
    Some(format!(
        "arn:{partition}:kms:{region}:{account}:key/{named}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_arn_or_its_id_and_not_by_an_alias() {
        let secret = "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:a-x1y2z3";
        let arn = "arn:aws-cn:kms:cn-north-1:444455556666:key/1234-ab";
        assert_eq!(key(arn, secret).as_deref(), Some(arn));
        let own = "arn:aws-cn:kms:cn-north-1:111122223333:key/1234-ab";
        assert_eq!(key("1234-ab", secret).as_deref(), Some(own));
        for alias in [
            "alias/aws/secretsmanager",
            "alias/own",
            "arn:aws:kms:eu-west-1:111122223333:alias/own",
        ] {
            assert_eq!(key(alias, secret), None, "{alias}");
        }
        assert_eq!(key("1234-ab", "secret"), None);
    }
}
