//! A web server with one page: an MTA-STS policy.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    sign::{CertifiedKey, SingleCertAndKey},
};
use pillarbox::net::world::Local;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::net::{Net, Place};

/// Serves `page` at `address`; it may change.
pub fn serve(net: &Net, address: &str, key: Arc<CertifiedKey>, page: Rc<RefCell<String>>) {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let serve = move |stream, _| -> Local<'static, ()> {
        let (acceptor, page) = (acceptor.clone(), page.clone());
        Box::pin(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut request = vec![];
            while !request.ends_with(b"\r\n\r\n") {
                let mut piece = [0; 512];
                match stream.read(&mut piece).await {
                    Ok(length) if length > 0 => request.extend_from_slice(&piece[..length]),
                    _ => return,
                }
            }
            let page = page.borrow().clone();
            let length = page.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{page}"
            );
            let _sent = stream.write_all(answer.as_bytes()).await;
            let _closed = stream.close().await;
        })
    };
    net.place(address, Place::Serve(Rc::new(serve)));
}
