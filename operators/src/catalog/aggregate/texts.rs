//! Texts by number: rows hold numbers, and a text is kept while a row has it.

use std::sync::Arc;

use hashbrown::HashMap;

/// Number of a text.
pub(super) type TextId = u32;

/// Texts and how many rows have them.
#[derive(Debug, Default)]
pub(super) struct Texts {
    ids: HashMap<Arc<str>, TextId>,
    held: Vec<(Option<Arc<str>>, u32)>,
    free: Vec<TextId>,
    bytes: usize,
}

/// What a text costs beyond its letters.
const OVERHEAD: usize = 80;

impl Texts {
    /// A row has `text`.
    pub(super) fn take(&mut self, text: &str) -> TextId {
        if let Some(id) = self.ids.get(text) {
            if let Some((_, rows)) = self.held.get_mut(*id as usize) {
                *rows += 1;
            }
            return *id;
        }
        let text: Arc<str> = text.into();
        self.bytes += text.len() + OVERHEAD;
        let entry = (Some(Arc::clone(&text)), 1);
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.held.push((None, 0));
                TextId::try_from(self.held.len() - 1).unwrap_or(TextId::MAX)
            }
        };
        if let Some(held) = self.held.get_mut(id as usize) {
            *held = entry;
        }
        self.ids.insert(text, id);
        id
    }

    /// A row that had this text is gone.
    pub(super) fn release(&mut self, id: TextId) {
        let Some((text, rows)) = self.held.get_mut(id as usize) else { return };
        *rows = rows.saturating_sub(1);
        if *rows == 0
            && let Some(text) = text.take()
        {
            self.bytes -= text.len() + OVERHEAD;
            self.ids.remove(&text);
            self.free.push(id);
        }
    }

    pub(super) fn get(&self, id: TextId) -> Option<&str> {
        self.held.get(id as usize).and_then(|(text, _)| text.as_deref())
    }

    /// A text by a row's cell.
    pub(super) fn shared(&self, cell: u64) -> Option<Arc<str>> {
        let (text, _) = self.held.get(usize::try_from(cell).ok()?)?;
        text.as_ref().map(Arc::clone)
    }

    /// Bytes of memory.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
