//! The policies of buckets, secrets, repositories and keys.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use mlops_core::{Error, Result};
use serde_json::json;

use super::{Preflight, keys};
use crate::clients::AwsClients;
use crate::fault::{Call, Failure};
use crate::query::JsonService;

/// How Secrets Manager is called.
pub(crate) static SECRETS: JsonService = JsonService {
    name: "SecretsManager",
    host: "secretsmanager",
    signer: "secretsmanager",
    target: "secretsmanager",
};

/// What may have a policy of its own that allows something to roles of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    Bucket(String),
    /// By its ARN.
    Secret(String),
    /// By its ARN.
    Key(String),
    Repository {
        region: String,
        account: String,
        name: String,
    },
}

impl Holder {
    /// Whose policy decides about what lies at `resource`, for roles of `account`; `None` where no such policy is enough.
    ///
    /// What belongs to another account needs both policies, and so the role's own. Parameters and log groups have policies for other accounts and for services.
    pub(super) fn of(resource: &str, account: &str) -> Option<Self> {
        let mut parts = resource.splitn(6, ':').skip(2);
        let (service, region) = (parts.next()?, parts.next()?);
        let (owner, name) = (parts.next()?, parts.next()?);
        match service {
            "s3" => name
                .split_once('/')
                .map(|(bucket, _)| Self::Bucket(bucket.to_owned())),
            _ if owner != account => None,
            "secretsmanager" => Some(Self::Secret(resource.to_owned())),
            "kms" => Some(Self::Key(resource.to_owned())),
            "ecr" => Some(Self::Repository {
                region: region.to_owned(),
                account: owner.to_owned(),
                name: name.strip_prefix("repository/")?.to_owned(),
            }),
            _ => None,
        }
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Bucket(name) => format!("bucket {name}"),
            Self::Secret(arn) => format!("secret {arn}"),
            Self::Key(arn) => format!("key {arn}"),
            Self::Repository { name, .. } => format!("repository {name}"),
        }
    }

    /// The policy; `None` if it has none.
    async fn policy(&self, clients: &AwsClients) -> Result<Option<String>> {
        match self {
            Self::Bucket(name) => bucket(clients, name).await,
            Self::Secret(arn) => {
                let client = clients.secrets().await?;
                let asked = json!({ "SecretId": arn });
                let operation = "GetResourcePolicy";
                let answer = client.ask(clients.retries(), operation, &asked, self.words());
                let answer = answer.await.map_err(Failure::into_error)?;
                Ok(answer["ResourcePolicy"].as_str().map(str::to_owned))
            }
            Self::Key(arn) => keys::policy(clients, arn).await,
            Self::Repository {
                region,
                account,
                name,
            } => {
                let client = clients.ecr(region).await?;
                let asked = json!({ "registryId": account, "repositoryName": name });
                let operation = "GetRepositoryPolicy";
                let answer = client.ask(clients.retries(), operation, &asked, self.words());
                match answer.await {
                    Err(failure) if failure.code() == Some("RepositoryPolicyNotFoundException") => {
                        Ok(None)
                    }
                    answer => {
                        let answer = answer.map_err(Failure::into_error)?;
                        Ok(answer["policyText"].as_str().map(str::to_owned))
                    }
                }
            }
        }
    }
}

async fn bucket(clients: &AwsClients, name: &str) -> Result<Option<String>> {
    let call = Call {
        service: "S3",
        operation: "GetBucketPolicy",
        resource: format!("bucket {name}"),
    };
    let client = clients.s3().await?;
    let sent = clients.retries().run(|| {
        let sent = client.get_bucket_policy().bucket(name).send();
        let call = &call;
        Box::pin(async move {
            match sent.await {
                Ok(answer) => Ok(answer.policy),
                Err(error) if error.code() == Some("NoSuchBucketPolicy") => Ok(None),
                Err(error) => Err(Failure::of(call, error)),
            }
        })
    });
    sent.await.map_err(Failure::into_error)
}

impl Preflight {
    /// The policy of a holder, asked for once; empty where there is none.
    pub(super) async fn policy(&self, holder: &Holder) -> Result<Option<String>, Error> {
        let clients = match holder {
            Holder::Bucket(_) => self.home.clone(),
            Holder::Secret(arn) | Holder::Key(arn) => keys::in_region_of(&self.clients, arn),
            // That of the repository is named beside it.
            Holder::Repository { .. } => self.clients.clone(),
        };
        let policy = holder.policy(&clients);
        // Boxed: calls are deep.
        self.policies.find(&holder.words(), Box::pin(policy)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_the_same_account_is_enough_and_of_another_is_not() {
        let of = |resource: &str| Holder::of(resource, "111122223333");
        let bucket = of("arn:aws:s3:::acme-models/sha256/0/manifest");
        assert_eq!(bucket, Some(Holder::Bucket("acme-models".to_owned())));
        let secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:a-x1y2z3";
        assert_eq!(of(secret), Some(Holder::Secret(secret.to_owned())));
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234-ab";
        assert_eq!(of(key), Some(Holder::Key(key.to_owned())));
        let repository = "arn:aws:ecr:eu-west-1:111122223333:repository/team/own";
        let found = of(repository).expect("a repository");
        assert_eq!(found.words(), "repository team/own");
        for other in [
            &secret.replace("1111", "4444"),
            &repository.replace("1111", "4444"),
            &key.replace("1111", "4444"),
            "*",
            "arn:aws:ssm:eu-west-1:111122223333:parameter/a",
            "arn:aws:logs:eu-west-1:111122223333:log-group:a:log-stream:b",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
