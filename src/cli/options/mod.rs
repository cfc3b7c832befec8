//! Every option that more than one source can give, each declared once in [`table`]: its name, its help, its type, who may give
//! it and what counts where nobody does. The command line, the variables, the configuration file, `config show`, the manual and
//! `docs/options.md` are all made from there.

pub mod config;
pub(in crate::cli) mod displayed;
pub mod environment;
pub(in crate::cli) mod file;
pub mod flags;
pub mod layer;
pub(in crate::cli) mod resolve;
pub(in crate::cli) mod tables;
pub mod values;
#[macro_use]
mod declare;
mod table;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};

use crate::cli::options::displayed::Displayed;

pub use table::*;

/// What every variable begins with.
pub(super) const PREFIX: &str = "L402_BATCH_";

/// An option, as it is declared.
pub(super) struct Declaration {
    /// Its key in the files; with dashes its flag, in upper case after the prefix its variable.
    pub name: &'static str,
    /// What it does, in the lines of its declaration.
    #[cfg(test)]
    help: &'static [&'static str],
    /// Which sources may give it.
    pub who: Who,
    /// Whether a value follows its flag.
    pub takes_value: bool,
    /// What separates several values in a variable, where it takes several.
    pub split: Option<char>,
    /// Those of one family are ways to say the same thing.
    family: Option<&'static Family>,
    /// What counts where nobody gives it, where that is one value.
    pub default: Option<fn() -> Displayed>,
    /// The same as its help tells it, where its help does.
    told_default: Option<fn() -> String>,
    put: fn(&mut Layer, &str) -> Result<(), String>,
    is_given: fn(&Layer) -> bool,
    clear: fn(&mut Layer),
    /// What a layer gives, where it may be shown at all.
    pub displayed: fn(&Layer) -> Option<Displayed>,
    /// Gives its paths another beginning.
    pub anchor: fn(&mut Layer, &Anchor<'_>),
}

/// Which sources may give an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who {
    /// The command line.
    pub flag: bool,
    /// An environment variable.
    pub variable: bool,
    /// A manifest, in its `[limits]`.
    pub manifest: bool,
    /// The configuration file.
    pub file: bool,
}

impl Who {
    /// What makes sense for good.
    const LASTING: Self = Self { flag: true, variable: true, manifest: false, file: true };
    /// What may be spent.
    const LIMIT: Self = Self { manifest: true, ..Self::LASTING };
    /// What is said for one command.
    const PASSING: Self = Self { file: false, ..Self::LASTING };
    /// A person's word for this one command: a variable that is left set must not say it again.
    const WORD: Self = Self { variable: false, ..Self::PASSING };
    /// A secret stands on no command line and in no file that is shown around.
    const SECRET: Self = Self { flag: false, ..Self::PASSING };
    /// A command that says a secret: what runs a program is no business of a command line.
    const COMMAND: Self = Self { flag: false, ..Self::LASTING };
}

/// Options of which the nearest source gives one, and the others' are not looked at.
#[derive(Debug)]
pub(super) struct Family {
    /// Why one source may not give two of them; none where it may.
    twice: Option<&'static str>,
}

static MACAROON: Family = Family { twice: Some("the macaroon is given twice, of file, content and command; keep one") };
static CERTIFICATE: Family =
    Family { twice: Some("the certificate is given twice, of file, content and command; keep one") };
static FORMAT: Family = Family { twice: None };

impl Declaration {
    /// Sets it in the layer, or adds to it, from a text.
    ///
    /// # Errors
    /// In words, where the text is no such value, or the source gives the same in another way too.
    pub(super) fn read(&self, layer: &mut Layer, text: &str) -> Result<(), String> {
        (self.put)(layer, text)?;
        match self.family.and_then(|family| family.twice) {
            Some(twice) if self.relatives().any(|other| other.name != self.name && (other.is_given)(layer)) => {
                Err(twice.to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether it is a person's word for one command.
    pub(super) fn is_word(&self) -> bool {
        self.who == Who::WORD
    }

    /// Whether an array in the configuration file is one value: the words of a command.
    pub(super) fn is_command(&self) -> bool {
        self.who == Who::COMMAND
    }

    /// Whether `config show` shows it: what makes sense for good, and the node's macaroon and certificate.
    pub(super) const fn is_shown(&self) -> bool {
        self.who.file || !self.who.flag
    }

    /// Its default, where its help tells it.
    pub(super) fn told_default(&self) -> Option<String> {
        self.told_default.map(|default| default())
    }

    /// Its whole family.
    fn relatives(&self) -> impl Iterator<Item = &'static Self> {
        let is_same = |other: &Self| match (other.family, self.family) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (_, None) | (None, _) => false,
        };
        OPTIONS.iter().filter(move |other| is_same(other))
    }
}

impl Layer {
    /// What these flags give.
    pub(super) fn of(groups: &[&dyn Group]) -> Self {
        let mut layer = Self::default();
        groups.iter().for_each(|group| group.lay(&mut layer));
        layer
    }

    /// This layer over a `lower` one: what both give is this one's, except catalogues (both, the lower first, so that
    /// this one's entries win) and limits (the tightest).
    #[must_use]
    pub(super) fn over(self, mut lower: Self) -> Self {
        for option in OPTIONS {
            if option.relatives().any(|relative| (relative.is_given)(&self)) {
                (option.clear)(&mut lower);
            }
        }
        self.merged_with(lower)
    }
}

/// Gives a path another beginning.
pub type Anchor<'a> = dyn Fn(&Path) -> PathBuf + 'a;

/// Flags that belong together.
pub(super) trait Group {
    /// Lays what was typed into the layer.
    fn lay(&self, layer: &mut Layer);
}

/// The option of that name.
pub(super) fn find(name: &str) -> Option<&'static Declaration> {
    OPTIONS.iter().find(|option| option.name == name)
}

/// The option whose flag that is: `--max-sats`.
pub(super) fn of_flag(flag: &str) -> Option<&'static Declaration> {
    find(&flag.strip_prefix("--")?.replace('-', "_")).filter(|option| option.who.flag)
}

/// The variable that gives the same as a flag, where there is one.
pub(super) fn variable_of_flag(flag: &str) -> Option<String> {
    let name = flag.replace('-', "_");
    let has_one = name == "config" || find(&name).is_some_and(|option| option.who.variable);
    has_one.then(|| variable(&name))
}

/// The variable of an option.
pub(in crate::cli) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

/// The flag of an option.
pub(super) fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}
