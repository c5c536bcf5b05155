//! What is nested, in a stack of our own: no depth of a peer's making is one of calls (attack rows M7, M11).

/// Its first levels need no allocation; few things are deeper.
#[derive(Debug)]
pub(crate) struct Stack<T, const NEAR: usize> {
    near: [Option<T>; NEAR],
    /// How many of them are taken.
    count: usize,
    far: Vec<T>,
}

impl<T, const NEAR: usize> Stack<T, NEAR> {
    pub(crate) fn new() -> Self {
        Self { near: [const { None }; NEAR], count: 0, far: Vec::new() }
    }

    pub(crate) fn push(&mut self, item: T) {
        match self.near.get_mut(self.count) {
            Some(slot) => {
                *slot = Some(item);
                self.count = self.count.saturating_add(1);
            }
            None => self.far.push(item),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        if let Some(item) = self.far.pop() {
            return Some(item);
        }
        self.count = self.count.checked_sub(1)?;
        self.near.get_mut(self.count)?.take()
    }

    pub(crate) fn len(&self) -> usize {
        self.count.saturating_add(self.far.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_last_comes_first_however_deep() {
        let mut stack: Stack<u32, 2> = Stack::new();
        assert_eq!(stack.pop(), None);
        for round in 0..2 {
            (0..5).for_each(|number| stack.push(number + round));
            for number in (0..5).rev() {
                assert_eq!(stack.len(), number as usize + 1);
                assert_eq!(stack.pop(), Some(number + round));
            }
            assert!(stack.pop().is_none() && stack.is_empty());
        }
    }
}
