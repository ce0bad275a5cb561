//! The server as a whole: who it is, what it routes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{RevisionStatus, WHOLE};

/// Answer to `GET /identity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The nonce of [`super::ServerConfig`].
    pub nonce: String,
    /// Process id as the server itself sees it.
    pub pid: u32,
    /// Name of the endpoint.
    pub endpoint: String,
    /// When the process began to serve, in milliseconds since the Unix epoch.
    pub started_at_unix_ms: u64,
    /// Version of the server.
    pub server_version: String,
}

/// Routing between variants. Replaced as a whole; the variants' [`Weights`] are kept. A variant that is no longer in the
/// table gets no request; its revisions stay loaded until they are deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantTable {
    /// By variant name.
    pub variants: BTreeMap<String, VariantRoute>,
}

/// What a variant gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantRoute {
    /// Share of the endpoint's requests, out of [`WHOLE`]; the shares of all variants sum to [`WHOLE`] or all are zero.
    pub traffic: u32,
    /// Share of the endpoint's requests that are copied to this variant, out of [`WHOLE`]; the answers are discarded.
    /// A variant with a shadow share has no traffic.
    #[serde(default)]
    pub shadow: u32,
}

/// Split of one variant between its revisions: shares out of [`WHOLE`] that sum to it, or none at all (the variant is out
/// of routing). Revisions not named have no weight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weights(pub BTreeMap<String, u32>);

/// The whole routing: between variants, and within each between its revisions. A variant without weights, and a revision
/// that is not named, gets nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingTable {
    /// Between variants, by name.
    pub variants: BTreeMap<String, VariantRoute>,
    /// Between the revisions of a variant, by the variant's name; every one is among `variants`.
    pub weights: BTreeMap<String, Weights>,
}

impl RoutingTable {
    /// Checks names, sums and shadow shares, and that weights are of variants that it has.
    pub fn validate(&self) -> Result<(), WeightsError> {
        let table = VariantTable {
            variants: self.variants.clone(),
        };
        table.validate()?;
        for (variant, weights) in &self.weights {
            if !self.variants.contains_key(variant) {
                return Err(WeightsError::Variant {
                    variant: variant.clone(),
                });
            }
            weights.validate()?;
        }
        Ok(())
    }
}

/// Why a table or a split is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Shares do not sum to the whole.
    #[error("{of} sum to {sum}, not to {WHOLE} (one share is a hundredth of a percent)")]
    Sum {
        /// Which shares.
        of: &'static str,
        /// What they sum to.
        sum: u64,
    },
    /// A shadow share beyond the whole.
    #[error("variant {variant:?}: shadow share {shadow} is above {WHOLE}")]
    Shadow {
        /// The variant.
        variant: String,
        /// Its share.
        shadow: u32,
    },
    /// A variant with both traffic and a shadow share.
    #[error(
        "variant {variant:?} has both traffic and a shadow share; a shadow variant takes no traffic of its own"
    )]
    ShadowWithTraffic {
        /// The variant.
        variant: String,
    },
    /// Weights of a variant that the table does not have.
    #[error("there are weights of variant {variant:?}, which the table does not have")]
    Variant {
        /// The variant.
        variant: String,
    },
    /// A name that cannot stand in a path.
    #[error("{name:?} is not a valid name: use 1 to 128 of A-Z a-z 0-9 . _ -")]
    Name {
        /// The name.
        name: String,
    },
}

impl VariantTable {
    /// Checks names, sums and shadow shares.
    pub fn validate(&self) -> Result<(), WeightsError> {
        for (name, route) in &self.variants {
            if !super::is_valid_name(name) {
                return Err(WeightsError::Name { name: name.clone() });
            }
            if route.shadow > WHOLE {
                return Err(WeightsError::Shadow {
                    variant: name.clone(),
                    shadow: route.shadow,
                });
            }
            if route.shadow > 0 && route.traffic > 0 {
                return Err(WeightsError::ShadowWithTraffic {
                    variant: name.clone(),
                });
            }
        }
        sums_to_whole_or_nothing(
            "traffic shares of the variants",
            self.variants.values().map(|r| r.traffic),
        )
    }
}

