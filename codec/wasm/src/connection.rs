//! Open connections: input to events, messages to output.

use bytes::Bytes;
use slab::Slab;
use wscodec::connection::{EventKind, Found};
use wscodec::header::{Fin, Opcode};
use wscodec::{
    CloseCode, CloseFrame, Config, Connection, ConnectionBuilder, Delivery, Event, Fragment,
    Limits, Message, PreparedMessage, ReadyState, Role,
};

use crate::deflate::Packed;
use crate::fault::Fault;
use crate::frames::Relay;
use crate::groups::as_text;
use crate::keys::ModuleKeys;
use crate::module::{Module, entry, keep};
use crate::output::REPLIES_LEN_MAX;

/// What [`receive`] returns for each kind of event; 0 means that all input is taken.
const TEXT: u32 = 1;
const BINARY: u32 = 2;
const PING: u32 = 3;
const PONG: u32 = 4;
const CLOSE: u32 = 5;
/// Set if more pieces of the message follow.
const MORE: u32 = 8;

/// How a message from the message area is sent, beside its opcode.
const PIECE: u32 = 16;
const LAST_PIECE: u32 = 32;
const UNCOMPRESSED: u32 = 64;

/// What a frame may take beyond the payload: a header, and the replies that are due before it.
const OVERHEAD_LEN_MAX: usize = 512;

/// What a client or a server allows, as JavaScript passes it.
pub(crate) struct Asked {
    pub(crate) role: u32,
    pub(crate) delivery: u32,
    pub(crate) limits: Limits,
    pub(crate) agreed: Packed,
}

/// What is open.
pub(crate) struct Open {
    /// The frame that was asked for last.
    frame: Bytes,
    connections: Slab<Box<Connection<ModuleKeys>>>,
    prepared: Slab<PreparedMessage>,
    pub(crate) relays: Slab<Relay>,
}

impl Open {
    pub(crate) const fn new() -> Self {
        Self {
            frame: Bytes::new(),
            connections: Slab::new(),
            prepared: Slab::new(),
            relays: Slab::new(),
        }
    }
}

/// Returns the state as [`Record::state`](crate::module::Record::state) has it.
fn state_of(connection: &Connection<ModuleKeys>) -> u32 {
    let state = match connection.ready_state() {
        ReadyState::Connecting => 0,
        ReadyState::Open => 1,
        ReadyState::Closing => 2,
        ReadyState::Closed => 3,
    };
    state | u32::from(connection.has_due_output()) << 2 | u32::from(connection.is_clean()) << 3
}

impl Module {
    pub(crate) fn open(&mut self, asked: &Asked) -> Result<u32, Fault> {
        let role = if asked.role == 0 { Role::Server } else { Role::Client };
        let delivery = if asked.delivery == 0 { Delivery::Whole } else { Delivery::Streamed };
        let config = Config::default().with_limits(asked.limits).with_delivery(delivery);
        let builder = ConnectionBuilder::with_mask_keys(role, ModuleKeys).config(config);
        #[cfg(feature = "deflate")]
        let builder = builder.extension(asked.agreed.to_agreed()?.as_ref());
        #[cfg(not(feature = "deflate"))]
        if !asked.agreed.is_none() {
            return Err(Fault::ARGUMENT);
        }
        let connection = Box::new(builder.open());
        self.record.state = state_of(&connection);
        Ok(keep(&mut self.open.connections, connection))
    }

