//! The macro that declares options. From each entry of a group
//!
//! ```text
//! /// Its help
//! WHO NAME: TYPE, [CLAP], by READER, default VALUE, split CHARACTER, merged FUNCTION, family FAMILY;
//! ```
//!
//! come the field of the group's clap arguments, the field of [`Layer`](crate::cli::options::Layer) and the row of
//! [`OPTIONS`](crate::cli::options::OPTIONS). WHO is `lasting`, `limit`, `passing`, `word`, `secret` or `command`: the constants of
//! [`Who`](crate::cli::options::Who). TYPE is what clap fills: `Option<T>`, `Vec<T>` or `bool`. CLAP is what clap's `#[arg]` takes. READER makes a
//! value from a text; with `by` clap reads the flag so too, with `text` as it reads the type by itself. What follows may be
//! left out: with `default` the help tells VALUE, with `untold` it does not. A group that ends with `=> NAME` has a default for
//! each option, and NAME is what a command works with.

/// Declares groups of options.
macro_rules! options {
    ($(
        $(#[doc = $about:literal])+
        $group:ident $(, $heading:literal)? $(=> $settled:ident)? {$(
            $(#[doc = $help:literal])+
            $who:ident $name:ident: $typed:ty, [$($arg:tt)*] $(, by $by:path)? $(, text $text:path)?
            $(, default $default:expr)? $(, untold $untold:expr)? $(, split $split:literal)? $(, merged $merged:path)?
            $(, family $family:ident)?;
        )+}
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
            #[command($(next_help_heading = $heading)?)]
            pub struct $group {$(
                $(#[doc = $help])+
                #[arg($($arg)* $(, value_parser = $by)?)]
                pub $name: $typed,
            )+}

            impl Group for $group {
                fn lay(&self, layer: &mut Layer) {
                    $(layer.$name = self.$name.clone().kept();)+
                }
            }

            settled!([$($settled)?] $group {$($name: $typed, [$($default)?]);+});
        )+

        /// What one source (flags, variables, manifest, configuration file) gives. What it does not give is none or empty.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub(in crate::cli) struct Layer {$($(
            pub $name: <$typed as Typed>::Kept,
        )+)+
            /// The tables of the configuration file.
            pub tables: $crate::cli::options::tables::Tables,
        }

        impl Layer {
            /// Each option of both, as it is declared.
            pub(super) fn merged_with(self, lower: Self) -> Self {
                Self {$($(
                    $name: merged!(self.$name, lower.$name $(, $merged)?),
                )+)+
                    tables: self.tables.over(lower.tables),
                }
            }
        }

        /// Every option.
        pub(in crate::cli) static OPTIONS: &[Declaration] = &[$($(
            Declaration {
                name: $crate::cli::options::declare::plain(stringify!($name)),
                #[cfg(test)]
                help: &[$($help),+],
                who: who!($who),
                takes_value: <$typed as Typed>::TAKES_VALUE,
                split: maybe!($($split)?),
                family: maybe!($(&$family)?),
                default: maybe!($(|| $default.displayed())? $(|| $untold.displayed())?),
                told_default: maybe!($(|| $default.told())?),
                put: |layer, text| $($by)?$($text)?(text).map(|value| layer.$name.put(value)),
                is_given: |layer| layer.$name.is_given(),
                clear: |layer| layer.$name = Default::default(),
                displayed: if_displayed!($who, |layer| layer.$name.displayed(), |_| None),
                anchor: if_displayed!($who, |layer, anchored| layer.$name.anchor(anchored), |_, _| {}),
            },
        )+)+];
    };
}

/// A name without what makes a word of the language a name.
pub(super) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// What a command works with of a group, each option that nobody gave at its default.
macro_rules! settled {
    ([] $($rest:tt)*) => {};
    ([$settled:ident] $group:ident {$($name:ident: $typed:ty, [$default:expr]);+}) => {
        #[doc = concat!("What counts of [`", stringify!($group), "`].")]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $settled {$(
            #[doc = concat!("See [`", stringify!($group), "::", stringify!($name), "`].")]
            pub $name: <$typed as Typed>::One,
        )+}

        impl From<&Layer> for $settled {
            fn from(layer: &Layer) -> Self {
                Self {$($name: layer.$name.clone().unwrap_or($default)),+}
            }
        }
    };
}

macro_rules! who {
    (lasting) => {
        Who::LASTING
    };
    (limit) => {
        Who::LIMIT
    };
    (passing) => {
        Who::PASSING
    };
    (word) => {
        Who::WORD
    };
    (secret) => {
        Who::SECRET
    };
    (command) => {
        Who::COMMAND
    };
}

/// What is said for one command is not shown as configuration.
macro_rules! if_displayed {
    (passing, $_:expr, $otherwise:expr) => {
        $otherwise
    };
    (word, $_:expr, $otherwise:expr) => {
        $otherwise
    };
    ($who:ident, $then:expr, $_:expr) => {
        $then
    };
}

macro_rules! merged {
    ($upper:expr, $lower:expr) => {
        Kept::over($upper, $lower)
    };
    ($upper:expr, $lower:expr, $merged:path) => {
        $merged($upper, $lower)
    };
}

macro_rules! maybe {
    () => {
        None
    };
    ($some:expr) => {
        Some($some)
    };
}

/// Declares groups of groups.
macro_rules! groups {
    ($(
        $(#[doc = $about:literal])+
        $group:ident $(, $heading:literal)? {$($(#[doc = $kind:literal])+ $name:ident: $part:ty),+ $(,)?}
    )+) => {$(
        $(#[doc = $about])+
        #[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
        #[command($(next_help_heading = $heading)?)]
        pub struct $group {$(
            $(#[doc = $kind])+
            #[command(flatten)]
            pub $name: $part,
        )+}

        impl Group for $group {
            fn lay(&self, layer: &mut Layer) {
                $(self.$name.lay(layer);)+
            }
        }
    )+};
}
