//! Answers of AWS's services, as far as they are asked: in JSON or in XML.

use serde_json::Value as Json;

/// What came back.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Response {
    /// Whether the service did what it was asked.
    pub(super) fn good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it says that there is no such thing.
    pub(super) fn gone(&self) -> bool {
        self.status == 404
            || ["NotFound", "NoSuch", "DoesNotExist"]
                .iter()
                .any(|word| self.body.contains(word))
    }

    /// Whether a text is in it.
    pub(super) fn contains(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    /// A member of a JSON document by its path, or the first XML element of the name.
    pub(super) fn find(&self, place: &str) -> Option<String> {
        if let Ok(document) = serde_json::from_str::<Json>(&self.body) {
            let found = document.pointer(&format!("/{place}"))?;
            return Some(
                found
                    .as_str()
                    .map_or_else(|| found.to_string(), str::to_owned),
            );
        }
        let (_, after) = self.body.split_once(&format!("<{place}>"))?;
        let (text, _) = after.split_once("</")?;
        Some(
            text.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&amp;", "&"),
        )
    }

    /// The XML elements of these names, each an object of the texts in it.
    pub(super) fn elements(&self, names: &[String]) -> Vec<Json> {
        let mut found = Vec::new();
        for name in names {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            let inner = self.body.split(&open).skip(1);
            let inner = inner.filter_map(|rest| Some(rest.split_once(&close)?.0));
            found.extend(inner.map(members));
        }
        found
    }

    /// Status and body, for a message.
    pub(super) fn told(&self) -> String {
        let body: String = self.body.chars().take(500).collect();
        format!(
            "status {}: {}",
            self.status,
            body.trim().trim_end_matches('.')
        )
    }
}

/// Elements that hold text alone.
fn members(xml: &str) -> Json {
    let leaves = xml.split('<').filter_map(|part| {
        let (name, text) = part.split_once('>')?;
        let is_leaf = !name.starts_with('/') && xml.contains(&format!("<{name}>{text}</{name}>"));
        is_leaf.then(|| (name.to_owned(), Json::from(text)))
    });
    Json::Object(leaves.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_a_list_are_objects() {
        let listed = answer(
            200,
            "<r><V><K>a/b</K><Id>1</Id></V><D><K>c</K><O><X>2</X></O></D><V/></r>",
        );
        let names = ["V".to_owned(), "D".to_owned()];
        let expected = [
            serde_json::json!({"K": "a/b", "Id": "1"}),
            serde_json::json!({"K": "c", "X": "2"}),
        ];
        assert_eq!(listed.elements(&names), expected);
        assert!(answer(200, "<r></r>").elements(&names).is_empty());
    }

    fn answer(status: u16, body: &str) -> Response {
        Response {
            status,
            body: body.to_owned(),
        }
    }

    #[test]
    fn members_are_found_in_json_and_in_xml() {
        assert_eq!(
            answer(200, r#"{"a": {"b": "c"}}"#).find("a/b").as_deref(),
            Some("c")
        );
        assert_eq!(
            answer(200, "<x><vpcId>vpc-1</vpcId></x>")
                .find("vpcId")
                .as_deref(),
            Some("vpc-1")
        );
        assert_eq!(answer(200, "<x/>").find("vpcId"), None);
    }

    #[test]
    fn what_is_gone_is_told_from_what_is_refused() {
        assert!(answer(400, "<Code>InvalidVpcID.NotFound</Code>").gone());
        assert!(answer(404, "").gone());
        assert!(!answer(400, "<Code>DependencyViolation</Code>").gone());
    }
}
