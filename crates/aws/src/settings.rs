//! What a user says about AWS: the names, meanings and environment variables of the AWS provider.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use mlops_core::names::is_region;
use mlops_core::{Error, Result};

/// A text that is never printed: keys, tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// How a call that failed for a while is tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RetryMode {
    /// Each call waits by itself, longer each time.
    #[default]
    Standard,
    /// Beyond that, all calls of the process share a rate, which falls when the service throttles.
    Adaptive,
}

/// A role to take on with the credentials that were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: String,
    /// How long its credentials last: 15 minutes to 12 hours. Without it, one hour.
    pub duration: Option<Duration>,
    /// What the role's owner asks third parties to name.
    pub external_id: Option<String>,
    /// A policy, as JSON, that narrows the role's.
    pub policy: Option<String>,
    /// Managed policies that narrow the role's.
    pub policy_arns: Vec<String>,
    /// What the session is called in the audit log.
    pub session_name: Option<String>,
    /// Who acts, for the audit log; it cannot be changed by roles taken on later.
    pub source_identity: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// Those of `tags` that roles taken on later keep.
    pub transitive_tag_keys: Vec<String>,
}

/// A role to take on with a token of an identity provider, as CI systems and Kubernetes hand out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssumeRoleWithWebIdentity {
    /// The role. Environment: `AWS_ROLE_ARN`.
    pub role_arn: Option<String>,
    /// See [`AssumeRole::duration`].
    pub duration: Option<Duration>,
    /// See [`AssumeRole::policy`].
    pub policy: Option<String>,
    /// See [`AssumeRole::policy_arns`].
    pub policy_arns: Vec<String>,
    /// See [`AssumeRole::session_name`]. Environment: `AWS_ROLE_SESSION_NAME`.
    pub session_name: Option<String>,
    /// The token itself.
    pub web_identity_token: Option<Secret>,
    /// The file with the token, read again whenever credentials are renewed. Environment:
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`.
    pub web_identity_token_file: Option<PathBuf>,
}

/// Where services answer, in place of AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Certificate Manager. Environment: `AWS_ENDPOINT_URL_ACM`, `AWS_ENDPOINT_URL`.
    pub acm: Option<String>,
    /// Application Auto Scaling. Environment: `AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING`, `AWS_ENDPOINT_URL`.
    pub appautoscaling: Option<String>,
    /// Environment: `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL`.
    pub dynamodb: Option<String>,
    /// Elastic Load Balancing. Environment: `AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2`, `AWS_ENDPOINT_URL`.
    pub elbv2: Option<String>,
    /// EC2. Environment: `AWS_ENDPOINT_URL_EC2`, `AWS_ENDPOINT_URL`.
    pub ec2: Option<String>,
    /// EC2 Auto Scaling. Environment: `AWS_ENDPOINT_URL_AUTO_SCALING`, `AWS_ENDPOINT_URL`.
    pub autoscaling: Option<String>,
    /// ECR. Environment: `AWS_ENDPOINT_URL_ECR`, `AWS_ENDPOINT_URL`.
    pub ecr: Option<String>,
    /// ECS. Environment: `AWS_ENDPOINT_URL_ECS`, `AWS_ENDPOINT_URL`.
    pub ecs: Option<String>,
    /// CloudWatch. Environment: `AWS_ENDPOINT_URL_CLOUDWATCH`, `AWS_ENDPOINT_URL`.
    pub cloudwatch: Option<String>,
    /// IAM. Environment: `AWS_ENDPOINT_URL_IAM`, `AWS_ENDPOINT_URL`.
    pub iam: Option<String>,
    /// KMS. Environment: `AWS_ENDPOINT_URL_KMS`, `AWS_ENDPOINT_URL`.
    pub kms: Option<String>,
    /// CloudWatch Logs. Environment: `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`, `AWS_ENDPOINT_URL`.
    pub logs: Option<String>,
    /// Route 53. Environment: `AWS_ENDPOINT_URL_ROUTE_53`, `AWS_ENDPOINT_URL`.
    pub route53: Option<String>,
    /// Environment: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`.
    pub s3: Option<String>,
    /// Secrets Manager. Environment: `AWS_ENDPOINT_URL_SECRETS_MANAGER`, `AWS_ENDPOINT_URL`.
    pub secretsmanager: Option<String>,
    /// Service Quotas. Environment: `AWS_ENDPOINT_URL_SERVICE_QUOTAS`, `AWS_ENDPOINT_URL`.
    pub servicequotas: Option<String>,
    /// Environment: `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL`.
    pub sts: Option<String>,
}

