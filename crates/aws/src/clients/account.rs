//! What all clients start from: region, credentials and transport, and whose account it is.

use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use futures::future::BoxFuture;
use mlops_core::{Error, Result};

use super::{AwsClients, CONNECT_TIMEOUT};
use crate::credentials::{self, Role, RoleCredentials};
use crate::fault::{Call, Failure};
use crate::settings::{AwsSettings, check_region};
use crate::transport;

impl AwsClients {
    /// Whose the credentials are, asked once for all regions.
    pub(super) async fn account(&self) -> Result<Option<String>> {
        let from = self.home_with_region().await?.unwrap_or(self);
        let check = || -> BoxFuture<'_, Result<Option<String>>> { Box::pin(from.check_account()) };
        from.inner.account.get_or_try_init(check).await.cloned()
    }

    async fn check_account(&self) -> Result<Option<String>> {
        let settings = &self.inner.settings;
        let compared =
            !settings.allowed_account_ids.is_empty() || !settings.forbidden_account_ids.is_empty();
        if settings.skip_credentials_validation && !compared {
            return Ok(None);
        }
        let config = self.config().await?;
        let call = Call {
            service: "STS",
            operation: "GetCallerIdentity",
            resource: "the credentials".to_owned(),
        };
        let answer = sts(settings, config)
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| Failure::of(&call, error).into_error())?;
        let account = answer.account().unwrap_or_default().to_owned();
        let allowed = &settings.allowed_account_ids;
        let attribute = if !allowed.is_empty() && !allowed.contains(&account) {
            "allowed_account_ids"
        } else if settings.forbidden_account_ids.contains(&account) {
            "forbidden_account_ids"
        } else {
            return Ok(Some(account));
        };
        Err(Error::denied(format!(
            "the credentials belong to account {account}, which {attribute} excludes; use those of another account, or change {attribute}"
        ))
        .at(attribute))
    }

    /// Region, credentials and transport.
    pub(super) async fn config(&self) -> Result<&SdkConfig> {
        match self.inner.config.get() {
            Some(config) => Ok(config),
            // Boxed: every operation of ours holds this one.
            None => Box::pin(self.found_config()).await,
        }
    }

    async fn found_config(&self) -> Result<&SdkConfig> {
        let Some(home) = self.home_with_region().await? else {
            return self.own_config().await;
        };
        let there = || async {
            let region = self.inner.settings.region.clone().map(Region::new);
            Ok(home.own_config().await?.to_builder().region(region).build())
        };
        self.inner.config.get_or_try_init(there).await
    }

    async fn own_config(&self) -> Result<&SdkConfig> {
        let load = || -> BoxFuture<'_, Result<SdkConfig>> { Box::pin(self.load()) };
        self.inner.config.get_or_try_init(load).await
    }

    /// The clients that these are of in another region, if they can be used without it.
    async fn home_with_region(&self) -> Result<Option<&Self>> {
        let Some(home) = &self.inner.home else {
            return Ok(None);
        };
        Ok(home.found_region().await?.as_ref().map(|_| home))
    }

    async fn load(&self) -> Result<SdkConfig> {
        let settings = &self.inner.settings;
        let http = match &self.inner.http {
            Some(http) => http.clone(),
            None => transport::http_client(settings)?,
        };
        let files = credentials::files(settings);
        let mut sources = ProviderConfig::without_region().with_http_client(http.clone());
        let region = self.found_region().await?.clone().ok_or_else(|| {
            Error::invalid("no region is set; set region, or AWS_REGION in the environment, or region in the profile")
                .at("region")
        })?;
        sources = sources
            .with_region(Some(region.clone()))
            .with_use_fips(Some(settings.use_fips_endpoint))
            .with_use_dual_stack(Some(settings.use_dualstack_endpoint));
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .http_client(http)
            .profile_files(files.clone())
            .retry_config(RetryConfig::standard())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .build(),
            )
            .credentials_provider(credentials::base(settings, &sources, files));
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if settings.use_fips_endpoint {
            loader = loader.use_fips(true);
        }
        if settings.use_dualstack_endpoint {
            loader = loader.use_dual_stack(true);
        }
        let mut config = loader.load().await;
        // As in the AWS provider: the role with the token first, the other one with its credentials.
        if let Some(role) = settings.assume_role_with_web_identity.clone() {
            config = with_role(settings, &config, Role::WebIdentity(role));
        }
        if let Some(role) = settings.assume_role.clone() {
            config = with_role(settings, &config, Role::Assumed(role));
        }
        Ok(config)
    }

    /// The region that settings, environment, profile or instance name.
    pub(super) async fn found_region(&self) -> Result<&Option<Region>> {
        let find = || -> BoxFuture<'_, Result<Option<Region>>> { Box::pin(self.find_region()) };
        self.inner.region.get_or_try_init(find).await
    }

    async fn find_region(&self) -> Result<Option<Region>> {
        let settings = &self.inner.settings;
        if let Some(region) = &settings.region {
            return Ok(Some(Region::new(region.clone())));
        }
        let http = self.http()?;
        let sources = &ProviderConfig::without_region().with_http_client(http);
        let mut profile = ProfileFileRegionProvider::builder()
            .configure(sources)
            .profile_files(credentials::files(settings));
        if let Some(name) = &settings.profile {
            profile = profile.profile_name(name);
        }
        let mut found = profile.build().region().await;
        if found.is_none() && !settings.skip_metadata_api_check {
            let instance = ImdsRegionProvider::builder().configure(sources).build();
            found = instance.region().await;
        }
        if let Some(region) = &found {
            check_region(region.as_ref(), settings.skip_region_validation)?;
        }
        Ok(found)
    }
}

fn sts(settings: &AwsSettings, config: &SdkConfig) -> aws_sdk_sts::Client {
    let mut own = aws_sdk_sts::config::Builder::from(config);
    if let Some(region) = &settings.sts_region {
        own = own.region(Region::new(region.clone()));
    }
    if let Some(url) = &settings.endpoints.sts {
        own = own.endpoint_url(url);
    }
    aws_sdk_sts::Client::from_conf(own.build())
}

fn with_role(settings: &AwsSettings, config: &SdkConfig, role: Role) -> SdkConfig {
    let provider = RoleCredentials::shared(sts(settings, config), role);
    config
        .to_builder()
        .credentials_provider(provider)
        .identity_cache(aws_config::identity::IdentityCache::lazy().build())
        .build()
}
