//! Listeners and rules: made, found again, looked at, changed, taken away.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, HostHeaderConditionConfig, Listener, PathPatternConditionConfig, ProtocolEnum, Rule,
    RuleCondition,
};
use mlops_core::endpoint::spec::IngressSpec;
use mlops_core::names::VariantName;
use mlops_core::target::RevisionName;
use mlops_core::{Error, Result};
use uuid::Uuid;

use super::calls::{Blame, Refusal, about, nowhere, or_missing, run};
use super::tags::{self, Tags};
use super::{Attached, Balancers, Front, FrontKind, Opened, Owner, action, pages};

/// The most things whose tags are asked for at once (`DescribeTags`).
pub(super) const MOST_TAGGED: usize = 20;

/// A listener or a rule as Elastic Load Balancing knows it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) arn: String,
    slot: u16,
    actions: Vec<Action>,
}

impl Found {
    /// Its own ARN, and those of the target groups behind it.
    pub(super) fn arns(&self) -> impl Iterator<Item = String> {
        let groups = action::groups(&self.actions).into_iter();
        std::iter::once(self.arn.clone()).chain(groups.map(|(arn, _)| arn))
    }

    fn listener(listener: Listener) -> Option<Self> {
        Some(Self {
            arn: listener.listener_arn?,
            slot: listener.port?.try_into().ok()?,
            actions: listener.default_actions.unwrap_or_default(),
        })
    }

    /// `None` for the rule that every listener ends with: it has no priority.
    fn rule(rule: Rule) -> Option<Self> {
        Some(Self {
            arn: rule.rule_arn?,
            slot: rule.priority?.parse().ok()?,
            actions: rule.actions.unwrap_or_default(),
        })
    }
}

impl Balancers {
    /// Makes the front in `slot`, or finds the one that an earlier call of the same owner made. It takes no request yet: it
    /// answers 503.
    ///
    /// # Errors
    /// `Invalid` or `Denied` at `ingress.load_balancer_arn` or `ingress.listener_arn`.
    pub(crate) async fn open(
        &self,
        owner: &Owner,
        ingress: &IngressSpec,
        slot: u16,
    ) -> Result<Opened> {
        let place = self.place(ingress).await?;
        let arn = match self.create(owner, ingress, slot).await {
            Ok(Some(arn)) => arn,
            Ok(None) => return Err(gone_meanwhile(ingress, slot)),
            Err(refusal) if is_taken(&refusal) => {
                let Some(found) = self.at(ingress, slot).await? else {
                    return Err(match is_full(&refusal) {
                        true => refusal.into(),
                        false => gone_meanwhile(ingress, slot),
                    });
                };
                match self.tags(&[&found.arn], Blame::of(ingress)).await {
                    Ok(all) if tags::are_made_by(of(&all, &found.arn), owner) => found.arn,
                    Ok(_) => return Ok(Opened::Foreign),
                    Err(refusal) if refusal.is_missing() => {
                        return Err(gone_meanwhile(ingress, slot));
                    }
                    Err(refusal) => return Err(refusal.into()),
                }
            }
            Err(refusal) => return Err(refusal.into()),
        };
        Ok(Opened::Front(place.front(ingress, slot, arn)))
    }

    /// The endpoint's target groups that the front divides requests among; `None` if the front is gone, or does not carry the
    /// endpoint's id.
    pub(crate) async fn look(
        &self,
        front: &Front,
        endpoint: Uuid,
    ) -> Result<Option<Vec<Attached>>> {
        match self.one(front).await? {
            Some(found) => self.attached_to(&found, front, endpoint).await,
            None => Ok(None),
        }
    }

    /// The endpoint's target groups among those of a front that was found; `None` if it does not carry the endpoint's id.
    pub(super) async fn attached_to(
        &self,
        found: &Found,
        front: &Front,
        endpoint: Uuid,
    ) -> Result<Option<Vec<Attached>>> {
        let arns: Vec<String> = found.arns().collect();
        let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
        let all = or_missing(self.tags(&arns, Blame::of_front(front)).await)?;
        Ok(all.and_then(|all| divided(found, &all, endpoint)))
    }

