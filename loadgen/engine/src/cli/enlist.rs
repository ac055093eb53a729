//! Turns the arguments of a whole command into those of one of its processes.

use super::{Command, ListenAt, LoadArgs, ServeArgs, StreamArgs};
use crate::member::Member;

impl Command {
    /// Makes a command for a whole fleet that of one member. Other commands have no members.
    pub(super) fn enlist(&mut self, member: Member) {
        let load = match self {
            Self::Run(args) => &mut args.load,
            Self::Connect(args) => &mut args.load,
            Self::Hold(args) => &mut args.load,
            Self::Listen(args) => &mut args.load,
            Self::Fanout(args) => &mut args.load,
            Self::Play(args) => &mut args.load,
            Self::Serve(args) => return args.enlist(member),
            _ => return,
        };
        load.enlist(member);
    }
}

impl LoadArgs {
    /// The process that leads the fleet writes the result, judges it, shows what happens, and waits
    /// for the time to begin.
    fn enlist(&mut self, member: Member) {
        self.member = Some(member);
        self.shard.segment = Some(member.segment());
        self.shard.start_at = None;
        self.seed = Some(member.seed);
        self.threads = self.threads.or(Some(member.threads));
        self.out.outputs.clear();
        self.gate.thresholds.clear();
        // One process watches for all, and what looks on has to see all of them at once.
        let watch_pid = self.stream.watch_pid.filter(|_| member.index == 1);
        self.stream = StreamArgs { watch_pid, ..StreamArgs::default() };
        (self.quiet, self.verbose) = (true, false);
    }
}

impl ServeArgs {
    /// A member has its share of what the whole server may hold.
    fn enlist(&mut self, member: Member) {
        self.member = Some(member);
        self.threads = self.threads.or(Some(member.threads));
        self.bounds.max_memory = (self.bounds.max_memory / member.segment().of()).max(1);
        self.bounds.max_connections = member.connections_max.or(self.bounds.max_connections);
        if let Some(address) = member.listen {
            self.listen = ListenAt::Address(address);
        }
    }
}
