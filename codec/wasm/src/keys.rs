//! Masking keys of all connections of the module, from one generator that JavaScript seeds.

use std::cell::RefCell;

use wscodec::mask::{ChaChaKeys, MaskKey, MaskKeySource};

thread_local! {
    static KEYS: RefCell<Option<ChaChaKeys>> = const { RefCell::new(None) };
}

/// The module's generator. Takes no memory in a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ModuleKeys;

impl MaskKeySource for ModuleKeys {
    fn next_key(&mut self) -> MaskKey {
        KEYS.with_borrow_mut(|keys| {
            keys.as_mut().expect("the module was seeded when it was loaded").next_key()
        })
    }
}

/// Seeds the generator.
pub(crate) fn seed(seed: [u8; 32]) {
    KEYS.set(Some(ChaChaKeys::from_seed(seed)));
}

/// What the feature `std` of the codec asks for entropy: it does not get as far here. The build says so by
/// `--cfg getrandom_backend="custom"`.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[expect(unsafe_code, reason = "the signature that getrandom defines for backends")]
mod backend {
    use super::*;

    #[unsafe(no_mangle)]
    unsafe extern "Rust" fn __getrandom_v03_custom(
        dest: *mut u8,
        len: usize,
    ) -> Result<(), getrandom::Error> {
        for at in 0..len {
            let [byte, ..] = ModuleKeys.next_key().to_bytes();
            // SAFETY: the caller passes `len` writable bytes at `dest`.
            unsafe { dest.add(at).write(byte) };
        }
        Ok(())
    }
}
