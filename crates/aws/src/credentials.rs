//! Where credentials come from, in the order of the AWS provider.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use mlops_core::{Error, Result};

use crate::settings::{AssumeRole, AssumeRoleWithWebIdentity, AwsSettings, Secret};

/// What roles' sessions are called unless the settings say.
const SESSION_NAME: &str = "terraform-provider-mlops";

/// The shared configuration files of these settings.
pub(crate) fn files(settings: &AwsSettings) -> EnvConfigFiles {
    let configs = &settings.shared_config_files;
    let credentials = &settings.shared_credentials_files;
    let mut files = EnvConfigFiles::builder()
        .include_default_config_file(configs.is_empty())
        .include_default_credentials_file(credentials.is_empty());
    for path in configs {
        files = files.with_file(EnvConfigFileKind::Config, expand(path));
    }
    for path in credentials {
        files = files.with_file(EnvConfigFileKind::Credentials, expand(path));
    }
    files.build()
}

/// `~` is the home directory, as in the AWS provider.
fn expand(path: &std::path::Path) -> std::path::PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => std::path::Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}

/// Keys of the settings, else the profile that the settings name, else what the environment, the
/// default profile, the container and the instance offer.
pub(crate) fn base(
    settings: &AwsSettings,
    config: &ProviderConfig,
    files: EnvConfigFiles,
) -> SharedCredentialsProvider {
    if let (Some(key), Some(secret)) = (&settings.access_key, &settings.secret_key) {
        return SharedCredentialsProvider::new(Credentials::new(
            key,
            secret.expose(),
            settings
                .token
                .as_ref()
                .map(|token| token.expose().to_owned()),
            None,
            "provider settings",
        ));
    }
    let profile = ProfileFileCredentialsProvider::builder()
        .configure(config)
        .profile_files(files);
    if let Some(name) = &settings.profile {
        return SharedCredentialsProvider::new(profile.profile_name(name).build());
    }
    let mut chain = CredentialsProviderChain::first_try(
        "environment",
        EnvironmentVariableCredentialsProvider::new(),
    )
    .or_else(
        "web identity",
        WebIdentityTokenCredentialsProvider::builder()
            .configure(config)
            .build(),
    )
    .or_else("profile", profile.build())
    .or_else(
        "container",
        EcsCredentialsProvider::builder().configure(config).build(),
    );
    if !settings.skip_metadata_api_check {
        chain = chain.or_else(
            "instance",
            ImdsCredentialsProvider::builder().configure(config).build(),
        );
    }
    SharedCredentialsProvider::new(chain)
}

/// A role's credentials from STS. The SDK's cache asks again before they run out.
pub(crate) struct RoleCredentials {
    sts: aws_sdk_sts::Client,
    role: Role,
}

pub(crate) enum Role {
    Assumed(AssumeRole),
    WebIdentity(AssumeRoleWithWebIdentity),
}

impl RoleCredentials {
    /// `sts` calls with the credentials that may take on the role; none are needed with a token.
    pub(crate) fn shared(sts: aws_sdk_sts::Client, role: Role) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Self { sts, role })
    }

    async fn fetch(&self) -> Result<Credentials> {
        let ours = || SESSION_NAME.to_owned();
        let answer = match &self.role {
            Role::Assumed(role) => {
                let tags: std::result::Result<Vec<Tag>, _> = role
                    .tags
                    .iter()
                    .map(|(key, value)| Tag::builder().key(key).value(value).build())
                    .collect();
                let tags = tags.map_err(|error| {
                    Error::invalid("a session tag cannot be used")
                        .because(error)
                        .at("assume_role.tags")
                })?;
                self.sts
                    .assume_role()
                    .role_arn(&role.role_arn)
                    .role_session_name(role.session_name.clone().unwrap_or_else(ours))
                    .set_duration_seconds(seconds(role.duration))
                    .set_external_id(role.external_id.clone())
                    .set_policy(role.policy.clone())
                    .set_policy_arns(policies(&role.policy_arns))
                    .set_source_identity(role.source_identity.clone())
                    .set_tags((!tags.is_empty()).then_some(tags))
                    .set_transitive_tag_keys(
                        (!role.transitive_tag_keys.is_empty())
                            .then(|| role.transitive_tag_keys.clone()),
                    )
                    .send()
                    .await
                    .map(|output| output.credentials)
                    .map_err(|error| refused(&role.role_arn, "assume_role", error))?
            }
            Role::WebIdentity(role) => {
                let arn = role.role_arn.clone().unwrap_or_default();
                let token = token(role).await?;
                self.sts
                    .assume_role_with_web_identity()
                    .role_arn(&arn)
                    .role_session_name(role.session_name.clone().unwrap_or_else(ours))
                    .web_identity_token(token.expose())
                    .set_duration_seconds(seconds(role.duration))
                    .set_policy(role.policy.clone())
                    .set_policy_arns(policies(&role.policy_arns))
                    .send()
                    .await
                    .map(|output| output.credentials)
                    .map_err(|error| refused(&arn, "assume_role_with_web_identity", error))?
            }
        };
        let found = answer.ok_or_else(|| {
            Error::unavailable("STS took on the role and answered without credentials; try again")
        })?;
        let expires = std::time::SystemTime::try_from(*found.expiration()).ok();
        Ok(Credentials::new(
            found.access_key_id(),
            found.secret_access_key(),
            Some(found.session_token().to_owned()),
            expires,
            "role",
        ))
    }
}

fn seconds(duration: Option<std::time::Duration>) -> Option<i32> {
    duration.and_then(|duration| i32::try_from(duration.as_secs()).ok())
}

fn policies(arns: &[String]) -> Option<Vec<PolicyDescriptorType>> {
    let policy = |arn: &String| PolicyDescriptorType::builder().arn(arn).build();
    (!arns.is_empty()).then(|| arns.iter().map(policy).collect())
}

async fn token(role: &AssumeRoleWithWebIdentity) -> Result<Secret> {
    if let Some(token) = &role.web_identity_token {
        return Ok(token.clone());
    }
    let path = role.web_identity_token_file.clone().unwrap_or_default();
    // Read each time: whoever mounts the file replaces it before the token runs out.
    let text = tokio::fs::read_to_string(expand(&path))
        .await
        .map_err(|error| {
            Error::invalid(format!(
                "the token in {} cannot be read; name the file that the identity provider writes",
                path.display()
            ))
            .because(error)
            .at("assume_role_with_web_identity.web_identity_token_file")
        })?;
    Ok(Secret::new(text.trim()))
}

fn refused<E>(
    role: &str,
    block: &str,
    error: aws_sdk_sts::error::SdkError<E, aws_smithy_runtime_api::http::Response>,
) -> Error
where
    E: std::error::Error + aws_sdk_sts::error::ProvideErrorMetadata + Send + Sync + 'static,
{
    let call = crate::fault::Call {
        service: "STS",
        operation: if block == "assume_role" {
            "AssumeRole"
        } else {
            "AssumeRoleWithWebIdentity"
        },
        resource: format!("role {role}"),
    };
    let failure = crate::fault::Failure::of(&call, error);
    failure.into_error().at(format!("{block}.role_arn"))
}

impl std::fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleCredentials").finish_non_exhaustive()
    }
}

impl ProvideCredentials for RoleCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.fetch().await.map_err(CredentialsError::provider_error)
        })
    }
}