/// The AWS part of a provider block. What is not set comes from the environment, then from the
/// shared configuration files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// Environment: `AWS_REGION`, `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// A profile of the shared configuration files. Environment: `AWS_PROFILE`.
    pub profile: Option<String>,
    /// Environment: `AWS_ACCESS_KEY_ID`.
    pub access_key: Option<String>,
    /// Environment: `AWS_SECRET_ACCESS_KEY`.
    pub secret_key: Option<Secret>,
    /// Environment: `AWS_SESSION_TOKEN`.
    pub token: Option<Secret>,
    /// Environment: `AWS_CONFIG_FILE`; without both, `~/.aws/config`.
    pub shared_config_files: Vec<PathBuf>,
    /// Environment: `AWS_SHARED_CREDENTIALS_FILE`; without both, `~/.aws/credentials`.
    pub shared_credentials_files: Vec<PathBuf>,
    /// A role to take on.
    pub assume_role: Option<AssumeRole>,
    /// A role to take on with a token.
    pub assume_role_with_web_identity: Option<AssumeRoleWithWebIdentity>,
    /// The accounts that the credentials may belong to; empty: any.
    pub allowed_account_ids: Vec<String>,
    /// The accounts that the credentials must not belong to.
    pub forbidden_account_ids: Vec<String>,
    /// Where services answer.
    pub endpoints: Endpoints,
    /// Where STS answers, if not in `region`.
    pub sts_region: Option<String>,
    /// How often a call is tried again at most, within its time. Environment: `AWS_MAX_ATTEMPTS`
    /// (less one). Default: time alone decides.
    pub max_retries: Option<u32>,
    /// Environment: `AWS_RETRY_MODE`.
    pub retry_mode: Option<RetryMode>,
    /// The proxy for plain HTTP, and for HTTPS unless that has its own. Environment: `HTTP_PROXY`.
    pub http_proxy: Option<String>,
    /// The proxy for HTTPS; empty: none. Environment: `HTTPS_PROXY`.
    pub https_proxy: Option<String>,
    /// Hosts that are reached directly, separated by commas. Environment: `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// PEM certificates that are trusted beside the system's. Environment: `AWS_CA_BUNDLE`.
    pub custom_ca_bundle: Option<PathBuf>,
    /// Environment: `AWS_USE_FIPS_ENDPOINT`.
    pub use_fips_endpoint: bool,
    /// Environment: `AWS_USE_DUALSTACK_ENDPOINT`.
    pub use_dualstack_endpoint: bool,
    /// `https://host/bucket/key` in place of `https://bucket.host/key`.
    pub s3_use_path_style: bool,
    /// Does not ask STS whose the credentials are, unless account ids have to be compared.
    pub skip_credentials_validation: bool,
    /// Takes a region that does not look like one.
    pub skip_region_validation: bool,
    /// Does not ask the instance's metadata service for credentials. Environment:
    /// `AWS_EC2_METADATA_DISABLED`.
    pub skip_metadata_api_check: bool,
}

