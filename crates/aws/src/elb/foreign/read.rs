//! What leads to a target group, and what it asks: judged by whether an endpoint can say it.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Listener, ProtocolEnum, Rule, RuleCondition, TargetGroup,
    TargetTypeEnum,
};
use mlops_core::endpoint::spec::{HealthCheck, IngressSpec, SlotChoice};
use mlops_core::{Error, Result};

use super::{Before, FoundFront};
use crate::elb::calls::{Blame, about, or_missing, run};
use crate::elb::front::of;
use crate::elb::{Balancers, action, groups, tags};

/// A rule that leads to a target group, and the listener that it is on. That of a listener itself is its last one.
struct Use {
    listener: Listener,
    rule: Rule,
    /// How many rules the listener has beside its last one.
    rules: usize,
}

impl Use {
    fn is_listener(&self) -> bool {
        self.rule.is_default() == Some(true)
    }

    /// For messages.
    fn named(&self) -> String {
        match self.is_listener() {
            true => format!(
                "listener {}",
                self.listener.listener_arn().unwrap_or_default()
            ),
            false => format!("rule {}", self.rule.rule_arn().unwrap_or_default()),
        }
    }
}

impl Balancers {
    /// What is before the target group of a service. What no endpoint can say of it is added to `problems`; where nothing can be told without it, there is
    /// no answer.
    ///
    /// # Errors
    /// `Conflict` if some of it is an endpoint's.
    pub(crate) async fn before(
        &self,
        group_arn: &str,
        problems: &mut Vec<String>,
    ) -> Result<Option<Before>> {
        let group = self.described_group(group_arn).await?;
        let (health_check, drain) = (
            health_check(&group, problems),
            self.attributes(group_arn, problems).await?,
        );
        let balancer = match group.load_balancer_arns() {
            [one] => one,
            [] => {
                problems.push(format!(
                    "no load balancer leads to its target group {group_arn}: give it a rule of a listener, or a listener"
                ));
                return Ok(None);
            }
            several => {
                problems.push(format!(
                    "several load balancers lead to its target group {group_arn} ({}), and an endpoint has one: leave one of them",
                    several.join(", ")
                ));
                return Ok(None);
            }
        };
        let mut uses = self.uses(balancer, group_arn).await?;
        let used = match (uses.pop(), uses.is_empty()) {
            (Some(one), true) => one,
            (None, _) => {
                problems.push(format!(
                    "no listener and no rule of load balancer {balancer} forwards to its target group {group_arn} alone: give it a rule"
                ));
                return Ok(None);
            }
            (Some(one), false) => {
                let names: Vec<String> = uses.iter().chain([&one]).map(Use::named).collect();
                problems.push(format!(
                    "several listeners or rules lead to its target group ({}), and an endpoint has one: leave one of them",
                    names.join(", ")
                ));
                return Ok(None);
            }
        };
        let weight = forwarded(&used, group_arn, problems);
        let ingress = match used.is_listener() {
            true => listener(&used, balancer, problems),
            false => rule(&used, problems),
        };
        let Some((ingress, arn, slot)) = ingress else {
            return Ok(None);
        };
        let tagged = self.tags(&[&arn, group_arn], Blame::Nothing).await?;
        for one in [arn.as_str(), group_arn] {
            if let Some(endpoint) = tags::owner(of(&tagged, one)) {
                return Err(Error::conflict(format!(
                    "{one} belongs to endpoint {endpoint} already; import that one, or take it off this service first"
                )));
            }
        }
        let place = self.place(&ingress).await?;
        let front = place.front(&ingress, slot, arn);
        Ok(Some(Before {
            found: FoundFront {
                front,
                ingress,
                group_arn: group_arn.to_owned(),
                weight,
            },
            health_check,
            drain_seconds: drain,
        }))
    }

    async fn described_group(&self, arn: &str) -> Result<TargetGroup> {
        let about = about(
            "DescribeTargetGroups",
            format!("target group {arn}"),
            Blame::Nothing,
        );
        let sent = run(&self.clients, &about, |client| {
            Box::pin(
                client
                    .describe_target_groups()
                    .target_group_arns(arn)
                    .send(),
            )
        });
        let found = or_missing(sent.await)?.and_then(|answer| answer.target_groups?.pop());
        found.ok_or_else(|| {
            Error::invalid(format!(
                "the service's target group {arn} does not exist any more; give the service one that does"
            ))
        })
    }

