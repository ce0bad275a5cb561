//! The block `preflight`: what a plan looks at around an endpoint, and what comes of what it finds.

use std::collections::BTreeSet;

use mlops_core::endpoint::{self, EndpointRecord, EndpointSpec};
use mlops_core::target::{Check, Finding};
use tfplugin::schema::{self, Attribute};
use tfplugin::types::Type;
use tfplugin::{Diagnostic, Diagnostics, Severity, validate};

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
enum Mode {
    Error,
    Warn,
    Off,
}

const MODES: [(&str, Mode); 3] = [
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
            "What a plan looks at around an endpoint on ECS, so that an apply does not fail of it. It only reads. What does not exist, and what \
             cannot be read, is a warning always: it may be made before the apply, or be as it should.",
        )
        .attribute(
            "mode",
            Attribute::string()
                .optional()
                .validate(validate::one_of(MODES.map(|(name, _)| name)))
                .describe(
                    "What comes of something that an apply cannot succeed with: `error`, `warn`, or `off` to look at nothing. \
                     Default: `error`. Environment, in place of what is set here: `MLOPS_PREFLIGHT_MODE`.",
                ),
        )
        .attribute(
            "skip",
            Attribute::list(Type::String)
                .optional()
                .validate(validate::each(validate::one_of(
                    Check::ALL.map(Check::name),
                )))
                .describe("Checks that are left out: `roles`, `subnets`, `load_balancer`. Default: none."),
        );
    block.single("preflight", own)
}

/// What plans look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preflight {
    mode: Mode,
    checks: BTreeSet<Check>,
}

impl Preflight {
    /// Reads the block, and the variable that stands above it.
    pub(crate) fn new(
        block: Option<Block>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Diagnostics> {
        let (mode, skip) = block.map_or((None, None), |block| (block.mode, block.skip));
        let set = environment
            .into_iter()
            .find(|(name, value)| name == VARIABLE && !value.is_empty());
        let wanted = set.map(|(_, value)| value).or(mode);
        let wanted = wanted.as_deref().unwrap_or("error");
        let found = MODES.iter().find(|(name, _)| *name == wanted);
        let Some((_, mode)) = found else {
            // Of the attribute the schema says it.
            let detail = format!("{VARIABLE} is {wanted:?}; it is error, warn or off.");
            return Err(Diagnostic::error("No such mode of preflight", detail).into());
        };
        let skip = skip.unwrap_or_default();
        let skipped: BTreeSet<Check> = skip.iter().filter_map(|name| Check::named(name)).collect();
        let checks = match mode {
            Mode::Off => BTreeSet::new(),
            _ => BTreeSet::from(Check::ALL)
                .difference(&skipped)
                .copied()
                .collect(),
        };
        Ok(Self {
            mode: *mode,
            checks,
        })
    }

    /// Looks at what is around the endpoint: warnings, or the errors of the plan.
    pub(crate) async fn look(
        &self,
        client: &Client,
        spec: &EndpointSpec,
        record: Option<&EndpointRecord>,
    ) -> Result<Vec<Diagnostic>, Diagnostics> {
        let target = client.targets.get(spec.target.kind());
        let target = target.map_err(|error| diagnose::failed("Invalid endpoint", &error))?;
        let checks = self.checks.clone();
        let found = endpoint::preflight(target.as_ref(), spec, record, checks).await;
        let told: Vec<_> = found.iter().map(|finding| self.tell(finding)).collect();
        if told.iter().all(|told| told.severity == Severity::Warning) {
            return Ok(told);
        }
        let mut all = Diagnostics::new();
        for told in told {
            all.push(told);
        }
        Err(all)
    }

    fn tell(&self, finding: &Finding) -> Diagnostic {
        let Finding {
            check,
            is_certain,
            error,
        } = finding;
        let summary = match is_certain {
            true => "The endpoint cannot be served with what is there",
            false => "The endpoint may lack something",
        };
        let mut told = diagnose::failed(summary, error);
        told.detail.push_str(&format!(
            ".\n\nThis is the check {0:?} of the plan; skip = [{0:?}] in the provider's block preflight leaves it out.",
            check.name()
        ));
        if !is_certain || self.mode != Mode::Error {
            told.severity = Severity::Warning;
        }
        told
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
        assert_eq!(
            (all.mode, all.checks.len()),
            (Mode::Error, Check::ALL.len())
        );
        assert_eq!(read(None, &[], ""), Ok(all.clone()));
        let warn = read(Some("warn"), &["roles"], "").expect("legal");
        assert_eq!(warn.mode, Mode::Warn);
        assert_eq!(
            warn.checks,
            BTreeSet::from([Check::Subnets, Check::LoadBalancer])
        );
        assert_eq!(read(Some("off"), &[], "error"), Ok(all));
        assert!(
            read(Some("error"), &[], "off")
                .expect("legal")
                .checks
                .is_empty()
        );
        let wrong = read(Some("warn"), &[], "of").expect_err("no mode");
        assert!(
            format!("{wrong:?}").contains("MLOPS_PREFLIGHT_MODE is"),
            "{wrong:?}"
        );
    }
}
