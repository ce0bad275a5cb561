//! Records as Route 53 writes them.

use crate::query::Element;

/// All records of one name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordSet {
    /// In small letters, without the dot at its end.
    pub(super) name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`.
    pub(super) kind: String,
    /// Where it leads.
    pub(super) leads: Leads,
}

/// Where a record leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leads {
    /// To another name's addresses, whatever they are.
    Alias {
        /// The zone of that name.
        zone_id: String,
        /// The name.
        dns_name: String,
        /// Whether it is left out while that has no healthy target.
        evaluates: bool,
    },
    /// To these.
    Values {
        /// Seconds.
        ttl: String,
        /// As they stand there: of a text, with its quotation marks.
        values: Vec<String>,
    },
    /// By weight, place or health: one of several records of the name, in words.
    Divided(String),
}

/// A name without its dot, in small letters.
pub(super) fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl RecordSet {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let leads = match (element.text("SetIdentifier"), element.child("AliasTarget")) {
            (Some(identifier), _) => Leads::Divided(identifier.to_owned()),
            (None, Some(alias)) => Leads::Alias {
                zone_id: alias.text("HostedZoneId")?.to_owned(),
                dns_name: plain(alias.text("DNSName")?),
                evaluates: alias.text("EvaluateTargetHealth") == Some("true"),
            },
            (None, None) => {
                let values = element.listed("ResourceRecords", "ResourceRecord");
                let values = values.filter_map(|one| one.text("Value"));
                Leads::Values {
                    ttl: element.text("TTL").unwrap_or_default().to_owned(),
                    values: values.map(str::to_owned).collect(),
                }
            }
        };
        Some(Self {
            name: plain(element.text("Name")?),
            kind: element.text("Type")?.to_owned(),
            leads,
        })
    }

    /// For people.
    pub(super) fn told(&self) -> String {
        let to = match &self.leads {
            Leads::Alias { dns_name, .. } => format!("an alias of {dns_name}"),
            Leads::Values { values, .. } => values.join(", "),
            Leads::Divided(identifier) => format!("one of several, {identifier:?}"),
        };
        format!("{} ({to})", self.kind)
    }

    pub(super) fn xml(&self) -> String {
        let text = |name: &str, text: &str| format!("<{name}>{}</{name}>", escaped(text));
        let leads = match &self.leads {
            Leads::Alias {
                zone_id,
                dns_name,
                evaluates,
            } => format!(
                "<AliasTarget>{}{}<EvaluateTargetHealth>{evaluates}</EvaluateTargetHealth></AliasTarget>",
                text("HostedZoneId", zone_id),
                text("DNSName", dns_name)
            ),
            Leads::Values { ttl, values } => {
                let values = values.iter();
                let values: String = values
                    .map(|value| {
                        format!("<ResourceRecord>{}</ResourceRecord>", text("Value", value))
                    })
                    .collect();
                format!(
                    "{}<ResourceRecords>{values}</ResourceRecords>",
                    text("TTL", ttl)
                )
            }
            // Never written: it is always somebody else's.
            Leads::Divided(identifier) => text("SetIdentifier", identifier),
        };
        format!(
            "<ResourceRecordSet>{}{}{leads}</ResourceRecordSet>",
            text("Name", &self.name),
            text("Type", &self.kind)
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> RecordSet {
        let element = Element::read(xml.as_bytes()).expect("XML");
        RecordSet::read(&element).expect("a record")
    }

    #[test]
    fn a_record_is_written_as_it_is_read() {
        let alias = "<ResourceRecordSet><Name>fraud.example.com</Name><Type>A</Type><AliasTarget><HostedZoneId>Z32</HostedZoneId>\
                     <DNSName>alb.elb.amazonaws.com</DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget></ResourceRecordSet>";
        assert_eq!(read(alias).xml(), alias);
        let text = "<ResourceRecordSet><Name>_mlops.a.io</Name><Type>TXT</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>\"a &amp; b\"</Value>\
                    </ResourceRecord></ResourceRecords></ResourceRecordSet>";
        assert_eq!(read(text).xml(), text);
        assert_eq!(
            read(&alias.replace("example.com<", "Example.COM.<")).xml(),
            alias
        );
    }

    #[test]
    fn a_record_is_told_in_a_few_words() {
        let weighted = "<ResourceRecordSet><Name>a.io.</Name><Type>A</Type><SetIdentifier>blue</SetIdentifier><Weight>5</Weight><TTL>5</TTL></ResourceRecordSet>";
        assert_eq!(read(weighted).told(), "A (one of several, \"blue\")");
        let plain = "<ResourceRecordSet><Name>a.io.</Name><Type>CNAME</Type><TTL>5</TTL><ResourceRecords><ResourceRecord><Value>b.io</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>";
        assert_eq!(read(plain).told(), "CNAME (b.io)");
    }
}
