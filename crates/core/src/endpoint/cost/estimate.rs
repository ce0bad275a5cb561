//! What a footprint costs.

use std::fmt;

use super::footprint::{Footprint, Tasks};
use super::prices::{FargatePrice, Prices};
use crate::endpoint::spec::{Capacity, LaunchType};

/// Hours in a month, as AWS's own calculator counts them: a twelfth of a year.
const HOURS: f64 = 730.0;

/// What an endpoint costs in a month, in US dollars.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// With the fewest tasks that autoscaling allows.
    pub least: f64,
    /// With the most.
    pub most: f64,
    /// By which prices.
    pub prices: Vec<FargatePrice>,
}

/// What has no price, so that there is no estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(Vec<String>);

impl Footprint {
    /// What it costs.
    ///
    /// # Errors
    /// What of it has no price.
    pub fn cost(&self, prices: &Prices) -> Result<Estimate, Missing> {
        if let Some(machines) = unpriced(&self.capacity) {
            return Err(Missing(vec![machines]));
        }
        let (mut least, mut most) = (0.0, 0.0);
        let (mut used, mut missing) = (Vec::<FargatePrice>::new(), Vec::new());
        for tasks in self.variants.values() {
            let Some(price) = prices.fargate(&self.region, tasks.architecture) else {
                let what = format!(
                    "Fargate on {} in {}",
                    tasks.architecture.as_str(),
                    self.region
                );
                if !missing.contains(&what) {
                    missing.push(what);
                }
                continue;
            };
            let month = tasks.month(price);
            least += f64::from(tasks.least) * month;
            most += f64::from(tasks.most) * month;
            if !used.contains(price) {
                used.push(price.clone());
            }
        }
        if !missing.is_empty() {
            return Err(Missing(missing));
        }
        Ok(Estimate {
            least: to_cents(least),
            most: to_cents(most),
            prices: used,
        })
    }
}

/// Machines that have no price by the task.
fn unpriced(capacity: &Capacity) -> Option<String> {
    match capacity {
        Capacity::LaunchType {
            launch_type: LaunchType::Fargate,
        } => None,
        Capacity::LaunchType { launch_type } => Some(format!(
            "the machines of launch_type {}, which tasks share",
            launch_type.as_str()
        )),
        Capacity::Machines { asg } => Some(format!(
            "the machines of ecs.asg ({} to {} of {}), which tasks share",
            asg.min_size, asg.max_size, asg.instance_type
        )),
        Capacity::Providers { capacity_providers } => {
            let mut names = capacity_providers.keys().map(String::as_str);
            let other = names.find(|name| *name != "FARGATE")?;
            Some(match other {
                "FARGATE_SPOT" => {
                    "capacity provider FARGATE_SPOT, whose price AWS changes with demand".to_owned()
                }
                _ => format!("the machines of capacity provider {other}, which tasks share"),
            })
        }
    }
}

impl Tasks {
    /// What one of them costs in a month.
    fn month(&self, price: &FargatePrice) -> f64 {
        let vcpus = f64::from(self.cpu) / 1024.0;
        let gigabytes = f64::from(self.memory_mb) / 1024.0;
        (vcpus * price.vcpu_hour + gigabytes * price.gb_hour) * HOURS
    }
}

fn to_cents(usd: f64) -> f64 {
    (usd * 100.0).round() / 100.0
}

/// `36.04 USD a month`, or `36.04 to 144.17 USD a month`.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.least)?;
        if self.most > self.least {
            write!(f, " to {:.2}", self.most)?;
        }
        f.write_str(" USD a month")
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", and for "))
    }
}

/// The two figures and where they were read.
impl fmt::Display for FargatePrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {}: {} USD for a vCPU and {} USD for a GB in an hour ({}, {})",
            self.architecture.as_str(),
            self.region,
            self.vcpu_hour,
            self.gb_hour,
            self.source.address,
            self.source.date
        )
    }
}
