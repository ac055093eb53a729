//! The four parameters of permessage-deflate: from an offer or an answer to what both sides must
//! observe (RFC 7692, 7.1).

use crate::handshake::{
    Extension, ExtensionMismatch, ExtensionWriter, Extensions, HandshakeMisuse,
};
use crate::message::{PerMessageExtension, Transform};
use crate::role::Role;

use super::NAME;
use super::deflater::Deflater;
use super::inflater::Inflater;
use super::preferences::{ContextTakeover, Deflate, DeflateLevel};
use super::window_bits::WindowBits;

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// An offer or an answer as it appears in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Parameters {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<WindowBits>,
    pub(super) client_max_window_bits: Option<ClientWindow>,
}

/// The parameter `client_max_window_bits`, which has a value in an answer and may have one in an
/// offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientWindow {
    Any,
    AtMost(WindowBits),
}

/// "The negotiation offer contains an extension parameter not defined for use in an offer", "with
/// an invalid value", or "multiple extension parameters with the same name" (7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidParameters;

impl Parameters {
    /// Reads the parameters of an offer; an answer allows fewer, see
    /// [`is_answer`](Self::is_answer).
    pub(super) fn parse(extension: &Extension<'_>) -> Result<Self, InvalidParameters> {
        let mut parameters = Self::default();
        for parameter in extension.parameters() {
            let value = parameter.value.as_deref();
            match (parameter.name, value) {
                (SERVER_NO_CONTEXT_TAKEOVER, None) => {
                    set(&mut parameters.server_no_context_takeover)?;
                }
                (CLIENT_NO_CONTEXT_TAKEOVER, None) => {
                    set(&mut parameters.client_no_context_takeover)?;
                }
                (SERVER_MAX_WINDOW_BITS, Some(value)) => {
                    let bits = WindowBits::parse(value).ok_or(InvalidParameters)?;
                    put(&mut parameters.server_max_window_bits, bits)?;
                }
                (CLIENT_MAX_WINDOW_BITS, None) => {
                    put(&mut parameters.client_max_window_bits, ClientWindow::Any)?;
                }
                (CLIENT_MAX_WINDOW_BITS, Some(value)) => {
                    let bits = WindowBits::parse(value).ok_or(InvalidParameters)?;
                    put(&mut parameters.client_max_window_bits, ClientWindow::AtMost(bits))?;
                }
                _ => return Err(InvalidParameters),
            }
        }
        Ok(parameters)
    }

    /// Returns whether these parameters are allowed in an answer, where every window has a size.
    pub(super) fn is_answer(self) -> bool {
        self.client_max_window_bits != Some(ClientWindow::Any)
    }

    /// Returns the offer of a client that wants `deflate`.
    pub(super) fn offer(deflate: &Deflate) -> Self {
        let server_bits = deflate.server_max_window_bits;
        Self {
            server_no_context_takeover: deflate.server_context == ContextTakeover::Off,
            client_no_context_takeover: deflate.client_context == ContextTakeover::Off,
            server_max_window_bits: (server_bits < WindowBits::MAX).then_some(server_bits),
            client_max_window_bits: deflate.client_max_window_bits.map(|bits| match bits {
                WindowBits::MAX => ClientWindow::Any,
                bits => ClientWindow::AtMost(bits),
            }),
        }
    }

    /// Returns whether `self`, an answer, accepts `offer` (7.1).
    pub(super) fn accepts(self, offer: Self) -> bool {
        // "A server accepts an extension negotiation offer that includes the
        // "server_no_context_takeover" extension parameter by including the
        // "server_no_context_takeover" extension parameter in the corresponding [...] response"
        let context = !offer.server_no_context_takeover || self.server_no_context_takeover;
        // "[...] with the same or smaller value as the offer"
        let server_window = offer.server_max_window_bits.is_none_or(|offered| {
            self.server_max_window_bits.is_some_and(|answered| answered <= offered)
        });
        // "If a received extension negotiation offer doesn't have the "client_max_window_bits"
        // extension parameter, the corresponding extension negotiation response [...] MUST NOT
        // include [it]"
        let client_window =
            offer.client_max_window_bits.is_some() || self.client_max_window_bits.is_none();
        context && server_window && client_window
    }

    /// Returns the answer to `self`, an offer, of a server that wants `deflate`.
    pub(super) fn answer(self, deflate: &Deflate) -> Self {
        let offered_bits = self.server_max_window_bits.unwrap_or(WindowBits::MAX);
        let server_bits = deflate.server_max_window_bits.min(offered_bits);
        let client_bits = self.client_max_window_bits.map(|offered| {
            let wanted = deflate.client_max_window_bits.unwrap_or(WindowBits::MAX);
            offered.bits().min(wanted)
        });
        Self {
            server_no_context_takeover: self.server_no_context_takeover
                || deflate.server_context == ContextTakeover::Off,
            client_no_context_takeover: self.client_no_context_takeover
                || deflate.client_context == ContextTakeover::Off,
            server_max_window_bits: (self.server_max_window_bits.is_some()
                || server_bits < WindowBits::MAX)
                .then_some(server_bits),
            client_max_window_bits: client_bits
                .filter(|bits| *bits < WindowBits::MAX)
                .map(ClientWindow::AtMost),
        }
    }

