//! What a document says that a catalogue cannot.

/// Why an endpoint, or a part of it, is not in the catalogue that is written. Words of the document stand in it as they are: whoever shows
/// it makes them harmless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lack {
    /// No address, or one that leads nowhere.
    #[error("it names no address of its own")]
    Address,
    /// A path without a site.
    #[error("its address {0} is relative, and the document names no site")]
    Relative(String),
    /// A method that requests do not have.
    #[error("its method is {0}, and requests here are GET, POST or PUT")]
    Method(String),
    /// A parameter that travels where none of ours does.
    #[error("`{0}` stands in the {1}")]
    Place(String, &'static str),
    /// A body of another kind.
    #[error("its body is {0}, not JSON")]
    Body(String),
    /// A body that a GET does not have.
    #[error("it is a GET with a body")]
    GetWithBody,
    /// A type of which parameters have none.
    #[error("`{0}` is {1}")]
    Type(String, String),
    /// One of several schemas.
    #[error("`{0}` is one of several schemas ({1})")]
    Alternatives(String, &'static str),
    /// Schemas that have to hold together and do not go together.
    #[error("`{0}` has schemas in allOf that differ in {1}")]
    Contradiction(String, String),
    /// Words to choose from that no choice can have.
    #[error("`{0}` has values that are no words")]
    Values(String),
    /// Something that is needed and nowhere described.
    #[error("`{0}` is required and not described")]
    Undescribed(String),
    /// A name that no parameter can have.
    #[error("a parameter is called {0:?}")]
    Name(String),
    /// A reference that leads nowhere in the document.
    #[error("{0} is not in the document")]
    Reference(String),
    /// Schemas within schemas, or a circle of them.
    #[error("its schema is too deep or too large, or leads back to itself")]
    Endless,
    /// More than anybody fills in.
    #[error("it has more than {0} parameters")]
    Parameters(usize),
    /// Credentials that nobody pays for.
    #[error("it asks for {0} besides the payment")]
    Authentication(String),
    /// Money that is not sent over Lightning.
    #[error("it is paid by {0}, not over Lightning")]
    Rail(String),
    /// Another way of paying than a price a request.
    #[error("it is paid as a {0}, not by request")]
    Intent(String),
    /// Nothing is bought there.
    #[error("it costs nothing")]
    Free,
    /// What our own reader says to it.
    #[error("a catalogue does not take it: {0}")]
    Unreadable(String),
    /// A value that the parameter does not take.
    #[error("the default of `{0}` is not one that it takes")]
    Default(String),
    /// A cache that is told of and not used.
    #[error(
        "identical requests are answered from a cache, as the document says: see `dedup_window_s` and `bypass_header`"
    )]
    Cache,
    /// More than is read.
    #[error("a file has {0} endpoints at most, and 900 kB")]
    Room(usize),
}
