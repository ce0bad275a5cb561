//! The block `preflight` of the provider: what a plan looks at around an endpoint, and what comes of what it finds.

use std::collections::BTreeSet;

use mlops_core::endpoint::{self, EndpointRecord, EndpointSpec};
use mlops_core::target::{Check, Finding, Verdict};
use tfplugin::schema::{self, Attribute};
use tfplugin::types::Type;
use tfplugin::{Diagnostic, Diagnostics, validate};

use crate::client::Client;
use crate::diagnose;

tfplugin::object! {
    /// The block as it is written.
    pub(crate) struct Block {
        /// `error`, `warn` or `off`.
        pub(crate) mode: Option<String>,
        /// Checks that are left out.
        pub(crate) skip: Option<Vec<String>>,
    }
}

/// What comes of a finding that is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The plan fails.
    Error,
    /// The plan warns.
    Warn,
    /// Nobody looks.
    Off,
}

/// The modes, as they are written.
pub(crate) const MODES: [(&str, Mode); 3] = [
    ("error", Mode::Error),
    ("warn", Mode::Warn),
    ("off", Mode::Off),
];

/// In place of `mode`.
const VARIABLE: &str = "MLOPS_PREFLIGHT_MODE";

/// Declares the block.
pub(crate) fn declare(block: schema::Block) -> schema::Block {
    let own = schema::Block::new()
        .describe(
            "What a plan looks at around an endpoint on ECS, so that an apply does not fail of it. It only reads. What does not exist is a warning of \
             the plan, since it may be made before the apply, and an error of the apply before it writes anything. What cannot be read is a warning.",
        )
        .attribute(
            "mode",
            mode(
                "Default: `error`. Environment, in place of what is set here: `MLOPS_PREFLIGHT_MODE`.",
            ),
        )
        .attribute(
            "skip",
            skip().describe(format!("Checks that are left out: {}. Default: none.", names())),
        );
    block.single("preflight", own)
}

/// The attribute `mode`, and what its description ends with.
pub(crate) fn mode(default: &str) -> Attribute {
    Attribute::string()
        .optional()
        .validate(validate::one_of(MODES.map(|(name, _)| name)))
        .describe(format!(
            "What comes of something that an apply cannot succeed with: `error`, `warn`, or `off` to look at nothing. {default}"
        ))
}

/// The attribute `skip`, without a description.
pub(crate) fn skip() -> Attribute {
    Attribute::list(Type::String)
        .optional()
        .validate(validate::each(validate::one_of(
            Check::ALL.map(Check::name),
        )))
}

/// The checks, as the documentation lists them.
pub(crate) fn names() -> String {
    Check::ALL
        .map(|check| format!("`{}`", check.name()))
        .join(", ")
}

/// What an endpoint says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Own {
    /// In place of the provider's.
    pub(crate) mode: Option<String>,
    /// The same.
    pub(crate) skip: Option<Vec<String>>,
}

/// What plans and applies look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preflight {
    mode: Mode,
    skip: Vec<String>,
    /// What the variable says, which is about plans alone.
    planned: Option<Mode>,
}

/// What is looked at, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Looks {
    mode: Mode,
    checks: BTreeSet<Check>,
}

impl Looks {
    fn new(mode: Mode, skip: &[String]) -> Self {
        let skipped: BTreeSet<Check> = skip.iter().filter_map(|name| Check::named(name)).collect();
        let checks = match mode {
            Mode::Off => BTreeSet::new(),
            _ => BTreeSet::from(Check::ALL)
                .difference(&skipped)
                .copied()
                .collect(),
        };
        Self { mode, checks }
    }

    async fn find(
        &self,
        client: &Client,
        spec: &EndpointSpec,
        record: Option<&EndpointRecord>,
    ) -> Result<Vec<Finding>, Diagnostics> {
        let target = client.targets.of(&spec.target);
        let target = target.map_err(|error| diagnose::failed("Invalid endpoint", &error))?;
        let checks = self.checks.clone();
        Ok(endpoint::preflight(&client.registry, target.as_ref(), spec, record, checks).await)
    }
}

