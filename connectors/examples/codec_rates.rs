//! How fast messages are decoded and encoded on one thread, beside `arrow-json` on the same bytes.
//!
//! `cargo run --release -p swiftwater-connectors --example codec_rates [ROUNDS]`
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use swiftwater_config::FormatConfig;
use swiftwater_connectors::codec::{self, CodecContext, Payloads};
use swiftwater_engine::{Error, Result, schema};

/// Payloads in one batch.
const ROWS: usize = 8192;
const CX: CodecContext<'static> = CodecContext { topic: Some("bids"), node: "rates" };

fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    let bids: Vec<String> = (0..ROWS as u64).map(bid).collect();
    let payloads: Vec<Option<&[u8]>> = bids.iter().map(|b| Some(b.as_bytes())).collect();
    let bytes: usize = bids.iter().map(String::len).sum();
    println!("{ROWS} bids of {} bytes, {rounds} rounds", bytes / ROWS);
    let schema = columns()?;
    decode_rates(&schema, &payloads, rounds)?;
    if std::env::args().nth(2).is_some_and(|only| only == "decode") {
        return Ok(());
    }
    encode_rates(&schema, &payloads, rounds)
}

fn columns() -> Result<SchemaRef> {
    let columns = serde_json::json!({
        "auction": "int64", "bidder": "int64", "price": "int64", "channel": "utf8",
        "date_time": "timestamp_ms",
    });
    schema::from_config(columns.as_object().ok_or_else(|| Error::bug("no object"))?)
}

/// A bid as the Nexmark generator writes it.
fn bid(n: u64) -> String {
    let mix = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let channel = match mix % 4 {
        0 => "Google",
        1 => "Facebook",
        2 => "Baidu",
        _ => "Apple",
    };
    format!(
        "{{\"auction\":{},\"bidder\":{},\"price\":{},\"channel\":\"{channel}\",\
         \"url\":\"https://www.nexmark.com/{:x}/item.htm?query=1&channel_id={}\",\
         \"date_time\":{},\"extra\":\"{}\"}}",
        1000 + mix % 5000,
        2000 + mix % 90_000,
        100 + mix % 10_000_000,
        mix % 0xFFFF_FFFF,
        mix % 1_000_000,
        1_767_225_600_000 + n * 3,
        "abcdefghijklmnopqrstuvwxyz".repeat(3).get(..60 + (mix % 8) as usize).unwrap_or_default(),
    )
}

/// Best of twenty runs, in million rows a second.
fn rate(rounds: usize, mut batch: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = 0.0_f64;
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..rounds.div_ceil(20) {
            batch()?;
        }
        let rows = (rounds.div_ceil(20) * ROWS) as f64;
        best = best.max(rows / start.elapsed().as_secs_f64() / 1e6);
    }
    Ok(best)
}

fn decode_rates(schema: &SchemaRef, payloads: &[Option<&[u8]>], rounds: usize) -> Result<()> {
    let mut tape = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(ROWS).build_decoder()?;
    let arrow = rate(rounds, || {
        for payload in payloads.iter().flatten() {
            tape.decode(payload)?;
        }
        black_box(tape.flush()?);
        Ok(())
    })?;
    println!("decode json, 5 of 7 fields: arrow-json    {arrow:.2} M rows/s");
    let mut ours = (codec::decoder(None, Some(Arc::clone(schema)), &CX)?.make)()?;
    let rate = rate(rounds, || {
        black_box(ours.decode(payloads)?);
        Ok(())
    })?;
    println!("decode json, 5 of 7 fields: swiftwater    {rate:.2} M rows/s");
    Ok(())
}

fn encode_rates(schema: &SchemaRef, payloads: &[Option<&[u8]>], rounds: usize) -> Result<()> {
    let mut decoder = (codec::decoder(None, Some(Arc::clone(schema)), &CX)?.make)()?;
    let records = decoder.decode(payloads)?.records;
    for width in [3, 5] {
        let records = records.project(&(0..width).collect::<Vec<_>>())?;
        let arrow = rate(rounds, || {
            let mut writer = WriterBuilder::new()
                .with_explicit_nulls(true)
                .build::<_, LineDelimited>(Vec::with_capacity(1 << 20));
            writer.write(&records)?;
            writer.finish()?;
            black_box(writer.into_inner());
            Ok(())
        })?;
        println!("encode json, {width} columns: arrow-json    {arrow:.2} M rows/s");
        for timestamps in ["rfc3339", "epoch"] {
            let rate = encode_rate(&records, timestamps, rounds)?;
            println!(
                "encode json, {width} columns, {timestamps}: swiftwater    {rate:.2} M rows/s"
            );
        }
    }
    Ok(())
}

fn encode_rate(records: &RecordBatch, timestamps: &str, rounds: usize) -> Result<f64> {
    let format = FormatConfig {
        name: "json".into(),
        options: serde_json::json!({ "timestamps": timestamps }),
    };
    let schema: &Schema = records.schema_ref();
    let make = codec::encoder(Some(&format), Arc::new(schema.clone()), &CX)?;
    let mut encoder = make()?;
    let mut out = Payloads::default();
    rate(rounds, || {
        out.clear();
        encoder.encode(records, &mut out)?;
        black_box(&out);
        Ok(())
    })
}
