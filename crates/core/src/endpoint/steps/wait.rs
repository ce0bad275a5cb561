//! Several things that take their time, waited for together.

use std::time::Duration;

use crate::saga::Progress;

/// When several calls have to be made again: as soon as the first of them asks for it.
#[derive(Debug, Default)]
pub(super) struct Wait(Option<Duration>);

impl Wait {
    /// Notes how far one of them is.
    pub(super) fn add(&mut self, progress: Progress<()>) {
        if let Progress::Pending { poll_after, .. } = progress {
            self.0 = Some(self.0.map_or(poll_after, |wait| wait.min(poll_after)));
        }
    }

    /// How far they are together, if all of it may take `deadline`.
    pub(super) fn progress(self, deadline: Duration) -> Progress<()> {
        match self.0 {
            Some(poll_after) => Progress::again(poll_after, deadline),
            None => Progress::Done(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_asks_to_be_looked_at_again_says_when() {
        let second = Duration::from_secs(1);
        let again = |seconds: u32| Progress::again(second * seconds, second * 60);
        let mut wait = Wait::default();
        for progress in [again(5), Progress::Done(()), again(2), again(3)] {
            wait.add(progress);
        }
        assert_eq!(
            wait.progress(second * 90),
            Progress::again(second * 2, second * 90)
        );
        let mut wait = Wait::default();
        wait.add(Progress::Done(()));
        assert_eq!(wait.progress(second), Progress::Done(()));
    }
}
