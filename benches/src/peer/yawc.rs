//! yawc 0.5: a tokio-util codec of frames; AVX2 masking from 256 bytes on. The codec hands out
//! fragments as they are and validates no text (its connection does, behind hyper): both are done
//! for it here, the latter by simdutf8 as there.

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder as _, Encoder as _};
use yawc::codec::{Decoder as YawcDecoder, Encoder as YawcEncoder};
use yawc::{Frame, OpCode, Role};

use super::{Assembly, Decoder, Echo, Encoder, MESSAGE_LEN_MAX, Masker, READ_LEN, read_into};
use crate::memory::MemoryStream;
use crate::sink::Sink;
use crate::wire::{Kind, Sender};

const NAME: &str = "yawc";

/// The public `mask::apply_mask`.
pub(crate) struct Unmask;

impl Masker for Unmask {
    const NAME: &'static str = NAME;

    #[inline]
    fn mask(payload: &mut [u8], key: [u8; 4]) {
        yawc::mask::apply_mask(payload, key);
    }
}

/// `codec::Decoder`.
pub(crate) struct Receiving {
    stream: MemoryStream,
    read_len: usize,
    decoder: YawcDecoder,
    input: BytesMut,
    assembly: Assembly,
}

impl Receiving {
    fn next(&mut self) -> Option<Frame> {
        self.decoder.decode(&mut self.input).expect("no fault")
    }
}

impl Decoder for Receiving {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, read_len: usize) -> Self {
        let decoder = YawcDecoder::new(Role::Server, MESSAGE_LEN_MAX);
        let input = BytesMut::with_capacity(read_len);
        Self { stream, read_len, decoder, input, assembly: Assembly::default() }
    }

    fn decode(&mut self, messages: u64, sink: &mut impl Sink) {
        let mut left = messages;
        while left > 0 {
            let Some(frame) = self.next() else {
                read_into(&mut self.stream, &mut self.input, self.read_len);
                continue;
            };
            let kind = match frame.opcode() {
                OpCode::Text => Some(Kind::Text),
                OpCode::Binary => Some(Kind::Binary),
                _ => None,
            };
            left -= u64::from(self.assembly.frame(kind, frame.is_fin(), frame.payload(), sink));
        }
    }
}

/// `codec::Encoder` into one buffer for all messages.
pub(crate) struct Sending {
    stream: MemoryStream,
    encoder: YawcEncoder,
    out: BytesMut,
}

impl Encoder for Sending {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream, sender: Sender) -> Self {
        let role = if sender == Sender::Client { Role::Client } else { Role::Server };
        Self { stream, encoder: YawcEncoder::new(role), out: BytesMut::new() }
    }

    fn encode(&mut self, messages: &[Bytes]) {
        self.out.clear();
        for message in messages {
            let frame = Frame::binary(message.clone());
            self.encoder.encode(frame, &mut self.out).expect("encoded");
        }
        self.stream.put(&self.out);
    }
}

/// Both, one buffer of replies a read.
pub(crate) struct Echoing {
    receiving: Receiving,
    encoder: YawcEncoder,
    out: BytesMut,
}

impl Echo for Echoing {
    const NAME: &'static str = NAME;

    fn new(stream: MemoryStream) -> Self {
        let receiving = Receiving::new(stream, READ_LEN);
        Self { receiving, encoder: YawcEncoder::new(Role::Server), out: BytesMut::new() }
    }

    fn echo(&mut self, messages: u64) {
        let mut left = messages;
        while left > 0 {
            if let Some(frame) = self.receiving.next() {
                let frame = Frame::binary(frame.into_payload());
                self.encoder.encode(frame, &mut self.out).expect("encoded");
                left -= 1;
            } else {
                self.receiving.stream.put(&self.out);
                self.out.clear();
                let Receiving { stream, input, read_len, .. } = &mut self.receiving;
                read_into(stream, input, *read_len);
            }
        }
        self.receiving.stream.put(&self.out);
        self.out.clear();
    }
}
