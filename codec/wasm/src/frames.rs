//! What works on bytes and frames without a connection: masking, validation, and a relay.

use wscodec::decoder::FrameDecoder;
use wscodec::header::{HEADER_LEN_MAX, HeaderRules, Rsv};
use wscodec::mask::{self, MaskKey, MaskKeySource as _};
use wscodec::{FrameError, ProtocolError, Role};

use crate::fault::Fault;
use crate::keys::ModuleKeys;
use crate::module::{Module, entry};

/// Passes frames of one direction on: those of a client with keys of its own, those of a server as they are. It checks
/// headers, and reads no payload.
pub(crate) struct Relay {
    decoder: FrameDecoder,
    role: Role,
    key: MaskKey,
    /// How many bytes of the frame's payload have gone by.
    passed: usize,
}

impl Relay {
    /// Creates a relay that takes what `role` takes: a server takes a client's frames.
    pub(crate) fn new(role: Role) -> Self {
        let any_rsv = Rsv::from_bits(7).unwrap_or_default(); // what was agreed end to end
        let rules = HeaderRules::unlimited(role).with_rsv_allowed(any_rsv);
        Self { decoder: FrameDecoder::new(rules), role, key: MaskKey::ZERO, passed: 0 }
    }

    fn pass(&mut self, mut input: &mut [u8], mut out: &mut [u8]) -> Result<usize, FrameError> {
        let out_len = out.len();
        loop {
            if self.decoder.remaining() == 0 {
                let Some(header) = self.decoder.header(&mut input)? else { break };
                let key = (self.role == Role::Server).then(|| ModuleKeys.next_key());
                self.key = key.unwrap_or_default();
                self.passed = 0;
                bytes::BufMut::put_slice(&mut out, header.with_mask(key).encode().as_bytes());
            } else if input.is_empty() {
                break;
            }
            let (key, bytes) = self.decoder.payload(&mut input).into_parts();
            mask::put(key.combined(self.key.rotated(self.passed)), bytes, &mut out);
            self.passed = self.passed.wrapping_add(bytes.len());
        }
        Ok(out_len - out.len())
    }
}

impl Module {
    /// Passes the first `len` bytes of the input on to the output.
    pub(crate) fn relay_pass(&mut self, relay: u32, len: u32) -> Result<u32, Fault> {
        let relay = entry(&mut self.open.relays, relay)?;
        let input = self.input.bytes_mut(0, len)?;
        // A header is as long as the one that arrived, of which up to 13 bytes may have come before.
        self.output.append(input.len() + HEADER_LEN_MAX, |room| {
            let passed = relay.pass(input, room).map_err(ProtocolError::from)?;
            *room = std::mem::take(room).get_mut(passed..).unwrap_or_default();
            Ok(0)
        })
    }
}

#[expect(unsafe_code, reason = "exported by name; each name occurs once")]
mod exports {
    use wscodec::Role;
    use wscodec::mask::{self, MaskKey};
    use wscodec::utf8::Utf8Validator;

    use super::Relay;
    use crate::module::{free, keep, run};

    /// Returns 1 if masking and validation use simd128.
    #[unsafe(no_mangle)]
    extern "C" fn module_kernel() -> u32 {
        u32::from(mask::Kernel::best().name() == "simd128")
    }

    /// Masks the input between `start` and `end` with `key`, whose lowest byte applies to the payload's first.
    #[unsafe(no_mangle)]
    extern "C" fn mask_apply(start: u32, end: u32, key: u32, phase: u32) -> i32 {
        run(|module| {
            let key = MaskKey::new(key.to_le_bytes());
            mask::apply(key, module.input.bytes_mut(start, end)?, phase as usize);
            Ok(0)
        })
    }

    /// Returns 1 if the input between `start` and `end` is UTF-8.
    #[unsafe(no_mangle)]
    extern "C" fn utf8_is_valid(start: u32, end: u32) -> i32 {
        run(|module| {
            let mut validator = Utf8Validator::new();
            let is_valid = validator.push(module.input.bytes_mut(start, end)?).is_ok();
            Ok(u32::from(is_valid && validator.is_complete()))
        })
    }

    /// Creates a relay for the frames of a client, if `role` is 0, or of a server, and returns its number.
    #[unsafe(no_mangle)]
    extern "C" fn relay_new(role: u32) -> i32 {
        run(|module| {
            let role = if role == 0 { Role::Server } else { Role::Client };
            Ok(keep(&mut module.open.relays, Relay::new(role)))
        })
    }

    /// See [`Module::relay_pass`](super::Module::relay_pass).
    #[unsafe(no_mangle)]
    extern "C" fn relay_pass(relay: u32, len: u32) -> i32 {
        run(|module| module.relay_pass(relay, len))
    }

    /// Frees a relay.
    #[unsafe(no_mangle)]
    extern "C" fn relay_free(relay: u32) -> i32 {
        run(|module| free(&mut module.open.relays, relay))
    }
}
