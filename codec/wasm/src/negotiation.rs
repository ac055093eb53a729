//! Handshakes as values, for stacks that read and write HTTP themselves: headers in, headers out.

use wscodec::handshake::{Answered, HandshakeKey, Offer, Offered};

use crate::deflate::Packed;
use crate::extension::{Accepts, Offers};
use crate::fault::Fault;
use crate::groups::{Groups, push_group, push_headers};
use crate::handshake::{acceptance_of, request_of};
use crate::module::Module;

/// Reads headers, as names and values.
fn headers_of<'b>(groups: &mut Groups<'b>) -> Result<Vec<(&'b str, &'b [u8])>, Fault> {
    let texts = groups.next()?;
    // A name that is not text is no header's.
    let pairs = texts.chunks_exact(2).map(|pair| (std::str::from_utf8(pair[0]), pair[1]));
    Ok(pairs.filter_map(|(name, value)| Some((name.ok()?, value))).collect())
}

/// Reads the headers of a request over HTTP/1.1, or of an extended CONNECT.
fn offer_of<'b>(groups: &mut Groups<'b>, is_connect: u32) -> Result<Offer<'b>, Fault> {
    let headers = headers_of(groups)?;
    Ok(if is_connect == 0 {
        Offer::from_headers(headers)?
    } else {
        Offer::from_connect_headers(headers)?
    })
}

impl Module {
    /// Replies with what a client offers: origin, subprotocols, names of extensions.
    fn offer_read(&mut self, len: u32, is_connect: u32) -> Result<u32, Fault> {
        let offer = offer_of(&mut Groups::new(self.message.bytes(len)?), is_connect)?;
        self.reply.clear();
        push_group(&mut self.reply, offer.origin());
        push_group(&mut self.reply, offer.subprotocols());
        push_group(&mut self.reply, offer.extensions().map(|extension| extension.name()));
        self.point_at_reply();
        Ok(0)
    }

    /// Replies with the answer to an offer: status, headers, subprotocol.
    fn offer_answer(&mut self, len: u32, is_connect: u32, deflate: Packed) -> Result<u32, Fault> {
        let mut groups = Groups::new(self.message.bytes(len)?);
        let offer = offer_of(&mut groups, is_connect)?;
        let acceptance = acceptance_of(&mut groups)?;
        let mut accepts = Accepts::new(deflate)?;
        let answer = offer.answer(&acceptance, &mut accepts)?;
        self.reply.clear();
        push_group(&mut self.reply, [answer.status().to_string()]);
        push_headers(&mut self.reply, answer.headers());
        push_group(&mut self.reply, answer.subprotocol());
        self.record.code = accepts.agreed().0;
        self.point_at_reply();
        Ok(0)
    }

    /// Replies with the headers of a client's request.
    fn offered_headers(
        &mut self,
        len: u32,
        is_connect: u32,
        deflate: Packed,
    ) -> Result<u32, Fault> {
        let mut groups = Groups::new(self.message.bytes(len)?);
        let request = request_of(&mut groups)?;
        let offers = Offers::new(deflate)?;
        let offered = if is_connect == 0 {
            request.offer(key_of(&mut groups)?, &offers)?
        } else {
            request.offer_connect(&offers)?
        };
        self.reply.clear();
        push_headers(&mut self.reply, offered.headers());
        self.point_at_reply();
        Ok(0)
    }

    /// Checks a server's answer to an offer that is made again from the same values, and replies with the subprotocol.
    fn offered_check(&mut self, len: u32, is_connect: u32, deflate: Packed) -> Result<u32, Fault> {
        let mut groups = Groups::new(self.message.bytes(len)?);
        let request = request_of(&mut groups)?;
        let mut offers = Offers::new(deflate)?;
        let key = key_of(&mut groups)?;
        let headers = headers_of(&mut groups)?;
        let offered: Offered<'_> = if is_connect == 0 {
            request.offer(key, &offers)?
        } else {
            request.offer_connect(&offers)?
        };
        let answered = Answered::from_headers(&offered, headers)?;
        answered.agree(&mut offers)?;
        self.reply.clear();
        push_group(&mut self.reply, answered.subprotocol());
        self.record.code = offers.agreed().0;
        self.point_at_reply();
        Ok(0)
    }
}

fn key_of(groups: &mut Groups<'_>) -> Result<HandshakeKey, Fault> {
    let group = groups.next()?;
    let key = group.first().ok_or(Fault::ARGUMENT)?;
    <[u8; 16]>::try_from(*key).map(HandshakeKey::new).map_err(|_| Fault::ARGUMENT)
}

#[expect(unsafe_code, reason = "exported by name; each name occurs once")]
mod exports {
    use crate::deflate::Packed;
    use crate::module::run;

    /// See [`Module::offer_read`](super::Module::offer_read).
    #[unsafe(no_mangle)]
    extern "C" fn offer_read(len: u32, is_connect: u32) -> i32 {
        run(|module| module.offer_read(len, is_connect))
    }

    /// See [`Module::offer_answer`](super::Module::offer_answer).
    #[unsafe(no_mangle)]
    extern "C" fn offer_answer(len: u32, is_connect: u32, deflate: u32) -> i32 {
        run(|module| module.offer_answer(len, is_connect, Packed(deflate)))
    }

    /// See [`Module::offered_headers`](super::Module::offered_headers).
    #[unsafe(no_mangle)]
    extern "C" fn offered_headers(len: u32, is_connect: u32, deflate: u32) -> i32 {
        run(|module| module.offered_headers(len, is_connect, Packed(deflate)))
    }

    /// See [`Module::offered_check`](super::Module::offered_check).
    #[unsafe(no_mangle)]
    extern "C" fn offered_check(len: u32, is_connect: u32, deflate: u32) -> i32 {
        run(|module| module.offered_check(len, is_connect, Packed(deflate)))
    }
}
