//! Whether clients accept what the listener shows them on which an endpoint has its rule.
//!
//! A listener that an endpoint makes itself speaks HTTP. One that is shared may speak HTTPS: it has a default certificate, and may have others, among
//! which it chooses by the name that a client asks for, those that are still good first ("Certificates for your Application Load Balancer" in its user
//! guide). It has been asked about the key of each of them already: Elastic Load Balancing takes no certificate whose key it cannot use.

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use mlops_core::Error;
use mlops_core::endpoint::spec::IngressSpec;
use mlops_core::target::{Check, Finding, FrontChange};

use super::{Around, Preflight, acm, iam};

const LISTENER: &str = "ingress.listener_arn";

/// What is left of a certificate that is worth a warning: two weeks. Whatever renews certificates by itself has done so by then: ACM begins 60 days
/// before the end ("Managed certificate renewal" in its user guide).
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// So many certificates are asked for at a time.
const AT_ONCE: usize = 4;

/// A certificate of Certificate Manager, or of IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// `ISSUED`, `EXPIRED`, `REVOKED`, `FAILED` and others.
    pub(super) status: String,
    /// Until when it is good, if it is issued.
    pub(super) until: Option<Timestamp>,
    /// The hosts that it is for; `*.` stands for one name. IAM does not tell them but in the certificate itself, which is not read here.
    pub(super) names: Option<Vec<String>>,
}

/// What is known of a listener's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    There(Certificate),
    Gone,
    /// It lies where nobody is asked.
    Elsewhere,
}

/// A listener's certificate, by its ARN.
type Shown = (String, Seen);

impl Preflight {
    pub(super) async fn look_at_certificate(&self, around: &Around<'_>) -> Vec<Finding> {
        let ingress = &around.ecs.ingress;
        let IngressSpec::Rule {
            listener_arn,
            host_headers,
            ..
        } = ingress
        else {
            return Vec::new();
        };
        // A listener that cannot be read is the business of the check of load balancers.
        let found = self.balancer(ingress).await.ok();
        let Some(default) = found.and_then(|found| found.certificate) else {
            return Vec::new();
        };
        let mut hosts = whole(host_headers);
        // The one by which most clients come, even where a pattern lets it in.
        let name = around.ecs.dns.as_ref().map(|dns| &*dns.domain_name);
        hosts.extend(name.filter(|name| !hosts.iter().any(|host| host.eq_ignore_ascii_case(name))));
        match self.shown(listener_arn, default).await {
            Ok(shown) => judge(
                listener_arn,
                &hosts,
                &shown,
                around.asked.front,
                Timestamp::now(),
            ),
            Err(error) => vec![Finding::possible(Check::Certificate, error.at(LISTENER))],
        }
    }

    /// The default certificate, and then the others.
    async fn shown(&self, listener: &str, default: String) -> Result<Vec<Shown>, Error> {
        let others = self.balancers.certificates(listener);
        let others = self.certificate_arns.get(listener, others).await?;
        let others = others.into_iter().filter(|arn| *arn != default);
        let others: Vec<String> = others.collect();
        let arns: Vec<String> = [default].into_iter().chain(others).collect();
        let mut shown = Vec::new();
        for some in arns.chunks(AT_ONCE) {
            shown.extend(try_join_all(some.iter().map(|arn| self.certificate(arn))).await?);
        }
        Ok(shown)
    }

    async fn certificate(&self, arn: &str) -> Result<Shown, Error> {
        let clients = &self.clients;
        let found = match arn.split(':').nth(2) {
            Some("acm") => {
                let found = acm::certificate(clients, arn);
                self.certificates.find(arn, found).await?
            }
            Some("iam") => {
                let name = arn.rsplit('/').next().unwrap_or_default();
                let found = iam::certificate(clients, name);
                self.certificates.find(arn, found).await?
            }
            _ => return Ok((arn.to_owned(), Seen::Elsewhere)),
        };
        let seen = found.map_or(Seen::Gone, Seen::There);
        Ok((arn.to_owned(), seen))
    }
}

/// Hosts that are a name, and no pattern.
fn whole(hosts: &[String]) -> Vec<&str> {
    let hosts = hosts.iter().map(String::as_str);
    hosts.filter(|host| !host.contains(['*', '?'])).collect()
}

