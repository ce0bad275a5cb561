//! Many processes on one registry.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use mlops_core::target::Server;
use serde_json::{Value, json};

use crate::world::{World, ports, request};

/// The variable that makes this test program one of the racers.
const RACER: &str = "MLOPS_LOCAL_TEST_RACER";
const RACERS: usize = 8;

#[tokio::test]
async fn eight_processes_that_want_seven_ports_get_one_each_and_one_refusal() {
    if let Ok(plan) = std::env::var(RACER) {
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let world = World::borrowed(plan["dir"].as_str().unwrap().into());
        let request = serde_json::from_value(plan["request"].clone()).unwrap();
        match world.up(&request).await {
            Ok(server) => println!("SERVER {}", serde_json::to_string(&server).unwrap()),
            Err(error) => println!("REFUSED {error}"),
        }
        return;
    }
    let world = World::new();
    let (first, range) = ports(RACERS as u16 - 1);
    let racers: Vec<_> = (0..RACERS)
        .map(|n| {
            let plan =
                json!({"dir": world.dir, "request": request(&format!("e{n}"), range.clone())});
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture"])
                .arg("race::eight_processes_that_want_seven_ports_get_one_each_and_one_refusal")
                .env(RACER, plan.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut servers = Vec::new();
    let mut refusals = Vec::new();
    for racer in racers {
        let text = String::from_utf8(racer.wait_with_output().unwrap().stdout).unwrap();
        let server = text
            .lines()
            .find_map(|line| Some(line.split_once("SERVER ")?.1.to_owned()));
        match server {
            Some(json) => servers.push(serde_json::from_str::<Server>(&json).unwrap()),
            None => refusals.push(text),
        }
    }
    let taken: BTreeSet<u16> = servers.iter().map(|server| server.port.unwrap()).collect();
    assert_eq!(
        taken,
        (first..first + RACERS as u16 - 1).collect(),
        "{refusals:#?}"
    );
    assert_eq!(refusals.len(), 1);
    assert!(
        refusals[0].contains("REFUSED every port of"),
        "{refusals:#?}"
    );
    assert_eq!(world.processes().len(), RACERS - 1);
    for server in &servers {
        world.down(server).await;
    }
    assert!(world.leases().await.is_empty());
    assert!(world.processes().is_empty());
}
