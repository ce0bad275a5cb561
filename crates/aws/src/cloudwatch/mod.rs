//! CloudWatch: which alarms are in which state, and what load balancers counted.

mod alarms;
pub(crate) mod counts;

#[cfg(test)]
mod tests;

pub(crate) use self::alarms::Alarms;
use crate::query::Service;

/// How it is called.
pub(crate) const SERVICE: Service = Service {
    name: "CloudWatch",
    host: "monitoring",
    version: "2010-08-01",
};
