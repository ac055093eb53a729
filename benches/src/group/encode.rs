//! `encode`: 64 KiB of messages, from their payloads to bytes handed to the stream.
//!
//! Client's frames get a fresh masking key each, from the generator that the crate uses: a
//! cryptographic one in wscodec, fastwebsockets, tungstenite, soketto, web-socket and yawc
//! (`rand`'s, `ChaCha12`), `ChaCha8` in nexus-web, and fastrand, which can be predicted, in
//! sockudo-ws and tokio-websockets.

use bytes::{Bytes, BytesMut};

use crate::contest::{Contest, Contestant, Entry, Plan, Standing};
use crate::group::SIZES;
use crate::limit;
use crate::memory::{MemoryStream, Output};
use crate::payload::{Content, Payloads};
use crate::peer::{
    Encoder, READ_LEN, fastwebsockets, nexus_web, sockudo, soketto, tokio_websockets, tungstenite,
    web_socket, wscodec, wscodec_shared, yawc,
};
use crate::sink::Work;
use crate::wire::{Sender, decode, header};

pub(super) fn plans(plans: &mut Vec<Plan>) {
    for (work, sender) in [("server's frames", Sender::Server), ("client's frames", Sender::Client)]
    {
        for size in SIZES {
            plans.push(Plan::new("encode", work, size, move || contest(sender, size)));
        }
    }
}

fn contest(sender: Sender, size: usize) -> Contest {
    let mut payloads = Payloads::new(size as u64);
    let count = (READ_LEN / (size + 14)).max(1);
    let area = Bytes::from(payloads.payload(Content::Binary, size * count));
    let messages: Vec<Bytes> = (0..count).map(|i| area.slice(i * size..(i + 1) * size)).collect();
    let of = Entrants { messages, sender };
    let mut contest = Contest {
        work: of.work(),
        entries: vec![
            of.entry::<wscodec::Sending>(Standing::Subject),
            of.entry::<fastwebsockets::Sending>(Standing::Peer),
            of.entry::<tokio_websockets::Sending>(Standing::Peer),
            of.entry::<tungstenite::Sending>(Standing::Peer),
            of.entry::<sockudo::Sending>(Standing::Peer),
            of.entry::<web_socket::Sending>(Standing::Peer),
            of.entry::<soketto::Sending>(Standing::Peer),
            of.entry::<nexus_web::Sending>(Standing::Peer),
            of.entry::<yawc::Sending>(Standing::Peer),
            of.entry::<Bare>(Standing::Mark),
            of.entry::<wscodec::SendingToSlice>(Standing::Mark),
            of.entry::<wscodec_shared::Sending>(Standing::Mark),
        ],
    };
    if sender == Sender::Server {
        contest.entries.push(of.entry::<wscodec::SendingVectored>(Standing::Mark));
    }
    contest
}

struct Entrants {
    messages: Vec<Bytes>,
    sender: Sender,
}

impl Entrants {
    fn work(&self) -> Work {
        let bytes = self.messages.iter().map(|message| message.len() as u64).sum();
        Work { items: self.messages.len() as u64, bytes }
    }

    fn entry<E: Encoder + 'static>(&self, standing: Standing) -> Entry {
        let stream = MemoryStream::write_only();
        let output = stream.output();
        let encoder = E::new(stream, self.sender);
        let (messages, sender) = (self.messages.clone(), self.sender);
        let (work, len) = (self.work(), messages.first().map_or(0, Bytes::len) as u64);
        let header_len = header(2, true, len, sender, [0; 4]).len() as u64;
        let wire_len = work.bytes + work.items * header_len;
        Entry::new(
            E::NAME,
            standing,
            Encoding { messages, sender, encoder, output, work, wire_len },
        )
    }
}

struct Encoding<E> {
    messages: Vec<Bytes>,
    sender: Sender,
    encoder: E,
    output: Output,
    work: Work,
    wire_len: u64,
}

impl<E: Encoder> Contestant for Encoding<E> {
    fn run(&mut self) -> Work {
        self.encoder.encode(&self.messages);
        if self.output.take_len() == self.wire_len { self.work } else { Work::default() }
    }

    fn is_right(&mut self) -> bool {
        let Self { messages, encoder, output, sender, .. } = self;
        let wire = output.kept(|| encoder.encode(messages));
        output.take_len();
        decode(&wire, *sender).is_some_and(|payloads| {
            payloads.iter().zip(&*messages).all(|(payload, message)| payload == message)
                && payloads.len() == messages.len()
        })
    }
}

/// The limit: header and payload copied, a client's also under XOR, by one key.
struct Bare {
    stream: MemoryStream,
    sender: Sender,
    out: BytesMut,
}

impl Encoder for Bare {
    const NAME: &'static str = "memcpy (and bare XOR)";

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        Self { stream, sender, out: BytesMut::new() }
    }

    fn encode(&mut self, messages: &[Bytes]) {
        self.out.clear();
        let len = messages.first().map_or(0, Bytes::len);
        let key = [0; 4];
        let header = header(2, true, len as u64, self.sender, key);
        for message in messages {
            self.out.extend_from_slice(&header);
            let start = self.out.len();
            self.out.extend_from_slice(message);
            if self.sender == Sender::Client {
                limit::xor_blocks(&mut self.out[start..], std::hint::black_box(key));
            }
        }
        self.stream.put(&self.out);
    }
}
