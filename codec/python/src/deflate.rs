//! permessage-deflate (RFC 7692): what is wanted, and what was agreed.

use pyo3::prelude::*;
use wscodec::deflate::{self, ContextTakeover, DeflateLevel, WindowBits};

use crate::error::Fault;

/// One side's preferences for permessage-deflate.
#[pyclass(frozen, eq, module = "wscodec")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deflate(pub(crate) deflate::Deflate);

/// What client and server agreed on.
#[pyclass(frozen, eq, module = "wscodec")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeflateAgreed(deflate::DeflateAgreed);

/// The arguments of both constructors.
struct Wanted {
    server_context_takeover: Option<bool>,
    client_context_takeover: Option<bool>,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<u8>,
    level: Option<u8>,
    size_min: Option<usize>,
}

impl Wanted {
    fn apply(self, mut deflate: deflate::Deflate) -> Result<Deflate, Fault> {
        let context = |is_on| if is_on { ContextTakeover::Allowed } else { ContextTakeover::Off };
        if let Some(is_on) = self.server_context_takeover {
            deflate = deflate.with_server_context(context(is_on));
        }
        if let Some(is_on) = self.client_context_takeover {
            deflate = deflate.with_client_context(context(is_on));
        }
        if let Some(bits) = self.server_max_window_bits {
            deflate = deflate.with_server_max_window_bits(window_bits(bits)?);
        }
        if let Some(bits) = self.client_max_window_bits {
            deflate = deflate.with_client_max_window_bits(Some(window_bits(bits)?));
        }
        if let Some(level) = self.level {
            let level = DeflateLevel::new(level)
                .ok_or_else(|| Fault::value(format!("level is 1 to 9, not {level}")))?;
            deflate = deflate.with_level(level);
        }
        if let Some(size) = self.size_min {
            deflate = deflate.with_size_min(size);
        }
        Ok(Deflate(deflate))
    }
}

fn window_bits(bits: u8) -> Result<WindowBits, Fault> {
    WindowBits::new(bits)
        .ok_or_else(|| Fault::value(format!("window bits are 8 to 15, not {bits}")))
}

#[pymethods]
impl Deflate {
    #[staticmethod]
    #[pyo3(signature = (*, server_context_takeover = None, client_context_takeover = None,
        server_max_window_bits = None, client_max_window_bits = None, level = None, size_min = None))]
    fn client(
        server_context_takeover: Option<bool>,
        client_context_takeover: Option<bool>,
        server_max_window_bits: Option<u8>,
        client_max_window_bits: Option<u8>,
        level: Option<u8>,
        size_min: Option<usize>,
    ) -> Result<Self, Fault> {
        let wanted = Wanted {
            server_context_takeover,
            client_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
            level,
            size_min,
        };
        wanted.apply(deflate::Deflate::client())
    }

    #[staticmethod]
    #[pyo3(signature = (*, server_context_takeover = None, client_context_takeover = None,
        server_max_window_bits = None, client_max_window_bits = None, level = None, size_min = None))]
    fn server(
        server_context_takeover: Option<bool>,
        client_context_takeover: Option<bool>,
        server_max_window_bits: Option<u8>,
        client_max_window_bits: Option<u8>,
        level: Option<u8>,
        size_min: Option<usize>,
    ) -> Result<Self, Fault> {
        let wanted = Wanted {
            server_context_takeover,
            client_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
            level,
            size_min,
        };
        wanted.apply(deflate::Deflate::server())
    }

    #[getter]
    fn server_context_takeover(&self) -> bool {
        self.0.server_context == ContextTakeover::Allowed
    }

    #[getter]
    fn client_context_takeover(&self) -> bool {
        self.0.client_context == ContextTakeover::Allowed
    }

    #[getter]
    const fn server_max_window_bits(&self) -> u8 {
        self.0.server_max_window_bits.get()
    }

    #[getter]
    fn client_max_window_bits(&self) -> u8 {
        self.0.client_max_window_bits.map_or(15, WindowBits::get)
    }

    #[getter]
    const fn level(&self) -> u8 {
        self.0.level.get()
    }

    #[getter]
    const fn size_min(&self) -> usize {
        self.0.size_min
    }

    fn __repr__(&self) -> String {
        format!(
            "<wscodec.Deflate server {} bits, client {} bits, level {}>",
            self.server_max_window_bits(),
            self.client_max_window_bits(),
            self.level()
        )
    }
}

#[pymethods]
impl DeflateAgreed {
    #[getter]
    fn server_context_takeover(&self) -> bool {
        self.0.server_context() == ContextTakeover::Allowed
    }

    #[getter]
    fn client_context_takeover(&self) -> bool {
        self.0.client_context() == ContextTakeover::Allowed
    }

    #[getter]
    const fn server_max_window_bits(&self) -> u8 {
        self.0.server_max_window_bits().get()
    }

    #[getter]
    const fn client_max_window_bits(&self) -> u8 {
        self.0.client_max_window_bits().get()
    }

    fn __repr__(&self) -> String {
        format!(
            "<wscodec.DeflateAgreed server {} bits, client {} bits>",
            self.server_max_window_bits(),
            self.client_max_window_bits()
        )
    }
}

impl DeflateAgreed {
    pub(crate) const fn new(agreed: deflate::DeflateAgreed) -> Self {
        Self(agreed)
    }

    pub(crate) const fn agreed(&self) -> &deflate::DeflateAgreed {
        &self.0
    }
}