/// What is wrong with what `listener` shows to clients of these hosts, by its certificates, the first of which is its default.
fn judge(
    listener: &str,
    hosts: &[&str],
    shown: &[Shown],
    front: FrontChange,
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut add = |found: Option<Finding>| {
        let is_new = |found: &Finding| {
            let text = found.error.to_string();
            findings.iter().all(|told| told.error.to_string() != text)
        };
        let found = found.filter(is_new);
        findings.extend(found);
    };
    // Where clients come by this listener already, a change of what serves them makes nothing worse.
    let is_new = matches!(front, FrontChange::First | FrontChange::Another);
    if let Some((default, others)) = shown.split_first().filter(|_| hosts.is_empty()) {
        // By whatever name clients come: unless it is one of another certificate's, they see the default.
        let may_be = others.iter().any(|shown| left(shown, now).is_some());
        let default = std::slice::from_ref(default);
        add(best(listener, default, is_new && !may_be, now));
    }
    let mut without = Vec::new();
    for host in hosts {
        let theirs = shown.iter().filter(|shown| is_for(shown, host));
        let theirs: Vec<Shown> = theirs.cloned().collect();
        let perhaps = shown.iter().filter(|shown| is_for_anybody(shown));
        let perhaps: Vec<Shown> = perhaps.cloned().collect();
        let may_be = perhaps.iter().any(|shown| left(shown, now).is_some());
        match (theirs.is_empty(), perhaps.is_empty()) {
            (false, _) => add(best(listener, &theirs, is_new && !may_be, now)),
            (true, true) => without.push(*host),
            // Whichever of them is for the host. A default that is not is no better than one that has expired, to clients that check.
            (true, false) => {
                let is_all = perhaps.len() == shown.len();
                add(best(listener, &perhaps, is_new && is_all, now));
            }
        }
    }
    if !without.is_empty() {
        let text = format!(
            "listener {listener} has no certificate for {}, so clients that come by this name and check it refuse what they are shown; add one to the \
             listener, or correct ingress.host_headers",
            without.join(", ")
        );
        let error = Error::invalid(text).at("ingress.host_headers");
        findings.push(Finding::possible(Check::Certificate, error));
    }
    findings
}

fn is_for((_, seen): &Shown, host: &str) -> bool {
    match seen {
        Seen::There(found) => {
            let mut names = found.names.iter().flatten();
            names.any(|name| covers(name, host))
        }
        Seen::Gone | Seen::Elsewhere => false,
    }
}

/// Whether it is not known whom it is for.
fn is_for_anybody((_, seen): &Shown) -> bool {
    match seen {
        Seen::There(found) => found.names.is_none(),
        Seen::Gone => false,
        Seen::Elsewhere => true,
    }
}

/// Whether a certificate's name is for a host.
fn covers(name: &str, host: &str) -> bool {
    let (name, host) = (name.to_ascii_lowercase(), host.to_ascii_lowercase());
    match name.strip_prefix("*.") {
        None => name == host,
        Some(rest) => host
            .split_once('.')
            .is_some_and(|(first, parent)| !first.is_empty() && parent == rest),
    }
}

/// Until when a certificate is good, if it is.
fn left((_, seen): &Shown, now: Timestamp) -> Option<Timestamp> {
    match seen {
        Seen::There(found) if found.status == "ISSUED" => {
            // Nobody says until when.
            let until = found.until.unwrap_or(Timestamp::MAX);
            Some(until).filter(|until| *until > now)
        }
        // As far as anybody knows here.
        Seen::Elsewhere => Some(Timestamp::MAX),
        Seen::There(_) | Seen::Gone => None,
    }
}

