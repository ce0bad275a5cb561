//! Fronts on moto, which keeps what Elastic Load Balancing keeps and refuses what it refuses, and moves no request.

mod crowds;
mod faults;
mod fronts;
mod leases;
mod refusals;
mod world;
