//! One `PUT /routing` moves several variants at once: nobody sees some of it moved and some of it not.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use mlops_core::serving::{RevisionState, path};
use support::{Connection, TestServer, add, eventually, routing, spec};

/// How often both variants move: one after the other without a pause, so that a moment between two changes is met.
const ROUNDS: u64 = 200;

/// A client of one connection, which remembers how far it has come.
struct Observer {
    connection: Connection,
    /// The newest version that answered. All variants run the same one at any time.
    newest: u64,
    /// The same, for the test.
    shared: Arc<AtomicU64>,
}

impl Observer {
    async fn new(test: &TestServer) -> Self {
        Self {
            connection: test.connect().await,
            newest: 1,
            shared: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Asks one name; the variant that answered, and its version.
    async fn ask(&mut self, name: &str) -> (String, u64) {
        let body = add(3.0).to_string();
        let path = format!("/v2/models/{name}/infer");
        let asked = self.connection.request("POST", &path, &[], body);
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200, "{name}: {:?}", answer.body);
        let version = answer.header("mlops-version").parse().unwrap();
        (answer.header("mlops-variant").to_owned(), version)
    }

    /// Asks both variants by name and the endpoint, in turn, until told to stop.
    async fn watch(mut self, stop: Arc<AtomicBool>) -> Result<u64, String> {
        let mut asked = 0;
        while !stop.load(SeqCst) {
            for name in ["left", "right", "shop"] {
                let (variant, version) = self.ask(name).await;
                asked += 1;
                // Answers come one after the other, so an older version after a newer one means that this variant had
                // not moved when the other had.
                if version < self.newest {
                    return Err(format!(
                        "{name} answered by version {version} of {variant} after version {}",
                        self.newest
                    ));
                }
                // The table of version N gives the endpoint's requests to one variant, in turn.
                if name == "shop" && variant != takes(version) {
                    return Err(format!(
                        "version {version} of {variant} answered for the endpoint; its table gives all to {}",
                        takes(version)
                    ));
                }
                self.newest = version;
            }
            self.shared.store(self.newest, SeqCst);
        }
        Ok(asked)
    }
}

/// The variant that has all traffic in the table of this version.
fn takes(version: u64) -> &'static str {
    if version.is_multiple_of(2) {
        "left"
    } else {
        "right"
    }
}

async fn load(test: &TestServer, version: u64) {
    for variant in ["left", "right"] {
        let mut spec = spec("add", version);
        spec.variant = variant.to_owned();
        let status = test.load(&format!("{variant}-{version}"), &spec).await;
        assert_eq!(status.state, RevisionState::Ready, "{status:?}");
    }
}

/// Both variants run this version, and one of them has all traffic.
async fn shift(test: &TestServer, version: u64) {
    let share = |variant| if takes(version) == variant { 10_000 } else { 0 };
    let (left, right) = (format!("left-{version}"), format!("right-{version}"));
    let table = routing(&[
        ("left", share("left"), 0, &[(&left, 10_000)]),
        ("right", share("right"), 0, &[(&right, 10_000)]),
    ]);
    test.put_ok(path::ROUTING, &table).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_sees_a_mixture_when_two_variants_shift_at_once() {
    let test = TestServer::start().await;
    for version in 1..=ROUNDS {
        load(&test, version).await;
    }
    shift(&test, 1).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (mut seen, mut observers) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let observer = Observer::new(&test).await;
        seen.push(Arc::clone(&observer.shared));
        observers.push(tokio::spawn(observer.watch(Arc::clone(&stop))));
    }
    for version in 2..=ROUNDS {
        shift(&test, version).await;
    }
    // All have come to the last table, or have given up.
    eventually(async || {
        let moved = seen.iter().zip(&observers);
        moved
            .into_iter()
            .all(|(seen, observer)| seen.load(SeqCst) == ROUNDS || observer.is_finished())
    })
    .await;
    stop.store(true, SeqCst);
    let mut asked = 0;
    for observer in observers {
        asked += observer
            .await
            .unwrap()
            .unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    assert!(asked > 3 * ROUNDS, "{asked} requests");
}
