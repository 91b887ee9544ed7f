//! lettre-send PORT STARTTLS CERTIFICATE USER PASSWORD TO BCC: sends one message through localhost.

use std::{env, error::Error, fs};

use lettre::{
    Message, SmtpTransport, Transport,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [port, starttls, certificate, user, password, to, bcc] = arguments.as_slice() else {
        return Err("PORT STARTTLS CERTIFICATE USER PASSWORD TO BCC".into());
    };
    let certificate = Certificate::from_pem(&fs::read(certificate)?)?;
    let parameters = TlsParameters::builder("localhost".to_owned())
        .add_root_certificate(certificate)
        .build_rustls()?;
    let tls = if starttls == "true" {
        Tls::Required(parameters)
    } else {
        Tls::Wrapper(parameters)
    };
    let message = Message::builder()
        .from(user.parse()?)
        .to(to.parse()?)
        .bcc(bcc.parse()?)
        .subject("Lettre")
        .body("Grüße\n".to_owned())?;
    let transport = SmtpTransport::builder_dangerous("localhost")
        .port(port.parse()?)
        .tls(tls)
        .credentials(Credentials::new(user.clone(), password.clone()))
        .build();
    println!("{:?}", transport.send(&message)?);
    Ok(())
}
