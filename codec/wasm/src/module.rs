//! The state of the module, and how an exported function reaches it.

use std::cell::RefCell;

use slab::Slab;

#[cfg(feature = "connection")]
use crate::connection::Open;
use crate::fault::Fault;
use crate::groups::push_group;
#[cfg(feature = "handshake")]
use crate::handshake::Opening;
use crate::output::Output;

/// The numbers that answer a call, at a place that never changes.
#[repr(C)]
pub(crate) struct Record {
    /// Where a payload or a reply lies, and its length.
    pub(crate) at: usize,
    pub(crate) len: usize,
    /// How many bytes of the input were taken.
    pub(crate) taken: usize,
    /// Where the output lies, its length, and how long a payload can be placed behind it.
    pub(crate) output_at: usize,
    pub(crate) output_len: usize,
    pub(crate) output_spare: usize,
    /// A close code, an HTTP status, what was agreed on, or whether a frame is shared.
    pub(crate) code: u32,
    /// The connection's [state](wscodec::ReadyState) in bits 0 and 1, then whether a reply is due, and whether both Closes have
    /// gone by.
    pub(crate) state: u32,
}

/// An area that JavaScript writes into.
pub(crate) struct Area(Vec<u8>);

impl Area {
    /// Makes it at least `len` bytes long, and returns where it lies.
    fn reserve(&mut self, len: usize) -> *const u8 {
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
        self.0.as_ptr()
    }

    pub(crate) fn bytes(&self, len: u32) -> Result<&[u8], Fault> {
        self.0.get(..len as usize).ok_or(Fault::ARGUMENT)
    }

    pub(crate) fn bytes_mut(&mut self, start: u32, end: u32) -> Result<&mut [u8], Fault> {
        self.0.get_mut(start as usize..end as usize).ok_or(Fault::ARGUMENT)
    }
}

/// Everything that outlives a call.
pub(crate) struct Module {
    pub(crate) record: Record,
    pub(crate) input: Area,
    pub(crate) message: Area,
    pub(crate) output: Output,
    pub(crate) reply: Vec<u8>,
    #[cfg(feature = "connection")]
    pub(crate) open: Open,
    #[cfg(feature = "handshake")]
    pub(crate) opening: Opening,
}

thread_local! {
    static MODULE: RefCell<Module> = const { RefCell::new(Module::new()) };
}

/// Runs the body of an exported function. What it returns is not negative; an error is its number, negated, with its
/// words in the reply.
pub(crate) fn run(work: impl FnOnce(&mut Module) -> Result<u32, Fault>) -> i32 {
    MODULE.with_borrow_mut(|module| {
        let outcome = work(module);
        module.finish(outcome)
    })
}

impl Module {
    const fn new() -> Self {
        Self {
            record: Record {
                at: 0,
                len: 0,
                taken: 0,
                output_at: 0,
                output_len: 0,
                output_spare: 0,
                code: 0,
                state: 0,
            },
            input: Area(Vec::new()),
            message: Area(Vec::new()),
            output: Output::new(),
            reply: Vec::new(),
            #[cfg(feature = "connection")]
            open: Open::new(),
            #[cfg(feature = "handshake")]
            opening: Opening::new(),
        }
    }

    /// Fills the record, and returns what the function returns. Once for all functions: it is the half of most.
    #[inline(never)]
    fn finish(&mut self, outcome: Result<u32, Fault>) -> i32 {
        let output = self.output.pending();
        self.record.output_at = output.as_ptr().addr();
        self.record.output_len = output.len();
        self.record.output_spare = self.output.spare_len();
        match outcome {
            Ok(value) => value.cast_signed(),
            Err(fault) => {
                self.reply.clear();
                push_group(&mut self.reply, [fault.name, fault.message()]);
                self.record.code = fault.code.into();
                self.point_at_reply();
                -i32::from(fault.number)
            }
        }
    }

    /// Makes the record point at the reply.
    pub(crate) fn point_at_reply(&mut self) {
        self.record.at = self.reply.as_ptr().addr();
        self.record.len = self.reply.len();
    }
}

/// Returns the entry with a number.
pub(crate) fn entry<T>(slab: &mut Slab<T>, number: u32) -> Result<&mut T, Fault> {
    slab.get_mut(number as usize).ok_or(Fault::FREED)
}

/// Keeps a value, and returns its number.
pub(crate) fn keep<T>(slab: &mut Slab<T>, value: T) -> u32 {
    // Memory ends before 32 bits do.
    slab.insert(value) as u32
}

/// Drops the value with a number.
pub(crate) fn free<T>(slab: &mut Slab<T>, number: u32) -> Result<u32, Fault> {
    slab.try_remove(number as usize).map(|_| 0).ok_or(Fault::FREED)
}

#[expect(unsafe_code, reason = "exported by name; each name occurs once")]
mod exports {
    use super::{MODULE, run};
    use crate::fault::Fault;
    use crate::keys;

    /// Seeds the generator of masking keys with the 32 bytes at the start of the message area.
    #[unsafe(no_mangle)]
    extern "C" fn module_seed() -> i32 {
        run(|module| {
            let seed = module.message.bytes(32)?;
            keys::seed(seed.try_into().map_err(|_| Fault::ARGUMENT)?);
            Ok(0)
        })
    }

    /// Returns where the record lies.
    #[unsafe(no_mangle)]
    extern "C" fn module_record() -> usize {
        MODULE.with_borrow(|module| (&raw const module.record).addr())
    }

    /// Makes the input area at least `len` bytes long, and returns where it lies.
    #[unsafe(no_mangle)]
    extern "C" fn input_reserve(len: usize) -> usize {
        MODULE.with_borrow_mut(|module| module.input.reserve(len).addr())
    }

    /// Makes the message area at least `len` bytes long, and returns where it lies.
    #[unsafe(no_mangle)]
    extern "C" fn message_reserve(len: usize) -> usize {
        MODULE.with_borrow_mut(|module| module.message.reserve(len).addr())
    }

    /// Forgets the output, which JavaScript has copied.
    #[unsafe(no_mangle)]
    extern "C" fn output_clear() -> i32 {
        run(|module| {
            module.output.clear();
            Ok(0)
        })
    }
}
