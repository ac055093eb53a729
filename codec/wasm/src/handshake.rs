//! Handshakes over bytes: heads in, requests and responses out.

use slab::Slab;
use wscodec::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeKey, HandshakeLimits, Headers,
    HttpRequest, Received, Rejection, Request, Response, ServerHandshake,
};

use crate::deflate::Packed;
use crate::extension::{self, Accepts, Offers};
use crate::fault::Fault;
use crate::groups::{Groups, push_group, push_headers};
use crate::keys::ModuleKeys;
use crate::module::{Module, entry, keep};

/// Handshakes that have begun.
pub(crate) struct Opening {
    servers: Slab<Box<ServerHandshake>>,
    clients: Slab<Box<extension::ClientHandshake>>,
}

impl Opening {
    pub(crate) const fn new() -> Self {
        Self { servers: Slab::new(), clients: Slab::new() }
    }
}

/// The longest head that this side writes, in bytes: what a caller gives, and the lines of the handshake.
fn head_len_max(groups_len: usize) -> usize {
    2 * groups_len + 2048
}

/// Returns the limits, of which each that is 0 is the default.
pub(crate) fn limits(head: u32, start_line: u32, headers: u32) -> HandshakeLimits {
    let or = |value: u32, default| if value == 0 { default } else { value as usize };
    HandshakeLimits::default()
        .with_head_size_max(or(head, HandshakeLimits::HEAD_SIZE_MAX))
        .with_start_line_size_max(or(start_line, HandshakeLimits::START_LINE_SIZE_MAX))
        .with_headers_max(or(headers, HandshakeLimits::HEADERS_MAX))
}

/// Reads a client's request: host and target, origin, subprotocols, headers.
pub(crate) fn request_of(groups: &mut Groups<'_>) -> Result<ClientRequest, Fault> {
    let &[host, target] = &groups.next_texts()?[..] else { return Err(Fault::ARGUMENT) };
    let mut request = ClientRequest::new(host, target)?;
    if let Some(origin) = groups.next_texts()?.first() {
        request = request.origin(origin)?;
    }
    for name in groups.next_texts()? {
        request = request.subprotocol(name)?;
    }
    for pair in groups.next_texts()?.chunks_exact(2) {
        request = request.header(pair[0], pair[1])?;
    }
    Ok(request)
}

/// Reads a server's acceptance: subprotocol, headers.
pub(crate) fn acceptance_of(groups: &mut Groups<'_>) -> Result<Acceptance, Fault> {
    let mut acceptance = Acceptance::new();
    if let Some(name) = groups.next_texts()?.first() {
        acceptance = acceptance.subprotocol(name)?;
    }
    for pair in groups.next_texts()?.chunks_exact(2) {
        acceptance = acceptance.header(pair[0], pair[1])?;
    }
    Ok(acceptance)
}

impl Module {
    /// Takes bytes of a request; returns 1 for one that may be accepted, and 2 for one that asks for no WebSocket.
    fn server_receive(&mut self, number: u32, len: u32) -> Result<u32, Fault> {
        let handshake = entry(&mut self.opening.servers, number)?;
        let mut input = self.input.bytes_mut(0, len)?;
        let outcome = handshake.receive_any(&mut input);
        self.record.taken = len as usize - input.len();
        self.reply.clear();
        let kind = match outcome? {
            None => return Ok(0),
            Some(Received::WebSocket(request)) => {
                reply_request(&mut self.reply, &request);
                1
            }
            Some(Received::Http(request)) => {
                reply_http(&mut self.reply, &request);
                2
            }
        };
        self.point_at_reply();
        Ok(kind)
    }

    fn server_accept(&mut self, number: u32, len: u32, deflate: Packed) -> Result<u32, Fault> {
        let handshake = entry(&mut self.opening.servers, number)?;
        let groups = self.message.bytes(len)?;
        let room_len = head_len_max(groups.len());
        let acceptance = acceptance_of(&mut Groups::new(groups))?;
        let mut accepts = Accepts::new(deflate)?;
        self.output.append(room_len, |room| {
            handshake.accept_with_extensions(&acceptance, &mut accepts, room)
        })?;
        self.record.code = accepts.agreed().0;
        Ok(0)
    }

