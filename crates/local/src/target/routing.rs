//! Between the core's routing and the server's tables.

use std::collections::BTreeMap;

use mlops_core::serving::{MetricsSnapshot, Status, VariantRoute, VariantTable, WHOLE, Weights};
use mlops_core::target::{Observation, RevisionName, RevisionObservation, Routing, VariantRouting};
use mlops_core::{Error, Result};

use crate::admin::AdminClient;

/// Makes the server's whole routing what `routing` says.
///
/// Three calls at least, in an order in which no request is lost: a variant's revisions are weighted before the variant
/// gets traffic, and lose their weight after the variant lost its own.
pub(super) async fn apply(admin: &AdminClient, routing: &Routing) -> Result<()> {
    routing.validate()?;
    for (variant, route) in &routing.variants {
        admin.put_weights(variant.as_str(), &weights(route)).await?;
    }
    let after = admin.put_variants(&table(routing)).await?;
    for (variant, status) in &after.variants {
        let named = routing.variants.keys().any(|name| name.as_str() == variant);
        if !named && status.revisions.iter().any(|revision| revision.weight > 0) {
            admin.put_weights(variant, &Weights::default()).await?;
        }
    }
    Ok(())
}

fn table(routing: &Routing) -> VariantTable {
    let routes = routing.variants.iter().map(|(name, variant)| {
        let route = VariantRoute {
            traffic: variant.traffic,
            shadow: variant.shadow,
        };
        (name.to_string(), route)
    });
    VariantTable {
        variants: routes.collect(),
    }
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