    /// Writes the extension with these parameters.
    pub(super) fn write(self, writer: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
        let extension = writer.extension(NAME)?;
        if self.server_no_context_takeover {
            extension.flag(SERVER_NO_CONTEXT_TAKEOVER)?;
        }
        if self.client_no_context_takeover {
            extension.flag(CLIENT_NO_CONTEXT_TAKEOVER)?;
        }
        if let Some(bits) = self.server_max_window_bits {
            extension.value(SERVER_MAX_WINDOW_BITS, bits.as_str())?;
        }
        match self.client_max_window_bits {
            None => {}
            Some(ClientWindow::Any) => {
                extension.flag(CLIENT_MAX_WINDOW_BITS)?;
            }
            Some(ClientWindow::AtMost(bits)) => {
                extension.value(CLIENT_MAX_WINDOW_BITS, bits.as_str())?;
            }
        }
        Ok(())
    }
}

impl ClientWindow {
    const fn bits(self) -> WindowBits {
        match self {
            Self::Any => WindowBits::MAX,
            Self::AtMost(bits) => bits,
        }
    }
}

fn set(flag: &mut bool) -> Result<(), InvalidParameters> {
    if core::mem::replace(flag, true) { Err(InvalidParameters) } else { Ok(()) }
}

fn put<T>(slot: &mut Option<T>, value: T) -> Result<(), InvalidParameters> {
    if slot.replace(value).is_some() { Err(InvalidParameters) } else { Ok(()) }
}

/// What client and server agreed on, and how this side compresses: pass it to
/// [`ConnectionBuilder::extension`](crate::ConnectionBuilder::extension).
///
/// [`DeflateClient`](super::DeflateClient) and [`DeflateServer`](super::DeflateServer) negotiate
/// one. Where another HTTP implementation has negotiated already, make it from the headers that
/// went over the wire ([`from_headers`](Self::from_headers)) or from their values
/// ([`from_parameters`](Self::from_parameters)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateAgreed {
    server: Direction,
    client: Direction,
    level: DeflateLevel,
    size_min: usize,
}

/// The messages of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Direction {
    context: ContextTakeover,
    bits: WindowBits,
}

impl DeflateAgreed {
    /// Reads what others have agreed on from both values of |Sec-WebSocket-Extensions|: the
    /// client's `offers` and the server's `answer`. `None` if the server has declined. `deflate`
    /// says how this side compresses: only its level and `size_min` count.
    ///
    /// A client keeps the promises of the offers that the answer fits, also where the answer does
    /// not repeat them (RFC 7692, 7.1.1.2, 7.1.2.2). A server does not rely on them.
    ///
    /// ```
    /// use wscodec::deflate::{ContextTakeover, Deflate, DeflateAgreed, WindowBits};
    /// use wscodec::handshake::Extensions;
    /// use wscodec::{ConnectionBuilder, Role};
    ///
    /// // What the HTTP implementation has received, and what it has answered.
    /// let offers = [&b"permessage-deflate; client_max_window_bits"[..]];
    /// let answer = [&b"permessage-deflate; server_no_context_takeover; client_max_window_bits=12"[..]];
    /// let (offers, answer) = (Extensions::parse(&offers)?, Extensions::parse(&answer)?);
    /// let agreed = DeflateAgreed::from_headers(Role::Server, offers, answer, &Deflate::server())?;
    /// let agreed = agreed.expect("the server has accepted an offer");
    /// assert_eq!(agreed.server_context(), ContextTakeover::Off);
    /// assert_eq!(Some(agreed.client_max_window_bits()), WindowBits::new(12));
    /// let connection = ConnectionBuilder::server().extension(Some(&agreed)).open();
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ExtensionMismatch`] if the answer has a parameter that RFC 7692, 7.1 does not define for
    /// an answer, one twice or one with a value that is not allowed; if it fits none of the offers
    /// that are well formed; if it accepts permessage-deflate twice; or if it accepts another
    /// extension, which the connection would not have. The client must fail the connection then
    /// (RFC 7692, 5.1, 7.1), and a server must not have answered so.
    pub fn from_headers(
        role: Role,
        offers: Extensions<'_>,
        mut answer: Extensions<'_>,
        deflate: &Deflate,
    ) -> Result<Option<Self>, ExtensionMismatch> {
        let Some(accepted) = answer.next() else { return Ok(None) };
        if accepted.name() != NAME || answer.next().is_some() {
            return Err(ExtensionMismatch);
        }
        let answer = Parameters::parse(&accepted).map_err(|_| ExtensionMismatch)?;
        let offers = offers
            .filter(|offer| offer.name() == NAME)
            .filter_map(|offer| Parameters::parse(&offer).ok())
            .filter(|offer| answer.is_answer() && answer.accepts(*offer));
        let agreed = Self::new(answer, deflate);
        // Which of several offers was accepted can't be told, so a client keeps what each promised.
        let kept = offers.fold(None, |kept: Option<Self>, offer| {
            let kept = kept.unwrap_or(agreed);
            Some(if role == Role::Client { kept.as_promised(offer) } else { kept })
        });
        kept.map(Some).ok_or(ExtensionMismatch)
    }

    /// Returns the agreement on exactly the contexts and windows of `deflate` (RFC 7692, 7.1), and
    /// on 15 where it has no window for the client's messages; this side compresses as `deflate`
    /// says.
    ///
    /// Both sides must have agreed on these values, by a handshake or by other means: a peer that
    /// has a smaller window or less context than it needs can't read what it receives.
    ///
    /// ```
    /// use wscodec::ConnectionBuilder;
    /// use wscodec::deflate::{ContextTakeover, Deflate, DeflateAgreed};
    /// // "permessage-deflate; server_no_context_takeover"
    /// let parameters = Deflate::client().with_server_context(ContextTakeover::Off);
    /// let agreed = DeflateAgreed::from_parameters(&parameters);
    /// assert_eq!(agreed.client_max_window_bits().get(), 15);
    /// let client = ConnectionBuilder::client().extension(Some(&agreed)).open();
    /// ```
    #[must_use]
    pub const fn from_parameters(deflate: &Deflate) -> Self {
        let client_bits = match deflate.client_max_window_bits {
            Some(bits) => bits,
            None => WindowBits::MAX,
        };
        Self {
            server: Direction {
                context: deflate.server_context,
                bits: deflate.server_max_window_bits,
            },
            client: Direction { context: deflate.client_context, bits: client_bits },
            level: deflate.level,
            size_min: deflate.size_min,
        }
    }

