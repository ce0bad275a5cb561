//! What speaks against a candidate whatever is measured: that it does not serve, and alarms. It holds while traffic moves, and while the old revision stands by.

use std::collections::BTreeSet;

use super::alarms;
use super::moves::Move;
use crate::endpoint::events::Note;
use crate::endpoint::ports::EndpointPorts;
use crate::error::{Class, Error, Result};
use crate::target::{Observation, RevisionName, Server, Watched};

/// Who is looked at.
pub(crate) struct Guard<'a> {
    /// Where.
    pub(crate) server: &'a Server,
    /// What took over from what.
    pub(crate) moves: &'a [Move],
    /// What must not go off.
    pub(crate) alarms: &'a BTreeSet<String>,
    /// Those of them that had gone off before anything was made.
    pub(crate) aside: &'a BTreeSet<String>,
}

impl Guard<'_> {
    /// A look at these revisions. A server that died fails it at once, and so does a candidate that serves nobody, or of which tasks keep failing.
    pub(crate) async fn living(
        &self,
        ports: &EndpointPorts,
        revisions: &[&RevisionName],
    ) -> Result<Watched> {
        let watched = ports.target.watch(self.server, revisions).await?;
        let seen = &watched.seen;
        if !seen.alive {
            let reason = seen.reason.as_deref().unwrap_or("it does not answer");
            return Err(Error::new(
                Class::NotFound,
                format!(
                    "the server at {} went away during the rollout: {reason}",
                    self.server.invoke_url
                ),
            ));
        }
        for change in self.moves {
            let new = seen.revisions.get(&change.new);
            let why = new.and_then(|new| new.failure.as_deref());
            if !seen.serves(&change.new) {
                return Err(Error::invalid(format!(
                    "revision {} does not serve any more: {}",
                    change.new,
                    why.unwrap_or("the server does not have it ready")
                )));
            }
            if let (Some(new), Some(why)) = (new, why) {
                return Err(Error::invalid(format!(
                    "revision {} has {} healthy instances of {} that are asked for, and those that are missing do not come: {why}",
                    change.new, new.instances, new.wanted
                )));
            }
        }
        Ok(watched)
    }

    /// What the candidates have too few of, if that is so.
    pub(crate) fn lacking(&self, seen: &Observation) -> Option<String> {
        self.moves.iter().find_map(|change| {
            let new = seen.revisions.get(&change.new)?;
            (!new.is_whole()).then(|| {
                format!(
                    "revision {} has {} healthy instances of {} that are asked for",
                    change.new, new.instances, new.wanted
                )
            })
        })
    }

    /// What alarms say against it, and which they are, where something is replaced. Those that were set aside and are OK now are `recovered`, and count.
    pub(crate) async fn alarmed(
        &self,
        ports: &EndpointPorts,
        recovered: &mut BTreeSet<String>,
    ) -> Result<Option<(String, Vec<String>)>> {
        if self.moves.iter().all(|change| change.old.is_none()) {
            return Ok(None);
        }
        let aside = self.aside - recovered;
        let said = alarms::ask(ports.target.as_ref(), self.alarms, &aside).await?;
        for name in &said.recovered {
            let message = format!("alarm {name:?} was set aside, is OK, and counts from here on");
            (ports.events).tell(Note::new("rollout.alarm_counts", message));
        }
        recovered.extend(said.recovered);
        Ok(said.against)
    }
}
