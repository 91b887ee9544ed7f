//! What a check asks DNS: the resolver, or a zone of a test.

use std::net::IpAddr;

use crate::net::{
    resolve::{Answer, Mx, Resolver},
    world::Local,
};

pub trait Ask {
    fn mx<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<Mx>>>;
    fn addresses<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<IpAddr>>>;
    fn txt<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<Vec<u8>>>>;
    fn names(&self, ip: IpAddr) -> Local<'_, Answer<Vec<String>>>;
}

impl Ask for Resolver {
    fn mx<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<Mx>>> {
        Box::pin(Self::mx(self, name))
    }

    fn addresses<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<IpAddr>>> {
        Box::pin(Self::addresses(self, name))
    }

    fn txt<'a>(&'a self, name: &'a str) -> Local<'a, Answer<Vec<Vec<u8>>>> {
        Box::pin(Self::txt(self, name))
    }

    fn names(&self, ip: IpAddr) -> Local<'_, Answer<Vec<String>>> {
        Box::pin(Self::names(self, ip))
    }
}
