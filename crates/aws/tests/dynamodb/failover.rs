//! The home of a table moves. The part has one table for each region; what replicates them is here.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Region;
use aws_sdk_dynamodb::types::AttributeValue;
use mlops_aws::dynamodb::{DynamoRecords, Home};
use mlops_aws::{AwsClients, AwsSettings};
use mlops_core::records::{Change, CommitError, Expect, Key, Range, Records as _, Write};
use mlops_core::{Class, Error};
use serde_json::json;

use crate::support::{part, table};

const OLD: &str = table::REGION;
const NEW: &str = "us-east-1";

/// So long a writer believes; a move waits for twice this, and for one call.
const TRUSTED: Duration = Duration::from_millis(100);
/// The mark comes to the replica in much less.
const SOON: Duration = Duration::from_secs(20);
/// It does not come.
const NEVER: Duration = Duration::from_millis(600);

/// A table with a replica.
struct World {
    url: String,
    table: String,
}

impl World {
    async fn new() -> Option<Self> {
        let url = part::dynamodb_local()?.url.clone();
        let world = Self {
            table: table::create(&url).await,
            url,
        };
        table::create_by(&world.client(NEW), &world.table, "PK", Some("SK")).await;
        write(&world.records(OLD), "first").await.expect("made");
        world.replicate(OLD, NEW).await;
        Some(world)
    }

    fn client(&self, region: &str) -> Client {
        let config = table::client(&self.url).config().to_builder();
        Client::from_conf(config.region(Region::new(region.to_owned())).build())
    }

    /// The table as a program in this region has it.
    fn records(&self, region: &str) -> DynamoRecords {
        let settings = AwsSettings {
            region: Some(region.to_owned()),
            ..table::settings(&self.url)
        };
        let clients = AwsClients::with_patience(settings, table::patience()).expect("settings");
        let records = DynamoRecords::new(clients, &self.table).expect("a name");
        records.trusting(TRUSTED)
    }

    /// All that is in one region comes to the other, as it is.
    async fn replicate(&self, from: &str, to: &str) {
        let all = self.client(from).scan().table_name(&self.table).send();
        for item in all.await.expect("scanned").items.unwrap_or_default() {
            let put = self.client(to).put_item().table_name(&self.table);
            put.set_item(Some(item)).send().await.expect("replicated");
        }
    }

    /// Makes the new region the home, and replicates meanwhile.
    async fn fail_over(&self) -> Result<Home, Error> {
        let (to, from) = (self.records(NEW), self.records(OLD));
        let moved = to.move_home(&from, SOON);
        tokio::pin!(moved);
        loop {
            tokio::select! {
                moved = &mut moved => return moved,
                // Only until the home is there: what is written in the new one goes the other way.
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    let home = self.records(NEW).home().await.expect("read").expect("made");
                    if home.region == OLD {
                        self.replicate_format().await;
                    }
                }
            }
        }
    }

    async fn replicate_format(&self) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let read = self.client(OLD).get_item().table_name(&self.table);
        let read = read.key("PK", text("registry")).key("SK", text("format"));
        let item = read.send().await.expect("read").item;
        let put = self.client(NEW).put_item().table_name(&self.table);
        // A replica takes what is newer: never what the home was, over what it is.
        let put = put
            .condition_expression("home_region = :old")
            .expression_attribute_values(":old", text(OLD));
        let _ = put.set_item(item).send().await;
    }
}

async fn write(records: &DynamoRecords, sort: &str) -> Result<Vec<u64>, CommitError> {
    let put = Write {
        key: Key::new("p", sort),
        expect: Expect::Absent,
        change: Change::Put(json!({}).as_object().expect("an object").clone()),
    };
    records.commit(vec![put]).await
}

fn refused(outcome: Result<Vec<u64>, CommitError>, words: &[&str]) {
    let Err(CommitError::Store(error)) = outcome else {
        panic!("expected a refusal, got {outcome:?}");
    };
    assert_eq!(error.class(), Class::Denied, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "no {word:?} in: {error}");
    }
}

#[tokio::test]
async fn after_a_move_the_new_home_is_written_and_a_writer_that_knew_the_old_one_is_refused() {
    let Some(world) = World::new().await else {
        return;
    };
    let (old, new) = (world.records(OLD), world.records(NEW));
    write(&old, "known").await.expect("it is the home");
    refused(write(&new, "early").await, &["home region eu-west-1"]);

    let home = world.fail_over().await.expect("moved");
    assert_eq!((home.region.as_str(), home.fence), (NEW, 2));
    assert_eq!(home.moving_to, None);
    refused(
        write(&old, "late").await,
        &["moving from eu-west-1 to us-east-1"],
    );
    write(&new, "late").await.expect("it is the home now");
    world.replicate(NEW, OLD).await;
    let old = world.records(OLD);
    refused(
        write(&old, "later").await,
        &["home region us-east-1", "this is eu-west-1"],
    );

    let events = new.query("events#registry", Range::default()).await;
    let events = events.expect("read").items;
    let said: Vec<_> = events.iter().map(|event| &event.body["kind"]).collect();
    assert_eq!(said, ["registry.home.moved"]);
    assert_eq!(events[0].body["details"]["fence"], 2);

    let again = world
        .records(NEW)
        .move_home(&world.records(OLD), SOON)
        .await;
    let again = again.expect_err("it is there");
    assert!(again.is_conflict(), "{again}");
    assert!(
        again.to_string().contains("us-east-1 is the home"),
        "{again}"
    );
}

