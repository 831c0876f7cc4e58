//! Where a model comes from: a file, an object of a store, or the options themselves.

use serde_json::Value;
use swiftwater_engine::snapshot::Store;
use swiftwater_engine::{Error, Result};

use super::model::Model;

/// A model cannot be read, or no row can be made from it.
pub(crate) fn unfit(place: &str, why: &str) -> Error {
    Error::config("SW0385", format!("use the model `{place}`: {why}")).with_hint(
        "name a file that holds what `learn` gives: the column `model`, or its rows as JSON lines",
    )
}

/// Reads the model of `place`: a path, the URL of an object, or the model's text.
///
/// # Errors
/// `Config` (`SW0385`), with what is wrong.
pub(crate) fn read(place: &str) -> Result<Model> {
    if place.trim_start().starts_with('{') {
        return of_text(place).map_err(|why| unfit("{…}", &why));
    }
    let bytes = if place.contains("://") {
        object(place)?
    } else {
        std::fs::read(place).map_err(|e| unfit(place, &e.to_string()))?
    };
    let text = String::from_utf8(bytes).map_err(|_| unfit(place, "it is no text"))?;
    of_text(&text).map_err(|why| unfit(place, &why))
}

fn object(url: &str) -> Result<Vec<u8>> {
    let parts: Vec<&str> = url.rsplitn(3, '/').collect();
    let [name, directory, root] = parts.as_slice() else {
        return Err(unfit(url, "it is no URL of an object"));
    };
    if root.ends_with(":/") || root.ends_with('/') && !root.starts_with("file") {
        return Err(unfit(url, "the object lies in no directory of the bucket"));
    }
    let store = Store::open(root, directory).map_err(|e| unfit(url, &e.to_string()))?;
    let found = store.get(name).map_err(|e| unfit(url, &e.to_string()))?;
    found.map(|bytes| bytes.to_vec()).ok_or_else(|| unfit(url, "there is no such object"))
}

/// A model, or rows of versions, of which the last counts.
fn of_text(text: &str) -> Result<Model, String> {
    let lines = text.lines().rev().filter(|line| !line.trim().is_empty());
    let last = lines.take(1).find_map(|line| serde_json::from_str::<Value>(line).ok());
    let model = last.as_ref().and_then(|row| row.get("model")).and_then(Value::as_str);
    Model::from_text(model.unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::super::model::{Column, Dependence, Fitted, Part, Values};
    use super::*;

    fn model() -> Model {
        let values =
            Values::Categories { own: 1, values: vec!["a".into()], weights: vec![1.0], rest: 0.0 };
        let parts = vec![Part { name: "k".into(), data_type: "utf8".into() }];
        Model {
            name: "m".into(),
            version: 1,
            fitted: Fitted::default(),
            time: None,
            columns: vec![Column { parts, nulls: 0.0, values }],
            dependence: Dependence::Tree(Vec::new()),
        }
    }

    #[test]
    fn a_model_is_read_from_all_its_places() {
        let folder = std::env::temp_dir().join(format!("swiftwater-model-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let text = model().to_text();
        assert_eq!(read(&text).unwrap(), model());
        let file = folder.join("m.json");
        std::fs::write(&file, &text).unwrap();
        assert_eq!(read(file.to_str().unwrap()).unwrap(), model());
        assert_eq!(read(&format!("file://{}", file.display())).unwrap(), model());
        let lines = folder.join("m.jsonl");
        let row = |text: &str| serde_json::json!({"version": 1, "model": text}).to_string();
        std::fs::write(&lines, format!("{}\n{}\n", row("old"), row(&text))).unwrap();
        assert_eq!(read(lines.to_str().unwrap()).unwrap(), model());
        std::fs::remove_dir_all(&folder).unwrap();
        for place in ["/no/such/model.json", "file:///no/such/model.json", "s3://bucket", "{}"] {
            let error = read(place).unwrap_err();
            assert!(error.code == "SW0385" && error.hint.is_some(), "{error}");
        }
    }
}
