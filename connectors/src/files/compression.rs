//! Compression of files: as a whole for lines, inside for Parquet and Arrow IPC.

use std::io::{self, Read, Write};

use arrow_ipc::CompressionType;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use parquet::basic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::{Error, Result};

use super::format::FileFormat;

/// How bytes are made fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// Zstandard.
    Zstd,
    /// Gzip.
    Gzip,
    /// Snappy, for Parquet only.
    Snappy,
    /// LZ4, for Parquet and Arrow IPC.
    Lz4,
}

impl Compression {
    /// What is used where none is named: Zstandard inside Parquet, else none.
    pub(crate) fn default_for(format: FileFormat) -> Self {
        if format == FileFormat::Parquet { Self::Zstd } else { Self::None }
    }

    /// # Errors
    /// `Config` (`SW2013`) where the format cannot be compressed so.
    pub(crate) fn check(self, format: FileFormat) -> Result<Self> {
        let known: &[Self] = match format {
            FileFormat::Parquet => &[Self::None, Self::Zstd, Self::Gzip, Self::Snappy, Self::Lz4],
            FileFormat::ArrowIpc => &[Self::None, Self::Zstd, Self::Lz4],
            FileFormat::Json | FileFormat::Csv | FileFormat::Raw => {
                &[Self::None, Self::Zstd, Self::Gzip]
            }
        };
        if known.contains(&self) {
            return Ok(self);
        }
        let names: Vec<String> = known.iter().map(|c| format!("{c:?}").to_lowercase()).collect();
        let name = format!("{self:?}").to_lowercase();
        Err(Error::config("SW2013", format!("write {} with `compression: {name}`", format.name()))
            .with_hint(format!("use one of {}", names.join(", "))))
    }

    /// What follows the extension of a file that is compressed as a whole.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
            Self::None | Self::Snappy | Self::Lz4 => "",
        }
    }

    /// As the Parquet writer takes it.
    pub(crate) fn in_parquet(self) -> basic::Compression {
        match self {
            Self::None => basic::Compression::UNCOMPRESSED,
            Self::Zstd => basic::Compression::ZSTD(basic::ZstdLevel::default()),
            Self::Gzip => basic::Compression::GZIP(basic::GzipLevel::default()),
            Self::Snappy => basic::Compression::SNAPPY,
            Self::Lz4 => basic::Compression::LZ4_RAW,
        }
    }

    /// As the Arrow IPC writer takes it.
    pub(crate) const fn in_arrow_ipc(self) -> Option<CompressionType> {
        match self {
            Self::Zstd => Some(CompressionType::ZSTD),
            Self::Lz4 => Some(CompressionType::LZ4_FRAME),
            Self::None | Self::Gzip | Self::Snappy => None,
        }
    }
}

/// The bytes of a file, decompressed where its name ends in `.gz` or `.zst`.
pub(crate) fn decompressed(
    name: &str,
    bytes: Box<dyn Read + Send>,
) -> io::Result<Box<dyn Read + Send>> {
    Ok(if name.ends_with(".gz") {
        Box::new(MultiGzDecoder::new(bytes))
    } else if name.ends_with(".zst") {
        Box::new(zstd::stream::read::Decoder::new(bytes)?)
    } else {
        bytes
    })
}

/// A buffer that what is written comes out of compressed, a little later.
pub(crate) enum Compressed {
    /// As it is.
    Plain(Vec<u8>),
    /// Zstandard.
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    /// Gzip.
    Gzip(GzEncoder<Vec<u8>>),
}

impl Compressed {
    /// An empty buffer.
    pub(crate) fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 3)?),
            Compression::Gzip => {
                Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::default()))
            }
            Compression::None | Compression::Snappy | Compression::Lz4 => Self::Plain(Vec::new()),
        })
    }

    /// What has come out so far.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain(buffer) => buffer,
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        }
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(buffer) => {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    /// Everything that is still to come out.
    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(buffer) => Ok(buffer),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_can_be_read_again() {
        let text = b"one line after the other\n".repeat(1000);
        for compression in [Compression::None, Compression::Zstd, Compression::Gzip] {
            let mut packed = Compressed::new(compression).unwrap();
            let mut stored = Vec::new();
            for part in text.chunks(777) {
                packed.write(part).unwrap();
                stored.append(packed.buffer());
            }
            stored.extend(packed.finish().unwrap());
            assert_eq!(stored.len() < text.len() / 10, compression != Compression::None);
            let name = format!("x{}", compression.suffix());
            let mut read = Vec::new();
            let mut unpacked = decompressed(&name, Box::new(io::Cursor::new(stored))).unwrap();
            unpacked.read_to_end(&mut read).unwrap();
            assert_eq!(read, text, "{compression:?}");
        }
    }

    #[test]
    fn a_format_refuses_a_compression_that_it_has_not() {
        assert!(Compression::Snappy.check(FileFormat::Parquet).is_ok());
        let error = Compression::Snappy.check(FileFormat::Json).unwrap_err();
        assert!(error.to_string().contains("zstd") && error.code == "SW2013", "{error}");
        assert!(Compression::Gzip.check(FileFormat::ArrowIpc).is_err());
    }
}
