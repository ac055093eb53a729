//! The live view: a dozen lines about a run, drawn a few times a second.
//!
//! A pure function from [`Scene`] to cells, so that tests draw it without a terminal. What has no
//! room is left out from the bottom; colour is used only where it means something.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};

use super::chart::{as_f64, coloured, columns, heat, logarithmic};
use super::line::bar;
use super::past::{P99, Past, Second};
use crate::units;

/// Columns of the table of latencies.
const TABLE_WIDTH: u16 = 32;
/// Lines above and below the charts: title, bar, connections, messages, head; client, keys.
const LINES_BESIDE_CHARTS: u16 = 7;
/// Lines of the charts, and of the table beside them, on a terminal of usual height.
const CHART_HEIGHT: u16 = 5;
/// The same on a taller one.
const CHART_HEIGHT_TALL: u16 = 8;
/// Lines of a terminal that count as tall.
const TALL: u16 = 30;
/// Names of the rows of the table, as [`PERCENTILES`](super::past::PERCENTILES) has them.
const ROWS: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

/// What is drawn where the charts stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Charts {
    /// The rate, and the 99th percentile.
    #[default]
    Curves,
    /// All latencies of each second.
    Heat,
}

/// A threshold and how it stands.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) expression: String,
    /// The value so far, as shown, and whether it holds; `None` if only the end tells.
    pub(super) so_far: Option<(String, bool)>,
}

/// Everything that a frame shows.
#[derive(Debug)]
pub(super) struct Scene<'s> {
    /// The command and the server.
    pub(super) title: &'s str,
    /// The time that has passed, of how much.
    pub(super) time: String,
    pub(super) phase: &'static str,
    /// How much is done, in thousandths.
    pub(super) done: u64,
    pub(super) open: u64,
    pub(super) connections: u64,
    pub(super) failed: u64,
    pub(super) dropped: u64,
    pub(super) wrong: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// What the rate counts: messages, or connections.
    pub(super) events: &'static str,
    /// Percentiles of the measured time, as in [`Second`].
    pub(super) whole: Option<[u64; 5]>,
    pub(super) past: &'s Past,
    pub(super) gates: &'s [Gate],
    /// Processor time of this process, in hundredths of a processor.
    pub(super) cpu_percent: u64,
    pub(super) threads: u64,
    /// The longest delay of a wake-up.
    pub(super) pause_max_ns: u64,
    pub(super) charts: Charts,
    pub(super) is_frozen: bool,
    pub(super) has_keys: bool,
    pub(super) has_colours: bool,
}

/// Returns how many lines the view takes on a terminal of so many; `gates` is the number of
/// thresholds.
pub(super) fn height(lines: u16, gates: usize) -> u16 {
    let charts = if lines >= TALL { CHART_HEIGHT_TALL } else { CHART_HEIGHT };
    let gates = u16::from(gates > 0);
    // The line above stays visible: it has the command that was typed.
    (LINES_BESIDE_CHARTS + charts + gates).min(lines.saturating_sub(1)).max(1)
}

