//! `message`: one message of 16 MiB, in the ways in which it may arrive; and echoes through memory.

use std::rc::Rc;

use crate::contest::{Contest, Contestant, Entry, Plan, Standing};
use crate::group::decode::{self, Reads};
use crate::memory::{MemoryStream, Output};
use crate::payload::Content;
use crate::peer::{
    Echo, READ_LEN, fastwebsockets, nexus_web, sockudo, soketto, tokio_websockets, tungstenite,
    web_socket, wscodec, wscodec_shared, yawc,
};
use crate::sink::Work;
use crate::wire::{Sender, Wire};

const BIG_LEN: usize = 16 << 20;
const FRAGMENT_LEN: usize = 4096;
const SEGMENT_LEN: usize = 1400;
const ECHO_SIZES: [usize; 6] = [16, 125, 1024, 16_384, 65_536, 1 << 20];

pub(super) fn plans(plans: &mut Vec<Plan>) {
    for size in [64 * 1024, BIG_LEN] {
        plans.push(Plan::new("message", "in one frame and one read", size, move || {
            let whole = Reads { len_max: usize::MAX, buffer_len: size + 14 };
            arriving(&one_frame(size), whole)
        }));
        plans.push(Plan::new("message", "in reads of 64 KiB", size, move || {
            arriving(&one_frame(size), Reads { len_max: READ_LEN, buffer_len: READ_LEN })
        }));
        plans.push(Plan::new("message", "in reads of 1,400 bytes", size, move || {
            arriving(&one_frame(size), Reads { len_max: SEGMENT_LEN, buffer_len: READ_LEN })
        }));
        plans.push(Plan::new("message", "in fragments of 4 KiB", size, move || {
            let wire = Rc::new(Wire::fragmented(Content::Binary, size, FRAGMENT_LEN));
            arriving(&wire, Reads { len_max: READ_LEN, buffer_len: READ_LEN })
        }));
    }
    // The smallest fragments, 131,072 of them (as many as `Limits` allows), a half and a quarter:
    // a byte costs the same in all three, for work is linear.
    for (work, fragment_len) in [("in fragments of 1 byte", 1), ("in fragments of 128 bytes", 128)]
    {
        for fragments in [32_768, 65_536, 131_072] {
            let size = fragments * fragment_len;
            plans.push(Plan::new("message", work, size, move || fragmented(size, fragment_len)));
        }
    }
    // The ways against each other, in the same rounds.
    plans.push(Plan::new("message", "wscodec, way by way", BIG_LEN, ways));
    for size in ECHO_SIZES {
        plans.push(Plan::new("message", "echo", size, move || echoing(size)));
    }
}

fn one_frame(size: usize) -> Rc<Wire> {
    Rc::new(Wire::fragmented(Content::Binary, size, size))
}

fn arriving(wire: &Rc<Wire>, reads: Reads) -> Contest {
    Contest { work: decode::work(wire), entries: decode::entries(wire, reads) }
}

/// By this codec alone: the question is what a byte costs as the fragments become more.
fn fragmented(size: usize, fragment_len: usize) -> Contest {
    let wire = Rc::new(Wire::fragmented(Content::Binary, size, fragment_len));
    let reads = Reads { len_max: READ_LEN, buffer_len: READ_LEN };
    let subject = decode::entry::<wscodec::Receiving>("wscodec", &wire, reads, Standing::Subject);
    Contest { work: decode::work(&wire), entries: vec![subject] }
}

/// The names of the ways, which [`crate::record`] judges by.
pub(crate) const WHOLE: &str = "one frame, one read";
pub(crate) const FRAGMENTS: &str = "fragments of 4 KiB";
pub(crate) const SEGMENTS: &str = "reads of 1,400 bytes";

fn ways() -> Contest {
    let whole = one_frame(BIG_LEN);
    let fragmented = Rc::new(Wire::fragmented(Content::Binary, BIG_LEN, FRAGMENT_LEN));
    let one_read = Reads { len_max: usize::MAX, buffer_len: BIG_LEN + 14 };
    let buffered = Reads { len_max: READ_LEN, buffer_len: READ_LEN };
    let segments = Reads { len_max: SEGMENT_LEN, buffer_len: READ_LEN };
    let way = |name, wire: &Rc<Wire>, reads, standing| {
        decode::entry::<wscodec::Receiving>(name, wire, reads, standing)
    };
    Contest {
        work: decode::work(&whole),
        entries: vec![
            way(WHOLE, &whole, one_read, Standing::Subject),
            way("one frame, reads of 64 KiB", &whole, buffered, Standing::Mark),
            way(FRAGMENTS, &fragmented, buffered, Standing::Mark),
            way(SEGMENTS, &whole, segments, Standing::Mark),
        ],
    }
}

fn echoing(size: usize) -> Contest {
    let wire = Rc::new(Wire::filled(Content::Binary, size, READ_LEN, Sender::Client));
    let shared = Rc::from(wire.bytes());
    let of = Entrants { wire: &wire, shared: &shared };
    Contest {
        work: decode::work(&wire),
        entries: vec![
            of.entry::<wscodec::Echoing>(Standing::Subject),
            of.entry::<fastwebsockets::Echoing>(Standing::Peer),
            of.entry::<tokio_websockets::Echoing>(Standing::Peer),
            of.entry::<tungstenite::Echoing>(Standing::Peer),
            of.entry::<sockudo::Echoing>(Standing::Peer),
            of.entry::<web_socket::Echoing>(Standing::Peer),
            of.entry::<soketto::Echoing>(Standing::Peer),
            of.entry::<nexus_web::Echoing>(Standing::Peer),
            of.entry::<yawc::Echoing>(Standing::Peer),
            of.entry::<wscodec_shared::Echoing>(Standing::Mark),
        ],
    }
}

struct Entrants<'e> {
    wire: &'e Rc<Wire>,
    shared: &'e Rc<[u8]>,
}

impl Entrants<'_> {
    fn entry<E: Echo + 'static>(&self, standing: Standing) -> Entry {
        let stream = MemoryStream::new(Rc::clone(self.shared), READ_LEN);
        let (wire, output) = (Rc::clone(self.wire), stream.output());
        Entry::new(E::NAME, standing, Echoing { wire, echo: E::new(stream), output })
    }
}

struct Echoing<E> {
    wire: Rc<Wire>,
    echo: E,
    output: Output,
}

impl<E: Echo> Contestant for Echoing<E> {
    fn run(&mut self) -> Work {
        self.echo.echo(self.wire.messages().len() as u64);
        // A server's header is shorter than a client's by the key.
        let expected = self.wire.bytes().len() - 4 * self.wire.spans().len();
        let is_all = self.output.take_len() == expected as u64;
        if is_all { decode::work(&self.wire) } else { Work::default() }
    }

    fn is_right(&mut self) -> bool {
        let Self { wire, echo, output } = self;
        let written = output.kept(|| echo.echo(wire.messages().len() as u64));
        output.take_len();
        crate::wire::decode(&written, Sender::Server).is_some_and(|payloads| {
            payloads.iter().zip(wire.messages()).all(|(echoed, (_, sent))| echoed == sent)
                && payloads.len() == wire.messages().len()
        })
    }
}
