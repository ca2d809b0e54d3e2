//! What is known of a request, by variable, in the order in which it came.

use hashbrown::HashMap;

use crate::{
    value::{ValueId, Values},
    variable::Variable,
};

/// One value of a collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub name: ValueId,
    pub value: ValueId,
}

/// A collection that rules write to.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    entries: Vec<(Entry, bool)>,
    index: HashMap<ValueId, usize>,
}

impl Kept {
    pub(crate) fn get(&self, name: ValueId) -> Option<ValueId> {
        self.index.get(&name).map(|at| self.entries[*at].0.value)
    }

    /// Names are in small letters.
    pub(crate) fn set(&mut self, name: ValueId, value: ValueId) {
        match self.index.get(&name) {
            Some(&at) => self.entries[at].0.value = value,
            None => {
                self.index.insert(name, self.entries.len());
                self.entries.push((Entry { name, value }, true));
            }
        }
    }

    pub(crate) fn remove(&mut self, name: ValueId) {
        if let Some(at) = self.index.remove(&name) {
            self.entries[at].1 = false;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().filter(|(_, there)| *there).map(|(entry, _)| *entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }
}

/// Every variable of a request.
#[derive(Debug)]
pub(crate) struct Collections {
    read: Vec<Vec<Entry>>,
    kept: [Kept; 7],
}

/// Where a writable collection is.
fn kept(variable: Variable) -> Option<usize> {
    Some(match variable {
        Variable::Tx => 0,
        Variable::Env => 1,
        Variable::Global => 2,
        Variable::Ip => 3,
        Variable::Resource => 4,
        Variable::Session => 5,
        Variable::User => 6,
        _ => return None,
    })
}

impl Collections {
    pub(crate) fn new() -> Self {
        Self { read: vec![Vec::new(); Variable::ALL.len()], kept: Default::default() }
    }

    /// Sets a single value.
    pub(crate) fn put(&mut self, variable: Variable, value: ValueId) {
        let entries = &mut self.read[variable as usize];
        entries.clear();
        entries.push(Entry { name: ValueId::EMPTY, value });
    }

    /// One more value of a collection.
    pub(crate) fn push(&mut self, variable: Variable, entry: Entry) {
        self.read[variable as usize].push(entry);
    }

    pub(crate) fn clear(&mut self, variable: Variable) {
        self.read[variable as usize].clear();
    }

    pub(crate) fn kept(&self, variable: Variable) -> Option<&Kept> {
        kept(variable).map(|at| &self.kept[at])
    }

    pub(crate) fn kept_mut(&mut self, variable: Variable) -> Option<&mut Kept> {
        kept(variable).map(|at| &mut self.kept[at])
    }

    pub(crate) fn tx(&mut self) -> &mut Kept {
        &mut self.kept[0]
    }

    /// Every value of a variable.
    pub(crate) fn each(&self, variable: Variable, mut take: impl FnMut(Entry)) {
        let named = |entry: &Entry| Entry { name: entry.name, value: entry.name };
        let all = |variable: Variable| self.read[variable as usize].iter();
        match variable {
            Variable::Args => all(Variable::ArgsGet).chain(all(Variable::ArgsPost)).for_each(|entry| take(*entry)),
            Variable::ArgsNames => all(Variable::ArgsGet).chain(all(Variable::ArgsPost)).for_each(|entry| take(named(entry))),
            Variable::ArgsGetNames => all(Variable::ArgsGet).for_each(|entry| take(named(entry))),
            Variable::ArgsPostNames => all(Variable::ArgsPost).for_each(|entry| take(named(entry))),
            Variable::RequestCookiesNames => all(Variable::RequestCookies).for_each(|entry| take(named(entry))),
            Variable::RequestHeadersNames => all(Variable::RequestHeaders).for_each(|entry| take(named(entry))),
            Variable::ResponseHeadersNames => all(Variable::ResponseHeaders).for_each(|entry| take(named(entry))),
            _ => match self.kept(variable) {
                Some(kept) => kept.iter().for_each(take),
                None => all(variable).for_each(|entry| take(*entry)),
            },
        }
    }

    /// The first value of a variable, of this name where it is a collection.
    pub(crate) fn first(&self, variable: Variable, name: &[u8], values: &Values) -> Option<ValueId> {
        let mut found = None;
        self.each(variable, |entry| {
            if found.is_none() && (name.is_empty() || values.get(entry.name).eq_ignore_ascii_case(name)) {
                found = Some(entry.value);
            }
        });
        found
    }

    /// The bytes of a single value.
    pub(crate) fn single<'v>(&self, variable: Variable, values: &'v Values) -> &'v [u8] {
        self.read[variable as usize].first().map_or(&[], |entry| values.get(entry.value))
    }
}
