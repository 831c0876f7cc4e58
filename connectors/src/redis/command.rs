//! Commands as lists of arguments: sent at once in a pipeline, or packed for a script to run later.

use redis::{Cmd, Pipeline};

/// One command: its name and arguments.
pub(super) type Command = Vec<Vec<u8>>;

/// Commands to be sent together. Each is answered, whatever becomes of the others.
pub(super) fn pipeline(commands: &[Command]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        let mut built = Cmd::new();
        for argument in command {
            built.arg(argument.as_slice());
        }
        pipeline.add_command(built);
    }
    pipeline.ignore_errors();
    pipeline
}

/// Commands in MessagePack, an array of arrays of strings: what `cmsgpack.unpack` of Redis's scripts
/// reads.
pub(super) fn packed(commands: &[Command]) -> Vec<u8> {
    let bytes: usize = commands.iter().flatten().map(|argument| argument.len() + 5).sum();
    let mut out = Vec::with_capacity(bytes + 5 * commands.len() + 5);
    array(commands.len(), &mut out);
    for command in commands {
        array(command.len(), &mut out);
        for argument in command {
            string(argument, &mut out);
        }
    }
    out
}

fn array(length: usize, out: &mut Vec<u8>) {
    out.push(0xDD);
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(bytes.len()) {
        Ok(length) => out.extend_from_slice(&[0xD9, length]),
        Err(_) => {
            out.push(0xDB);
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}
