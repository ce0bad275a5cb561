//! A load on an endpoint: several connections that ask about the held-out images, one after the other, until told to stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::digits::{self, Digits};
use crate::http::{Client, Response};

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status code; 0 where no answer came.
    pub status: u16,
    /// The model version that answered, where the answer names it.
    pub version: Option<String>,
    /// What went wrong, where something did.
    pub error: Option<String>,
}

/// A load that runs.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    connections: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts asking `model` at `url` over so many connections. Each waits `pause` between an answer and its next question.
    pub fn start(
        url: &str,
        model: &str,
        connections: usize,
        pause: Duration,
        digits: Digits,
    ) -> Self {
        let (stop, asked) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let digits = Arc::new(digits);
        let connections = (0..connections).map(|_| {
            let (stop, asked, outcomes, digits) = (
                stop.clone(),
                asked.clone(),
                outcomes.clone(),
                digits.clone(),
            );
            let (mut client, path) = (Client::new(url), digits::infer_path(model));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let request = digits.request(asked.fetch_add(1, Ordering::Relaxed));
                    let outcome = match client.post(&path, &request.body) {
                        Ok(answer) => told(&answer),
                        Err(error) => Outcome {
                            status: 0,
                            version: None,
                            error: Some(error.to_string()),
                        },
                    };
                    let lost = outcome.status == 0;
                    outcomes
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(outcome);
                    // A server that is gone must not be asked a million times a second.
                    thread::sleep(if lost {
                        Duration::from_millis(20)
                    } else {
                        pause
                    });
                }
            })
        });
        let connections = connections.collect();
        Self {
            stop,
            asked,
            outcomes,
            connections,
        }
    }

    /// How many requests have been sent so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// What became of the requests so far, in the order of their answers.
    pub fn so_far(&self) -> Vec<Outcome> {
        self.outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stops, and returns what became of all requests, in the order of their answers.
    ///
    /// # Panics
    /// If a connection's thread did.
    pub fn stop(mut self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        for connection in self.connections.drain(..) {
            connection
                .join()
                .expect("a connection of the load does not panic");
        }
        self.so_far()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn told(answer: &Response) -> Outcome {
    // Errors name the version that gave them as well, in a header.
    let version = answer.header("mlops-version").map(str::to_owned);
    let error = (answer.status != 200).then(|| answer.text());
    Outcome { status: answer.status, version, error }
}
