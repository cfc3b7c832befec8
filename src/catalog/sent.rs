//! What a request holds of what is bought: which jobs send the very same, though their contents differ.

use super::{Endpoint, Param, ParamKind, Place};

impl Endpoint {
    /// Whether its jobs of different contents send different requests: nothing tells takes of one job apart, and no parameter stays here.
    #[must_use]
    pub fn contents_tell_requests(&self) -> bool {
        self.nonce.is_none() && self.params.iter().all(Param::is_sent)
    }

    /// Whether the same values make the same request of it as of another one, whatever the two are called and cost.
    #[must_use]
    pub fn sends_like(&self, other: &Self) -> bool {
        let addressed = |endpoint: &Self| {
            let mut url = endpoint.url.clone();
            url.set_fragment(None);
            url
        };
        (self.method, self.multipart, &self.body, &self.headers)
            == (other.method, other.multipart, &other.body, &other.headers)
            && self.sent().eq(other.sent())
            && addressed(self) == addressed(other)
    }

    /// Of each parameter that is sent, what says how: in which order, where, and a file in which form.
    fn sent(&self) -> impl Iterator<Item = (&str, Place, Option<&ParamKind>)> {
        let form = |param: &'_ Param| matches!(param.kind, ParamKind::File { .. });
        let sent = self.params.iter().filter(|param| param.is_sent());
        sent.map(move |param| (param.name.as_str(), param.place, form(param).then_some(&param.kind)))
    }
}

impl Param {
    /// Whether a request holds its value.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.place != Place::Unsent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Method};

    #[test]
    fn endpoints_that_send_the_same_are_known_whatever_they_are_called_and_cost() {
        let video = Endpoint::clone(Catalog::builtin().unwrap().get("generate-video").unwrap());
        let with = |change: &dyn Fn(&mut Endpoint)| {
            let mut other = video.clone();
            change(&mut other);
            other
        };
        let unsent = |place: &dyn Fn(&Endpoint) -> usize| {
            with(&|other| {
                let words = Param { name: "words".to_owned(), place: Place::Unsent, ..other.params[0].clone() };
                other.params.insert(place(other), words);
            })
        };
        for same in [
            with(&|other| other.name = "other".to_owned()),
            with(&|other| other.price.rates.clear()),
            with(&|other| other.url.set_fragment(Some("x"))),
            with(&|other| other.params[0].required = false),
            unsent(&|_| 0),
            unsent(&|other| other.params.len()),
        ] {
            assert!(video.sends_like(&same) && same.sends_like(&video), "{same:?}");
        }
        for other in [
            with(&|other| other.url.set_path("/other")),
            with(&|other| other.method = Method::Get),
            with(&|other| other.params.swap(0, 1)),
            with(&|other| other.params[0].place = Place::Query),
            with(&|other| drop(other.params.remove(0))),
        ] {
            assert!(!video.sends_like(&other), "{other:?}");
        }
        assert!(video.contents_tell_requests());
        assert!(!unsent(&|_| 0).contents_tell_requests());
        assert!(!with(&|other| other.nonce = Some("seed".to_owned())).contents_tell_requests());
    }
}
