//! Who answers for a registry's host.

use std::net::{IpAddr, Ipv4Addr};

/// What the domains of ECR end with: a token of ECR is for nobody else.
const DOMAINS: [&str; 10] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "on.amazonwebservices.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// Who answers for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// ECR, for an account.
    Ecr {
        /// Whose registry it is.
        account: String,
        /// Where.
        region: String,
    },
    /// Whoever listens there.
    Other {
        /// `https://HOST`.
        url: String,
    },
}

impl Host {
    /// Who answers for this registry.
    pub(crate) fn of(registry: &str) -> Self {
        ecr(registry).unwrap_or_else(|| Self::Other { url: url(registry) })
    }
}

/// Where a registry speaks the protocol of the distribution specification.
///
/// In plain HTTP on this machine and at addresses of private networks, as other tools of containers have it; else by TLS.
pub(super) fn url(registry: &str) -> String {
    match registry {
        "docker.io" => "https://registry-1.docker.io".to_owned(),
        _ if is_near(registry, false) => format!("http://{registry}"),
        _ => format!("https://{registry}"),
    }
}

/// Whether a secret may be told to this URL: by TLS, or without leaving this machine.
pub(super) fn is_secret_there(url: &str) -> bool {
    match url.split_once("://") {
        Some(("https", _)) => true,
        Some(("http", rest)) => is_near(rest.split('/').next().unwrap_or_default(), true),
        _ => false,
    }
}

/// Whether it is this machine; if `only_this` is not asked for, or an address of a private network.
fn is_near(authority: &str, only_this: bool) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || !only_this && is_private(address),
        Ok(IpAddr::V6(address)) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Of a private network (RFC 1918), or of one that is for tests (RFC 2544): nobody has certificates for either.
fn is_private(address: Ipv4Addr) -> bool {
    address.is_private() || matches!(address.octets(), [198, 18 | 19, ..])
}

fn ecr(registry: &str) -> Option<Host> {
    let (account, rest) = registry.split_once('.')?;
    let rest = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."]
        .iter()
        .find_map(|kind| rest.strip_prefix(kind))?;
    let (region, domain) = rest.split_once('.')?;
    let is_account = account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit());
    (is_account && DOMAINS.contains(&domain)).then(|| Host::Ecr {
        account: account.to_owned(),
        region: region.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_says_who_answers_and_by_which_protocol() {
        for (registry, region) in [
            ("111122223333.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
            (
                "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com",
                "us-east-1",
            ),
            (
                "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            ("111122223333.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        ] {
            let account = "111122223333".to_owned();
            let region = region.to_owned();
            assert_eq!(Host::of(registry), Host::Ecr { account, region });
        }
        for (registry, at) in [
            ("docker.io", "https://registry-1.docker.io"),
            ("ghcr.io", "https://ghcr.io"),
            ("example.com:5000", "https://example.com:5000"),
            ("localhost:5000", "http://localhost:5000"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("172.17.0.1:5000", "http://172.17.0.1:5000"),
            ("198.18.3.1:5000", "http://198.18.3.1:5000"),
            ("203.0.113.1", "https://203.0.113.1"),
            // They look like it, and are somebody else's.
            (
                "111122223333.dkr.ecr.eu-west-1.example.com",
                "https://111122223333.dkr.ecr.eu-west-1.example.com",
            ),
            (
                "1.dkr.ecr.eu-west-1.amazonaws.com",
                "https://1.dkr.ecr.eu-west-1.amazonaws.com",
            ),
        ] {
            assert_eq!(Host::of(registry), Host::Other { url: at.to_owned() });
        }
    }

    #[test]
    fn a_secret_is_told_by_tls_and_on_this_machine_alone() {
        for (url, may) in [
            ("https://ghcr.io/v2/", true),
            ("http://127.0.0.1:5000/v2/", true),
            ("http://localhost/v2/", true),
            ("http://172.17.0.1:5000/v2/", false),
            ("http://example.com/token", false),
            ("ftp://localhost/", false),
        ] {
            assert_eq!(is_secret_there(url), may, "{url}");
        }
    }
}
