//! Numbers as text.

/// Appends an integer.
pub(super) fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends the shortest text that is read back as the same number; also `NaN` and `inf`.
pub(super) fn float(value: impl zmij::Float, out: &mut Vec<u8>) {
    out.extend_from_slice(zmij::Buffer::new().format(value).as_bytes());
}

/// Appends a decimal with exactly as many digits after the point as its scale says.
pub(super) fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs()).as_bytes();
    let scale = match usize::try_from(scale) {
        Ok(0) => return out.extend_from_slice(digits),
        Ok(scale) => scale,
        Err(_) => {
            out.extend_from_slice(digits);
            let zeros = if value == 0 { 0 } else { scale.unsigned_abs() };
            return out.extend((0..zeros).map(|_| b'0'));
        }
    };
    match digits.len().checked_sub(scale) {
        Some(whole @ 1..) => {
            let (whole, fraction) = digits.split_at(whole);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        _ => {
            out.extend_from_slice(b"0.");
            out.extend((digits.len()..scale).map(|_| b'0'));
            out.extend_from_slice(digits);
        }
    }
}
