//! `header`: headers alone, some thousands of them one after the other, their payloads not there.

use bytes::BytesMut;

use crate::contest::{Contest, Contestant, Entry, Plan, Standing};
use crate::payload::Payloads;
use crate::peer::{
    HeaderEncoder, HeaderParser, fastwebsockets, nexus_web, sockudo, soketto, tungstenite, wscodec,
};
use crate::sink::Work;
use crate::wire::{Sender, header};

/// The largest length of each form.
const SIZES: [usize; 3] = [125, 65_535, 65_536];
const HEADERS: usize = 4096;

pub(super) fn plans(plans: &mut Vec<Plan>) {
    for size in SIZES {
        plans.push(Plan::new("header", "parse client's", size, move || parsing(size)));
    }
    for size in SIZES {
        plans.push(Plan::new("header", "encode server's", size, move || {
            let mut contest = encoding(size, None);
            contest.entries.push(encoder::<nexus_web::Head>(size, None, Standing::Peer));
            contest
        }));
    }
    for size in SIZES {
        let key = Some([0x37, 0xfa, 0x21, 0x3d]);
        plans.push(Plan::new("header", "encode client's", size, move || encoding(size, key)));
    }
}

fn parsing(size: usize) -> Contest {
    Contest {
        work: Work { items: HEADERS as u64, bytes: 0 },
        entries: vec![
            parser::<wscodec::Head>(size, Standing::Subject),
            parser::<tungstenite::Head>(size, Standing::Peer),
            parser::<soketto::Head>(size, Standing::Peer),
        ],
    }
}

fn encoding(size: usize, key: Option<[u8; 4]>) -> Contest {
    Contest {
        work: Work { items: HEADERS as u64, bytes: 0 },
        entries: vec![
            encoder::<wscodec::Head>(size, key, Standing::Subject),
            encoder::<fastwebsockets::Head>(size, key, Standing::Peer),
            encoder::<sockudo::Head>(size, key, Standing::Peer),
            encoder::<soketto::Head>(size, key, Standing::Peer),
            encoder::<tungstenite::Head>(size, key, Standing::Peer),
        ],
    }
}

fn parser<P: HeaderParser + 'static>(size: usize, standing: Standing) -> Entry {
    let mut payloads = Payloads::new(size as u64);
    let headers = (0..HEADERS)
        .flat_map(|_| header(2, true, size as u64, Sender::Client, payloads.key()))
        .collect();
    Entry::new(P::NAME, standing, Parsing { parser: P::new(), headers, size: size as u64 })
}

struct Parsing<P> {
    parser: P,
    headers: Vec<u8>,
    size: u64,
}

impl<P: HeaderParser> Contestant for Parsing<P> {
    fn run(&mut self) -> Work {
        let mut work = Work::default();
        let mut rest = &self.headers[..];
        while !rest.is_empty() {
            let (payload_len, header_len) = self.parser.parse(rest);
            work.items += u64::from(payload_len == self.size);
            rest = &rest[header_len.max(1)..];
        }
        work
    }

    fn is_right(&mut self) -> bool {
        self.run().items == HEADERS as u64
    }
}

fn encoder<E: HeaderEncoder + 'static>(
    size: usize,
    key: Option<[u8; 4]>,
    standing: Standing,
) -> Entry {
    let out = BytesMut::with_capacity(HEADERS * 16);
    Entry::new(E::NAME, standing, Encoding { encoder: E::new(), out, size, key })
}

struct Encoding<E> {
    encoder: E,
    out: BytesMut,
    size: usize,
    key: Option<[u8; 4]>,
}

impl<E: HeaderEncoder> Contestant for Encoding<E> {
    fn run(&mut self) -> Work {
        self.out.clear();
        for _ in 0..HEADERS {
            // The optimizer must not make one header and copy it.
            let (size, key) = std::hint::black_box((self.size, self.key));
            self.encoder.encode(size, key, &mut self.out);
        }
        Work { items: HEADERS as u64, bytes: 0 }
    }

    fn is_right(&mut self) -> bool {
        self.run();
        let sender = if self.key.is_some() { Sender::Client } else { Sender::Server };
        let one = header(2, true, self.size as u64, sender, self.key.unwrap_or_default());
        self.out[..] == one.repeat(HEADERS)
    }
}
