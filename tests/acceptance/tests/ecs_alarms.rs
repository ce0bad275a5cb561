//! CloudWatch alarms and a rollout on ECS, with real containers: one that goes off takes it back, and one that was off before does not keep the mend out.

use std::time::Duration;

use mlops_acceptance::digits::Digits;
use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::http::Client;
use mlops_acceptance::load::Load;
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Workspace, skip, wait};

/// Longer than any test takes: what ends it is the alarm.
const BAKE: &str = "30m";

struct World {
    ecs: EcsWorld,
    work: Workspace,
    image: String,
}

impl World {
    fn start() -> Result<Self, String> {
        let ecs = EcsWorld::start()?;
        let work = ecs.workspace("");
        let image = ecs.fixture();
        Ok(Self { ecs, work, image })
    }

    /// A server that says that it is this version, and what stops its rollout.
    fn configure(&mut self, version: &str, alarms: &[&str]) {
        let steps = format!(r#"[{{ traffic = 50, bake = "{BAKE}" }}, {{ traffic = 100 }}]"#);
        self.configure_steps(version, alarms, &steps, "0s");
    }

    fn configure_steps(&mut self, version: &str, alarms: &[&str], steps: &str, kept: &str) {
        let runs = format!(
            "image       = \"{}\"\n      environment = {{ VERSION = \"{version}\" }}",
            self.image
        );
        let rollout = format!(
            r#"rollout {{
    strategy        = "CANARY"
    steps           = {steps}
    alarms          = {alarms:?}
    terminate_after = "{kept}"
  }}"#
        );
        self.work
            .config(&self.ecs.endpoint("digits", &runs, &rollout));
    }

    fn set(&self, name: &str, state: &str, reason: &str) {
        let parameters = [
            ("AlarmName", name),
            ("StateValue", state),
            ("StateReason", reason),
        ];
        self.ecs.cloudwatch("SetAlarmState", &parameters);
    }

    /// Which versions answer, of some requests.
    fn versions(&self) -> Vec<String> {
        let mut client = Client::new(&self.work.invoke_url(ENDPOINT));
        let mut versions: Vec<_> = (0..20)
            .map(|_| client.get("/version").expect("an answer").text())
            .collect();
        versions.sort();
        versions.dedup();
        versions
    }
}

#[test]
fn an_alarm_stops_a_rollout_on_ecs_and_does_not_keep_the_mend_out() {
    let name = "an_alarm_stops_a_rollout_on_ecs_and_does_not_keep_the_mend_out";
    let mut world = match World::start() {
        Ok(world) => world,
        Err(reason) => return skip(name, &reason),
    };
    let alarms = ["digits-errors", "digits-all"];

    // One that nobody made.
    world.ecs.alarm("digits-errors");
    world.configure("one", &alarms);
    let unheard = [
        "there is no alarm \"digits-all\" in this region and account",
        "alarms",
    ];
    world.work.apply_fails(&unheard);
    assert_eq!(world.ecs.everything(), Vec::<String>::new());

    let rule = [
        ("AlarmName", "digits-all"),
        ("AlarmRule", "ALARM(\"digits-errors\")"),
    ];
    world.ecs.cloudwatch("PutCompositeAlarm", &rule);
    world.work.apply();
    let before = world.ecs.everything();

    // One that goes off amid a bake.
    let pause = Duration::from_millis(20);
    let load = Load::start(
        &world.work.invoke_url(ENDPOINT),
        "digits",
        1,
        pause,
        Digits::committed(),
    );
    world.configure("two", &alarms);
    let applying = world.work.start_apply();
    wait::until("both versions serve", Duration::from_secs(120), || {
        world.versions() == ["one", "two"]
    });
    world.set("digits-errors", "ALARM", "17 errors in a minute");
    let ended = applying.wait(Duration::from_secs(120));
    ended.failed_with(&[
        "was rolled back",
        "in step 1",
        "alarm \"digits-errors\" is in ALARM (17 errors in a minute)",
        "rollout.alarms",
    ]);
    let outcomes = load.stop();
    let lost: Vec<_> = outcomes.iter().filter(|one| one.status != 200).collect();
    assert!(
        lost.is_empty(),
        "{} of {}: {lost:?}",
        lost.len(),
        outcomes.len()
    );
    assert_eq!(world.versions(), ["one"]);
    assert_eq!(world.ecs.everything(), before, "nothing of it is left");

    // It is off because of that version: the same again is refused.
    let refused = [
        "alarm \"digits-errors\" is in ALARM",
        "since it stopped this very deployment",
        "nothing was done",
    ];
    world.work.apply_fails(&refused);
    assert_eq!(world.ecs.everything(), before);
    let plan = world.work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);

    // Whatever it is off because of, another version may be what mends it.
    let steps = r#"[{ traffic = 50, bake = "5s" }, { traffic = 100 }]"#;
    world.configure_steps("three", &alarms, steps, "0s");
    let applied = world.work.start_apply().wait(Duration::from_secs(120));
    applied.succeeded();
    let said = applied.warnings().concat();
    for part in ["Alarms were set aside", "digits-all", "digits-errors"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(world.versions(), ["three"]);

    // One that goes off while the old version stands by.
    world.set("digits-errors", "OK", "no errors any more");
    let before = world.ecs.everything();
    let steps = "[{ traffic = 100 }]";
    world.configure_steps("four", &alarms, steps, BAKE);
    let applying = world.work.start_apply();
    wait::until(
        "the new version has it all",
        Duration::from_secs(120),
        || world.versions() == ["four"],
    );
    world.set("digits-errors", "ALARM", "23 errors in a minute");
    let ended = applying.wait(Duration::from_secs(120));
    ended.failed_with(&[
        "was rolled back",
        "while the old revision stood by (rollout.terminate_after)",
        "is in ALARM",
    ]);
    assert_eq!(world.versions(), ["three"]);
    assert_eq!(world.ecs.everything(), before, "nothing of it is left");

    // What a destroy takes away: no alarm is the endpoint's.
    world.work.destroy();
    assert_eq!(world.ecs.everything(), Vec::<String>::new());
    let left = world.ecs.cloudwatch("DescribeAlarms", &[]);
    assert!(left.contains("digits-errors"), "{left}");
}
