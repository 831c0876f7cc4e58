//! Files on local disks and in object stores: where they are, what they are made of, how they are
//! read, and how they are written so that nobody ever sees half of one.

pub(crate) mod adapt;
pub(crate) mod byte_stream;
pub(crate) mod compression;
pub(crate) mod csv;
pub(crate) mod csv_reader;
pub(crate) mod derived;
pub(crate) mod encoder;
pub(crate) mod format;
pub(crate) mod glob;
pub(crate) mod infer;
pub(crate) mod ipc_reader;
pub(crate) mod line_reader;
pub(crate) mod listing;
pub(crate) mod local_upload;
pub(crate) mod location;
pub(crate) mod naming;
pub(crate) mod object_ranges;
pub(crate) mod object_upload;
pub(crate) mod open_file;
pub(crate) mod parquet_reader;
pub(crate) mod partition;
pub(crate) mod progress;
pub(crate) mod reader;
pub(crate) mod records;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod staged;
pub(crate) mod store;
pub(crate) mod upload;
