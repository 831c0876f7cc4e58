//! A scalar function given by its types and a function of one batch's columns.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// Computes a column from columns of the declared types.
type Compute = fn(&[ArrayRef]) -> Result<ArrayRef>;

/// A scalar function: arguments of fixed types, to which what is given is converted.
#[derive(Debug)]
pub(super) struct RowWise {
    name: &'static str,
    usage: &'static str,
    arguments: Vec<DataType>,
    result: DataType,
    compute: Compute,
    /// Whether any number of arguments of the first one's type is taken.
    variadic: bool,
    signature: Signature,
}

impl RowWise {
    /// `usage` is told where the number of arguments does not fit.
    pub(super) fn new(
        (name, usage): (&'static str, &'static str),
        arguments: Vec<DataType>,
        result: DataType,
        compute: Compute,
    ) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { name, usage, arguments, result, compute, variadic: false, signature }
    }

    /// The same for any number of arguments, two at least, that are all of the first one's type.
    pub(super) const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }
}

// A name has one function.
impl PartialEq for RowWise {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RowWise {}

impl std::hash::Hash for RowWise {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for RowWise {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if let [all, ..] = self.arguments.as_slice()
            && self.variadic
            && given.len() > 1
        {
            return Ok(vec![all.clone(); given.len()]);
        }
        if given.len() == self.arguments.len() {
            Ok(self.arguments.clone())
        } else {
            plan_err!("`{}` is written {}", self.name, self.usage)
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let computed = (self.compute)(&columns)?;
        let all_scalar = arguments.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        if all_scalar && computed.len() == 1 {
            let value = datafusion_common::ScalarValue::try_from_array(&computed, 0)?;
            return Ok(ColumnarValue::Scalar(value));
        }
        Ok(ColumnarValue::Array(computed))
    }
}