    /// Takes the front away. One that is gone already is success.
    ///
    /// # Errors
    /// `Conflict` for one that does not carry the endpoint's id any more: it stays.
    pub(crate) async fn close(&self, front: &Front, endpoint: Uuid) -> Result<()> {
        let blame = Blame::of_front(front);
        match self.tags(&[&front.arn], blame).await {
            Ok(all) if tags::are_of(of(&all, &front.arn), endpoint) => {}
            // Whoever answers no tags for what is gone, instead of an error.
            Ok(_) if self.one(front).await?.is_none() => return Ok(()),
            Ok(_) => {
                return Err(Error::conflict(format!(
                    "{} does not carry the tag {} = {endpoint} any more, so it is left; give it the tag back, or delete it",
                    named(front),
                    tags::ENDPOINT_ID
                )));
            }
            Err(refusal) if refusal.is_missing() => return Ok(()),
            Err(refusal) => return Err(refusal.into()),
        }
        let operation = match front.kind {
            FrontKind::Listener => "DeleteListener",
            FrontKind::Rule => "DeleteRule",
        };
        let about = about(operation, named(front), blame);
        let deleted = match front.kind {
            FrontKind::Listener => {
                let sent = run(&self.clients, &about, |client| {
                    Box::pin(client.delete_listener().listener_arn(&front.arn).send())
                });
                sent.await.map(drop)
            }
            FrontKind::Rule => {
                let sent = run(&self.clients, &about, |client| {
                    Box::pin(client.delete_rule().rule_arn(&front.arn).send())
                });
                sent.await.map(drop)
            }
        };
        match deleted {
            Err(refusal) if !refusal.is_missing() => Err(refusal.into()),
            _ => Ok(()),
        }
    }

    /// Takes away every front that `owner` itself made on what `ingress` names, whatever slots its calls came to: the answer of
    /// the last one may be lost. None is success.
    pub(crate) async fn take_back(&self, owner: &Owner, ingress: &IngressSpec) -> Result<()> {
        let (all, tagged) = loop {
            let all = match self.listed(ingress).await {
                Ok(all) => all,
                // With the load balancer or the listener went everything that was on it.
                Err(refusal) if refusal.is_missing() => return Ok(()),
                Err(refusal) => return Err(refusal.into()),
            };
            let arns: Vec<&str> = all.iter().map(|found| found.arn.as_str()).collect();
            match self.tags(&arns, Blame::of(ingress)).await {
                Ok(tagged) => break (all, tagged),
                // Somebody took one of them away meanwhile. Every turn of this loop is somebody's delete.
                Err(refusal) if refusal.is_missing() => {}
                Err(refusal) => return Err(refusal.into()),
            }
        };
        for found in &all {
            if tags::are_made_by(of(&tagged, &found.arn), owner) {
                let place = self.place(ingress).await?;
                let front = place.front(ingress, found.slot, found.arn.clone());
                self.close(&front, owner.endpoint).await?;
            }
        }
        Ok(())
    }

    /// Makes the front divide requests so, in one call; without any group it answers 503.
    ///
    /// # Errors
    /// `NotFound` if the front is gone.
    pub(super) async fn divide(
        &self,
        front: &Front,
        endpoint: Uuid,
        weights: Vec<(String, u32)>,
    ) -> Result<()> {
        let action = match weights.is_empty() {
            true => action::idle(endpoint),
            false => action::forward(weights),
        };
        let operation = match front.kind {
            FrontKind::Listener => "ModifyListener",
            FrontKind::Rule => "ModifyRule",
        };
        let about = about(operation, named(front), Blame::of_front(front));
        let changed = match front.kind {
            FrontKind::Listener => {
                let sent = run(&self.clients, &about, |client| {
                    let request = client.modify_listener().listener_arn(&front.arn);
                    Box::pin(request.default_actions(action.clone()).send())
                });
                sent.await.map(drop)
            }
            FrontKind::Rule => {
                let sent = run(&self.clients, &about, |client| {
                    let request = client.modify_rule().rule_arn(&front.arn);
                    Box::pin(request.actions(action.clone()).send())
                });
                sent.await.map(drop)
            }
        };
        changed.map_err(Error::from)
    }

    /// Who has which slot of what `ingress` names, as its load balancer says.
    pub(super) async fn taken(&self, ingress: &IngressSpec) -> Result<BTreeMap<u16, String>> {
        let word = match ingress {
            IngressSpec::Listener { .. } => "listener",
            IngressSpec::Rule { .. } => "rule",
        };
        let all = self.all(ingress).await?.into_iter();
        Ok(all
            .map(|found| (found.slot, format!("{word} {}", found.arn)))
            .collect())
    }

