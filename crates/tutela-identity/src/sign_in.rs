//! A sign-in under way: what was proven, what is still asked for, when it ends.
//!
//! ```text
//!                    +--prove--+
//!                    v         |
//!   begin(proof) -> open ------+--enough proven--> done: a session
//!                    |
//!                    +--nothing left to ask: has to set up a second authenticator (enrol), or is stuck
//!                    +--15 minutes------> expired: begins again
//! ```
//! It exists from the first proof on; a visitor who proves nothing leaves no row. The same machine
//! serves for a step-up: then a session is there already, and only fresh proofs count.

use std::{collections::BTreeSet, time::Duration};

use tutela_core::{AccountId, AuthStrength, DeviceId, SessionId, SignInId, Timestamp};

use crate::{Assurance, AuthenticatorKind, Proof, proof::count};

/// How long somebody may take from the first proof to the last.
pub const LIFE: Duration = Duration::from_secs(900);

/// A sign-in under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// Who it is for.
    pub account: AccountId,
    /// The session to make stronger; none where one is to begin.
    pub session: Option<SessionId>,
    /// The browser it happens in.
    pub device: Option<DeviceId>,
    /// What was proven, in order.
    pub proofs: Vec<Proof>,
    /// What is asked for.
    pub wanted: Wanted,
    /// When it began.
    pub started_at: Timestamp,
}

/// What a sign-in has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Distinct factors.
    pub factors: u8,
    /// Level.
    pub aal: AuthStrength,
}

/// What an account can be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// What it has, and may use here.
    pub has: BTreeSet<AuthenticatorKind>,
    /// What it could set up.
    pub offered: BTreeSet<AuthenticatorKind>,
}

/// Where a sign-in stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// One of these is asked for next, the best first.
    Challenge(Vec<AuthenticatorKind>),
    /// Enough was proven.
    Done(Assurance),
    /// A second authenticator has to be set up first: one of these.
    Enrol(Vec<AuthenticatorKind>),
    /// Nothing this account has would be enough, and nothing may be set up: somebody has to vouch for the person anew.
    Stuck,
}

/// Which way is offered first: what resists phishing, then what needs no network, then the rest.
const ORDER: [AuthenticatorKind; 7] = [
    AuthenticatorKind::Passkey,
    AuthenticatorKind::Totp,
    AuthenticatorKind::Sms,
    AuthenticatorKind::Email,
    AuthenticatorKind::Recovery,
    AuthenticatorKind::Password,
    AuthenticatorKind::Outside,
];

impl Wanted {
    /// What signing in asks of an account: as many factors as configured, and two of whoever has set up a
    /// second one, or the weaker way would be the way in (ASVS 6.3.4). A remembered device spares the second.
    pub fn to_sign_in(required_factors: u8, has: &BTreeSet<AuthenticatorKind>, remembered: bool) -> Self {
        let second = [AuthenticatorKind::Passkey, AuthenticatorKind::Sms, AuthenticatorKind::Totp].iter().any(|kind| has.contains(kind));
        let factors = if remembered {
            1
        } else if second {
            required_factors.max(2)
        } else {
            required_factors.max(1)
        };
        Self { factors, aal: AuthStrength::Aal1 }
    }

    fn is_met(&self, proofs: &[Proof], now: Timestamp) -> Option<Assurance> {
        let reached = Assurance::of(proofs, now);
        (count(proofs) >= usize::from(self.factors) && reached.aal >= self.aal).then_some(reached)
    }
}

