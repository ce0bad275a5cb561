//! What a plan asks a target before anybody relies on it.

use std::collections::BTreeSet;
use std::fmt;

use crate::error::Error;

/// One thing that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The roles that tasks run with.
    Roles,
    /// The subnets that tasks get their addresses from.
    Subnets,
    /// The load balancer that clients reach the endpoint by.
    LoadBalancer,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Roles, Self::Subnets, Self::LoadBalancer];

    /// What users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Subnets => "subnets",
            Self::LoadBalancer => "load_balancer",
        }
    }

    /// The check that users call so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.name() == name)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The checks.
    pub checks: BTreeSet<Check>,
    /// How many instances the change starts at least, beside those that run.
    pub starts: u64,
}

/// What a check found.
#[derive(Debug)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// Whether an apply could not succeed with what is there. Otherwise it may: what is missing may be made before the apply, and what could
    /// not be read may be as it should.
    pub is_certain: bool,
    /// What it is about, with the attribute at fault.
    pub error: Error,
}

impl Finding {
    /// That an apply could not succeed.
    pub fn certain(check: Check, error: Error) -> Self {
        Self {
            check,
            is_certain: true,
            error,
        }
    }

    /// That an apply may not succeed.
    pub fn possible(check: Check, error: Error) -> Self {
        Self {
            check,
            is_certain: false,
            error,
        }
    }
}
