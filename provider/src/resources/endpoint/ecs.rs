//! The blocks of an endpoint on ECS: `ecs`, `network` and `ingress`.

use std::collections::BTreeMap;

use mlops_core::endpoint::spec::{
    EcsSpec, IngressSpec, NetworkSpec, PortRange, SlotChoice, default_log_retention_days,
};
use tfplugin::schema::{Attribute, Block};
use tfplugin::types::Type;
use tfplugin::{Attr, Diagnostics, validate};

use super::capacity::{self, Efs, Share};
use super::cluster;
use super::dns;
use super::from_record::unless;
use super::machines::{self, Asg};
use super::model::{parsed, refuse};
use super::region;
use super::schema::State;
use crate::resources::convert::{self, ListOf, no_nulls};

tfplugin::object! {
    /// The block `ecs`.
    pub(crate) struct Ecs {
        /// The cluster.
        pub(crate) cluster_arn: Attr<String>,
        /// Whether it is the endpoint's own.
        pub(crate) create_cluster: Attr<bool>,
        /// Who provides the machines.
        pub(crate) launch_type: Attr<String>,
        /// What the cluster has that provides them, in place of it.
        pub(crate) capacity_providers: Attr<BTreeMap<String, Share>>,
        /// The role of ECS for the task.
        pub(crate) execution_role_arn: Attr<String>,
        /// The role of the task.
        pub(crate) task_role_arn: Attr<String>,
        /// Whether a shell may be opened in a task.
        pub(crate) enable_execute_command: Attr<bool>,
        /// How long logs are kept.
        pub(crate) log_retention_days: Attr<u32>,
        /// Instances of its own.
        pub(crate) asg: Attr<Asg>,
        /// A file system that containers share.
        pub(crate) efs: Attr<Efs>,
    }

    /// The block `network`.
    pub(crate) struct Network {
        /// Where tasks get addresses.
        pub(crate) subnets: ListOf<String>,
        /// What may reach them.
        pub(crate) security_groups: ListOf<String>,
        /// Whether they get a public address.
        pub(crate) assign_public_ip: Attr<bool>,
    }

    /// The block `ingress`.
    pub(crate) struct Ingress {
        /// A listener of its own, here.
        pub(crate) load_balancer_arn: Attr<String>,
        /// Its port.
        pub(crate) port: Attr<u16>,
        /// Where the port comes from.
        pub(crate) port_range: Attr<String>,
        /// A rule of its own, there.
        pub(crate) listener_arn: Attr<String>,
        /// Hosts that lead here.
        pub(crate) host_headers: ListOf<String>,
        /// Paths that lead here.
        pub(crate) path_patterns: ListOf<String>,
        /// The rule's priority.
        pub(crate) priority: Attr<u16>,
        /// Where the priority comes from.
        pub(crate) priority_range: Attr<String>,
        /// The name that clients know it by.
        pub(crate) domain_name: Attr<String>,
        /// The zone that gets a record of it.
        pub(crate) zone_id: Attr<String>,
    }
}

fn text(what: &str) -> Attribute {
    Attribute::string().optional().describe(what)
}

fn texts(what: &str) -> Attribute {
    Attribute::set(Type::String)
        .optional()
        .validate(no_nulls())
        .describe(what)
}

fn number(least: u32, most: u32, what: &str) -> Attribute {
    Attribute::number()
        .optional()
        .validate(validate::whole())
        .validate(validate::between(least, most))
        .describe(what)
}

/// Declares `ecs`.
pub(super) fn ecs() -> Block {
    Block::new()
        .describe(
            "Serves from Amazon ECS, behind an Application Load Balancer: a service, a target group and a task definition for each \
             revision, divided by the weights of one listener or rule. Needs `network`, `ingress`, a registry on AWS, and, unless \
             all variants have an `image`, `server_image` in the provider block.",
        )
        .validate(cluster::exactly_one())
        .attribute("cluster_arn", cluster::cluster_arn())
        .attribute("create_cluster", cluster::create_cluster())
        .validate(validate::at_most_one_of(["launch_type", "capacity_providers", "asg"]))
        .attribute("launch_type", capacity::launch_type())
        .attribute("capacity_providers", capacity::providers())
        .attribute(
            "execution_role_arn",
            Attribute::string()
                .required()
                .describe("The role by which ECS pulls the image, writes the log and reads `secrets`."),
        )
        .attribute(
            "task_role_arn",
            Attribute::string()
                .required()
                .describe("The role of the tasks. The model server reads the model's artifact from the registry's bucket with it."),
        )
        .attribute(
            "enable_execute_command",
            Attribute::bool()
                .optional()
                .describe("Whether `aws ecs execute-command` may open a shell in a task. Default `false`."),
        )
        .attribute(
            "log_retention_days",
            number(1, 3653, "How many days the endpoint's log group keeps what servers wrote. Default `30`."),
        )
        .single("asg", machines::asg())
        .single("efs", capacity::efs())
}

