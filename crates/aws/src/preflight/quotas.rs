//! Whether the account may have what an endpoint asks for: quotas of ECS and of Fargate. Those of load balancers have a check of their own.
//!
//! How many vCPUs of Fargate an account uses nobody tells but by all of its tasks, so the endpoint's alone are held against the quota.

use mlops_core::endpoint::cost::{Footprint, Tasks};
use mlops_core::endpoint::spec::{EndpointSpec, LaunchType};
use mlops_core::names::cluster_name;
use mlops_core::target::{Check, Finding, FrontChange, PreflightAsked};
use mlops_core::{Class, Error, Result};

use super::service_quotas::{self, Quotas};
use super::{Around, Preflight};

/// The names of quotas, and what an account has that asked for no more: "Amazon ECS service quotas" in its developer guide.
const SERVICES: (&str, f64) = ("Services per cluster", 5000.0);
const TASKS: (&str, f64) = ("Tasks per service", 5000.0);
/// Of these AWS says that new accounts may have less than the default, which then says nothing.
const ON_DEMAND: &str = "Fargate On-Demand vCPU resource count";
const SPOT: &str = "Fargate Spot vCPU resource count";

/// What is known when an endpoint is judged.
#[derive(Debug, Default)]
struct Seen {
    /// How many services the cluster has; `None` if it is not there or cannot be read, which is another check's business.
    services: Option<u64>,
    /// How many other endpoints of this run add.
    others: u64,
    /// `None` if they could not be read: then AWS's own.
    ecs: Option<Quotas>,
    fargate: Option<Quotas>,
}

impl Preflight {
    pub(super) async fn look_at_quotas(&self, around: &Around<'_>) -> Vec<Finding> {
        let Around { spec, ecs, asked } = around;
        let cluster = &ecs.cluster;
        let (found, of_ecs, of_fargate) = futures::join!(
            self.cluster(cluster),
            self.quotas("ecs"),
            self.quotas("fargate")
        );
        let (of_ecs, unseen) = unless_unseen(of_ecs);
        let (of_fargate, also) = unless_unseen(of_fargate);
        let seen = Seen {
            services: found.ok().flatten().map(|found| found.services),
            others: (self.planned_services).note(cluster, &spec.name, asked.revisions),
            ecs: of_ecs,
            fargate: of_fargate,
        };
        let mut findings = judge(spec, cluster_name(cluster), &seen, asked);
        findings.extend(unseen.or(also));
        findings
    }

    async fn quotas(&self, service: &str) -> Result<Quotas> {
        let quotas = service_quotas::quotas(&self.clients, service);
        self.quotas.get(service, quotas).await
    }
}

/// What was read, if anything was: what is not is held against AWS's own. Whoever may not read it knows that; that nobody answered is told.
fn unless_unseen(read: Result<Quotas>) -> (Option<Quotas>, Option<Finding>) {
    match read {
        Ok(quotas) => (Some(quotas), None),
        Err(error) if error.class() == Class::Unavailable => {
            (None, Some(Finding::possible(Check::Quotas, error)))
        }
        Err(_) => (None, None),
    }
}

fn judge(spec: &EndpointSpec, cluster: &str, seen: &Seen, asked: &PreflightAsked) -> Vec<Finding> {
    let footprint = Footprint::of(spec);
    let mut findings: Vec<Finding> = services(cluster, seen, asked).into_iter().collect();
    let Some(footprint) = footprint else {
        return findings;
    };
    let is_new = asked.revisions > 0;
    for (name, tasks) in &footprint.variants {
        let is_own = spec
            .variants
            .get(name)
            .is_some_and(|one| one.autoscaling.is_some());
        let block = match is_own {
            true => format!("variants.{name}.autoscaling"),
            false => "autoscaling".to_owned(),
        };
        findings.extend(tasks_of_one(name.as_str(), &block, tasks, seen, is_new));
    }
    findings.extend(vcpus(&footprint, seen, asked));
    findings
}

/// What the account may have of ECS, in words, and whether it is the account's.
fn of_ecs(seen: &Seen, (name, default): (&str, f64)) -> (f64, bool, &'static str) {
    match seen.ecs.as_ref().and_then(|quotas| quotas.get(name)) {
        Some(most) => (*most, true, "the account may have"),
        None => (
            default,
            false,
            "the account's quota could not be read (servicequotas:ListServiceQuotas), and AWS's own is",
        ),
    }
}

fn services(cluster: &str, seen: &Seen, asked: &PreflightAsked) -> Option<Finding> {
    let there = seen.services.filter(|_| asked.revisions > 0)?;
    let (most, is_known, whose) = of_ecs(seen, SERVICES);
    if count(there + seen.others + asked.revisions) <= most {
        return None;
    }
    let besides = match seen.others {
        0 => String::new(),
        more => format!(", other endpoints of this run add {more}"),
    };
    let text = format!(
        "cluster {cluster} has {there} services{besides}, this change needs {} more, and {whose} {most}; ask AWS for more of {:?}, destroy an endpoint \
         that is not needed, or name another cluster in ecs.cluster_arn",
        asked.revisions, SERVICES.0
    );
    Some(found(is_known, Error::invalid(text).at("ecs.cluster_arn")))
}

