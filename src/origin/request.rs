//! Builds the exact request of a job. The same job gives the same bytes, always: they are sent twice, and the origin
//! compares them.

use std::io;

use data_encoding::BASE64;
use serde_json::Value as Json;
use url::Url;

use super::multipart::{self, Part, Pieces};
use crate::catalog::{Endpoint, FileForm, ImageRef, Method, ParamKind, Value, placeholder};
use crate::purchase::{BodyFolder, BodyWriter, Request};

impl Request {
    /// The request of a job with these parameters, which are sent in the order given (a job's are in its endpoint's):
    /// as one compact JSON object, or as the endpoint's template has them, or as parts of a multipart body, or as the URL's query. A file travels as its parameter says, an image as a data URI. The body is in memory.
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
    let form_of = |name: &str| endpoint.param(name).map(|param| form(&param.kind)).unwrap_or_default();
    match (endpoint.method, &endpoint.body) {
        (Method::Post | Method::Put, template) if endpoint.multipart => {
            let parts: Vec<(&str, Part<'_>)> = match template {
                None => usual.map(|(name, value)| (name.as_str(), value.into())).collect(),
                Some(template) => {
                    let part = |(name, json)| match json_placeholder(json) {
                        Some(param) => Some((name, value_of(param)?.into())),
                        None => Some((name, json.into())),
                    };
                    template.fields().filter_map(part).collect()
                }
            };
            multipart::write(&parts, &read_image, body)?;
        }
        (Method::Post | Method::Put, Some(template)) => {
            template.write(&|name| value_of(name).is_some(), body, &mut |name, body| {
                value_of(name).map_or(Ok(()), |value| json(value, form_of(name), &read_image, body))
            })?;
        }
        (Method::Post | Method::Put, None) => {
            body(b"{");
            for (place, (name, value)) in usual.enumerate() {
                let comma = if place == 0 { "" } else { "," };
                body(format!("{comma}{}:", Json::from(name.as_str())).as_bytes());
                json(value, form_of(name), &read_image, body)?;
            }
            body(b"}");
        }
        (Method::Get, _) => {
            for (name, value) in usual {
                url.query_pairs_mut().append_pair(name, &text(value, form_of(name), &read_image)?);
            }
        }
    }
    Ok(url)
}

/// The name of the parameter for which a field of a template stands.
fn json_placeholder(json: &Json) -> Option<&str> {
    json.as_str().and_then(placeholder)
}

/// How files of that parameter stand in JSON or a query.
const fn form(kind: &ParamKind) -> FileForm {
    match kind {
        ParamKind::File { form, .. } => *form,
        ParamKind::Image
        | ParamKind::Text
        | ParamKind::Integer { .. }
        | ParamKind::Decimal { .. }
        | ParamKind::Boolean
        | ParamKind::Choice { .. }
        | ParamKind::IntegerOrText
        | ParamKind::List
        | ParamKind::Object => FileForm::DataUri,
    }
}

fn json<E>(
    value: &Value,
    form: FileForm,
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
            // Nothing in base64 or a data URI is escaped.
            body(b"\"");
            encoded(image, form, read_image, &mut |text| body(text.as_bytes()))?;
            body(b"\"");
            return Ok(());
        }
    };
    body(plain.to_string().as_bytes());
    Ok(())
}

fn text<E>(
    value: &Value,
    form: FileForm,
    read_image: &impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>,
) -> Result<String, E> {
    match value {
        Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::Structured(_) => {
            Ok(value.to_string())
        }
        Value::Image(image) => {
            let mut uri = String::new();
            encoded(image, form, read_image, &mut |text| uri.push_str(text))?;
            Ok(uri)
        }
    }
}

