//! Where Route 53 answers. It is one service for all regions of a partition.

use mlops_core::{Error, Result};

/// What a region begins with, the host, and the region for which a request is signed ("Amazon Route 53 endpoints and quotas" in the general reference).
const PLACES: [(&str, &str, &str); 8] = [
    ("cn-", "route53.amazonaws.com.cn", "cn-northwest-1"),
    ("us-gov-", "route53.us-gov.amazonaws.com", "us-gov-west-1"),
    ("us-iso-", "route53.c2s.ic.gov", "us-iso-east-1"),
    ("us-isob-", "route53.sc2s.sgov.gov", "us-isob-east-1"),
    ("us-isof-", "route53.csp.hci.ic.gov", "us-isof-south-1"),
    ("eu-isoe-", "route53.cloud.adc-e.uk", "eu-isoe-west-1"),
    ("eusc-", "route53.amazonaws.eu", "eusc-de-east-1"),
    ("", "route53.amazonaws.com", "us-east-1"),
];

/// URL and region for whoever works in `region`; `own` is a URL that was set.
///
/// # Errors
/// `Invalid` for FIPS in a partition that has no such address.
pub(crate) fn place(region: &str, use_fips: bool, own: Option<&str>) -> Result<(String, String)> {
    let [.., most] = PLACES;
    let found = PLACES.iter().find(|(start, ..)| region.starts_with(start));
    let (start, host, signed) = *found.unwrap_or(&most);
    let url = match (own, use_fips, start) {
        (Some(own), ..) => own.to_owned(),
        (None, false, _) => format!("https://{host}"),
        (None, true, "") => "https://route53-fips.amazonaws.com".to_owned(),
        // It is validated itself.
        (None, true, "us-gov-") => format!("https://{host}"),
        (None, true, _) => {
            let text = format!(
                "there is no address of Route 53 with FIPS for {region}; name one in endpoints.route53"
            );
            return Err(Error::invalid(text).at("use_fips_endpoint"));
        }
    };
    Ok((url, signed.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own() {
        for (region, fips, host, signed) in [
            ("eu-west-1", false, "route53.amazonaws.com", "us-east-1"),
            ("us-west-2", true, "route53-fips.amazonaws.com", "us-east-1"),
            (
                "cn-north-1",
                false,
                "route53.amazonaws.com.cn",
                "cn-northwest-1",
            ),
            (
                "us-gov-east-1",
                true,
                "route53.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
            (
                "us-isob-east-1",
                false,
                "route53.sc2s.sgov.gov",
                "us-isob-east-1",
            ),
        ] {
            let found = place(region, fips, None).expect(region);
            assert_eq!(found, (format!("https://{host}"), signed.to_owned()));
        }
        let none = place("cn-north-1", true, None).expect_err("there is none");
        assert!(none.to_string().contains("endpoints.route53"), "{none}");
        let own = place("cn-north-1", true, Some("http://own")).expect("it is set");
        assert_eq!(own, ("http://own".to_owned(), "cn-northwest-1".to_owned()));
    }
}