    /// Takes the next event from the input between `start` and `end`.
    pub(crate) fn receive(&mut self, number: u32, start: u32, end: u32) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        let input = self.input.bytes_mut(start, end)?;
        let step = self.output.append(REPLIES_LEN_MAX, |room| connection.receive_at(input, room));
        let record = &mut self.record;
        record.state = state_of(connection);
        let step = step?;
        record.taken = step.taken();
        let Some(found) = step.into_event() else { return Ok(0) };
        let payload = match &found {
            // Text that has been validated where it lies is not validated again.
            Found::Input(kind, place) if *kind != EventKind::Close => {
                input.get(place.clone()).unwrap_or_default()
            }
            found => match connection.event(found, input) {
                Event::Text(text) | Event::TextPiece(text, _) => text.as_bytes(),
                Event::Binary(bytes)
                | Event::BinaryPiece(bytes, _)
                | Event::Ping(bytes)
                | Event::Pong(bytes) => bytes,
                Event::Close(Some(close)) => {
                    record.code = close.code.as_u16().into();
                    close.reason.as_bytes()
                }
                // 1005 is what other APIs report for a Close without a code (RFC 6455, 7.1.5).
                Event::Close(None) => {
                    record.code = 1005;
                    &[]
                }
                _ => &[],
            },
        };
        record.at = payload.as_ptr().addr();
        record.len = payload.len();
        let more = |fin| if fin == Fin::More { MORE } else { 0 };
        Ok(match found.kind() {
            EventKind::Text => TEXT,
            EventKind::Binary => BINARY,
            EventKind::TextPiece(fin) => TEXT | more(fin),
            EventKind::BinaryPiece(fin) => BINARY | more(fin),
            EventKind::Ping => PING,
            EventKind::Pong => PONG,
            EventKind::Close => CLOSE,
            _ => 0,
        })
    }

    /// Sends the payload of `len` bytes that has been placed in the output.
    pub(crate) fn send_placed(&mut self, number: u32, opcode: u32, len: u32) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        let len = len as usize;
        if self.output.placed(len).is_none() {
            return Err(Fault::ARGUMENT);
        }
        let opcode = opcode_of(opcode)?;
        let (header, key) = {
            if connection.has_due_output() {
                let mut due = Vec::new();
                connection.flush(&mut due);
                self.output.insert(&due, len);
            }
            connection.sender().head(opcode, len as u64)?
        };
        self.output.push_placed(header.as_bytes(), key, len);
        self.record.state = state_of(connection);
        Ok(0)
    }

    /// Sends the header alone of a message that JavaScript sends behind it, as a server may.
    pub(crate) fn send_head(&mut self, number: u32, opcode: u32, len: f64) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        if connection.role() == Role::Client {
            return Err(Fault::ARGUMENT); // its payload has to be masked
        }
        self.output.append(OVERHEAD_LEN_MAX, |room| connection.flush(room));
        let (header, _) = connection.sender().head(opcode_of(opcode)?, to_u64(len))?;
        self.output.append(OVERHEAD_LEN_MAX, |room| {
            bytes::BufMut::put_slice(room, header.as_bytes());
        });
        Ok(0)
    }

    /// Sends what lies in the message area: through an extension, as it is, or as a piece of a message.
    pub(crate) fn send_message(&mut self, number: u32, how: u32, len: u32) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        let payload = self.message.bytes(len)?;
        // What can't be compressed grows by a few bytes for each block.
        let room_len = payload.len() + payload.len() / 8 + 2 * OVERHEAD_LEN_MAX;
        let opcode = opcode_of(how & 15)?;
        let text = if opcode == Opcode::Text { as_text(payload)? } else { "" };
        self.output.append(room_len, |room| {
            if how & (PIECE | LAST_PIECE) != 0 {
                let fragment = match opcode {
                    Opcode::Text => Fragment::Text(text),
                    _ => Fragment::Binary(payload),
                };
                let fin = if how & LAST_PIECE == 0 { Fin::More } else { Fin::Final };
                return connection.send_fragment(fragment, fin, room);
            }
            let message = match opcode {
                Opcode::Text => Message::Text(text),
                Opcode::Ping => Message::Ping(payload),
                Opcode::Pong => Message::Pong(payload),
                _ => Message::Binary(payload),
            };
            if how & UNCOMPRESSED == 0 {
                connection.send(message, room)
            } else {
                connection.send_uncompressed(message, room)
            }
        })?;
        self.record.state = state_of(connection);
        Ok(0)
    }

    /// Sends a Close with the reason in the message area; 0 as code sends an empty one.
    pub(crate) fn close(&mut self, number: u32, code: u32, len: u32) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        let reason = as_text(self.message.bytes(len)?)?;
        let close = match code {
            0 => None,
            code => {
                let code = u16::try_from(code).map_err(|_| Fault::CLOSE_CODE)?;
                let code = CloseCode::try_from(code).map_err(|_| Fault::CLOSE_CODE)?;
                Some(CloseFrame { code, reason })
            }
        };
        self.output.append(OVERHEAD_LEN_MAX, |room| connection.close(close, room))?;
        self.record.state = state_of(connection);
        Ok(0)
    }

    /// Sends a prepared message.
    pub(crate) fn send_prepared(&mut self, number: u32, prepared: u32) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        let prepared = entry(&mut self.open.prepared, prepared)?;
        let room_len = prepared.frame_len() + OVERHEAD_LEN_MAX;
        self.output.append(room_len, |room| connection.send_prepared(prepared, room))?;
        self.record.state = state_of(connection);
        Ok(0)
    }

    /// Makes the record point at the frame of a prepared message. Its code is 1 if others share the frame, which then
    /// lies there as long as the prepared message does.
    pub(crate) fn prepared_frame(&mut self, number: u32, prepared: u32) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        let prepared = entry(&mut self.open.prepared, prepared)?;
        self.output.append(OVERHEAD_LEN_MAX, |room| connection.flush(room));
        self.open.frame = Bytes::new();
        self.open.frame = connection.prepared_frame(prepared)?;
        self.record.at = self.open.frame.as_ptr().addr();
        self.record.len = self.open.frame.len();
        self.record.code = u32::from(!self.open.frame.is_unique());
        self.record.state = state_of(connection);
        Ok(0)
    }

    /// Tells a connection that its stream has ended.
    pub(crate) fn receive_eof(&mut self, number: u32) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        let outcome = connection.receive_eof();
        self.record.state = state_of(connection);
        outcome?;
        Ok(0)
    }

    /// Appends the replies that are due.
    pub(crate) fn flush(&mut self, number: u32) -> Result<u32, Fault> {
        let connection = &mut **entry(&mut self.open.connections, number)?;
        self.output.append(OVERHEAD_LEN_MAX, |room| connection.flush(room));
        self.record.state = state_of(connection);
        Ok(0)
    }
}

