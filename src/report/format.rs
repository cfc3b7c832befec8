//! The forms in which a command prints its result.

/// The version of every JSON document and event. Fields are only ever added to it.
pub const FORMAT_VERSION: u32 = 1;

/// How a command prints its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// A row a thing.
    Csv,
}
