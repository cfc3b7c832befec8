//! Builds the exact request of a job. The same job gives the same bytes, always: they are sent twice, and the origin
//! compares them.

use std::io;

use data_encoding::BASE64;
use serde_json::Value as Json;
use url::Url;

use crate::catalog::{Endpoint, ImageRef, Method, Value};
use crate::purchase::{BodyFolder, BodyWriter, Request};

/// Gives an image's bytes in pieces, of which each but the last is a multiple of three bytes long.
type Pieces<'a> = &'a mut dyn FnMut(&[u8]);

impl Request {
    /// The request of a job with these parameters, which are sent in the order given (a job's are in its endpoint's):
    /// as one compact JSON object, or as the endpoint's template has them, or as the URL's query. An image travels as a data URI. The body is in memory.
    ///
    /// # Errors
    /// What `read_image` says where an image's bytes are not to be had.
    pub fn build<E>(
        endpoint: &Endpoint,
        params: &[(String, Value)],
        read_image: impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut body = Vec::new();
        let url = write(endpoint, params, read_image, &mut |bytes| body.extend_from_slice(bytes))?;
        Ok(Self::new(endpoint.method, url, body).heading(&endpoint.headers).bypassing(endpoint.bypass_header.clone()))
    }

    /// The same. A large body goes into that folder as it is made, and is never whole in memory.
    ///
    /// # Errors
    /// What `read_image` says; within, what the disk says.
    pub fn build_in<E>(
        folder: &BodyFolder,
        endpoint: &Endpoint,
        params: &[(String, Value)],
        read_image: impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>,
    ) -> Result<io::Result<Self>, E> {
        let mut body = BodyWriter::new(folder);
        let url = write(endpoint, params, read_image, &mut |bytes| body.add(bytes))?;
        let built = body.finish().and_then(|body| Self::of(endpoint.method, url, body));
        Ok(built.map(|request| request.heading(&endpoint.headers).bypassing(endpoint.bypass_header.clone())))
    }
}

/// Writes the body, and gives the address.
fn write<E>(
    endpoint: &Endpoint,
    params: &[(String, Value)],
    read_image: impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>,
    body: Pieces<'_>,
) -> Result<Url, E> {
    let value_of = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let mut url = endpoint.address(&|name| value_of(name).map(Value::to_string));
    // A fragment is never sent; without it, equal requests have equal digests.
    url.set_fragment(None);
    // Whatever has a place of its own in the address stands there alone, unless a template names it as well.
    let is_usual = |name: &str| endpoint.param(name).is_none_or(|param| param.place.is_usual());
    let usual = params.iter().filter(|(name, _)| is_usual(name));
    match (endpoint.method, &endpoint.body) {
        (Method::Post | Method::Put, Some(template)) => {
            template.write(&|name| value_of(name).is_some(), body, &mut |name, body| {
                value_of(name).map_or(Ok(()), |value| json(value, &read_image, body))
            })?;
        }
        (Method::Post | Method::Put, None) => {
            body(b"{");
            for (place, (name, value)) in usual.enumerate() {
                let comma = if place == 0 { "" } else { "," };
                body(format!("{comma}{}:", Json::from(name.as_str())).as_bytes());
                json(value, &read_image, body)?;
            }
            body(b"}");
        }
        (Method::Get, _) => {
            for (name, value) in usual {
                url.query_pairs_mut().append_pair(name, &text(value, &read_image)?);
            }
        }
    }
    Ok(url)
}

fn json<E>(
    value: &Value,
    read_image: &impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>,
    body: Pieces<'_>,
) -> Result<(), E> {
    let plain = match value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Boolean(truth) => Json::from(*truth),
        // Written as JSON has them: a decimal never becomes a binary number.
        Value::Decimal(_) | Value::Structured(_) => {
            body(value.to_string().as_bytes());
            return Ok(());
        }
        Value::Image(image) => {
            // Nothing in a data URI is escaped.
            body(b"\"");
            data_uri(image, read_image, &mut |text| body(text.as_bytes()))?;
            body(b"\"");
            return Ok(());
        }
    };
    body(plain.to_string().as_bytes());
    Ok(())
}

fn text<E>(value: &Value, read_image: &impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>) -> Result<String, E> {
    match value {
        Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::Structured(_) => {
            Ok(value.to_string())
        }
        Value::Image(image) => {
            let mut uri = String::new();
            data_uri(image, read_image, &mut |text| uri.push_str(text))?;
            Ok(uri)
        }
    }
}

