//! The bottom lines of the terminal.
//!
//! The lines above them become a scroll region, so that log lines and rows printed by a `stdout`
//! sink pass over the block without touching it, whoever writes them.

use std::io::{self, Write};

use terminal_size::{Height, Width, terminal_size_of};

/// Lines of the terminal that stay free for what scrolls.
const FREE: usize = 6;

/// The block's place on the terminal.
pub(super) struct Screen {
    /// Size of the terminal and number of lines at the last drawing.
    region: Option<(u16, usize)>,
}

impl Screen {
    /// Nothing drawn yet.
    pub(super) const fn new() -> Self {
        Self { region: None }
    }

    /// Draws the lines, as far as there is room.
    pub(super) fn draw(&mut self, lines: &[String]) {
        let Some((Width(width), Height(height))) = terminal_size_of(io::stderr()) else {
            return;
        };
        let room = usize::from(height).saturating_sub(FREE);
        let shown = lines.get(..lines.len().min(room)).unwrap_or_default();
        let mut text = String::new();
        if self.region != Some((height, shown.len())) {
            text.push_str(&self.reserve(height, shown.len()));
        }
        // One write for all, so that nothing of another thread's comes in between.
        text.push_str("\x1b7");
        for (number, line) in shown.iter().enumerate() {
            let row = usize::from(height) - shown.len() + number + 1;
            text.push_str(&format!("\x1b[{row};1H\x1b[2K{}", cut(line, usize::from(width))));
        }
        text.push_str("\x1b8");
        write(&text);
    }

    /// Makes the lines above the block the scroll region.
    fn reserve(&mut self, height: u16, lines: usize) -> String {
        let release = self.release();
        self.region = Some((height, lines));
        let newlines = "\n".repeat(lines);
        let last = usize::from(height).saturating_sub(lines);
        format!("{release}{newlines}\x1b7\x1b[1;{last}r\x1b8\x1b[{lines}A")
    }

    /// Clears the block and gives its lines back.
    fn release(&mut self) -> String {
        let Some((height, lines)) = self.region.take() else {
            return String::new();
        };
        let first = usize::from(height).saturating_sub(lines) + 1;
        format!("\x1b7\x1b[r\x1b[{first};1H\x1b[J\x1b8")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let release = self.release();
        write(&release);
    }
}

fn write(text: &str) {
    let mut out = io::stderr().lock();
    // A terminal that is gone needs no progress.
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// The first `width` characters, not counting colours, with the colours closed.
fn cut(line: &str, width: usize) -> String {
    let mut out = String::with_capacity(line.len());
    let (mut seen, mut escape, mut coloured) = (0, false, false);
    for c in line.chars() {
        if c == '\x1b' {
            (escape, coloured) = (true, true);
        } else if !escape {
            if seen == width {
                break;
            }
            seen += 1;
        }
        out.push(c);
        if escape && c == 'm' {
            escape = false;
        }
    }
    if coloured {
        out.push_str("\x1b[0m");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_room() {
        assert_eq!(cut("\x1b[1mabc\x1b[0mdef", 4), "\x1b[1mabc\x1b[0md\x1b[0m");
        assert_eq!(cut("abc", 2), "ab");
    }

    #[test]
    fn the_region_is_given_back() {
        let mut screen = Screen::new();
        let reserved = screen.reserve(24, 4);
        assert!(reserved.contains("\x1b[1;20r"), "{reserved:?}");
        let released = screen.release();
        assert!(released.contains("\x1b[r") && released.contains("\x1b[21;1H"), "{released:?}");
        assert_eq!(screen.release(), "");
    }
}