impl SignIn {
    /// Whether it can still be finished.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now.since(self.started_at) < LIFE
    }

    /// Takes another proof. The same authenticator twice proves nothing new.
    pub fn prove(&mut self, proof: Proof) {
        self.proofs.retain(|known| known.kind != proof.kind);
        self.proofs.push(proof);
    }

    /// What comes next.
    pub fn step(&self, ways: &Ways, now: Timestamp) -> Step {
        if let Some(reached) = self.wanted.is_met(&self.proofs, now) {
            return Step::Done(reached);
        }
        let ask = self.leading_on(&ways.has, &ways.has, now);
        if !ask.is_empty() {
            return Step::Challenge(ask);
        }
        let both = ways.has.union(&ways.offered).copied().collect();
        if !self.can_finish_with(&both, now) {
            return Step::Stuck;
        }
        // Nobody sets anything up who has not proven all they can: a session that somebody else took would be theirs.
        let first = self.before_setting_up(ways, &both, now);
        if !first.is_empty() {
            return Step::Challenge(first);
        }
        let set_up = if self.proofs.is_empty() { Vec::new() } else { self.leading_on(&ways.offered, &both, now) };
        if set_up.is_empty() { Step::Stuck } else { Step::Enrol(set_up) }
    }

    fn with(&self, kinds: impl Iterator<Item = AuthenticatorKind>, now: Timestamp) -> Vec<Proof> {
        let more = kinds.map(|kind| Proof { user_verified: kind == AuthenticatorKind::Passkey, ..Proof::of(kind, now) });
        self.proofs.iter().copied().chain(more).collect()
    }

    fn can_finish_with(&self, kinds: &BTreeSet<AuthenticatorKind>, now: Timestamp) -> bool {
        self.wanted.is_met(&self.with(kinds.iter().copied(), now), now).is_some()
    }

    /// What is asked for although it does not finish this, because something has to be set up after it.
    fn before_setting_up(&self, ways: &Ways, both: &BTreeSet<AuthenticatorKind>, now: Timestamp) -> Vec<AuthenticatorKind> {
        if self.proofs.is_empty() {
            return self.leading_on(&ways.has, both, now);
        }
        let more = |kind: &AuthenticatorKind| ways.has.contains(kind) && count(&self.with(std::iter::once(*kind), now)) > count(&self.proofs);
        ORDER.into_iter().filter(more).collect()
    }

    /// Those of `kinds` that finish this; where none does by itself, those that bring it nearer, if `all` together would finish it.
    fn leading_on(&self, kinds: &BTreeSet<AuthenticatorKind>, all: &BTreeSet<AuthenticatorKind>, now: Timestamp) -> Vec<AuthenticatorKind> {
        let with = |kind: AuthenticatorKind| self.with(std::iter::once(kind), now);
        let reachable = || self.can_finish_with(all, now);
        let of = |fits: &dyn Fn(AuthenticatorKind) -> bool| ORDER.into_iter().filter(|kind| kinds.contains(kind) && fits(*kind)).collect::<Vec<_>>();
        if self.proofs.is_empty() {
            // What is sent or read off stands behind a password or a provider, never alone.
            return if reachable() {
                of(&|kind| matches!(kind, AuthenticatorKind::Outside | AuthenticatorKind::Passkey | AuthenticatorKind::Password))
            } else {
                Vec::new()
            };
        }
        let finishing = of(&|kind| self.wanted.is_met(&with(kind), now).is_some());
        if finishing.is_empty() && reachable() { of(&|kind| count(&with(kind)) > count(&self.proofs)) } else { finishing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AuthenticatorKind::{Email, Passkey, Password, Recovery, Sms, Totp};
    use tutela_core::{Env, SystemEnv};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn with_password(factors: u8, aal: AuthStrength) -> SignIn {
        let env: &dyn Env = &SystemEnv;
        let rng = &mut { env };
        SignIn {
            id: SignInId::new(at(0), rng),
            account: AccountId::new(at(0), rng),
            session: None,
            device: None,
            proofs: vec![Proof::of(Password, at(0))],
            wanted: Wanted { factors, aal },
            started_at: at(0),
        }
    }

    fn ways(has: &[AuthenticatorKind], offered: &[AuthenticatorKind]) -> Ways {
        Ways { has: has.iter().copied().collect(), offered: offered.iter().copied().collect() }
    }

    #[test]
    fn whoever_has_a_second_authenticator_is_asked_for_it_and_a_remembered_device_is_not() {
        let has = |kinds: &[AuthenticatorKind]| kinds.iter().copied().collect();
        assert_eq!(Wanted::to_sign_in(1, &has(&[Password]), false).factors, 1);
        assert_eq!(Wanted::to_sign_in(1, &has(&[Password, Email]), false).factors, 1, "a mailbox is no authenticator one has set up");
        assert_eq!(Wanted::to_sign_in(1, &has(&[Password, Totp]), false).factors, 2);
        assert_eq!(Wanted::to_sign_in(2, &has(&[Password, Totp]), true).factors, 1);
    }

    #[test]
    fn every_combination_ends_where_it_should() {
        let steps = [
            (1, AuthStrength::Aal1, ways(&[Password], &[]), "done"),
            (2, AuthStrength::Aal1, ways(&[Password, Recovery, Email, Totp, Passkey, Sms], &[]), "passkey totp sms email recovery"),
            (2, AuthStrength::Aal1, ways(&[Password], &[Totp, Passkey]), "set up passkey totp"),
            (2, AuthStrength::Aal1, ways(&[Password], &[]), "stuck"),
            (1, AuthStrength::Aal2, ways(&[Password, Email, Totp], &[]), "totp"),
            (2, AuthStrength::Aal2, ways(&[Password, Email], &[]), "stuck"),
            (2, AuthStrength::Aal2, ways(&[Password, Email], &[Totp]), "email"),
            (2, AuthStrength::Aal2, ways(&[Password], &[Totp]), "set up totp"),
            (3, AuthStrength::Aal2, ways(&[Password, Totp], &[Passkey]), "totp"),
            (3, AuthStrength::Aal2, ways(&[Password, Totp, Passkey], &[]), "passkey"),
            (3, AuthStrength::Aal2, ways(&[Password, Totp], &[]), "stuck"),
            (1, AuthStrength::Aal2, ways(&[Password, Email], &[]), "stuck"),
        ];
        for (factors, aal, ways, expected) in steps {
            let words = |kinds: Vec<AuthenticatorKind>| kinds.iter().map(|k| k.as_str()).collect::<Vec<_>>().join(" ");
            let found = match with_password(factors, aal).step(&ways, at(1)) {
                Step::Done(_) => "done".to_owned(),
                Step::Challenge(kinds) => words(kinds),
                Step::Enrol(kinds) => format!("set up {}", words(kinds)),
                Step::Stuck => "stuck".to_owned(),
            };
            assert_eq!(found, expected, "{factors} factors, {aal:?}");
        }
    }

    #[test]
    fn a_code_alone_is_no_beginning() {
        let mut empty = with_password(1, AuthStrength::Aal1);
        empty.proofs.clear();
        assert_eq!(empty.step(&ways(&[Password, Email, Totp, Passkey], &[]), at(1)), Step::Challenge(vec![Passkey, Password]));
        assert_eq!(empty.step(&ways(&[Email, Totp], &[]), at(1)), Step::Stuck);
        // A session is no proof: whoever took one sets nothing up before the password is proven too.
        empty.wanted = Wanted { factors: 1, aal: AuthStrength::Aal2 };
        assert_eq!(empty.step(&ways(&[Password], &[Totp, Passkey]), at(1)), Step::Challenge(vec![Password]));
        assert_eq!(empty.step(&ways(&[], &[Totp, Passkey]), at(1)), Step::Stuck);
    }

    #[test]
    fn the_same_way_twice_is_one_proof_and_time_runs_out() {
        let mut sign_in = with_password(2, AuthStrength::Aal1);
        sign_in.prove(Proof::of(Password, at(5)));
        assert_eq!(sign_in.proofs, vec![Proof::of(Password, at(5))]);
        assert!(sign_in.is_open(at(899)) && !sign_in.is_open(at(900)));
    }
}
