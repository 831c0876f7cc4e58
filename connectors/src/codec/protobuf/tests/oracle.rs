//! What `prost-reflect` writes is read, and what is written it reads as the same message.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::Config;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, Value as Dynamic};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

fn plain(kind: &Kind, random: &mut StdRng) -> Dynamic {
    // Small numbers, the largest ones, and zero, which proto3 does not write.
    let bits = random.random_range(0..=64_u32);
    let wide = random.random::<u64>().checked_shr(64 - bits).unwrap_or(0);
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    let narrow = wide as u32;
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Dynamic::I32(narrow.cast_signed()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Dynamic::I64(wide.cast_signed()),
        Kind::Uint32 | Kind::Fixed32 => Dynamic::U32(narrow),
        Kind::Uint64 | Kind::Fixed64 => Dynamic::U64(wide),
        Kind::Float => Dynamic::F32(f32::from(random.random::<i16>()) / 8.0),
        Kind::Double => Dynamic::F64(f64::from(random.random::<i32>()) / 8.0),
        Kind::Bool => Dynamic::Bool(random.random()),
        Kind::String => Dynamic::String("aé\u{1F600}".repeat(random.random_range(0..3))),
        Kind::Bytes => Dynamic::Bytes(vec![random.random(); random.random_range(0..4)].into()),
        Kind::Enum(_) => {
            Dynamic::EnumNumber(*[0, 5, 9, -1].get(random.random_range(0..4)).unwrap())
        }
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            let mut time = DynamicMessage::new(message.clone());
            time.set_field_by_name("seconds", Dynamic::I64(random.random::<i32>().into()));
            // Columns of microseconds hold no more digits.
            time.set_field_by_name(
                "nanos",
                Dynamic::I32(random.random_range(0..1_000_000) * 1_000),
            );
            Dynamic::Message(time)
        }
        Kind::Message(message) => Dynamic::Message(random_message(message, random)),
    }
}

fn field(field: &FieldDescriptor, random: &mut StdRng) -> Dynamic {
    let count = random.random_range(0..4);
    if field.is_map() {
        let entry = field.kind();
        let entry = entry.as_message().unwrap();
        let (key, value) =
            (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        let pairs = (0..count)
            .map(|_| (plain(&key, random).into_map_key().unwrap(), plain(&value, random)));
        return Dynamic::Map(pairs.collect::<HashMap<MapKey, Dynamic>>());
    }
    if field.is_list() {
        return Dynamic::List((0..count).map(|_| plain(&field.kind(), random)).collect());
    }
    plain(&field.kind(), random)
}

fn random_message(message: &MessageDescriptor, random: &mut StdRng) -> DynamicMessage {
    let mut dynamic = DynamicMessage::new(message.clone());
    for one in message.fields() {
        if random.random_range(0..4) > 0 {
            dynamic.set_field(&one, field(&one, random));
        }
    }
    dynamic
}

fn everything() -> MessageDescriptor {
    let file = compile::text(EVERYTHING, &[]).unwrap();
    compile::message(&file, None).unwrap()
}

/// The message by the official mapping to JSON, in which maps have no order.
fn show(message: &DynamicMessage) -> Value {
    serde_json::to_value(message).unwrap()
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(1_000) })]

    #[test]
    fn messages_go_to_columns_and_back(seed in any::<u64>()) {
        let descriptor = everything();
        let mut random = StdRng::seed_from_u64(seed);
        let messages: Vec<_> = (0..5).map(|_| random_message(&descriptor, &mut random)).collect();
        let payloads: Vec<_> = messages.iter().map(DynamicMessage::encode_to_vec).collect();
        let with = json!({ "schema": EVERYTHING });
        let bytes: Vec<_> = payloads.iter().map(|p| Some(p.as_slice())).collect();
        let decoded = reader_for(with.clone(), None).decode(&bytes).unwrap();
        prop_assert_eq!(&decoded.rejected, &vec![]);
        // The wrappers' and optional fields' nulls, the lists and the maps: all comes back.
        let written = write(with, &decoded.records).unwrap();
        for (payload, again) in payloads.iter().zip(&written) {
            let read = |bytes: &[u8]| DynamicMessage::decode(descriptor.clone(), bytes).unwrap();
            let (expected, found) = (read(payload), read(again));
            let same = show(&expected) == show(&found);
            prop_assert!(same, "{}\n{}", show(&expected), show(&found));
        }
    }
}

#[test]
fn each_field_lands_in_its_column() {
    let mut dynamic = DynamicMessage::new(everything());
    let mut set = |name: &str, value: Dynamic| dynamic.set_field_by_name(name, value);
    set("a", Dynamic::I32(-1));
    set("f", Dynamic::I64(-2));
    set("h", Dynamic::U64(u64::MAX));
    set("k", Dynamic::F32(0.5));
    set("n", Dynamic::String("text".into()));
    set("color", Dynamic::EnumNumber(5));
    set("packed", Dynamic::List(vec![Dynamic::I64(-1), Dynamic::I64(1 << 40)]));
    set("by_name", Dynamic::Map(HashMap::from([(MapKey::String("k".into()), Dynamic::I64(0))])));
    set("left", Dynamic::String(String::new()));
    let payload = dynamic.encode_to_vec();
    let types = json!({"a": "int64", "f": "int64", "h": "uint64", "k": "float64", "n": "utf8", "color": "utf8",
        "packed": "list<int64>", "left": "utf8", "right": "int64", "maybe": "int64", "b": "int64"});
    assert_eq!(
        read(json!({ "schema": EVERYTHING }), Some(columns(types)), &payload).unwrap(),
        format!(
            r#"{{"a":-1,"f":-2,"h":{},"k":0.5,"n":"text","color":"BLUE","packed":[-1,{}],"left":"","right":null,"maybe":null,"b":0}}"#,
            u64::MAX,
            1_u64 << 40
        )
    );
}
