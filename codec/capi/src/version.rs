//! Which version this library is.

use std::ffi::{CStr, c_char};

/// The library's version as text, such as "0.1.0".
const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// Returns the version of the library that is loaded, as `0xMMmmpp`: major, minor, patch.
///
/// Compare it with `WS_VERSION`, the version of the header that the program was compiled with.
/// Until 1.0 the two must agree in major and minor; from then on in major, and the library's
/// minor must not be smaller.
#[unsafe(no_mangle)]
pub extern "C" fn ws_version() -> u32 {
    const fn number(text: &str) -> u32 {
        let (digits, mut value, mut at) = (text.as_bytes(), 0, 0);
        while at < digits.len() {
            value = value * 10 + (digits[at] - b'0') as u32;
            at += 1;
        }
        value
    }
    const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | number(env!("CARGO_PKG_VERSION_PATCH"));
    VERSION
}

/// Returns the version of the library as text, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn ws_version_string() -> *const c_char {
    VERSION.as_ptr()
}
