//! JSON writes characters beyond U+FFFF as two escapes (`\ud83d\ude00`), which YAML does not know.

use std::borrow::Cow;

/// Replaces each escaped surrogate pair by YAML's one escape, `\U0001F600`. It is two characters
/// shorter, which the columns of errors after it on the same line then differ by.
pub(super) fn join_pairs(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("\\u")) {
        let start = at + found;
        at = start + 2;
        let backslashes = text
            .get(..start)
            .map_or(0, |before| before.bytes().rev().take_while(|b| *b == b'\\').count());
        if backslashes % 2 == 1 {
            continue;
        }
        if let Some(c) = pair(text, start) {
            out.push_str(text.get(copied..start).unwrap_or_default());
            out.push_str(&format!("\\U{:08X}", c as u32));
            copied = start + 12;
            at = copied;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

fn pair(text: &str, start: usize) -> Option<char> {
    let high = escape(text, start).filter(|unit| (0xD800..0xDC00).contains(unit))?;
    let low = escape(text, start + 6).filter(|unit| (0xDC00..0xE000).contains(unit))?;
    char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
}

fn escape(text: &str, start: usize) -> Option<u32> {
    let digits = text.get(start..start + 6)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}
