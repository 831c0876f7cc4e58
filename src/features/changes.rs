//! What changed since a view was registered, and whether its readers can bear it.

use std::fmt;

use swiftwater_engine::{Error, Result};

use super::{Registry, ViewRecord};

/// A change of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A view is new.
    New(String),
    /// A view changed in ways that its readers can bear.
    Changed(String, Vec<String>),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New(name) => write!(f, "{name}: new"),
            Self::Changed(name, what) => write!(f, "{name}: {}", what.join(", ")),
        }
    }
}

/// What differs between the live form of a view and its new one.
#[derive(Default)]
struct Differences {
    /// What readers can bear.
    borne: Vec<String>,
    /// What breaks them, or changes numbers under the same name.
    breaking: Vec<String>,
}

impl Differences {
    fn breaking<T: PartialEq>(
        &mut self,
        what: &str,
        before: &T,
        now: &T,
        told: impl Fn(&T) -> String,
    ) {
        if before != now {
            self.breaking.push(format!("{what} was {} and is {}", told(before), told(now)));
        }
    }

    fn borne<T: PartialEq>(&mut self, what: &str, before: &T, now: &T) {
        if before != now {
            self.borne.push(format!("{what} changed"));
        }
    }
}

fn quoted(text: &String) -> String {
    format!("`{text}`")
}

fn optional(text: &Option<String>) -> String {
    text.as_ref().map_or_else(|| "not given".to_owned(), quoted)
}

fn compare(before: &ViewRecord, now: &ViewRecord) -> Differences {
    let mut found = Differences::default();
    let columns = |columns: &Vec<super::record::ColumnRecord>| {
        let text = columns.iter().map(|c| format!("{} {}", c.name, c.data_type));
        format!("[{}]", text.collect::<Vec<_>>().join(", "))
    };
    found.breaking("`entity`", &before.entity, &now.entity, columns);
    let (old, new) = (&before.event_time, &now.event_time);
    found.breaking("`event_time`", &old.name, &new.name, quoted);
    found.breaking("the type of the event time", &old.data_type, &new.data_type, quoted);
    found.breaking("`topology`", &before.topology, &now.topology, quoted);
    found.breaking("`project`", &before.project, &now.project, quoted);
    for old in &before.features {
        let name = &old.name;
        let Some(new) = now.features.iter().find(|new| new.name == *name) else {
            found.breaking.push(format!("the feature `{name}` is gone"));
            continue;
        };
        let of = |what: &str| format!("{what} of `{name}`");
        found.breaking(&of("the type"), &old.data_type, &new.data_type, quoted);
        found.breaking(&of("the aggregation"), &old.aggregation, &new.aggregation, optional);
        found.breaking(&of("the window"), &old.window, &new.window, optional);
        found.breaking(&of("the rule for nulls"), &old.nulls, &new.nulls, optional);
        found.breaking(&of("the value of nothing"), &old.empty, &new.empty, optional);
        if new.nullable && !old.nullable {
            found.breaking.push(format!("`{name}` was never null and may be now"));
        }
        let words = |f: &super::record::FeatureRecord| {
            (f.nullable, f.description.clone(), f.owner.clone(), f.tags.clone())
        };
        found.borne(&format!("what is said of `{name}`"), &words(old), &words(new));
    }
    let known = |name: &str| before.features.iter().any(|old| old.name == name);
    for new in now.features.iter().filter(|new| !known(&new.name)) {
        found.borne.push(format!("the feature `{}` is new", new.name));
    }
    found.borne("the description", &before.description, &now.description);
    found.borne("the owner", &before.owner, &now.owner);
    found.borne("the tags", &before.tags, &now.tags);
    found.borne("`ttl`", &before.ttl, &now.ttl);
    found.borne("`freshness`", &before.freshness, &now.freshness);
    found.borne("`from`", &before.from, &now.from);
    found.borne("the way to it", &before.upstream, &now.upstream);
    found
}

/// The registry with these views in it, and what changes. Views that are not among them stay.
///
/// # Errors
/// `Config` (`SW4116`) where the readers of a live version would break, with all that breaks them.
pub(crate) fn merge(live: &Registry, views: Vec<ViewRecord>) -> Result<(Registry, Vec<Change>)> {
    let mut merged = Registry { format: 1, views: live.views.clone() };
    let (mut changes, mut refused, mut cures) = (Vec::new(), Vec::new(), Vec::new());
    for now in views {
        let Some(before) = merged.views.iter_mut().find(|before| before.name == now.name) else {
            changes.push(Change::New(now.name.clone()));
            merged.views.push(now);
            continue;
        };
        let found = compare(before, &now);
        if found.breaking.is_empty() {
            if !found.borne.is_empty() {
                changes.push(Change::Changed(now.name.clone(), found.borne));
            }
            *before = now;
        } else {
            refused.push(format!("`{}`: {}", now.name, found.breaking.join("; ")));
            let versions = live.views.iter().filter(|view| view.family == now.family);
            let next = versions.map(|view| view.version).max().unwrap_or(now.version) + 1;
            cures.push(format!("`{}_v{next}`", now.family));
        }
    }
    if !refused.is_empty() {
        let message = format!("change a version that is live: {}", refused.join(". "));
        return Err(Error::config("SW4116", message).with_hint(format!(
            "leave it as it is and make a new version beside it, {}; readers move when they are ready",
            cures.join(", ")
        )));
    }
    merged.views.sort_by(|a, b| (&a.family, a.version).cmp(&(&b.family, b.version)));
    Ok((merged, changes))
}
