//! Where a verb's result goes: stdout, through this one type, so that a closed pipe ends the
//! program quietly and colours appear only where a person is watching.

use std::io::{self, ErrorKind, IsTerminal, Write};

use swiftwater_engine::{Error, Result};

/// How a piece of text stands out on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// An error.
    Bad,
    /// A warning.
    Doubtful,
    /// A success.
    Good,
    /// Names and headings.
    Strong,
    /// What matters less.
    Faint,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bad => "1;31",
            Self::Doubtful => "1;33",
            Self::Good => "1;32",
            Self::Strong => "1",
            Self::Faint => "2",
        }
    }
}

/// Whether colours are wanted on a stream: it is a terminal and `NO_COLOR` is not set.
pub(crate) fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Writes text in a style, or plain where colours are not wanted.
pub(crate) fn paint(colour: bool, style: Style, text: &str) -> String {
    if colour { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
}

/// The standard output.
pub(crate) struct Terminal {
    colour: bool,
}

impl Terminal {
    /// The process's own stdout.
    pub(crate) fn stdout() -> Self {
        Self { colour: colour(&io::stdout()) }
    }

    /// Text in a style, if this is a terminal.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.colour, style, text)
    }

    /// Whether colours are shown.
    pub(crate) const fn colour(&self) -> bool {
        self.colour
    }

    /// Writes one line.
    ///
    /// # Errors
    /// Anything but a closed pipe, which is not an error of ours: `swiftwater list | head`.
    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        self.text(&format!("{text}\n"))
    }

    /// Writes text as it is.
    ///
    /// # Errors
    /// As for [`Terminal::line`].
    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::unavailable("SW4101", "write to stdout").with_source(error))
            }
            _ => Ok(()),
        }
    }
}
