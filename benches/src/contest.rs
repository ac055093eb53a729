//! One piece of work, and those who do it.

use crate::sink::Work;

/// In what quality an entry takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// wscodec.
    Subject,
    /// Another crate.
    Peer,
    /// What no contestant can beat, or another way to do the same with wscodec: shown, not ranked.
    Mark,
}

/// Does the work of a contest.
pub(crate) trait Contestant {
    /// Does all of it once, as fast as it can.
    fn run(&mut self) -> Work;
    /// Does all of it once and compares what came out, byte by byte, with the reference.
    fn is_right(&mut self) -> bool;
}

/// A contestant under its name.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) standing: Standing,
    pub(crate) contestant: Box<dyn Contestant>,
}

impl Entry {
    pub(crate) fn new(
        name: &'static str,
        standing: Standing,
        contestant: impl Contestant + 'static,
    ) -> Self {
        Self { name, standing, contestant: Box::new(contestant) }
    }
}

/// One piece of work at one size.
pub(crate) struct Contest {
    /// What one run of an entry does.
    pub(crate) work: Work,
    pub(crate) entries: Vec<Entry>,
}

impl Contest {
    /// Lets every entry prove its work.
    ///
    /// # Panics
    /// If one did something else: its time would mean nothing.
    pub(crate) fn prove(&mut self, id: &ContestId) {
        for entry in &mut self.entries {
            assert!(entry.contestant.is_right(), "{}: {} did other work", id.path(), entry.name);
            let work = entry.contestant.run();
            assert_eq!(work, self.work, "{}: {} counted other work", id.path(), entry.name);
        }
    }
}

/// Which work, and at which size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContestId {
    /// `mask`, `utf8`, ...
    pub(crate) group: &'static str,
    /// What is done, such as `unmask in place`.
    pub(crate) work: &'static str,
    /// Bytes of payload of one frame or message, or of one request.
    pub(crate) size: usize,
}

impl ContestId {
    /// For filters and messages: `mask/unmask in place/125`.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}/{}", self.group, self.work, self.size)
    }
}

/// A contest that is built when its turn comes: the big ones take hundreds of megabytes.
pub(crate) struct Plan {
    pub(crate) id: ContestId,
    pub(crate) build: Box<dyn FnOnce() -> Contest>,
}

impl Plan {
    pub(crate) fn new(
        group: &'static str,
        work: &'static str,
        size: usize,
        build: impl FnOnce() -> Contest + 'static,
    ) -> Self {
        Self { id: ContestId { group, work, size }, build: Box::new(build) }
    }

    /// Builds the contest and proves it.
    ///
    /// # Panics
    /// As [`Contest::prove`].
    pub(crate) fn ready(self) -> (ContestId, Contest) {
        let mut contest = (self.build)();
        contest.prove(&self.id);
        (self.id, contest)
    }
}
