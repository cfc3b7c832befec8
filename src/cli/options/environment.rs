//! What the process finds around it: variables, folders, the time. Read once, so that everything after it is a function.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use jiff::Zoned;

use crate::diagnostic::closest;
use crate::screen::{TypedAs, remember};

use crate::cli::args::is_flag;
use crate::cli::options::{Declaration, Layer, OPTIONS, PREFIX, flag, values, variable};

/// What the process finds around it.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Variables that begin with `L402_BATCH_`, and `STATE_DIRECTORY`. Not shown anywhere: a macaroon may be among them.
    variables: Variables,
    /// The user's own folder, for `~/`.
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, or its default.
    pub config_home: Option<PathBuf>,
    /// `$XDG_STATE_HOME`, or its default.
    pub state_home: Option<PathBuf>,
    /// The time at which the command began, in the system's time zone.
    pub now: Zoned,
    /// It is the process's own: what is found in it holds for all that the process prints.
    pub(in crate::cli) is_process: bool,
}

#[derive(Clone)]
struct Variables(Vec<(String, OsString)>);

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Environment {
    /// The process's own.
    #[must_use]
    pub fn of_process() -> Self {
        let base = etcetera::choose_base_strategy().ok();
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self {
            variables: Variables(variables.filter(|(name, _)| concerns_us(name)).inspect(kept_back).collect()),
            home: etcetera::home_dir().ok(),
            config_home: base.as_ref().map(BaseStrategy::config_dir),
            state_home: base.as_ref().map(|base| base.state_dir().unwrap_or_else(|| base.data_dir())),
            now: Zoned::now(),
            is_process: true,
        }
    }

    /// A made-up one, for tests: these variables, `home` and the XDG defaults below it.
    #[must_use]
    pub fn made_up(variables: &[(&str, &str)], home: &Path, now: Zoned) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value)));
        Self {
            variables: Variables(variables.filter(|(name, _)| concerns_us(name)).collect()),
            home: Some(home.to_owned()),
            config_home: Some(home.join(".config")),
            state_home: Some(home.join(".local/state")),
            now,
            is_process: false,
        }
    }

    /// The configuration file that `$L402_BATCH_CONFIG` names; none where it is not set.
    ///
    /// # Errors
    /// In words, where it is no path.
    pub(in crate::cli) fn config_file(&self) -> Result<Option<PathBuf>, String> {
        let name = variable("config");
        let path = self.get(&name).map(|path| values::path_at(PathBuf::from(path)));
        path.transpose().map_err(|error| format!("{name}: {error}"))
    }

    /// `$STATE_DIRECTORY` (systemd's word; the first, where there are several), else `$XDG_STATE_HOME/l402-batch`.
    pub(in crate::cli) fn state_directory(&self) -> Option<PathBuf> {
        let given = self.get(STATE_DIRECTORY).filter(|value| !value.is_empty());
        match given {
            Some(folders) => std::env::split_paths(folders).next(),
            None => self.state_home.as_ref().map(|home| home.join("l402-batch")),
        }
    }

    /// Where lnd keeps its files where it is not told otherwise.
    pub(in crate::cli) fn lnd_folder(&self) -> Option<PathBuf> {
        let place = if cfg!(target_os = "macos") { "Library/Application Support/Lnd" } else { ".lnd" };
        self.home.as_ref().map(|home| home.join(place))
    }

    fn get(&self, name: &str) -> Option<&OsString> {
        self.variables.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// What the variables say.
    ///
    /// # Errors
    /// Every variable that is wrong, in words: one whose value is, and one that begins like ours and is none (a misspelt
    /// limit would silently be no limit).
    pub(in crate::cli) fn layer(&self) -> Result<Layer, Vec<String>> {
        let mut layer = Layer::default();
        let mut wrong = Vec::new();
        for (name, value) in &self.variables.0 {
            if let Err(error) = set(&mut layer, name, value) {
                wrong.push(format!("{name}: {error}"));
            }
        }
        if wrong.is_empty() { Ok(layer) } else { Err(wrong) }
    }
}

const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

fn concerns_us(name: &str) -> bool {
    name == STATE_DIRECTORY || name.starts_with(PREFIX)
}

/// What is pasted into a variable is printed as little as what is typed.
fn kept_back((name, value): &(String, OsString)) {
    let typed_as = if name.contains("MACAROON") { TypedAs::Macaroon(&Path::exists) } else { TypedAs::Anything };
    remember(&value.to_string_lossy(), typed_as);
}

fn set(layer: &mut Layer, name: &str, value: &OsString) -> Result<(), String> {
    let Some(ours) = name.strip_prefix(PREFIX) else { return Ok(()) };
    if ours == "CONFIG" {
        return Ok(());
    }
    let mut with_variable = OPTIONS.iter().filter(|option| option.who.variable);
    let Some(option) = with_variable.find(|option| option.name.to_uppercase() == ours) else {
        return Err(unknown(ours));
    };
    let value = value.to_str().ok_or("expected UTF-8")?;
    if value.trim().is_empty() {
        return Err("is set to nothing; unset it, or give it a value".to_owned());
    }
    each(option, value).iter().try_for_each(|value| option.read(layer, value))
}

/// The values in a variable. The address of something elsewhere is not taken apart where paths are separated by `:`.
fn each(option: &Declaration, value: &str) -> Vec<String> {
    let Some(separator) = option.split else { return vec![value.to_owned()] };
    let mut pieces: Vec<String> = Vec::new();
    for piece in value.split(separator).filter(|piece| !piece.is_empty()) {
        match pieces.last_mut() {
            Some(before) if separator == ':' && piece.starts_with("//") => before.push_str(&format!(":{piece}")),
            Some(_) | None => pieces.push(piece.to_owned()),
        }
    }
    pieces
}

fn unknown(ours: &str) -> String {
    let lower = ours.to_lowercase();
    if is_flag(&lower) {
        return format!("{} is given on the command line only; unset the variable", flag(&lower));
    }
    match closest(&lower, OPTIONS.iter().filter(|option| option.who.variable).map(|option| option.name)) {
        Some(name) => format!("no such variable; did you mean {}?", variable(name)),
        None => "no such variable; unset it".to_owned(),
    }
}