fn opcode_of(bits: u32) -> Result<Opcode, Fault> {
    u8::try_from(bits).ok().and_then(Opcode::from_bits).ok_or(Fault::ARGUMENT)
}

/// Returns the whole number that a number of JavaScript is; infinity is the largest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and JavaScript has refused what is no whole number"
)]
pub(crate) const fn to_u64(number: f64) -> u64 {
    number as u64
}

#[expect(unsafe_code, reason = "exported by name; each name occurs once")]
mod exports {
    use wscodec::{Limits, Message, PreparedMessage};

    use super::{Asked, Connection, ModuleKeys, opcode_of, to_u64};
    use crate::deflate::Packed;
    use crate::fault::Fault;
    use crate::groups::as_text;
    use crate::module::{entry, free, keep, run};

    /// Returns 1 if connections can have permessage-deflate.
    #[unsafe(no_mangle)]
    extern "C" fn module_has_deflate() -> u32 {
        u32::from(cfg!(feature = "deflate"))
    }

    /// Makes room in the output for a payload of `len` bytes, and returns where it is placed.
    #[unsafe(no_mangle)]
    extern "C" fn output_place(len: usize) -> usize {
        let mut place = 0;
        run(|module| {
            module.output.reserve_place(len);
            place = module.output.place().addr();
            Ok(0)
        });
        place
    }

    /// Opens a connection, and returns its number. `role` is 0 for a server; `delivery` is 1 for pieces; `agreed` is
    /// what was agreed on, [packed](crate::deflate::Packed).
    #[unsafe(no_mangle)]
    extern "C" fn connection_new(
        role: u32,
        delivery: u32,
        frame_size_max: f64,
        message_size_max: f64,
        fragments_max: f64,
        agreed: u32,
    ) -> i32 {
        run(|module| {
            let limits = Limits::new()
                .with_frame_size_max(to_u64(frame_size_max))
                .with_message_size_max(
                    usize::try_from(to_u64(message_size_max)).unwrap_or(usize::MAX),
                )
                .with_fragments_max(u32::try_from(to_u64(fragments_max)).unwrap_or(u32::MAX));
            module.open(&Asked { role, delivery, limits, agreed: Packed(agreed) })
        })
    }

