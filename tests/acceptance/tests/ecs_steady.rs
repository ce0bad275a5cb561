//! `wait_for_steady_state = false`: an apply that ends before what it made is healthy.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld};
use mlops_acceptance::http::Client;
use mlops_acceptance::stack::{ENDPOINT, Stack};
use mlops_acceptance::{Workspace, skip, wait};

const UNSEEN: &str = "wait_for_steady_state = false";
/// A version of the image that never comes up.
const UNPLACED: &str = "UNPLACED = \"1\"";

struct World {
    ecs: EcsWorld,
    work: Workspace,
    image: String,
    /// Seconds that a revision may take to start.
    startup: u32,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let ecs = EcsWorld::on_paper_for(test)?;
        let work = ecs.workspace("");
        let image = ecs.paper_image("own");
        Some(Self {
            ecs,
            work,
            image,
            startup: 300,
        })
    }

    /// Tasks with these variables; the endpoint says `more`.
    fn configure(&mut self, variables: &str, more: &str, rollout: &str) {
        let blocks = self.ecs.blocks(&self.ecs.own_listener());
        let (image, startup) = (&self.image, self.startup);
        let text = format!(
            r#"
resource "mlops_endpoint" "digits" {{
  name          = "digits"
  drain_seconds = 1
  {more}
  variants      = {{ main = {{
    traffic     = 100
    image       = "{image}"
    environment = {{ {variables} }}
    startup_timeout_seconds = {startup}
  }} }}
  {blocks}
  {rollout}
}}
"#
        );
        self.work.config(&text);
    }

    /// The services that are there.
    fn services(&self) -> Vec<String> {
        let services = self.ecs.services();
        let there = services.iter().filter(|one| one["status"] == "ACTIVE");
        let mut names: Vec<_> = there
            .map(|one| one["serviceName"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names
    }

    /// The share of each revision, in percent, by its state.
    fn shares(&self) -> BTreeMap<String, f64> {
        let mut reader = self.ecs.workspace("");
        reader.config(
            "data \"mlops_endpoint_status\" \"it\" {\n  name    = \"digits\"\n  cluster = \"models\"\n}\n\
             output \"revisions\" {\n  value = data.mlops_endpoint_status.it.revisions\n}\n",
        );
        reader.apply();
        let state = reader.state();
        let revisions = state.output("revisions").as_object().expect("a map");
        let share = |one: &serde_json::Value| {
            let state = one["state"].as_str().expect("a state").to_owned();
            (state, one["traffic"].as_f64().expect("a share"))
        };
        revisions.values().map(share).collect()
    }
}

#[test]
fn an_apply_that_waits_for_nobody_keeps_what_served_and_gives_it_everything_back_when_asked() {
    let test =
        "an_apply_that_waits_for_nobody_keeps_what_served_and_gives_it_everything_back_when_asked";
    let Some(mut world) = World::start(test) else {
        return;
    };
    let before = world.ecs.everything();
    world.configure("VERSION = \"1\"", UNSEEN, AT_ONCE);
    world.work.apply();
    let first = world.services();
    assert_eq!(first.len(), 1, "{first:?}");

    // Tasks that find no place: ended all the same, and said so.
    world.configure(&format!("VERSION = \"2\", {UNPLACED}"), UNSEEN, AT_ONCE);
    let ended = world.work.try_apply();
    let warned = ended.succeeded().warnings().join("\n");
    for said in [
        "Nobody has seen the new revision serve",
        "clients get errors",
        "stands by with its tasks",
    ] {
        assert!(warned.contains(said), "{warned}");
    }
    let both = world.services();
    assert!(both.len() == 2 && both.contains(&first[0]), "{both:?}");
    let shares = [("loading".to_owned(), 100.0), ("ready".to_owned(), 0.0)];
    assert_eq!(world.shares(), shares.into());
    // It may still come up: nothing to apply, and nothing is made twice.
    world.work.expect_empty_plan();

    world.configure("VERSION = \"1\"", UNSEEN, AT_ONCE);
    assert_eq!(world.work.apply().actions(ENDPOINT), ["update"]);
    assert_eq!(world.services(), first, "what stood by, and no other one");
    assert_eq!(world.shares(), [("ready".to_owned(), 100.0)].into());

    world.work.destroy();
    assert_eq!(world.ecs.everything(), before);
}

/// With real containers: what requests meet.
#[test]
fn clients_meet_what_was_made_before_anybody_saw_it_and_what_stood_by_once_it_is_asked_for() {
    let name =
        "clients_meet_what_was_made_before_anybody_saw_it_and_what_stood_by_once_it_is_asked_for";
    let ecs = match EcsWorld::start() {
        Ok(ecs) => ecs,
        Err(reason) => return skip(name, &reason),
    };
    let (work, image) = (ecs.workspace(""), ecs.fixture());
    let mut world = World {
        ecs,
        work,
        image,
        startup: 300,
    };
    world.configure("VERSION = \"one\"", UNSEEN, AT_ONCE);
    world.work.try_apply().succeeded();
    let url = world.work.invoke_url(ENDPOINT);
    let ask = || {
        let answer = Client::new(&url).get("/version").expect("an answer");
        (answer.status, answer.text())
    };
    let one = || (200, "one".to_owned());
    wait::until("it to come up by itself", Duration::from_secs(120), || {
        ask() == one()
    });

    // Ends as soon as it has begun, again and again.
    let bad = "VERSION = \"two\", EXIT_AFTER = \"0\", EXIT_CODE = \"7\"";
    world.configure(bad, UNSEEN, AT_ONCE);
    world.work.try_apply().succeeded();
    assert_eq!(ask().0, 503, "nobody answers for it");

    world.configure("VERSION = \"one\"", UNSEEN, AT_ONCE);
    world.work.try_apply().succeeded();
    assert_eq!(ask(), one(), "at once");

    world.configure("VERSION = \"three\"", "", AT_ONCE);
    world.work.apply();
    assert_eq!(ask(), (200, "three".to_owned()));
    world.work.destroy();
    assert_eq!(world.ecs.everything(), Vec::<String>::new());
}

#[test]
fn a_revision_that_never_came_up_is_seen_by_a_plan_once_its_time_is_over_and_is_mended() {
    let test =
        "a_revision_that_never_came_up_is_seen_by_a_plan_once_its_time_is_over_and_is_mended";
    let Some(mut world) = World::start(test) else {
        return;
    };
    let before = world.ecs.everything();
    world.configure("VERSION = \"1\"", "", AT_ONCE);
    world.work.apply();
    let first = world.services();
    world.startup = 1;
    world.configure(&format!("VERSION = \"2\", {UNPLACED}"), UNSEEN, AT_ONCE);
    world.work.try_apply().succeeded();
    let both = world.services();
    assert_eq!(both.len(), 2, "{both:?}");
    wait::until("a plan that sees it", Duration::from_secs(60), || {
        world.work.plan().actions(ENDPOINT) == ["update"]
    });

    // Whoever waits takes what does not serve for what it is, and what stood by goes once another one serves.
    world.startup = 300;
    world.configure("VERSION = \"3\"", "", AT_ONCE);
    assert_eq!(world.work.apply().actions(ENDPOINT), ["update"]);
    let third = world.services();
    assert!(
        third.len() == 1 && !both.contains(&third[0]),
        "{third:?} after {both:?} and {first:?}"
    );
    assert_eq!(world.shares(), [("ready".to_owned(), 100.0)].into());
    world.work.destroy();
    assert_eq!(world.ecs.everything(), before);
}

#[test]
fn what_asks_to_be_waited_for_is_an_error_of_the_plan() {
    let test = "what_asks_to_be_waited_for_is_an_error_of_the_plan";
    let Some(mut world) = World::start(test) else {
        return;
    };
    for (rollout, said) in [
        (
            "strategy = \"ROLLING\"\n terminate_after = \"0s\"",
            &["rollout.strategy = \"ROLLING\"", "use ALL_AT_ONCE"][..],
        ),
        (
            "strategy = \"ALL_AT_ONCE\"\n alarms = [\"errors\"]",
            &["nobody looks at alarms"],
        ),
        (
            "strategy = \"ALL_AT_ONCE\"\n terminate_after = \"1m\"",
            &["nobody watches while the old revision stands by"],
        ),
        (
            "strategy = \"ALL_AT_ONCE\"\n analysis = { errors = { source = \"cloudwatch\", query = \"error_rate\", condition = \"result < 1\" } }",
            &["nobody measures it"],
        ),
        (
            "strategy = \"ALL_AT_ONCE\"\n on_failure = \"pause\"",
            &["nobody sees it fail"],
        ),
    ] {
        let rollout = format!("rollout {{\n {rollout}\n }}");
        world.configure("A = \"1\"", UNSEEN, &rollout);
        world.work.plan_fails(said);
    }
    // The default of terminate_after is no wish.
    world.configure("A = \"1\"", UNSEEN, "");
    assert_eq!(world.work.plan().actions(ENDPOINT), ["create"]);
}

#[test]
fn an_endpoint_on_this_machine_is_always_waited_for() {
    let mut work = Stack::rolling_out(UNSEEN).workspace("digits-v1");
    work.plan_fails(&["loaded within the apply", "for endpoints on ECS"]);
}