fn tasks_of_one(
    variant: &str,
    block: &str,
    tasks: &Tasks,
    seen: &Seen,
    is_new: bool,
) -> Option<Finding> {
    let (most, is_known, whose) = of_ecs(seen, TASKS);
    let (word, bound, asked) = match (f64::from(tasks.least) > most, f64::from(tasks.most) > most) {
        (true, _) => ("at least", "min", tasks.least),
        (_, true) => ("up to", "max", tasks.most),
        _ => return None,
    };
    let text = format!(
        "variant {variant} asks for {word} {asked} tasks, all of one service, and {whose} {most}; ask for less in {block}, or ask AWS for more of {:?}",
        TASKS.0
    );
    // Autoscaling stays below what it may have.
    let is_certain = is_known && is_new && f64::from(tasks.least) > most;
    let error = Error::invalid(text).at(format!("{block}.{bound}"));
    Some(found(is_certain, error))
}

fn vcpus(footprint: &Footprint, seen: &Seen, asked: &PreflightAsked) -> Option<Finding> {
    let capacity = &footprint.capacity;
    let mut providers = capacity.providers().into_iter().flat_map(|all| all.keys());
    let name = match (capacity.launch_type(), providers.next(), providers.next()) {
        (LaunchType::Fargate, None, _) => ON_DEMAND,
        (LaunchType::Fargate, Some(one), None) if one == "FARGATE" => ON_DEMAND,
        (LaunchType::Fargate, Some(_), None) => SPOT,
        // How many tasks each of several gets is not known here.
        _ => return None,
    };
    let most = *seen.fargate.as_ref()?.get(name)?;
    let all = |which: fn(&Tasks) -> u32| -> f64 {
        let each = footprint.variants.values();
        let each = each.map(|tasks| f64::from(tasks.cpu) / 1024.0 * f64::from(which(tasks)));
        each.sum()
    };
    let (least, greatest) = (all(|tasks| tasks.least), all(|tasks| tasks.most));
    let is_rollout = asked.revisions > 0 && asked.front == FrontChange::Keep;
    let (said, needed) = if least > most {
        ("the endpoint's tasks need at least", least)
    } else if is_rollout && least * 2.0 > most {
        (
            "while a rollout moves the traffic, what serves and what comes need together up to",
            least * 2.0,
        )
    } else if greatest > most {
        (
            "with as many tasks as autoscaling allows the endpoint needs",
            greatest,
        )
    } else {
        return None;
    };
    let text = format!(
        "{said} {needed} vCPUs, and the account may have {most} in this region for all that runs on Fargate there; ask AWS for more of {name:?}, or ask for \
         less in cpu or autoscaling"
    );
    let is_certain = least > most && asked.revisions > 0;
    Some(found(is_certain, Error::invalid(text).at("variants")))
}

fn found(is_certain: bool, error: Error) -> Finding {
    match is_certain {
        true => Finding::certain(Check::Quotas, error),
        false => Finding::possible(Check::Quotas, error),
    }
}