    /// See [`Module::receive`](super::Module::receive).
    #[unsafe(no_mangle)]
    extern "C" fn connection_receive(connection: u32, start: u32, end: u32) -> i32 {
        run(|module| module.receive(connection, start, end))
    }

    /// See [`Module::receive_eof`](super::Module::receive_eof).
    #[unsafe(no_mangle)]
    extern "C" fn connection_receive_eof(connection: u32) -> i32 {
        run(|module| module.receive_eof(connection))
    }

    /// See [`Module::send_placed`](super::Module::send_placed).
    #[unsafe(no_mangle)]
    extern "C" fn connection_send_placed(connection: u32, opcode: u32, len: u32) -> i32 {
        run(|module| module.send_placed(connection, opcode, len))
    }

    /// See [`Module::send_head`](super::Module::send_head).
    #[unsafe(no_mangle)]
    extern "C" fn connection_send_head(connection: u32, opcode: u32, len: f64) -> i32 {
        run(|module| module.send_head(connection, opcode, len))
    }

    /// See [`Module::send_message`](super::Module::send_message).
    #[unsafe(no_mangle)]
    extern "C" fn connection_send_message(connection: u32, how: u32, len: u32) -> i32 {
        run(|module| module.send_message(connection, how, len))
    }

    /// See [`Module::close`](super::Module::close).
    #[unsafe(no_mangle)]
    extern "C" fn connection_close(connection: u32, code: u32, len: u32) -> i32 {
        run(|module| module.close(connection, code, len))
    }

    /// See [`Module::flush`](super::Module::flush).
    #[unsafe(no_mangle)]
    extern "C" fn connection_flush(connection: u32) -> i32 {
        run(|module| module.flush(connection))
    }

    /// Returns the memory that an incomplete message takes, in bytes.
    #[unsafe(no_mangle)]
    extern "C" fn connection_buffered(connection: u32) -> i32 {
        run(|module| {
            let connection: &mut Box<Connection<ModuleKeys>> =
                entry(&mut module.open.connections, connection)?;
            Ok(connection.buffered() as u32)
        })
    }

    /// Frees a connection.
    #[unsafe(no_mangle)]
    extern "C" fn connection_free(connection: u32) -> i32 {
        run(|module| free(&mut module.open.connections, connection))
    }

    /// Prepares the message area's first `len` bytes as a message, and returns its number.
    #[unsafe(no_mangle)]
    extern "C" fn prepared_new(opcode: u32, len: u32) -> i32 {
        run(|module| {
            let payload = module.message.bytes(len)?;
            let message = match opcode_of(opcode)? {
                super::Opcode::Text => Message::Text(as_text(payload)?),
                super::Opcode::Binary => Message::Binary(payload),
                super::Opcode::Ping => Message::Ping(payload),
                super::Opcode::Pong => Message::Pong(payload),
                _ => return Err(Fault::ARGUMENT),
            };
            let prepared = PreparedMessage::new(message)?;
            Ok(keep(&mut module.open.prepared, prepared))
        })
    }

    /// Frees a prepared message.
    #[unsafe(no_mangle)]
    extern "C" fn prepared_free(prepared: u32) -> i32 {
        run(|module| free(&mut module.open.prepared, prepared))
    }

    /// See [`Module::send_prepared`](super::Module::send_prepared).
    #[unsafe(no_mangle)]
    extern "C" fn connection_send_prepared(connection: u32, prepared: u32) -> i32 {
        run(|module| module.send_prepared(connection, prepared))
    }

    /// See [`Module::prepared_frame`](super::Module::prepared_frame).
    #[unsafe(no_mangle)]
    extern "C" fn connection_prepared_frame(connection: u32, prepared: u32) -> i32 {
        run(|module| module.prepared_frame(connection, prepared))
    }
}