/// What is wrong with the best of these certificates, which is shown. `is_certain`: clients see no other, and see it because of this change.
fn best(listener: &str, shown: &[Shown], is_certain: bool, now: Timestamp) -> Option<Finding> {
    let longest = shown
        .iter()
        .max_by_key(|shown| left(shown, now).unwrap_or(Timestamp::MIN))?;
    let (arn, seen) = longest;
    let finding = |why: &str, how: &str| {
        let text = format!("certificate {arn} of listener {listener} {why}; {how}");
        Error::invalid(text).at(LISTENER)
    };
    if let Some(until) = left(longest, now) {
        let is_soon = until.duration_since(now) < SOON;
        return is_soon.then(|| {
            let why = format!("expires at {until:.0}, and clients refuse it from then on");
            let how = "see why it has not been renewed, or give the listener another one";
            Finding::possible(Check::Certificate, finding(&why, how))
        });
    }
    let why = match seen {
        Seen::There(found) => match (found.status.as_str(), found.until) {
            ("ISSUED" | "EXPIRED", Some(until)) => format!("expired at {until:.0}"),
            (status, _) => format!("is in status {status}"),
        },
        _ => "does not exist".to_owned(),
    };
    let error = finding(
        &format!("{why}, and clients refuse it"),
        "renew it, give the listener another one, or name another listener in ingress.listener_arn",
    );
    Some(match is_certain {
        true => Finding::certain(Check::Certificate, error),
        false => Finding::possible(Check::Certificate, error),
    })
}

#[cfg(test)]
mod tests {
    use mlops_core::target::Verdict;

    use super::*;

    const NOW: &str = "2026-01-02T00:00:00Z";
    const PAST: &str = "2026-01-01T00:00:00Z";
    const SOON_OVER: &str = "2026-01-15T00:00:00Z";
    const LONG: &str = "2026-06-01T00:00:00Z";

    fn certificate(arn: &str, status: &str, until: &str, names: &[&str]) -> Shown {
        let found = Certificate {
            status: status.to_owned(),
            until: until.parse().ok(),
            names: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        };
        (arn.to_owned(), Seen::There(found))
    }

    /// One of IAM's.
    fn of_iam(until: &str) -> Shown {
        let found = Certificate {
            status: "ISSUED".to_owned(),
            until: until.parse().ok(),
            names: None,
        };
        let arn = "arn:aws:iam::1:server-certificate/own";
        (arn.to_owned(), Seen::There(found))
    }

    fn told(hosts: &[&str], shown: &[Shown], front: FrontChange) -> Vec<(Verdict, String)> {
        let now = NOW.parse().expect("a time");
        let findings = judge("listener", hosts, shown, front, now).into_iter();
        let told = findings.map(|found| {
            let at = found.error.attribute().expect("an attribute");
            (found.verdict, format!("{at}: {}", found.error))
        });
        told.collect()
    }

    #[test]
    fn a_certificate_that_clients_refuse_is_told_with_its_reason() {
        for (status, until, said) in [
            ("ISSUED", PAST, "expired at 2026-01-01T00:00:00Z"),
            ("EXPIRED", PAST, "expired at 2026-01-01T00:00:00Z"),
            ("REVOKED", LONG, "is in status REVOKED"),
            (
                "VALIDATION_TIMED_OUT",
                "",
                "is in status VALIDATION_TIMED_OUT",
            ),
        ] {
            let shown = [certificate("own", status, until, &["example.com"])];
            for hosts in [&[][..], &["example.com"]] {
                for (front, verdict) in [
                    (FrontChange::First, Verdict::Fails),
                    (FrontChange::Another, Verdict::Fails),
                    (FrontChange::Keep, Verdict::MayFail),
                ] {
                    let told = told(hosts, &shown, front);
                    assert_eq!((told.len(), told[0].0), (1, verdict), "{told:?}");
                    let start = "ingress.listener_arn: certificate own of listener listener ";
                    assert!(told[0].1.starts_with(&format!("{start}{said}")), "{told:?}");
                }
            }
        }
        let gone = [("own".to_owned(), Seen::Gone)];
        let told = told(&[], &gone, FrontChange::First);
        assert!(told[0].1.contains("does not exist"), "{told:?}");
    }

    #[test]
    fn the_last_two_weeks_of_a_certificate_are_a_warning() {
        let of = |until| {
            let shown = [certificate("own", "ISSUED", until, &["example.com"])];
            told(&["example.com"], &shown, FrontChange::First)
        };
        assert_eq!(of(LONG), []);
        assert_eq!(of(""), [], "nobody says until when");
        assert_eq!(of("2026-01-16T00:00:00Z"), []);
        let soon = of(SOON_OVER);
        assert_eq!((soon.len(), soon[0].0), (1, Verdict::MayFail), "{soon:?}");
        assert!(
            soon[0].1.contains("expires at 2026-01-15T00:00:00Z"),
            "{soon:?}"
        );
    }

