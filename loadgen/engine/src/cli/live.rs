//! How a run is shown while it goes on.

use clap::ValueEnum;

/// A form in which a run is shown on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LiveForm {
    /// What fits the terminal.
    #[default]
    Auto,
    /// A dozen lines, redrawn.
    View,
    /// One line, redrawn.
    Line,
    /// A line every ten seconds.
    Plain,
    /// Nothing.
    Off,
}