impl Weights {
    /// One revision with everything.
    pub fn all_to(revision: impl Into<String>) -> Self {
        Self(BTreeMap::from([(revision.into(), WHOLE)]))
    }

    /// Checks the sum.
    pub fn validate(&self) -> Result<(), WeightsError> {
        sums_to_whole_or_nothing("weights of the revisions", self.0.values().copied())
    }
}

fn sums_to_whole_or_nothing(
    of: &'static str,
    shares: impl Iterator<Item = u32>,
) -> Result<(), WeightsError> {
    let sum: u64 = shares.map(u64::from).sum();
    if sum == 0 || sum == u64::from(WHOLE) {
        Ok(())
    } else {
        Err(WeightsError::Sum { of, sum })
    }
}

/// Answer to `GET /status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Name of the endpoint.
    pub endpoint: String,
    /// Address that the data side listens on.
    pub listen: SocketAddr,
    /// False from the moment a shutdown began.
    pub accepting: bool,
    /// Whether `/v2/health/ready` answers 200: accepting, and a variant with traffic has a ready, weighted revision.
    pub ready: bool,
    /// The table's variants, and those that only have revisions (with no traffic).
    pub variants: BTreeMap<String, VariantStatus>,
}

impl Status {
    /// Finds a revision in any variant.
    pub fn revision(&self, revision: &str) -> Option<&RevisionStatus> {
        self.variants
            .values()
            .flat_map(|v| &v.revisions)
            .find(|r| r.revision == revision)
    }
}

/// One variant in [`Status`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VariantStatus {
    /// See [`VariantRoute::traffic`].
    pub traffic: u32,
    /// See [`VariantRoute::shadow`].
    pub shadow: u32,
    /// Its revisions, in the order of their names.
    pub revisions: Vec<RevisionStatus>,
}

/// Answer to `POST /shutdown`. The process ends when nothing is in flight or the limit has passed; then the socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shutdown {
    /// Requests that are still waited for.
    pub in_flight: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&str, u32, u32)]) -> VariantTable {
        VariantTable {
            variants: routes
                .iter()
                .map(|(n, t, s)| {
                    (
                        n.to_string(),
                        VariantRoute {
                            traffic: *t,
                            shadow: *s,
                        },
                    )
                })
                .collect(),
        }
    }

    #[test]
    fn a_table_sums_to_the_whole_or_is_silent() {
        assert_eq!(
            table(&[("a", 9_000, 0), ("b", 1_000, 0)]).validate(),
            Ok(())
        );
        assert_eq!(table(&[("a", 0, 0), ("b", 0, 2_500)]).validate(), Ok(()));
        let message = table(&[("a", 9_000, 0), ("b", 999, 0)])
            .validate()
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "traffic shares of the variants sum to 9999, not to 10000 (one share is a hundredth of a percent)"
        );
    }

    #[test]
    fn a_shadow_variant_takes_no_traffic() {
        let error = table(&[("a", 9_000, 0), ("b", 1_000, 1)])
            .validate()
            .unwrap_err();
        assert_eq!(
            error,
            WeightsError::ShadowWithTraffic {
                variant: "b".into()
            }
        );
        let error = table(&[("a", 10_000, 0), ("b", 0, 10_001)])
            .validate()
            .unwrap_err();
        assert_eq!(
            error,
            WeightsError::Shadow {
                variant: "b".into(),
                shadow: 10_001
            }
        );
    }

    #[test]
    fn shares_that_overflow_are_refused_not_wrapped() {
        let weights = Weights([("a".into(), u32::MAX), ("b".into(), WHOLE + 1)].into());
        assert!(weights.validate().is_err());
    }
}