    /// Refuses with a status, or with that of the error if it is 0.
    fn server_reject(&mut self, number: u32, status: u32, len: u32) -> Result<u32, Fault> {
        let handshake = entry(&mut self.opening.servers, number)?;
        let groups = self.message.bytes(len)?;
        let room_len = head_len_max(groups.len());
        let rejection = if status == 0 {
            let Err(error) = handshake.receive(&mut &mut [][..]) else {
                return Err(Fault::ARGUMENT);
            };
            error.into()
        } else {
            let mut groups = Groups::new(groups);
            let status = u16::try_from(status).map_err(|_| Fault::ARGUMENT)?;
            let mut rejection = Rejection::new(status)?;
            if let Some(body) = groups.next()?.first() {
                rejection = rejection.body(*body);
            }
            for pair in groups.next_texts()?.chunks_exact(2) {
                rejection = rejection.header(pair[0], pair[1])?;
            }
            rejection
        };
        self.output.append(room_len, |room| handshake.reject(rejection, room))?;
        Ok(0)
    }

    fn client_new(
        &mut self,
        len: u32,
        deflate: Packed,
        limits: HandshakeLimits,
    ) -> Result<u32, Fault> {
        let groups = self.message.bytes(len)?;
        let room_len = head_len_max(groups.len());
        let request = request_of(&mut Groups::new(groups))?;
        let key = HandshakeKey::from_source(&mut ModuleKeys);
        let offers = Offers::new(deflate)?;
        let handshake = self.output.append(room_len, |room| {
            ClientHandshake::start_with_extensions(&request, key, offers, room)
        })?;
        Ok(keep(&mut self.opening.clients, Box::new(handshake.with_limits(limits))))
    }

    /// Takes bytes of a response; returns 1 once the server has accepted.
    fn client_receive(&mut self, number: u32, len: u32) -> Result<u32, Fault> {
        let handshake = entry(&mut self.opening.clients, number)?;
        let mut input = self.input.bytes_mut(0, len)?;
        let outcome = handshake.receive(&mut input);
        self.record.taken = len as usize - input.len();
        self.reply.clear();
        let Some(response) = outcome? else { return Ok(0) };
        reply_response(&mut self.reply, &response);
        self.record.code = handshake.extensions().agreed().0;
        self.point_at_reply();
        Ok(1)
    }

    /// Gives the final response, of which there is none before it is complete.
    fn client_response(&mut self, number: u32) -> Result<u32, Fault> {
        let handshake = entry(&mut self.opening.clients, number)?;
        self.reply.clear();
        let Some(response) = handshake.response() else { return Ok(0) };
        reply_response(&mut self.reply, &response);
        self.point_at_reply();
        Ok(1)
    }
}

/// Request line, host and path; query; origin; subprotocols; headers; names of extensions.
fn reply_request(reply: &mut Vec<u8>, request: &Request<'_>) {
    push_group(reply, ["GET", request.target(), "1", request.host(), request.path()]);
    push_group(reply, request.query());
    push_group(reply, request.origin());
    push_group(reply, request.subprotocols());
    push_all(reply, request.headers());
    push_group(reply, request.extensions().map(|extension| extension.name()));
}

/// The same, of which only the request line and the headers mean anything.
fn reply_http(reply: &mut Vec<u8>, request: &HttpRequest<'_>) {
    let minor = if request.minor_version() == 0 { "0" } else { "1" };
    push_group(reply, [request.method(), request.target(), minor, "", ""]);
    for _ in 0..3 {
        push_group(reply, None::<&str>);
    }
    push_all(reply, request.headers());
    push_group(reply, None::<&str>);
}

