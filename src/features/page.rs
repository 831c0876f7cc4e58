//! The registry as one HTML page that needs nothing else: no script from elsewhere, no font, no image.

use super::Registry;
use super::record::{FeatureRecord, ViewRecord};

const HEAD: &str = include_str!("page_head.html");

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A cell; what is not given is a dash.
fn cell(class: &str, text: Option<&str>) -> String {
    match text {
        Some(text) if !text.is_empty() => format!("<td class=\"{class}\">{}</td>", escaped(text)),
        _ => "<td class=\"none\">–</td>".to_owned(),
    }
}

fn tags(tags: &[String]) -> String {
    tags.iter().map(|tag| format!("<span class=\"tag\">{}</span>", escaped(tag))).collect()
}

fn fact(name: &str, value: &str) -> String {
    format!("<div><dt>{name}</dt><dd>{value}</dd></div>")
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

fn feature(feature: &FeatureRecord) -> String {
    let never_null = if feature.nullable { "" } else { "!" };
    let data_type = format!("{}{never_null}", feature.data_type);
    let mut meaning = feature.description.as_deref().map(escaped).unwrap_or_default();
    if let Some(owner) = &feature.owner {
        meaning += &format!(" <span class=\"owner\">{}</span>", escaped(owner));
    }
    meaning += &tags(&feature.tags);
    format!(
        "<tr><th scope=\"row\"><code>{}</code></th>{}{}{}{}{}<td>{meaning}</td></tr>\n",
        escaped(&feature.name),
        cell("type", Some(&data_type)),
        cell("code", feature.aggregation.as_deref()),
        cell("", feature.window.as_deref()),
        cell("", feature.nulls.as_deref()),
        cell("", feature.empty.as_deref()),
    )
}

fn section(view: &ViewRecord) -> String {
    let entity: Vec<String> =
        view.entity.iter().map(|c| code(&format!("{} {}", c.name, c.data_type))).collect();
    let way: Vec<String> = view
        .upstream
        .iter()
        .map(|node| {
            format!("{} <span class=\"kind\">{}</span>", code(&node.name), escaped(&node.kind))
        })
        .collect();
    let time = format!("{} {}", view.event_time.name, view.event_time.data_type);
    let mut facts = fact("Entity", &entity.join(" "));
    facts += &fact("Event time", &code(&time));
    for (name, value) in
        [("Owner", &view.owner), ("Freshness", &view.freshness), ("Lives for", &view.ttl)]
    {
        if let Some(value) = value {
            facts += &fact(name, &escaped(value));
        }
    }
    facts += &fact("Project", &code(&view.project));
    facts += &fact(
        "Comes from",
        &format!("{} &rsaquo; {}", code(&view.topology), way.join(" &rsaquo; ")),
    );
    let rows: String = view.features.iter().map(feature).collect();
    format!(
        "<section id=\"{id}\"><h2>{family} <span class=\"version\">v{version}</span>{tags}</h2>\n\
         <p class=\"about\">{about}</p>\n<dl>{facts}</dl>\n<div class=\"wide\"><table>\n\
         <thead><tr><th>Feature</th><th>Type</th><th>Aggregation</th><th>Window</th><th>Nulls</th>\
         <th>Empty</th><th>Meaning</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div></section>\n",
        id = escaped(&view.name),
        family = escaped(&view.family),
        version = view.version,
        tags = tags(&view.tags),
        about = view.description.as_deref().map(escaped).unwrap_or_default(),
    )
}

/// The page.
pub(crate) fn page(registry: &Registry) -> String {
    let views = registry.views.iter();
    let features: usize = views.clone().map(|view| view.features.len()).sum();
    let links: String = views
        .clone()
        .map(|view| format!("<a href=\"#{0}\">{0}</a>", escaped(&view.name)))
        .collect();
    let sections: String = views.map(section).collect();
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!(
        "{HEAD}<header><h1>Features</h1><p>{}, {}</p>\
         <input id=\"find\" type=\"search\" placeholder=\"Find a feature, an owner, a tag\" aria-label=\"Find\">\
         <nav>{links}</nav></header>\n<main>\n{sections}</main>\n{SCRIPT}</body></html>\n",
        plural(registry.views.len(), "view"),
        plural(features, "feature"),
    )
}

const SCRIPT: &str = "<script>
document.getElementById('find').addEventListener('input', event => {
  const words = event.target.value.toLowerCase().split(/\\s+/).filter(Boolean);
  const has = element => words.every(word => element.textContent.toLowerCase().includes(word));
  for (const section of document.querySelectorAll('section')) {
    const head = [...section.querySelectorAll('h2, .about, dl')].some(has);
    let shown = head;
    for (const row of section.querySelectorAll('tbody tr')) {
      row.hidden = !head && !has(row);
      shown = shown || !row.hidden;
    }
    section.hidden = !shown;
  }
});
</script>
";
