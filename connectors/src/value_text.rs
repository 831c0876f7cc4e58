//! Single values of columns as text, in the forms of the message format `json`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use swiftwater_engine::Result;

use crate::codec::{self, CodecContext, Payloads};

/// What JSON of one column `v` begins with.
const VALUE: &str = "{\"v\":";

/// Each value as JSON; `None` for null.
///
/// # Errors
/// `Data` where a value has no form in JSON.
pub(crate) fn as_json(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    let field = Field::new("v", array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let node = CodecContext { topic: None, node: "" };
    let mut encoder = codec::encoder(None, Arc::clone(&schema), &node)?()?;
    let mut payloads = Payloads::default();
    encoder.encode(&RecordBatch::try_new(schema, vec![Arc::clone(array)])?, &mut payloads)?;
    let value = |(row, payload): (usize, &[u8])| {
        let text = std::str::from_utf8(payload).ok().filter(|_| array.is_valid(row))?;
        text.strip_prefix(VALUE)?.strip_suffix('}').map(str::to_owned)
    };
    Ok(payloads.iter().enumerate().map(value).collect())
}

/// Each value as text without quotes, or the bytes of a binary column; `None` for null.
///
/// # Errors
/// As [`as_json`].
pub(crate) fn as_text(array: &ArrayRef) -> Result<Vec<Option<Vec<u8>>>> {
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let text = cast(array, &DataType::Utf8)?;
            let text = text.as_string::<i32>();
            Ok(text.iter().map(|value| value.map(|v| v.as_bytes().to_vec())).collect())
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = cast(array, &DataType::Binary)?;
            let bytes = bytes.as_binary::<i32>();
            Ok(bytes.iter().map(|value| value.map(<[u8]>::to_vec)).collect())
        }
        _ => Ok(as_json(array)?.into_iter().map(|value| value.map(unquoted)).collect()),
    }
}

/// Text in quotes, such as a timestamp, without them.
fn unquoted(json: String) -> Vec<u8> {
    match serde_json::from_str::<String>(&json) {
        Ok(text) => text.into_bytes(),
        Err(_) => json.into_bytes(),
    }
}
