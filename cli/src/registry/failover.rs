//! `mlops registry failover`: another region becomes the home of a replicated table.

use std::pin::Pin;
use std::time::Duration;

use clap::Args;
use mlops_core::Result;
use serde::Serialize;

use crate::exit::Exit;

/// `mlops registry failover`.
#[derive(Debug, Args)]
pub(crate) struct Failover {
    /// DynamoDB table of the registry, by name: it is called so in every region.
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: String,
    /// Region that becomes the home. The one that is the home takes back a move that did not end.
    #[arg(long, value_name = "REGION")]
    pub(crate) to: String,
    /// Profile of the shared configuration files. Default: AWS_PROFILE.
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// The region that is the home cannot be reached: take what its replica in the new one has. What was written there and has not come is
    /// missing until it comes, and whoever still writes there is not stopped: see to that first.
    #[arg(long)]
    pub(crate) home_is_lost: bool,
    /// How long the mark of the move may take from region to region: 30s, 5m.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = crate::artifact::time)]
    pub(crate) within: Duration,
    /// Do it. Without it nothing is changed.
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Where a table is written.
#[derive(Debug, Serialize)]
pub(crate) struct Home {
    /// The registry's UUID.
    pub(crate) registry: uuid::Uuid,
    /// The region that was the home.
    pub(crate) from: String,
    /// The region that is the home.
    pub(crate) home_region: String,
    /// Greater with each move.
    pub(crate) fence: u64,
    /// Where it is moving, if a move did not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) moving_to: Option<String>,
}

/// Moves the home, or, without confirmation, says where it is.
pub(crate) type MoveHome =
    for<'a> fn(&'a Failover) -> Pin<Box<dyn Future<Output = Result<Home>> + 'a>>;

/// Runs it to its end.
pub(super) async fn run(asked: &Failover, move_home: MoveHome) -> Result<Exit> {
    let home = move_home(asked).await?;
    match serde_json::to_string(&home) {
        Ok(line) if asked.json => println!("{line}"),
        _ => println!("{}", line(asked, &home)),
    }
    Ok(Exit::Ok)
}

fn line(asked: &Failover, home: &Home) -> String {
    let registry = format!("registry {} in table {}", home.registry, asked.table);
    if asked.confirm {
        return format!(
            "the home of {registry} is {} (fence {}); it was {}",
            home.home_region, home.fence, home.from
        );
    }
    let state = match &home.moving_to {
        Some(to) => format!(", and a move to {to} did not end: nobody writes"),
        None => String::new(),
    };
    format!(
        "the home of {registry} is {} (fence {}){state}; with --confirm it becomes {}",
        home.home_region, home.fence, asked.to
    )
}