impl Scene<'_> {
    /// Draws the view.
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let beside = LINES_BESIDE_CHARTS + u16::from(!self.gates.is_empty());
        let charts = area.height.saturating_sub(beside);
        let mut line = Lines { area, y: area.top(), buffer };
        line.put(|area, buffer| self.title(area, buffer));
        line.put(|area, buffer| self.bar(area, buffer));
        line.put(|area, buffer| self.connections(area, buffer));
        line.put(|area, buffer| self.messages(area, buffer));
        if charts > 0 {
            line.put(|area, buffer| self.heads(area, buffer));
            let charted = Rect { y: line.y, height: charts, ..area };
            self.table(charted, line.buffer);
            self.charts(charted, line.buffer);
            line.y += charts;
        }
        if !self.gates.is_empty() {
            line.put(|area, buffer| self.gates(area, buffer));
        }
        line.put(|area, buffer| self.client(area, buffer));
        line.put(|area, buffer| self.keys(area, buffer));
    }

    fn bad(&self, is_bad: bool) -> Style {
        if is_bad {
            coloured(self.has_colours, Color::Red).add_modifier(Modifier::BOLD)
        } else {
            Style::new()
        }
    }

    fn title(&self, area: Rect, buffer: &mut Buffer) {
        let right = format!(" {} ", self.time);
        let width = width_of(&right);
        let left = format!(" {}", self.title);
        let room = usize::from(area.width.saturating_sub(width));
        buffer.set_stringn(area.x, area.y, left, room, Style::new().add_modifier(Modifier::BOLD));
        put_right(area, &right, Style::new(), buffer);
    }

    fn bar(&self, area: Rect, buffer: &mut Buffer) {
        let words = format!(" {} ", if self.is_frozen { "frozen, runs on" } else { self.phase });
        let width = area.width.saturating_sub(width_of(&words) + 1);
        buffer.set_string(area.x + 1, area.y, bar(self.done, width.into()), DIM);
        buffer.set_string(area.x + 1 + width, area.y, words, Style::new());
    }

    fn connections(&self, area: Rect, buffer: &mut Buffer) {
        let count = units::count;
        put_words(
            area,
            &[
                (format!("open {} of {}", count(self.open), count(self.connections)), Style::new()),
                (format!("failed {}", count(self.failed)), self.bad(self.failed > 0)),
                (format!("dropped {}", count(self.dropped)), self.bad(self.dropped > 0)),
                (format!("wrong {}", count(self.wrong)), self.bad(self.wrong > 0)),
            ],
            buffer,
        );
    }

    fn messages(&self, area: Rect, buffer: &mut Buffer) {
        let last = self.past.last();
        let [sent, events] =
            [last.map_or(0, |second| second.sent_per_s), last.map_or(0, |second| second.per_s)]
                .map(units::count);
        let mut words = vec![(format!("{} {events}/s", self.events), Style::new())];
        if self.events == "received" {
            words.insert(0, (format!("sent {sent}/s"), Style::new()));
            let [sent, received] = [self.sent, self.received].map(units::count);
            words.push((format!("in all {sent} sent, {received} received"), DIM));
        }
        put_words(area, &words, buffer);
    }

    fn heads(&self, area: Rect, buffer: &mut Buffer) {
        let head = format!(" {:<7}{:>11}{:>11}", "latency", "last s", "so far");
        buffer.set_stringn(area.x, area.y, head, area.width.into(), DIM);
        let [left, right] = halves(area);
        let seconds = |area: Rect| self.past.newest(area.width.into());
        if self.charts == Charts::Heat {
            let area = Rect { width: right.right().saturating_sub(left.x), ..left };
            let text = match range_of(seconds(area)) {
                Some((short, long)) => {
                    format!("{} to {}, log", units::duration(short), units::duration(long))
                }
                None => "latencies".to_owned(),
            };
            buffer.set_stringn(area.x, area.y, text, area.width.into(), DIM);
            return;
        }
        let most = seconds(left).map(|second| second.per_s).max();
        let text = format!("{}/s to {}", self.events, units::count(most.unwrap_or(0)));
        buffer.set_stringn(left.x, left.y, text, left.width.into(), DIM);
        let text = match seconds(right).filter_map(p99).max() {
            Some(most) => format!("p99 to {}, log", units::duration(most)),
            None => "p99".to_owned(),
        };
        buffer.set_stringn(right.x, right.y, text, right.width.into(), DIM);
    }

    fn table(&self, area: Rect, buffer: &mut Buffer) {
        let last = self.past.last().and_then(|second| second.percentiles);
        for (place, y) in (0..ROWS.len()).zip(area.top()..area.bottom()) {
            let shown = |values: Option<[u64; 5]>| {
                values.map_or_else(|| "-".to_owned(), |values| units::duration(values[place]))
            };
            let row = format!("  {:<6}{:>11}{:>11}", ROWS[place], shown(last), shown(self.whole));
            buffer.set_stringn(area.x, y, row, area.width.into(), Style::new());
        }
    }

    fn charts(&self, area: Rect, buffer: &mut Buffer) {
        let [left, right] = halves(area);
        let style = |colour| coloured(self.has_colours, colour);
        if self.charts == Charts::Heat {
            let area = Rect { width: right.right().saturating_sub(left.x), ..left };
            let seconds = || self.past.newest(area.width.into());
            if let Some(range) = range_of(seconds()).filter(|_| area.height > 0) {
                let seconds: Vec<_> = seconds().collect();
                heat(seconds.into_iter(), range, style(Color::Yellow), area, buffer);
            }
            return;
        }
        let rates: Vec<_> =
            self.past.newest(left.width.into()).map(|second| second.per_s).collect();
        let most = rates.iter().copied().max().unwrap_or(0).max(1);
        let rates: Vec<_> = rates.iter().map(|&rate| Some(as_f64(rate) / as_f64(most))).collect();
        columns(&rates, style(Color::Cyan), left, buffer);
        let p99s: Vec<_> = self.past.newest(right.width.into()).map(p99).collect();
        let known = || p99s.iter().flatten().copied();
        if let Some((least, most)) = known().min().zip(known().max()) {
            let p99s: Vec<_> =
                p99s.iter().map(|ns| ns.map(|ns| logarithmic(ns, least, most))).collect();
            columns(&p99s, style(Color::Yellow), right, buffer);
        }
    }

    fn gates(&self, area: Rect, buffer: &mut Buffer) {
        let word = |gate: &Gate| match &gate.so_far {
            None => (format!("{} at the end", gate.expression), DIM),
            Some((value, true)) => (
                format!("{} ok, {value}", gate.expression),
                coloured(self.has_colours, Color::Green),
            ),
            Some((value, false)) => (format!("{} FAIL, {value}", gate.expression), self.bad(true)),
        };
        // What fails has room first.
        let (failing, others): (Vec<_>, Vec<_>) = self
            .gates
            .iter()
            .partition(|gate| gate.so_far.as_ref().is_some_and(|(_, holds)| !holds));
        let words: Vec<_> = failing.into_iter().chain(others).map(word).collect();
        put_words(area, &words, buffer);
    }

    fn client(&self, area: Rect, buffer: &mut Buffer) {
        let is_busy = self.cpu_percent >= 90 * self.threads.max(1);
        let pause = (format!("held up {}", units::duration(self.pause_max_ns)), Style::new());
        put_words(
            area,
            &[
                (
                    format!(
                        "client cpu {} % of {}",
                        units::count(self.cpu_percent),
                        units::counted(self.threads, "thread")
                    ),
                    self.bad(is_busy),
                ),
                pause,
            ],
            buffer,
        );
    }

    fn keys(&self, area: Rect, buffer: &mut Buffer) {
        if !self.has_keys {
            return;
        }
        let (freeze, heat) = (
            if self.is_frozen { "go on" } else { "freeze" },
            if self.charts == Charts::Heat { "curves" } else { "heat map" },
        );
        let words = format!(" q stop and report   p {freeze}   h {heat}");
        buffer.set_stringn(area.x, area.y, words, area.width.into(), DIM);
    }
}