fn encoded<E>(
    image: &ImageRef,
    form: FileForm,
    read_image: &impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>,
    uri: &mut dyn FnMut(&str),
) -> Result<(), E> {
    match form {
        FileForm::DataUri => uri(&format!("data:{};base64,", image.kind.media_type())),
        FileForm::Base64 => {}
    }
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
        let header = |name: &str, value: &str| Header::text(name, value);
        let headed = |headers: Vec<Header>| {
            Request::build(&Endpoint { headers, ..endpoint.clone() }, &params, read).unwrap().digest()
        };
        let (one, two) = (header("X-Version", "2"), header("Accept", "a/b"));
        assert_ne!(headed(vec![one.clone()]), request.digest());
        assert_eq!(headed(vec![one.clone(), two.clone()]), headed(vec![two, header("x-version", "2")]));
        assert_ne!(headed(vec![one.clone()]), headed(vec![header("X-Version", "3")]));
        // What is sent anyway.
        let usual = || header("accept", "application/json");
        assert_eq!(headed(vec![usual()]), request.digest());
        assert_eq!(headed(vec![one.clone(), usual()]), headed(vec![one]));
    }

    #[test]
    fn a_multipart_body_has_a_part_each_and_a_boundary_of_its_content() {
        let pdf = ImageKind::of("application/pdf").unwrap();
        let file = ImageRef {
            source: ImageSource::File("/home/me/secret name.pdf".into()),
            sha256: "ab".repeat(32),
            kind: pdf,
        };
        let params = [
            ("text \"x\"".to_owned(), Value::Text("a\nb".to_owned())),
            ("n".to_owned(), Value::Integer(5)),
            ("file".to_owned(), Value::Image(Box::new(file.clone()))),
        ];
        let endpoint = Endpoint { multipart: true, ..endpoint("https://api.example/x") };
        let request = Request::build(&endpoint, &params, read).unwrap();
        let boundary = request.content_type().strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
        let body =
            String::from_utf8_lossy(&request.body().bytes().unwrap()).replace(&boundary, "B").replace("\r\n", "\n");
        insta::assert_snapshot!(body);
        assert!(boundary.starts_with("l402-batch-") && boundary.len() == "l402-batch-".len() + 40, "{boundary}");
        // The same wherever it is kept, and another for another content.
        let above = tempfile::tempdir().unwrap();
        let folder = BodyFolder::new(above.path().join("bodies"));
        let large = |each: Pieces<'_>| (0..100).for_each(|_| each(&[7; 3_000]));
        let read_large = |_: &ImageRef, each: Pieces<'_>| {
            large(each);
            Ok::<_, Infallible>(())
        };
        let (held, filed) = (
            Request::build(&endpoint, &params, read_large).unwrap(),
            Request::build_in(&folder, &endpoint, &params, read_large).unwrap().unwrap(),
        );
        assert!(matches!(filed.body(), crate::purchase::Body::Filed(_)));
        assert_eq!((held.content_type(), &held), (filed.content_type(), &filed));
        let again = Request::new(held.method, held.url.clone(), held.body().bytes().unwrap().into_owned());
        assert_eq!(again.content_type(), held.content_type());
        let other = ImageRef { sha256: "cd".repeat(32), ..file.clone() };
        let of_other = [params[0].clone(), params[1].clone(), ("file".to_owned(), Value::Image(Box::new(other)))];
        assert_ne!(Request::build(&endpoint, &of_other, read).unwrap().content_type(), request.content_type());
        // As a template names the parts; what a job does not give is no part.
        let template = serde_json::json!({ "model": "up-2", "scale": 2, "image": "{file}", "mask": "{mask}" });
        let serde_json::Value::Object(template) = template else { panic!() };
        let endpoint = Endpoint { body: Some(crate::catalog::Template::new(template)), ..endpoint };
        let body = Request::build(&endpoint, &params, read).unwrap();
        let body = String::from_utf8_lossy(&body.body().bytes().unwrap()).into_owned();
        let names: Vec<&str> = body.split("; name=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
        assert_eq!(names, ["model", "scale", "image"]);
    }

    #[test]
    fn a_file_is_a_data_uri_or_base64_alone() {
        let kind = ImageKind::of("audio/mpeg").unwrap();
        let file = ImageRef { source: ImageSource::Inline(String::new()), sha256: String::new(), kind };
        let param = |form| Param {
            name: "song".to_owned(),
            kind: ParamKind::File { types: Vec::new(), form },
            required: true,
            default: None,
            place: Place::Usual,
        };
        let body = |form| {
            let endpoint = Endpoint { params: vec![param(form)], ..endpoint("https://api.example/x") };
            let request =
                Request::build(&endpoint, &[("song".to_owned(), Value::Image(Box::new(file.clone())))], read).unwrap();
            String::from_utf8(request.body().bytes().unwrap().into_owned()).unwrap()
        };
        assert_eq!(body(FileForm::DataUri), r#"{"song":"data:audio/mpeg;base64,+/8BAg=="}"#);
        assert_eq!(body(FileForm::Base64), r#"{"song":"+/8BAg=="}"#);
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

        /// Whatever the values, in each form: built again, and built into a folder, it is the same.
        #[test]
        fn each_form_is_the_same_to_the_byte_again(text in any::<String>(), number in any::<i64>(), method in 0..3usize, form in 0..3usize) {
            let param = |name: &str, place| Param {
                name: name.to_owned(), kind: ParamKind::Text, required: true, default: None, place,
            };
            let template = serde_json::json!({ "in": "{text}", "n": "{n}", "of": 1 });
            let Json::Object(template) = template else { panic!() };
            let endpoint = Endpoint {
                method: [Method::Post, Method::Put, Method::Get][method],
                multipart: form == 1,
                body: (form > 0).then(|| crate::catalog::Template::new(template)),
                params: vec![param("text", Place::Usual), param("n", Place::Usual), param("at", Place::Path), param("q", Place::Query)],
                headers: vec![Header::text("X-Version", "2")],
                ..endpoint("https://api.example:8443/v1/{at}/x?q={q}")
            };
            let value = |name: &str, value| (name.to_owned(), value);
            let params = [
                value("text", Value::Text(text.clone())), value("n", Value::Integer(number)),
                value("at", Value::Text(format!("{text}a"))), value("q", Value::Text(text)),
            ];
            let above = tempfile::tempdir().unwrap();
            let folder = BodyFolder::new(above.path().join("bodies"));
            let (one, two) = (Request::build(&endpoint, &params, read).unwrap(), Request::build(&endpoint, &params, read).unwrap());
            let three = Request::build_in(&folder, &endpoint, &params, read).unwrap().unwrap();
            prop_assert_eq!(one.body().bytes().unwrap(), two.body().bytes().unwrap());
            prop_assert_eq!((&one, one.content_type(), &one.url), (&two, two.content_type(), &three.url));
            prop_assert_eq!((&one, one.body().bytes().unwrap()), (&three, three.body().bytes().unwrap()));
            let kept = Request::new(one.method, one.url.clone(), one.body().bytes().unwrap().into_owned()).heading(&endpoint.headers);
            prop_assert_eq!((kept.digest(), kept.content_type()), (one.digest(), one.content_type()));
            prop_assert_eq!(one.url.origin(), endpoint.url.origin());
        }
    }
}
