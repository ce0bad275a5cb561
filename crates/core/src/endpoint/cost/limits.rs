//! What the user says an endpoint may cost.

use super::estimate::Estimate;
use crate::error::Error;

/// The block `cost`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// What the endpoint may cost in a month at most, with as many tasks as autoscaling allows.
    pub max_monthly_usd: Option<f64>,
    /// By how much a change may make it dearer before that is worth a warning.
    pub warn_increase_percent: Option<f64>,
}

impl Limits {
    /// What is wrong with an endpoint that costs so much.
    ///
    /// It is the most that counts: what autoscaling may do without another plan.
    pub fn exceeded(&self, new: &Estimate) -> Option<Error> {
        let max = self.max_monthly_usd?;
        (new.most > max).then(|| {
            let prices: Vec<_> = new.prices.iter().map(ToString::to_string).collect();
            let scaled = if new.most > new.least {
                format!(
                    ", with as many tasks as autoscaling allows ({:.2} with the fewest)",
                    new.least
                )
            } else {
                String::new()
            };
            Error::invalid(format!(
                "the endpoint may cost {:.2} USD a month{scaled}, and max_monthly_usd allows {max:.2}. Lower cpu, memory_mb or autoscaling.max, or raise \
                 max_monthly_usd. Counted were its Fargate tasks, 730 hours a month, by the prices of {}",
                new.most,
                prices.join("; ")
            ))
            .at("cost.max_monthly_usd")
        })
    }

    /// What is worth a warning about a change from one cost to another.
    pub fn grown(&self, old: &Estimate, new: &Estimate) -> Option<Error> {
        let allowed = self.warn_increase_percent?;
        let worst = increase(old.least, new.least).max(increase(old.most, new.most));
        (worst > allowed).then(|| {
            Error::invalid(format!(
                "the endpoint costs {old} now, and {new} after this change: {worst:.0} % more, and warn_increase_percent is {allowed}"
            ))
            .at("cost.warn_increase_percent")
        })
    }
}

/// By how many percent `new` is more than `old`.
fn increase(old: f64, new: f64) -> f64 {
    if new <= old {
        return 0.0;
    }
    if old == 0.0 {
        return f64::INFINITY;
    }
    // Twice as much is 100 % more, whatever binary fractions make of it.
    ((new - old) / old * 10_000.0).round() / 100.0
}
