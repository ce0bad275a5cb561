//! What an endpoint costs in a month, by list prices that each have a source. Pure: nobody is asked for a price.
//!
//! [`Footprint`] is what of a specification decides its cost, [`Prices`] what a unit of it costs, [`Estimate`] the outcome, and [`Limits`] what the
//! user says about it. A price that is not there makes the outcome [`Missing`], never a guess.

mod estimate;
mod footprint;
mod limits;
mod prices;
#[cfg(test)]
mod tests;

pub use estimate::{Estimate, Missing};
pub use footprint::{Footprint, Tasks};
pub use limits::Limits;
pub use prices::{FargatePrice, Prices, Source};
