//! What is generated and committed is what the program generates now, and every ready topology
//! passes `check` and its own tests.

use std::fs;
use std::path::Path;

use crate::support::swiftwater;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn reference_pages_are_current() {
    let directory = tempfile::tempdir().unwrap();
    let output = swiftwater(directory.path(), &["docs", "."]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut pages = 0;
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let committed = Path::new(ROOT).join("docs/reference").join(path.file_name().unwrap());
        let cure = "run `swiftwater docs docs/reference`";
        assert!(text(&path) == text(&committed), "{}: {cure}", committed.display());
        pages += 1;
    }
    assert!(pages >= 5, "{pages} pages");
}

#[test]
fn the_schema_for_editors_is_current() {
    let output = swiftwater(Path::new(ROOT), &["schema"]);
    let committed = text(&Path::new(ROOT).join("config/schema/topology.schema.json"));
    let cure = "run `swiftwater schema > config/schema/topology.schema.json`";
    assert!(String::from_utf8_lossy(&output.stdout) == committed, "{cure}");
}

#[test]
fn ready_topologies_pass_check_and_their_own_tests() {
    let config = Path::new(ROOT).join("config");
    let mut directories = vec![config.join("topologies"), config.join("topologies/nexmark")];
    let examples = fs::read_dir(config.join("examples")).unwrap().map(|e| e.unwrap().path());
    directories.extend(examples.filter(|path| path.is_dir()));
    let entries = directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap());
    let mut seen = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let file = path.to_str().unwrap();
        for verb in ["check", "test"] {
            let output = swiftwater(Path::new(ROOT), &[verb, file]);
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{verb} {file}: {}", String::from_utf8_lossy(&said));
        }
        seen += 1;
    }
    assert!(seen >= 7, "{seen} topologies");
}
