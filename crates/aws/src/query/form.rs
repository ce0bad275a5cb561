//! What a call says.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands as it is in a form that is signed.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The parameters of a call, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// With one more.
    #[must_use]
    pub(crate) fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// With the members of a list.
    #[must_use]
    pub(crate) fn with_list<T: Into<String>>(
        self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        (1..).zip(values).fold(self, |form, (number, value)| {
            form.with(format!("{name}.member.{number}"), value)
        })
    }

    /// What is sent.
    pub(crate) fn body(&self, action: &str, version: &str) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let own = self.0.iter().map(|(name, value)| (&**name, &**value));
        let all = [("Action", action), ("Version", version)].into_iter();
        let pairs = all
            .chain(own)
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_begins_with_the_action_and_counts_its_lists_from_one() {
        let form = Form::default()
            .with_list("AlarmNames", ["a b", "ä&=+/*~"])
            .with("MaxRecords", "100");
        assert_eq!(
            form.body("DescribeAlarms", "2010-08-01"),
            "Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1=a%20b&AlarmNames.member.2=%C3%A4%26%3D%2B%2F%2A~&MaxRecords=100"
        );
    }
}
