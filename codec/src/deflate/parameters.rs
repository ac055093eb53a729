//! The four parameters of permessage-deflate: from an offer or an answer to what both sides must
//! observe (RFC 7692, 7.1).

use crate::handshake::{Extension, ExtensionWriter, HandshakeMisuse};
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
