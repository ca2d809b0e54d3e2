//! Which of several servers a request goes to. Servers are numbers here, and a set of them is the bits of a `u64`.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::config::Balance;

/// Chooses among servers of fixed weights.
#[derive(Debug)]
pub(crate) struct Balancer {
    kind: Balance,
    weights: Box<[u32]>,
    /// Smooth weighted round robin: what each server is owed.
    owed: Mutex<Box<[i64]>>,
    chance: RandomState,
    drawn: AtomicU64,
}

impl Balancer {
    pub(crate) fn new(kind: Balance, weights: Box<[u32]>) -> Self {
        let owed = Mutex::new(vec![0; weights.len()].into_boxed_slice());
        Self { kind, weights, owed, chance: RandomState::new(), drawn: AtomicU64::new(0) }
    }

    /// One of `among`, whose open requests are as `busy` says; none where all of them are drained or `among` is empty.
    pub(crate) fn choose(&self, among: u64, busy: impl Fn(usize) -> u32) -> Option<usize> {
        let among = among & self.able();
        if among.count_ones() < 2 {
            return members(among).next();
        }
        match self.kind {
            Balance::RoundRobin => self.next(among),
            Balance::LeastRequests => {
                // Of those that are equal the one whose turn it is, so that an idle upstream is not one idle server and one busy.
                let load = |server: &usize| Load { busy: busy(*server), weight: self.weights[*server] };
                let least = members(among).min_by(|a, b| load(a).against(load(b)))?;
                let best = members(among).filter(|server| load(server).against(load(&least)).is_eq()).fold(0, |set, server| set | 1 << server);
                self.next(best)
            }
            Balance::TwoChoices => {
                let first = self.draw(among)?;
                let second = self.draw(among & !(1 << first)).unwrap_or(first);
                let load = |server: usize| Load { busy: busy(server), weight: self.weights[server] };
                Some(if load(second).against(load(first)).is_lt() { second } else { first })
            }
        }
    }

    /// The server of `among` to which a key belongs as long as it is there (rendezvous hashing): one that goes away takes
    /// only its own keys with it, and every node that guards the same servers finds the same one.
    pub(crate) fn belongs(&self, among: u64, names: impl Fn(usize) -> u64, key: u64) -> Option<usize> {
        members(among & self.able()).max_by(|a, b| {
            let score = |server: usize| {
                // In (0, 1); the logarithm makes each server win as often as its weight says.
                let part = (mix(names(server) ^ key) >> 11) as f64 / (1_u64 << 53) as f64;
                f64::from(self.weights[server]) / -part.max(f64::MIN_POSITIVE).ln()
            };
            score(*a).total_cmp(&score(*b))
        })
    }

    /// Those that are not drained.
    fn able(&self) -> u64 {
        self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0).fold(0, |set, (server, _)| set | 1 << server)
    }

    fn next(&self, among: u64) -> Option<usize> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = 0;
        for server in members(among) {
            owed[server] += i64::from(self.weights[server]);
            all += i64::from(self.weights[server]);
        }
        let best = members(among).max_by_key(|server| (owed[*server], std::cmp::Reverse(*server)))?;
        owed[best] -= all;
        Some(best)
    }

    /// By chance, each as often as its weight says.
    fn draw(&self, among: u64) -> Option<usize> {
        let all: u64 = members(among).map(|server| u64::from(self.weights[server])).sum();
        let mut at = self.chance.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed)) % all.max(1);
        members(among).find(|server| {
            let weight = u64::from(self.weights[*server]);
            let found = at < weight;
            at = at.saturating_sub(weight);
            found
        })
    }
}

/// What a server has to do for what it can.
#[derive(Clone, Copy)]
struct Load {
    busy: u32,
    weight: u32,
}

impl Load {
    fn against(self, other: Self) -> std::cmp::Ordering {
        (u64::from(self.busy) * u64::from(other.weight)).cmp(&(u64::from(other.busy) * u64::from(self.weight)))
    }
}

fn members(set: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |server| set & (1 << server) != 0)
}

/// Spreads the bits of a number (the finalizer of SplitMix64).
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balancer(kind: Balance, weights: &[u32]) -> Balancer {
        Balancer::new(kind, weights.into())
    }

    #[test]
    fn each_gets_its_share_in_turn() {
        let balancer = balancer(Balance::RoundRobin, &[5, 1, 1, 0]);
        let order: Vec<usize> = (0..7).filter_map(|_| balancer.choose(0b1111, |_| 0)).collect();
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0], "evenly spread, the drained one never");
        assert_eq!(balancer.choose(0b1000, |_| 0), None);
        assert_eq!(balancer.choose(0b0010, |_| 9), Some(1));
    }

    #[test]
    fn the_one_with_the_least_to_do_for_its_weight_is_next() {
        let balancer = balancer(Balance::LeastRequests, &[1, 2, 1]);
        let busy = |server: usize| [3, 5, 4][server];
        assert_eq!(balancer.choose(0b111, busy), Some(1));
        assert_eq!(balancer.choose(0b101, busy), Some(0));
        let idle: Vec<usize> = (0..4).filter_map(|_| balancer.choose(0b111, |_| 0)).collect();
        assert_eq!(idle.iter().filter(|server| **server == 1).count(), 2, "{idle:?}: an idle upstream is used by weight");
    }

    #[test]
    fn two_choices_keep_the_fullest_server_out() {
        let balancer = balancer(Balance::TwoChoices, &[1, 1, 1, 1]);
        let mut counts = [0_u32; 4];
        for _ in 0..4_000 {
            counts[balancer.choose(0b1111, |server| counts[server]).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (980..1_020).contains(count)), "{counts:?}");
        let busy = |server: usize| u32::from(server == 3);
        assert!((0..1_000).all(|_| balancer.choose(0b1111, busy) != Some(3)), "whoever is with it is better");
    }

    #[test]
    fn a_server_that_goes_takes_only_its_own_with_it() {
        let balancer = balancer(Balance::RoundRobin, &[1, 1, 2]);
        let names = |server: usize| mix(server as u64 + 1);
        let before: Vec<usize> = (0..8_000).filter_map(|key| balancer.belongs(0b111, names, mix(key))).collect();
        let of_two = before.iter().filter(|server| **server == 2).count();
        assert!((3_800..4_200).contains(&of_two), "{of_two} of 8000 at half of the weight");
        for (key, was) in before.iter().enumerate() {
            let now = balancer.belongs(0b110, names, mix(key as u64)).unwrap();
            assert!(now == *was || *was == 0, "{key} moved from {was} to {now}");
        }
    }
}
