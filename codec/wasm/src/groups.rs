//! Texts in groups: how headers, names and messages of errors cross the border.
//!
//! A group is a number of texts and then the texts, each with its length before it; numbers are 32 bits, little-endian.

use crate::fault::Fault;

/// Reads groups that JavaScript has written.
#[cfg(feature = "handshake")]
pub(crate) struct Groups<'b>(&'b [u8]);

#[cfg(feature = "handshake")]
impl<'b> Groups<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the next group.
    pub(crate) fn next(&mut self) -> Result<Vec<&'b [u8]>, Fault> {
        (0..self.number()?).map(|_| self.text()).collect()
    }

    /// Returns the next group as texts, which JavaScript encodes as UTF-8.
    pub(crate) fn next_texts(&mut self) -> Result<Vec<&'b str>, Fault> {
        self.next()?.into_iter().map(as_text).collect()
    }

    fn number(&mut self) -> Result<u32, Fault> {
        let (number, rest) = self.0.split_first_chunk::<4>().ok_or(Fault::ARGUMENT)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*number))
    }

    fn text(&mut self) -> Result<&'b [u8], Fault> {
        let len = self.number()? as usize;
        let (text, rest) = self.0.split_at_checked(len).ok_or(Fault::ARGUMENT)?;
        self.0 = rest;
        Ok(text)
    }
}

/// Returns bytes from JavaScript as text.
pub(crate) fn as_text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::TEXT)
}

/// Appends a group to a reply.
pub(crate) fn push_group<T: AsRef<[u8]>>(reply: &mut Vec<u8>, texts: impl IntoIterator<Item = T>) {
    let at = reply.len();
    let mut count = 0_u32;
    reply.extend_from_slice(&[0; 4]);
    for text in texts {
        let text = text.as_ref();
        // Memory ends before 32 bits do.
        reply.extend_from_slice(&(text.len() as u32).to_le_bytes());
        reply.extend_from_slice(text);
        count += 1;
    }
    if let Some(place) = reply.get_mut(at..at + 4) {
        place.copy_from_slice(&count.to_le_bytes());
    }
}

/// Appends headers as a group of names and values.
#[cfg(feature = "handshake")]
pub(crate) fn push_headers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    reply: &mut Vec<u8>,
    headers: impl Iterator<Item = (N, V)>,
) {
    let pairs: Vec<(N, V)> = headers.collect();
    push_group(reply, pairs.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]));
}
