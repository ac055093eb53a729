//! Bytes to events (RFC 6455, 5 and 6.2).

use core::mem;

use bytes::BufMut;

use crate::decoder::{MaskedPayload, advance};
use crate::error::ProtocolError;
use crate::header::{FrameHeader, Opcode};
use crate::mask::{MaskKey, MaskKeySource};
use crate::message::{DataKind, FramePlace, unmask_str};
use crate::role::Role;

use super::control::{ControlPayload, parse_close};
use super::send::{Marks, Sender};
use super::{Delivery, Event, Phase, Receiver};

/// The first bytes of a whole text and of a whole binary message, one after the other.
const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
/// The length field that announces a length of 16 bits.
const LEN_16: u8 = 126;

/// What has been received, and where it lies. Borrows from the input alone, so that the connection
/// stays free to move.
pub(super) enum Step<'i> {
    NeedMore,
    Input(Event<'i>),
    /// A message in the assembler.
    Message(DataKind),
    /// A control frame in `control`.
    Control(Opcode),
    /// A character in `carry`.
    Carry(crate::header::Fin),
    /// A piece of a compressed message in the assembler.
    Piece(DataKind, crate::header::Fin),
}

impl Receiver {
    /// As [`Connection::receive`](super::Connection::receive), which says it all.
    #[inline]
    pub(super) fn receive<'e, 'i: 'e, K: MaskKeySource>(
        &'e mut self,
        sender: &mut Sender<K>,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Option<Event<'e>>, ProtocolError> {
        if self.is_at_rest {
            // Built here and nowhere else, so that an inlined call keeps the event in registers.
            if let Some((kind, payload)) = self.take_short(input) {
                return match kind {
                    DataKind::Binary => Ok(Some(Event::Binary(payload.unmask()))),
                    DataKind::Text => match unmask_str(payload) {
                        Ok(text) => Ok(Some(Event::Text(text))),
                        Err(error) => Err(self.fail(sender, error.into(), out)),
                    },
                };
            }
            if input.is_empty() && !self.is_holding {
                return Ok(None);
            }
        }
        self.receive_any(sender, input, out)
    }

    /// A whole data message of at most 65,535 bytes at the front of `input`: what most messages
    /// are. `None` sends anything else, and all that is wrong, to the long way.
    #[inline]
    fn take_short<'i>(&self, input: &mut &'i mut [u8]) -> Option<(DataKind, MaskedPayload<'i>)> {
        let ([b0, b1], rest) = input.split_first_chunk::<2>()?;
        let kind = match *b0 {
            FIN_TEXT => DataKind::Text,
            FIN_BINARY => DataKind::Binary,
            _ => return None,
        };
        let masked = match self.role {
            Role::Server => 0x80,
            Role::Client => 0,
        };
        let (len, len_len, rest) = match b1 ^ masked {
            len @ 0..=125 => (u16::from(len), 0, rest),
            LEN_16 => {
                let (len, rest) = rest.split_first_chunk::<2>()?;
                (u16::from_be_bytes(*len), 2, rest)
            }
            _ => return None,
        };
        let is_minimal = len_len == 0 || len > 125;
        let (header_len, key) = match self.role {
            Role::Server => (6 + len_len, MaskKey::new(*rest.split_first_chunk::<4>()?.0)),
            Role::Client => (2 + len_len, MaskKey::ZERO),
        };
        let frame_len = header_len + usize::from(len);
        if len > self.short_len_max || !is_minimal || frame_len > input.len() {
            return None;
        }
        let (frame, rest) = mem::take(input).split_at_mut(frame_len);
        *input = rest;
        let payload = frame.get_mut(header_len..).unwrap_or_default();
        Some((kind, MaskedPayload::new(key, payload)))
    }

    #[inline(never)]
    fn receive_any<'e, 'i: 'e, K: MaskKeySource>(
        &'e mut self,
        sender: &mut Sender<K>,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Option<Event<'e>>, ProtocolError> {
        if let Some(error) = sender.failed {
            sender.flush(out);
            return Err(error);
        }
        let step = match self.step(sender, input, out) {
            Ok(step) => step,
            Err(error) => return Err(self.fail(sender, error, out)),
        };
        self.settle(sender);
        self.is_holding = true;
        match step {
            Step::NeedMore => {
                self.drained(sender, out);
                Ok(None)
            }
            Step::Input(event) => Ok(Some(event)),
            Step::Message(DataKind::Text) => {
                Ok(Some(Event::Text(self.assembler.buffer().as_text())))
            }
            Step::Message(DataKind::Binary) => {
                Ok(Some(Event::Binary(self.assembler.buffer().as_bytes())))
            }
            Step::Control(opcode) => self.control_held(sender, opcode, out).map(Some),
            Step::Carry(fin) => Ok(Some(Event::TextPiece(self.carry.as_str(), fin))),
            Step::Piece(kind, fin) => Ok(Some(self.piece(kind, fin))),
        }
    }

    fn step<'i, K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Step<'i>, ProtocolError> {
        loop {
            if sender.has(Marks::CLOSE_RECEIVED) || sender.has(Marks::EOF_RECEIVED) {
                let len = input.len();
                advance(input, len);
                return Ok(Step::NeedMore);
            }
            match self.phase {
                Phase::Header => {
                    let Some(header) = self.decoder.header(input)? else {
                        return Ok(Step::NeedMore);
                    };
                    if let Some(event) = self.frame_begins(sender, &header, input, out)? {
                        return Ok(Step::Input(event));
                    }
                }
                Phase::Data(kind) if self.delivery == Delivery::Streamed => {
                    if let Some(step) = self.stream_piece(kind, input)? {
                        return Ok(step);
                    }
                }
                Phase::Data(kind) => {
                    let piece = self.decoder.payload(input);
                    self.assembler.append(kind, piece, &self.limits)?;
                    if self.decoder.remaining() > 0 {
                        return Ok(Step::NeedMore);
                    }
                    self.phase = Phase::Header;
                    if self.assembler.is_final() {
                        self.assembler.finish(kind)?;
                        return Ok(Step::Message(kind));
                    }
                }
                Phase::Compressed(kind) => {
                    if let Some(step) = self.decompress(kind, input)? {
                        return Ok(step);
                    }
                }
                Phase::Control(opcode) => {
                    self.control.append(self.decoder.payload(input).unmask());
                    if self.decoder.remaining() > 0 {
                        return Ok(Step::NeedMore);
                    }
                    self.phase = Phase::Header;
                    return Ok(Step::Control(opcode));
                }
            }
        }
    }

    /// Judges a header by where it stands; the frame's event if it lies whole in `input` and is
    /// nobody's part.
    fn frame_begins<'i, K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        header: &FrameHeader,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Option<Event<'i>>, ProtocolError> {
        let is_whole = header.payload_len() <= input.len() as u64;
        if header.opcode().is_control() {
            if is_whole {
                let payload = self.decoder.payload(input).unmask();
                return self.control_event(sender, header.opcode(), payload, out).map(Some);
            }
            self.control.clear();
            self.phase = Phase::Control(header.opcode());
            return Ok(None);
        }
        if self.inflow.is_some() && self.compressed_begins(header)? {
            return Ok(None);
        }
        match self.assembler.begin(header, &self.limits)? {
            FramePlace::Whole(kind) if is_whole && self.delivery == Delivery::Whole => {
                self.assembler.end();
                let payload = self.decoder.payload(input);
                Ok(Some(match kind {
                    DataKind::Text => Event::Text(unmask_str(payload)?),
                    DataKind::Binary => Event::Binary(payload.unmask()),
                }))
            }
            FramePlace::Whole(kind) | FramePlace::Part(kind) => {
                self.phase = Phase::Data(kind);
                Ok(None)
            }
        }
    }

    /// A control frame whose payload was put together in `control`.
    fn control_held<K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        opcode: Opcode,
        out: &mut impl BufMut,
    ) -> Result<Event<'_>, ProtocolError> {
        let held = mem::take(&mut self.control);
        let outcome = self.control_event(sender, opcode, held.as_bytes(), out).map(|_| ());
        self.control = held;
        if let Err(error) = outcome {
            return Err(self.fail(sender, error, out));
        }
        let payload = self.control.as_bytes();
        Ok(match opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => Event::Close(parse_close(payload)?),
        })
    }

    /// Does what a control frame asks for.
    fn control_event<'p, K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        opcode: Opcode,
        payload: &'p [u8],
        out: &mut impl BufMut,
    ) -> Result<Event<'p>, ProtocolError> {
        match opcode {
            Opcode::Ping => {
                sender.answer_ping(payload, out);
                Ok(Event::Ping(payload))
            }
            Opcode::Pong => Ok(Event::Pong(payload)),
            _ => {
                let close = parse_close(payload)?;
                sender.mark(Marks::CLOSE_RECEIVED);
                sender.flush(out);
                if !sender.has(Marks::CLOSE_SENT) {
                    // "When sending a Close frame in response, the endpoint typically echos the
                    // status code it received" (5.5.1)
                    sender.mark(Marks::CLOSE_SENT);
                    sender.send_close(payload.get(..2).unwrap_or(&[]), out);
                }
                self.settle(sender);
                Ok(Event::Close(close))
            }
        }
    }

    /// All input is taken: replies go out, and memory that nothing needs any more is given back.
    fn drained<K: MaskKeySource>(&mut self, sender: &mut Sender<K>, out: &mut impl BufMut) {
        sender.flush(out);
        sender.renew_pongs();
        if sender.has(Marks::CLOSE_RECEIVED) {
            self.release(); // a message that was open will never be whole
        } else if self.phase == Phase::Header {
            self.control.release();
            if !self.assembler.is_open() {
                self.assembler.release();
            }
        }
        self.is_holding = sender.has_due();
    }

    /// _Fail the WebSocket Connection_ (7.1.7): says why, once, and never goes on.
    #[cold]
    fn fail<K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        error: ProtocolError,
        out: &mut impl BufMut,
    ) -> ProtocolError {
        sender.failed = Some(error);
        self.is_at_rest = false;
        sender.drop_pong();
        sender.release();
        self.release();
        if !sender.has(Marks::CLOSE_SENT) {
            sender.mark(Marks::CLOSE_SENT);
            let mut payload = ControlPayload::default();
            payload.append(&error.close_code().as_u16().to_be_bytes());
            payload.append(error.name().as_bytes());
            sender.send_close(payload.as_bytes(), out);
        }
        error
    }
}