fn data_uri<E>(
    image: &ImageRef,
    read_image: &impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>,
    uri: &mut dyn FnMut(&str),
) -> Result<(), E> {
    uri(&format!("data:{};base64,", image.kind.media_type()));
    let mut encoded = String::new();
    read_image(image, &mut |piece| {
        encoded.clear();
        BASE64.encode_append(piece, &mut encoded);
        uri(&encoded);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Header, ImageKind, ImageSource, Param, ParamKind, Place};
    use crate::origin::samples::endpoint;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn params() -> Vec<(String, Value)> {
        let image =
            ImageRef { source: ImageSource::Inline(String::new()), sha256: String::new(), kind: ImageKind::Png };
        vec![
            ("prompt".to_owned(), Value::Text("Zoé says \"hi\"\n& waves".to_owned())),
            ("image".to_owned(), Value::Image(Box::new(image))),
            ("duration".to_owned(), Value::Integer(5)),
            ("audio".to_owned(), Value::Boolean(false)),
        ]
    }

    fn read(_: &ImageRef, each: Pieces<'_>) -> Result<(), Infallible> {
        each(&[0xfb, 0xff, 1]);
        each(&[2]);
        Ok(())
    }

    #[test]
    fn a_post_carries_compact_json_in_the_given_order() {
        let endpoint = endpoint("https://api.example/x?key=1#top");
        let request = Request::build(&endpoint, &params(), read).unwrap();
        assert_eq!(request.url.as_str(), "https://api.example/x?key=1");
        assert_eq!(
            String::from_utf8(request.body().bytes().unwrap().into_owned()).unwrap(),
            r#"{"prompt":"Zoé says \"hi\"\n& waves","image":"data:image/png;base64,+/8BAg==","duration":5,"audio":false}"#
        );
        assert_eq!(Request::build(&endpoint, &params(), read).unwrap().digest(), request.digest());
    }

    #[test]
    fn a_template_says_where_parameters_stand() {
        let template = serde_json::json!({ "model": "kites-2", "input": { "text": "{prompt}", "of": ["{image}", "{mask}"] }, "seconds": "{duration}" });
        let serde_json::Value::Object(template) = template else { panic!() };
        let body = Some(crate::catalog::Template::new(template));
        let endpoint = Endpoint { body, ..endpoint("https://api.example/x") };
        let request = Request::build(&endpoint, &params()[..3], read).unwrap();
        assert_eq!(
            String::from_utf8(request.body().bytes().unwrap().into_owned()).unwrap(),
            r#"{"model":"kites-2","input":{"text":"Zoé says \"hi\"\n& waves","of":["data:image/png;base64,+/8BAg=="]},"seconds":5}"#
        );
    }

    #[test]
    fn a_get_carries_a_query_and_no_body() {
        let endpoint = Endpoint { method: Method::Get, ..endpoint("https://api.example/x?key=1") };
        let request = Request::build(&endpoint, &params(), read).unwrap();
        assert_eq!(
            request.url.as_str(),
            "https://api.example/x?key=1&prompt=Zo%C3%A9+says+%22hi%22%0A%26+waves&image=data%3Aimage%2Fpng%3Bbase64%2C%2B%2F8BAg%3D%3D&duration=5&audio=false"
        );
        assert!(request.body().is_empty());
        let bare = Request::build(&endpoint, &[], read).unwrap();
        assert_eq!(bare.url.as_str(), "https://api.example/x?key=1");
    }

    #[test]
    fn an_image_that_cannot_be_had_stops_it() {
        let endpoint = endpoint("https://api.example/x");
        assert_eq!(Request::build(&endpoint, &params(), |_, _| Err("changed")), Err("changed"));
    }

    /// However large it is, and whatever is told first: what a ledger of before holds must be sent again to the byte.
    #[test]
    fn a_body_is_the_json_of_its_parameters_wherever_it_is() {
        let (above, endpoint) = (tempfile::tempdir().unwrap(), endpoint("https://api.example/x"));
        let folder = BodyFolder::new(above.path().join("bodies"));
        for bytes in [0, 1, 3_000, 500_000] {
            let image: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let read = |_: &ImageRef, each: Pieces<'_>| {
                image.chunks(300).for_each(each);
                Ok::<_, Infallible>(())
            };
            let request = Request::build(&endpoint, &params(), read).unwrap();
            let filed = Request::build_in(&folder, &endpoint, &params(), read).unwrap().unwrap();
            let json = serde_json::json!({
                "prompt": "Zoé says \"hi\"\n& waves",
                "image": format!("data:image/png;base64,{}", BASE64.encode(&image)),
                "duration": 5,
                "audio": false,
            });
            assert_eq!(*request.body().bytes().unwrap(), *json.to_string().as_bytes());
            assert_eq!(*filed.body().bytes().unwrap(), *json.to_string().as_bytes());
            assert_eq!(filed, request);
        }
        assert_eq!(Request::build_in(&folder, &endpoint, &params(), |_, _| Err("changed")).unwrap_err(), "changed");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_stands_in_the_address_stands_nowhere_else_and_headers_make_another_request() {
        let endpoint = Endpoint {
            method: Method::Put,
            params: vec![Param {
                name: "voice".to_owned(),
                kind: ParamKind::Text,
                required: true,
                default: None,
                place: Place::Path,
            }],
            ..endpoint("https://api.example/{voice}/x")
        };
        let params = [("voice".to_owned(), Value::Text("a b".to_owned())), ("n".to_owned(), Value::Integer(5))];
        let request = Request::build(&endpoint, &params, read).unwrap();
        assert_eq!((request.url.as_str(), request.method), ("https://api.example/a%20b/x", Method::Put));
        assert_eq!(*request.body().bytes().unwrap(), *br#"{"n":5}"#);
        let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
        let headed = |headers: Vec<Header>| {
            Request::build(&Endpoint { headers, ..endpoint.clone() }, &params, read).unwrap().digest()
        };
        let (one, two) = (header("X-Version", "2"), header("Accept", "a/b"));
        assert_ne!(headed(vec![one.clone()]), request.digest());
        assert_eq!(headed(vec![one.clone(), two.clone()]), headed(vec![two, header("x-version", "2")]));
        assert_ne!(headed(vec![one]), headed(vec![header("X-Version", "3")]));
    }

    proptest! {
        #[test]
        fn any_text_arrives_as_it_is(text in any::<String>()) {
            let params = [("prompt".to_owned(), Value::Text(text.clone()))];
            let post = Request::build(&endpoint("http://127.0.0.1/"), &params, read).unwrap();
            let body: Json = serde_json::from_slice(&post.body().bytes().unwrap()).unwrap();
            prop_assert_eq!(body["prompt"].as_str(), Some(text.as_str()));
            let get = Endpoint { method: Method::Get, ..endpoint("http://127.0.0.1/") };
            let get = Request::build(&get, &params, read).unwrap();
            prop_assert_eq!(get.url.query_pairs().next().map(|(_, value)| value.into_owned()), Some(text));
        }
    }
}