    async fn create(
        &self,
        owner: &Owner,
        ingress: &IngressSpec,
        slot: u16,
    ) -> Result<Option<String>, Refusal> {
        let blame = Blame::of(ingress);
        let resource = ingress.parent_arn();
        let labels = tags::as_list(tags::of(owner, None));
        let action = action::unused(owner);
        match ingress {
            IngressSpec::Listener { .. } => {
                let about = about("CreateListener", format!("load balancer {resource}"), blame);
                let sent = run(&self.clients, &about, |client| {
                    let request = client
                        .create_listener()
                        .load_balancer_arn(resource)
                        .protocol(ProtocolEnum::Http)
                        .port(i32::from(slot))
                        .default_actions(action.clone())
                        .set_tags(Some(labels.clone()));
                    Box::pin(request.send())
                });
                let made = sent.await?.listeners.unwrap_or_default().pop();
                Ok(made.and_then(|listener| listener.listener_arn))
            }
            IngressSpec::Rule { .. } => {
                let about = about("CreateRule", format!("listener {resource}"), blame);
                let sent = run(&self.clients, &about, |client| {
                    let request = client
                        .create_rule()
                        .listener_arn(resource)
                        .priority(i32::from(slot))
                        .set_conditions(Some(conditions(ingress)))
                        .actions(action.clone())
                        .set_tags(Some(labels.clone()));
                    Box::pin(request.send())
                });
                let made = sent.await?.rules.unwrap_or_default().pop();
                Ok(made.and_then(|rule| rule.rule_arn))
            }
        }
    }

    async fn at(&self, ingress: &IngressSpec, slot: u16) -> Result<Option<Found>> {
        let all = self.all(ingress).await?;
        Ok(all.into_iter().find(|found| found.slot == slot))
    }

    /// Every listener of the load balancer, or every rule of the listener.
    pub(super) async fn all(&self, ingress: &IngressSpec) -> Result<Vec<Found>> {
        let listed = self.listed(ingress).await;
        listed.map_err(|refusal| match refusal.is_missing() {
            true => nowhere(ingress.parent_arn(), Blame::of(ingress)),
            false => refusal.into(),
        })
    }

    async fn listed(&self, ingress: &IngressSpec) -> Result<Vec<Found>, Refusal> {
        let blame = Blame::of(ingress);
        Ok(match ingress {
            IngressSpec::Listener { .. } => {
                let all = self
                    .listeners(ingress.parent_arn(), blame)
                    .await?
                    .into_iter();
                all.filter_map(Found::listener).collect()
            }
            IngressSpec::Rule { .. } => {
                let all = self.rules(ingress.parent_arn(), blame).await?.into_iter();
                all.filter_map(Found::rule).collect()
            }
        })
    }

    /// Every listener of a load balancer.
    pub(super) async fn listeners(
        &self,
        balancer: &str,
        blame: Blame,
    ) -> Result<Vec<Listener>, Refusal> {
        let of = format!("load balancer {balancer}");
        let about = &about("DescribeListeners", of, blame);
        pages::all(|marker| async move {
            let sent = run(&self.clients, about, |client| {
                let request = client.describe_listeners().load_balancer_arn(balancer);
                Box::pin(request.set_marker(marker.clone()).send())
            });
            let page = sent.await?;
            Ok((page.listeners, page.next_marker))
        })
        .await
    }

    /// Every rule of a listener, the one among them that it ends with.
    pub(super) async fn rules(&self, listener: &str, blame: Blame) -> Result<Vec<Rule>, Refusal> {
        let about = &about("DescribeRules", format!("listener {listener}"), blame);
        pages::all(|marker| async move {
            let sent = run(&self.clients, about, |client| {
                let request = client.describe_rules().listener_arn(listener);
                Box::pin(request.set_marker(marker.clone()).send())
            });
            let page = sent.await?;
            Ok((page.rules, page.next_marker))
        })
        .await
    }

    /// The front itself, if it is there.
    pub(super) async fn one(&self, front: &Front) -> Result<Option<Found>> {
        let found = or_missing(self.described(front.kind, &[front]).await)?;
        Ok(found.and_then(|mut found| found.pop()))
    }

    /// Fronts of one kind, in one call.
    pub(super) async fn described(
        &self,
        kind: FrontKind,
        fronts: &[&Front],
    ) -> Result<Vec<Found>, Refusal> {
        let blame = match fronts {
            [front] => Blame::of_front(front),
            _ => Blame::Nothing,
        };
        let names: Vec<String> = fronts.iter().map(|front| named(front)).collect();
        let arns: Vec<String> = fronts.iter().map(|front| front.arn.clone()).collect();
        match kind {
            FrontKind::Listener => {
                let about = about("DescribeListeners", names.join(", "), blame);
                let sent = run(&self.clients, &about, |client| {
                    let request = client.describe_listeners();
                    Box::pin(request.set_listener_arns(Some(arns.clone())).send())
                });
                let all = sent.await?.listeners.unwrap_or_default();
                Ok(all.into_iter().filter_map(Found::listener).collect())
            }
            FrontKind::Rule => {
                let about = about("DescribeRules", names.join(", "), blame);
                let sent = run(&self.clients, &about, |client| {
                    let request = client.describe_rules();
                    Box::pin(request.set_rule_arns(Some(arns.clone())).send())
                });
                let all = sent.await?.rules.unwrap_or_default();
                Ok(all.into_iter().filter_map(Found::rule).collect())
            }
        }
    }

