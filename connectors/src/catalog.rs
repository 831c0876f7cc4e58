//! One file a kind. A new kind is its file here, its `mod` line and its line in [`register`].

mod blackhole;
mod files_sink;
mod files_source;
mod generate;
mod http_sink;
mod kafka_sink;
mod kafka_source;
mod lookup;
mod postgres_sink;
mod redis_sink;
mod score;
mod stdout;

pub use blackhole::BlackholeOptions;
pub use files_sink::{FilesFeatures, FilesSinkOptions, RollOptions};
pub use files_source::FilesSourceOptions;
pub use generate::{GenerateOptions, Preset};
pub use http_sink::{HttpAuth, HttpBasicAuth, HttpBatch, HttpBody, HttpMethod, HttpOptions};
pub use kafka_sink::KafkaSinkOptions;
pub use kafka_source::KafkaSourceOptions;
pub use lookup::{
    LookupCache, LookupFile, LookupFrom, LookupHttp, LookupOptions, LookupPostgres, LookupRedis,
    LookupRows,
};
pub use postgres_sink::{PostgresFeatures, PostgresSinkOptions};
pub use redis_sink::{FeatureOptions as RedisFeatureOptions, RedisOptions};
pub use score::{
    ScoreCanary, ScoreElement, ScoreInput, ScoreOptions, ScoreOutput, ScoreShadow, ScoreTensor,
};
pub use stdout::{StdoutOptions, View};

use swiftwater_engine::Registry;

use crate::codec;
pub use crate::files::compression::Compression;
pub use crate::files::format::{FileFormat, ParquetOptions};
pub use crate::files::store::StoreOptions;
pub use crate::lookup::OnMiss;
pub use crate::postgres::SslMode;
pub use crate::redis::Layout;
pub use crate::score::TensorType;

/// Registers every source, sink and message format of this crate.
pub fn register(registry: &mut Registry) {
    // Sources.
    registry.source::<FilesSourceOptions>();
    registry.source::<GenerateOptions>();
    registry.source::<KafkaSourceOptions>();
    // Operators.
    registry.operator::<LookupOptions>();
    registry.operator::<ScoreOptions>();
    // Sinks.
    registry.sink::<BlackholeOptions>();
    registry.sink::<FilesSinkOptions>();
    registry.sink::<HttpOptions>();
    registry.sink::<KafkaSinkOptions>();
    registry.sink::<PostgresSinkOptions>();
    registry.sink::<RedisOptions>();
    registry.sink::<StdoutOptions>();
    // Formats.
    registry.format::<codec::JsonOptions>("json");
    registry.format::<codec::CsvOptions>("csv");
    registry.format::<codec::RawOptions>("raw");
    registry.format::<codec::ArrowIpcOptions>("arrow_ipc");
    registry.format::<codec::AvroOptions>("avro");
    registry.format::<codec::ProtobufOptions>("protobuf");
    registry.format::<ParquetOptions>("parquet");
}
