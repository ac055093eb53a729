// The program as bytes, the memory that it writes to, and what holds of every call.

use std::ffi::{CStr, CString};

use wscodec_capi::*;

const PANICKED: WsStatus = WsError::Panicked as WsStatus;
pub(super) const FULL: WsStatus = WsError::BufferFull as WsStatus;
const HANDSHAKE_FULL: WsStatus = WsError::HandshakeBufferFull as WsStatus;

/// The program's text.
pub(super) struct Script<'d>(pub(super) &'d [u8]);

impl Script<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    /// One in `n`, if the text says so.
    pub(super) fn seldom(&mut self, n: u8) -> bool {
        self.byte().is_multiple_of(n)
    }

    pub(super) fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        let len = usize::from(self.byte()).min(len_max).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken.to_vec()
    }

    pub(super) fn text(&mut self) -> CString {
        let bytes = self.bytes(20);
        CString::new(bytes.into_iter().filter(|&byte| byte != 0).collect::<Vec<_>>()).unwrap()
    }

    /// A length at an edge.
    pub(super) fn edge(&mut self) -> usize {
        let edges =
            [0, 1, 125, 126, 127, 65_535, 65_536, usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX];
        edges[usize::from(self.byte()) % edges.len()]
    }
}

/// Checks what holds of every result.
pub(super) fn judge(status: WsStatus) -> WsStatus {
    assert_ne!(status, PANICKED, "the library has failed");
    // SAFETY: never null, and ends with a zero.
    let name = unsafe { CStr::from_ptr(ws_error_name(status)) };
    assert_ne!(name, c"unknown", "{status} has no name");
    status
}

/// Memory of an exact size, with output in a part of it. A sanitizer sees what is written beyond.
pub(super) struct Out {
    pub(super) memory: Box<[u8]>,
    pub(super) buffer: WsBuffer,
}

impl Out {
    pub(super) fn new(capacity: usize) -> Self {
        let mut memory = vec![0xA5; capacity].into_boxed_slice();
        let buffer = WsBuffer { data: memory.as_mut_ptr(), capacity, len: 0, needed: 0 };
        Self { memory, buffer }
    }

    /// Runs a call that writes to it, and checks what holds of every output.
    pub(super) fn with(&mut self, call: impl FnOnce(*mut WsBuffer) -> WsStatus) -> WsStatus {
        let (len, before) = (self.buffer.len, self.memory[..self.buffer.len].to_vec());
        let status = judge(call(&raw mut self.buffer));
        assert!(len <= self.buffer.len && self.buffer.len <= self.buffer.capacity);
        assert_eq!(self.memory[..len], before, "what was written stays");
        if status == FULL || status == HANDSHAKE_FULL {
            assert!(self.buffer.needed > self.buffer.capacity - self.buffer.len, "there is room");
        }
        status
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        let taken = self.memory[..self.buffer.len].to_vec();
        self.buffer.len = 0;
        taken
    }
}
