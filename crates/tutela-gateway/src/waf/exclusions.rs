//! What operators have excepted from rules, read once for each change.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwapOption;
use tutela_core::{Timestamp, seam::RuleExclusion};
use tutela_waf::Exclusion;

/// By route, each with its end.
type ByRoute = HashMap<String, Vec<(Timestamp, Arc<Exclusion>)>>;

/// The list that was read last, and what it came to.
#[derive(Default)]
pub(super) struct Exclusions(ArcSwapOption<(Arc<Vec<RuleExclusion>>, ByRoute)>);

impl Exclusions {
    /// Those of a route that are in force.
    pub(super) fn of(&self, route: &str, list: Arc<Vec<RuleExclusion>>, now: Timestamp) -> Vec<Arc<Exclusion>> {
        if list.is_empty() {
            return Vec::new();
        }
        let current = match self.0.load_full() {
            Some(current) if Arc::ptr_eq(&current.0, &list) => current,
            _ => {
                let fresh = Arc::new((Arc::clone(&list), read(&list)));
                self.0.store(Some(Arc::clone(&fresh)));
                fresh
            }
        };
        let live = current.1.get(route).into_iter().flatten().filter(|(until, _)| now < *until);
        live.map(|(_, exclusion)| Arc::clone(exclusion)).collect()
    }
}

fn read(list: &[RuleExclusion]) -> ByRoute {
    let mut by_route = ByRoute::new();
    for RuleExclusion { route, rule, place, until } in list {
        match Exclusion::new(*rule, place.as_deref()) {
            Ok(exclusion) => by_route.entry(route.clone()).or_default().push((*until, Arc::new(exclusion))),
            // It was checked when it was made; a rule that looks everywhere is the safe side.
            Err(e) => tracing::error!(error = e, rule, "an exclusion cannot be read and is not in force"),
        }
    }
    by_route
}
