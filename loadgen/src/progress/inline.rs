//! Draws frames on the last lines of a terminal, below what it already shows, so that nothing is
//! lost from its scroll-back.
//!
//! The lines are reached from wherever the cursor is: the terminal is never asked where that is, so
//! it needs no answer, and a slow or dumb one can't hold up a run.

use std::io::{self, Write};

use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier, Style};

/// What a terminal writes in until it is told otherwise.
const PLAIN: Style = Style::new().fg(Color::Reset).bg(Color::Reset);

/// The last lines of a terminal. The cursor rests at their beginning between two frames.
#[derive(Debug)]
pub(super) struct Inline<W: Write> {
    out: W,
    size: Size,
    cursor: Position,
    style: Style,
    /// Bytes of the frame under way, written to the terminal in one go.
    frame: Vec<u8>,
}

impl<W: Write> Inline<W> {
    /// Takes lines below the cursor, which is at the beginning of a line.
    pub(super) fn new(out: W, size: Size) -> Self {
        let mut inline =
            Self { out, size, cursor: Position::ORIGIN, style: PLAIN, frame: Vec::new() };
        inline.reserve();
        inline
    }

    /// Changes the size. What was drawn is wiped, as well as the terminal still has it where it was.
    pub(super) fn resize(&mut self, size: Size) {
        self.wipe();
        self.size = size;
        self.reserve();
    }

    /// Wipes the lines, and leaves the cursor where they began.
    pub(super) fn wipe(&mut self) {
        self.go_to(Position::ORIGIN);
        self.frame.extend_from_slice(b"\x1b[0m\x1b[J");
        self.style = PLAIN;
    }

    /// Scrolls until there is room for all lines.
    fn reserve(&mut self) {
        let below = self.size.height.saturating_sub(1);
        self.frame.extend(std::iter::repeat_n(b'\n', usize::from(below)));
        if below > 0 {
            self.push(format_args!("\x1b[{below}A"));
        }
        self.frame.push(b'\r');
        self.cursor = Position::ORIGIN;
    }

    fn go_to(&mut self, to: Position) {
        match (to.y, self.cursor.y) {
            (to, from) if to < from => self.push(format_args!("\x1b[{}A", from - to)),
            (to, from) if to > from => self.push(format_args!("\x1b[{}B", to - from)),
            _ => {}
        }
        match to.x {
            0 => self.frame.push(b'\r'),
            x => self.push(format_args!("\x1b[{}G", x + 1)),
        }
        self.cursor = to;
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to memory doesn't fail.
        self.frame.write_fmt(text).ok();
    }

    fn set_style(&mut self, style: Style) {
        let style = Style::new()
            .fg(style.fg.unwrap_or_default())
            .bg(style.bg.unwrap_or_default())
            .add_modifier(style.add_modifier);
        if style == self.style {
            return;
        }
        self.frame.extend_from_slice(b"\x1b[0");
        if let Some(colour) = style.fg.and_then(colour) {
            self.push(format_args!(";{}", 30 + colour));
        }
        if let Some(colour) = style.bg.and_then(colour) {
            self.push(format_args!(";{}", 40 + colour));
        }
        for (modifier, code) in [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::REVERSED, 7)] {
            if style.add_modifier.contains(modifier) {
                self.push(format_args!(";{code}"));
            }
        }
        self.frame.push(b'm');
        self.style = style;
    }
}

/// Returns the number of one of the eight colours that every terminal has, in the shade that the
/// user has chosen for it.
const fn colour(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        _ => return None,
    })
}

impl<W: Write> Backend for Inline<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (x, y, cell) in content {
            let to = Position { x, y };
            if to != self.cursor {
                self.go_to(to);
            }
            self.set_style(cell.style());
            self.frame.extend_from_slice(cell.symbol().as_bytes());
            // Behind the last column the cursor is in a state that terminals disagree on.
            self.cursor.x += 1;
            if self.cursor.x == self.size.width {
                self.go_to(Position { x: 0, y });
            }
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.frame.extend_from_slice(b"\x1b[?25l");
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.frame.extend_from_slice(b"\x1b[?25h");
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.go_to(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, _: ClearType) -> io::Result<()> {
        self.wipe();
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.set_style(PLAIN);
        self.go_to(Position::ORIGIN);
        let written = self.out.write_all(&self.frame).and_then(|()| self.out.flush());
        self.frame.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::terminal::Terminal;

    use super::*;

    fn terminal() -> Terminal<Inline<Vec<u8>>> {
        Terminal::new(Inline::new(Vec::new(), Size { width: 4, height: 2 })).unwrap()
    }

    fn draw(terminal: &mut Terminal<Inline<Vec<u8>>>, lines: [&str; 2]) -> String {
        terminal.backend_mut().out.clear();
        let draw = |frame: &mut ratatui_core::terminal::Frame<'_>| {
            for (y, line) in (0..).zip(lines) {
                frame.buffer_mut().set_string(0, y, line, Style::new());
            }
        };
        terminal.draw(draw).unwrap();
        String::from_utf8(terminal.backend().out.clone()).unwrap()
    }

    #[test]
    fn lines_are_reached_from_the_cursor_and_only_what_changed_is_written() {
        let mut terminal = terminal();
        let first = draw(&mut terminal, ["ab", "cdef"]);
        // Room for both; the second line; back to the first. Nothing says where on the screen.
        assert!(first.starts_with("\n\x1b[1A\r"), "{first:?}");
        assert!(first.contains("ab\x1b[1B\rcdef\r"), "{first:?}");
        assert!(first.ends_with("\x1b[1A\r"), "{first:?}");
        let second = draw(&mut terminal, ["ab", "cXef"]);
        assert!(second.starts_with("\x1b[1B\x1b[2GX"), "{second:?}");
        assert!(!second.contains("ab"), "{second:?}");
    }

    #[test]
    fn another_size_draws_everything_again() {
        let mut terminal = terminal();
        draw(&mut terminal, ["ab", "cdef"]);
        terminal.backend_mut().resize(Size { width: 8, height: 2 });
        let again = draw(&mut terminal, ["ab", "cdef"]);
        assert!(again.contains("\x1b[J\n\x1b[1A\r"), "{again:?}");
        assert!(again.contains("ab\x1b[1B\rcdef"), "{again:?}");
    }
}