    /// How long it drains; what else it is set to must be as endpoints have it.
    async fn attributes(&self, arn: &str, problems: &mut Vec<String>) -> Result<u64> {
        let about = about(
            "DescribeTargetGroupAttributes",
            format!("target group {arn}"),
            Blame::Nothing,
        );
        let sent = run(&self.clients, &about, |client| {
            let request = client.describe_target_group_attributes();
            Box::pin(request.target_group_arn(arn).send())
        });
        let told = sent.await?.attributes.unwrap_or_default().into_iter();
        let all: BTreeMap<String, String> = told
            .filter_map(|one| Some((one.key?, one.value.unwrap_or_default())))
            .collect();
        for (key, usual) in [
            ("stickiness.enabled", "false"),
            ("slow_start.duration_seconds", "0"),
            ("load_balancing.algorithm.type", "round_robin"),
        ] {
            if let Some(value) = all.get(key).filter(|value| *value != usual) {
                problems.push(format!(
                    "its target group has {key} = {value}, and those of endpoints have {usual}: set it so"
                ));
            }
        }
        let drain = all.get("deregistration_delay.timeout_seconds");
        Ok(drain
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(300))
    }

    /// Everything on a load balancer that forwards to the group, alone or beside others.
    async fn uses(&self, balancer: &str, group: &str) -> Result<Vec<Use>> {
        let mut uses = Vec::new();
        for listener in self.listeners(balancer, Blame::Nothing).await? {
            let arn = listener.listener_arn().unwrap_or_default().to_owned();
            let rules = self.rules(&arn, Blame::Nothing).await?;
            let beside = rules.iter().filter(|rule| rule.is_default() != Some(true));
            let beside = beside.count();
            for rule in rules {
                let leads = action::groups(rule.actions()).into_iter();
                if leads.into_iter().any(|(one, _)| one == group) {
                    uses.push(Use {
                        listener: listener.clone(),
                        rule,
                        rules: beside,
                    });
                }
            }
        }
        Ok(uses)
    }
}

/// The weight of the group in the one action that it must be; an endpoint changes that action, and can have no other.
fn forwarded(used: &Use, group: &str, problems: &mut Vec<String>) -> u32 {
    let (actions, name) = (used.rule.actions(), used.named());
    for action in actions {
        if action.r#type() != Some(&ActionTypeEnum::Forward) {
            problems.push(format!(
                "{name} has an action {} before it forwards, which no endpoint has: take it away",
                action
                    .r#type()
                    .map_or("of another kind", ActionTypeEnum::as_str)
            ));
        }
    }
    let sticky = |action: &Action| {
        let config = action.forward_config();
        let sticky = config.and_then(|config| config.target_group_stickiness_config());
        sticky.and_then(|sticky| sticky.enabled()) == Some(true)
    };
    if actions.iter().any(sticky) {
        problems.push(format!("{name} keeps clients with a target group, which no endpoint does: switch its stickiness off"));
    }
    let groups = action::groups(actions);
    if groups.len() > 1 {
        problems.push(format!(
            "{name} divides requests among {} target groups: leave it this one",
            groups.len()
        ));
    }
    let weight = groups.iter().find(|(one, _)| one == group);
    weight.map_or(1, |(_, weight)| *weight)
}

type Place = Option<(IngressSpec, String, u16)>;

fn listener(used: &Use, balancer: &str, problems: &mut Vec<String>) -> Place {
    let name = used.named();
    if used.rules > 0 {
        problems.push(format!(
            "{name} has {} rules of others, and an endpoint's own listener has none: give the service a rule of its own there, and the listener another \
             default action",
            used.rules
        ));
    }
    if used.listener.protocol() != Some(&ProtocolEnum::Http) {
        problems.push(format!(
            "{name} speaks {}, and listeners of endpoints speak HTTP: give the service a rule of its own there, and the listener another default action",
            (used.listener.protocol()).map_or("another protocol", ProtocolEnum::as_str)
        ));
    }
    let port = u16::try_from(used.listener.port()?).ok()?;
    let ingress = IngressSpec::Listener {
        load_balancer_arn: balancer.to_owned(),
        port: SlotChoice::Fixed(port),
    };
    Some((ingress, used.listener.listener_arn()?.to_owned(), port))
}

fn rule(used: &Use, problems: &mut Vec<String>) -> Place {
    let name = used.named();
    let (mut hosts, mut paths) = (Vec::new(), Vec::new());
    for condition in used.rule.conditions() {
        match said(condition) {
            Ok(Said::Hosts(some)) => hosts.extend(some),
            Ok(Said::Paths(some)) => paths.extend(some),
            Err(what) => problems.push(format!(
                "{name} has the condition {what}; an endpoint has host_headers and path_patterns: take it away"
            )),
        }
    }
    if !used.rule.transforms().is_empty() {
        problems.push(format!(
            "{name} rewrites requests, which no endpoint does: take its transforms away"
        ));
    }
    let priority = used.rule.priority()?.parse().ok()?;
    let ingress = IngressSpec::Rule {
        listener_arn: used.listener.listener_arn()?.to_owned(),
        priority: SlotChoice::Fixed(priority),
        host_headers: hosts,
        path_patterns: paths,
    };
    Some((ingress, used.rule.rule_arn()?.to_owned(), priority))
}

enum Said {
    Hosts(Vec<String>),
    Paths(Vec<String>),
}

