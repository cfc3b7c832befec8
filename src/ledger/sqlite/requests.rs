//! The same request under another endpoint's name: contents differ by that name, and what is sent does not. Nor does it where a parameter is
//! not sent, or takes of one job are told apart: one sends what is another job's content.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, Row};
use url::Url;

use super::convert::Json;
use super::error::Fault;
use super::store::Rows;
use crate::catalog::{Endpoint, Value};
use crate::manifest::image;
use crate::purchase::Request;

/// The endpoints that the ledger knows, by where their requests go: of an address that has one name alone, contents tell all where they tell
/// requests. An address with places is compared as it is written: what one with the value in it sends is told to be the same by its digest, at the ask and in the intent.
#[derive(Debug)]
pub(super) struct Named {
    names: HashMap<Url, BTreeSet<String>>,
    /// Addresses at which contents do not tell requests, whatever their names.
    untold: HashSet<Url>,
    /// Those of its rows of whose address contents do not tell all.
    shared: HashMap<i64, Endpoint>,
    /// Where requests of each row go.
    pub(super) urls: HashMap<i64, Url>,
}

impl Named {
    pub(super) fn of(conn: &Connection) -> Result<Self, Fault> {
        let mut names: HashMap<Url, BTreeSet<String>> = HashMap::new();
        let mut endpoints: HashMap<i64, Endpoint> = HashMap::new();
        let mut untold = HashSet::new();
        let mut urls = HashMap::new();
        let mut statement = conn.prepare_cached("SELECT id, json FROM endpoints")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // What cannot be read is the trouble of the jobs that have it.
            let Ok(Json::<Endpoint>(endpoint)) = row.get(1) else { continue };
            names.entry(address(&endpoint)).or_default().insert(endpoint.name.clone());
            untold.extend((!endpoint.contents_tell_requests()).then(|| address(&endpoint)));
            urls.insert(row.get(0)?, endpoint.url.clone());
            endpoints.insert(row.get(0)?, endpoint);
        }
        let mut named = Self { names, untold, shared: HashMap::new(), urls };
        endpoints.retain(|_, endpoint| named.is_shared(endpoint));
        named.shared = endpoints;
        Ok(named)
    }

    /// Whether the ledger knows its address, and contents do not tell all that goes there: by another name, or by what they are.
    pub(super) fn is_shared(&self, endpoint: &Endpoint) -> bool {
        let address = address(endpoint);
        let Some(names) = self.names.get(&address) else { return false };
        let has_other_name = names.iter().any(|name| *name != endpoint.name);
        has_other_name || self.untold.contains(&address) || !endpoint.contents_tell_requests()
    }

    /// Whether there is any such address.
    pub(super) fn is_shared_by_any(&self) -> bool {
        !self.shared.is_empty()
    }

    /// What the job of this row sends, in `endpoint` and `params`, the first of which is that column; none where contents tell all.
    pub(super) fn request(&self, row: &Row<'_>, rows: Rows, column: usize) -> rusqlite::Result<Option<Request>> {
        let endpoint = match rows {
            Rows::Loaded => self.shared.get(&row.get(column)?).cloned(),
            Rows::Planned => row.get::<_, Option<Json<Endpoint>>>(column)?.map(|Json(endpoint)| endpoint),
        };
        let Some(endpoint) = endpoint else { return Ok(None) };
        let Some(Json(params)): Option<Json<Vec<(String, Value)>>> = row.get(column + 1)? else { return Ok(None) };
        // An image that cannot be read now is asked for by nobody.
        Ok(Request::build(&endpoint, &params, image::read).ok())
    }
}

fn address(endpoint: &Endpoint) -> Url {
    let mut url = endpoint.url.clone();
    url.set_fragment(None);
    url.set_query(None);
    url
}
