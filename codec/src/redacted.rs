//! What `Debug` shows instead of bytes that may be secret: their number.

use core::fmt;

/// A number of bytes that are not shown.
pub(crate) struct Redacted(pub(crate) usize);

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            len => write!(f, "{len} bytes"),
        }
    }
}