impl Preflight {
    /// Reads the block, and the variable that stands above it.
    pub(crate) fn new(
        block: Option<Block>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Diagnostics> {
        let (mode, skip) = block.map_or((None, None), |block| (block.mode, block.skip));
        let skip = skip.unwrap_or_default();
        let set = environment
            .into_iter()
            .find(|(name, value)| name == VARIABLE && !value.is_empty());
        let planned = match &set {
            Some((_, value)) => Some(called(value).ok_or_else(|| {
                let detail = format!("{VARIABLE} is {value:?}; it is error, warn or off.");
                Diagnostic::error("No such mode of preflight", detail)
            })?),
            None => None,
        };
        Ok(Self {
            mode: mode.as_deref().and_then(called).unwrap_or(Mode::Error),
            skip,
            planned,
        })
    }

    /// The same for an endpoint that says something itself.
    pub(crate) fn of(&self, own: Own) -> Self {
        Self {
            mode: own.mode.as_deref().and_then(called).unwrap_or(self.mode),
            skip: own.skip.unwrap_or_else(|| self.skip.clone()),
            planned: self.planned,
        }
    }

    fn in_plans(&self) -> Looks {
        Looks::new(self.planned.unwrap_or(self.mode), &self.skip)
    }

    fn in_applies(&self) -> Looks {
        Looks::new(self.mode, &self.skip)
    }

    /// Looks at what is around the endpoint that is planned: warnings, or the errors of the plan.
    pub(crate) async fn look(
        &self,
        client: &Client,
        spec: &EndpointSpec,
        record: Option<&EndpointRecord>,
    ) -> Result<Vec<Diagnostic>, Diagnostics> {
        let looks = self.in_plans();
        let found = looks.find(client, spec, record).await?;
        let is_error =
            |finding: &Finding| looks.mode == Mode::Error && finding.verdict == Verdict::Fails;
        let told: Vec<_> = found
            .iter()
            .map(|finding| tell(finding, is_error(finding)))
            .collect();
        if found.iter().any(is_error) {
            return Err(told.into_iter().collect());
        }
        Ok(told)
    }

    /// Looks again before an apply writes anything: what a plan had to leave open is decided now. What was good when this process planned is not asked for
    /// again. Warnings are those of the plan that Terraform makes in every apply.
    pub(crate) async fn require(
        &self,
        client: &Client,
        spec: &EndpointSpec,
        record: Option<&EndpointRecord>,
    ) -> Result<(), Diagnostics> {
        let looks = self.in_applies();
        if looks.mode != Mode::Error {
            return Ok(());
        }
        let found = looks.find(client, spec, record).await?.into_iter();
        let errors: Vec<_> = found
            .filter(|finding| finding.verdict != Verdict::MayFail)
            .map(|finding| tell(&finding, true))
            .collect();
        match errors.is_empty() {
            true => Ok(()),
            false => Err(errors.into_iter().collect()),
        }
    }
}

/// The mode that is written so; the schema says what else is none.
fn called(name: &str) -> Option<Mode> {
    let found = MODES.iter().find(|(known, _)| *known == name);
    found.map(|(_, mode)| *mode)
}

fn tell(finding: &Finding, is_error: bool) -> Diagnostic {
    let Finding {
        check,
        verdict,
        error,
    } = finding;
    let summary = match (verdict, is_error) {
        (Verdict::Fails, _) | (_, true) => "The endpoint cannot be served with what is there",
        _ => "The endpoint may lack something",
    };
    let mut told = diagnose::failed(summary, error);
    told.detail.push_str(&format!(
        ".\n\nThis is the check {0:?}; skip = [{0:?}] in a block preflight, the endpoint's or the provider's, leaves it out.",
        check.name()
    ));
    match is_error {
        true => told,
        false => told.into_warning(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mode: Option<&str>, skip: &[&str], set: &str) -> Result<Preflight, Diagnostics> {
        let block = Block {
            mode: mode.map(str::to_owned),
            skip: Some(skip.iter().map(|name| (*name).to_owned()).collect()),
        };
        Preflight::new(Some(block), [(VARIABLE.to_owned(), set.to_owned())])
    }

    #[test]
    fn all_is_looked_at_unless_the_block_or_the_variable_says_otherwise() {
        let all = Preflight::new(None, []).expect("the default");
        let looks = all.in_plans();
        assert_eq!(
            (looks.mode, looks.checks.len()),
            (Mode::Error, Check::ALL.len())
        );
        assert_eq!(read(None, &[], ""), Ok(all.clone()));
        let warn = read(Some("warn"), &["roles"], "").expect("legal");
        assert_eq!(warn.in_plans().mode, Mode::Warn);
        let mut rest = BTreeSet::from(Check::ALL);
        rest.remove(&Check::Roles);
        assert_eq!(warn.in_plans().checks, rest);
        assert_eq!(warn.in_applies().checks, rest);
        let wrong = read(Some("warn"), &[], "of").expect_err("no mode");
        assert!(
            format!("{wrong:?}").contains("MLOPS_PREFLIGHT_MODE is"),
            "{wrong:?}"
        );
    }

    #[test]
    fn the_variable_is_about_plans_alone() {
        let all = Looks::new(Mode::Error, &[]);
        let none = Looks::new(Mode::Off, &[]);
        for (written, set, plan, apply) in
            [("off", "error", &all, &none), ("error", "off", &none, &all)]
        {
            let read = read(Some(written), &[], set).expect("legal");
            let looks = (&read.in_plans(), &read.in_applies());
            assert_eq!(looks, (plan, apply), "{written} {set}");
        }
    }

    #[test]
    fn an_endpoint_stands_above_the_provider_and_the_variable_above_both() {
        let own = |mode: Option<&str>, skip: Option<&[&str]>| Own {
            mode: mode.map(str::to_owned),
            skip: skip.map(|skip| skip.iter().map(|name| (*name).to_owned()).collect()),
        };
        let looks = |mode, skip: &[&str]| {
            let skip: Vec<String> = skip.iter().map(|name| (*name).to_owned()).collect();
            Looks::new(mode, &skip)
        };
        let written = read(Some("warn"), &["roles"], "").expect("legal");
        for (own, applies) in [
            (own(None, None), looks(Mode::Warn, &["roles"])),
            (own(Some("error"), None), looks(Mode::Error, &["roles"])),
            (own(None, Some(&["images"])), looks(Mode::Warn, &["images"])),
            (own(None, Some(&[])), looks(Mode::Warn, &[])),
            (own(Some("off"), None), looks(Mode::Off, &[])),
        ] {
            let read = written.of(own);
            assert_eq!(
                (read.in_plans(), read.in_applies()),
                (applies.clone(), applies)
            );
        }
        let set = read(Some("warn"), &[], "error").expect("legal");
        let set = set.of(own(Some("off"), None));
        assert_eq!(set.in_plans(), looks(Mode::Error, &[]));
        assert_eq!(set.in_applies(), looks(Mode::Off, &[]));
    }
}
