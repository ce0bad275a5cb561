//! Hosted zones of Route 53, and what is in them.

use super::{EcsWorld, api};
use crate::http::{Client, Response};
use crate::part::authorization;

impl EcsWorld {
    /// Makes a public hosted zone for a domain; its id.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn zone(&self, domain: &str) -> String {
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>{domain}</Name><CallerReference>{domain}</CallerReference></CreateHostedZoneRequest>"
        );
        let made = self.route53("POST", "/2013-04-01/hostedzone", &body);
        bare(&api::value(&made, "Id"))
    }

    /// What is in a zone beside what every zone has, as `NAME TYPE`, sorted.
    ///
    /// # Panics
    /// If nobody tells.
    #[must_use]
    pub fn records(&self, zone: &str) -> Vec<String> {
        let mut found: Vec<String> = self
            .record_sets(zone)
            .iter()
            .map(|set| named(set))
            .collect();
        found.sort();
        found
    }

    /// What stands in a zone's record, as XML.
    ///
    /// # Panics
    /// If there is no such record.
    #[must_use]
    pub fn record(&self, zone: &str, name: &str) -> String {
        let all = self.record_sets(zone);
        let found = all.iter().find(|set| named(set) == name);
        found
            .unwrap_or_else(|| panic!("{name} is not in {all:?}"))
            .clone()
    }

    /// Changes a zone as somebody else would: `CREATE`, `DELETE` or `UPSERT` of a record, as XML.
    ///
    /// # Panics
    /// If that is refused.
    pub fn change_record(&self, zone: &str, action: &str, record: &str) {
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes><Change><Action>{action}</Action>{record}</Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let path = format!("/2013-04-01/hostedzone/{zone}/rrset/");
        self.route53("POST", &path, &body);
    }

    /// The same of all zones.
    pub(super) fn all_records(&self) -> Vec<String> {
        let zones = self.route53("GET", "/2013-04-01/hostedzone", "");
        let ids = api::values(&zones, "Id").into_iter();
        ids.flat_map(|id| self.records(&bare(&id))).collect()
    }

    fn record_sets(&self, zone: &str) -> Vec<String> {
        let path = format!("/2013-04-01/hostedzone/{zone}/rrset");
        let told = self.route53("GET", &path, "");
        let sets = told.split("<ResourceRecordSet>").skip(1);
        let sets = sets.filter_map(|rest| rest.split("</ResourceRecordSet>").next());
        let sets = sets.map(|set| format!("<ResourceRecordSet>{set}</ResourceRecordSet>"));
        let of_zone = |set: &String| {
            let kind = api::value(set, "Type");
            kind == "NS" || kind == "SOA"
        };
        sets.filter(|set| !of_zone(set)).collect()
    }

    fn route53(&self, method: &str, path: &str, body: &str) -> String {
        let authorization = authorization("route53");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "text/xml"),
        ];
        let answer: Response = Client::new(&self.part.url)
            .request(method, path, &headers, body.as_bytes())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        answer.text()
    }
}

fn named(set: &str) -> String {
    let name = api::value(set, "Name");
    format!("{} {}", name.trim_end_matches('.'), api::value(set, "Type"))
}

fn bare(id: &str) -> String {
    id.trim_start_matches("/hostedzone/").to_owned()
}
