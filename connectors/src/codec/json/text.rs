//! Strings with escapes, as text.

use super::scan::{Raw, hex};

/// Appends the text of a string to `out`. The scanner has checked its escapes.
pub(super) fn append(raw: Raw<'_>, out: &mut Vec<u8>) {
    let mut rest = raw.bytes;
    if raw.escaped {
        while let Some(at) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(rest.get(..at).unwrap_or_default());
            rest = escape(rest.get(at + 1..).unwrap_or_default(), out);
        }
    }
    out.extend_from_slice(rest);
}

/// Appends the character of the escape whose text after the backslash is `escape`, and returns
/// what follows it.
fn escape<'a>(escape: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((kind, rest)) = escape.split_first() else {
        return escape;
    };
    let plain = match kind {
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unicode(rest, out),
        other => *other,
    };
    out.push(plain);
    rest
}

/// Appends the character of `XXXX` or, for a pair of surrogates, of `XXXX\uXXXX`.
fn unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let unit = |from: usize| text.get(from..from + 4).and_then(hex);
    let (code, used) = match (unit(0), unit(6)) {
        (Some(high @ 0xD800..=0xDBFF), Some(low)) => {
            let pair = 0x1_0000 + ((u32::from(high) - 0xD800) << 10);
            (pair + (u32::from(low).wrapping_sub(0xDC00) & 0x3FF), 10)
        }
        (Some(unit), _) => (u32::from(unit), 4),
        (None, _) => (u32::from(char::REPLACEMENT_CHARACTER), text.len()),
    };
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    text.get(used..).unwrap_or_default()
}
