//! Rows on the local disk, in the row format of Arrow, so that any of them can be read alone.

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use swiftwater_engine::{Error, Result, SpillExtent, SpillFile, SpillRoom};

/// Rows that lie so many bytes apart are read at once.
const GAP: usize = 8 * 1024;

/// Writes rows of some columns to a file, and reads them.
pub(crate) struct ColdStore {
    types: Vec<DataType>,
    converter: RowConverter,
    file: SpillFile,
}

/// Rows as bytes, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct RawRows {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
}

/// Rows in a file.
#[derive(Debug)]
pub(crate) struct ColdRows {
    extent: SpillExtent,
    /// Where each row ends.
    ends: Vec<u32>,
}

impl ColdStore {
    /// A new file for rows of columns of these types; `None` where such rows cannot be written.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the file cannot be made.
    pub(crate) fn open(types: &[DataType], room: &SpillRoom) -> Result<Option<Self>> {
        let fields: Vec<SortField> = types.iter().cloned().map(SortField::new).collect();
        if types.is_empty() || !RowConverter::supports_fields(&fields) {
            return Ok(None);
        }
        let Ok(converter) = RowConverter::new(fields) else {
            return Ok(None);
        };
        Ok(Some(Self { types: types.to_vec(), converter, file: room.file()? }))
    }

    /// Columns as rows.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<RawRows> {
        let rows = self.converter.convert_columns(columns)?;
        let mut raw = RawRows::default();
        rows.iter().for_each(|row| raw.push(row.data()));
        Ok(raw)
    }

    /// Rows as columns.
    pub(crate) fn decode(&self, raw: &RawRows) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        let rows = (0..raw.ends.len()).map(|row| parser.parse(raw.row(row)));
        let columns = self.converter.convert_rows(rows)?;
        // A dictionary comes back as its values.
        let typed = |(column, of): (ArrayRef, &DataType)| match column.data_type() == of {
            true => Ok(column),
            false => Ok(cast(&column, of)?),
        };
        columns.into_iter().zip(&self.types).map(typed).collect()
    }

    /// Writes rows; `None` where they are too many for one piece.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the disk is full or broken.
    pub(crate) fn write(&self, raw: &RawRows) -> Result<Option<ColdRows>> {
        let ends: Result<Vec<u32>, _> = raw.ends.iter().map(|end| u32::try_from(*end)).collect();
        let Ok(ends) = ends else {
            return Ok(None);
        };
        Ok(Some(ColdRows { extent: self.file.write(&raw.bytes)?, ends }))
    }
}

impl RawRows {
    fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    fn row(&self, row: usize) -> &[u8] {
        let from = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let to = self.ends.get(row).copied().unwrap_or_default();
        self.bytes.get(from.unwrap_or_default()..to).unwrap_or_default()
    }
}

impl ColdRows {
    /// Adds some rows to `into`; their numbers ascend. Rows that lie close together are read at
    /// once.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the disk is broken.
    pub(crate) fn read(&self, rows: &[usize], into: &mut RawRows) -> Result<()> {
        let mut buffer = Vec::new();
        let mut rest = rows;
        while let Some((first, more)) = rest.split_first() {
            let (from, mut to) = self.span(*first)?;
            let mut count = 1;
            for row in more {
                let (start, end) = self.span(*row)?;
                if start > to + GAP {
                    break;
                }
                to = end;
                count += 1;
            }
            buffer.resize(to - from, 0);
            self.extent.read(from, &mut buffer)?;
            let (now, later) = rest.split_at(count);
            for row in now {
                let (start, end) = self.span(*row)?;
                into.push(buffer.get(start - from..end - from).unwrap_or_default());
            }
            rest = later;
        }
        Ok(())
    }

    fn span(&self, row: usize) -> Result<(usize, usize)> {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(row).ok_or_else(|| Error::bug("find a row on disk"))?;
        Ok((start.unwrap_or_default() as usize, *end as usize))
    }

    /// Number of rows.
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of memory.
    pub(crate) const fn memory_bytes(&self) -> usize {
        self.ends.capacity() * 4
    }

    /// Bytes of the disk.
    pub(crate) fn disk_bytes(&self) -> usize {
        self.extent.disk_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        DictionaryArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
        StructArray, TimestampMillisecondArray, UInt32Array,
    };
    use arrow::buffer::NullBuffer;
    use arrow::compute::take_record_batch;
    use arrow::datatypes::{Field, Fields, Int32Type};

    use super::*;

    /// Columns of the types that are hardest to read back as they were.
    fn columns() -> RecordBatch {
        let strings: StringArray =
            [Some("a"), None, Some(""), Some("long, long, long, long, long")].into_iter().collect();
        let floats = Float64Array::from(vec![
            Some(-0.0),
            Some(f64::MIN_POSITIVE),
            None,
            Some(f64::NEG_INFINITY),
        ]);
        let times = TimestampMillisecondArray::from(vec![Some(1), None, Some(-3), Some(i64::MAX)])
            .with_timezone("+02:00");
        let dictionary: DictionaryArray<Int32Type> =
            [Some("x"), None, Some("y"), Some("x")].into_iter().collect();
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
            Some(vec![None]),
        ]);
        let inner = Fields::from(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("s", DataType::Utf8, true),
        ]);
        let structs = StructArray::new(
            inner,
            vec![Arc::new(Int64Array::from(vec![1, 2, 3, 4])), Arc::new(strings.clone())],
            Some(NullBuffer::from(vec![true, false, true, true])),
        );
        RecordBatch::try_from_iter([
            ("strings", Arc::new(strings) as ArrayRef),
            ("floats", Arc::new(floats) as ArrayRef),
            ("times", Arc::new(times) as ArrayRef),
            ("dictionary", Arc::new(dictionary) as ArrayRef),
            ("lists", Arc::new(lists) as ArrayRef),
            ("structs", Arc::new(structs) as ArrayRef),
        ])
        .unwrap()
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let batch = columns();
        let room = SpillRoom::new([std::env::temp_dir()]);
        let types: Vec<DataType> = batch.columns().iter().map(|c| c.data_type().clone()).collect();
        let store = ColdStore::open(&types, &room).unwrap().unwrap();
        let cold = store.write(&store.encode(batch.columns()).unwrap()).unwrap().unwrap();
        for rows in [vec![0, 1, 2, 3], vec![1, 3], vec![2], vec![]] {
            let mut raw = RawRows::default();
            cold.read(&rows, &mut raw).unwrap();
            let found = RecordBatch::try_new(batch.schema(), store.decode(&raw).unwrap()).unwrap();
            let wanted: UInt32Array = rows.iter().map(|r| *r as u32).collect();
            assert_eq!(found, take_record_batch(&batch, &wanted).unwrap(), "{rows:?}");
        }
        assert!(cold.read(&[4], &mut RawRows::default()).is_err());
    }
}