/// A condition in the words of an endpoint; else what it is called. Two conditions of one kind are both to hold, which no list says.
fn said(condition: &RuleCondition) -> std::result::Result<Said, String> {
    let field = condition.field().unwrap_or_default();
    let old = || condition.values().to_vec();
    let (values, regexes, said): (_, _, fn(Vec<String>) -> Said) = match field {
        "host-header" => {
            let config = condition.host_header_config();
            let values = config.map_or_else(old, |config| config.values().to_vec());
            (
                values,
                config.map(|config| config.regex_values()),
                Said::Hosts,
            )
        }
        "path-pattern" => {
            let config = condition.path_pattern_config();
            let values = config.map_or_else(old, |config| config.values().to_vec());
            (
                values,
                config.map(|config| config.regex_values()),
                Said::Paths,
            )
        }
        other => return Err(other.to_owned()),
    };
    let by_regex = condition
        .regex_values()
        .iter()
        .chain(regexes.unwrap_or_default());
    match by_regex.count() {
        0 => Ok(said(values)),
        _ => Err(format!("{field} by regular expressions")),
    }
}

/// What the group asks its targets, said as far as it differs from what groups of endpoints ask.
fn health_check(group: &TargetGroup, problems: &mut Vec<String>) -> HealthCheck {
    let mut refuse = |what: String| problems.push(format!("its target group {what}"));
    if group.target_type() != Some(&TargetTypeEnum::Ip) {
        refuse(format!(
            "has targets of type {}: endpoints have addresses of tasks (ip, with the network mode awsvpc)",
            group
                .target_type()
                .map_or("unknown", TargetTypeEnum::as_str)
        ));
    }
    let http = Some(&ProtocolEnum::Http);
    if group.protocol() != http || group.protocol_version().is_some_and(|one| one != "HTTP1") {
        refuse(format!(
            "speaks {} {} with tasks: endpoints speak HTTP1",
            group.protocol().map_or("", ProtocolEnum::as_str),
            group.protocol_version().unwrap_or_default(),
        ));
    }
    if group.health_check_protocol() != http {
        refuse(
            "checks the health of tasks by another protocol than HTTP: let it ask by HTTP"
                .to_owned(),
        );
    }
    if (group.health_check_port()).is_some_and(|port| port != "traffic-port") {
        refuse(
            "checks the health of tasks at another port than requests go to: set traffic-port"
                .to_owned(),
        );
    }
    let codes = group.matcher().and_then(|matcher| matcher.http_code());
    if let Some(codes) = codes.filter(|codes| !are_successes(codes)) {
        refuse(format!(
            "takes the statuses {codes} for healthy, and those of endpoints take 200-299: have health_check_path answer with one of these"
        ));
    }
    groups::spoken(group)
}

/// Whether all statuses of a matcher, such as `200,202` or `200-299`, are in 200 to 299.
fn are_successes(codes: &str) -> bool {
    codes.split([',', '-']).all(|code| {
        let code = code.trim().parse::<u16>();
        code.is_ok_and(|code| (200..=299).contains(&code))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::PathPatternConditionConfig;
    use mlops_core::endpoint::Period;

    use super::*;

    #[test]
    fn statuses_are_successes_or_not() {
        for (codes, are) in [
            ("200", true),
            ("200-299", true),
            ("200,204", true),
            ("200-399", false),
            ("200,302", false),
            ("", false),
        ] {
            assert_eq!(are_successes(codes), are, "{codes:?}");
        }
    }

    #[test]
    fn a_condition_is_said_by_paths_or_hosts_and_not_by_regular_expressions() {
        let paths = || PathPatternConditionConfig::builder().values("/v2/*");
        let condition = |config: PathPatternConditionConfig| {
            let condition = RuleCondition::builder().field("path-pattern");
            said(&condition.path_pattern_config(config).build())
        };
        assert!(matches!(condition(paths().build()), Ok(Said::Paths(all)) if all == ["/v2/*"]));
        assert!(condition(paths().regex_values("^/v2").build()).is_err());
        let short = RuleCondition::builder()
            .field("host-header")
            .values("a.example.com");
        assert!(matches!(said(&short.build()), Ok(Said::Hosts(all)) if all == ["a.example.com"]));
        let method = RuleCondition::builder()
            .field("http-request-method")
            .build();
        assert!(matches!(said(&method), Err(what) if what == "http-request-method"));
    }

    #[test]
    fn a_check_is_said_as_far_as_endpoints_would_not_ask_so_anyway() {
        let group = || {
            TargetGroup::builder()
                .health_check_path("/")
                .health_check_interval_seconds(10)
                .health_check_timeout_seconds(5)
                .healthy_threshold_count(2)
                .unhealthy_threshold_count(3)
        };
        assert_eq!(groups::spoken(&group().build()), HealthCheck::default());
        let other = group()
            .health_check_interval_seconds(30)
            .health_check_path("/up");
        let said = groups::spoken(&other.build());
        assert_eq!(said.path.as_deref(), Some("/up"));
        assert_eq!(said.interval, Some(Period::seconds(30)));
        assert_eq!(said.timeout, Some(Period::seconds(5)));
    }
}
