//! Names, addresses and the like, as people have them.

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use fake::Fake;
use fake::faker::{address, company, internet, job, lorem, name, phone_number};
use schemars::JsonSchema;
use serde::Deserialize;

use super::column::{Column, Rows, Timeline, array};
use super::random::Stream;
use super::words::Words;

/// What a made-up text is. All are of the English of the United States; none is anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Invented {
    /// First and last name.
    Name,
    /// A first name.
    FirstName,
    /// A last name.
    LastName,
    /// An address at `example.com`, `example.net` or `example.org`, which reach nobody.
    Email,
    /// A name to log in with.
    Username,
    /// A telephone number.
    Phone,
    /// A street.
    Street,
    /// The number of a building.
    BuildingNumber,
    /// A town.
    City,
    /// A postal code.
    PostCode,
    /// A state.
    State,
    /// A country.
    Country,
    /// Two letters for a country.
    CountryCode,
    /// A company.
    Company,
    /// A title at work.
    Job,
    /// An address of the Internet protocol, version 4.
    IpV4,
    /// What a browser calls itself.
    UserAgent,
    /// Some words.
    Sentence,
}

/// The column.
pub(super) struct Fakes {
    pub(super) what: Invented,
    pub(super) stream: Stream,
}

impl Fakes {
    fn text(&self, row: u64) -> String {
        use Invented as I;
        let rng = &mut Words::of_row(self.stream, row);
        match self.what {
            I::Name => name::en::Name().fake_with_rng(rng),
            I::FirstName => name::en::FirstName().fake_with_rng(rng),
            I::LastName => name::en::LastName().fake_with_rng(rng),
            I::Email => internet::en::SafeEmail().fake_with_rng(rng),
            I::Username => internet::en::Username().fake_with_rng(rng),
            I::Phone => phone_number::en::PhoneNumber().fake_with_rng(rng),
            I::Street => address::en::StreetName().fake_with_rng(rng),
            I::BuildingNumber => address::en::BuildingNumber().fake_with_rng(rng),
            I::City => address::en::CityName().fake_with_rng(rng),
            I::PostCode => address::en::PostCode().fake_with_rng(rng),
            I::State => address::en::StateName().fake_with_rng(rng),
            I::Country => address::en::CountryName().fake_with_rng(rng),
            I::CountryCode => address::en::CountryCode().fake_with_rng(rng),
            I::Company => company::en::CompanyName().fake_with_rng(rng),
            I::Job => job::en::Title().fake_with_rng(rng),
            I::IpV4 => internet::en::IPv4().fake_with_rng(rng),
            I::UserAgent => internet::en::UserAgent().fake_with_rng(rng),
            I::Sentence => lorem::en::Sentence(4..12).fake_with_rng(rng),
        }
    }
}

impl Column for Fakes {
    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        array(StringArray::from_iter_values(rows.iter().map(|row| self.text(row))))
    }
}
