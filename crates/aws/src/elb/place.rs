//! What an ingress names, and where clients find what is added to it.

use aws_sdk_elasticloadbalancingv2::types::{IpAddressType, Listener, LoadBalancer, ProtocolEnum};
use mlops_core::endpoint::spec::IngressSpec;
use mlops_core::{Error, Result};

use super::calls::{Blame, about, nowhere, or_missing, run};
use super::{Balancers, Front, FrontKind};
use crate::route53::Alias;

/// A load balancer, and the listener on it that a rule is for.
#[derive(Debug)]
pub(super) struct Place {
    load_balancer_arn: String,
    vpc_id: String,
    dns_name: String,
    /// Protocol and port of the listener.
    listener: Option<(String, u16)>,
}

impl Place {
    /// The front of this ARN in this slot.
    pub(super) fn front(&self, ingress: &IngressSpec, slot: u16, arn: String) -> Front {
        Front {
            kind: match ingress {
                IngressSpec::Listener { .. } => FrontKind::Listener,
                IngressSpec::Rule { .. } => FrontKind::Rule,
            },
            arn,
            parent: ingress.parent_arn().to_owned(),
            load_balancer_arn: self.load_balancer_arn.clone(),
            vpc_id: self.vpc_id.clone(),
            url: self.url(ingress, slot),
            slot,
        }
    }

    fn url(&self, ingress: &IngressSpec, slot: u16) -> String {
        let hosts: &[String] = match ingress {
            IngressSpec::Listener { .. } => &[],
            IngressSpec::Rule { host_headers, .. } => host_headers,
        };
        let host = hosts
            .iter()
            .find(|host| !host.contains(['*', '?']))
            .unwrap_or(&self.dns_name);
        match &self.listener {
            None => format!("http://{host}:{slot}"),
            Some((scheme, port)) => match (scheme.as_str(), port) {
                ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
                _ => format!("{scheme}://{host}:{port}"),
            },
        }
    }
}

/// What a load balancer is, as far as an endpoint has to know before it is put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Balancer {
    /// Its ARN.
    pub(crate) arn: String,
    /// Its VPC.
    pub(crate) vpc_id: String,
    /// `application`, `network`, `gateway`.
    pub(crate) kind: String,
    /// `active`, `provisioning`, `active_impaired`, `failed`.
    pub(crate) state: String,
    /// The default certificate of the listener that a rule is for, if that speaks HTTPS.
    pub(crate) certificate: Option<String>,
}

impl Balancers {
    /// The load balancer of an ingress.
    ///
    /// # Errors
    /// `Invalid` at `ingress.load_balancer_arn` or `ingress.listener_arn` for one that does not exist.
    pub(crate) async fn of_ingress(&self, ingress: &IngressSpec) -> Result<Balancer> {
        let (arn, found, listener) = self.found(ingress).await?;
        let state = found.state.and_then(|state| state.code);
        match (found.vpc_id, found.r#type, state) {
            (Some(vpc_id), Some(kind), Some(state)) => Ok(Balancer {
                vpc_id,
                kind: kind.as_str().to_owned(),
                state: state.as_str().to_owned(),
                certificate: listener.and_then(default_certificate),
                arn,
            }),
            _ => Err(incomplete(&arn)),
        }
    }

    /// What a name leads to that is to lead to this load balancer.
    ///
    /// # Errors
    /// `Invalid` at `ingress.load_balancer_arn` for one that does not exist.
    pub(crate) async fn alias(&self, arn: &str) -> Result<Alias> {
        let found = self.load_balancer(arn, Blame::LoadBalancer).await?;
        let kind = found.ip_address_type.as_ref().map(IpAddressType::as_str);
        match (found.dns_name, found.canonical_hosted_zone_id) {
            (Some(dns_name), Some(zone_id)) => Ok(Alias {
                dns_name,
                zone_id,
                is_dual: kind.is_some_and(|kind| kind.starts_with("dualstack")),
            }),
            _ => Err(incomplete(arn)),
        }
    }

    /// # Errors
    /// `Invalid` at `ingress.load_balancer_arn` or `ingress.listener_arn` for one that does not exist.
    pub(super) async fn place(&self, ingress: &IngressSpec) -> Result<Place> {
        let (arn, found, listener) = self.found(ingress).await?;
        let listener = listener.as_ref().map(scheme_and_port).transpose()?;
        match (found.vpc_id, found.dns_name) {
            (Some(vpc_id), Some(dns_name)) => Ok(Place {
                load_balancer_arn: arn,
                vpc_id,
                dns_name,
                listener,
            }),
            _ => Err(incomplete(&arn)),
        }
    }