/// Declares `network`.
pub(super) fn network() -> Block {
    Block::new()
        .describe("Where tasks of an endpoint on ECS get their addresses.")
        .attribute(
            "subnets",
            Attribute::set(Type::String)
                .required()
                .validate(no_nulls())
                .validate(validate::size(1..=16))
                .describe("The subnets."),
        )
        .attribute(
            "security_groups",
            texts("The security groups. The load balancer must be let in on the variants' `port`. Default: the VPC's own.")
                .validate(validate::size(1..=5)),
        )
        .attribute(
            "assign_public_ip",
            Attribute::bool()
                .optional()
                .describe("Whether tasks get a public address, which they need in a public subnet to reach AWS. Default `false`."),
        )
}

/// Declares `ingress`.
pub(super) fn ingress() -> Block {
    let block = Block::new()
        .describe(
            "How clients reach an endpoint on ECS: a listener of its own on a load balancer, or a rule of its own on a listener. \
             Load balancer and listener exist already and stay as they are.",
        )
        .validate(validate::exactly_one_of(["load_balancer_arn", "listener_arn"]))
        .validate(validate::at_most_one_of(["port", "port_range"]))
        .validate(validate::at_most_one_of(["priority", "priority_range"]))
        .attribute(
            "load_balancer_arn",
            text("The Application Load Balancer that gets a listener.").validate(validate::conflicts_with([
                "host_headers",
                "path_patterns",
                "priority",
                "priority_range",
            ])),
        )
        .attribute("port", number(1, 65_535, "The listener's port. Without it, the first free one of `port_range`."))
        .attribute(
            "port_range",
            text("The ports to choose from. Default `20000-29999`. The port is leased in the registry, and one that somebody else has is passed over."),
        )
        .attribute(
            "listener_arn",
            text("The listener that gets a rule.").validate(validate::conflicts_with(["port", "port_range"])),
        )
        .attribute("host_headers", texts("Host names that lead to the endpoint, wildcards allowed."))
        .attribute("path_patterns", texts("Paths that lead to the endpoint, such as `/v2/*`."))
        .attribute("priority", number(1, 50_000, "The rule's priority. Without it, the first free one of `priority_range`."))
        .attribute(
            "priority_range",
            text("The priorities to choose from. Default `20000-39999`. The priority is leased in the registry, and one that somebody else has is passed over."),
        );
    dns::declared(block)
}

/// What the three blocks ask for. `None` while some of it is unknown or, with a problem noted, wrong.
pub(super) fn spec(
    state: &State,
    server_image: Option<&str>,
    problems: &mut Diagnostics,
) -> Option<EcsSpec> {
    let ecs = state.ecs.known()?;
    for (block, is_absent) in [
        ("network", state.network.is_null()),
        ("ingress", state.ingress.is_null()),
    ] {
        if is_absent {
            let detail = format!("An endpoint on ECS needs a block {block}.");
            refuse(block, detail, problems);
        }
    }
    let network = network_spec(state.network.known()?);
    let ingress = ingress_spec(state.ingress.known()?, problems);
    Some(EcsSpec {
        cluster: convert::known(&ecs.cluster_arn)??,
        region: region::in_id(state)?,
        creates_cluster: convert::known(&ecs.create_cluster)?.unwrap_or_default(),
        capacity: capacity::capacity(ecs)?,
        execution_role_arn: convert::known(&ecs.execution_role_arn)??,
        task_role_arn: convert::known(&ecs.task_role_arn)??,
        image: server_image.unwrap_or_default().to_owned(),
        enable_execute_command: convert::known(&ecs.enable_execute_command)?.unwrap_or_default(),
        log_retention_days: convert::known(&ecs.log_retention_days)?
            .unwrap_or(default_log_retention_days()),
        efs: capacity::file_system(&ecs.efs)?,
        network: network?,
        ingress: ingress?,
        dns: dns::spec(state.ingress.known()?)?,
    })
}

