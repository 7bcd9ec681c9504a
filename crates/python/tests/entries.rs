//! No panic reaches the interpreter: each function that it calls only calls `enter`, which catches panics.

use std::fs;
use std::path::Path;

const ENTRIES: &str = "entries.rs";

/// Returns the definitions of C functions in a source, each from its name to the end of its body.
fn definitions(source: &str) -> Vec<&str> {
    let after = source.split("extern \"C\" fn ").skip(1);
    // The type of a function has no name before its parentheses.
    let named = after.filter(|text| text.starts_with(|first: char| first.is_alphabetic() || first == '_'));
    named.map(|text| text.split("\n}").next().unwrap_or_default()).collect()
}

fn body(definition: &str) -> &str {
    definition.split_once("{\n").map_or("", |(_, body)| body.trim())
}

/// Faults: P1
#[test]
fn each_entry_catches_panics() {
    let source = fs::read_to_string(Path::new("src").join(ENTRIES)).unwrap();
    let definitions = definitions(&source);
    for definition in &definitions {
        let body = body(definition);
        assert!(
            body.starts_with("enter(|| ") && body.ends_with(')') && !body.contains("\n    enter"),
            "{definition}"
        );
    }
    assert_eq!(definitions.len(), 5, "the entries of two modules");
}

/// Faults: P1
#[test]
fn all_entries_are_in_one_file() {
    let mut read = 0;
    for file in fs::read_dir("src").unwrap() {
        let path = file.unwrap().path();
        let found = definitions(&fs::read_to_string(&path).unwrap()).len();
        assert!(found == 0 || path.ends_with(ENTRIES), "{}", path.display());
        read += 1;
    }
    assert!(read > 15);
}

#[test]
fn definitions_exclude_types() {
    let source = "type A = unsafe extern \"C\" fn() -> c_int;\nextern \"C\" fn b() {\n    enter(|| 5)\n}\n";
    assert_eq!(definitions(source).into_iter().map(body).collect::<Vec<_>>(), ["enter(|| 5)"]);
}
