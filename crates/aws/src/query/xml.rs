//! An answer as a tree: elements with text or with elements in them.

use std::borrow::Cow;
use std::fmt;

use xmlparser::{ElementEnd, Token, Tokenizer};

/// An element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

/// That a text is no such tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotXml(String);

impl fmt::Display for NotXml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the answer is not the XML that was asked for: {}",
            self.0
        )
    }
}

impl std::error::Error for NotXml {}

impl Element {
    /// Reads the one element of a document. Entities of its own are not known, so nothing grows beyond what was sent.
    pub(crate) fn read(body: &[u8]) -> Result<Self, NotXml> {
        let no = |why: &str| NotXml(why.to_owned());
        let text = std::str::from_utf8(body).map_err(|_| no("it is not UTF-8"))?;
        // Those that are not closed yet, outermost first; the root's parent stands below.
        let mut open = vec![Self::default()];
        for token in Tokenizer::from(text) {
            match token.map_err(|error| NotXml(error.to_string()))? {
                Token::ElementStart { local, .. } => open.push(Self {
                    name: local.as_str().to_owned(),
                    ..Self::default()
                }),
                Token::ElementEnd { end, .. } => {
                    let closed = match end {
                        ElementEnd::Open => continue,
                        ElementEnd::Empty => None,
                        ElementEnd::Close(_, local) => Some(local.as_str()),
                    };
                    let done = open.pop().ok_or_else(|| no("it ends twice"))?;
                    if closed.is_some_and(|name| name != done.name) {
                        return Err(NotXml(format!("{} is closed by another name", done.name)));
                    }
                    let parent = open.last_mut().ok_or_else(|| no("it ends twice"))?;
                    parent.children.push(done);
                }
                Token::Text { text } => {
                    let text = unescaped(text.as_str())?;
                    open.last_mut()
                        .ok_or_else(|| no("it ends twice"))?
                        .text
                        .push_str(&text);
                }
                Token::Cdata { text, .. } => open
                    .last_mut()
                    .ok_or_else(|| no("it ends twice"))?
                    .text
                    .push_str(text.as_str()),
                _ => {}
            }
        }
        match <[Self; 1]>::try_from(open) {
            Ok([root]) if root.children.len() == 1 => {
                let mut children = root.children;
                children.pop().ok_or_else(|| no("it is empty"))
            }
            _ => Err(no("it does not end")),
        }
    }

    /// The first element of this name in it.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// What stands in the first element of this name in it.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// The members of the list of this name in it; none if there is no such list.
    pub(crate) fn members(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.listed(name, "member")
    }

    /// The same in an answer of EC2, which has another name for members.
    pub(crate) fn items(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.listed(name, "item")
    }

    /// The same of a list whose members are called `each`.
    pub(crate) fn listed(&self, name: &str, each: &'static str) -> impl Iterator<Item = &Self> {
        let list = self.child(name).into_iter();
        list.flat_map(move |list| list.children.iter().filter(move |child| child.name == each))
    }

    /// Whether it is called so.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// What stands in the members of a list whose members are called `each`.
    pub(crate) fn each(&self, name: &str, each: &'static str) -> impl Iterator<Item = &str> {
        self.listed(name, each).map(|member| member.text.trim())
    }

    /// What stands in the members of the list of this name in it.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.members(name).map(|member| member.text.trim())
    }
}

/// What `text` stands for.
fn unescaped(text: &str) -> Result<Cow<'_, str>, NotXml> {
    if !text.contains('&') {
        return Ok(Cow::Borrowed(text));
    }
    let mut parts = text.split('&');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let named = part.split_once(';').and_then(|(name, rest)| {
            let character = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let number = match number.strip_prefix('x') {
                        Some(hex) => u32::from_str_radix(hex, 16),
                        None => number.parse(),
                    };
                    char::from_u32(number.ok()?)?
                }
            };
            Some((character, rest))
        });
        let (character, rest) =
            named.ok_or_else(|| NotXml("it has an entity that is unknown".to_owned()))?;
        whole.push(character);
        whole.push_str(rest);
    }
    Ok(Cow::Owned(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_by_the_names_in_it() {
        let answer = Element::read(
            br#"<?xml version="1.0"?>
<!-- as it is sent -->
<DescribeAlarmsResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">
  <DescribeAlarmsResult>
    <MetricAlarms>
      <member><AlarmName>a &amp; b</AlarmName><StateReason>5 &#62; 3 &lt;&quot;&apos;&#x41;</StateReason></member>
      <member><AlarmName> c </AlarmName><Empty/></member>
    </MetricAlarms>
    <Values><member>1.5</member><member><![CDATA[2 & 3]]></member></Values>
  </DescribeAlarmsResult>
</DescribeAlarmsResponse>"#,
        )
        .expect("XML");
        let result = answer.child("DescribeAlarmsResult").expect("it is there");
        let names: Vec<_> = result
            .members("MetricAlarms")
            .map(|alarm| alarm.text("AlarmName"))
            .collect();
        assert_eq!(names, [Some("a & b"), Some("c")]);
        let alarms: Vec<_> = result.members("MetricAlarms").collect();
        assert_eq!(alarms[0].text("StateReason"), Some("5 > 3 <\"'A"));
        assert_eq!(alarms[1].text("Empty"), Some(""));
        assert_eq!(alarms[1].text("Missing"), None);
        assert_eq!(result.members("CompositeAlarms").count(), 0);
        let values: Vec<_> = result.texts("Values").collect();
        assert_eq!(values, ["1.5", "2 & 3"]);
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for body in [
            "",
            "not XML",
            "<a>",
            "<a></b>",
            "<a></a></a>",
            "<a></a><b></b>",
            "<a>&unknown;</a>",
            "<a>&#xD800;</a>",
            "<a>&amp</a>",
            "<!DOCTYPE a [<!ENTITY lol \"lol\">]><a>&lol;</a>",
        ] {
            assert!(Element::read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Element::read(&[b'<', 0xff, b'>']).is_err());
    }
}
