//! The home of a table that is replicated to several regions, and its move to another one.
//!
//! Replicas take the last write, so all writes of a registry go to one replica, the home. The format item says which, and
//! writers read it anew every few seconds. A move has two halves, so that never two regions are written:
//!
//! 1. In the old home the item is marked as moving. Every writer anywhere is refused from then on. The move waits until the last who
//!    may have read the item before has ended its call, and until the mark is in the new home, hence what was written before it on its way.
//! 2. In the new home the item names the new home, with a greater fence, and writers there go on.
//!
//! A move that was killed is finished by the same command, and taken back by a move to the region that is still the home.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use mlops_core::clock::{Clock as _, SystemClock};
use mlops_core::records::Records as _;
use mlops_core::registry::events::{self, NewEvent, Subject};
use mlops_core::{Error, Result};

use super::DynamoRecords;
use super::format::{FENCE, Format, HOME, MOVING_TO};

/// How often the replica in the new home is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Where a table is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The registry's UUID.
    pub uuid: uuid::Uuid,
    /// The region.
    pub region: String,
    /// Greater with each move.
    pub fence: u64,
    /// The region that it is moving to; nobody writes meanwhile.
    pub moving_to: Option<String>,
}

impl DynamoRecords {
    /// Where the table is written, as the replica in this region says now; `None` while there is no registry.
    ///
    /// # Errors
    /// As reads have them.
    pub async fn home(&self) -> Result<Option<Home>> {
        let Some(item) = self.read_format().await? else {
            return Ok(None);
        };
        let format = Format::read(self.table(), &item)?;
        Ok(Some(Home {
            uuid: format.uuid,
            region: format.home_region,
            fence: format.fence,
            moving_to: format.moving_to,
        }))
    }

