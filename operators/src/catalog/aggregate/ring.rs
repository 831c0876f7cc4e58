//! A list whose items keep their numbers while the first ones go.

/// Items that are gone are left lying up to this many.
const SLACK: usize = 16;

/// Items numbered one after the other.
#[derive(Debug, Clone)]
pub(super) struct Ring<T> {
    items: Vec<T>,
    /// Items of the list that are gone.
    gone: usize,
    /// Number of the first item that is there.
    first: u64,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { items: Vec::new(), gone: 0, first: 0 }
    }
}

impl<T: Copy> Ring<T> {
    /// Number of the first item that is there.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Number that the next item gets.
    pub(super) fn next(&self) -> u64 {
        self.first + (self.items.len() - self.gone) as u64
    }

    /// Adds item number `number`; those before it go where it does not follow them.
    pub(super) fn push(&mut self, number: u64, item: T) {
        if number != self.next() {
            self.items.clear();
            (self.gone, self.first) = (0, number);
        }
        self.items.push(item);
    }

    /// The items from one number up to, not including, another; those of them that are there.
    pub(super) fn slice(&self, from: u64, to: u64) -> &[T] {
        let place = |number: u64| self.gone + number.saturating_sub(self.first) as usize;
        let to = place(to).min(self.items.len());
        self.items.get(place(from).min(to)..to).unwrap_or_default()
    }

    pub(super) fn get(&self, number: u64) -> Option<T> {
        let at = number.checked_sub(self.first)? as usize;
        self.items.get(self.gone + at).copied()
    }

    /// Items below this number go.
    pub(super) fn forget_below(&mut self, number: u64) {
        let to = number.clamp(self.first, self.next());
        self.gone += (to - self.first) as usize;
        self.first = to;
        if self.gone > SLACK && self.gone * 2 > self.items.len() {
            self.items.drain(..self.gone);
            self.gone = 0;
            if self.items.len() * 4 < self.items.capacity() {
                self.items.shrink_to(self.items.len() * 2);
            }
        }
    }

    /// Bytes of memory.
    pub(super) const fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>()
    }
}
