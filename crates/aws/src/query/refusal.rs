//! What a service says that does not do what it is asked for.

use std::fmt;

use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

use super::Element;

/// A refusal: a code, and a message for people.
#[derive(Debug)]
pub(crate) struct Refusal(ErrorMetadata);

impl Refusal {
    /// `ErrorResponse/Error` of most, `Response/Errors/Error` of EC2. An answer that is neither, as a proxy gives, has no code: its status decides.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(answer) = Element::read(body) else {
            return Self::new(None, None);
        };
        let within = answer.child("Errors").unwrap_or(&answer);
        let error = within.child("Error").unwrap_or(within);
        let of = |name: &str| error.text(name).map(str::to_owned);
        if answer.is("InvalidChangeBatch") {
            // Route 53 gives its reasons in a list.
            let reasons: Vec<&str> = answer.each("Messages", "Message").collect();
            return Self::new(
                Some("InvalidChangeBatch".to_owned()),
                Some(reasons.join("; ")),
            );
        }
        Self::new(of("Code"), of("Message"))
    }

    /// What was read of one.
    pub(super) fn new(code: Option<String>, message: Option<String>) -> Self {
        let mut read = ErrorMetadata::builder();
        read = code.into_iter().fold(read, |read, code| read.code(code));
        let message = message.into_iter();
        read = message.fold(read, |read, message| read.message(message));
        Self(read.build())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_in_each_of_its_forms() {
        for (body, code, message) in [
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate &lt;exceeded&gt;</Message></Error><RequestId>1</RequestId></ErrorResponse>",
                Some("Throttling"),
                Some("Rate <exceeded>"),
            ),
            (
                "<?xml version=\"1.0\"?><Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors><RequestID>1</RequestID></Response>",
                Some("UnauthorizedOperation"),
                Some("no"),
            ),
            (
                "<InvalidChangeBatch><Messages><Message>one</Message><Message>two</Message></Messages></InvalidChangeBatch>",
                Some("InvalidChangeBatch"),
                Some("one; two"),
            ),
            ("<html><body>Bad Gateway</body></html>", None, None),
            ("Bad Gateway", None, None),
            ("", None, None),
        ] {
            let refusal = Refusal::read(body.as_bytes());
            assert_eq!(
                (refusal.code(), refusal.message()),
                (code, message),
                "{body}"
            );
        }
    }
}
