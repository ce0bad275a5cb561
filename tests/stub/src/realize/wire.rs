//! Requests in the forms that AWS's services speak.

use serde_json::Value as Json;

use super::{Form, Service};

/// A request that is ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// The request for an operation, or for a method and path.
pub(super) fn request(
    service: &Service,
    name: &str,
    call: &str,
    body: &Json,
    text: Option<String>,
    region: &str,
) -> Request {
    // Emulators read from it which service and region are meant, and check no signature.
    let credential = format!("test/20260101/{region}/{name}/aws4_request");
    let signed =
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    let mut headers = vec![("authorization", signed)];
    let mut made = Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
        body: String::new(),
    };
    match service.form {
        Form::Rest => {
            let (method, path) = call.split_once(' ').unwrap_or(("GET", call));
            (made.method, made.path) = (method.to_owned(), path.to_owned());
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            made.body = text.unwrap_or(body);
            headers.push(("content-type", "application/json".to_owned()));
        }
        Form::Json => {
            headers.push(("x-amz-target", format!("{}.{call}", service.target)));
            headers.push((
                "content-type",
                format!("application/x-amz-json-{}", service.version),
            ));
            made.body = body.to_string();
        }
        form @ (Form::Query | Form::Ec2) => {
            let mut pairs = vec![
                ("Action".to_owned(), call.to_owned()),
                ("Version".to_owned(), service.version.clone()),
            ];
            flatten("", body, form, &mut pairs);
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
                .collect();
            headers.push((
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ));
            made.body = pairs.join("&");
        }
    }
    made.headers = headers;
    made
}

/// `{"A": {"B": ["x"]}}` is `A.B.member.1=x`, or `A.B.1=x`.
fn flatten(name: &str, value: &Json, form: Form, pairs: &mut Vec<(String, String)>) {
    let inner = |step: &str| {
        if name.is_empty() {
            step.to_owned()
        } else {
            format!("{name}.{step}")
        }
    };
    match value {
        Json::Null => {}
        Json::Object(fields) => fields
            .iter()
            .for_each(|(field, value)| flatten(&inner(field), value, form, pairs)),
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let at = at + 1;
                let step = if form == Form::Ec2 {
                    at.to_string()
                } else {
                    format!("member.{at}")
                };
                flatten(&inner(&step), item, form, pairs);
            }
        }
        Json::String(text) => pairs.push((name.to_owned(), text.clone())),
        other => pairs.push((name.to_owned(), other.to_string())),
    }
}

fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("%{byte:02X}"));
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(form: Form) -> Service {
        Service {
            form,
            target: "Target".to_owned(),
            version: "1.1".to_owned(),
        }
    }

    #[test]
    fn lists_of_a_form_are_numbered_as_the_service_has_them() {
        let body = json!({"Ids": ["a", "b c"], "Of": {"It": 1}});
        let made = |form| request(&of(form), "s", "Do", &body, None, "r").body;
        assert_eq!(
            made(Form::Query),
            "Action=Do&Version=1.1&Ids.member.1=a&Ids.member.2=b%20c&Of.It=1"
        );
        assert_eq!(
            made(Form::Ec2),
            "Action=Do&Version=1.1&Ids.1=a&Ids.2=b%20c&Of.It=1"
        );
    }

    #[test]
    fn an_operation_is_a_header_and_a_path_is_a_path() {
        let made = request(
            &of(Form::Json),
            "logs",
            "Do",
            &json!({"a": 1}),
            None,
            "eu-west-1",
        );
        assert!(
            made.headers
                .contains(&("x-amz-target", "Target.Do".to_owned()))
        );
        assert!(
            made.headers[0].1.contains("/eu-west-1/logs/"),
            "{:?}",
            made.headers
        );
        let made = request(
            &of(Form::Rest),
            "s3",
            "PUT /b?policy",
            &Json::Null,
            Some("text".to_owned()),
            "r",
        );
        assert_eq!(
            (made.method.as_str(), made.path.as_str(), made.body.as_str()),
            ("PUT", "/b?policy", "text")
        );
    }
}
