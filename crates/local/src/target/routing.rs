//! Between the core's routing and the server's tables.

use std::collections::BTreeMap;

use mlops_core::serving::{MetricsSnapshot, RoutingTable, Status, VariantRoute, WHOLE, Weights};
use mlops_core::target::{Observation, RevisionName, RevisionObservation, Routing, VariantRouting};
use mlops_core::{Error, Result};

use crate::admin::AdminClient;

/// Makes the server's whole routing what `routing` says, in one call: every variant and weight changes at one instant.
pub(super) async fn apply(admin: &AdminClient, routing: &Routing) -> Result<()> {
    routing.validate()?;
    admin.put_routing(&table(routing)).await?;
    Ok(())
}

fn table(routing: &Routing) -> RoutingTable {
    let mut table = RoutingTable::default();
    for (name, variant) in &routing.variants {
        let route = VariantRoute {
            traffic: variant.traffic,
            shadow: variant.shadow,
        };
        table.variants.insert(name.to_string(), route);
        table.weights.insert(name.to_string(), weights(variant));
    }
    table
}

fn weights(variant: &VariantRouting) -> Weights {
    let shares = variant.weights.iter().filter(|(_, share)| **share > 0);
    Weights(
        shares
            .map(|(name, share)| (name.to_string(), *share))
            .collect(),
    )
}

/// What the server says, in the core's words.
pub(super) fn observation(status: &Status, metrics: MetricsSnapshot) -> Result<Observation> {
    let mut revisions = BTreeMap::new();
    let mut routing = Routing::default();
    for (name, variant) in &status.variants {
        let variant_name = name.parse().map_err(|cause: Error| {
            Error::bug(format!(
                "the model server routes to {name:?}, which no variant is named"
            ))
            .because(cause)
        })?;
        let mut shares = BTreeMap::new();
        for revision in &variant.revisions {
            let revision_name = read_name(&revision.revision)?;
            if revision.weight > 0 {
                shares.insert(revision_name.clone(), revision.weight.min(WHOLE));
            }
            revisions.insert(
                revision_name,
                RevisionObservation {
                    variant: Clone::clone(&variant_name),
                    state: revision.state,
                    instances: u32::from(
                        revision.state == mlops_core::target::RevisionState::Ready,
                    ),
                    wanted: 1,
                    in_flight: revision.in_flight,
                    failure: revision.failure.clone(),
                },
            );
        }
        if variant.traffic > 0 || variant.shadow > 0 || !shares.is_empty() {
            routing.variants.insert(
                variant_name,
                VariantRouting {
                    traffic: variant.traffic,
                    shadow: variant.shadow,
                    weights: shares,
                },
            );
        }
    }
    Ok(Observation {
        alive: status.accepting,
        reason: (!status.accepting).then(|| "the model server is shutting down".to_owned()),
        revisions,
        routing,
        metrics: Some(metrics),
        lacks: None,
    })
}

fn read_name(name: &str) -> Result<RevisionName> {
    serde_json::from_value(serde_json::Value::from(name)).map_err(|cause| {
        Error::bug(format!(
            "the model server runs revision {name:?}, which is no revision's name"
        ))
        .because(cause)
    })
}
