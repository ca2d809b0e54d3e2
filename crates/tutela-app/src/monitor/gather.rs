//! Alerts become incidents: what is about the same people and things within a day is one, and one page.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use tutela_core::{EventId, IncidentId};
use tutela_detection::{IncidentState, Level, entities};
use tutela_store::{Changeset, IncidentRow};

use crate::{App, Ctx, Error, occurrence::IncidentOpened};

/// How long after its last alert another one joins an incident.
const TOGETHER: Duration = Duration::from_hours(24);
/// Most values of one member that an incident names.
const MOST_VALUES: usize = 50;
/// What keeps a sealed summary from being taken for something else.
const PURPOSE: &[u8] = b"incident";

/// Whom and what an incident is about: by member, its values in the order in which they came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct About(pub BTreeMap<String, Vec<String>>);

impl About {
    pub(crate) fn open(app: &App, sealed: &str) -> Self {
        app.open_as(PURPOSE, sealed).unwrap_or_default()
    }

    fn add(&mut self, name: &str, value: &str) {
        let values = self.0.entry(name.to_owned()).or_default();
        if values.len() < MOST_VALUES && !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
}

/// What an alert has to do with incidents.
pub(crate) struct Found<'a> {
    pub rule: &'a str,
    pub title: &'a str,
    pub level: Level,
    pub about: &'a [(String, String)],
}

/// What an alert is to the incident that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// It opened it.
    Opened,
    /// Another rule tells of it, or it is graver than it was.
    More,
    /// More of the same: it is counted, and nobody is called again.
    Same,
}

/// Incidents that the alerts of one commit open or join.
#[derive(Default)]
pub(crate) struct Gathering(Vec<Draft>);

struct Draft {
    row: IncidentRow,
    about: About,
    new: bool,
    more: u64,
    tags: Vec<[u8; 32]>,
    events: Vec<EventId>,
}

impl Gathering {
    /// The incident that an alert belongs to; what is not grave enough to tell opens none.
    pub(crate) async fn join(&mut self, app: &App, ctx: &Ctx, found: &Found<'_>) -> Result<Option<(IncidentId, News)>, Error> {
        let tags: Vec<[u8; 32]> = entities(found.about).map(|(name, value)| app.keyed_hash(b"incident", format!("{name}={value}").as_bytes())).collect();
        let known = self.0.iter().position(|draft| draft.tags.iter().any(|tag| tags.contains(tag)));
        let at = match known {
            Some(at) => Some(at),
            None => self.live(app, ctx, &tags).await?,
        };
        let level = found.level.as_str();
        let Some(at) = at else {
            if found.level < app.detection.alerts.least {
                return Ok(None);
            }
            let id = IncidentId::new(ctx.now, &mut { app.env() });
            let row = IncidentRow {
                id,
                state: IncidentState::Open.as_str().into(),
                level: level.into(),
                title: found.title.to_owned(),
                playbook: app.detection.playbooks.of_rule(found.rule).map(|playbook| playbook.name.clone()),
                rules: vec![found.rule.to_owned()],
                about: String::new(),
                alerts: 0,
                opened_at: ctx.now,
                updated_at: ctx.now,
            };
            let mut draft = Draft { row, about: About::default(), new: true, more: 1, tags, events: Vec::new() };
            found.about.iter().for_each(|(name, value)| draft.about.add(name, value));
            self.0.push(draft);
            return Ok(Some((id, News::Opened)));
        };
        let Some(draft) = self.0.get_mut(at) else { return Ok(None) };
        let graver = Level::parse(&draft.row.level).is_none_or(|before| found.level > before);
        let other = !draft.row.rules.iter().any(|known| known == found.rule);
        if graver {
            draft.row.level = level.into();
        }
        if other && draft.row.rules.len() < MOST_VALUES {
            draft.row.rules.push(found.rule.to_owned());
        }
        if draft.row.playbook.is_none() {
            draft.row.playbook = app.detection.playbooks.of_rule(found.rule).map(|playbook| playbook.name.clone());
        }
        draft.more += 1;
        draft.row.updated_at = ctx.now;
        draft.tags.extend(tags);
        found.about.iter().for_each(|(name, value)| draft.about.add(name, value));
        Ok(Some((draft.row.id, if graver || other { News::More } else { News::Same })))
    }

    /// One that stands already, taken up to be written again.
    async fn live(&mut self, app: &App, ctx: &Ctx, tags: &[[u8; 32]]) -> Result<Option<usize>, Error> {
        for tag in tags {
            let Some(row) = app.store.incident_live_of(*tag, ctx.now.minus(TOGETHER)).await? else { continue };
            if let Some(at) = self.0.iter().position(|draft| draft.row.id == row.id) {
                return Ok(Some(at));
            }
            let about = About::open(app, &row.about);
            self.0.push(Draft { row, about, new: false, more: 0, tags: Vec::new(), events: Vec::new() });
            return Ok(Some(self.0.len() - 1));
        }
        Ok(None)
    }

    /// Names events that belong to an incident.
    pub(crate) fn name(&mut self, id: IncidentId, events: impl Iterator<Item = EventId>) {
        if let Some(draft) = self.0.iter_mut().find(|draft| draft.row.id == id) {
            draft.events.extend(events);
        }
    }

    /// Writes them down.
    pub(crate) async fn write(self, app: &App, ctx: &Ctx, mut set: Changeset) -> Result<Changeset, Error> {
        for mut draft in self.0 {
            draft.row.about = app.seal_as(PURPOSE, &draft.about)?;
            let id = draft.row.id;
            if draft.new {
                draft.row.alerts = draft.more;
                let opened = app.record(ctx, IncidentOpened::new(id, &draft.row.level, &draft.row.title, draft.row.playbook.as_deref())).await?;
                draft.events.push(opened.entry.id);
                set = set.and(opened).incident_insert(&draft.row);
            } else {
                set = set.incident_alert(&draft.row, draft.more);
            }
            draft.tags.sort_unstable();
            draft.tags.dedup();
            set = draft.tags.into_iter().fold(set, |set, tag| set.incident_entity(tag, id, ctx.now));
            set = draft.events.into_iter().fold(set, |set, event| set.incident_event(id, event));
        }
        Ok(set)
    }
}
