//! What was measured to what is printed and written.

pub mod escape;
