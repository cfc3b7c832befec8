//! The catalogues that are laid over each other, the built-in one first: what changed where.

use std::sync::Arc;

use crate::catalog::{Catalog, Endpoint};
use crate::cli::options::config::{CatalogOptions, ManifestSource};
use crate::cli::{CommandError, Failure, input};

/// Each layer, with all that stands below it.
pub(super) struct Layers(Vec<(String, Catalog)>);

impl Layers {
    /// Reads the built-in catalogue, each file of `--catalog`, and the manifest where there is one.
    pub(super) fn read(options: &CatalogOptions) -> Result<Self, Failure> {
        let mut catalog = Catalog::builtin().map_err(Failure::Input)?;
        let mut layers = vec![(crate::catalog::BUILT_IN.to_owned(), catalog.clone())];
        for path in &options.catalogs {
            catalog.read_file(path).map_err(Failure::Input)?;
            layers.push((path.display().to_string(), catalog.clone()));
        }
        if let Some(manifest) = &options.manifest {
            let opened = input::open(manifest, None).map_err(Failure::Input)?;
            let name = match &manifest.source {
                ManifestSource::File(path, _) => path.display().to_string(),
                ManifestSource::Stdin(_) => "standard input".to_owned(),
            };
            layers.push((name, opened.catalog.clone()));
        }
        Ok(Self(layers))
    }

    /// The endpoints in use, or those that are wanted.
    pub(super) fn endpoints(&self, wanted: &[String]) -> Result<Vec<Arc<Endpoint>>, Failure> {
        let Some((_, last)) = self.0.last() else { return Ok(Vec::new()) };
        if wanted.is_empty() {
            return Ok(last.iter().cloned().collect());
        }
        let known = || last.iter().map(|endpoint| endpoint.name.as_str());
        let find = |name: &String| {
            last.get(name).cloned().ok_or_else(|| {
                let meant = crate::diagnostic::closest(name, known());
                let help = meant.map_or_else(|| known().collect::<Vec<_>>().join(", "), |name| format!("{name}?"));
                CommandError::usage(format!("there is no endpoint {name}: {help}")).into()
            })
        };
        wanted.iter().map(find).collect()
    }

    /// The last layer that changed what `of` picks from the endpoint.
    pub(super) fn home<T: PartialEq>(&self, endpoint: &str, of: impl Fn(&Endpoint) -> T) -> &str {
        let mut home = "";
        let mut before: Option<T> = None;
        for (name, catalog) in &self.0 {
            let now = catalog.get(endpoint).map(|endpoint| of(endpoint));
            if now.is_some() && now != before {
                home = name;
            }
            before = now;
        }
        home
    }
}
