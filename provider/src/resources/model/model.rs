//! From `mlops_model`'s state to the domain and back.

use std::collections::BTreeMap;

use mlops_core::gates::Gate;
use mlops_core::names::ModelName;
use mlops_core::registry::{MetricSpec, Model, ModelSpec, ModelUpdate, Promotion, Retention};
use tfplugin::{Attr, Diagnostics};

use super::schema::{self, State};
use crate::resources::convert;
use crate::tags::{self, Held, TagRules};

/// The name, checked again as the domain sees it.
pub(crate) fn name(state: &State) -> Result<ModelName, Diagnostics> {
    convert::name(&state.name, "name")
}

/// What the configuration chooses but for the tags, on which no plan depends; `None` while part of it is unknown.
pub(crate) fn spec(state: &State) -> Option<ModelSpec> {
    Some(ModelSpec {
        description: convert::known(&state.description)?,
        owner: convert::known(&state.owner)?,
        task: convert::known(&state.task)?.and_then(|task| convert::word(&task)),
        metrics: metrics(&state.metrics)?,
        signature_compatibility: convert::word_or_default(&state.signature_compatibility)?,
        promotion: promotion(&state.promotion)?,
        retention: retention(&state.retention)?,
        deletion_policy: convert::word_or_default(&state.deletion_policy)?,
        tags: BTreeMap::new(),
    })
}

/// The same with the tags, for a model that is created.
pub(crate) fn tagged_spec(state: &State) -> Option<ModelSpec> {
    Some(ModelSpec {
        tags: tags::to_set(&state.tags_all)?,
        ..spec(state)?
    })
}

fn metrics(
    metrics: &Attr<BTreeMap<String, schema::Metric>>,
) -> Option<BTreeMap<String, MetricSpec>> {
    convert::entries(metrics, |metric| {
        Some(MetricSpec {
            goal: convert::word(&convert::known(&metric.goal)??)?,
            min: convert::known(&metric.min)?,
            max: convert::known(&metric.max)?,
            unit: convert::known(&metric.unit)?,
        })
    })
}

fn promotion(promotion: &Attr<schema::Promotion>) -> Option<Option<Promotion>> {
    let promotion = match promotion {
        Attr::Known(promotion) => promotion,
        Attr::Null => return Some(None),
        Attr::Unknown => return None,
    };
    Some(Some(Promotion {
        gates: gates(&promotion.gates)?,
        approvals_required: convert::known(&promotion.approvals_required)?.unwrap_or(0),
        require_lineage: convert::known_list(&promotion.require_lineage)?
            .unwrap_or_default()
            .into_iter()
            .collect(),
    }))
}

fn retention(retention: &Attr<schema::Retention>) -> Option<Option<Retention>> {
    let retention = match retention {
        Attr::Known(retention) => retention,
        Attr::Null => return Some(None),
        Attr::Unknown => return None,
    };
    Some(Some(Retention {
        keep_last: convert::known(&retention.keep_last)?,
        keep_days: convert::known(&retention.keep_days)?,
    }))
}

fn gates(gates: &Attr<BTreeMap<String, schema::Gate>>) -> Option<BTreeMap<String, Gate>> {
    convert::entries(gates, |gate| {
        Some(Gate {
            min: convert::known(&gate.min)?,
            max: convert::known(&gate.max)?,
            baseline: match convert::known(&gate.baseline)? {
                Some(alias) => Some(alias.parse().ok()?),
                None => None,
            },
            min_delta: convert::known(&gate.min_delta)?,
            max_regression_percent: convert::known(&gate.max_regression_percent)?,
            on_missing: convert::word_or_default(&gate.on_missing)?,
        })
    })
}

/// The change from what the state says to what is planned. Tags that neither names are somebody else's
/// and stay.
pub(crate) fn update(prior: &State, planned: &State, rules: &TagRules) -> Option<ModelUpdate> {
    Some(ModelUpdate {
        spec: spec(planned)?,
        tags: rules.changed(&prior.tags_all, &planned.tags_all)?,
        if_revision: None,
    })
}

/// The state for what the registry holds. `known` is what Terraform last knew: it says which tags are
/// managed and which empty collections the user wrote.
pub(crate) fn state(model: &Model, known: &State, rules: &TagRules) -> State {
    let spec = &model.spec;
    let Held { tags, tags_all } = rules.read(&spec.tags, &known.tags, &known.tags_all);
    State {
        id: model.id().into(),
        name: model.name.to_string().into(),
        description: spec.description.clone().into(),
        owner: spec.owner.clone().into(),
        task: spec.task.as_ref().map(convert::text).into(),
        metrics: convert::collection(
            spec.metrics
                .iter()
                .map(|(name, metric)| (name.clone(), metric_state(metric)))
                .collect(),
            &known.metrics,
        ),
        signature_compatibility: convert::text(&spec.signature_compatibility).into(),
        promotion: promotion_state(spec.promotion.as_ref(), &known.promotion),
        retention: spec.retention.map_or(Attr::Null, |kept| {
            schema::Retention {
                keep_last: kept.keep_last.into(),
                keep_days: kept.keep_days.into(),
            }
            .into()
        }),
        deletion_policy: convert::text(&spec.deletion_policy).into(),
        force_destroy: known
            .force_destroy
            .clone()
            .known()
            .copied()
            .unwrap_or(false)
            .into(),
        tags,
        tags_all,
        created_at: model.created_at.to_string().into(),
    }
}

fn metric_state(metric: &MetricSpec) -> schema::Metric {
    schema::Metric {
        goal: convert::text(&metric.goal).into(),
        min: metric.min.into(),
        max: metric.max.into(),
        unit: metric.unit.clone().into(),
    }
}

fn promotion_state(
    promotion: Option<&Promotion>,
    known: &Attr<schema::Promotion>,
) -> Attr<schema::Promotion> {
    let Some(promotion) = promotion else {
        return Attr::Null;
    };
    let known = known.known();
    let known_gates = known.map_or(Attr::Null, |known| known.gates.clone());
    let gates = promotion
        .gates
        .iter()
        .map(|(metric, gate)| {
            let known = known_gates.known().and_then(|gates| gates.get(metric));
            (metric.clone(), gate_state(gate, known))
        })
        .collect();
    schema::Promotion {
        gates: convert::collection(gates, &known_gates),
        approvals_required: convert::unless_default(
            promotion.approvals_required,
            known.map(|known| &known.approvals_required),
        ),
        require_lineage: convert::list_of(
            promotion.require_lineage.iter().cloned().collect(),
            known.map(|known| &known.require_lineage),
        ),
    }
    .into()
}

fn gate_state(gate: &Gate, known: Option<&schema::Gate>) -> schema::Gate {
    let on_missing = convert::text(&gate.on_missing);
    let written = known.is_some_and(|known| known.on_missing.is_known());
    let default = convert::text(&mlops_core::gates::OnMissing::default());
    schema::Gate {
        min: gate.min.into(),
        max: gate.max.into(),
        baseline: gate.baseline.as_ref().map(ToString::to_string).into(),
        min_delta: gate.min_delta.into(),
        max_regression_percent: gate.max_regression_percent.into(),
        on_missing: if written || on_missing != default {
            on_missing.into()
        } else {
            Attr::Null
        },
    }
}
