//! The receiving half of every connection: what is half received, and what comes next.

use alloc::boxed::Box;

use crate::decoder::FrameDecoder;
use crate::header::{HeaderRules, Opcode, Rsv};
use crate::limits::Limits;
use crate::mask::MaskKeySource;
use crate::message::{Assembler, DataKind, Inflow};
use crate::role::Role;

use super::carry::Carry;
use super::control::ControlPayload;
use super::send::{Marks, Sender};
use super::{Config, Delivery};

/// The receiving half of a connection. State that both halves need is in [`Sender`].
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) decoder: FrameDecoder,
    pub(super) assembler: Assembler,
    /// A control frame whose payload spans reads.
    pub(super) control: ControlPayload,
    pub(super) limits: Limits,
    pub(super) role: Role,
    pub(super) delivery: Delivery,
    pub(super) phase: Phase,
    /// Whether it is between messages with nothing due, so the next frame may take the fast path.
    pub(super) is_at_rest: bool,
    pub(super) intake: Intake,
    /// The longest payload for the fast path: 65,535, or less if a limit is lower.
    pub(super) short_len_max: u16,
    /// The last character completed, under `Delivery::Streamed`.
    pub(super) carry: Carry,
    /// The decompressor of messages, if one was agreed.
    pub(super) inflow: Option<Box<Inflow>>,
}

/// How far the current input has been taken. One byte, because it determines the size of a
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Intake(pub(super) u8);

impl Intake {
    /// All input has been taken: the last call has returned `None`, or there was none yet.
    pub(super) const DRAINED: Self = Self(1);
    /// Something is held that is released once the input is used up.
    pub(super) const HOLDING: Self = Self(2);

    #[inline]
    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What the next byte of input belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Header,
    Data(DataKind),
    /// Like `Data`, but of a compressed message.
    Compressed(DataKind),
    Control(Opcode),
}

impl Inbound {
    pub(super) fn new<K: MaskKeySource>(
        role: Role,
        config: Config,
        inflow: Option<Box<Inflow>>,
        sender: &Sender<K>,
    ) -> Self {
        let limits = config.limits;
        let mut rules = HeaderRules::for_receiver(role, &limits);
        if inflow.is_some() {
            // "This document allocates the RSV1 bit of the WebSocket header for PMCEs" (RFC 7692,
            // 6)
            rules.rsv_allowed = Rsv::RSV1;
        }
        let size_max = limits.frame_size_max.min(limits.message_size_max as u64);
        let short_len_max = u16::try_from(size_max).unwrap_or(u16::MAX);
        let mut receiver = Self {
            decoder: FrameDecoder::new(rules),
            assembler: Assembler::default(),
            control: ControlPayload::default(),
            limits,
            role,
            delivery: config.delivery,
            phase: Phase::Header,
            is_at_rest: false,
            intake: Intake::DRAINED,
            short_len_max,
            carry: Carry::default(),
            inflow,
        };
        receiver.settle(sender);
        receiver
    }

    /// Determines whether the next frame may take the fast path.
    pub(super) fn settle<K>(&mut self, sender: &Sender<K>) {
        self.is_at_rest = self.phase == Phase::Header
            && self.decoder.is_between_frames()
            && !self.assembler.is_open()
            && self.delivery == Delivery::Whole
            && self.limits.fragments_max > 0
            && !sender.has(Marks::CLOSE_RECEIVED)
            && !sender.has(Marks::EOF_RECEIVED)
            && sender.failed.is_none();
    }

    /// See [`Connection::buffered`](super::Connection::buffered).
    pub(super) fn buffered(&self) -> usize {
        self.assembler.buffer().capacity()
    }

    pub(super) fn release(&mut self) {
        self.assembler.release();
        self.control.release();
        if let Some(inflow) = &mut self.inflow {
            inflow.release();
        }
    }
}
