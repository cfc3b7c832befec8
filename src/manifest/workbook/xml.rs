//! The XML parts of a workbook, read as they stream by.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart};
use quick_xml::reader::Reader;

/// Reads a part; elements without content have an end, too.
pub(super) fn reader<R: Read>(part: R) -> Reader<BufReader<R>> {
    let mut reader = Reader::from_reader(BufReader::new(part));
    reader.config_mut().expand_empty_elements = true;
    reader
}

/// The value of the attribute of that name, whatever prefix it has.
pub(super) fn attribute<'e>(element: &'e BytesStart<'_>, name: &str) -> Option<Cow<'e, str>> {
    let mut attributes = element.attributes();
    let found =
        attributes.with_checks(false).flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
    found.normalized_value(XmlVersion::Explicit1_0).ok()
}

/// The same, as a number.
pub(super) fn number(element: &BytesStart<'_>, name: &str) -> Option<u32> {
    attribute(element, name)?.parse().ok()
}

/// Whether an attribute says yes, as XML has it.
pub(super) fn is_set(element: &BytesStart<'_>, name: &str) -> bool {
    attribute(element, name).is_some_and(|value| matches!(&*value, "1" | "true" | "on"))
}

/// The character that a reference in a text stands for.
pub(super) fn character(reference: &BytesRef<'_>) -> Option<char> {
    let named = quick_xml::escape::resolve_xml_entity(reference).and_then(|text| text.chars().next());
    named.or_else(|| reference.resolve_char_ref().ok().flatten())
}

/// Passes over all that the element holds which was just begun.
pub(super) fn skip<R: BufRead>(reader: &mut Reader<R>, element: &BytesStart<'_>) -> Result<(), quick_xml::Error> {
    reader.read_to_end_into(element.name(), &mut Vec::new()).map(|_| ())
}
