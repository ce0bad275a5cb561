//! What a plan asks a target before anybody relies on it.

use std::collections::BTreeSet;
use std::fmt;

use crate::endpoint::Period;
use crate::error::Error;

/// One thing that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The roles that tasks run with.
    Roles,
    /// What those roles may do.
    Permissions,
    /// The cluster that tasks run in, and what it has for them to run on.
    Cluster,
    /// The subnets that tasks get their addresses from.
    Subnets,
    /// The images that tasks run.
    Images,
    /// The load balancer that clients reach the endpoint by, and the room on it.
    LoadBalancer,
    /// The certificate that it shows them.
    Certificate,
    /// The zone that gets a record of the endpoint's name, and what has the name.
    Dns,
    /// What the account may have of all this.
    Quotas,
    /// How long the credentials last with which all is done.
    Credentials,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Roles,
        Self::Permissions,
        Self::Cluster,
        Self::Subnets,
        Self::Images,
        Self::LoadBalancer,
        Self::Certificate,
        Self::Dns,
        Self::Quotas,
        Self::Credentials,
    ];

    /// What users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Permissions => "permissions",
            Self::Cluster => "cluster",
            Self::Subnets => "subnets",
            Self::Images => "images",
            Self::LoadBalancer => "load_balancer",
            Self::Certificate => "certificate",
            Self::Dns => "dns",
            Self::Quotas => "quotas",
            Self::Credentials => "credentials",
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

/// What is to be looked at, and what the change adds to what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The checks.
    pub checks: BTreeSet<Check>,
    /// How many instances it starts at least, beside those that run.
    pub starts: u64,
    /// How many revisions it brings up, beside those that serve.
    pub revisions: u64,
    /// What becomes of the place where clients reach the endpoint.
    pub front: FrontChange,
    /// How long it takes if nothing fails: bakes, drain and standby. Zero where traffic moves in no steps.
    pub takes: Period,
    /// How long its slowest revision may take to load, before that.
    pub loads: Period,
}

/// What becomes of the place where clients reach an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontChange {
    /// It stays.
    Keep,
    /// There is none, or its endpoint goes first: one is made.
    First,
    /// Another one is made beside it.
    Another,
    /// An earlier deployment was cut short, and what becomes of its own comes first: nobody knows yet.
    Unsettled,
}

/// What a check found.
#[derive(Debug)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// What it means for an apply.
    pub verdict: Verdict,
    /// What it is about, with the attribute at fault.
    pub error: Error,
}

/// What a finding means for an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It cannot succeed with what is there.
    Fails,
    /// It fails of this if it is still so when it begins. A plan cannot know: what is missing may be made before, and the credentials may be others.
    FailsUnlessChanged,
    /// It may succeed: what could not be read may be as it should.
    MayFail,
}

impl Finding {
    /// That an apply could not succeed.
    pub fn certain(check: Check, error: Error) -> Self {
        Self {
            check,
            verdict: Verdict::Fails,
            error,
        }
    }

    /// That an apply could not succeed with what is there now.
    pub fn as_it_is(check: Check, error: Error) -> Self {
        Self {
            check,
            verdict: Verdict::FailsUnlessChanged,
            error,
        }
    }

    /// That an apply may not succeed.
    pub fn possible(check: Check, error: Error) -> Self {
        Self {
            check,
            verdict: Verdict::MayFail,
            error,
        }
    }
}
