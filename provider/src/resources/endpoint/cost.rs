//! What an endpoint costs: `estimated_monthly_cost_usd`, and the block `cost`.

use mlops_core::endpoint::cost::{Estimate, Footprint, Limits, Missing};
use mlops_core::endpoint::{EndpointRecord, EndpointSpec};
use tfplugin::schema::{Attribute, Block};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path, validate};

use super::schema::State;
use crate::client::Client;
use crate::diagnose;

tfplugin::object! {
    /// The block `cost`.
    pub(crate) struct Cost {
        /// What the endpoint may cost.
        pub(crate) max_monthly_usd: Attr<f64>,
        /// What makes a change worth a warning.
        pub(crate) warn_increase_percent: Attr<f64>,
    }
}

/// Declares the block.
pub(super) fn block() -> Block {
    let above_zero = validate::check(|value| match value.as_number() {
        Some(number) if number.to_f64() <= 0.0 => Err("be above zero".to_owned()),
        _ => Ok(()),
    });
    Block::new()
        .describe(
            "What an endpoint on ECS may cost. A plan that creates the endpoint, changes this block, or changes what decides the cost is judged; \
             what runs already is not, whatever becomes of the prices.",
        )
        .validate(validate::at_least_one_of([
            "max_monthly_usd",
            "warn_increase_percent",
        ]))
        .attribute(
            "max_monthly_usd",
            Attribute::number().optional().validate(above_zero).describe(
                "The most US dollars that the endpoint's tasks may cost in a month, with as many of them as autoscaling allows. More is an error of \
                 the plan.",
            ),
        )
        .attribute(
            "warn_increase_percent",
            Attribute::number()
                .optional()
                .validate(validate::at_least(0))
                .describe("By how many percent a change may make the endpoint dearer without a warning, which names the old cost and the new one."),
        )
}

/// Declares the estimate.
pub(super) fn estimate() -> Attribute {
    Attribute::number().computed().describe(
        "What the endpoint's tasks on Fargate cost in a month of 730 hours, in US dollars, by the list prices of the provider or of its `price_file`, \
         with the fewest tasks that autoscaling allows. Null on this machine, and where a price is not known. Load balancer, logs and traffic are not in it.",
    )
}

/// What an endpoint costs that is as `spec` says; null where nobody knows.
pub(super) fn of(client: &Client, spec: &EndpointSpec) -> Attr<f64> {
    let cost = Footprint::of(spec).map(|footprint| footprint.cost(&client.prices));
    match cost {
        Some(Ok(cost)) => Attr::Known(cost.least),
        Some(Err(_)) | None => Attr::Null,
    }
}

/// Fills in the estimate, and judges it; the answer is what is worth a warning. `spec` is `None` while some value is unknown.
///
/// What a plan does not change keeps the figure that it has: a newer price is the next refresh's to tell, and nothing to apply. What is unknown waits
/// for the apply, in which Terraform plans the endpoint again, with all of it known, before anything is made.
pub(super) fn foretell(
    client: &Client,
    state: &mut State,
    prior: Option<&State>,
    record: Option<&EndpointRecord>,
    spec: Option<&EndpointSpec>,
) -> Result<Vec<Diagnostic>, Diagnostics> {
    let Some(spec) = spec else {
        state.estimated_monthly_cost_usd = match &state.local {
            Attr::Known(_) => Attr::Null,
            Attr::Null | Attr::Unknown => Attr::Unknown,
        };
        return Ok(Vec::new());
    };
    let same = prior.filter(|_| !changes(record, spec));
    state.estimated_monthly_cost_usd = match same {
        Some(prior) => prior.estimated_monthly_cost_usd,
        None => of(client, spec),
    };
    judge(client, state, prior, record, spec)
}

/// Whether `spec` changes what decides the cost.
fn changes(record: Option<&EndpointRecord>, spec: &EndpointSpec) -> bool {
    let runs = record.and_then(|record| Footprint::of(&record.spec));
    runs != Footprint::of(spec)
}

fn judge(
    client: &Client,
    state: &State,
    prior: Option<&State>,
    record: Option<&EndpointRecord>,
    spec: &EndpointSpec,
) -> Result<Vec<Diagnostic>, Diagnostics> {
    let is_new = prior.is_none_or(|prior| prior.cost != state.cost) || changes(record, spec);
    let Some(footprint) = Footprint::of(spec).filter(|_| is_new) else {
        return Ok(Vec::new());
    };
    let limits = limits(&state.cost);
    let new = match footprint.cost(&client.prices) {
        Ok(new) => new,
        Err(missing) => return Ok(vec![not_estimated(&missing, limits)]),
    };
    if let Some(problem) = limits.exceeded(&new) {
        return Err(diagnose::failed("The endpoint is too expensive", &problem).into());
    }
    let old = record.and_then(|record| Footprint::of(&record.spec));
    let old: Option<Estimate> = old.and_then(|old| old.cost(&client.prices).ok());
    let grown = old.and_then(|old| limits.grown(&old, &new));
    let grown =
        grown.map(|error| diagnose::failed("The endpoint becomes dearer", &error).into_warning());
    Ok(grown.into_iter().collect())
}

/// What is not known yet limits nothing.
fn limits(cost: &Attr<Cost>) -> Limits {
    let said =
        |which: fn(&Cost) -> &Attr<f64>| cost.known().and_then(|cost| which(cost).known().copied());
    Limits {
        max_monthly_usd: said(|cost| &cost.max_monthly_usd),
        warn_increase_percent: said(|cost| &cost.warn_increase_percent),
    }
}

fn not_estimated(missing: &Missing, limits: Limits) -> Diagnostic {
    let unchecked = if limits == Limits::default() {
        ""
    } else {
        " The block cost is not checked."
    };
    let detail = format!(
        "There is no price for {missing}, so estimated_monthly_cost_usd is null.{unchecked} What Fargate costs elsewhere can be told by price_file in \
         the provider block."
    );
    Diagnostic::warning("The cost of the endpoint is not known", detail)
        .at(Path::attribute("estimated_monthly_cost_usd"))
}