#[tokio::test]
async fn no_write_of_the_old_home_takes_place_once_the_new_one_may_write() {
    let Some(world) = World::new().await else {
        return;
    };
    let writer = {
        let old = world.records(OLD);
        tokio::spawn(async move {
            let mut last = None;
            for number in 0.. {
                match write(&old, &number.to_string()).await {
                    Ok(_) => last = Some(Instant::now()),
                    Err(CommitError::Store(error)) => {
                        assert_eq!(error.class(), Class::Denied, "{error}");
                        break;
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
            last
        })
    };
    let began = Instant::now();
    world.fail_over().await.expect("moved");
    let last = writer.await.expect("no panic").expect("it wrote before");
    let went_on = last.saturating_duration_since(began);
    assert!(
        went_on < table::patience().attempt,
        "the last write came {went_on:?} after the move began"
    );
}

#[tokio::test]
async fn a_move_that_the_replica_does_not_follow_stops_all_writers_and_is_finished_or_taken_back() {
    let Some(world) = World::new().await else {
        return;
    };
    let stuck = world
        .records(NEW)
        .move_home(&world.records(OLD), NEVER)
        .await;
    let stuck = stuck.expect_err("no replication");
    assert_eq!(stuck.class(), Class::Unavailable, "{stuck}");
    assert!(
        stuck
            .to_string()
            .contains("take the move back with --to eu-west-1"),
        "{stuck}"
    );
    refused(
        write(&world.records(OLD), "a").await,
        &["moving from eu-west-1 to us-east-1"],
    );
    refused(
        write(&world.records(NEW), "a").await,
        &["home region eu-west-1"],
    );

    let back = world
        .records(OLD)
        .move_home(&world.records(OLD), NEVER)
        .await;
    assert_eq!(back.expect("taken back").fence, 1);
    write(&world.records(OLD), "b")
        .await
        .expect("the home still");

    let stuck = world
        .records(NEW)
        .move_home(&world.records(OLD), NEVER)
        .await;
    stuck.expect_err("no replication");
    world.replicate(OLD, NEW).await;
    refused(
        write(&world.records(NEW), "c").await,
        &["moving from eu-west-1 to us-east-1"],
    );
    let home = world.fail_over().await.expect("finished");
    assert_eq!((home.region.as_str(), home.fence), (NEW, 2));
    write(&world.records(NEW), "d").await.expect("the home");
}

#[tokio::test]
async fn a_home_that_is_lost_is_taken_by_the_replica_and_refused_when_it_comes_back() {
    let Some(world) = World::new().await else {
        return;
    };
    let home = world.records(NEW).take_home().await.expect("taken");
    assert_eq!((home.region.as_str(), home.fence), (NEW, 2));
    write(&world.records(NEW), "a").await.expect("the home");
    // What the lost region does meanwhile nobody can tell it.
    write(&world.records(OLD), "b")
        .await
        .expect("it does not know");
    world.replicate(NEW, OLD).await;
    refused(
        write(&world.records(OLD), "c").await,
        &["home region us-east-1"],
    );
}

#[tokio::test]
async fn a_table_whose_content_is_replaced_under_a_writer_is_not_written() {
    let Some(world) = World::new().await else {
        return;
    };
    let records = world.records(OLD);
    write(&records, "a").await.expect("written");
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let set = async |uuid: &str| {
        let set = world.client(OLD).update_item().table_name(&world.table);
        let set = set
            .key("PK", text("registry"))
            .key("SK", text("format"))
            .update_expression("SET #u = :u")
            .expression_attribute_names("#u", "uuid")
            .expression_attribute_values(":u", text(uuid));
        set.send().await.expect("set");
    };
    set("7b0d0c0e-0000-4000-8000-000000000000").await;
    tokio::time::sleep(TRUSTED).await;
    let Err(CommitError::Store(error)) = write(&records, "b").await else {
        panic!("it is another registry");
    };
    assert_eq!(error.class(), Class::Unavailable, "{error}");
    assert!(error.to_string().contains("is another one now"), "{error}");
}
