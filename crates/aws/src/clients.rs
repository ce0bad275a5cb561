//! Clients of the services, made when they are first needed and shared from then on.

mod account;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use mlops_core::Result;
use tokio::sync::OnceCell;

use crate::cloudwatch;
use crate::ecs::machines;
use crate::images::ecr;
use crate::preflight::{acm, ec2, iam, keys, policies, service_quotas};
use crate::query::{JsonClient, JsonService, QueryClient, RestClient, Service};
use crate::retry::{Patience, Retries};
use crate::route53;
use crate::settings::AwsSettings;
use crate::transport;

/// How long a connection may take to stand.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// URL and region of a service that is one for all regions of a partition: for whoever works in a region, with FIPS or without, and with a URL that was set.
type PlaceOf = fn(&str, bool, Option<&str>) -> Result<(String, String)>;

/// The services of one set of settings. Cheap to clone; clones share connections, credentials and
/// the budget for retries.
#[derive(Clone)]
pub struct AwsClients {
    inner: Arc<Inner>,
    made: Arc<Made>,
    retries: Retries,
}

struct Inner {
    settings: AwsSettings,
    /// Those that these are of in another region: credentials are for all regions, and taken once.
    home: Option<AwsClients>,
    /// What carries calls; `None`: what the settings describe.
    http: Option<SharedHttpClient>,
    /// `None` where nobody names one.
    region: OnceCell<Option<Region>>,
    config: OnceCell<SdkConfig>,
    account: OnceCell<Option<String>>,
}

/// The clients of those who wait as long.
#[derive(Default)]
struct Made {
    /// The same clients in other regions.
    elsewhere: Mutex<BTreeMap<String, AwsClients>>,
    acm: OnceCell<JsonClient>,
    dynamodb: OnceCell<aws_sdk_dynamodb::Client>,
    elbv2: OnceCell<aws_sdk_elasticloadbalancingv2::Client>,
    ecs: OnceCell<aws_sdk_ecs::Client>,
    cloudwatch: OnceCell<QueryClient>,
    ec2: OnceCell<QueryClient>,
    autoscaling: OnceCell<QueryClient>,
    iam: OnceCell<QueryClient>,
    kms: OnceCell<JsonClient>,
    logs: OnceCell<aws_sdk_cloudwatchlogs::Client>,
    scaling: OnceCell<aws_sdk_applicationautoscaling::Client>,
    quotas: OnceCell<JsonClient>,
    route53: OnceCell<RestClient>,
    s3: OnceCell<aws_sdk_s3::Client>,
    secrets: OnceCell<JsonClient>,
}

impl std::fmt::Debug for AwsClients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsClients")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

