//! How many requests are tried again: a fifth of all, and a few more, so that servers that are slow are not asked twice as much.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a retry costs, and what a request brings.
const COST: u32 = 5;
const MOST: u32 = 100 * COST;
const FIRST: u32 = 10 * COST;

/// The budget of an upstream.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU32);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(FIRST))
    }

    /// A request came.
    pub(crate) fn earn(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| (left < MOST).then_some(left + 1));
    }

    /// Whether one may be tried again.
    pub(crate) fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(COST)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_all_requests_are_tried_again() {
        let budget = Budget::new();
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10, "a few come first");
        assert_eq!(
            (0..1_000)
                .filter(|_| {
                    budget.earn();
                    budget.spend()
                })
                .count(),
            200
        );
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 100, "nothing is saved for long");
    }
}
