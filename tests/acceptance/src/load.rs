//! A load on an endpoint: several connections that ask about the held-out images, one after the other, until told to stop.

use std::collections::BTreeMap;
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

/// How much of the traffic a candidate answered while it answered at all: the newest version, unless that answered from the first request on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Answers by version.
    pub by_version: BTreeMap<u64, usize>,
    /// Requests from the candidate's first answer to its last.
    pub window: usize,
    /// Those of them that it answered.
    pub answered: usize,
}

impl Exposure {
    /// Counts outcomes that stand in the order of their answers.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let version = |outcome: &Outcome| {
            outcome
                .version
                .as_deref()
                .and_then(|version| version.parse::<u64>().ok())
        };
        let mut by_version = BTreeMap::new();
        for version in outcomes.iter().filter_map(version) {
            *by_version.entry(version).or_default() += 1;
        }
        let before = outcomes.iter().find_map(version);
        let newest = by_version.last_key_value().map(|(version, _)| *version);
        let candidate = newest.filter(|_| newest != before);
        let is_candidate = |outcome: &Outcome| candidate.is_some() && version(outcome) == candidate;
        let first = outcomes.iter().position(is_candidate).unwrap_or_default();
        let window = outcomes
            .iter()
            .rposition(is_candidate)
            .map_or(0, |last| last + 1 - first);
        let answered = outcomes
            .iter()
            .filter(|outcome| is_candidate(outcome))
            .count();
        Self {
            by_version,
            window,
            answered,
        }
    }

    /// The share of the window.
    pub fn share(&self) -> f64 {
        if self.window == 0 {
            0.0
        } else {
            as_f64(self.answered) / as_f64(self.window)
        }
    }

    /// Whether the candidate answered at most this share of the window, and one request more.
    pub fn is_within(&self, share: f64) -> bool {
        as_f64(self.answered) <= share * as_f64(self.window) + 1.0
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "requests of one test are far fewer than 2^52"
)]
fn as_f64(requests: usize) -> f64 {
    requests as f64
}

fn told(answer: &Response) -> Outcome {
    // Errors name the version that gave them as well, in a header.
    let version = answer.header("mlops-version").map(str::to_owned);
    let error = (answer.status != 200).then(|| answer.text());
    Outcome {
        status: answer.status,
        version,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(versions: &[u64]) -> Vec<Outcome> {
        versions
            .iter()
            .map(|version| Outcome {
                status: 200,
                version: Some(version.to_string()),
                error: None,
            })
            .collect()
    }

    #[test]
    fn exposure_counts_from_the_first_answer_of_the_newest_version_to_its_last() {
        let mut versions = vec![1; 40];
        (versions[5], versions[15]) = (2, 2);
        let exposure = Exposure::of(&outcomes(&versions));
        assert_eq!((exposure.answered, exposure.window), (2, 11));
        assert!(
            exposure.is_within(0.10),
            "two of eleven are a tenth and one request"
        );
        (versions[6], versions[7]) = (2, 2);
        assert!(
            !Exposure::of(&outcomes(&versions)).is_within(0.10),
            "four of eleven are more"
        );
    }

    #[test]
    fn a_candidate_that_never_answers_is_nothing_exposed() {
        let exposure = Exposure::of(&outcomes(&[2; 40]));
        assert_eq!((exposure.answered, exposure.window), (0, 0));
        assert_eq!(exposure.by_version, BTreeMap::from([(2, 40)]));
    }

    #[test]
    fn nothing_answered_is_nothing_exposed() {
        let exposure = Exposure::of(&[Outcome {
            status: 0,
            version: None,
            error: Some("refused".to_owned()),
        }]);
        assert_eq!(exposure, Exposure::default());
        assert!((exposure.share() - 0.0).abs() < f64::EPSILON);
    }
}