fn network_spec(network: &Network) -> Option<NetworkSpec> {
    Some(NetworkSpec {
        subnets: convert::known_list(&network.subnets)??,
        security_groups: convert::known_list(&network.security_groups)?.unwrap_or_default(),
        assign_public_ip: convert::known(&network.assign_public_ip)?.unwrap_or_default(),
    })
}

fn ingress_spec(ingress: &Ingress, problems: &mut Diagnostics) -> Option<IngressSpec> {
    let slot = |fixed: &Attr<u16>, range: &Attr<String>, path: &str, default, problems: &mut _| {
        let range: Option<PortRange> = parsed(range, path, problems)?;
        Some(match convert::known(fixed)? {
            Some(one) => SlotChoice::Fixed(one),
            None => SlotChoice::Leased(range.unwrap_or(default)),
        })
    };
    if let Some(load_balancer_arn) = convert::known(&ingress.load_balancer_arn)? {
        return Some(IngressSpec::Listener {
            load_balancer_arn,
            port: slot(
                &ingress.port,
                &ingress.port_range,
                "ingress.port_range",
                SlotChoice::PORTS,
                problems,
            )?,
        });
    }
    Some(IngressSpec::Rule {
        listener_arn: convert::known(&ingress.listener_arn)??,
        priority: slot(
            &ingress.priority,
            &ingress.priority_range,
            "ingress.priority_range",
            SlotChoice::PRIORITIES,
            problems,
        )?,
        host_headers: dns::hosts(
            convert::known_list(&ingress.host_headers)?,
            dns::spec(ingress)?.as_ref(),
        ),
        path_patterns: convert::known_list(&ingress.path_patterns)?.unwrap_or_default(),
    })
}

/// The blocks of an endpoint that Terraform did not know.
pub(super) fn imported(spec: &EcsSpec) -> (Ecs, Network, Ingress) {
    let some = |flag: bool| convert::unless_default(flag, None);
    let list = |values: &[String]| convert::list_of(values.to_vec(), None);
    let (launch_type, capacity_providers) = capacity::imported(&spec.capacity);
    let ecs = Ecs {
        cluster_arn: spec.cluster.clone().into(),
        create_cluster: some(spec.creates_cluster),
        launch_type,
        capacity_providers,
        execution_role_arn: spec.execution_role_arn.clone().into(),
        task_role_arn: spec.task_role_arn.clone().into(),
        enable_execute_command: some(spec.enable_execute_command),
        log_retention_days: unless(spec.log_retention_days, &default_log_retention_days()),
        asg: machines::state(spec.capacity.machines()),
        efs: capacity::efs_state(spec.efs.as_ref()),
    };
    let network = Network {
        subnets: list(&spec.network.subnets),
        security_groups: list(&spec.network.security_groups),
        assign_public_ip: some(spec.network.assign_public_ip),
    };
    let slot = |choice: SlotChoice, default: PortRange| match choice {
        SlotChoice::Fixed(one) => (Attr::Known(one), Attr::Null),
        SlotChoice::Leased(range) if range == default => (Attr::Null, Attr::Null),
        SlotChoice::Leased(range) => (Attr::Null, Attr::Known(range.to_string())),
    };
    let mut ingress = Ingress {
        load_balancer_arn: Attr::Null,
        port: Attr::Null,
        port_range: Attr::Null,
        listener_arn: Attr::Null,
        host_headers: Attr::Null,
        path_patterns: Attr::Null,
        priority: Attr::Null,
        priority_range: Attr::Null,
        domain_name: Attr::Null,
        zone_id: Attr::Null,
    };
    match &spec.ingress {
        IngressSpec::Listener {
            load_balancer_arn,
            port,
        } => {
            ingress.load_balancer_arn = load_balancer_arn.clone().into();
            (ingress.port, ingress.port_range) = slot(*port, SlotChoice::PORTS);
        }
        IngressSpec::Rule {
            listener_arn,
            priority,
            host_headers,
            path_patterns,
        } => {
            ingress.listener_arn = listener_arn.clone().into();
            (ingress.priority, ingress.priority_range) = slot(*priority, SlotChoice::PRIORITIES);
            ingress.host_headers = list(host_headers);
            ingress.path_patterns = list(path_patterns);
        }
    }
    dns::import(&mut ingress, spec.dns.as_ref(), &spec.ingress);
    (ecs, network, ingress)
}
