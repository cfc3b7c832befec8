//! What an option's value is to clap, to a layer and to who looks at it.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::cli::command_line::CommandLine;
use crate::cli::node::place;
use crate::cli::options::Anchor;
use crate::cli::options::displayed::{Displayed, HIDDEN};
use crate::cli::options::layer::{CertificateText, MacaroonFile, Secret};
use crate::download::name::Template;
use crate::fiat::Currency;
use crate::ledger::LedgerAddress;
use crate::money::Sats;

/// A field that clap fills, and what a layer keeps of it.
pub trait Typed {
    type Kept: Kept<One = Self::One>;
    type One;
    /// Whether a value follows the flag.
    const TAKES_VALUE: bool = true;

    fn kept(self) -> Self::Kept;
}

/// A flag that is set says yes; one that is not says nothing.
impl Typed for bool {
    type Kept = Option<Self>;
    type One = Self;
    const TAKES_VALUE: bool = false;

    fn kept(self) -> Option<Self> {
        self.then_some(true)
    }
}

impl<T> Typed for Option<T> {
    type Kept = Self;
    type One = T;

    fn kept(self) -> Self {
        self
    }
}

impl<T> Typed for Vec<T> {
    type Kept = Self;
    type One = T;

    fn kept(self) -> Self {
        self
    }
}

/// What a layer keeps: one value or none, or a list.
pub trait Kept: Sized {
    type One;

    /// Sets it, or adds to it.
    fn put(&mut self, value: Self::One);
    fn is_given(&self) -> bool;
    /// The upper one where it is given, else the lower one.
    fn over(self, lower: Self) -> Self {
        if self.is_given() { self } else { lower }
    }
    fn displayed(&self) -> Option<Displayed>
    where
        Self::One: Value;
    fn anchor(&mut self, anchored: &Anchor<'_>)
    where
        Self::One: Value;
}

impl<T> Kept for Option<T> {
    type One = T;

    fn put(&mut self, value: T) {
        *self = Some(value);
    }

    fn is_given(&self) -> bool {
        self.is_some()
    }

    fn displayed(&self) -> Option<Displayed>
    where
        T: Value,
    {
        self.as_ref().map(Value::displayed)
    }

    fn anchor(&mut self, anchored: &Anchor<'_>)
    where
        T: Value,
    {
        self.iter_mut().for_each(|value| value.anchor(anchored));
    }
}

impl<T> Kept for Vec<T> {
    type One = T;

    fn put(&mut self, value: T) {
        self.push(value);
    }

    fn is_given(&self) -> bool {
        !self.is_empty()
    }

    fn displayed(&self) -> Option<Displayed>
    where
        T: Value,
    {
        self.is_given().then(|| Displayed::List(self.iter().map(|value| value.displayed().to_string()).collect()))
    }

    fn anchor(&mut self, anchored: &Anchor<'_>)
    where
        T: Value,
    {
        self.iter_mut().for_each(|value| value.anchor(anchored));
    }
}

/// Of two sources' limits the tighter one.
pub(super) fn tightest<T: Ord>(upper: Option<T>, lower: Option<T>) -> Option<T> {
    match (upper, lower) {
        (Some(upper), Some(lower)) => Some(upper.min(lower)),
        (upper, None) => upper,
        (None, lower) => lower,
    }
}

/// Both lists, the lower one first.
pub(super) fn stacked<T>(upper: Vec<T>, mut lower: Vec<T>) -> Vec<T> {
    lower.extend(upper);
    lower
}

/// A value that `config show` shows.
pub trait Value {
    fn displayed(&self) -> Displayed;

    /// As a default stands in the help.
    fn told(&self) -> String {
        self.displayed().to_string()
    }

    /// Gives a path another beginning.
    fn anchor(&mut self, _: &Anchor<'_>) {}
}

impl Value for u32 {
    fn displayed(&self) -> Displayed {
        Displayed::Number((*self).into())
    }
}

impl Value for u64 {
    fn displayed(&self) -> Displayed {
        Displayed::Number(*self)
    }
}

impl Value for Sats {
    fn displayed(&self) -> Displayed {
        Displayed::Number(self.get())
    }
}

impl Value for bool {
    fn displayed(&self) -> Displayed {
        Displayed::Truth(*self)
    }
}

impl Value for Duration {
    fn displayed(&self) -> Displayed {
        Displayed::Text(self.told())
    }

    /// In the largest unit of which it is several: `8d`, `10m`, and a minute is `60s`.
    fn told(&self) -> String {
        let secs = self.as_secs();
        let fits = |(_, unit): &(&str, u64)| secs.is_multiple_of(*unit) && secs / unit > 1;
        let (name, unit) = [("d", 86_400), ("h", 3_600), ("m", 60)].into_iter().find(fits).unwrap_or(("s", 1));
        format!("{}{name}", secs / unit)
    }
}

impl Value for String {
    fn displayed(&self) -> Displayed {
        Displayed::Text(self.clone())
    }
}

impl Value for &str {
    fn displayed(&self) -> Displayed {
        Displayed::Text((*self).to_owned())
    }
}

impl Value for Currency {
    fn displayed(&self) -> Displayed {
        Displayed::Text(self.to_string())
    }
}

impl Value for Url {
    fn displayed(&self) -> Displayed {
        Displayed::Text(place(self))
    }
}

impl Value for Template {
    fn displayed(&self) -> Displayed {
        Displayed::Text(self.to_string())
    }
}

impl Value for PathBuf {
    fn displayed(&self) -> Displayed {
        Displayed::Text(self.display().to_string())
    }

    fn anchor(&mut self, anchored: &Anchor<'_>) {
        *self = anchored(self);
    }
}

impl Value for LedgerAddress {
    fn displayed(&self) -> Displayed {
        Displayed::Text(self.to_string())
    }

    fn anchor(&mut self, anchored: &Anchor<'_>) {
        *self = Self::of_file(anchored(self.file()));
    }
}

impl Value for MacaroonFile {
    fn displayed(&self) -> Displayed {
        match self {
            Self::Named(path) => path.displayed(),
            Self::Pasted => HIDDEN.displayed(),
        }
    }

    fn anchor(&mut self, anchored: &Anchor<'_>) {
        match self {
            Self::Named(path) => path.anchor(anchored),
            Self::Pasted => {}
        }
    }
}

impl Value for Secret {
    fn displayed(&self) -> Displayed {
        HIDDEN.displayed()
    }
}

impl Value for CertificateText {
    fn displayed(&self) -> Displayed {
        "(a certificate)".displayed()
    }
}

impl Value for CommandLine {
    fn displayed(&self) -> Displayed {
        Displayed::Text(format!("{} …", self.program()))
    }
}
