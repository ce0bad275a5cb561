//! The name of an endpoint on ECS: `ingress.domain_name` and `ingress.zone_id`.

use mlops_core::endpoint::spec::{DnsSpec, IngressSpec};
use tfplugin::schema::{Attribute, Block};
use tfplugin::{Attr, validate};

use super::ecs::Ingress;
use super::schema::State;
use crate::resources::convert;

/// Declares both.
pub(super) fn declared(block: Block) -> Block {
    block
        .attribute(
            "domain_name",
            Attribute::string().optional().describe(
                "The name that clients know the endpoint by, such as `fraud.example.com`: `invoke_url` has it, and a rule without \
                 `host_headers` lets requests for it in. Without `zone_id` somebody else makes the record of it.",
            ),
        )
        .attribute(
            "zone_id",
            Attribute::string()
                .optional()
                .validate(validate::requires(["domain_name"]))
                .describe(
                    "The Route 53 hosted zone that gets a record of `domain_name`: an alias of the load balancer. A record that is there and \
                     that the endpoint did not make is never changed.",
                ),
        )
}

/// The name that is asked for. `None` while it is unknown.
pub(super) fn spec(ingress: &Ingress) -> Option<Option<DnsSpec>> {
    let zone_id = convert::known(&ingress.zone_id)?;
    let name = convert::known(&ingress.domain_name)?;
    Some(name.map(|name| DnsSpec::new(&name, zone_id.as_deref())))
}

/// The hosts that lead to a rule: those that are written, or else the name alone.
pub(super) fn hosts(written: Option<Vec<String>>, dns: Option<&DnsSpec>) -> Vec<String> {
    let name = || dns.map(|dns| dns.domain_name.clone());
    written.unwrap_or_else(|| name().into_iter().collect())
}

/// The attributes of a name that Terraform did not know. Where the name is a rule's only host, nobody need write that.
pub(super) fn import(ingress: &mut Ingress, dns: Option<&DnsSpec>, of: &IngressSpec) {
    let Some(dns) = dns else { return };
    ingress.domain_name = dns.domain_name.clone().into();
    ingress.zone_id = dns.zone_id.clone().into();
    if let IngressSpec::Rule { host_headers, .. } = of
        && *host_headers == [dns.domain_name.clone()]
    {
        ingress.host_headers = Attr::Null;
    }
}

/// Puts into `state` that the zone has no such record any more, if that is so: a plan shows then that one will be made.
pub(super) fn drifted(state: &mut State, drift: Option<&String>) {
    if let (Some(_), Attr::Known(ingress)) = (drift, &mut state.ingress) {
        ingress.zone_id = Attr::Null;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_without_hosts_of_its_own_has_the_name() {
        let dns = DnsSpec::new("Fraud.example.com", None);
        assert_eq!(hosts(None, Some(&dns)), ["fraud.example.com"]);
        assert_eq!(hosts(Some(vec!["*".to_owned()]), Some(&dns)), ["*"]);
        assert_eq!(hosts(None, None), [""; 0]);
    }
}