    /// The load balancer of an ingress with its ARN, and the listener that gets a rule, if it names one.
    async fn found(
        &self,
        ingress: &IngressSpec,
    ) -> Result<(String, LoadBalancer, Option<Listener>)> {
        let (arn, listener) = match ingress {
            IngressSpec::Listener {
                load_balancer_arn, ..
            } => (load_balancer_arn.clone(), None),
            IngressSpec::Rule { listener_arn, .. } => {
                let listener = self.listener(listener_arn).await?;
                let arn = listener.load_balancer_arn().map(str::to_owned);
                (arn.ok_or_else(|| incomplete(listener_arn))?, Some(listener))
            }
        };
        let found = self.load_balancer(&arn, Blame::of(ingress)).await?;
        Ok((arn, found, listener))
    }

    async fn load_balancer(&self, arn: &str, blame: Blame) -> Result<LoadBalancer> {
        let about = about(
            "DescribeLoadBalancers",
            format!("load balancer {arn}"),
            blame,
        );
        let found = run(&self.clients, &about, |client| {
            Box::pin(
                client
                    .describe_load_balancers()
                    .load_balancer_arns(arn)
                    .send(),
            )
        });
        let found = or_missing(found.await)?.and_then(|answer| answer.load_balancers?.pop());
        found.ok_or_else(|| nowhere(arn, blame))
    }

    async fn listener(&self, arn: &str) -> Result<Listener> {
        let blame = Blame::Listener;
        let about = about("DescribeListeners", format!("listener {arn}"), blame);
        let found = run(&self.clients, &about, |client| {
            Box::pin(client.describe_listeners().listener_arns(arn).send())
        });
        let found = or_missing(found.await)?.and_then(|answer| answer.listeners?.pop());
        found.ok_or_else(|| nowhere(arn, blame))
    }
}

fn default_certificate(listener: Listener) -> Option<String> {
    let first = listener.certificates?.into_iter().next();
    first?.certificate_arn
}

fn scheme_and_port(listener: &Listener) -> Result<(String, u16)> {
    let scheme = match listener.protocol() {
        Some(ProtocolEnum::Https) => "https",
        _ => "http",
    };
    let port = listener.port().and_then(|port| port.try_into().ok());
    let port = port.ok_or_else(|| incomplete(listener.listener_arn().unwrap_or("a listener")))?;
    Ok((scheme.to_owned(), port))
}

fn incomplete(arn: &str) -> Error {
    Error::unavailable(format!(
        "Elastic Load Balancing does not tell all of {arn}; run the operation again"
    ))
}

#[cfg(test)]
mod tests {
    use mlops_core::endpoint::spec::SlotChoice;

    use super::*;

    fn place(listener: Option<(&str, u16)>) -> Place {
        Place {
            load_balancer_arn: "alb".to_owned(),
            vpc_id: "vpc-1".to_owned(),
            dns_name: "alb.example.com".to_owned(),
            listener: listener.map(|(scheme, port)| (scheme.to_owned(), port)),
        }
    }

    fn rule(hosts: &[&str]) -> IngressSpec {
        IngressSpec::Rule {
            listener_arn: "listener".to_owned(),
            priority: SlotChoice::Fixed(7),
            host_headers: hosts.iter().map(|host| (*host).to_owned()).collect(),
            path_patterns: vec!["/fraud/*".to_owned()],
        }
    }

    #[test]
    fn a_listener_is_reached_by_its_port() {
        let ingress = IngressSpec::Listener {
            load_balancer_arn: "alb".to_owned(),
            port: SlotChoice::Leased(SlotChoice::PORTS),
        };
        assert_eq!(
            place(None).url(&ingress, 20_003),
            "http://alb.example.com:20003"
        );
    }

    #[test]
    fn a_rule_is_reached_by_its_first_whole_host_and_its_listeners_port() {
        for (listener, hosts, url) in [
            (
                ("https", 443),
                vec!["*.example.com", "fraud.example.com"],
                "https://fraud.example.com",
            ),
            (
                ("https", 8443),
                vec!["fraud.example.com"],
                "https://fraud.example.com:8443",
            ),
            (
                ("http", 80),
                vec!["frau?.example.com"],
                "http://alb.example.com",
            ),
            (("http", 443), vec![], "http://alb.example.com:443"),
        ] {
            assert_eq!(place(Some(listener)).url(&rule(&hosts), 7), url);
        }
    }
}
