//! The attribute `price_file`: prices of the user's own.

use std::fs;

use mlops_core::endpoint::cost::Prices;
use tfplugin::schema::{Attribute, Block};
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::diagnose;

const ATTRIBUTE: &str = "price_file";

/// Declares the attribute.
pub(crate) fn declare(block: Block) -> Block {
    block.attribute(
        ATTRIBUTE,
        Attribute::string().optional().describe(
            "A file of prices by which endpoints on ECS are estimated, relative to the working directory: discounts that were agreed on, or regions that the \
             provider has no price for. Its rows stand above the provider's own; each figure in it needs a source.",
        ),
    )
}

/// The provider's own prices, and above them those of the file.
pub(crate) fn read(file: Option<&str>) -> Result<Prices, Diagnostics> {
    let Some(file) = file else {
        return Ok(Prices::built_in());
    };
    let at = |problem: Diagnostic| Diagnostics::from(problem.at(Path::attribute(ATTRIBUTE)));
    let text = fs::read_to_string(file).map_err(|error| {
        let detail = format!("{file} cannot be read: {error}. Write a path that is right from the working directory, or an absolute one.");
        at(Diagnostic::error("Cannot read the price file", detail))
    })?;
    let own = Prices::parse(&text, file);
    let own = own.map_err(|error| at(diagnose::failed("Invalid price file", &error)))?;
    Ok(own.or(Prices::built_in()))
}
