//! From `.proto` text or a descriptor set to the descriptor of one message.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

/// The name that the schema of a message has among those it imports.
const MAIN: &str = "message.proto";

/// Files that are held in memory.
struct Held(HashMap<String, String>);

impl FileResolver for Held {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Compiles the text of a schema and of those it imports.
pub(super) fn text(text: &str, imports: &[(String, String)]) -> Result<FileDescriptor, String> {
    let mut held: HashMap<_, _> = imports.iter().cloned().collect();
    held.insert(MAIN.to_owned(), text.to_owned());
    let mut resolver = ChainFileResolver::new();
    resolver.add(Held(held));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.open_file(MAIN).map_err(|e| e.to_string())?;
    main(&compiler.descriptor_pool(), MAIN)
}

/// Compiles a file; imports are looked for in `includes` and beside it.
pub(super) fn file(path: &str, includes: &[String]) -> Result<FileDescriptor, String> {
    let path = Path::new(path);
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let beside = beside.unwrap_or_else(|| Path::new("."));
    let includes = includes.iter().map(PathBuf::from).chain([beside.to_owned()]);
    let mut compiler = Compiler::new(includes).map_err(|e| e.to_string())?;
    compiler.open_file(path).map_err(|e| e.to_string())?;
    let name = compiler.files().last().map(|file| file.name().to_owned());
    main(&compiler.descriptor_pool(), &name.unwrap_or_default())
}

fn main(pool: &DescriptorPool, name: &str) -> Result<FileDescriptor, String> {
    pool.get_file_by_name(name).ok_or_else(|| format!("`{name}` was not compiled"))
}

/// The message of a name, or the only one.
pub(super) fn message(
    file: &FileDescriptor,
    name: Option<&str>,
) -> Result<MessageDescriptor, String> {
    named(file.parent_pool(), file.messages(), name)
}

/// The same from a compiled descriptor set, as `protoc --descriptor_set_out` writes it.
pub(super) fn described(set: &[u8], name: Option<&str>) -> Result<MessageDescriptor, String> {
    let pool = DescriptorPool::decode(set).map_err(|e| e.to_string())?;
    let files: Vec<_> = pool.files().collect();
    named(&pool, files.iter().flat_map(FileDescriptor::messages), name)
}

fn named(
    pool: &DescriptorPool,
    messages: impl Iterator<Item = MessageDescriptor>,
    name: Option<&str>,
) -> Result<MessageDescriptor, String> {
    let messages: Vec<_> = messages.collect();
    let names = || {
        let names: Vec<_> = messages.iter().map(MessageDescriptor::full_name).collect();
        names.join(", ")
    };
    match (name, messages.as_slice()) {
        (Some(name), messages) => pool
            .get_message_by_name(name)
            .or_else(|| messages.iter().find(|message| message.name() == name).cloned())
            .ok_or_else(|| format!("there is no message `{name}` among {}", names())),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err("there is no message in it".to_owned()),
        (None, _) => Err(format!("name one of its messages with `message`: {}", names())),
    }
}

/// Where a message stands in its file: its index, after those of the messages around it.
pub(super) fn indexes(message: &MessageDescriptor) -> Vec<usize> {
    // The path alternates field numbers of the descriptor and indexes.
    let indexes = message.path().iter().skip(1).step_by(2);
    indexes.map(|index| usize::try_from(*index).unwrap_or_default()).collect()
}

/// The message that stands at a place in a file.
pub(super) fn at(file: &FileDescriptor, indexes: &[usize]) -> Option<MessageDescriptor> {
    let (first, inner) = indexes.split_first()?;
    let message = file.messages().nth(*first)?;
    inner.iter().try_fold(message, |message, index| message.child_messages().nth(*index))
}
