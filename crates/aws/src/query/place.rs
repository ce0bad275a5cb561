//! Where a service answers.

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use mlops_core::{Error, Result};

/// A regional service whose rules the SDK has, and what its hosts begin with.
const KNOWN: &str = "elasticloadbalancing";

/// Where a service answers that may have been given an address.
///
/// # Errors
/// `Invalid` for a region in which there is no such place.
pub(super) async fn of(
    endpoint: Option<&str>,
    service: &str,
    host: &str,
    config: &SdkConfig,
) -> Result<String> {
    match endpoint {
        Some(url) => Ok(url.to_owned()),
        None => url(service, host, config).await,
    }
}

/// The service's URL in this region, with the partition, FIPS and dual stack as they are set.
///
/// Regional services differ in the first part of their hosts alone, so the rules are those of a service whose SDK is here anyway: they know partitions that
/// do not exist yet when this is written.
async fn url(service: &str, host: &str, config: &SdkConfig) -> Result<String> {
    let region = config.region().map(ToString::to_string);
    let nowhere = |error: Box<dyn std::error::Error + Send + Sync>| {
        let region = region.as_deref().unwrap_or("no region");
        let text = format!(
            "there is no address of {service} in {region} with these settings; name one in endpoints.{}",
            service.to_lowercase()
        );
        Error::invalid(text).because(error).at("region")
    };
    let params = Params::builder()
        .set_region(region.clone())
        .use_fips(config.use_fips().unwrap_or(false))
        .use_dual_stack(config.use_dual_stack().unwrap_or(false))
        .build()
        .map_err(|error| nowhere(error.into()))?;
    let found = DefaultResolver::new().resolve_endpoint(&params).await;
    let found = found.map_err(nowhere)?;
    Ok(found.url().replacen(KNOWN, host, 1))
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;

    /// What the rules of CloudWatch itself say.
    #[tokio::test]
    async fn a_service_is_found_in_every_partition() {
        for (region, fips, dual, host) in [
            (
                "eu-west-1",
                false,
                false,
                "monitoring.eu-west-1.amazonaws.com",
            ),
            (
                "us-east-1",
                true,
                false,
                "monitoring-fips.us-east-1.amazonaws.com",
            ),
            ("us-east-1", false, true, "monitoring.us-east-1.api.aws"),
            ("us-east-1", true, true, "monitoring-fips.us-east-1.api.aws"),
            (
                "cn-northwest-1",
                false,
                false,
                "monitoring.cn-northwest-1.amazonaws.com.cn",
            ),
            (
                "cn-northwest-1",
                false,
                true,
                "monitoring.cn-northwest-1.api.amazonwebservices.com.cn",
            ),
            (
                "us-gov-west-1",
                true,
                false,
                "monitoring.us-gov-west-1.amazonaws.com",
            ),
            (
                "us-iso-east-1",
                false,
                false,
                "monitoring.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "us-isob-east-1",
                true,
                false,
                "monitoring-fips.us-isob-east-1.sc2s.sgov.gov",
            ),
        ] {
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(region))
                .use_fips(fips)
                .use_dual_stack(dual)
                .build();
            let url = url("CloudWatch", crate::cloudwatch::SERVICE.host, &config).await;
            assert_eq!(
                url.expect("a URL"),
                format!("https://{host}"),
                "{region} {fips} {dual}"
            );
        }
    }
}
