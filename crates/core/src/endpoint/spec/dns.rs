//! The name that clients know an endpoint on ECS by.

use serde::{Deserialize, Serialize};

/// `ingress.domain_name` and `ingress.zone_id`, each in the form in which two of them can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsSpec {
    /// The name, in small letters and without a dot at its end.
    pub domain_name: String,
    /// The hosted zone of Route 53 that gets a record of it; `None`: somebody else makes that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_id: Option<String>,
}

impl DnsSpec {
    /// A name and a zone as people write them: `Fraud.Example.com.`, `/hostedzone/Z1`.
    pub fn new(domain_name: &str, zone_id: Option<&str>) -> Self {
        let name = domain_name.strip_suffix('.').unwrap_or(domain_name);
        let bare = |id: &str| id.strip_prefix("/hostedzone/").unwrap_or(id).to_owned();
        Self {
            domain_name: name.to_ascii_lowercase(),
            zone_id: zone_id.map(bare),
        }
    }

    /// Which record the endpoint makes: its name, and the zone that it is in. `None`: somebody else makes it.
    pub fn record(&self) -> Option<(&str, &str)> {
        let zone_id = self.zone_id.as_deref()?;
        Some((&self.domain_name, zone_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_it_is_written() {
        let one = DnsSpec::new("Fraud.Example.COM.", Some("/hostedzone/Z1"));
        assert_eq!(one, DnsSpec::new("fraud.example.com", Some("Z1")));
        let without = DnsSpec::new("fraud.example.com", None);
        assert_ne!(one, without);
        assert_eq!(one.record(), Some(("fraud.example.com", "Z1")));
        assert_eq!(without.record(), None);
    }
}