/// Status and reason; subprotocol; headers.
fn reply_response(reply: &mut Vec<u8>, response: &Response<'_>) {
    let status = response.status().to_string();
    push_group(reply, [status.as_bytes(), response.reason()]);
    push_group(reply, response.subprotocol());
    push_all(reply, response.headers());
}

fn push_all(reply: &mut Vec<u8>, headers: Headers<'_>) {
    push_headers(reply, headers.map(|header| (header.name, header.value)));
}

#[expect(unsafe_code, reason = "exported by name; each name occurs once")]
mod exports {
    use super::{ServerHandshake, limits};
    use crate::deflate::Packed;
    use crate::groups::push_group;
    use crate::module::{entry, free, keep, run};

    /// Creates a server's handshake, and returns its number. Limits that are 0 are the defaults.
    #[unsafe(no_mangle)]
    extern "C" fn server_new(head: u32, start_line: u32, headers: u32) -> i32 {
        run(|module| {
            let handshake = ServerHandshake::new(limits(head, start_line, headers));
            Ok(keep(&mut module.opening.servers, Box::new(handshake)))
        })
    }

    /// See [`Module::server_receive`](super::Module::server_receive).
    #[unsafe(no_mangle)]
    extern "C" fn server_receive(server: u32, len: u32) -> i32 {
        run(|module| module.server_receive(server, len))
    }

    /// Tells a handshake that its stream has ended.
    #[unsafe(no_mangle)]
    extern "C" fn server_receive_eof(server: u32) -> i32 {
        run(|module| Ok(entry(&mut module.opening.servers, server)?.receive_eof().map(|()| 0)?))
    }

    /// Accepts, with the subprotocol and the headers in the message area.
    #[unsafe(no_mangle)]
    extern "C" fn server_accept(server: u32, len: u32, deflate: u32) -> i32 {
        run(|module| module.server_accept(server, len, Packed(deflate)))
    }

    /// Refuses, with the body and the headers in the message area.
    #[unsafe(no_mangle)]
    extern "C" fn server_reject(server: u32, status: u32, len: u32) -> i32 {
        run(|module| module.server_reject(server, status, len))
    }

    /// Frees a server's handshake.
    #[unsafe(no_mangle)]
    extern "C" fn server_free(server: u32) -> i32 {
        run(|module| free(&mut module.opening.servers, server))
    }

    /// Writes the request in the message area, and returns the number of its handshake.
    #[unsafe(no_mangle)]
    extern "C" fn client_new(
        len: u32,
        deflate: u32,
        head: u32,
        start_line: u32,
        headers: u32,
    ) -> i32 {
        run(|module| module.client_new(len, Packed(deflate), limits(head, start_line, headers)))
    }

    /// See [`Module::client_receive`](super::Module::client_receive).
    #[unsafe(no_mangle)]
    extern "C" fn client_receive(client: u32, len: u32) -> i32 {
        run(|module| module.client_receive(client, len))
    }

    /// See [`Module::client_response`](super::Module::client_response).
    #[unsafe(no_mangle)]
    extern "C" fn client_response(client: u32) -> i32 {
        run(|module| module.client_response(client))
    }

    /// Tells a handshake that its stream has ended.
    #[unsafe(no_mangle)]
    extern "C" fn client_receive_eof(client: u32) -> i32 {
        run(|module| Ok(entry(&mut module.opening.clients, client)?.receive_eof().map(|()| 0)?))
    }

    /// Frees a client's handshake.
    #[unsafe(no_mangle)]
    extern "C" fn client_free(client: u32) -> i32 {
        run(|module| free(&mut module.opening.clients, client))
    }

    /// Replies with the value that answers the key in the message area.
    #[unsafe(no_mangle)]
    extern "C" fn accept_key(len: u32) -> i32 {
        run(|module| {
            let accept = wscodec::handshake::accept_key(module.message.bytes(len)?)?;
            module.reply.clear();
            push_group(&mut module.reply, [accept]);
            module.point_at_reply();
            Ok(0)
        })
    }
}
