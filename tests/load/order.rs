//! Every byte of a merged stream arrives, in the order in which it was written, also through pipelines.
//!
//! `FORKEXEC_SEED` repeats a run.

use std::ops::Range;

use forkexec::{Command, Pipeline, Stdio};
use forkexec_tests::isolate::isolated_for;
use std::time::Duration;

use crate::in_threads;
use crate::random::seed;
use crate::talking::{Random, rounds};

const LIMIT: Duration = Duration::from_mins(30);

/// A piece that a child writes by one call: `<`, its stream, its number, padding, `>`.
fn piece(stream: usize, number: usize, length: usize) -> String {
    format!("<{stream}{number:03}{}>", "x".repeat(length))
}

/// The pieces that one child writes, each with its stream.
struct Script {
    pieces: Vec<(usize, String)>,
}

impl Script {
    fn draw(random: &mut Random) -> Self {
        let count = 1 + random.below(12);
        let pieces = (0..count).map(|number| {
            let stream = 1 + random.below(2);
            (stream, piece(stream, number, random.below(2000)))
        });
        Self { pieces: pieces.collect() }
    }

    fn command(&self) -> Command {
        let writes = self.pieces.iter().map(|(stream, text)| format!("printf %s '{text}' >&{stream}\n"));
        let mut command = Command::new("sh");
        command.arg("-c").arg(writes.collect::<String>());
        command
    }

    /// All pieces, in order.
    fn all(&self) -> String {
        self.pieces.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The pieces of one stream, in order.
    fn of(&self, wanted: usize) -> String {
        self.pieces.iter().filter(|(stream, _)| *stream == wanted).map(|(_, text)| text.as_str()).collect()
    }
}

/// The pieces of one stream in a text.
fn only(text: &str, stream: usize) -> String {
    let start = format!("<{stream}");
    text.split_inclusive('>').filter(|piece| piece.starts_with(&start)).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("it is text")
}

/// A pipeline of this command and some that copy.
fn copied(first: Command, copies: usize) -> Pipeline {
    (0..copies).fold(Pipeline::new(first), |pipeline, _| pipeline.pipe(Command::new("cat")))
}

fn round(random: &mut Random) {
    let script = Script::draw(random);
    let mut merged = script.command();
    merged.stderr_to_stdout();
    let copies = 1 + random.below(3);
    match random.below(4) {
        0 => assert_eq!(text(merged.output().expect("it starts").stdout), script.all()),
        // `a |& b`
        1 => {
            let output = copied(merged, copies).output().expect("it starts");
            assert_eq!((text(output.stdout), text(output.stderr)), (script.all(), String::new()));
        }
        // `{ a | b; } 2>&1`: one of the streams takes the way through the copies.
        2 => {
            let pipeline = copied(script.command(), copies).stderr_to_stdout();
            let both = text(pipeline.output().expect("it starts").stdout);
            assert_eq!(both.len(), script.all().len());
            assert_eq!((only(&both, 1), only(&both, 2)), (script.of(1), script.of(2)));
        }
        // Both streams apart, read as they come.
        _ => {
            let pipeline = copied(script.command(), copies).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut children = pipeline.spawn().expect("they start");
            let mut chunks = [Vec::new(), Vec::new()];
            let [out, err] = &mut chunks;
            let output = children
                .communicator()
                .on_stdout(|piece| out.extend_from_slice(piece))
                .on_stderr(|piece| err.extend_from_slice(piece))
                .run()
                .expect("they end");
            assert_eq!(chunks, [output.stdout.clone(), output.stderr.clone()]);
            assert_eq!((text(output.stdout), text(output.stderr)), (script.of(1), script.of(2)));
        }
    }
}

#[test]
fn every_byte_of_merged_streams_arrives_in_order() {
    isolated_for(LIMIT, || {
        let seed = seed();
        println!("FORKEXEC_SEED={seed}");
        let count = |_: usize, range: Range<usize>| {
            let len = range.len();
            range.for_each(|number| round(&mut Random(seed.wrapping_add(number as u64))));
            len
        };
        assert_eq!(in_threads(rounds(), count), rounds());
    });
}