const DIM: Style = Style::new().add_modifier(Modifier::DIM);

/// The lines of an area, from the top; those that have no room are left out.
struct Lines<'b> {
    area: Rect,
    y: u16,
    buffer: &'b mut Buffer,
}

impl Lines<'_> {
    fn put(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) {
        if self.y < self.area.bottom() {
            draw(Rect { y: self.y, height: 1, ..self.area }, self.buffer);
        }
        self.y += 1;
    }
}

/// Returns the two places for charts, beside the table.
fn halves(area: Rect) -> [Rect; 2] {
    let all = area.width.saturating_sub(TABLE_WIDTH + 1);
    let each = all.saturating_sub(2) / 2;
    let left = Rect { x: area.x + TABLE_WIDTH.min(area.width), width: each, ..area };
    [left, Rect { x: (left.x + each + 2).min(area.right()), ..left }]
}

fn p99(second: &Second) -> Option<u64> {
    second.percentiles.map(|values| values[P99])
}

/// Returns the shortest and the longest latency; `None` if there are none.
fn range_of<'s>(seconds: impl Iterator<Item = &'s Second>) -> Option<(u64, u64)> {
    seconds.flat_map(|second| second.latencies.iter()).fold(None, |range, (ns, _)| {
        let (short, long) = range.unwrap_or((ns, ns));
        Some((ns.min(short), ns.max(long)))
    })
}

fn width_of(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX)
}

fn put_right(area: Rect, text: &str, style: Style, buffer: &mut Buffer) {
    let x = area.right().saturating_sub(width_of(text)).max(area.x);
    buffer.set_stringn(x, area.y, text, area.width.into(), style);
}