    /// Creates the agreement from `answer` and this side's preferences.
    pub(super) fn new(answer: Parameters, deflate: &Deflate) -> Self {
        let context = |is_off| if is_off { ContextTakeover::Off } else { ContextTakeover::Allowed };
        Self {
            server: Direction {
                context: context(answer.server_no_context_takeover),
                bits: answer.server_max_window_bits.unwrap_or(WindowBits::MAX),
            },
            client: Direction {
                context: context(answer.client_no_context_takeover),
                bits: answer.client_max_window_bits.map_or(WindowBits::MAX, ClientWindow::bits),
            },
            level: deflate.level,
            size_min: deflate.size_min,
        }
    }

    /// Returns the same agreement, restricted to what the client promised in its offer.
    ///
    /// "even if the server doesn't include the [parameter], the client is not going to use context
    /// takeover" (7.1.1.2), nor a larger window (7.1.2.2).
    pub(super) fn as_promised(mut self, offer: Parameters) -> Self {
        if offer.client_no_context_takeover {
            self.client.context = ContextTakeover::Off;
        }
        if let Some(offered) = offer.client_max_window_bits {
            self.client.bits = self.client.bits.min(offered.bits());
        }
        self
    }

    /// Returns whether the server's messages may refer to earlier ones.
    #[must_use]
    pub const fn server_context(&self) -> ContextTakeover {
        self.server.context
    }

    /// Returns whether the client's messages may refer to earlier ones.
    #[must_use]
    pub const fn client_context(&self) -> ContextTakeover {
        self.client.context
    }

    /// Returns the largest window for the server's messages.
    #[must_use]
    pub const fn server_max_window_bits(&self) -> WindowBits {
        self.server.bits
    }

    /// Returns the largest window for the client's messages.
    #[must_use]
    pub const fn client_max_window_bits(&self) -> WindowBits {
        self.client.bits
    }
}

impl crate::message::transform::sealed::Sealed for DeflateAgreed {}

impl DeflateAgreed {
    /// Returns the receiving half and the sending half of the side that is `role`.
    pub(super) fn halves(&self, role: Role) -> (Inflater, Deflater) {
        let (sends, receives) = match role {
            Role::Client => (self.client, self.server),
            Role::Server => (self.server, self.client),
        };
        (
            Inflater::new(receives.context, receives.bits),
            Deflater::new(sends.context, sends.bits, self.level, self.size_min),
        )
    }
}

impl PerMessageExtension for DeflateAgreed {
    fn transform(&self, role: Role) -> Transform {
        let (inflater, deflater) = self.halves(role);
        Transform::new(inflater, deflater)
    }
}
