//! Bytes to events (RFC 6455, 5 and 6.2).

use core::mem;
use core::ops::Range;

use bytes::BufMut;

use crate::decoder::{MaskedPayload, advance};
use crate::error::ProtocolError;
use crate::header::{FrameHeader, Opcode};
use crate::mask::{MaskKey, MaskKeySource};
use crate::message::{DataKind, FramePlace, Room, unmask_str};
use crate::role::Role;

use super::control::{ControlPayload, parse_close};
use super::found::{self, EventKind, Found, Held, Holder};
use super::inbound::{Inbound, Intake, Phase};
use super::send::{Marks, Sender};
use super::{Delivery, Event};

/// The first bytes of a whole text and of a whole binary message, in this order.
const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
/// The length field that announces a 16-bit length.
const LEN_16: u8 = 126;

/// The least remaining payload for which [`Inbound::room`] lends room: less is read together with
/// what follows it, in one call.
const ROOM_LEN_MIN: u64 = 8 << 10;

/// What has been received, and where it lies. Borrows only from the input, so that the connection
/// stays free to move.
pub(super) enum Step<'i> {
    NeedMore,
    Input(Event<'i>),
    Held(Held),
}

impl Inbound {
    /// See [`Connection::receive`](super::Connection::receive).
    #[inline]
    pub(super) fn receive<'e, 'i: 'e, K: MaskKeySource>(
        &'e mut self,
        sender: &mut Sender<K>,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Option<Event<'e>>, ProtocolError> {
        if self.is_at_rest {
            // Built only here, so that an inlined call keeps the event in registers.
            if let Some((kind, payload)) = self.take_short(input) {
                self.intake = self.intake.without(Intake::DRAINED);
                return match kind {
                    DataKind::Binary => Ok(Some(Event::Binary(payload.unmask()))),
                    DataKind::Text => match unmask_str(payload) {
                        Ok(text) => Ok(Some(Event::Text(text))),
                        Err(error) => Err(self.fail(sender, error.into(), out)),
                    },
                };
            }
            if input.is_empty() && !self.intake.has(Intake::HOLDING) {
                self.intake = Intake::DRAINED;
                return Ok(None);
            }
        }
        match self.receive_any(sender, input, out)? {
            Step::NeedMore => Ok(None),
            Step::Input(event) => Ok(Some(event)),
            Step::Held(held) => Ok(Some(self.held_event(held))),
        }
    }

    /// Like [`receive`](Self::receive), but returns where the event lies instead of lending it.
    pub(super) fn receive_at<K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        input: &mut [u8],
        out: &mut impl BufMut,
    ) -> Result<found::Step, ProtocolError> {
        let (start, len) = (input.as_ptr().addr(), input.len());
        if len == 0 && self.is_at_rest && !self.intake.has(Intake::HOLDING) {
            self.intake = Intake::DRAINED;
            return Ok(found::Step::new(0, None));
        }
        let mut rest = input;
        if self.is_at_rest
            && let Some((kind, payload)) = self.take_short(&mut rest)
        {
            self.intake = self.intake.without(Intake::DRAINED);
            let payload_len = payload.len();
            match kind {
                DataKind::Binary => drop(payload.unmask()),
                DataKind::Text => {
                    unmask_str(payload).map_err(|error| self.fail(sender, error.into(), out))?;
                }
            }
            let taken = len - rest.len();
            let place = taken - payload_len..taken;
            let found = Found::Input(EventKind::of_message(kind), place);
            return Ok(found::Step::new(taken, Some(found)));
        }
        let step = self.receive_any(sender, &mut rest, out)?;
        let place = |bytes: &[u8]| {
            let at = bytes.as_ptr().addr().saturating_sub(start);
            at..at + bytes.len()
        };
        let found = match step {
            Step::NeedMore => None,
            Step::Held(held) => Some(Found::Held(held.kind(), Holder(held))),
            Step::Input(event) => Some(match event {
                Event::Text(text) => Found::Input(EventKind::Text, place(text.as_bytes())),
                Event::Binary(bytes) => Found::Input(EventKind::Binary, place(bytes)),
                Event::TextPiece(text, fin) => {
                    Found::Input(EventKind::TextPiece(fin), place(text.as_bytes()))
                }
                Event::BinaryPiece(bytes, fin) => {
                    Found::Input(EventKind::BinaryPiece(fin), place(bytes))
                }
                Event::Ping(bytes) => Found::Input(EventKind::Ping, place(bytes)),
                Event::Pong(bytes) => Found::Input(EventKind::Pong, place(bytes)),
                Event::Close(None) => Found::Input(EventKind::Close, 0..0),
                Event::Close(Some(close)) => {
                    let Range { start, end } = place(close.reason.as_bytes());
                    Found::Input(EventKind::Close, start.saturating_sub(2)..end)
                }
            }),
        };
        Ok(found::Step::new(len - rest.len(), found))
    }

    /// Returns the payload of a held event that is not a message.
    pub(super) fn held_payload(&self, holder: Holder) -> &[u8] {
        match holder.0 {
            Held::Control(_) => self.control.as_bytes(),
            Held::Carry(_) => self.carry.as_str().as_bytes(),
            Held::Message(_) | Held::Piece(..) => self.assembler.buffer().as_piece(),
        }
    }

    /// Lends the held event.
    pub(super) fn held_event(&self, held: Held) -> Event<'_> {
        match held {
            Held::Message(DataKind::Text) => Event::Text(self.assembler.buffer().as_text()),
            Held::Message(DataKind::Binary) => Event::Binary(self.assembler.buffer().as_bytes()),
            Held::Control(opcode) => {
                let payload = self.control.as_bytes();
                match opcode {
                    Opcode::Ping => Event::Ping(payload),
                    Opcode::Pong => Event::Pong(payload),
                    // Checked when it was answered.
                    _ => Event::Close(parse_close(payload).unwrap_or_default()),
                }
            }
            Held::Carry(fin) => Event::TextPiece(self.carry.as_str(), fin),
            Held::Piece(kind, fin) => self.piece(kind, fin),
        }
    }

    /// Lends room for the rest of the current data frame's payload, if messages are assembled and
    /// enough of it is left to be worth its own read.
    pub(super) fn room<K>(&mut self, sender: &Sender<K>) -> Option<Room<'_>> {
        let is_over = sender.has(Marks::CLOSE_RECEIVED)
            || sender.has(Marks::EOF_RECEIVED)
            || sender.failed.is_some();
        let remaining = self.decoder.remaining();
        match self.phase {
            Phase::Data(_)
                if !is_over && self.delivery == Delivery::Whole && remaining >= ROOM_LEN_MIN =>
            {
                self.assembler.room(remaining, &self.limits)
            }
            _ => None,
        }
    }

    /// Takes a whole data message of at most 65,535 bytes from the front of `input`, as most
    /// messages are. `None` sends anything else, including every error, to the slow path.
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
    fn receive_any<'i, K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Step<'i>, ProtocolError> {
        if let Some(error) = sender.failed {
            sender.flush(out);
            return Err(error);
        }
        let step = match self.step(sender, input, out) {
            Ok(step) => step,
            Err(error) => return Err(self.fail(sender, error, out)),
        };
        self.settle(sender);
        self.intake = Intake::HOLDING;
        match step {
            Step::NeedMore => {
                self.drained(sender, out);
                self.end_of_stream(sender)?;
            }
            Step::Held(Held::Control(opcode)) => self.control_held(sender, opcode, out)?,
            Step::Input(_) | Step::Held(_) => {}
        }
        Ok(step)
    }

    fn step<'i, K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Step<'i>, ProtocolError> {
        loop {
            if sender.has(Marks::CLOSE_RECEIVED) {
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
                    let decoder = &mut self.decoder;
                    self.assembler.take_filled(kind, |mut filled| decoder.payload(&mut filled))?;
                    let piece = self.decoder.payload(input);
                    self.assembler.append(kind, piece, &self.limits)?;
                    if self.decoder.remaining() > 0 {
                        return Ok(Step::NeedMore);
                    }
                    self.phase = Phase::Header;
                    if self.assembler.is_final() {
                        self.assembler.finish(kind)?;
                        return Ok(Step::Held(Held::Message(kind)));
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
                    return Ok(Step::Held(Held::Control(opcode)));
                }
            }
        }
    }

    /// Checks a header in its context; returns the frame's event if it lies whole in `input` and is
    /// not a fragment.
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

    /// Handles a control frame whose payload was assembled in `control`.
    fn control_held<K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        opcode: Opcode,
        out: &mut impl BufMut,
    ) -> Result<(), ProtocolError> {
        let held = mem::take(&mut self.control);
        let outcome = self.control_event(sender, opcode, held.as_bytes(), out).map(drop);
        self.control = held;
        outcome.map_err(|error| self.fail(sender, error, out))
    }

    /// Handles a control frame.
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

    /// Called when all input is taken: writes replies, and frees memory that is no longer needed.
    fn drained<K: MaskKeySource>(&mut self, sender: &mut Sender<K>, out: &mut impl BufMut) {
        sender.flush(out);
        sender.renew_pongs();
        if sender.has(Marks::CLOSE_RECEIVED) {
            self.release(); // a message that was open will never be whole
        } else if self.phase == Phase::Header {
            self.control.release();
            if !self.assembler.is_open() {
                self.assembler.recycle();
            }
        }
        let due = if sender.has_due_output() { Intake::HOLDING.0 } else { 0 };
        self.intake = Intake(Intake::DRAINED.0 | due);
    }

    /// Fails the connection if the stream has ended, all of it has been taken, and it held no
    /// Close.
    pub(super) fn end_of_stream<K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
    ) -> Result<(), ProtocolError> {
        if let Some(error) = sender.failed {
            return Err(error);
        }
        if !sender.has(Marks::EOF_RECEIVED) || !self.intake.has(Intake::DRAINED) {
            return Ok(());
        }
        self.release();
        sender.release();
        if sender.has(Marks::CLOSE_RECEIVED) {
            return Ok(());
        }
        sender.drop_pong();
        sender.failed = Some(ProtocolError::UnexpectedEof);
        Err(ProtocolError::UnexpectedEof)
    }

    /// _Fail the WebSocket Connection_ (7.1.7): reports why, once, and never continues.
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

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::{Config, Connection};
    use super::*;
    use crate::limits::Limits;
    use crate::mask::FixedKey;

    const ROLES: [Role; 2] = [Role::Client, Role::Server];

    fn connection(role: Role, config: Config) -> Connection<FixedKey> {
        Connection::with_mask_keys(role, config, FixedKey(MaskKey::ZERO))
    }

    /// Returns a frame for `role` with a key of zeros and `len_len` extra bytes of length.
    fn frame(role: Role, b0: u8, len_len: usize, len: usize) -> Vec<u8> {
        let masked = if role == Role::Server { 0x80 } else { 0 };
        let mut bytes = Vec::from([b0]);
        match len_len {
            0 => bytes.push(masked | u8::try_from(len).unwrap()),
            2 => {
                bytes.push(masked + LEN_16);
                bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(masked + LEN_16 + 1);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend(&[0; 4][..if masked == 0 { 0 } else { 4 }]);
        bytes.resize(bytes.len() + len, b'x');
        bytes
    }

    /// Returns the length of the message that the fast path takes, if any. The fast path must take
    /// the whole frame or nothing, whether or not more follows.
    fn taken(role: Role, config: Config, frame: &[u8]) -> Option<(DataKind, usize)> {
        let taken = [&b""[..], b"rest"].map(|rest| {
            let mut bytes = [frame, rest].concat();
            let mut input = &mut bytes[..];
            let taken = connection(role, config).receiver.take_short(&mut input);
            let taken = taken.map(|(kind, payload)| (kind, payload.unmask().len()));
            let left = if taken.is_some() { 0 } else { frame.len() };
            assert_eq!(input.len(), left + rest.len());
            taken
        });
        assert_eq!(taken[0], taken[1]);
        taken[0]
    }

    #[test]
    fn the_short_way_takes_whole_messages_in_their_shortest_form_and_nothing_else() {
        let config = Config::default();
        for role in ROLES {
            for (b0, kind) in [(0x81, DataKind::Text), (0x82, DataKind::Binary)] {
                for (len_len, len) in [(0, 0), (0, 1), (0, 125), (2, 126), (2, 127), (2, 65_535)] {
                    let whole = frame(role, b0, len_len, len);
                    assert_eq!(taken(role, config, &whole), Some((kind, len)));
                }
                for (len_len, len) in [(2, 0), (2, 125), (8, 0), (8, 126), (8, 65_536)] {
                    assert_eq!(taken(role, config, &frame(role, b0, len_len, len)), None);
                }
            }
            for b0 in (0..=255).filter(|b0| !matches!(b0, 0x81 | 0x82)) {
                assert_eq!(taken(role, config, &frame(role, b0, 0, 5)), None, "{b0:02x}");
            }
            let other = if role == Role::Server { Role::Client } else { Role::Server };
            assert_eq!(taken(role, config, &frame(other, 0x82, 0, 5)), None, "MASK by role");
        }
    }

    #[test]
    fn the_short_way_takes_no_part_of_a_frame_and_nothing_above_a_limit() {
        for role in ROLES {
            for whole in [frame(role, 0x82, 0, 9), frame(role, 0x82, 2, 200)] {
                for len in 0..whole.len() {
                    let mut part = whole[..len].to_vec();
                    let mut input = &mut part[..];
                    let receiver = connection(role, Config::default()).receiver;
                    assert!(receiver.take_short(&mut input).is_none(), "{len}");
                    assert_eq!(input.len(), len);
                }
            }
            for max in [0, 10, 125, 126, 300] {
                let limits = [
                    Limits { message_size_max: max, ..Limits::default() },
                    Limits { frame_size_max: max as u64, ..Limits::default() },
                ];
                for config in limits.map(|limits| Config::default().with_limits(limits)) {
                    for len in [max.saturating_sub(1), max, max + 1] {
                        let whole = frame(role, 0x82, if len > 125 { 2 } else { 0 }, len);
                        assert_eq!(
                            taken(role, config, &whole).is_some(),
                            len <= max,
                            "{max} {len}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_short_way_is_open_between_messages_and_only_there() {
        for role in ROLES {
            let mut side = connection(role, Config::default());
            let mut at_rest = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let mut input = &mut bytes[..];
                while side.receive(&mut input, &mut Vec::new()).is_ok_and(|event| event.is_some()) {
                }
                side.receiver.is_at_rest
            };
            assert!(at_rest(b""), "from the start");
            let long = frame(role, 0x82, 2, 300);
            let (begin, rest) = long.split_at(100);
            assert!(!at_rest(&begin[..1]), "in a header");
            assert!(!at_rest(&begin[1..]), "in a payload");
            assert!(at_rest(rest));
            assert!(!at_rest(&frame(role, 0x02, 0, 5)), "in a message of fragments");
            assert!(!at_rest(&frame(role, 0x89, 0, 5)), "after a Ping in it");
            assert!(at_rest(&frame(role, 0x80, 0, 5)));
            assert!(at_rest(&frame(role, 0x89, 0, 5)), "after a Ping");
            assert!(!at_rest(&frame(role, 0x88, 0, 0)), "after a Close");
            let streamed = Config::default().with_delivery(Delivery::Streamed);
            assert!(!connection(role, streamed).receiver.is_at_rest);
            let none = Limits { fragments_max: 0, ..Limits::default() };
            let none = Config::default().with_limits(none);
            assert!(!connection(role, none).receiver.is_at_rest, "no message is allowed");
        }
    }
}