/// Puts words side by side; those that have no room are left out, so that none is cut.
fn put_words(area: Rect, words: &[(String, Style)], buffer: &mut Buffer) {
    let mut x = area.x + 1;
    for (word, style) in words {
        if x + width_of(word) > area.right() {
            continue;
        }
        buffer.set_string(x, area.y, word, *style);
        x += width_of(word) + 3;
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::backend::TestBackend;
    use ratatui_core::terminal::Terminal;

    use super::super::past::PERCENTILES;
    use super::*;
    use crate::metrics::live::{Live, Snapshot};

    const SECOND_NS: u64 = 1_000_000_000;

    /// Forty seconds of 1,000 messages a second, of which one second has a stall.
    fn past() -> (Past, Snapshot) {
        let (live, mut past) = (Live::new(), Past::new(true));
        for second in 1..=40 {
            for place in 0..1_000 {
                live.latency(if second == 20 && place < 30 { 80_000_000 } else { 300_000 + place });
            }
            live.sent.add(1_000);
            live.received.add(1_000);
            past.push(second * SECOND_NS, &Snapshot::of([&live]));
        }
        (past, Snapshot::of([&live]))
    }

    fn gate(expression: &str, so_far: Option<(&str, bool)>) -> Gate {
        let so_far = so_far.map(|(value, holds)| (value.to_owned(), holds));
        Gate { expression: expression.to_owned(), so_far }
    }

    /// Draws the view on a terminal of this size, and returns its lines.
    fn drawn(width: u16, lines: u16, change: impl FnOnce(&mut Scene<'_>)) -> (Vec<String>, Buffer) {
        let (past, now) = past();
        let gates = [
            gate("lost==0", None),
            gate("rtt.p99<20ms", Some(("311 us", true))),
            gate("failed==0", Some(("2", false))),
        ];
        let mut scene = Scene {
            title: "loadgen run ws://10.0.0.1:9001/chat, open loop, 1,000/s",
            time: "0:40 / 2:00".into(),
            phase: "measuring",
            done: 333,
            open: 98,
            connections: 100,
            failed: 2,
            dropped: 0,
            wrong: 0,
            sent: 40_000,
            received: 40_000,
            events: "received",
            whole: now.percentiles_since(&Snapshot::zero(), PERCENTILES),
            past: &past,
            gates: &gates,
            cpu_percent: 31,
            threads: 2,
            pause_max_ns: 212_000,
            charts: Charts::Curves,
            is_frozen: false,
            has_keys: true,
            has_colours: true,
        };
        change(&mut scene);
        let height = height(lines, gates.len());
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| scene.draw(frame.area(), frame.buffer_mut())).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        ((0..height).map(|y| line(y).trim_end().to_owned()).collect(), buffer)
    }

    #[test]
    fn the_view_on_the_usual_terminal() {
        let (lines, buffer) = drawn(80, 24, |_| {});
        assert_eq!(lines.len(), 13);
        for (line, text) in [
            (0, "loadgen run ws://10.0.0.1:9001/chat, open loop, 1,000/s"),
            (0, "0:40 / 2:00"),
            (1, "[=====================>"),
            (1, "measuring"),
            (2, " open 98 of 100   failed 2   dropped 0   wrong 0"),
            (3, " sent 1,000/s   received 1,000/s   in all 40,000 sent, 40,000 received"),
            (4, "received/s to 1,000     p99 to 81.8 ms, log"),
            (5, "  p50        303 us     303 us"),
            (9, "  max        303 us    81.8 ms"),
            (10, " failed==0 FAIL, 2   lost==0 at the end   rtt.p99<20ms ok, 311 us"),
            (11, " client cpu 31 % of 2 threads   held up 212 us"),
            (12, " q stop and report   p freeze   h heat map"),
        ] {
            assert!(
                lines[line].contains(text),
                "line {line} has no {text:?}:\n{}",
                lines.join("\n")
            );
        }
        // The rate is level, and the stall is the one column that rises to the top.
        assert_eq!(lines[5].matches('█').count(), 22 + 1, "{}", lines[5]);
        let red = |x, y| buffer[(x, y)].fg == Color::Red;
        assert!(red(18, 2) && !red(30, 2), "only what failed is red");
    }

    #[test]
    fn the_heat_map_shows_the_stall() {
        let (lines, _) = drawn(80, 24, |scene| scene.charts = Charts::Heat);
        assert!(lines[4].ends_with("303 us to 81.8 ms, log"), "{}", lines[4]);
        let cells = |line: &str| line.chars().skip(32).filter(|c| *c != ' ').count();
        assert_eq!([5, 6, 7, 8, 9].map(|line| cells(&lines[line])), [1, 0, 0, 0, 40]);
    }

    #[test]
    fn a_tall_terminal_has_taller_charts() {
        let (lines, _) = drawn(120, 30, |_| {});
        assert_eq!(lines.len(), 16);
        assert_eq!(lines[5].matches('█').count(), 40 + 1, "{}", lines[5]);
    }

    #[test]
    fn on_a_small_terminal_no_word_is_cut() {
        let (lines, _) = drawn(40, 10, |_| {});
        assert_eq!(lines.len(), 9, "the line above stays");
        assert_eq!(lines[2], " open 98 of 100   failed 2   dropped 0");
        assert_eq!(lines[3], " sent 1,000/s   received 1,000/s");
        for (width, height) in [(20, 1), (20, 5), (33, 8), (35, 3), (300, 100)] {
            drawn(width, height, |_| {});
            drawn(width, height, |scene| scene.charts = Charts::Heat);
        }
    }

    #[test]
    fn without_colours_there_are_none() {
        for charts in [Charts::Curves, Charts::Heat] {
            let (_, buffer) = drawn(80, 24, |scene| {
                (scene.has_colours, scene.charts) = (false, charts);
            });
            assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset));
        }
    }
}