    /// The tags of these things, by their ARNs.
    pub(super) async fn tags(
        &self,
        arns: &[&str],
        blame: Blame,
    ) -> Result<BTreeMap<String, Tags>, Refusal> {
        let mut all = BTreeMap::new();
        for some in arns.chunks(MOST_TAGGED) {
            let about = about("DescribeTags", some.join(", "), blame);
            let some: Vec<String> = some.iter().map(|arn| (*arn).to_owned()).collect();
            let sent = run(&self.clients, &about, |client| {
                let request = client.describe_tags();
                Box::pin(request.set_resource_arns(Some(some.clone())).send())
            });
            for described in sent.await?.tag_descriptions.unwrap_or_default() {
                let pair = |tag: aws_sdk_elasticloadbalancingv2::types::Tag| {
                    Some((tag.key?, tag.value.unwrap_or_default()))
                };
                let tags = described.tags.unwrap_or_default().into_iter();
                if let Some(arn) = described.resource_arn {
                    all.insert(arn, tags.filter_map(pair).collect());
                }
            }
        }
        Ok(all)
    }
}

/// The endpoint's target groups among those of a front with these tags; `None` if the front is not the endpoint's.
pub(super) fn divided(
    found: &Found,
    tags: &BTreeMap<String, Tags>,
    endpoint: Uuid,
) -> Option<Vec<Attached>> {
    if !tags::are_of(of(tags, &found.arn), endpoint) {
        return None;
    }
    let groups = action::groups(&found.actions).into_iter();
    let attached = groups.filter_map(|(group_arn, weight)| {
        let (revision, variant) = revision_of(of(tags, &group_arn), endpoint)?;
        Some(Attached {
            group_arn,
            revision,
            variant,
            weight,
        })
    });
    Some(attached.collect())
}

/// The tags of one of them; none if it was not told.
pub(super) fn of<'a>(all: &'a BTreeMap<String, Tags>, arn: &str) -> &'a Tags {
    static NONE: Tags = Tags::new();
    all.get(arn).unwrap_or(&NONE)
}

/// The revision that a thing with these tags is a part of, if it is the endpoint's.
pub(super) fn revision_of(tags: &Tags, endpoint: Uuid) -> Option<(RevisionName, VariantName)> {
    if !tags::are_of(tags, endpoint) {
        return None;
    }
    let variant = VariantName::new(tags.get(tags::VARIANT)?.as_str()).ok()?;
    Some((tags::revision(tags)?, variant))
}

fn conditions(ingress: &IngressSpec) -> Vec<RuleCondition> {
    let IngressSpec::Rule {
        host_headers,
        path_patterns,
        ..
    } = ingress
    else {
        return Vec::new();
    };
    let mut conditions = Vec::new();
    if !host_headers.is_empty() {
        let hosts = HostHeaderConditionConfig::builder().set_values(Some(host_headers.clone()));
        let condition = RuleCondition::builder()
            .field("host-header")
            .host_header_config(hosts.build());
        conditions.push(condition.build());
    }
    if !path_patterns.is_empty() {
        let paths = PathPatternConditionConfig::builder().set_values(Some(path_patterns.clone()));
        let condition = RuleCondition::builder()
            .field("path-pattern")
            .path_pattern_config(paths.build());
        conditions.push(condition.build());
    }
    conditions
}

/// Whether a create was refused because of what is there: our own front may be among it, made by a call whose answer was lost.
fn is_taken(refusal: &Refusal) -> bool {
    refusal.is("DuplicateListener") || refusal.is("PriorityInUse") || is_full(refusal)
}

fn is_full(refusal: &Refusal) -> bool {
    refusal.is("TooManyListeners") || refusal.is("TooManyRules")
}

/// Somebody took a listener or a rule away between two calls.
fn gone_meanwhile(ingress: &IngressSpec, slot: u16) -> Error {
    Error::unavailable(format!(
        "slot {slot} of {} was taken, and is free again; run the operation again",
        ingress.parent_arn()
    ))
}

/// A front, for messages.
pub(super) fn named(front: &Front) -> String {
    match front.kind {
        FrontKind::Listener => format!("listener {}", front.arn),
        FrontKind::Rule => format!("rule {}", front.arn),
    }
}
