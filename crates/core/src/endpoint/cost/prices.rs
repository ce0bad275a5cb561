//! The price file: every figure in it has a source with a date.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use crate::endpoint::spec::Architecture;
use crate::error::{Error, Result};

/// The file that comes with this program. `tests.rs` reads it, so it can be read.
const BUILT_IN: &str = include_str!("prices.json");

/// What Fargate costs, by region and processor, in US dollars.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    fargate: Vec<FargatePrice>,
}

/// What Fargate costs on one kind of processor in one region.
#[derive(Debug, Clone, PartialEq)]
pub struct FargatePrice {
    /// The region.
    pub region: String,
    /// The processor.
    pub architecture: Architecture,
    /// US dollars for a vCPU in an hour.
    pub vcpu_hour: f64,
    /// US dollars for a GB of memory in an hour.
    pub gb_hour: f64,
    /// Who says so.
    pub source: Source,
}

/// Where a figure was read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Where it stands: a URL, or whatever else leads there, such as the number of a contract.
    pub address: String,
    /// The day on which it stood there.
    pub date: Date,
    /// What it is called there.
    #[serde(default)]
    pub note: String,
}

/// The file as it is written. A name that nobody knows is a typing error, and would be a price that is not used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    currency: String,
    #[serde(default)]
    sources: BTreeMap<String, Source>,
    fargate: Vec<Row>,
}

/// A row. What it must have is asked for by [`Row::read`], which can say which row it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    region: Option<String>,
    architecture: Option<String>,
    vcpu_hour: Option<f64>,
    gb_hour: Option<f64>,
    source: Option<String>,
}

impl Prices {
    /// The prices that come with this program.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN, "prices.json").expect("a test reads the program's own price file")
    }

    /// Reads a price file, which errors call `name`.
    ///
    /// # Errors
    /// `Invalid` if it is none, or if a figure in it has no source or cannot be a price.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let file: File = serde_json::from_str(text)
            .map_err(|error| Error::invalid(format!("{name} is not a price file: {error}")))?;
        if file.currency != "USD" {
            return Err(Error::invalid(format!(
                "the prices in {name} are in {:?}; estimates and limits are in US dollars, so write \"USD\" and prices in it",
                file.currency
            )));
        }
        for (key, source) in &file.sources {
            if source.address.trim().is_empty() {
                return Err(Error::invalid(format!(
                    "the source {key:?} in {name} has no address; say where its figures stand"
                )));
            }
        }
        let mut fargate: Vec<FargatePrice> = Vec::new();
        for (index, row) in file.fargate.into_iter().enumerate() {
            let price = row.read(&file.sources).map_err(|problem| {
                Error::invalid(format!("row {} of fargate in {name} {problem}", index + 1))
            })?;
            if fargate.iter().any(|known| known.is_for(&price)) {
                return Err(Error::invalid(format!(
                    "{name} has two prices for {} in {}; leave one",
                    price.architecture.as_str(),
                    price.region
                )));
            }
            fargate.push(price);
        }
        Ok(Self { fargate })
    }

    /// These prices, and `others` where these say nothing.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for other in others.fargate {
            if !self.fargate.iter().any(|known| known.is_for(&other)) {
                self.fargate.push(other);
            }
        }
        self
    }

    /// What Fargate costs there, if it is known.
    pub fn fargate(&self, region: &str, architecture: Architecture) -> Option<&FargatePrice> {
        let mut all = self.fargate.iter();
        all.find(|price| price.region == region && price.architecture == architecture)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &FargatePrice> {
        self.fargate.iter()
    }
}

impl FargatePrice {
    fn is_for(&self, other: &Self) -> bool {
        (&self.region, self.architecture) == (&other.region, other.architecture)
    }
}

impl Row {
    /// The row, or what is wrong with it.
    fn read(self, sources: &BTreeMap<String, Source>) -> Result<FargatePrice, String> {
        let region = self.region.filter(|region| !region.trim().is_empty());
        let region = region.ok_or("names no region")?;
        let architecture = match self.architecture.as_deref() {
            Some("X86_64") => Architecture::X86_64,
            Some("ARM64") => Architecture::Arm64,
            other => {
                return Err(format!(
                    "({region}) is for the architecture {:?}; it is X86_64 or ARM64",
                    other.unwrap_or_default()
                ));
            }
        };
        let what = format!("({region}, {})", architecture.as_str());
        let figure = |figure: Option<f64>, name: &str| match figure {
            Some(figure) if figure.is_finite() && figure > 0.0 => Ok(figure),
            Some(figure) => Err(format!(
                "{what} says {name} = {figure}; a price is above zero"
            )),
            None => Err(format!("{what} has no {name}")),
        };
        let (vcpu_hour, gb_hour) = (
            figure(self.vcpu_hour, "vcpu_hour")?,
            figure(self.gb_hour, "gb_hour")?,
        );
        let source = self.source.ok_or_else(|| {
            format!("{what} has figures without a source; name one of sources, which says where and when they were read")
        })?;
        let source = sources.get(&source).ok_or_else(|| {
            format!("{what} names the source {source:?}, which is not among sources")
        })?;
        Ok(FargatePrice {
            region,
            architecture,
            vcpu_hour,
            gb_hour,
            source: source.clone(),
        })
    }
}
