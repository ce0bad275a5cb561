//! What a registry asks of who asks it: the challenge of a 401.

/// A challenge: `WWW-Authenticate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a secret.
    Basic,
    /// A token of somebody who gives them out.
    Bearer {
        /// Who.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// For what.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The one of these headers that can be met, a token before a secret.
    pub(super) fn read<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for header in headers {
            let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let of = |name: &str| parameter(rest, name);
                let Some(realm) = of("realm") else { continue };
                return Some(Self::Bearer {
                    realm,
                    service: of("service"),
                    scope: of("scope"),
                });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Self::Basic);
            }
        }
        basic
    }
}

/// `name="value"` among others: a comma may stand in a value.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text.trim_start();
    while let Some((found, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim().to_owned());
        }
        rest = next.trim_start_matches([',', ' ']);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_in_each_of_its_forms() {
        let bearer = r#"Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:a/b:pull,push""#;
        let read = |headers: &[&str]| Challenge::read(headers.iter().copied());
        assert_eq!(
            read(&["Basic realm=\"x\"", bearer]),
            Some(Challenge::Bearer {
                realm: "https://auth.example.com/token".to_owned(),
                service: Some("registry.example.com".to_owned()),
                scope: Some("repository:a/b:pull,push".to_owned()),
            })
        );
        assert_eq!(
            read(&["bearer realm=https://a/token, error=\"x\""]),
            Some(Challenge::Bearer {
                realm: "https://a/token".to_owned(),
                service: None,
                scope: None,
            })
        );
        for (header, expected) in [
            ("Basic realm=\"ECR\"", Some(Challenge::Basic)),
            ("Basic", Some(Challenge::Basic)),
            ("Bearer service=\"x\"", None),
            ("Bearer realm=\"open", None),
            ("Negotiate", None),
        ] {
            assert_eq!(read(&[header]), expected, "{header}");
        }
    }
}