    #[test]
    fn of_several_certificates_the_one_for_the_host_that_lasts_longest_is_shown() {
        let shown = [
            certificate("default", "EXPIRED", PAST, &["other.com"]),
            certificate("old", "EXPIRED", PAST, &["*.example.com"]),
            certificate("short", "ISSUED", SOON_OVER, &["a.example.com"]),
            certificate("new", "ISSUED", LONG, &["*.Example.com", "example.com"]),
        ];
        let hosts = ["a.example.com", "example.com", "B.EXAMPLE.com"];
        assert_eq!(told(&hosts, &shown, FrontChange::First), []);
        let first = told(&hosts, &shown[..3], FrontChange::First);
        let said: Vec<_> = first.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(first.len(), 3, "{said:?}");
        assert!(said[0].contains("certificate short of"), "{said:?}");
        assert!(said[1].contains("certificate old of"), "{said:?}");
        assert!(
            said[2].contains("no certificate for example.com,"),
            "{said:?}"
        );
        // Clients without such a name see the default.
        let default = told(&[], &shown, FrontChange::First);
        assert_eq!((default.len(), default[0].0), (1, Verdict::MayFail));
        // It is told once, however many hosts it is for.
        let both = ["a.example.com", "b.example.com"];
        assert_eq!(told(&both, &shown[..2], FrontChange::First).len(), 1);
    }

    #[test]
    fn a_wildcard_stands_for_one_name() {
        let shown = [certificate("own", "ISSUED", LONG, &["*.example.com"])];
        assert_eq!(told(&["a.example.com"], &shown, FrontChange::First), []);
        for host in ["example.com", "a.b.example.com", ".example.com"] {
            let told = told(&[host], &shown, FrontChange::First);
            assert_eq!((told.len(), told[0].0), (1, Verdict::MayFail), "{host}");
            assert!(told[0].1.starts_with("ingress.host_headers: "), "{told:?}");
        }
        assert_eq!(whole(&["*.a.com".to_owned(), "b?.com".to_owned()]), [""; 0]);
    }

    #[test]
    fn a_certificate_of_iam_may_be_for_any_host_until_it_expires() {
        let (first, keep) = (FrontChange::First, FrontChange::Keep);
        let good = || of_iam(LONG);
        for hosts in [&[][..], &["example.com"]] {
            assert_eq!(told(hosts, &[good()], first), []);
            let soon = told(hosts, &[of_iam(SOON_OVER)], first);
            assert_eq!((soon.len(), soon[0].0), (1, Verdict::MayFail), "{soon:?}");
            for (front, verdict) in [(first, Verdict::Fails), (keep, Verdict::MayFail)] {
                let over = told(hosts, &[of_iam(PAST)], front);
                assert_eq!((over.len(), over[0].0), (1, verdict), "{over:?}");
                let said = "server-certificate/own of listener listener expired at";
                assert!(over[0].1.contains(said), "{over:?}");
            }
        }
        let other = || certificate("other", "EXPIRED", PAST, &["other.com"]);
        let shown = [good(), other()];
        assert_eq!(told(&["example.com"], &shown, first), []);
        // The one of IAM may be for this name as well, and is good.
        let both = told(&["other.com"], &shown, first);
        assert_eq!((both.len(), both[0].0), (1, Verdict::MayFail), "{both:?}");
        let neither = told(&["other.com"], &[of_iam(PAST), other()], first);
        assert_eq!((neither.len(), neither[0].0), (1, Verdict::Fails));
        // It may be for the name, and what is shown if it is not is for another.
        let either = told(&["example.com"], &[other(), of_iam(PAST)], first);
        assert_eq!((either.len(), either[0].0), (1, Verdict::MayFail));
    }

    #[test]
    fn a_certificate_that_lies_nowhere_known_may_be_for_any_host() {
        let shown = [("arn:aws:other::1:own".to_owned(), Seen::Elsewhere)];
        for hosts in [&[][..], &["example.com"]] {
            assert_eq!(told(hosts, &shown, FrontChange::First), []);
        }
    }
}