/// As quotas are told; nobody has so many that it matters.
fn count(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use mlops_core::target::Verdict;
    use serde_json::json;

    use super::super::fixtures::asked;
    use super::*;

    /// Two tasks of two vCPUs, and up to four.
    fn spec(ecs: serde_json::Value) -> EndpointSpec {
        let mut all = json!({
            "cluster": "models", "execution_role_arn": "e", "task_role_arn": "t", "image": "i",
            "network": {"subnets": ["a"]},
            "ingress": {"listener": {"load_balancer_arn": "alb", "port": {"fixed": 80}}},
        });
        for (name, value) in ecs.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        let spec = json!({
            "name": "digits",
            "variants": {"main": {"image": "i@sha256:1", "traffic": 100.0, "compute": {"cpu": 2048, "memory_mb": 4096}}},
            "autoscaling": {"min": 2, "max": 4},
            "target": {"ecs": all},
        });
        serde_json::from_value(spec).expect("a specification")
    }

    fn quotas(name: &str, value: f64) -> Option<Quotas> {
        Some([(name.to_owned(), value)].into())
    }

    fn told(spec: &EndpointSpec, seen: &Seen, asked: &PreflightAsked) -> Vec<(Verdict, String)> {
        let told = judge(spec, "models", seen, asked).into_iter();
        let told = told.map(|found| {
            let at = found.error.attribute().expect("an attribute");
            (found.verdict, format!("{at}: {}", found.error))
        });
        told.collect()
    }

    #[test]
    fn a_cluster_has_so_many_services_and_no_more() {
        let spec = spec(json!({}));
        let first = asked(FrontChange::First, 1);
        let seen = |services, others, most: Option<f64>| Seen {
            services: Some(services),
            others,
            ecs: most.and_then(|most| quotas(SERVICES.0, most)),
            fargate: None,
        };
        assert_eq!(told(&spec, &seen(9, 0, Some(10.0)), &first), []);
        let full = told(&spec, &seen(8, 2, Some(10.0)), &first);
        let [(Verdict::Fails, text)] = &full[..] else {
            panic!("{full:?}")
        };
        let said = "ecs.cluster_arn: cluster models has 8 services, other endpoints of this run add 2, this change needs 1 more, and the account may have 10;";
        assert!(text.starts_with(said), "{text}");
        assert_eq!(
            told(
                &spec,
                &seen(10, 0, Some(10.0)),
                &asked(FrontChange::Keep, 0)
            ),
            []
        );
        // AWS's own.
        assert_eq!(told(&spec, &seen(4999, 0, None), &first), []);
        let unread = told(&spec, &seen(5000, 0, None), &first);
        assert_eq!((unread.len(), unread[0].0), (1, Verdict::MayFail));
        assert!(unread[0].1.contains("AWS's own is 5000"), "{unread:?}");
    }

    #[test]
    fn a_service_has_so_many_tasks_and_no_more() {
        let mut spec = spec(json!({}));
        let first = asked(FrontChange::First, 1);
        let seen = |most| Seen {
            ecs: quotas(TASKS.0, most),
            ..Seen::default()
        };
        assert_eq!(told(&spec, &seen(4.0), &first), []);
        for (most, asked, verdict, said) in [
            (
                3.0,
                &first,
                Verdict::MayFail,
                "max: variant main asks for up to 4 tasks",
            ),
            (
                1.0,
                &first,
                Verdict::Fails,
                "min: variant main asks for at least 2 tasks",
            ),
            (
                1.0,
                &asked(FrontChange::Keep, 0),
                Verdict::MayFail,
                "min: variant main asks for at least 2 tasks",
            ),
        ] {
            let told = told(&spec, &seen(most), asked);
            assert_eq!((told.len(), told[0].0), (1, verdict), "{told:?}");
            assert!(
                told[0].1.starts_with(&format!("autoscaling.{said}")),
                "{told:?}"
            );
        }
        for variant in spec.variants.values_mut() {
            variant.autoscaling = serde_json::from_value(json!({"min": 9, "max": 9})).ok();
        }
        let own = told(&spec, &seen(8.0), &first);
        assert!(
            own[0].1.starts_with("variants.main.autoscaling.min: "),
            "{own:?}"
        );
    }

    #[test]
    fn an_endpoint_does_not_need_more_of_fargate_than_the_account_may_have() {
        let (first, keep) = (asked(FrontChange::First, 1), asked(FrontChange::Keep, 1));
        let on_fargate = json!({});
        let share = json!({"base": 0, "weight": 1});
        let spot = json!({"capacity_providers": {"FARGATE_SPOT": share}});
        let both = json!({"capacity_providers": {"FARGATE": share, "FARGATE_SPOT": share}});
        let judged = |ecs: &serde_json::Value, name, most, asked: &PreflightAsked| {
            let seen = Seen {
                fargate: quotas(name, most),
                ..Seen::default()
            };
            told(&spec(ecs.clone()), &seen, asked)
        };
        for (ecs, name, most, asked, verdict, said) in [
            (
                &on_fargate,
                ON_DEMAND,
                3.5,
                &first,
                Verdict::Fails,
                "need at least 4 vCPUs, and the account may have 3.5",
            ),
            (
                &on_fargate,
                ON_DEMAND,
                7.0,
                &keep,
                Verdict::MayFail,
                "together up to 8 vCPUs",
            ),
            (
                &on_fargate,
                ON_DEMAND,
                7.0,
                &first,
                Verdict::MayFail,
                "autoscaling allows the endpoint needs 8 vCPUs",
            ),
            (
                &spot,
                SPOT,
                3.0,
                &first,
                Verdict::Fails,
                "Fargate Spot vCPU",
            ),
        ] {
            let told = judged(ecs, name, most, asked);
            assert_eq!((told.len(), told[0].0), (1, verdict), "{told:?}");
            assert!(told[0].1.contains(said), "{told:?}");
        }
        for (ecs, name, most) in [
            (&on_fargate, ON_DEMAND, 8.0),
            (&on_fargate, SPOT, 0.0),
            (&spot, ON_DEMAND, 0.0),
            (&both, ON_DEMAND, 0.0),
            (&json!({"launch_type": "EC2"}), ON_DEMAND, 0.0),
        ] {
            assert_eq!(judged(ecs, name, most, &keep), [], "{ecs} {name}");
        }
    }
}
