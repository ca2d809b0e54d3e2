//! Memory for bodies that are being inspected, of all requests together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one place. A body is held twice: as it came, and as the rules have it.
const PLACE: usize = 512;

/// All the room that there is. Cheap to clone.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// What one request has of it; given back when it is dropped.
pub(super) struct Share {
    room: Room,
    taken: Option<OwnedSemaphorePermit>,
    /// Bytes that came, and those that there are places for.
    used: usize,
    had: usize,
}

impl Room {
    pub(super) fn new(mebibytes: u32) -> Self {
        Self(Arc::new(Semaphore::new(mebibytes as usize * (1 << 20) / (2 * PLACE))))
    }

    pub(super) fn share(&self) -> Share {
        Share { room: self.clone(), taken: None, used: 0, had: 0 }
    }
}

impl Share {
    /// Takes room for so many bytes more; false where there is none.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        self.used = self.used.saturating_add(bytes);
        if self.used <= self.had {
            return true;
        }
        // A few places at once, so that small pieces do not ask each time.
        let places = (self.used - self.had).div_ceil(PLACE).max(32);
        let Ok(permit) = Arc::clone(&self.room.0).try_acquire_many_owned(u32::try_from(places).unwrap_or(u32::MAX)) else { return false };
        self.had += places * PLACE;
        match &mut self.taken {
            Some(taken) => taken.merge(permit),
            None => self.taken = Some(permit),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_much_and_it_comes_back() {
        let room = Room::new(1);
        let (mut one, mut other, mut third) = (room.share(), room.share(), room.share());
        assert!(one.take(100) && one.take(400_000), "held twice, a mebibyte is room for half of one");
        assert!(!other.take(200_000) && third.take(1_000));
        drop(one);
        assert!(third.take(400_000));
    }
}