impl AwsClients {
    /// Clients for these settings, completed from the environment. Calls nothing yet.
    ///
    /// # Errors
    /// `Invalid`, naming the attribute or the environment variable at fault.
    pub fn new(settings: AwsSettings) -> Result<Self> {
        Self::with_patience(settings, Patience::default())
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As [`AwsClients::new`].
    pub fn with_patience(settings: AwsSettings, patience: Patience) -> Result<Self> {
        let settings = settings.complete(&|name| std::env::var(name).ok())?;
        let retries = Retries::new(&settings, patience);
        Ok(Self::of(settings, None, retries, None))
    }

    /// The same over somebody who plays AWS, and whose time it is.
    #[cfg(test)]
    pub(crate) fn over(
        http: SharedHttpClient,
        clock: Arc<dyn mlops_core::clock::Clock>,
        settings: AwsSettings,
    ) -> Self {
        let retries = Retries::with_clock(&settings, Patience::default(), clock);
        Self::of(settings, None, retries, Some(http))
    }

    fn of(
        settings: AwsSettings,
        home: Option<Self>,
        retries: Retries,
        http: Option<SharedHttpClient>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                settings,
                home,
                http,
                region: OnceCell::new(),
                config: OnceCell::new(),
                account: OnceCell::new(),
            }),
            made: Arc::default(),
            retries,
        }
    }

    /// The same clients for somebody who waits no longer than this.
    pub(crate) fn hurried(&self, patience: Patience) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            made: Arc::default(),
            retries: self.retries.with(patience),
        }
    }

    /// What was set, completed from the environment.
    pub(crate) fn settings(&self) -> &AwsSettings {
        &self.inner.settings
    }

    /// The region in which the services are called.
    ///
    /// # Errors
    /// `Invalid` (attribute `region`) if neither settings, environment, profile nor instance name
    /// one.
    pub async fn region(&self) -> Result<String> {
        let config = self.config().await?;
        Ok(config.region().map(ToString::to_string).unwrap_or_default())
    }

    /// Whose the credentials are; `None` where that is not asked
    /// ([`AwsSettings::skip_credentials_validation`]).
    ///
    /// # Errors
    /// `Denied` for an account that is not allowed and for credentials that STS does not accept.
    pub async fn account_id(&self) -> Result<Option<String>> {
        // Boxed: the SDK's futures are deep, and every operation of ours holds this one.
        Box::pin(self.account()).await
    }

    /// The budget for retries that all calls share.
    pub(crate) fn retries(&self) -> &Retries {
        &self.retries
    }

    /// DynamoDB, once the account is known to be right.
    pub(crate) async fn dynamodb(&self) -> Result<&aws_sdk_dynamodb::Client> {
        let made = self.made.dynamodb.get_or_try_init(|| async {
            let config = self.config().await?;
            self.account_id().await?;
            let mut own = aws_sdk_dynamodb::config::Builder::from(config)
                .retry_config(RetryConfig::disabled())
                .timeout_config(self.short_calls());
            if let Some(url) = &self.inner.settings.endpoints.dynamodb {
                own = own.endpoint_url(url);
            }
            Ok(aws_sdk_dynamodb::Client::from_conf(own.build()))
        });
        made.await
    }

    /// Elastic Load Balancing, once the account is known to be right.
    pub(crate) async fn elbv2(&self) -> Result<&aws_sdk_elasticloadbalancingv2::Client> {
        let made = self.made.elbv2.get_or_try_init(|| async {
            let config = self.config().await?;
            self.account_id().await?;
            let mut own = aws_sdk_elasticloadbalancingv2::config::Builder::from(config)
                .retry_config(RetryConfig::disabled())
                .timeout_config(self.short_calls());
            if let Some(url) = &self.inner.settings.endpoints.elbv2 {
                own = own.endpoint_url(url);
            }
            Ok(aws_sdk_elasticloadbalancingv2::Client::from_conf(
                own.build(),
            ))
        });
        made.await
    }

    /// ECS, once the account is known to be right.
    pub(crate) async fn ecs(&self) -> Result<&aws_sdk_ecs::Client> {
        let made = self.made.ecs.get_or_try_init(|| async {
            let config = self.config().await?;
            self.account_id().await?;
            let mut own = aws_sdk_ecs::config::Builder::from(config)
                .retry_config(RetryConfig::disabled())
                .timeout_config(self.short_calls());
            if let Some(url) = &self.inner.settings.endpoints.ecs {
                own = own.endpoint_url(url);
            }
            Ok(aws_sdk_ecs::Client::from_conf(own.build()))
        });
        made.await
    }

    /// CloudWatch, once the account is known to be right.
    pub(crate) async fn cloudwatch(&self) -> Result<&QueryClient> {
        let endpoint = self.inner.settings.endpoints.cloudwatch.as_deref();
        self.query(&self.made.cloudwatch, &cloudwatch::SERVICE, endpoint)
            .await
    }

    /// EC2, once the account is known to be right.
    pub(crate) async fn ec2(&self) -> Result<&QueryClient> {
        let endpoint = self.inner.settings.endpoints.ec2.as_deref();
        self.query(&self.made.ec2, &ec2::SERVICE, endpoint).await
    }

    /// Certificate Manager, once the account is known to be right.
    pub(crate) async fn acm(&self) -> Result<&JsonClient> {
        let endpoint = self.inner.settings.endpoints.acm.as_deref();
        self.json(&self.made.acm, &acm::SERVICE, endpoint).await
    }

    /// KMS, once the account is known to be right.
    pub(crate) async fn kms(&self) -> Result<&JsonClient> {
        let endpoint = self.inner.settings.endpoints.kms.as_deref();
        self.json(&self.made.kms, &keys::SERVICE, endpoint).await
    }

    /// Secrets Manager, once the account is known to be right.
    pub(crate) async fn secrets(&self) -> Result<&JsonClient> {
        let endpoint = self.inner.settings.endpoints.secretsmanager.as_deref();
        self.json(&self.made.secrets, &policies::SECRETS, endpoint)
            .await
    }

    /// Service Quotas, once the account is known to be right.
    pub(crate) async fn quotas(&self) -> Result<&JsonClient> {
        let endpoint = self.inner.settings.endpoints.servicequotas.as_deref();
        self.json(&self.made.quotas, &service_quotas::SERVICE, endpoint)
            .await
    }

    /// A regional service that is asked and answers with JSON.
    async fn json<'a>(
        &self,
        made: &'a OnceCell<JsonClient>,
        service: &'static JsonService,
        endpoint: Option<&str>,
    ) -> Result<&'a JsonClient> {
        let made = made.get_or_try_init(|| async {
            let config = self.config().await?;
            self.account_id().await?;
            JsonClient::new(service, config, endpoint, self.short_calls()).await
        });
        made.await
    }

    /// EC2 Auto Scaling, once the account is known to be right.
    pub(crate) async fn autoscaling(&self) -> Result<&QueryClient> {
        let endpoint = self.inner.settings.endpoints.autoscaling.as_deref();
        self.query(&self.made.autoscaling, &machines::SERVICE, endpoint)
            .await
    }

    /// A regional service that speaks the Query protocol.
    async fn query<'a>(
        &self,
        made: &'a OnceCell<QueryClient>,
        service: &'static Service,
        endpoint: Option<&str>,
    ) -> Result<&'a QueryClient> {
        let made = made.get_or_try_init(|| async {
            let config = self.config().await?;
            self.account_id().await?;
            QueryClient::new(service, config, endpoint, self.short_calls()).await
        });
        made.await
    }

    /// ECR in a region, which is that of a registry and may be another than the services' own; once the account is known to be right. The region of the
    /// registry does where the settings name none.
    pub(crate) async fn ecr(&self, region: &str) -> Result<JsonClient> {
        let there = self.in_region(region);
        let config = there.config().await?;
        there.account_id().await?;
        let settings = &self.inner.settings;
        let is_plain = !settings.use_fips_endpoint && !settings.use_dualstack_endpoint;
        let service = ecr::service(is_plain);
        let endpoint = settings.endpoints.ecr.as_deref();
        JsonClient::new(service, config, endpoint, self.short_calls()).await
    }

    /// The same clients in this region: with the credentials of these, and its own region where these have none. Calls nothing.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        if self.inner.settings.region.as_deref() == Some(region) {
            return self.clone();
        }
        let all = self.made.elsewhere.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        let there = all.entry(region.to_owned()).or_insert_with(|| {
            let settings = AwsSettings {
                region: Some(region.to_owned()),
                ..self.inner.settings.clone()
            };
            let http = self.inner.http.clone();
            Self::of(
                settings,
                Some(self.home().clone()),
                self.retries.clone(),
                http,
            )
        });
        there.clone()
    }

    /// The same clients in the region of the settings.
    pub(crate) fn home(&self) -> &Self {
        self.inner.home.as_ref().unwrap_or(self)
    }

    /// What carries calls of others than AWS: the same certificates and proxies, and neither region nor credentials.
    pub(crate) fn http(&self) -> Result<SharedHttpClient> {
        match &self.inner.http {
            Some(http) => Ok(http.clone()),
            None => transport::http_client(&self.inner.settings),
        }
    }

    /// IAM, once the account is known to be right. It is one service for all regions of a partition.
    pub(crate) async fn iam(&self) -> Result<&QueryClient> {
        let own = self.inner.settings.endpoints.iam.as_deref();
        let made = self.made.iam.get_or_try_init(|| async {
            let (config, url) = self.global(iam::place, own).await?;
            QueryClient::new(&iam::SERVICE, &config, Some(&url), self.short_calls()).await
        });
        made.await
    }

    /// Route 53, once the account is known to be right. It is one service for all regions of a partition.
    pub(crate) async fn route53(&self) -> Result<&RestClient> {
        let own = self.inner.settings.endpoints.route53.as_deref();
        let made = self.made.route53.get_or_try_init(|| async {
            let (config, url) = self.global(route53::place, own).await?;
            RestClient::new(&route53::SERVICE, &config, &url, self.short_calls())
        });
        made.await
    }

    /// With what a service is called that is one for all regions of a partition, and its URL; once the account is known to be right.
    async fn global(&self, place: PlaceOf, own: Option<&str>) -> Result<(SdkConfig, String)> {
        let config = self.config().await?;
        self.account_id().await?;
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let (url, region) = place(&region, self.inner.settings.use_fips_endpoint, own)?;
        let config = config.to_builder().region(Region::new(region)).build();
        Ok((config, url))
    }

    /// CloudWatch Logs, once the account is known to be right.
    pub(crate) async fn logs(&self) -> Result<&aws_sdk_cloudwatchlogs::Client> {
        let made = self.made.logs.get_or_try_init(|| async {
            let config = self.config().await?;
            self.account_id().await?;
            let mut own = aws_sdk_cloudwatchlogs::config::Builder::from(config)
                .retry_config(RetryConfig::disabled())
                .timeout_config(self.short_calls());
            if let Some(url) = &self.inner.settings.endpoints.logs {
                own = own.endpoint_url(url);
            }
            Ok(aws_sdk_cloudwatchlogs::Client::from_conf(own.build()))
        });
        made.await
    }

    /// Application Auto Scaling, once the account is known to be right.
    pub(crate) async fn scaling(&self) -> Result<&aws_sdk_applicationautoscaling::Client> {
        let made = self.made.scaling.get_or_try_init(|| async {
            let config = self.config().await?;
            self.account_id().await?;
            let mut own = aws_sdk_applicationautoscaling::config::Builder::from(config)
                .retry_config(RetryConfig::disabled())
                .timeout_config(self.short_calls());
            if let Some(url) = &self.inner.settings.endpoints.appautoscaling {
                own = own.endpoint_url(url);
            }
            Ok(aws_sdk_applicationautoscaling::Client::from_conf(
                own.build(),
            ))
        });
        made.await
    }

    /// Limits of calls whose answers are small.
    fn short_calls(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(self.retries.patience().attempt)
            .build()
    }

    /// S3, once the account is known to be right. A call has no time limit of its own: a part of
    /// a file takes as long as the line needs.
    pub(crate) async fn s3(&self) -> Result<&aws_sdk_s3::Client> {
        let made = self.made.s3.get_or_try_init(|| async {
            let config = self.config().await?;
            self.account_id().await?;
            let mut own = aws_sdk_s3::config::Builder::from(config)
                .retry_config(RetryConfig::disabled())
                .timeout_config(
                    TimeoutConfig::builder()
                        .connect_timeout(CONNECT_TIMEOUT)
                        .build(),
                )
                // The store sends the checksums that it knows, and verifies by its own digests.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
                .force_path_style(self.inner.settings.s3_use_path_style);
            if let Some(url) = &self.inner.settings.endpoints.s3 {
                own = own.endpoint_url(url);
            }
            Ok(aws_sdk_s3::Client::from_conf(own.build()))
        });
        made.await
    }
}
