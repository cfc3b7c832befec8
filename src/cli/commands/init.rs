//! `init`: looks at a sheet, proposes what its columns are, shows what would be bought so, and writes that as a manifest for a person to read.

use std::path::Path;

use crate::command::{command, file, flag};
use crate::manifest::{Format, Manifest, OpenOptions, Proposal};
use crate::money::counted;
use crate::plan::view::job_line;

use crate::cli::commands::new_file;
use crate::cli::options::config::{InitOptions, ManifestSource};
use crate::cli::{CommandError, ExitCode, Failure, input, terminal};

/// Jobs that are shown as they would be bought.
const SHOWN_JOBS: usize = 3;

/// Writes the manifest, and shows the first jobs of it.
pub(in crate::cli) fn execute(options: &InitOptions) -> Result<ExitCode, Failure> {
    let ManifestSource::File(sheet, format) = &options.manifest.source else {
        return Err(CommandError::usage("a manifest is made of a file, and standard input is none")
            .hint("name the file")
            .into());
    };
    if Format::from(*format) == Format::Toml {
        let words = format!("{} is a manifest already", sheet.display());
        return Err(CommandError::usage(words)
            .hint("name the table that it is to be made of: .csv, .xlsx, .ods")
            .into());
    }
    refuse_itself(sheet, &options.file.path)?;
    new_file::refuse_known(&options.file)?;
    let table = input::open(&options.manifest, None).map_err(Failure::Input)?;
    if table.results_of().map_err(Failure::Input)?.is_some() {
        let words = format!("{} holds results, and is a manifest as it is", sheet.display());
        return Err(CommandError::usage(words).hint("run it, or name the table that its batch was made from").into());
    }
    let columns = table.survey().map_err(Failure::Input)?;
    let given: Vec<(&str, &str)> =
        options.manifest.columns.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
    let proposal = Proposal::of(&columns, &given, &table.catalog, options.endpoint.as_deref());
    let stem = table.fallback_name().unwrap_or_default();
    let name = options.manifest.batch.as_deref().unwrap_or(&stem);
    let text = proposal.toml(name, &named(sheet, &options.file.path)?, &options.manifest.table);
    new_file::write(&options.file, &text)?;
    let shown = show(options, &text);
    let catalogs: Vec<String> = options
        .manifest
        .catalogs
        .iter()
        .map(|path| format!(" {}", flag("--catalog", &path.display().to_string())))
        .collect();
    let manifest = options.file.path.display().to_string();
    let next = command(&format!("plan {}{}", file(&manifest), catalogs.concat()));
    terminal::say(&match &shown {
        Ok(()) => format!("{manifest} is written: read it, then `{next}`\n"),
        Err(_) => format!("{manifest} is written, and there is something left for you to mend in it; then `{next}`\n"),
    });
    shown.map(|()| ExitCode::Done)
}

/// What is written must not take the place of the table that it is made of.
fn refuse_itself(sheet: &Path, manifest: &Path) -> Result<(), Failure> {
    let (Ok(sheet), Ok(out)) = (sheet.canonicalize(), manifest.canonicalize()) else { return Ok(()) };
    if sheet == out {
        let words = format!("{} is the table itself", manifest.display());
        return Err(CommandError::usage(words).hint("name another file with --out").into());
    }
    Ok(())
}

/// The sheet as the manifest names it: by what stands beside it, else by its whole path.
fn named(sheet: &Path, manifest: &Path) -> Result<String, Failure> {
    let whole = |path: &Path| {
        std::path::absolute(path).map_err(|error| CommandError::usage(path.display().to_string()).because(error))
    };
    let (sheet, manifest) = (whole(sheet)?, whole(manifest)?);
    let beside = sheet.file_name().filter(|_| sheet.parent() == manifest.parent());
    let named = beside.map_or(sheet.as_path(), Path::new);
    named.to_str().map(str::to_owned).ok_or_else(|| {
        CommandError::usage(format!("{} has a name that no manifest can hold", named.display()))
            .hint("rename it")
            .into()
    })
}

/// Plans the manifest, and shows its first jobs and what all come to.
fn show(options: &InitOptions, text: &str) -> Result<(), Failure> {
    let open = OpenOptions {
        path: options.file.path.clone(),
        format: Some(Format::Toml),
        catalogs: options.manifest.catalogs.clone(),
        ..OpenOptions::default()
    };
    let manifest = Manifest::open_from(&open, &mut text.as_bytes()).map_err(Failure::Input)?;
    let (plan, _) = input::plan(&manifest, &options.limits)?;
    terminal::say(&input::remarks(&manifest, &plan, terminal::color()));
    let first: Vec<_> = plan.jobs(&manifest).take(SHOWN_JOBS).collect::<Result<_, _>>().map_err(Failure::Input)?;
    let totals = plan.totals();
    terminal::print(crate::cli::Format::Table, |out| {
        for job in &first {
            writeln!(out, "{}", job_line(job))?;
        }
        let rest = totals.job_count.saturating_sub(first.len() as u64);
        if rest > 0 {
            writeln!(out, "{:>6}  and {} more", "…", counted(rest, "job"))?;
        }
        writeln!(out, "price {}, worst case {}", totals.price, totals.worst_case.sats_ceil())
    })
}
