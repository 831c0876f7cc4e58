//! Request bodies: encoded rows in one buffer, with the place of each, so that a body can be cut in
//! halves without encoding anything again.

use bytes::Bytes;

use crate::catalog::HttpBody;

impl HttpBody {
    const fn opening(self) -> &'static [u8] {
        match self {
            Self::Array => b"[",
            Self::Ndjson | Self::Object => b"",
        }
    }

    /// What follows the last row.
    const fn closing(self) -> &'static [u8] {
        match self {
            Self::Array => b"]",
            Self::Ndjson => b"\n",
            Self::Object => b"",
        }
    }

    /// What stands between two rows: one byte.
    const fn separator(self) -> u8 {
        match self {
            Self::Array => b',',
            Self::Ndjson | Self::Object => b'\n',
        }
    }

    /// Bytes of memory that a row takes beside its own.
    const fn overhead(self) -> usize {
        match self {
            Self::Array | Self::Ndjson => 16,
            // A whole request of its own.
            Self::Object => 256,
        }
    }
}

/// A body that rows are still added to.
pub(super) struct Draft {
    form: HttpBody,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Draft {
    pub(super) fn new(form: HttpBody) -> Self {
        Self { form, text: form.opening().to_vec(), ends: Vec::new() }
    }

    pub(super) fn push(&mut self, row: &[u8]) {
        if !self.ends.is_empty() {
            self.text.push(self.form.separator());
        }
        self.text.extend_from_slice(row);
        self.ends.push(self.text.len());
    }

    pub(super) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of the body so far.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn seal(mut self) -> Body {
        self.text.extend_from_slice(self.form.closing());
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        Body { form: self.form, text: self.text.into(), ends: self.ends }
    }
}

/// A body as it is sent.
pub(super) struct Body {
    form: HttpBody,
    text: Bytes,
    ends: Vec<usize>,
}

impl Body {
    /// The bytes to send; shared, not copied.
    pub(super) fn text(&self) -> Bytes {
        self.text.clone()
    }

    pub(super) fn rows(&self) -> usize {
        self.ends.len()
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let first = std::iter::once(self.form.opening().len());
        let starts = first.chain(self.ends.iter().map(|end| end + 1));
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    /// The first row, on its own.
    pub(super) fn first_row(&self) -> Bytes {
        self.iter().next().map_or_else(Bytes::new, Bytes::copy_from_slice)
    }

    /// What the rows are counted with against the sink's memory.
    pub(super) fn cost(&self) -> usize {
        self.iter().map(|row| cost(self.form, row.len())).sum()
    }

    /// The first `rows` rows, and the others.
    pub(super) fn split(&self, rows: usize) -> (Self, Self) {
        let (mut left, mut right) = (Draft::new(self.form), Draft::new(self.form));
        for (index, row) in self.iter().enumerate() {
            if index < rows { left.push(row) } else { right.push(row) }
        }
        (left.seal(), right.seal())
    }
}

/// What a row of `bytes` is counted with against the sink's memory.
pub(super) const fn cost(form: HttpBody, bytes: usize) -> usize {
    bytes + form.overhead()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(form: HttpBody, rows: &[&str]) -> Body {
        let mut draft = Draft::new(form);
        rows.iter().for_each(|row| draft.push(row.as_bytes()));
        draft.seal()
    }

    #[test]
    fn rows_are_framed_and_found_again() {
        for (form, rows, text) in [
            (HttpBody::Array, &["{}"][..], "[{}]"),
            (HttpBody::Array, &["1", "22", "3"], "[1,22,3]"),
            (HttpBody::Ndjson, &["1", "22", "3"], "1\n22\n3\n"),
            (HttpBody::Object, &[r#"{"a":1}"#], r#"{"a":1}"#),
        ] {
            let body = body(form, rows);
            assert_eq!(body.text(), text.as_bytes());
            assert_eq!(
                body.iter().collect::<Vec<_>>(),
                rows.iter().map(|r| r.as_bytes()).collect::<Vec<_>>()
            );
            assert_eq!(body.first_row(), rows[0].as_bytes());
            let bytes: usize = rows.iter().map(|r| r.len()).sum();
            assert_eq!(body.cost(), bytes + rows.len() * form.overhead());
        }
    }

    #[test]
    fn halves_hold_all_rows_in_order() {
        let (left, right) = body(HttpBody::Array, &["1", "2", "3", "4", "5"]).split(2);
        assert_eq!((left.text(), right.text()), (Bytes::from("[1,2]"), Bytes::from("[3,4,5]")));
        let (left, right) = body(HttpBody::Ndjson, &["1", "2"]).split(1);
        assert_eq!((left.text(), right.text()), (Bytes::from("1\n"), Bytes::from("2\n")));
    }
}