    /// Makes this replica's region the home, with the help of the one that is it; the mark has so much time to come here.
    ///
    /// # Errors
    /// A conflict if it is the home already, or somebody else moves it; `Unavailable` if this replica does not get the mark in time: the home
    /// then stays marked, until the move is finished or taken back.
    pub async fn move_home(&self, from: &Self, within: Duration) -> Result<Home> {
        let to = self.inner.clients.region().await?;
        let home = self.expect_home().await?;
        if home.region == to && home.moving_to.is_none() {
            return Err(self.is_home_already(&to));
        }
        if home.region == to {
            return self.take_back(&home).await;
        }
        let old = from.expect_home().await?;
        if old.uuid != home.uuid || old.region != from.inner.clients.region().await? {
            return Err(self.moved_meanwhile());
        }
        match old.moving_to.as_deref() {
            None => from.change_home(&old, Change::Mark(&to)).await?,
            Some(other) if other == to => {}
            Some(other) => {
                return Err(Error::conflict(format!(
                    "the home of table {} is moving to {other} already; finish that with --to {other}, or take it back with --to {}",
                    self.table(),
                    old.region
                )));
            }
        }
        tokio::time::sleep(from.until_writers_know()).await;
        let began = Instant::now();
        loop {
            let seen = self.expect_home().await?;
            if seen.moving_to.as_deref() == Some(&*to) {
                return self.settle_in(&seen, &to, "moved").await;
            }
            if seen.region == to {
                // Somebody finished the same move.
                return Ok(seen);
            }
            if began.elapsed() > within {
                return Err(Error::unavailable(format!(
                    "the replica of table {} in {to} did not get the mark of the move within {} s, and nobody writes the registry meanwhile; run this again when replication works, or take the move back with --to {}",
                    self.table(),
                    within.as_secs(),
                    old.region
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes this replica's region the home while the home cannot be reached. What was written there and has not come here is
    /// missing until it comes, and writers there that do not see this are not stopped.
    ///
    /// # Errors
    /// A conflict if it is the home already, or somebody else moves it.
    pub async fn take_home(&self) -> Result<Home> {
        let to = self.inner.clients.region().await?;
        let home = self.expect_home().await?;
        if home.region == to && home.moving_to.is_none() {
            return Err(self.is_home_already(&to));
        }
        if home.region == to {
            return self.take_back(&home).await;
        }
        self.settle_in(&home, &to, "taken").await
    }

    /// After so long no writer acts any more on what the format item said before: what writers trust, and one call.
    pub(super) fn until_writers_know(&self) -> Duration {
        self.inner.trusted * 2 + self.inner.clients.retries().patience().attempt
    }

    async fn settle_in(&self, seen: &Home, to: &str, how: &str) -> Result<Home> {
        let fence = seen.fence + 1;
        self.change_home(seen, Change::Settle(to)).await?;
        let event = NewEvent::new(
            format!("registry.home.{how}"),
            format!("the registry's home was {how} from {} to {to}", seen.region),
        )
        .with("from", seen.region.clone())
        .with("to", to)
        .with("fence", fence);
        self.tell(event).await?;
        Ok(Home {
            region: to.to_owned(),
            fence,
            moving_to: None,
            ..seen.clone()
        })
    }

    async fn take_back(&self, home: &Home) -> Result<Home> {
        self.change_home(home, Change::Keep).await?;
        let event = NewEvent::new(
            "registry.home.kept",
            format!(
                "a move of the registry's home from {} was taken back",
                home.region
            ),
        );
        self.tell(event).await?;
        Ok(Home {
            moving_to: None,
            ..home.clone()
        })
    }

    async fn tell(&self, event: NewEvent) -> Result<()> {
        // What this handle knew of the home is old.
        let now = SystemClock::default().now();
        let write = events::single(&Subject::Registry, event, now, uuid::Uuid::new_v4())?;
        let fresh = self.clone().trusting(Duration::ZERO);
        let told = fresh.commit(vec![write]).await;
        told.map_err(|error| {
            error.into_error("the move took place, and its event was not written")
        })?;
        Ok(())
    }

    /// Changes the item in this replica if the home is as it was seen.
    async fn change_home(&self, seen: &Home, change: Change<'_>) -> Result<()> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let number = |number: u64| AttributeValue::N(number.to_string());
        let names = [
            ("#uuid", "uuid"),
            ("#home", HOME),
            ("#fence", FENCE),
            ("#moving", MOVING_TO),
        ];
        let mut values = vec![
            (":uuid", text(&seen.uuid.to_string())),
            (":home", text(&seen.region)),
            (":fence", number(seen.fence)),
        ];
        let mut condition = String::from("#uuid = :uuid AND #home = :home AND ");
        // A table whose home was never moved need not say its fence.
        condition.push_str(match seen.fence {
            1 => "(#fence = :fence OR attribute_not_exists(#fence)) AND ",
            _ => "#fence = :fence AND ",
        });
        match &seen.moving_to {
            None => condition.push_str("attribute_not_exists(#moving)"),
            Some(moving) => {
                condition.push_str("#moving = :moving");
                values.push((":moving", text(moving)));
            }
        }
        let update = match change {
            Change::Mark(to) => {
                values.push((":to", text(to)));
                "SET #moving = :to"
            }
            Change::Settle(to) => {
                values.push((":to", text(to)));
                values.push((":next", number(seen.fence + 1)));
                "SET #home = :to, #fence = :next REMOVE #moving"
            }
            Change::Keep => "REMOVE #moving",
        };
        if self
            .change_format(update, &condition, &names, &values)
            .await?
        {
            return Ok(());
        }
        // It was us, and the answer was lost; or somebody else, who may have done the same.
        let now = self.expect_home().await?;
        let moving_to = now.moving_to.as_deref();
        let is_done = match change {
            Change::Mark(to) => now.fence == seen.fence && moving_to == Some(to),
            Change::Settle(to) => {
                now.fence == seen.fence + 1 && now.region == to && moving_to.is_none()
            }
            Change::Keep => now.fence == seen.fence && moving_to.is_none(),
        };
        is_done.then_some(()).ok_or_else(|| self.moved_meanwhile())
    }

    async fn expect_home(&self) -> Result<Home> {
        self.home().await?.ok_or_else(|| {
            Error::not_found(format!("there is no registry in {}", self.inner.location))
        })
    }

    fn is_home_already(&self, region: &str) -> Error {
        Error::conflict(format!(
            "{region} is the home of table {} already",
            self.table()
        ))
    }

    fn moved_meanwhile(&self) -> Error {
        Error::conflict(format!(
            "the home of table {} is moved by somebody else, or its replicas do not agree; look at it again",
            self.table()
        ))
    }
}

/// What becomes of the item.
#[derive(Clone, Copy)]
enum Change<'a> {
    /// The home is moving there.
    Mark(&'a str),
    /// It is there.
    Settle(&'a str),
    /// It stays where it is.
    Keep,
}