impl AwsSettings {
    /// These settings, and for what they leave open, what the environment says.
    ///
    /// # Errors
    /// `Invalid`, naming the attribute or the variable, for settings that exclude one another or
    /// cannot be used.
    pub(crate) fn complete(mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let either = |names: &[&str]| names.iter().find_map(|name| env(name));
        fn or(field: &mut Option<String>, value: Option<String>) {
            if field.is_none() {
                *field = value;
            }
        }
        or(
            &mut self.region,
            either(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
        );
        let endpoints = &mut self.endpoints;
        for (field, name) in [
            (&mut endpoints.acm, "AWS_ENDPOINT_URL_ACM"),
            (
                &mut endpoints.appautoscaling,
                "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING",
            ),
            (&mut endpoints.dynamodb, "AWS_ENDPOINT_URL_DYNAMODB"),
            (
                &mut endpoints.elbv2,
                "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
            ),
            (&mut endpoints.ecr, "AWS_ENDPOINT_URL_ECR"),
            (&mut endpoints.ecs, "AWS_ENDPOINT_URL_ECS"),
            (&mut endpoints.cloudwatch, "AWS_ENDPOINT_URL_CLOUDWATCH"),
            (&mut endpoints.ec2, "AWS_ENDPOINT_URL_EC2"),
            (&mut endpoints.autoscaling, "AWS_ENDPOINT_URL_AUTO_SCALING"),
            (&mut endpoints.iam, "AWS_ENDPOINT_URL_IAM"),
            (&mut endpoints.kms, "AWS_ENDPOINT_URL_KMS"),
            (&mut endpoints.logs, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
            (&mut endpoints.route53, "AWS_ENDPOINT_URL_ROUTE_53"),
            (&mut endpoints.s3, "AWS_ENDPOINT_URL_S3"),
            (
                &mut endpoints.secretsmanager,
                "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            ),
            (
                &mut endpoints.servicequotas,
                "AWS_ENDPOINT_URL_SERVICE_QUOTAS",
            ),
            (&mut endpoints.sts, "AWS_ENDPOINT_URL_STS"),
        ] {
            or(field, either(&[name, "AWS_ENDPOINT_URL"]));
        }
        if self.custom_ca_bundle.is_none() {
            self.custom_ca_bundle = env("AWS_CA_BUNDLE").map(PathBuf::from);
        }
        if self.max_retries.is_none()
            && let Some(text) = env("AWS_MAX_ATTEMPTS")
        {
            let attempts: u32 = text
                .parse()
                .ok()
                .filter(|count| *count > 0)
                .ok_or_else(|| {
                    Error::invalid(format!(
                        "AWS_MAX_ATTEMPTS is {text:?}; it is a number of 1 or more"
                    ))
                })?;
            self.max_retries = Some(attempts - 1);
        }
        if self.retry_mode.is_none()
            && let Some(text) = env("AWS_RETRY_MODE")
        {
            self.retry_mode = Some(match text.as_str() {
                "standard" | "legacy" => RetryMode::Standard,
                "adaptive" => RetryMode::Adaptive,
                _ => {
                    return Err(Error::invalid(format!(
                        "AWS_RETRY_MODE is {text:?}; it is standard or adaptive"
                    )));
                }
            });
        }
        let yes = |name: &str| env(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        self.use_fips_endpoint |= yes("AWS_USE_FIPS_ENDPOINT");
        self.use_dualstack_endpoint |= yes("AWS_USE_DUALSTACK_ENDPOINT");
        self.skip_metadata_api_check |= yes("AWS_EC2_METADATA_DISABLED");
        if let Some(role) = &mut self.assume_role_with_web_identity {
            or(&mut role.role_arn, env("AWS_ROLE_ARN"));
            or(&mut role.session_name, env("AWS_ROLE_SESSION_NAME"));
            if role.web_identity_token.is_none() && role.web_identity_token_file.is_none() {
                role.web_identity_token_file =
                    env("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from);
            }
        }
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<()> {
        if let Some(region) = &self.region {
            check_region(region, self.skip_region_validation)?;
        }
        match (&self.access_key, &self.secret_key) {
            (Some(_), None) => {
                return Err(
                    Error::invalid("access_key is set and secret_key is not; set both")
                        .at("secret_key"),
                );
            }
            (None, Some(_)) => {
                return Err(
                    Error::invalid("secret_key is set and access_key is not; set both")
                        .at("access_key"),
                );
            }
            _ => {}
        }
        if !self.allowed_account_ids.is_empty() && !self.forbidden_account_ids.is_empty() {
            return Err(Error::invalid(
                "allowed_account_ids and forbidden_account_ids exclude one another; keep one",
            )
            .at("forbidden_account_ids"));
        }
        for (attribute, ids) in [
            ("allowed_account_ids", &self.allowed_account_ids),
            ("forbidden_account_ids", &self.forbidden_account_ids),
        ] {
            if let Some(id) = ids.iter().find(|id| !is_account(id)) {
                return Err(Error::invalid(format!(
                    "{id:?} is no account id: that is 12 digits, as text"
                ))
                .at(attribute));
            }
        }
        for (name, endpoint) in [
            ("endpoints.acm", &self.endpoints.acm),
            ("endpoints.appautoscaling", &self.endpoints.appautoscaling),
            ("endpoints.dynamodb", &self.endpoints.dynamodb),
            ("endpoints.elbv2", &self.endpoints.elbv2),
            ("endpoints.ecr", &self.endpoints.ecr),
            ("endpoints.ecs", &self.endpoints.ecs),
            ("endpoints.cloudwatch", &self.endpoints.cloudwatch),
            ("endpoints.ec2", &self.endpoints.ec2),
            ("endpoints.autoscaling", &self.endpoints.autoscaling),
            ("endpoints.iam", &self.endpoints.iam),
            ("endpoints.kms", &self.endpoints.kms),
            ("endpoints.logs", &self.endpoints.logs),
            ("endpoints.route53", &self.endpoints.route53),
            ("endpoints.s3", &self.endpoints.s3),
            ("endpoints.secretsmanager", &self.endpoints.secretsmanager),
            ("endpoints.servicequotas", &self.endpoints.servicequotas),
            ("endpoints.sts", &self.endpoints.sts),
        ] {
            if let Some(url) = endpoint
                && !(url.starts_with("http://") || url.starts_with("https://"))
            {
                return Err(Error::invalid(format!(
                    "{url:?} is no endpoint: that is a URL with http:// or https://"
                ))
                .at(name));
            }
        }
        if let Some(role) = &self.assume_role {
            if role.role_arn.is_empty() {
                return Err(Error::invalid("assume_role names no role").at("assume_role.role_arn"));
            }
            check_duration(role.duration, "assume_role.duration")?;
        }
        if let Some(role) = &self.assume_role_with_web_identity {
            let block = "assume_role_with_web_identity";
            if role.role_arn.is_none() {
                return Err(Error::invalid(format!(
                    "{block} names no role; set role_arn, or AWS_ROLE_ARN in the environment"
                ))
                .at(format!("{block}.role_arn")));
            }
            match (&role.web_identity_token, &role.web_identity_token_file) {
                (None, None) => {
                    return Err(Error::invalid(format!(
                        "{block} has no token; set web_identity_token_file, or AWS_WEB_IDENTITY_TOKEN_FILE in the environment, or web_identity_token"
                    ))
                    .at(format!("{block}.web_identity_token_file")));
                }
                (Some(_), Some(_)) => {
                    return Err(Error::invalid(format!(
                        "{block} has two tokens; keep web_identity_token_file or web_identity_token"
                    ))
                    .at(format!("{block}.web_identity_token")));
                }
                _ => {}
            }
            check_duration(role.duration, &format!("{block}.duration"))?;
        }
        Ok(())
    }
}

/// A region's shape: `eu-west-1`, `us-gov-east-1`.
pub(crate) fn check_region(region: &str, skip: bool) -> Result<()> {
    // It becomes part of a host's name, whatever else is skipped.
    let fits_a_host = !region.is_empty()
        && region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_region(region) || (skip && fits_a_host) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{region:?} is no region: that is a name such as eu-west-1; skip_region_validation takes others"
    ))
    .at("region"))
}

fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_duration(duration: Option<Duration>, attribute: &str) -> Result<()> {
    // STS's own limits.
    let (least, most) = (Duration::from_secs(15 * 60), Duration::from_secs(12 * 3600));
    match duration {
        Some(duration) if duration < least || duration > most => {
            Err(Error::invalid("a role's credentials last 15 minutes to 12 hours").at(attribute))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
