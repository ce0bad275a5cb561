//! CloudWatch: which alarms are in which state.

mod alarms;

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
