//! `decode`: a read buffer full of a client's frames, to messages.
//!
//! Every run reads the wire from a stream in memory, one `memcpy` that all pay, because decoding in
//! place uses the buffer up. `the read alone` shows what that costs.

use std::rc::Rc;

use crate::contest::{Contest, Contestant, Entry, Plan, Standing};
use crate::group::SIZES;
use crate::memory::MemoryStream;
use crate::payload::Content;
use crate::peer::{
    Decoder, READ_LEN, fastwebsockets, nexus_web, sockudo, soketto, tokio_websockets, tungstenite,
    web_socket, wscodec, wscodec_shared, yawc,
};
use crate::sink::{Collect, Count, Work};
use crate::wire::{Sender, Wire};

const TEXT_SIZES: [usize; 4] = [16, 125, 4096, 65_536];

pub(super) fn plans(plans: &mut Vec<Plan>) {
    for size in SIZES {
        plans.push(Plan::new("decode", "binary", size, move || contest(Content::Binary, size)));
    }
    for content in Content::TEXTS {
        for size in TEXT_SIZES {
            let work = content.name();
            plans.push(Plan::new("decode", work, size, move || contest(content, size)));
        }
    }
}

fn contest(content: Content, size: usize) -> Contest {
    let wire = Rc::new(Wire::filled(content, size, READ_LEN, Sender::Client));
    let reads = Reads { len_max: READ_LEN, buffer_len: READ_LEN };
    Contest { work: work(&wire), entries: entries(&wire, reads) }
}

pub(super) fn work(wire: &Wire) -> Work {
    Work { items: wire.messages().len() as u64, bytes: wire.payload_len_total() }
}

/// How the wire arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reads {
    /// What the stream gives at once, at most.
    pub(super) len_max: usize,
    /// The buffer of those who bring their own.
    pub(super) buffer_len: usize,
}

/// Everybody who can decode.
pub(super) fn entries(wire: &Rc<Wire>, reads: Reads) -> Vec<Entry> {
    let shared: Rc<[u8]> = Rc::from(wire.bytes());
    let stream = || MemoryStream::new(Rc::clone(&shared), reads.len_max);
    let (of, read_alone) = (Entrants { wire, reads, stream: &stream }, stream());
    vec![
        of.entry::<wscodec::Receiving>(Standing::Subject),
        of.entry::<fastwebsockets::Receiving>(Standing::Peer),
        of.entry::<tokio_websockets::Receiving>(Standing::Peer),
        of.entry::<tungstenite::Receiving>(Standing::Peer),
        of.entry::<sockudo::Receiving>(Standing::Peer),
        of.entry::<web_socket::Receiving>(Standing::Peer),
        of.entry::<soketto::Receiving>(Standing::Peer),
        of.entry::<nexus_web::Receiving>(Standing::Peer),
        of.entry::<yawc::Receiving>(Standing::Peer),
        of.entry::<wscodec_shared::Receiving>(Standing::Mark),
        Entry::new(
            "the read alone",
            Standing::Mark,
            ReadAlone { wire: Rc::clone(wire), stream: read_alone, buf: vec![0; reads.buffer_len] },
        ),
    ]
}

struct Entrants<'e, S> {
    wire: &'e Rc<Wire>,
    reads: Reads,
    stream: &'e S,
}

impl<S: Fn() -> MemoryStream> Entrants<'_, S> {
    fn entry<D: Decoder + 'static>(&self, standing: Standing) -> Entry {
        let decoder = D::new((self.stream)(), self.reads.buffer_len);
        Entry::new(D::NAME, standing, Decoding { wire: Rc::clone(self.wire), decoder })
    }
}

/// One who decodes what only he gets.
pub(super) fn entry<D: Decoder + 'static>(
    name: &'static str,
    wire: &Rc<Wire>,
    reads: Reads,
    standing: Standing,
) -> Entry {
    let stream = MemoryStream::new(Rc::from(wire.bytes()), reads.len_max);
    let decoder = D::new(stream, reads.buffer_len);
    Entry::new(name, standing, Decoding { wire: Rc::clone(wire), decoder })
}

struct Decoding<D> {
    wire: Rc<Wire>,
    decoder: D,
}

impl<D: Decoder> Contestant for Decoding<D> {
    fn run(&mut self) -> Work {
        let mut sink = Count::default();
        self.decoder.decode(self.wire.messages().len() as u64, &mut sink);
        sink.0
    }

    fn is_right(&mut self) -> bool {
        let mut sink = Collect::default();
        self.decoder.decode(self.wire.messages().len() as u64, &mut sink);
        sink.0 == self.wire.messages()
    }
}

/// The limit: the wire copied into a read buffer, and left there.
struct ReadAlone {
    wire: Rc<Wire>,
    stream: MemoryStream,
    buf: Vec<u8>,
}

impl Contestant for ReadAlone {
    fn run(&mut self) -> Work {
        let mut left = self.wire.bytes().len();
        while left > 0 {
            left -= self.stream.fill(&mut self.buf);
            std::hint::black_box(self.buf.as_ptr());
        }
        work(&self.wire)
    }

    fn is_right(&mut self) -> bool {
        self.run() == work(&self.wire)
    }
}
