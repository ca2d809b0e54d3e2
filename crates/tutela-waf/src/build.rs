//! Directives become rules, in the order in which they stand.

use std::collections::HashMap;

use crate::{
    error::{Error, Place},
    gate::{Gate, Gates},
    operator::{Files, Operator},
    pipeline::{Node, Pipelines},
    ruleset::{Does, Rule, RuleSet, Source, Test},
    seclang::{Action, Directive, Disruption, Id, Kind, RawRule, Target, Which, lines, read_directive},
    settings::Settings,
    text::Text,
    transform::UnicodeMap,
};

/// How deep files may include each other.
const DEEPEST: usize = 16;
/// Most rules, links of chains counted.
const MOST_RULES: usize = 100_000;

fn at(file: &str, line: u32, what: String) -> Error {
    Error { place: Place { file: file.into(), line }, what }
}

/// Rules on their way to a [`RuleSet`].
pub(crate) struct Builder<'a> {
    files: &'a dyn Files,
    rules: Vec<Rule>,
    markers: HashMap<String, u32>,
    settings: Settings,
    pipelines: Pipelines,
    unicode: Option<UnicodeMap>,
    /// `SecDefaultAction` of each phase.
    defaults: HashMap<u8, Vec<Action>>,
    /// The rule that waits for its next link.
    chained: Option<u32>,
    chain_id: u64,
    ids: HashMap<u64, Place>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            rules: Vec::new(),
            markers: HashMap::new(),
            settings: Settings::default(),
            pipelines: Pipelines::default(),
            unicode: None,
            defaults: HashMap::new(),
            chained: None,
            ids: HashMap::new(),
            chain_id: 0,
        }
    }

    /// Reads every source, in their order.
    pub(crate) fn load(mut self, sources: &[Source<'_>]) -> Result<RuleSet, Error> {
        for source in sources {
            match source {
                Source::File(pattern) => self.include(pattern, false, 0).map_err(|what| at(pattern, 1, what))??,
                Source::Text { name, text } => self.text(name, text, 0)?,
            }
        }
        self.finish()
    }

    /// The outer error is about the pattern, the inner one about what stands in a file.
    fn include(&mut self, pattern: &str, optional: bool, depth: usize) -> Result<Result<(), Error>, String> {
        if depth > DEEPEST {
            return Err(format!("files include each other more than {DEEPEST} deep"));
        }
        for path in self.files.list(pattern)? {
            let bytes = match self.files.read(&path) {
                Err(_) if optional => continue,
                read => read?,
            };
            let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is no UTF-8"))?;
            if let Err(e) = self.text(&path, &text, depth) {
                return Ok(Err(e));
            }
        }
        Ok(Ok(()))
    }

    fn text(&mut self, name: &str, text: &str, depth: usize) -> Result<(), Error> {
        for line in lines(text, &name.into())? {
            let directive = read_directive(&line)?;
            let place = line.place;
            let wrong = |what: String| Error { place: place.clone(), what };
            match directive {
                Directive::Include(pattern, optional) => {
                    let pattern = beside(name, &pattern);
                    self.include(&pattern, optional, depth + 1).map_err(wrong)??;
                }
                other => self.take(other, &place).map_err(wrong)?,
            }
        }
        match self.chained.take() {
            Some(index) => Err(Error { place: self.rules[index as usize].place.clone(), what: "it has `chain`, and no rule follows it in this file".into() }),
            None => Ok(()),
        }
    }

    fn take(&mut self, directive: Directive, place: &Place) -> Result<(), String> {
        if self.chained.is_some() && !matches!(directive, Directive::Rule(_) | Directive::Action(_)) {
            return Err("the rule before it has `chain`; only a rule may follow it".into());
        }
        match directive {
            Directive::Include(..) | Directive::Nothing => {}
            Directive::Setting(setting) => self.settings.set(setting),
            Directive::Marker(name) => drop(self.markers.insert(name, self.rules.len() as u32)),
            Directive::UnicodeMap(file, page) => {
                let bytes = self.files.read(&beside(&place.file, &file))?;
                let map = UnicodeMap::read(&String::from_utf8_lossy(&bytes), page);
                self.unicode = Some(map.ok_or_else(|| format!("`{file}` has no code page {page}"))?);
            }
            Directive::DefaultAction(actions) => {
                self.defaults.insert(phase(&actions).ok_or("`SecDefaultAction` needs a `phase`")?, actions);
            }
            Directive::Action(actions) => self.rule(Vec::new(), None, actions, place)?,
            Directive::Rule(RawRule { targets, negated, operator, argument, actions }) => {
                let files = self.files;
                let mut read = |file: &str| files.read(&beside(&place.file, file));
                let text = format!("{}@{operator} {argument}", if negated { "!" } else { "" });
                let operator = Operator::build(&operator, &argument, &mut read)?;
                self.rule(targets, Some(Test { operator, negated, gate: Gate::Open, text: text.into() }), actions, place)?;
            }
            Directive::Remove(which) => {
                // A rule that is gone matches nothing; its place stays, so that nothing that points there moves.
                for index in self.which(&which) {
                    self.rules[index].phase = 0;
                }
            }
            Directive::UpdateTargets(which, targets) => {
                for index in self.which(&which) {
                    self.rules[index].targets.extend(targets.iter().cloned());
                }
            }
            Directive::UpdateActions(id, actions) => {
                let found = self.which(&Which::Ids(vec![Id { first: id, last: id }]));
                let index = *found.first().ok_or_else(|| format!("there is no rule {id} before this"))?;
                let (mut does, phase) = (self.rules[index].does.clone(), self.rules[index].phase);
                let mut nodes = (self.rules[index].pipeline, Vec::new());
                self.fill(
                    &mut does,
                    &mut nodes,
                    actions.into_iter().filter(|action| !matches!(action, Action::Id(_) | Action::Phase(_) | Action::Chain)),
                    phase,
                )?;
                self.rules[index].does = does;
                self.rules[index].pipeline = nodes.0;
            }
        }
        Ok(())
    }

    /// The first rules of chains that are meant.
    fn which(&self, which: &Which) -> Vec<usize> {
        let fits = |rule: &Rule| match which {
            Which::Ids(ids) => ids.iter().any(|id| id.holds(rule.id)),
            Which::Message(regex) => rule.does.message.as_ref().and_then(Text::plain).is_some_and(|text| regex.is_match(text)),
            Which::Tag(regex) => rule.does.tags.iter().filter_map(Text::plain).any(|tag| regex.is_match(tag)),
        };
        (0..self.rules.len()).filter(|index| !self.rules[*index].is_link && fits(&self.rules[*index])).collect()
    }

    fn rule(&mut self, targets: Vec<Target>, test: Option<Test>, actions: Vec<Action>, place: &Place) -> Result<(), String> {
        if self.rules.len() >= MOST_RULES {
            return Err(format!("there are more than {MOST_RULES} rules"));
        }
        if test.is_some() && targets.iter().all(|target| target.kind == Kind::Except) {
            return Err("the rule looks at nothing".into());
        }
        let index = self.rules.len() as u32;
        let before = self.chained.take();
        let is_link = before.is_some();
        let id = actions.iter().find_map(|action| if let Action::Id(id) = action { Some(*id) } else { None });
        let id = match (is_link, id) {
            (false, None) => return Err("the rule has no `id`".into()),
            (true, Some(_)) => return Err("a link of a chain has no `id` of its own; the first rule's is that of all".into()),
            (true, None) => self.chain_id,
            (false, Some(id)) => id,
        };
        if !is_link && let Some(other) = self.ids.insert(id, place.clone()) {
            return Err(format!("the id {id} is taken by the rule at {other}"));
        }
        let phase = match before {
            Some(first) => self.rules[first as usize].phase,
            None => phase(&actions).unwrap_or(2),
        };
        let chains = actions.iter().any(|action| matches!(action, Action::Chain));
        let (mut does, mut nodes) = (Does { log: true, audit: true, ..Does::default() }, (Node::ROOT, Vec::new()));
        if !is_link {
            let defaults = self.defaults.get(&phase).cloned().unwrap_or_else(|| vec![Action::Disrupt(Disruption::Pass)]);
            self.fill(&mut does, &mut nodes, defaults.into_iter(), phase)?;
        }
        self.fill(&mut does, &mut nodes, actions.into_iter(), phase)?;
        let (pipeline, mut stages) = nodes;
        stages.insert(0, Node::ROOT);
        stages.dedup();
        if !does.multi {
            stages.clear();
        }
        self.rules.push(Rule { place: place.clone(), id, phase, targets, test, pipeline, stages, does, is_link, chain: None });
        if let Some(before) = before {
            self.rules[before as usize].chain = Some(index);
        }
        if chains {
            self.chained = Some(index);
            self.chain_id = id;
        }
        Ok(())
    }

    fn fill(&mut self, does: &mut Does, nodes: &mut (Node, Vec<Node>), actions: impl Iterator<Item = Action>, phase: u8) -> Result<(), String> {
        for action in actions {
            match action {
                Action::Chain | Action::Id(_) | Action::Phase(_) | Action::Remark => {}
                Action::AuditLog(audit) => does.audit = audit,
                Action::Block => {
                    let default = self.defaults.get(&phase).into_iter().flatten();
                    for action in default {
                        match action {
                            Action::Disrupt(disruption) => does.disruption = Some(disruption.clone()),
                            Action::Status(status) => does.status = Some(*status),
                            _ => {}
                        }
                    }
                }
                Action::Capture => does.capture = true,
                Action::Control(control) => does.controls.push(control),
                Action::Disrupt(disruption) => does.disruption = Some(disruption),
                Action::Log(log) => (does.log, does.audit) = (log, log),
                Action::LogData(text) => does.log_data = Some(text),
                Action::Message(text) => does.message = Some(text),
                Action::MultiMatch => does.multi = true,
                Action::SetEnv(name, text) => does.env.push((name, text)),
                Action::SetVar(set) => does.set.push(set),
                Action::Severity(severity) => does.severity = Some(severity),
                Action::Skip(number) => does.skip = number,
                Action::SkipAfter(marker) => does.skip_after = Some(marker),
                Action::Status(status) => does.status = Some(status),
                Action::Tag(tag) => does.tags.push(tag),
                Action::Transform(transformation) => {
                    nodes.0 = self.pipelines.then(nodes.0, transformation)?;
                    nodes.1.push(nodes.0);
                }
                Action::TransformNone => *nodes = (Node::ROOT, Vec::new()),
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<RuleSet, Error> {
        let Self { mut rules, markers, settings, pipelines, unicode, .. } = self;
        let mut gates = Gates::default();
        for rule in &mut rules {
            if let Some(marker) = &rule.does.skip_after
                && !markers.contains_key(marker)
            {
                return Err(Error { place: rule.place.clone(), what: format!("`skipAfter:{marker}` leads nowhere: there is no `SecMarker` of this name") });
            }
            if let Some(test) = rule.test.as_mut().filter(|test| !test.negated) {
                test.gate = gates.add(&test.operator);
            }
        }
        let scanner = gates.scanner().map_err(|what| at("all rules", 1, what))?;
        let mut phases: [Vec<u32>; 6] = Default::default();
        for (index, rule) in (0..).zip(&rules).filter(|(_, rule)| !rule.is_link) {
            phases[usize::from(rule.phase.min(5))].push(index);
        }
        phases[0].clear();
        let mut tags: HashMap<String, Vec<u32>> = HashMap::new();
        for (index, rule) in (0..).zip(&rules) {
            for tag in rule.does.tags.iter().filter_map(Text::plain) {
                tags.entry(String::from_utf8_lossy(tag).into_owned()).or_default().push(index);
            }
        }
        Ok(RuleSet { rules, phases, markers, tags, settings, pipelines, scanner, unicode })
    }
}

fn phase(actions: &[Action]) -> Option<u8> {
    actions.iter().find_map(|action| if let Action::Phase(phase) = action { Some(*phase) } else { None })
}

/// A path that a file names, as seen from that file.
fn beside(file: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    match file.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{path}"),
        None => path.to_owned(),
    }
}
