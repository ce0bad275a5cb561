//! Many fronts looked at in few calls.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use mlops_core::{Error, Result};
use uuid::Uuid;

use super::calls::Blame;
use super::front::{Found, MOST_TAGGED, divided};
use super::tags::{self, Tags};
use super::{Attached, Balancers, Front, FrontKind};

/// For so long it is taken for granted that what carried an endpoint's id still does. Whoever changes a front asks again.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// The tags of what belongs to endpoints, as they were seen.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<String, (Duration, Tags)>>);

impl Kept {
    fn all(&self) -> MutexGuard<'_, HashMap<String, (Duration, Tags)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, arn: &str, now: Duration) -> Option<Tags> {
        let all = self.all();
        let (at, tags) = all.get(arn)?;
        (now.saturating_sub(*at) < KEPT_FOR).then(|| tags.clone())
    }

    fn add(&self, arn: &str, now: Duration, tags: &Tags) {
        let mut all = self.all();
        all.retain(|_, (at, _)| now.saturating_sub(*at) < KEPT_FOR);
        all.insert(arn.to_owned(), (now, tags.clone()));
    }
}

/// What looking at many fronts told.
pub(crate) struct Looked {
    /// Of each front, in their order, what [`Balancers::look`] tells.
    pub(crate) fronts: Vec<Result<Option<Vec<Attached>>>>,
    /// Calls beside the one for each kind of front.
    pub(crate) extra_calls: usize,
}

impl Balancers {
    /// The same as [`Balancers::look`] of each of these endpoints' fronts. What cannot be asked for together, because one of them
    /// is gone, say, is asked for one by one.
    pub(crate) async fn look_at_all(
        &self,
        fronts: &[(&Front, Uuid)],
        kept: &Kept,
        now: Duration,
    ) -> Looked {
        let mut extra_calls = 0;
        let mut found = BTreeMap::new();
        for kind in [FrontKind::Listener, FrontKind::Rule] {
            let these: Vec<&Front> = fronts
                .iter()
                .map(|(front, _)| *front)
                .filter(|front| front.kind == kind)
                .collect();
            for some in these.chunks(MOST_TAGGED) {
                extra_calls += self.find_some(kind, some, &mut found).await;
            }
        }
        let mut unknown: Vec<String> = Vec::new();
        for one in found.values().flatten().flatten() {
            unknown.extend(one.arns().filter(|arn| kept.get(arn, now).is_none()));
        }
        let tagged = match unknown.is_empty() {
            true => Ok(BTreeMap::new()),
            false => {
                extra_calls += unknown.len().div_ceil(MOST_TAGGED);
                let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
                self.tags(&unknown, Blame::Nothing).await
            }
        };
        let (tagged, refused) = match tagged {
            Ok(tagged) => (tagged, None),
            Err(refusal) => {
                let passes = refusal.is_passing();
                (BTreeMap::new(), Some((passes, Error::from(refusal))))
            }
        };
        let mut answers = Vec::with_capacity(fronts.len());
        for (front, endpoint) in fronts {
            let one = match found.get(&front.arn) {
                Some(Ok(Some(one))) => one,
                Some(Err(error)) => {
                    answers.push(Err(error.copy()));
                    continue;
                }
                Some(Ok(None)) | None => {
                    answers.push(Ok(None));
                    continue;
                }
            };
            let mut known = BTreeMap::new();
            for arn in one.arns() {
                let fresh = tagged
                    .get(&arn)
                    .filter(|tags| tags::are_of(tags, *endpoint));
                if let Some(tags) = fresh {
                    kept.add(&arn, now, tags);
                }
                if let Some(tags) = fresh.cloned().or_else(|| kept.get(&arn, now)) {
                    known.insert(arn, tags);
                }
            }
            let is_known = one.arns().all(|arn| known.contains_key(&arn));
            answers.push(match &refused {
                Some((true, error)) if !is_known => Err(error.copy()),
                Some((false, _)) if !is_known => {
                    extra_calls += 1;
                    self.attached_to(one, front, *endpoint).await
                }
                _ => Ok(divided(one, &known, *endpoint)),
            });
        }
        Looked {
            fronts: answers,
            extra_calls,
        }
    }

    /// Adds what is found of these to `found`, by ARN. How many calls it took beyond the first.
    async fn find_some(
        &self,
        kind: FrontKind,
        fronts: &[&Front],
        found: &mut BTreeMap<String, Result<Option<Found>>>,
    ) -> usize {
        match self.described(kind, fronts).await {
            Ok(all) => {
                found.extend(all.into_iter().map(|one| (one.arn.clone(), Ok(Some(one)))));
                0
            }
            Err(refusal) if fronts.len() > 1 && !refusal.is_passing() => {
                let each = join_all(fronts.iter().map(|front| self.one(front))).await;
                let arns = fronts.iter().map(|front| front.arn.clone());
                found.extend(arns.zip(each));
                fronts.len()
            }
            Err(refusal) if refusal.is_missing() => 0,
            Err(refusal) => {
                let error = Error::from(refusal);
                let arns = fronts.iter().map(|front| front.arn.clone());
                found.extend(arns.map(|arn| (arn, Err(error.copy()))));
                0
            }
        }
    }
}
